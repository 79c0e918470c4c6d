"""The whole report, or some of it, over many seeds."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .. import arguments
from ..settings import Experiment
from .conclusions import judge
from .numbers import report_accuracies, report_numbers
from .results import (
    APART,
    DRAWN,
    Result,
    accuracy_row,
    checked_results,
    collect,
    ensembles,
    log_rows,
    replay,
    spread_rows,
)
from .suites import SUITES, chosen
from .texts import label


@attrs.frozen(eq=False)
class Reproduction:
    """Suites of the report over seeds 0…``seeds`` − 1.

    ``results`` are those of their experiments; ``parts`` those of the experiment whose spread is taken apart, by what
    was drawn, and empty without the suite "base".
    """

    names: tuple[str, ...]
    seeds: int
    results: Mapping[Experiment, Result]
    parts: Mapping[str, Result]


def reproduce(
    *names: str, seeds: int = 100, threads: int | None = None, progress: Callable[[int], object] | None = None
) -> Reproduction:
    """Run the suites of these names, or the whole report, over many seeds.

    Parameters
    ----------
    names
        Keys of `SUITES`.
    seeds
        How many seeds draw weights and points.
    threads
        As for `train`.
    progress
        Is called with the number of epochs done, of the sum over `ensembles`.

    Raises
    ------
    ValueError, TypeError
        If a name is unknown, or ``seeds`` is not a whole number of at least 1.

    Examples
    --------
    >>> from funcnn import lab
    >>> reproduction = lab.reproduce("dead-relu", seeds=3)
    >>> [result] = reproduction.results.values()
    >>> result.dead.tolist()
    [True, True, False]
    """
    suites, seeds = chosen(*names), arguments.whole("seeds", seeds, least=1)
    progress = arguments.hook("progress", progress)
    ran, before = {}, 0
    for experiment, drawn in ensembles(suites):
        ran[experiment, drawn] = collect(experiment, drawn, seeds, threads, _later(progress, before))
        before += experiment.epochs
        if progress is not None:
            arguments.called("progress", progress, before)  # even if all members diverged early
    results = {experiment: result for (experiment, drawn), result in ran.items() if drawn == "both"}
    parts = {drawn: ran[APART, drawn] for drawn in DRAWN} if "base" in suites else {}
    return Reproduction(tuple(suites), seeds, results, parts)


def checked_reproduction(reproduction: Reproduction) -> Reproduction:
    """Return a reproduction that has the results of its suites."""
    arguments.of_kind("reproduction", reproduction, Reproduction)
    names = arguments.listed("names of reproduction", reproduction.names, "list keys of SUITES")
    results = checked_results("results of reproduction", reproduction.results)
    for name in names:
        for experiment in arguments.known("name of a suite", name, SUITES):
            if experiment not in results:
                raise arguments.ArgumentValueError(f"results of reproduction lack those of {label(experiment)}")
    arguments.whole("seeds of reproduction", reproduction.seeds, least=1)
    parts = checked_results("parts of reproduction", reproduction.parts)
    return attrs.evolve(reproduction, names=names, results=results, parts=parts)


def _later(progress: Callable[[int], object] | None, before: int) -> Callable[[int], object] | None:
    """Return what tells ``progress`` of epochs that come after ``before`` others."""
    return None if progress is None else lambda done: arguments.called("progress", progress, before + done)


def seconds(*names: str, seeds: int = 100, threads: int | None = None) -> float:
    """Estimate how long `reproduce` takes, from a few epochs of each ensemble. Parameters and errors as for it."""
    probe, whole = 3, ensembles(chosen(*names))
    begin = time.perf_counter()
    for experiment, drawn in whole:
        collect(attrs.evolve(experiment, epochs=probe), drawn, seeds, threads)
    return (time.perf_counter() - begin) / probe * max(experiment.epochs for experiment, _ in whole)


def accuracy_rows(reproduction: Reproduction) -> list[dict[str, Any]]:
    """Return the accuracy table of all suites; shares and accuracies between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        If ``reproduction`` is no `Reproduction`, or lacks results of its suites.
    """
    reproduction = checked_reproduction(reproduction)
    report = report_accuracies()
    return [
        {"experiment": name, **accuracy_row(reproduction.results[e], report.get(name, {}).get(e))}
        for name in reproduction.names
        for e in SUITES[name]
    ]


def summary(reproduction: Reproduction) -> dict[str, Any]:
    """Return everything that the page says in numbers. Errors as for `accuracy_rows`."""
    reproduction = checked_reproduction(reproduction)
    results = reproduction.results
    numbers: dict[str, Any] = {
        "accuracies": accuracy_rows(reproduction),
        "conclusions": [{"said": one.said, "found": one.found, "verdict": one.verdict} for one in judge(results)],
    }
    if "base" in reproduction.names:
        report = report_numbers()["base"]
        numbers["logs"] = {e.data: log_rows(results[e], report[e.data]["training_log"]) for e in SUITES["base"]}
        numbers["spread"] = spread_rows(reproduction.parts)
        _, log, predictions = replay()
        numbers["replay"] = {"log": log, "predictions": predictions}
    return numbers
