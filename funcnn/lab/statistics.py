"""What a hundred seeds come to in a few numbers."""

from typing import Any

import numpy as np

#: The percentiles shown beside the median.
LOW, HIGH = 0.1, 0.9


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
