"""The report's conclusions, and what the seeds say to them."""

import itertools
from collections.abc import Mapping

import attrs
import numpy as np

from ..settings import Experiment
from .results import CONVERGED, Result, checked_results
from .statistics import LOW, commonest, quantile
from .texts import epochs_text, share


@attrs.frozen
class Conclusion:
    """A conclusion of the report: what it said, what our seeds say, whether that confirms it, and where it shows."""

    said: str
    found: str
    verdict: str
    shown: tuple[Experiment, ...]


def judge(results: Mapping[Experiment, Result]) -> list[Conclusion]:
    """Judge those of the report's conclusions for which all experiments have been run.

    Raises
    ------
    ValueError, TypeError
        If ``results`` is no mapping of results.
    """
    results = checked_results("results", results)
    judged = []
    for conclude in (_linear_faster, _learning_rate, _hidden_units, _no_activation, _relu):
        try:
            judged.append(conclude(results))
        except KeyError:  # an experiment that it needs was not asked for
            continue
    return judged


def _converged(results: Mapping[Experiment, Result], experiments: list[Experiment]) -> list[float]:
    return [quantile(results[e].converged, 0.5) for e in experiments]


def _falling(values: list[float]) -> bool:
    return all(later < earlier for earlier, later in itertools.pairwise(values))


def _texts(values: list[float]) -> str:
    return ", ".join(epochs_text(value) for value in values)


def _shares(results: Mapping[Experiment, Result], experiments: list[Experiment]) -> list[float]:
    return [float(np.mean(results[e].accuracy == 1)) for e in experiments]


def _percents(shares: list[float]) -> str:
    return ", ".join(map(share, shares))


def _linear_faster(results: Mapping[Experiment, Result]) -> Conclusion:
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


def _learning_rate(results: Mapping[Experiment, Result]) -> Conclusion:
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


def _hidden_units(results: Mapping[Experiment, Result]) -> Conclusion:
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


def _no_activation(results: Mapping[Experiment, Result]) -> Conclusion:
    xor = results[Experiment(data="xor", act="none")]
    common = commonest(xor.accuracy)
    found = (
        f"{share(np.mean(xor.accuracy == 1))} of the seeds learn it; {share(np.mean(xor.accuracy == common))} end at"
        f" {100 * common:.2f} % and {share(np.mean(xor.diverged))} diverge."
    )
    verdict = "confirmed" if not np.any(xor.accuracy == 1) else "corrected"
    return Conclusion("Without activation XOR is not learned.", found, verdict, (xor.experiment,))


def _relu(results: Mapping[Experiment, Result]) -> Conclusion:
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
