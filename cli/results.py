"""The lab's experiments over many seeds, as numbers: what `page` writes and ``funcnn reproduce`` prints."""

import itertools
import json
from collections.abc import Callable, Iterable
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

import funcnn
from funcnn import Experiment, Run
from funcnn.diagnosis import dead_layers, diverged
from funcnn.experiments import SUITES

#: A run has converged when its running loss is below this.
CONVERGED = 0.05
#: The percentiles shown beside the median.
LOW, HIGH = 0.1, 0.9
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


def report_numbers() -> dict[str, Any]:
    """Return every number that the lab report printed."""
    return dict(json.loads((files(__package__) / "report" / "report.json").read_text(encoding="utf-8")))


def report_weights() -> dict[str, Any]:
    """Return the initial weights recovered from the report's XOR log, and how far they carry."""
    return dict(json.loads((files(__package__) / "report" / "xor_initial_weights.json").read_text(encoding="utf-8")))


def ensembles(ids: Iterable[str]) -> list[tuple[Experiment, str]]:
    """Return what these suites take: their experiments, each once since many tables share the base, and its parts."""
    ids = list(ids)
    experiments = dict.fromkeys(experiment for name in ids for experiment in SUITES[name])
    parts = [(APART, "points"), (APART, "weights")] if "base" in ids else []
    return [*((experiment, "both") for experiment in experiments), *parts]


def collect(
    experiment: Experiment, drawn: str, seeds: int, threads: int | None, progress: Callable[[int], object]
) -> Result:
    """Run an experiment with seeds 0…``seeds`` − 1 for what is drawn, and as it is, as one ensemble."""
    members: Any = {name: (*range(seeds), getattr(experiment, name)) for name in DRAWN[drawn]}
    ensemble = funcnn.run(attrs.evolve(experiment, **members), threads=threads, progress=progress)
    loss, accuracy = funcnn.scores(ensemble)
    below = ensemble.history.loss < CONVERGED
    dead = dead_layers(ensemble.params, ensemble.train.x, ensemble.train.y).any(axis=0)
    gone = diverged(ensemble.params)
    return Result(
        experiment,
        ensemble,
        funcnn.member(ensemble, seeds),
        np.where(np.isfinite(loss), loss, np.inf)[:seeds],
        accuracy[:seeds],
        gone[:seeds],
        (dead & ~gone)[:seeds],
        np.where(below.any(axis=0), below.argmax(axis=0), np.inf)[:seeds],
    )


def quantile(values: Any, q: float) -> float:
    """Return a quantile that is one of the values, so that infinity (never, diverged) has its place among them."""
    return float(np.quantile(values, q, method="inverted_cdf"))


def middle(values: Any) -> dict[str, float]:
    """Return the median and the quantiles shown beside it."""
    return {"median": quantile(values, 0.5), "low": quantile(values, LOW), "high": quantile(values, HIGH)}


def commonest(values: Any) -> float:
    """Return the value that occurs most often."""
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def standing(values: Any, report: float, digit: float = 1e-4) -> float:
    """Return the quantile at which the report's number stands among ours, ties to its last digit counted half."""
    near = np.isclose(values, report, rtol=0, atol=digit / 2)
    return float(np.mean((values < report) & ~near) + np.mean(near) / 2)


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
        "ours": float(funcnn.scores(result.solo)[1]),
        **middle(accuracy),
        "learned": float(np.mean(accuracy == 1)),
        "diverged": float(np.mean(result.diverged)),
        "dead": float(np.mean(result.dead)),
        "standing": None if report is None else standing(accuracy, report),
        "converged": quantile(result.converged, 0.5),
    }


def report_accuracies() -> dict[str, dict[Experiment, float]]:
    """Return the report's accuracies, between 0 and 1, by suite and experiment."""
    report = report_numbers()

    def both(setting: dict[str, Any], row: list[Any]) -> dict[Experiment, float]:
        return {
            Experiment(data=data, **setting): accuracy / 100
            for data, accuracy in zip(("linear", "xor"), row[1:], strict=True)
        }

    def merged(parts: Iterable[dict[Experiment, float]]) -> dict[Experiment, float]:
        return {experiment: accuracy for part in parts for experiment, accuracy in part.items()}

    return {
        "base": {Experiment(data=d): report["base"][d]["test"]["accuracy_percent"] / 100 for d in ("linear", "xor")},
        "learning-rate": merged(both({"lr": float(row[0])}, row) for row in report["learning_rates"]["rows"]),
        "hidden-units": merged(both({"hidden": (row[0],) * 2}, row) for row in report["hidden_units"]["rows"]),
        "no-activation": merged(both({"act": row[0]}, row) for row in report["no_activation"]["rows"]),
        "relu": {
            Experiment(data=d, act="relu"): report["relu"][d]["test"]["accuracy_percent"] / 100
            for d in ("linear", "xor")
        },
    }


def epoch_losses(result: Result, epoch: int) -> Any:
    """Return the loss of each seed in an epoch, infinity where it diverged."""
    losses = result.ensemble.history.loss[epoch, : len(result.loss)]
    return np.where(np.isfinite(losses), losses, np.inf)


def log_rows(result: Result, log: list[list[float]]) -> list[dict[str, Any]]:
    """Put our losses beside a log of the report, epoch by epoch."""
    rows = []
    for epoch, loss in log:
        ours = epoch_losses(result, int(epoch))
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


def spread_rows(spread: dict[str, Result]) -> list[dict[str, Any]]:
    """Return figures of linear data over draws of both, of the points alone and of the weights alone.

    ``share`` is the variance (of a loss, that of its logarithm) beside the one with both drawn, None where that is 0.
    """
    report = report_numbers()["base"][APART.data]
    (first, first_loss), *_, (last, last_loss) = report["training_log"]
    test = report["test"]
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
    start = funcnn.Params(funcnn.Layer(np.array(w)) for w in report_weights()["weights"])
    run = funcnn.run(Experiment(data="xor"), start=start)
    log = [{"epoch": e, "report": loss, "ours": float(run.history.loss[e])} for e, loss in report["training_log"]]
    ours = funcnn.forward(run.params, run.train.x)[:, 0].tolist()
    predictions = [
        {"sample": i, "report": theirs, "ours": mine}
        for i, (theirs, mine) in enumerate(zip(report["training_predictions"], ours, strict=True))
    ]
    return run, log, predictions


@attrs.frozen(eq=False)
class Deaths:
    """Runs whose units all died: how many, the first seed, and the run that learned longest before it did."""

    share: float
    at_once: float
    first_seed: int
    first: str
    run: Run
    latest: str
    dying: Run  # the same run up to some time after its death, with the gradient norm measured often


def deaths(result: Result) -> Deaths | None:
    """Search the seeds for runs whose units all die."""
    runs = [funcnn.member(result.ensemble, int(k)) for k in np.flatnonzero(result.dead)]
    found = [(run, diagnosis) for run in runs if (diagnosis := funcnn.diagnose(run))]
    if not found:
        return None
    (first, why), (latest, late) = found[0], max(found, key=lambda pair: pair[1].epoch or 0)
    epoch = late.epoch or 0
    return Deaths(
        float(np.mean(result.dead)),
        sum(diagnosis.epoch == 0 for _, diagnosis in found) / len(result.dead),
        int(first.experiment.seed),  # type: ignore[arg-type]
        why.message.split(":")[0],
        latest,
        late.message.split(":")[0],
        funcnn.run(attrs.evolve(latest.experiment, epochs=2 * epoch + 20, log_every=1 + epoch // 40)),
    )


@attrs.frozen
class Conclusion:
    """A conclusion of the report: what it said, what our seeds say, whether that confirms it, and where it shows."""

    said: str
    found: str
    verdict: str
    shown: tuple[Experiment, ...]


def conclusions(results: dict[Experiment, Result]) -> list[Conclusion]:
    """Judge those of the report's conclusions for which all experiments have been run."""
    judged = []
    for judge in (_linear_faster, _learning_rate, _hidden_units, _no_activation, _relu):
        try:
            judged.append(judge(results))
        except KeyError:  # an experiment that it needs was not asked for
            continue
    return judged


def share(value: float | None) -> str:
    """Return a share of seeds as text."""
    return "–" if value is None else f"{100 * value:.0f} %"


def epochs_text(value: float) -> str:
    """Return a number of epochs as text, infinity as a word."""
    return f"{value:,.0f}" if np.isfinite(value) else "never"


def _converged(results: dict[Experiment, Result], experiments: list[Experiment]) -> list[float]:
    return [quantile(results[e].converged, 0.5) for e in experiments]


def _falling(values: list[float]) -> bool:
    return all(later < earlier for earlier, later in itertools.pairwise(values))


def _texts(values: list[float]) -> str:
    return ", ".join(epochs_text(value) for value in values)


def _shares(results: dict[Experiment, Result], experiments: list[Experiment]) -> list[float]:
    return [float(np.mean(results[e].accuracy == 1)) for e in experiments]


def _percents(shares: list[float]) -> str:
    return ", ".join(map(share, shares))


def _linear_faster(results: dict[Experiment, Result]) -> Conclusion:
    linear, xor = results[Experiment(data="linear")], results[Experiment(data="xor")]
    fewer = float(np.mean(linear.converged < xor.converged))
    updates = float(np.mean(linear.converged * len(linear.solo.train.x) < xor.converged * len(xor.solo.train.x)))
    found = (
        "With the same initial weights, and points of its own for each seed, linear data need fewer epochs to a loss"
        f" below {CONVERGED} for {share(fewer)} of the seeds, and fewer updates for {share(updates)}, though an epoch"
        f" of theirs has 100 and not 21. Median {epochs_text(quantile(linear.converged, 0.5))} epochs against"
        f" {epochs_text(quantile(xor.converged, 0.5))}; {share(np.mean(np.isinf(xor.converged)))} of the XOR runs never"
        " get there."
    )
    verdict = "confirmed" if min(fewer, updates) > 0.5 else "corrected"
    return Conclusion("Linear data converge faster than XOR.", found, verdict, (linear.experiment, xor.experiment))


def _learning_rate(results: dict[Experiment, Result]) -> Conclusion:
    rates = (0.01, 0.1, 1.0)
    linear, xor = ([Experiment(data=data, lr=lr) for lr in rates] for data in ("linear", "xor"))
    epochs = [_converged(results, experiments) for experiments in (linear, xor)]
    shares = _shares(results, xor)
    faster = all(values[0] > values[-1] and sorted(values, reverse=True) == values for values in epochs)
    better = sorted(shares) == shares
    found = (
        f"Median epochs to a loss below {CONVERGED} at lr 0.01, 0.1, 1: linear {_texts(epochs[0])}; XOR"
        f" {_texts(epochs[1])}. Share of seeds with 100 % on XOR: {_percents(shares)}."
    )
    verdict = {
        (True, True): "confirmed",
        (True, False): "faster: confirmed; better: corrected, a higher rate does not always learn more often",
        (False, True): "better: confirmed; faster: corrected",
        (False, False): "corrected",
    }[faster, better]
    return Conclusion("A higher learning rate gives better and faster results.", found, verdict, (xor[0], xor[-1]))


def _hidden_units(results: dict[Experiment, Result]) -> Conclusion:
    linear, xor = ([Experiment(data=data, hidden=(h, h)) for h in (2, 3, 4)] for data in ("linear", "xor"))
    epochs = [_converged(results, experiments) for experiments in (linear, xor)]
    found = (
        f"Median epochs to a loss below {CONVERGED} with 2, 3, 4 units: linear {_texts(epochs[0])}; XOR"
        f" {_texts(epochs[1])}. Share of seeds with 100 %: XOR {_percents(_shares(results, xor))}; linear, on its test"
        f" set, {_percents(_shares(results, linear))}."
    )
    verdict = "confirmed" if all(_falling(values) for values in epochs) else "corrected"
    if verdict == "confirmed" and sorted(_shares(results, linear)) != _shares(results, linear):
        verdict = "confirmed, though on linear test data more units are not more accurate"
    return Conclusion("More hidden units converge faster.", found, verdict, (xor[0], xor[-1]))


def _no_activation(results: dict[Experiment, Result]) -> Conclusion:
    xor = results[Experiment(data="xor", act="none")]
    common = commonest(xor.accuracy)
    found = (
        f"{share(np.mean(xor.accuracy == 1))} of the seeds learn it; {share(np.mean(xor.accuracy == common))} end at"
        f" {100 * common:.2f} % and {share(np.mean(xor.diverged))} diverge."
    )
    verdict = "confirmed" if not np.any(xor.accuracy == 1) else "corrected"
    return Conclusion("Without activation XOR is not learned.", found, verdict, (xor.experiment,))


def _relu(results: dict[Experiment, Result]) -> Conclusion:
    relu, sigmoid = (results[Experiment(data="xor", act=act)] for act in ("relu", "sigmoid"))
    epochs = [
        quantile(learned, 0.5) if len(learned) else np.inf
        for learned in (result.converged[np.isfinite(result.converged)] for result in (relu, sigmoid))
    ]
    learned = [share(np.mean(np.isfinite(result.converged))) for result in (relu, sigmoid)]
    medians = [f"{100 * quantile(result.accuracy, 0.5):.2f} %" for result in (relu, sigmoid)]
    found = (
        f"On XOR {learned[0]} of the ReLU runs get below a loss of {CONVERGED}, in a median of {epochs_text(epochs[0])}"
        f" epochs, and {learned[1]} of the sigmoid runs, in {epochs_text(epochs[1])}. Median accuracy {medians[0]}"
        f" against {medians[1]}. All units of a layer are dead at the end of {share(np.mean(relu.dead))} of the ReLU"
        " runs."
    )
    faster = epochs[0] < epochs[1]
    worse = quantile(relu.accuracy, 0.5) < quantile(sigmoid.accuracy, 0.5)
    if faster and worse and relu.dead.any():
        often = np.mean(relu.dead) > LOW
        verdict = "confirmed where it learns at all; “sometimes” is corrected to often" if often else "confirmed"
    else:
        verdict = "corrected"
    said = "ReLU converges faster than sigmoid but predicts worse, and sometimes its gradient vanishes for good."
    return Conclusion(said, found, verdict, (relu.experiment, sigmoid.experiment))
