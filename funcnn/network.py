"""The network: `init`, `forward`, `backprop` and the gradients, as pure functions.

`forward`, `backprop` and `grads` name no array library: they take their namespace from the arrays, so they run on
NumPy, on JAX (under ``jit``, ``vmap`` and ``grad`` too) and on any other Array API library. Every one of them
broadcasts over leading axes, which is what an ensemble is: weights of shape (K, fan_in, fan_out).
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import arguments, losses, memory, validation
from .activations import ACTIVATIONS, per_layer
from .initializers import Initializer, initializer_named
from .losses import loss_named
from .records import Activation, Array, Layer, Loss, Params, Trace, read_only


def init(
    sizes: Sequence[int],
    *,
    seed: int | Iterable[int] = 0,
    act: str | Activation | Sequence[str | Activation] = "sigmoid",
    out_act: str | Activation | None = None,
    bias: bool = False,
    scheme: str = "normal",
    bias_init: str | None = None,
    dtype: Any = np.float64,
) -> Params:
    """Draw the initial weights of a network.

    Parameters
    ----------
    sizes
        Units per layer, input first: ``(2, 3, 3, 1)``.
    seed
        Of ``numpy.random.default_rng``; weights are drawn layer by layer. Several seeds give an ensemble: weights of
        shape (K, fan_in, fan_out), where member k has the bits of the network of its seed alone.
    act, out_act
        One activation for all layers or one per layer; ``out_act`` replaces the last.
    bias
        Whether layers have one, starting at 0 unless ``bias_init`` says otherwise. The weights are the same with and
        without.
    scheme
        The initialiser that draws the weights, as ``NAME[:number,…]``: "normal" is standard normal, "uniform:0.5"
        uniform between −0.5 and 0.5; see `funcnn.INITIALIZERS`.
    bias_init
        The one that draws the biases, after all weights; None is 0.
    dtype
        float64 or float32.

    Raises
    ------
    ValueError, TypeError
        If a size is below 1, fewer than two sizes are given, a seed is not a whole number of at least 0, a name
        is unknown, an initialiser's numbers are not those that it takes or too large for the dtype, or ``bias_init``
        is given for a network without biases.
    MemoryError
        If the weights are more than the machine's memory holds.

    Examples
    --------
    >>> params = init((2, 3, 1), seed=14, scheme="glorot_uniform", bias=True, bias_init="uniform:0.1")
    >>> [(layer.w.shape, layer.b.shape) for layer in params.layers]
    [((2, 3), (1, 3)), ((3, 1), (1, 1))]
    """
    shapes, dtype, bias = _shapes(sizes), _dtype(dtype), arguments.flag("bias", bias)
    if bias_init is not None and not bias:
        raise arguments.ArgumentValueError(
            f"bias_init is {arguments.shown(bias_init)}, but the network has no biases to draw: bias=True gives it some"
        )
    of_w = initializer_named(scheme)
    of_b = initializer_named("zeros" if bias_init is None else bias_init, "bias_init") if bias else None
    acts = per_layer(act, out_act, len(shapes))
    drawn_from = arguments.seeds("seed", seed)
    draw = functools.partial(_drawn, shapes, of_w, of_b, dtype)
    _check_memory(shapes, bias, len(drawn_from) if isinstance(drawn_from, tuple) else 1)
    if isinstance(drawn_from, tuple):
        arrays = [np.stack(member) for member in zip(*map(draw, drawn_from), strict=True)]
    else:
        arrays = draw(drawn_from)
    pairs = itertools.zip_longest(arrays[: len(shapes)], arrays[len(shapes) :])
    return Params(Layer(read_only(w), read_only(b), a) for (w, b), a in zip(pairs, acts, strict=True))


def _shapes(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the shape of each layer's weights."""
    units = arguments.listed("sizes", sizes, "list the units of each layer, as (2, 3, 1)")
    units = tuple(arguments.whole("size of a layer", size, least=1) for size in units)
    if len(units) < 2:
        raise arguments.ArgumentValueError(f"sizes must name an input and an output at least, as (2, 1), got {units}")
    return list(itertools.pairwise(units))


def _dtype(dtype: Any) -> Any:
    """Return the dtype of weights, from whatever NumPy takes for one."""
    try:
        chosen = np.dtype(dtype)
    except Exception:  # whatever NumPy raises for what is none
        chosen = None
    if dtype is None or chosen is None or chosen not in validation.FLOATS:  # NumPy takes None for float64
        got = arguments.shown(dtype) if chosen is None or dtype is None else chosen
        raise arguments.ArgumentValueError(f"dtype must be float32 or float64, got {got}")
    return chosen


def _check_memory(shapes: Sequence[tuple[int, int]], bias: bool, members: int) -> None:
    numbers = sum(fan_in * fan_out + fan_out * bias for fan_in, fan_out in shapes)  # drawn as float64
    name = "-".join(map(str, [shapes[0][0], *(fan_out for _, fan_out in shapes)]))
    what = f"a {name} network" if members == 1 else f"an ensemble of {members:,} {name} networks"
    memory.check(what, members * (8 * numbers + memory.ARRAY * len(shapes)))


def _drawn(
    shapes: Sequence[tuple[int, int]], of_w: Initializer, of_b: Initializer | None, dtype: Any, seed: int
) -> list[Array]:
    """Return the weights of one network, layer by layer, and then its biases, if any."""
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        drawn = {f"w of layer {index}": of_w(rng, shape, shape) for index, shape in enumerate(shapes)}
        if of_b is not None:
            drawn |= {f"b of layer {index}": of_b(rng, (1, shape[1]), shape) for index, shape in enumerate(shapes)}
    for name, array in drawn.items():
        validation.finite(name, array)
    return [validation.narrowed(name, array, dtype) for name, array in drawn.items()]


def _forward(params: Params, x: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return every z, and every a with the input in front."""
    z: tuple[Array, ...] = ()
    a: tuple[Array, ...] = (x,)
    for layer in params.layers:
        z += (a[-1] @ layer.w if layer.b is None else a[-1] @ layer.w + layer.b,)
        a += (applied(layer.act, z[-1]),)
    return z, a


def applied(act: str | Activation, z: Array) -> Array:
    """Return what a layer's activation makes of z; one's own is watched."""
    if isinstance(act, str):
        return ACTIVATIONS[act].apply(z)
    return validation.elementwise("activation", act.name, act.apply, z)


def slope_of(act: str | Activation, z: Array, a: Array) -> Array:
    """Return the derivative of a layer's activation; one's own is watched."""
    if isinstance(act, str):
        return ACTIVATIONS[act].derivative(z, a)
    return validation.elementwise("derivative of activation", act.name, act.derivative, z, a)


def predicted(params: Params, x: Array) -> Array:
    """Return the predictions of a network: `forward` behind its checks."""
    return _forward(params, x)[1][-1]


def forward(params: Params, x: Array) -> Array:
    """Predict: ``a_l = act_l(a_{l-1} @ w_l + b_l)``, layer after layer.

    Parameters
    ----------
    params
        The network, or an ensemble of them.
    x
        (n, d), or with leading axes that broadcast against the ensemble's; an array, a frame or lists.

    Returns
    -------
    array
        Predictions, (..., n, k).

    Raises
    ------
    ValueError, TypeError
        If weights are not float64 or float32, or if ``x`` does not have the features that the first layer takes, or
        holds what is no real number, is masked or is too large for the weights' dtype.
    """
    params = validation.network(params)
    x = validation.features(params, x)
    validation.leading(params, x=x.shape[:-2])
    return predicted(params, x)


def backprop(
    params: Params, x: Array, y: Array, *, loss: str | Loss = "half_sse", weight: Array | None = None
) -> Trace:
    """Run one forward and one backward pass and return all of it.

    With the error signal ``delta_L = dloss/dy_hat * act_L'(z_L)`` at the output and
    ``delta_l = (delta_{l+1} @ w_{l+1}.T) * act_l'(z_l)`` below, the gradients are ``a_{l-1}.T @ delta_l`` for the
    weights and the sum of ``delta_l`` over samples for the bias; Rumelhart, Hinton & Williams 1986.

    Parameters
    ----------
    params, x
        As for `forward`.
    y
        Targets, (n, k), or with leading axes as ``x``.
    loss
        By name, or one's own `Loss`.
    weight
        (n,): what each sample's share in the objective is multiplied by; its 1/count stays that of n samples.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit the network or each other, if the loss is unknown, or if it takes logits and the last
        layer has an activation, or other targets.
    """
    params = validation.network(params)
    x = validation.features(params, x)
    y = validation.targets(params, x, y)
    if weight is not None:
        weight = validation.sample_weight(weight, x, params.layers[0].w)
    validation.leading(params, x=x.shape[:-2], y=y.shape[:-2])
    loss = loss_named(loss)
    losses.check(loss, params, y)
    z, a, deltas, gradient = propagate(params, x, y, loss, weight)
    a = (x.__array_namespace__().asarray(x, copy=True), *a[1:])  # what the caller does to x is not to show in the trace
    z, a, deltas = (tuple(read_only(v[...]) for v in values) for values in (z, a, deltas))
    return Trace(z, a, deltas, gradient, read_only(losses.value(loss, a[-1], y, weight)))


def propagate(
    params: Params, x: Array, y: Array, loss: Loss, weight: Array | None
) -> tuple[tuple[Array, ...], tuple[Array, ...], tuple[Array, ...], Params]:
    """Return every z, every a with the input in front, every delta, and the gradient: `backprop` behind its checks."""
    z, a = _forward(params, x)
    deltas: tuple[Array, ...] = ()
    layers: tuple[Layer, ...] = ()
    error = losses.slope(loss, a[-1], y, weight)
    for index in reversed(range(len(params.layers))):
        layer = params.layers[index]
        delta = error * slope_of(layer.act, z[index], a[index + 1])
        w = a[index].mT @ delta
        b = None if layer.b is None else delta.__array_namespace__().sum(delta, axis=-2, keepdims=True)
        layers = (Layer(read_only(w), read_only(b), layer.act), *layers)
        deltas = (delta, *deltas)
        if index:
            error = delta @ layer.w.mT
    return z, a, deltas, Params(layers)


def grads(params: Params, x: Array, y: Array, *, loss: str | Loss = "half_sse", weight: Array | None = None) -> Params:
    """Return the gradient of the objective, as Params. Parameters and errors as for `backprop`."""
    return backprop(params, x, y, loss=loss, weight=weight).grads


def value_and_grads(
    params: Params, x: Array, y: Array, *, loss: str | Loss = "half_sse", weight: Array | None = None
) -> tuple[Array, Params]:
    """Return the objective and its gradient from one pass. Parameters and errors as for `backprop`."""
    trace = backprop(params, x, y, loss=loss, weight=weight)
    return trace.value, trace.grads
