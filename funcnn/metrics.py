"""How good predictions are. Arrays are (..., n, k): n samples of k outputs; results have the leading axes.

Where a class is decided, a `Decision` says how, and nothing else does.
"""

from typing import Any

import numpy as np

from . import losses, validation
from .losses import LOSSES, loss_named
from .records import Array, Decision, Loss


def mse(y_hat: Array, y: Array) -> Array:
    """Mean squared error, over samples and outputs.

    Raises
    ------
    ValueError, TypeError
        If the two differ in samples or outputs, have none, or hold other than real numbers.

    Examples
    --------
    >>> float(mse([[1.0], [0.0]], [[0.0], [0.0]]))
    0.5
    """
    return losses.value(LOSSES["mse"], *validation.pair(y_hat, y))


def half_sse(y_hat: Array, y: Array) -> Array:
    """Half the summed squared error, ½ Σ (ŷ − y)²; Rumelhart, Hinton & Williams 1986, eq. 3. Errors as for `mse`."""
    return losses.value(LOSSES["half_sse"], *validation.pair(y_hat, y))


def decision(loss: str | Loss, y: Any) -> Decision:
    """Tell from the targets how predictions are to be read as classes.

    Targets that are one-hot are decided by the largest output. Others are decided output by output, between the two
    values that the targets take: at the middle of them, or at 0 where that is where the loss is indifferent, as one on
    logits is. Targets of one value are read as 0/1 or −1/1, and those of more than two are no classes; they are decided
    as 0/1, so that they are right only where they are these.

    Parameters
    ----------
    loss
        What is trained, by name or as a `Loss`.
    y
        Targets, (..., n, k).

    Raises
    ------
    ValueError, TypeError
        If the loss is unknown, or ``y`` has no samples or holds what is no finite number.

    Examples
    --------
    >>> decision("half_sse", [[-1.0], [1.0]])
    Decision(kind='threshold', threshold=0.0, low=-1.0, high=1.0)
    >>> decision("half_sse", [[0.0, 1.0], [1.0, 0.0]]).kind
    'largest'
    """
    loss, y = loss_named(loss), validation.table("y", y)
    values, one_hot = _values(y)
    if one_hot:
        return Decision("largest", 0.5, 0.0, 1.0)
    if set(values) <= {-1, 1} and -1 in values:
        low, high = -1.0, 1.0
    elif len(values) == 2:
        low, high = values
    else:
        low, high = 0.0, 1.0
    return Decision("threshold", _indifferent(loss, low, high), low, high)


def _values(y: Array) -> tuple[list[float], bool]:
    """Return the values that targets take, of more than two some, and whether each sample is one-hot."""
    values: Array = np.empty(0)
    one_hot = y.shape[-1] > 1
    for begin in range(0, y.shape[-2], validation.ROWS):  # which takes little memory, and sees early that they are many
        rows = y[..., begin : begin + validation.ROWS, :]
        values = np.union1d(values, rows)
        one_hot = one_hot and values.tolist() in ([0, 1], [0], [1]) and bool(np.all(np.sum(rows, axis=-1) == 1))
        if len(values) > 2:
            break
    return values.tolist(), one_hot and len(values) == 2


def _indifferent(loss: Loss, low: float, high: float) -> float:
    """Return the output that is between the classes: their middle, or 0 where only there both pull alike."""
    middle = (low + high) / 2
    y = np.array([[low], [high]])
    for threshold in (middle, 0.0):
        with np.errstate(all="ignore"):  # of a loss that is not made for such targets
            pulls = losses.slope(loss, np.full((2, 1), threshold), y)
        if abs(np.sum(pulls)) <= 1e-9 * np.sum(np.abs(pulls)):
            return threshold
    return middle


def classes(y_hat: Array, decision: Decision) -> Array:
    """Return the targets that predictions stand for, in the targets' form, (..., n, k)."""
    xp = y_hat.__array_namespace__()
    if decision.kind == "largest":
        places = xp.argmax(y_hat, axis=-1, keepdims=True) == xp.arange(y_hat.shape[-1])
        above = places
    else:
        above = y_hat > decision.threshold
    return xp.where(above, *(xp.asarray(value, dtype=y_hat.dtype) for value in (decision.high, decision.low)))


def labels(y_hat: Array, decision: Decision) -> Array:
    """Return the number of each sample's class, (..., n): of several thresholded outputs, output j counts 2^j."""
    xp = y_hat.__array_namespace__()
    if decision.kind == "largest":
        return xp.argmax(y_hat, axis=-1)
    above = xp.astype(y_hat > decision.threshold, xp.int64)
    return xp.sum(above * 2 ** xp.arange(y_hat.shape[-1]), axis=-1)


def right(y_hat: Array, y: Array, decision: Decision) -> Array:
    """Tell for each sample whether every output is decided as its target says, (..., n).

    A prediction that is not finite is wrong, whichever the class.
    """
    xp = y_hat.__array_namespace__()
    return xp.all(xp.isfinite(y_hat) & (classes(y_hat, decision) == y), axis=-1)


def accuracy(y_hat: Array, y: Array, decision: Decision | None = None) -> Array:
    """Share of samples whose class is decided as the target says.

    Parameters
    ----------
    y_hat, y
        Predictions and targets, (..., n, k).
    decision
        How classes are decided; by default as `decision` tells from the targets.

    Raises
    ------
    ValueError, TypeError
        As for `mse`, if a target is not finite, or if ``decision`` is none.

    Examples
    --------
    >>> float(accuracy([[0.9], [0.2], [0.4]], [[1.0], [0.0], [1.0]]))
    0.6666666666666666
    """
    y_hat, y = validation.pair(y_hat, y)
    if decision is not None and isinstance(y, np.ndarray):
        validation.finite("y", y)
    how = _decided("half_sse", y) if decision is None else validation.decision("decision", decision)
    xp = y_hat.__array_namespace__()
    return xp.mean(xp.astype(right(y_hat, y, how), y_hat.dtype), axis=-1)


_decided = decision
