"""Steps from parameters and gradients to new parameters."""

from .records import Array, Layer, Params, read_only


def sgd_step(params: Params, grads: Params, lr: Array) -> Params:
    """One step of gradient descent: ``w - lr * dw``, and the same for the biases.

    Parameters
    ----------
    params, grads
        Of the same shapes.
    lr
        A number, or an array (K,) with a rate for each member of an ensemble.

    Raises
    ------
    ValueError
        If the two have different layers or shapes.
    """
    if shapes(params) != shapes(grads):
        raise ValueError(
            f"params and grads must have layers (w, b) of the same shapes, got {shapes(params)} and {shapes(grads)}"
        )

    def moved(w: Array, dw: Array) -> Array:
        rate = w.__array_namespace__().asarray(lr, dtype=w.dtype)
        return read_only(w - (rate[..., None, None] if rate.ndim else rate) * dw)

    return Params(
        Layer(moved(p.w, g.w), None if p.b is None else moved(p.b, g.b), p.act)
        for p, g in zip(params.layers, grads.layers, strict=True)
    )


def shapes(params: Params) -> list[object]:
    """Return the shapes of (w, b), layer by layer."""
    return [(layer.w.shape, None if layer.b is None else layer.b.shape) for layer in params.layers]
