"""The frozen records: what a network, a data set and a run are. Nothing here computes.

Arrays may be NumPy's or any Array API library's (traced JAX arrays too), so constructors neither convert nor check
them; the public functions do, at the edge. `attrs.evolve` makes a changed copy. Records compare by value.
"""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import numpy as np

#: An array of any Array API library: NumPy's, or JAX's, traced or not.
Array = Any


def read_only(array: Array) -> Array:
    """Make a NumPy array read-only and return it; arrays that are immutable anyway pass through."""
    if hasattr(array, "setflags"):
        array.setflags(write=False)
    return array


def read_only_view(array: Array) -> Array:
    """Return a NumPy array's numbers such that who gets them cannot change them; other arrays pass through."""
    return read_only(array.view()) if isinstance(array, np.ndarray) else array


def _same(left: Array, right: Array) -> bool:
    return left is right or (left is not None and right is not None and np.array_equal(left, right, equal_nan=True))


def _all_same(left: tuple[Array, ...], right: tuple[Array, ...]) -> bool:
    return len(left) == len(right) and all(map(_same, left, right))


def _array(default: Any = attrs.NOTHING) -> Any:
    return attrs.field(default=default, eq=attrs.cmp_using(eq=_same))


@attrs.frozen
class Activation:
    """An activation function, elementwise, and its derivative.

    Parameters
    ----------
    name
        What ``act=`` and the files call it.
    apply
        ``apply(z) -> a``.
    derivative
        ``derivative(z, a) -> da/dz``, given the input and the output, since many derivatives are cheapest from the
        output: for the sigmoid it is ``a * (1 - a)``.
    """

    name: str
    apply: Any
    derivative: Any


@attrs.frozen
class Loss:
    """An objective and what is reported for it.

    Parameters
    ----------
    name
        What ``loss=`` calls it.
    value
        ``value(y_hat, y) -> (...,)``, the objective, from arrays ``(..., n, k)``.
    gradient
        ``gradient(y_hat, y) -> (..., n, k)``, its derivative with respect to ``y_hat``.
    report
        ``report(y_hat, y) -> (...,)``, the figure that histories and listings show.
    """

    name: str
    value: Any
    gradient: Any
    report: Any


@attrs.frozen
class Layer:
    """One layer: ``a = act(x @ w + b)``, ``w`` of shape (..., fan_in, fan_out), ``b`` (..., 1, fan_out) or None."""

    w: Array = _array()
    b: Array | None = _array(None)
    act: str | Activation = "sigmoid"


def _tuple(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    return tuple(layers)


@attrs.frozen
class Params:
    """A network, layer by layer. Gradients are Params too, of the same shapes."""

    layers: tuple[Layer, ...] = attrs.field(converter=_tuple)


def arrays(params: Params) -> list[Array]:
    """Return all weights and biases, layer by layer."""
    return [array for layer in params.layers for array in (layer.w, layer.b) if array is not None]


def map_arrays(function: Callable[[Array], Array], params: Params) -> Params:
    """Return ``params`` with ``function`` applied to every weight and bias array."""
    return Params(
        attrs.evolve(layer, w=function(layer.w), b=None if layer.b is None else function(layer.b))
        for layer in params.layers
    )


@attrs.frozen
class Trace:
    """One forward and backward pass: everything the textbook writes down.

    ``z[l]`` and ``delta[l]`` belong to layer l and have shape (..., n, fan_out); ``a[l]`` is the input of layer l and
    ``a[-1]`` the prediction; ``value`` is the objective and ``grads`` its gradient.
    """

    z: tuple[Array, ...] = attrs.field(eq=attrs.cmp_using(eq=_all_same))
    a: tuple[Array, ...] = attrs.field(eq=attrs.cmp_using(eq=_all_same))
    delta: tuple[Array, ...] = attrs.field(eq=attrs.cmp_using(eq=_all_same))
    grads: Params
    value: Array = _array()


@attrs.frozen
class Dataset:
    """Samples ``x`` (n, d) and targets ``y`` (n, k), both float."""

    x: Array = _array()
    y: Array = _array()
    name: str = "data"


@attrs.frozen
class History:
    """What a training run recorded. T epochs; K is there for an ensemble only.

    Parameters
    ----------
    epoch
        (T,) int, from 0.
    loss, accuracy
        (T,) or (T, K): means over the epoch's samples, each measured just before its own batch's update. NaN after
        the epoch that left a member's weights no longer finite.
    logged
        (M,) int, the epochs at which `grad_norm` was measured.
    grad_norm
        (M, L) or (M, L, K): the 2-norm of the objective's gradient over all samples, per layer, with the weights
        that the logged epoch started from.
    snapshots
        Pairs (epoch, Params): the weights with which that epoch started; ``epoch == T`` means the final ones.
    engine
        Which engine ran: "numpy" or "compiled".
    """

    epoch: Array = _array()
    loss: Array = _array()
    accuracy: Array = _array(None)
    logged: Array = _array(None)
    grad_norm: Array = _array(None)
    snapshots: tuple[tuple[int, Params], ...] = ()
    engine: str = "numpy"
