"""Steps from parameters and gradients to new parameters."""

import numpy as np

from . import validation
from .records import Array, Layer, Params, read_only


def sgd_step(params: Params, grads: Params, lr: Array) -> Params:
    """One step of gradient descent: ``w - lr * dw``, and the same for the biases.

    Parameters
    ----------
    params, grads
        Of the same shapes; the new parameters have the dtype of the old ones.
    lr
        A number, or an array (K,) with a rate for each member of an ensemble.

    Raises
    ------
    ValueError, TypeError
        If the two have different layers or shapes, if weights are not float64 or float32, or if a rate or a finite
        gradient is too large or too small for the weights' dtype.
    """
    params = validation.network(params)
    if shapes(params) != shapes(grads):
        raise ValueError(
            f"params and grads must have layers (w, b) of the same shapes, got {shapes(params)} and {shapes(grads)}"
        )

    lr = validation.rates(lr, params.layers[0].w)
    validation.leading(params, lr=np.shape(lr))

    def moved(w: Array, dw: Array) -> Array:
        dw = validation.cast("grads", dw, w)
        rate = w.__array_namespace__().asarray(lr, dtype=w.dtype)
        return read_only(w - (rate[..., None, None] if rate.ndim else rate) * dw)

    return Params(
        Layer(moved(p.w, g.w), None if p.b is None else moved(p.b, g.b), p.act)
        for p, g in zip(params.layers, grads.layers, strict=True)
    )


def shapes(params: Params) -> list[object]:
    """Return the shapes of (w, b), layer by layer."""
    return [(np.shape(layer.w), None if layer.b is None else np.shape(layer.b)) for layer in params.layers]
