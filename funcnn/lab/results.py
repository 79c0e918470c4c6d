"""The lab's experiments over many seeds, as numbers beside the report's."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from .. import arguments, validation
from ..consistency import whole_run
from ..diagnosis import Diagnosis, dead_layers, diagnose, diverged
from ..experiments import Run, check_memory, run
from ..network import forward
from ..records import Layer, Params
from ..runs import check_solo, member, picked, scores
from ..settings import Experiment, described
from .numbers import report_numbers, report_weights
from .statistics import middle, quantile, standing
from .suites import SUITES

#: A run has converged when its running loss is below this.
CONVERGED = 0.05


#: Which fields of the experiment the seeds vary, by what is drawn.
DRAWN = MappingProxyType({"both": ("seed", "data_seed"), "points": ("data_seed",), "weights": ("seed",)})


#: The experiment whose spread is taken apart, since its points are drawn as well as its weights.
APART = Experiment(data="linear")


@attrs.frozen(eq=False)
class Result:
    """An experiment over seeds 0…N−1, and as it is. Arrays are (N,), figures of the final weights."""

    experiment: Experiment
    ensemble: Run  # the seeds 0…N−1 and, as one more member, the experiment itself
    solo: Run  # that member's run
    loss: Any
    accuracy: Any
    diverged: Any
    dead: Any
    converged: Any  # the first epoch with a loss below CONVERGED, or infinity


def ensembles(ids: Iterable[str]) -> list[tuple[Experiment, str]]:
    """Return what these suites take: their experiments, each once since many tables share the base, and its parts.

    Raises
    ------
    ValueError, TypeError
        If ``ids`` lists what are no keys of `SUITES`.
    """
    ids = arguments.listed("ids", ids, "list names of experiments")
    for name in ids:
        arguments.known("experiment", name, SUITES)
    experiments = dict.fromkeys(experiment for name in ids for experiment in SUITES[name])
    parts = [(APART, "points"), (APART, "weights")] if "base" in ids else []
    return [*((experiment, "both") for experiment in experiments), *parts]


def collect(
    experiment: Experiment,
    drawn: str,
    seeds: int,
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Result:
    """Run an experiment with seeds 0…``seeds`` − 1 for what is drawn, and as it is, as one ensemble.

    Parameters
    ----------
    experiment
        What to run, with one seed and one data seed.
    drawn
        What the seeds draw: "points", "weights" or "both".
    seeds
        How many.
    threads, progress
        As for `train`.

    Raises
    ------
    ValueError, TypeError
        If a field of the experiment is out of range or unknown, or has several seeds, or another argument is not what
        it should be.
    """
    names = arguments.known("value of drawn", drawn, DRAWN)
    seeds = arguments.whole("seeds", seeds, least=1)
    for name in ("seed", "data_seed"):
        arguments.whole(f"{name} of the experiment", getattr(described(experiment), name), least=0)
    check_memory(experiment, seeds + 1)
    members: Any = {name: (*range(seeds), getattr(experiment, name)) for name in names}
    ensemble = run(attrs.evolve(experiment, **members), threads=threads, progress=progress)
    loss, accuracy = scores(ensemble)
    below = ensemble.history.loss < CONVERGED
    dead = dead_layers(ensemble.params, ensemble.train.x, ensemble.train.y).any(axis=0)
    gone = diverged(ensemble.params)
    return Result(
        experiment,
        ensemble,
        member(ensemble, seeds),
        np.where(np.isfinite(loss), loss, np.inf)[:seeds],
        accuracy[:seeds],
        gone[:seeds],
        (dead & ~gone)[:seeds],
        np.where(below.any(axis=0), below.argmax(axis=0), np.inf)[:seeds],
    )


def checked(result: Result, name: str = "result") -> Result:
    """Return a result whose parts are what `Result` says, and fit each other."""
    arguments.of_kind(name, result, Result)
    described(result.experiment, f"experiment of {name}")
    ensemble, solo = whole_run(result.ensemble, f"ensemble of {name}"), check_solo(result.solo, f"solo of {name}")
    members = ensemble.history.loss.shape[1:]
    figures = {}
    for figure in ("loss", "accuracy", "diverged", "dead", "converged"):
        figures[figure] = validation.numbers(f"{figure} of {name}", getattr(result, figure))
        if not len(members) or figures[figure].shape != (members[0] - 1,) or members[0] < 2:
            raise arguments.ArgumentValueError(
                f"{figure} of {name} must have a number for each member of the ensemble but the last,"
                f" got shape {figures[figure].shape}"
            )
    if not solo.history.snapshots:
        raise arguments.ArgumentValueError(f"snapshots of solo of {name} must begin with the initial weights, got none")
    return arguments.changed(result, ensemble=ensemble, solo=solo, **figures)


def checked_results(name: str, results: Mapping[Any, Result]) -> dict[Any, Result]:
    """Return results by what they are of."""
    if not isinstance(results, Mapping):
        raise arguments.ArgumentTypeError(f"{name} must be a mapping of results, got {arguments.shown(results)}")
    return {key: checked(one, f"{name}[{arguments.shown(key)}]") for key, one in results.items()}


def accuracy_row(result: Result, report: float | None) -> dict[str, Any]:
    """Return one row of an accuracy table; shares and accuracies between 0 and 1."""
    accuracy = result.accuracy
    e = result.experiment
    return {
        "data": e.data,
        "act": e.act,
        "lr": e.lr,
        "hidden": e.hidden,
        "report": report,
        "ours": float(scores(result.solo)[1]),
        **middle(accuracy),
        "learned": float(np.mean(accuracy == 1)),
        "diverged": float(np.mean(result.diverged)),
        "dead": float(np.mean(result.dead)),
        "standing": None if report is None else standing(accuracy, report),
        "converged": quantile(result.converged, 0.5),
    }


def epoch_losses(result: Result, epoch: int) -> Any:
    """Return the loss of each seed in an epoch, infinity where it diverged."""
    losses = result.ensemble.history.loss[epoch, : len(result.loss)]
    return np.where(np.isfinite(losses), losses, np.inf)


def log_rows(result: Result, log: list[list[float]]) -> list[dict[str, Any]]:
    """Put our losses beside a log of the report, epoch by epoch.

    Parameters
    ----------
    result
        What `collect` gave.
    log
        Pairs (epoch, loss).

    Raises
    ------
    ValueError, TypeError
        If ``result`` is no result, or ``log`` no such pairs of epochs that were run.
    """
    result, rows = checked(result), []
    for pair in arguments.listed("log", log, "be pairs (epoch, loss)", axes=2):
        if validation.numbers("log", pair).shape != (2,):
            raise arguments.ArgumentValueError(f"log must be pairs (epoch, loss), got {arguments.shown(pair)}")
        epoch, loss = pair
        last = min(len(run.history.loss) for run in (result.ensemble, result.solo)) - 1
        ours = epoch_losses(result, arguments.whole("epoch of log", epoch, least=0, most=last))
        rows.append(
            {
                "epoch": epoch,
                "report": loss,
                "ours": float(result.solo.history.loss[epoch]),
                **middle(ours),
                "standing": float(np.mean(ours < loss)),
            }
        )
    return rows


def spread_rows(spread: Mapping[str, Result]) -> list[dict[str, Any]]:
    """Return figures of linear data over draws of both, of the points alone and of the weights alone.

    ``share`` is the variance (of a loss, that of its logarithm) beside the one with both drawn, None where that is 0.
    Without the results of all three there are no rows.

    Raises
    ------
    ValueError, TypeError
        If ``spread`` is no mapping of results, or these ran for fewer epochs than the report.
    """
    spread = checked_results("spread", spread)
    if not spread.keys() >= DRAWN.keys():
        return []
    report = report_numbers()["base"][APART.data]
    (first, first_loss), *_, (last, last_loss) = report["training_log"]
    test = report["test"]
    if any(len(spread[drawn].ensemble.history.loss) <= last for drawn in DRAWN):
        raise arguments.ArgumentValueError(f"spread must be of runs of {last + 1:,} epochs at least, as the report's")
    figures: list[tuple[str, Callable[[Result], Any], Any, float, float]] = [
        (f"loss of epoch {first:,}", lambda result: epoch_losses(result, first), np.log10, first_loss, 0.0),
        (f"loss of epoch {last:,}", lambda result: epoch_losses(result, last), np.log10, last_loss, 0.0),
        ("test loss", lambda result: result.loss, np.log10, test["loss"], 1e-5),
        ("accuracy", lambda result: result.accuracy, np.asarray, test["accuracy_percent"] / 100, 1e-4),
    ]
    rows = []
    for name, figure, scale, theirs, digit in figures:
        whole = float(np.var(scale(figure(spread["both"]))))
        for drawn, ours in ((drawn, figure(spread[drawn])) for drawn in DRAWN):
            part = float(np.var(scale(ours)))
            rows.append(
                {
                    "figure": name,
                    "drawn": drawn,
                    "report": theirs,
                    **middle(ours),
                    "standing": standing(ours, theirs, digit),
                    "share": part / whole if whole else None,
                }
            )
    return rows


def replay() -> tuple[Run, list[dict[str, Any]], list[dict[str, Any]]]:
    """Train from the weights recovered from the report; return the run, its log and its predictions beside theirs."""
    report = report_numbers()["base"]["xor"]
    start = Params(Layer(np.array(w)) for w in report_weights()["weights"])
    ran = run(Experiment(data="xor"), start=start)
    log = [{"epoch": e, "report": loss, "ours": float(ran.history.loss[e])} for e, loss in report["training_log"]]
    ours = forward(ran.params, ran.train.x)[:, 0].tolist()
    predictions = [
        {"sample": i, "report": theirs, "ours": mine}
        for i, (theirs, mine) in enumerate(zip(report["training_predictions"], ours, strict=True))
    ]
    return ran, log, predictions


@attrs.frozen(eq=False)
class Deaths:
    """Runs whose units all died: how many, the first seed, and the run that learned longest before it did."""

    share: float
    at_once: float
    first_seed: int
    first: Diagnosis
    run: Run
    latest: Diagnosis
    dying: Run  # the same run up to some time after its death, with the gradient norm measured often


def deaths(result: Result) -> Deaths | None:
    """Search the seeds for runs whose units all die.

    Raises
    ------
    ValueError, TypeError
        If ``result`` is no result.
    """
    result = checked(result)
    runs = [picked(result.ensemble, int(k)) for k in np.flatnonzero(result.dead)]
    found = [(run, diagnosis) for run in runs if (diagnosis := diagnose(run))]
    if not found:
        return None
    (first, why), (latest, late) = found[0], max(found, key=lambda pair: pair[1].epoch or 0)
    epoch = late.epoch or 0
    return Deaths(
        float(np.mean(result.dead)),
        sum(diagnosis.epoch == 0 for _, diagnosis in found) / len(result.dead),
        int(first.experiment.seed),  # type: ignore[arg-type]
        why,
        latest,
        late,
        run(attrs.evolve(latest.experiment, epochs=2 * epoch + 20, log_every=1 + epoch // 40)),
    )
