"""Objectives and metrics. Arrays are (..., n, k): n samples of k outputs; results have the leading axes."""

import operator
from types import MappingProxyType

from . import validation
from .records import Array, Loss


def mse(y_hat: Array, y: Array) -> Array:
    """Mean squared error, over samples and outputs.

    Raises
    ------
    ValueError, TypeError
        If the two differ in samples or outputs, or hold other than real numbers.
    """
    y_hat, y = validation.pair(y_hat, y)
    error = y_hat - y
    return error.__array_namespace__().mean(error * error, axis=(-2, -1))


def half_sse(y_hat: Array, y: Array) -> Array:
    """Half the summed squared error, ½ Σ (ŷ − y)²; Rumelhart, Hinton & Williams 1986, eq. 3. Errors as for `mse`."""
    y_hat, y = validation.pair(y_hat, y)
    error = y_hat - y
    return error.__array_namespace__().sum(error * error, axis=(-2, -1)) / 2


def accuracy(y_hat: Array, y: Array) -> Array:
    """Share of samples whose every output is on the right side: (ŷ > 0.5) equals y.

    A prediction that is not finite is wrong, whichever the class. Errors as for `mse`.
    """
    y_hat, y = validation.pair(y_hat, y)
    xp = y_hat.__array_namespace__()
    right = xp.isfinite(y_hat) & (xp.astype(y_hat > 0.5, y.dtype) == y)
    return xp.mean(xp.astype(xp.all(right, axis=-1), y_hat.dtype), axis=-1)


def _mse_gradient(y_hat: Array, y: Array) -> Array:
    error = y_hat - y
    return 2 / (error.shape[-2] * error.shape[-1]) * error


#: The built-in objectives by name.
LOSSES = MappingProxyType(
    {
        "half_sse": Loss("half_sse", half_sse, operator.sub, mse),
        "mse": Loss("mse", mse, _mse_gradient, mse),
    }
)


def loss_named(loss: str | Loss) -> Loss:
    """Return the objective called ``loss``; a `Loss` is returned as it is.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and suggests the nearest.
    """
    return loss if isinstance(loss, Loss) else validation.known("loss", loss, LOSSES)
