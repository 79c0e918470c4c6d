"""The report reproduced: one Markdown page with every table and picture.

The words are in ``report/page.md``, in sections named by the experiments; `sections` makes what stands in them.
"""

import re
from importlib.resources import files
from string import Template

from .. import arguments
from ..settings import DEFAULT_SEED, Experiment
from .conclusions import Conclusion, judge
from .reproduction import Reproduction, checked_reproduction
from .results import CONVERGED, spread_rows
from .sections import SECTIONS, Figures, picture_name, spread_parts
from .texts import label


def render(reproduction: Reproduction, command: str) -> tuple[str, Figures]:
    """Return the page with the sections of what was reproduced, and the pictures on it by file name.

    Parameters
    ----------
    reproduction
        What `reproduce` gave.
    command
        What the page says it was written by.

    Raises
    ------
    ValueError, TypeError
        If ``reproduction`` is no `Reproduction`, or lacks results of its suites, or ``command`` is no text.
    """
    reproduction, command = checked_reproduction(reproduction), arguments.text("command", command)
    text = (files(__package__) / "report" / "page.md").read_text(encoding="utf-8")
    introduction, *rest = re.split(r"<!-- ([a-z-]+) -->\n", text)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    parts = _setting(reproduction, command) | spread_parts(spread_rows(reproduction.parts))
    figures: Figures = {}
    for name in reproduction.names:
        texts, pictures = SECTIONS[name](reproduction.results)
        parts |= texts
        figures |= pictures
    judged = judge(reproduction.results)
    parts["conclusions"] = "\n".join(_conclusion(conclusion, figures) for conclusion in judged)
    shown = [*(sections[name] for name in reproduction.names), *([sections["conclusions"]] if judged else [])]
    page = Template("".join([introduction, *shown])).substitute(parts)
    return re.sub(r"\n{3,}", "\n\n", page).rstrip() + "\n", figures


def _setting(reproduction: Reproduction, command: str) -> dict[str, str]:
    """Return what the introduction says of all experiments."""
    return {
        "seeds": str(reproduction.seeds),
        "last_seed": str(reproduction.seeds - 1),
        "default_seed": str(DEFAULT_SEED),
        "default_data_seed": str(Experiment().data_seed),
        "command": command,
        "converged": str(CONVERGED),
    }


def _conclusion(conclusion: Conclusion, figures: Figures) -> str:
    """Return a conclusion with those of its learning curves that are on the page."""
    verdict = conclusion.verdict[0].upper() + conclusion.verdict[1:]
    names = [(f"{picture_name(e, 'learning')}.svg", label(e)) for e in conclusion.shown]
    lines = [
        f'<img src="{name}" alt="learning curve: {words}" width="49%">' for name, words in names if name in figures
    ]
    return "\n".join([f"**“{conclusion.said}”** {verdict}.", "", conclusion.found, "", *lines, ""])
