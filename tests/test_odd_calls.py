"""What odd calls of public functions end in: a result, or a message of the edge that names the argument.

These are some of the calls of `odd_calls`, which makes all of them when it is run by itself.
"""

import inspect
import random

import pytest

import funcnn
from funcnn import lab, plotting
from odd_calls import CALLS, ELSEWHERE, called, cases, ended

#: How many calls are made of which an argument is odd, and a field of a record in one.
ARGUMENTS, FIELDS = 2500, 500

PUBLIC = {
    prefix + name: getattr(module, name)
    for prefix, module in (("", funcnn), ("plotting.", plotting), ("lab.", lab))
    for name in module.__all__
    if callable(getattr(module, name))
}


def test_every_public_function_is_called_with_every_argument():
    assert {name for name in PUBLIC if name not in CALLS} == {*PUBLIC} & ELSEWHERE
    given: dict[str, set[str]] = {}
    for name, (_, arguments) in CALLS.items():
        given.setdefault(name.partition(",")[0], set()).update(arguments)
    for name, arguments in given.items():
        function, _ = CALLS[name] if name in CALLS else next(CALLS[one] for one in CALLS if one.startswith(name))
        if name not in ("Experiment", "forward"):
            assert arguments >= {*inspect.signature(function).parameters} - {"fields"}, name


#: Runs of two epochs are too short for it.
REFUSED = ("lab.spread_rows", "plotting.save")


@pytest.mark.parametrize("name", [name for name in CALLS if name not in REFUSED])
def test_calls_give_a_result_where_nothing_is_odd(name):
    called(name)


def some():
    """Return some of all odd calls, of arguments and of fields of records in them: the same each time."""
    shallow, all_ = list(cases(deep=False)), list(cases(deep=True))
    deep = [case for case in all_ if len(case.path) > 1]
    draw = random.Random(0)
    return [*draw.sample(shallow, ARGUMENTS), *draw.sample(deep, FIELDS)]


NUMBER = {"half", "2**63", "1e300", "1e-320", "Fraction", "0-d", "0-d int"}
NONE, FLAG = {"None", "0-d object"}, {"True", "np.True_", "0-d flag"}
TEXT = {"text of a number", "no text", "text", "surrogate", "colons", "long text"}
COUNT, UNITS, PAIRS = {"0-d int"}, {"generator", "list of numbers"}, {"None", "empty list", "empty tuple"}
ARRAY = {"float16", "ints", "flags", "matrix", "strided", "read-only"}
SEED = {"zero", "2**63", "0-d int", "generator", "list of numbers"}
#: What is odd and may give a result all the same, by argument. Whatever else is taken would be read as something else.
TAKES = {
    "sizes": UNITS,
    "shape": UNITS,
    "fans": UNITS,
    "hidden": {"generator", "empty list", "empty tuple", "array of nothing", "list of numbers"},
    **dict.fromkeys(("seed", "data_seed"), SEED),
    "shuffle_seed": {"zero", "2**63", "0-d int"},
    **dict.fromkeys(("n", "seeds", "k"), COUNT | {"minus one", "zero"}),
    **dict.fromkeys(("epochs", "batch_size", "log_every"), COUNT | {"2**63"}),
    "threads": COUNT | {"None", "2**63"},
    **dict.fromkeys(("bias", "shuffle"), FLAG),
    **dict.fromkeys(("clip", "l2"), NUMBER | NONE | {"zero"}),
    **dict.fromkeys(("every", "factor", "rate", "horizon", "warmup", "std", "a", "gain"), NUMBER),
    **dict.fromkeys(("floor", "value"), NUMBER | {"zero", "minus one"}),
    "lr": NUMBER | {"generator", "minus one", "zero", "list of numbers", "1-d"},
    **dict.fromkeys(("act", "out_act", "acts"), NONE | {"Activation"}),
    "loss": {"Loss", "Loss named as another"},
    "optimizer": {"Optimizer"},
    **dict.fromkeys(("bias_init", "start_sha256"), NONE | TEXT),
    "start": NONE | TEXT | {"0-d text", "Params"},
    **dict.fromkeys(("start_name", "command", "title"), NONE | TEXT),
    **dict.fromkeys(("schedule", "stop", "progress", "on_epoch", "patience", "class_weight"), NONE),
    **dict.fromkeys(("data_sha256", "delimiter", "header"), NONE),
    **dict.fromkeys(("target", "drop"), PAIRS | {"array of nothing"}),
    **dict.fromkeys(("test", "validation", "fraction"), NONE | {"1e-320", "Fraction", "zero"}),
    **dict.fromkeys(("standardize", "proba"), FLAG),
    "rows": NONE | ARRAY | {"longdouble"},
    "data": {"Dataset"},
    "dataset": {"Dataset"},
    "z": ARRAY | {"4-d", "longdouble", "no members", "no rows", "not finite", "one"},
    "decision": {"None", "Decision"},
    "params": {"Params", "other Params", "Params of members"},
    "plan": {"Plan"},
    "state": {"State"},
    "experiment": {"Experiment"},
    "run": {"Run", "Run of members"},
    "x": ARRAY | {"no rows", "4-d", "not finite", "longdouble", "one", "no columns", "no members"},
    "y": ARRAY | {"4-d", "one", "longdouble"},
    "weight": {"None", "1-d"},
    "snapshots": {"empty list", "empty tuple", "generator", "list of numbers", "array of nothing"},
    "among": {"slice"},
    "reference": PAIRS | ARRAY | {"no rows", "no rows of one", "longdouble", "not finite"},
    "log": PAIRS | {"no rows", "no rows of one", "ints"},
    "ids": {"empty list", "empty tuple", "array of nothing"},
}
#: Arguments that may be anything, or any array of numbers; and records, which are looked at when they are used.
ANYTHING = {"carry", "xs", "layers", "t"}


def test_odd_calls_give_a_result_or_are_refused_in_words_that_name_the_argument():
    ends = {case: ended(case) for case in some()}
    assert {str(case): end for case, end in ends.items() if end not in ("result", "refused")} == {}
    results = [case for case, end in ends.items() if end == "result" and case.name != "Experiment"]
    of_arguments = [case for case in results if len(case.path) == 1 and case.path[0] not in ANYTHING]
    assert {str(case) for case in of_arguments if case.label not in TAKES.get(case.path[0], ())} == set()
