"""Odd calls of every public function: each argument in turn, and each field of each record in it, is something odd.

A call may give a result, or be refused by the edge with a message that names the argument. Anything else is a fault.
``python tests/odd_calls.py --shallow`` makes some 26,000, all of odd arguments, in two minutes and counts what they end
in; without ``--shallow``, those of odd fields too. `test_odd_calls` makes some.
"""

import argparse
import collections
import datetime
import decimal
import fractions
import functools
import inspect
import itertools
import os
import pickle
import re
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import funcnn
from funcnn import lab, plotting
from funcnn.initializers import INITIALIZERS
from funcnn.lab import page
from funcnn.schedules import SCHEDULES

try:
    from funcnn.arguments import ArgumentError  # what the edge raises
except ImportError:  # a commit from before it did is counted too
    ArgumentError = Exception

# --- what is odd -----------------------------------------------------------------------------------------------------


class Unsayable:
    """Something whose own words fail."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


class Unarrayable:
    """Something that does not want to be an array."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")


@functools.cache
def nested(depth: int, inner: Any, kind: Any = list) -> Any:
    for _ in range(depth):
        inner = kind([inner])
    return inner


def endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


def strided(array: Any) -> Any:
    return np.repeat(array, 2, axis=0)[::2]


def matrix() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asmatrix(np.ones((5, 2)))


def frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array


SOLO = funcnn.run(funcnn.Experiment(epochs=2))
MANY = funcnn.run(funcnn.Experiment(epochs=2, seed=(1, 2)))
PLAN = funcnn.Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS["sgd"])
MINE = funcnn.Activation("mine", lambda z: z * z, lambda z, a: 2 * z)
MOMENTUM = funcnn.Optimizer("mine", lambda w, g, s, t, lr, h: (w - lr * (sum(h) * s[0] + g), (g,)), 1, (0.9,), ("mu",))
LOSS = funcnn.Loss("mine", lambda p, y: (p - y) ** 2, lambda p, y: 2 * (p - y), report="mae")

ODD: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "np.True_": lambda: np.True_,
    "text of a number": lambda: "3",
    "no text": lambda: "",
    "text": lambda: "sigmod",
    "surrogate": lambda: "\ud800",
    "colons": lambda: "uniform:::",
    "long text": lambda: "x" * 10_000,
    "half": lambda: 1.5,
    "minus one": lambda: -1,
    "zero": lambda: 0,
    "huge": lambda: 10**400,
    "huge, negative": lambda: -(10**400),
    "huge beyond words": lambda: 10**5000,
    "2**63": lambda: 2**63,
    "1e300": lambda: 1e300,
    "1e-320": lambda: 1e-320,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "complex": lambda: 1j,
    "bytes": lambda: b"3",
    "bytearray": lambda: bytearray(b"ab"),
    "object": object,
    "unsayable": Unsayable,
    "unarrayable": Unarrayable,
    "type": lambda: Unsayable,
    "function": lambda: lambda: 0,
    "module": lambda: np,
    "slice": lambda: slice(0, 5),
    "date": lambda: datetime.date(2020, 2, 2),
    "path": lambda: Path("/nowhere"),
    "Decimal": lambda: decimal.Decimal(3),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "empty list": list,
    "empty tuple": tuple,
    "dict": lambda: {"a": 1},
    "set": lambda: {1, 2},
    "frozenset": lambda: frozenset({1, 2}),
    "generator": lambda: (one for one in (1, 2)),
    "endless iterator": lambda: itertools.repeat("x"),
    "endless range": lambda: range(10**400),
    "long range": lambda: range(10**12),
    "list of None": lambda: [None, None],
    "list of texts": lambda: ["1", "2"],
    "list of numbers": lambda: [1, 2],
    "list of flags": lambda: [True, False],
    "list of huge": lambda: [10**400, 1],
    "ragged": lambda: [[1, 2], [3]],
    "deep": lambda: nested(100_000, 1),
    "deep tuple": lambda: nested(100_000, 1, tuple),
    "endless list": endless,
    "no rows": lambda: np.zeros((0, 2)),
    "no rows of one": lambda: np.zeros((0, 1)),
    "no columns": lambda: np.zeros((5, 0)),
    "no members": lambda: np.zeros((0, 5, 2)),
    "no members of no rows": lambda: np.zeros((0, 0, 0)),
    "array of nothing": lambda: np.zeros(0),
    "0-d": lambda: np.array(1.0),
    "0-d int": lambda: np.array(1),
    "0-d flag": lambda: np.array(True),
    "0-d text": lambda: np.array("3"),
    "0-d object": lambda: np.array(None),
    "1-d": lambda: np.ones(5),
    "one": lambda: np.ones((1, 1)),
    "4-d": lambda: np.ones((2, 2, 5, 2)),
    "65 axes": lambda: nested(70, np.float64(1)),
    "objects": lambda: np.array([[object(), None]] * 5),
    "float16": lambda: np.ones((5, 2), np.float16),
    "ints": lambda: np.ones((5, 2), int),
    "flags": lambda: np.ones((5, 2), bool),
    "complexes": lambda: np.ones((5, 2), complex),
    "longdouble": lambda: np.full((5, 2), np.longdouble("1e4000")),
    "times": lambda: np.zeros((5, 2), "datetime64[s]"),
    "spans of time": lambda: np.zeros((5, 2), "timedelta64[s]"),
    "texts": lambda: np.full((5, 2), "3"),
    "bytes array": lambda: np.full((5, 2), b"3"),
    "fields": lambda: np.zeros((5, 2), "f8,i4"),
    "not finite": lambda: np.full((5, 2), np.nan),
    "masked": lambda: np.ma.array(np.ones((5, 2)), mask=[[0, 1]] * 5),
    "matrix": matrix,
    "strided": lambda: strided(np.ones((5, 2))),
    "read-only": lambda: frozen(np.ones((5, 2))),
    "Layer": lambda: SOLO.params.layers[0],
    "Params": lambda: SOLO.params,
    "other Params": lambda: funcnn.init((3, 1)),
    "Params of nothing": lambda: funcnn.Params(()),
    "Params of members": lambda: MANY.params,
    "State": lambda: SOLO.history.state,
    "History": lambda: SOLO.history,
    "Dataset": lambda: SOLO.train,
    "Decision": lambda: SOLO.decision,
    "Experiment": lambda: SOLO.experiment,
    "Run": lambda: SOLO,
    "Run of members": lambda: MANY,
    "Plan": lambda: PLAN,
    "Activation": lambda: MINE,
    "Loss": lambda: LOSS,
    "Optimizer": lambda: MOMENTUM,
    "Loss named as another": lambda: attrs.evolve(LOSS, name="mse"),
}

# --- what is called --------------------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(5, 2))
Y = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
P = funcnn.init((2, 3, 1), seed=1, bias=True)
STATE = funcnn.fresh_state(PLAN, P)
MOMENTA = funcnn.fresh_slots(funcnn.OPTIMIZERS["momentum"], P)
DESCRIBED = funcnn.Experiment(epochs=2)
RESULT = lab.collect(DESCRIBED, "both", 2)
REPRODUCTION = lab.reproduce("network", seeds=1)
FIGURE = plotting.activation("tanh")


def run_of(**fields: Any) -> Any:
    return funcnn.run(funcnn.Experiment(**fields))


#: By name, a function and arguments with which it gives a result.
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "init": (
        funcnn.init,
        {
            "sizes": (2, 3, 1),
            "seed": 1,
            "act": "sigmoid",
            "out_act": "none",
            "bias": True,
            "scheme": "normal",
            "bias_init": "zeros",
            "dtype": np.float64,
        },
    ),
    "forward": (funcnn.forward, {"params": P, "x": X}),
    "forward, own": (funcnn.forward, {"params": funcnn.init((2, 1), act=MINE), "x": X}),
    "backprop": (funcnn.backprop, {"params": P, "x": X, "y": Y, "loss": LOSS, "weight": np.ones(5)}),
    "grads": (funcnn.grads, {"params": P, "x": X, "y": Y, "loss": "mse", "weight": None}),
    "value_and_grads": (funcnn.value_and_grads, {"params": P, "x": X, "y": Y, "loss": "half_sse", "weight": None}),
    "sgd_step": (funcnn.sgd_step, {"params": P, "grads": P, "lr": 0.1}),
    "optimizer_step": (
        funcnn.optimizer_step,
        {"optimizer": MOMENTUM, "params": P, "grads": P, "slots": MOMENTA, "t": 1.0, "lr": 0.1},
    ),
    "fresh_slots": (funcnn.fresh_slots, {"optimizer": MOMENTUM, "params": P}),
    "fresh_state": (funcnn.fresh_state, {"plan": PLAN, "params": P}),
    "step": (funcnn.step, {"plan": PLAN, "state": STATE, "x": X, "y": Y, "lr": 0.1, "weight": None}),
    "step, own": (
        funcnn.step,
        {
            "plan": funcnn.Plan(LOSS, MOMENTUM, clip=1.0),
            "state": attrs.evolve(STATE, slots=MOMENTA, rule=MOMENTUM.name),
            "x": X,
            "y": Y,
            "lr": 0.1,
            "weight": np.ones(5),
        },
    ),
    "scan": (funcnn.scan, {"step": lambda carry, x: (carry, x), "carry": 0, "xs": [1, 2]}),
    "train": (
        funcnn.train,
        {
            "params": P,
            "x": X,
            "y": Y,
            "lr": 0.1,
            "epochs": 2,
            "loss": "half_sse",
            "optimizer": "sgd",
            "batch_size": 1,
            "clip": None,
            "l2": 0.0,
            "weight": None,
            "schedule": None,
            "decision": funcnn.Decision(),
            "validation": (X, Y),
            "stop": lambda history: len(history.loss) == 2,
            "shuffle": False,
            "shuffle_seed": 0,
            "engine": "numpy",
            "log_every": 500,
            "snapshots": (0,),
            "threads": None,
            "progress": None,
            "on_epoch": None,
        },
    ),
    "train, going on": (
        funcnn.train,
        {
            "params": funcnn.train(P, X, Y, epochs=2, engine="numpy", optimizer="momentum")[1].state,
            "x": X,
            "y": Y,
            "optimizer": "momentum",
            "loss": LOSS,
            "epochs": 2,
            "engine": "auto",
            "shuffle": True,
            "schedule": "cosine:10",
        },
    ),
    "mse": (funcnn.mse, {"y_hat": Y, "y": Y}),
    "half_sse": (funcnn.half_sse, {"y_hat": Y, "y": Y}),
    "accuracy": (funcnn.accuracy, {"y_hat": Y, "y": Y, "decision": funcnn.Decision()}),
    "decision": (funcnn.decision, {"loss": "half_sse", "y": Y}),
    "dataset": (funcnn.dataset, {"name": "linear", "seed": 0}),
    "linear": (funcnn.linear, {"n": 3, "seed": (0, 1)}),
    "xor": (funcnn.xor, {}),
    "run": (
        funcnn.run,
        {
            "experiment": DESCRIBED,
            "start": None,
            "start_name": "given",
            "threads": None,
            "progress": None,
            "on_epoch": None,
        },
    ),
    "run, started": (funcnn.run, {"experiment": DESCRIBED, "start": funcnn.init((2, 3, 3, 1)), "start_name": "given"}),
    "Experiment, run": (run_of, {**attrs.asdict(DESCRIBED, recurse=False), "engine": "numpy"}),
    "resume": (funcnn.resume, {"run": SOLO, "epochs": 2, "threads": None, "progress": None, "on_epoch": None}),
    "split": (funcnn.split, {"dataset": funcnn.xor(), "fraction": 0.25, "seed": 0}),
    "standardisation": (funcnn.standardisation, {"x": X}),
    "standardise": (funcnn.standardise, {"scaling": funcnn.standardisation(X), "x": X}),
    "unstandardise": (funcnn.unstandardise, {"scaling": funcnn.standardisation(X), "z": X}),
    "recipe": (funcnn.recipe, {"data": funcnn.xor()}),
    "predict": (funcnn.predict, {"run": SOLO, "rows": X, "proba": True}),
    "evaluate": (funcnn.evaluate, {"run": SOLO, "rows": (X, Y)}),
    "member": (funcnn.member, {"run": MANY, "k": 1}),
    "scores": (funcnn.scores, {"run": SOLO}),
    "weights_sha256": (funcnn.weights_sha256, {"params": P}),
    "diagnose": (funcnn.diagnose, {"run": SOLO}),
    "Experiment": (funcnn.Experiment, attrs.asdict(DESCRIBED, recurse=False)),
    "Params": (funcnn.Params, {"layers": P.layers}),
    "plotting.learning_curve": (plotting.learning_curve, {"run": SOLO}),
    "plotting.fitting": (plotting.fitting, {"run": SOLO}),
    "plotting.learning_band": (
        plotting.learning_band,
        {"run": MANY, "k": 0, "reference": [(0, 0.5)], "among": slice(0, 2)},
    ),
    "plotting.gradient_norms": (plotting.gradient_norms, {"run": SOLO}),
    "plotting.ground_truth": (plotting.ground_truth, {"run": SOLO}),
    "plotting.decision_surface": (plotting.decision_surface, {"run": SOLO}),
    "plotting.network": (plotting.network, {"params": P, "title": "a network"}),
    "plotting.activation": (plotting.activation, {"acts": ("tanh",)}),
    "plotting.save": (plotting.save, {"figure": FIGURE, "path": "/dev/null/no.svg"}),
    "lab.accuracy_rows": (lab.accuracy_rows, {"reproduction": REPRODUCTION}),
    "lab.chosen": (lab.chosen, {"names": ("network",)}),
    "lab.collect": (
        lab.collect,
        {"experiment": DESCRIBED, "drawn": "both", "seeds": 2, "threads": None, "progress": None},
    ),
    "lab.deaths": (lab.deaths, {"result": RESULT}),
    "lab.ensembles": (lab.ensembles, {"ids": ["network"]}),
    "lab.judge": (lab.judge, {"results": {DESCRIBED: RESULT}}),
    "lab.log_rows": (lab.log_rows, {"result": RESULT, "log": [[0, 0.5]]}),
    "lab.replay": (lab.replay, {}),
    "lab.report_accuracies": (lab.report_accuracies, {}),
    "lab.report_numbers": (lab.report_numbers, {}),
    "lab.report_weights": (lab.report_weights, {}),
    "lab.reproduce": (lab.reproduce, {"names": ("network",), "seeds": 1, "threads": None, "progress": None}),
    "lab.seconds": (lab.seconds, {"names": ("network",), "seeds": 1, "threads": None}),
    "lab.spread_rows": (lab.spread_rows, {"spread": dict.fromkeys(("both", "points", "weights"), RESULT)}),
    "lab.summary": (lab.summary, {"reproduction": REPRODUCTION}),
    "lab.page.render": (page.render, {"reproduction": REPRODUCTION, "command": "funcnn reproduce"}),
    **{
        f"schedules.{name}": (SCHEDULES[name], {"t": np.arange(1.0, 4.0), **numbers})
        for name, numbers in {
            "constant": {},
            "step": {"every": 2.0, "factor": 0.5},
            "exponential": {"rate": 0.5},
            "cosine": {"horizon": 10.0, "floor": 0.1},
            "warmup_cosine": {"warmup": 2.0, "horizon": 10.0, "floor": 0.1},
        }.items()
    },
    **{
        f"initializers.{name}": (
            function,
            {"rng": np.random.default_rng(0), "shape": (2, 3), "fans": (2, 3)}
            | dict.fromkeys(list(inspect.signature(function).parameters)[3:], 0.5),
        )
        for name, function in INITIALIZERS.items()
        if name == function.__name__
    },
}
#: Public, and called elsewhere: files have tests of their own; records are built without checks, which functions make.
ELSEWHERE = {"save", "load", "read", "Diagnosis", "EngineWarning", "DataWarning"}
ELSEWHERE |= {"Coding", "Column", "Epoch", "Evaluation", "Preparation", "Scaling", "Table"}
ELSEWHERE |= {"Activation", "Dataset", "Decision", "History", "Layer", "Loss", "Optimizer", "Plan", "Run", "State"}
ELSEWHERE |= {"Trace", "lab.Conclusion", "lab.Deaths", "lab.Reproduction", "lab.Result"}

#: What else messages may call an argument, or the field of a record.
ALIASES = {
    "sizes": "size of a layer",
    "params": "layer|weights|start|snapshot|slots|network|loss of the history",
    "start": "layer|weights",
    "grads": "layers",
    "state": "params|layer|weights|slots",
    "plan": "loss|optimizer",
    "slots": "layers",
    "layers": "layer|params|weights",
    "ids": "experiment",
    "names": "experiment|name of a suite",
    "solo": "for one network",
    "name": "data set|activation|optimizer|loss",
    "acts": "activation",
    "act": "activation",
    "out_act": "activation",
    "data": "data set",
    "hidden": "width of a hidden layer",
    "snapshots": "snapshot",
    "seed": "data_seed",
    "validation": "validation [xy]",
    "y_hat": "y_hat and y",
    "drawn": "both, points, weights",
    "experiment": "started from",
    "start_sha256": "started from",
    "w": "layer|weights",
    "b": "layer|weights",
}


@attrs.frozen
class Odd:
    """A call: which argument, or which field of a record in it, is odd, and how."""

    name: str
    path: tuple[str, ...]
    label: str

    def __str__(self) -> str:
        return f"{self.name}({'.'.join(self.path)}={self.label})"


def paths(name: str, *, deep: bool) -> Iterator[tuple[str, ...]]:
    """Yield what may be odd in a call: each argument, and each field of the records in it."""
    _, arguments = CALLS[name]
    for argument, value in arguments.items():
        yield (argument,)
        if deep:
            yield from ((argument, *rest) for rest in _fields(value))


def _fields(value: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(value, tuple) and value and attrs.has(type(value[0])):
        value = value[0]
    elif isinstance(value, dict) and value:
        value = next(iter(value.values()))
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield (field.name,)
            yield from ((field.name, *rest) for rest in _fields(getattr(value, field.name)))


def replaced(value: Any, path: tuple[str, ...], odd: Any) -> Any:
    """Return a record with something odd in a field; in a tuple of records, in the first."""
    if not path:
        return odd
    if isinstance(value, tuple):
        return (replaced(value[0], path, odd), *value[1:])
    if isinstance(value, dict):
        first = next(iter(value))
        return {**value, first: replaced(value[first], path, odd)}
    return attrs.evolve(value, **{path[0]: replaced(getattr(value, path[0]), path[1:], odd)})


def called(name: str, /, **odd: Any) -> Any:
    """Call a function with its arguments, but for those that are odd."""
    function, arguments = CALLS[name]
    given = arguments | ({"rng": np.random.default_rng(0)} if "rng" in arguments else {}) | odd
    for argument, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            several = given.pop(argument)
            return function(*((several,) if argument in odd else several), **given)
    return function(**given)


def made(case: Odd) -> Any:
    """Make an odd call."""
    argument, *rest = case.path
    odd = replaced(CALLS[case.name][1][argument], tuple(rest), ODD[case.label]())
    return called(case.name, **{argument: odd})


def ended(case: Odd) -> str:
    """Make an odd call, and say what it ended in: "result", "refused", or what is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=PendingDeprecationWarning)  # of matrices
            warnings.filterwarnings("ignore", "overflow encountered")  # which gives infinity, as it should
            made(case)
    except (ValueError, TypeError) as error:
        if not isinstance(error, ArgumentError):
            return f"{type(error).__name__} from inside: {str(error)[:120]}"
        names = "|".join(rf"{one}|{ALIASES.get(one, one)}" for one in case.path)
        if not re.search(rf"\b({names})\b", str(error)):
            return f"a message that does not name it: {str(error)[:120]}"
        return "refused" if len(str(error)) < 1000 and "\n" not in str(error) else "a message that is too long"
    except MemoryError as error:
        return "refused" if "bytes of memory, this machine has" in str(error) else "MemoryError"
    except OSError:
        return "refused" if case.name == "plotting.save" else "OSError"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    return "result"


def cases(*, deep: bool) -> Iterator[Odd]:
    """Yield all odd calls."""
    for name in CALLS:
        for path in paths(name, deep=deep):
            for label in ODD:
                if not (path == ("xs",) and label in ("endless iterator", "endless range", "long range")):
                    yield Odd(name, path, label)  # but for what a fold goes through, which may be without end


# --- all of them, counted --------------------------------------------------------------------------------------------

#: Seconds of a processor that a call may take.
PATIENCE = 20


def counted(some: list[Odd]) -> Iterator[tuple[Odd, str]]:
    """Make calls in a process of their own, which one of them may kill."""
    done = 0
    while done < len(some):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
            signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends it even inside a long call
            with os.fdopen(writing, "wb", buffering=0) as out:
                for case in some[done:]:
                    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
                    pickle.dump(ended(case), out)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as ends:
            try:
                while done < len(some):
                    end = pickle.load(ends)
                    yield some[done], end
                    done += 1
            except EOFError:
                _, status = os.waitpid(child, 0)
                by = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "itself"
                yield some[done], f"killed by {by}"
                done += 1
                continue
        os.waitpid(child, 0)


def main() -> None:
    """Count what all odd calls end in."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="Functions; all by default.")
    parser.add_argument("--shallow", action="store_true", help="Arguments only, not the fields of records.")
    parser.add_argument("--results", action="store_true", help="Show what was odd and gave a result all the same.")
    parser.add_argument("--faults", type=int, default=40, help="How many faults to show.")
    given = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")
    begin, tally, faults = time.perf_counter(), collections.Counter(), []
    taken: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    some = [case for case in cases(deep=not given.shallow) if not given.names or case.name in given.names]
    for _, group in itertools.groupby(some, key=lambda case: case.name):
        for case, end in counted(list(group)):
            tally[end.partition(":")[0]] += 1
            if end not in ("result", "refused"):
                faults.append((case, end))
                if len(faults) <= given.faults:
                    print(f"{case}: {end}", flush=True)
            elif end == "result":
                taken[case.name, ".".join(case.path)].append(case.label)
    if given.results:
        for (name, path), labels in taken.items():
            print(f"{name}({path}): {', '.join(labels)}")
    for end, count in tally.most_common():
        print(f"{count:7,}  {end}")
    print(f"{len(some):7,}  calls in {time.perf_counter() - begin:.0f} s, {len(faults):,} of them faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
