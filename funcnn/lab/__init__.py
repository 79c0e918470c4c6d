"""The lab report, reproduced: its experiments over many seeds, what they say to its conclusions, and a page of it all.

>>> from funcnn import lab
>>> reproduction = lab.reproduce("base", seeds=3)
>>> for row in lab.accuracy_rows(reproduction):
...     print(f"{row['data']}: the report {row['report']:.2%}, the median of three seeds {row['median']:.2%}")
linear: the report 100.00%, the median of three seeds 100.00%
xor: the report 100.00%, the median of three seeds 85.71%
>>> lab.judge(reproduction.results)[0].said
'Linear data converge faster than XOR.'

The page needs matplotlib, so it is imported by itself: ``from funcnn.lab import page``, and ``page.render`` writes it.
"""

from .conclusions import Conclusion, judge
from .numbers import report_accuracies, report_numbers, report_weights
from .reproduction import Reproduction, accuracy_rows, reproduce, seconds, summary
from .results import Deaths, Result, collect, deaths, ensembles, log_rows, replay, spread_rows
from .suites import SUITES, chosen

__all__ = [
    "SUITES",
    "Conclusion",
    "Deaths",
    "Reproduction",
    "Result",
    "accuracy_rows",
    "chosen",
    "collect",
    "deaths",
    "ensembles",
    "judge",
    "log_rows",
    "replay",
    "report_accuracies",
    "report_numbers",
    "report_weights",
    "reproduce",
    "seconds",
    "spread_rows",
    "summary",
]
