"""The numbers that the lab report printed, and the weights recovered from them."""

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from ..settings import Experiment


def report_numbers() -> dict[str, Any]:
    """Return every number that the lab report printed."""
    return dict(json.loads((files(__package__) / "report" / "report.json").read_text(encoding="utf-8")))


def report_weights() -> dict[str, Any]:
    """Return the initial weights recovered from the report's XOR log, and how far they carry."""
    return dict(json.loads((files(__package__) / "report" / "xor_initial_weights.json").read_text(encoding="utf-8")))


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
