"""The `numpy` engine: the plain loop over ``sgd_step(params, grads(params, xb, yb), lr)``, with the same bits.

At the lab's sizes a NumPy call costs far more than the arithmetic in it, so what counts here is how few calls a step
makes and that none of them allocates: all weights stand in one flat vector and all gradients in another, every result
goes to a buffer made beforehand, and one call gives the derivative of all neighbouring layers that share an
activation.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import validation
from ..activations import LEAK, activation
from ..losses import LOSSES, accuracy
from ..records import Activation, Array, Loss, Params, arrays, map_arrays, read_only

#: Predictions are kept and reduced to losses for as many epochs at once as fit in so many numbers.
KEPT_PREDICTIONS = 1 << 16

#: Weights updated at once.
PIECE = 1 << 14
#: Batches kept from epoch to epoch.
KEPT_BATCHES = 1 << 12

Orders = Sequence[Array | None]
#: From the left factor and the number of elements of the right one to ``product(right, out)``.
Times = Callable[[Array, int], Callable[[Array, Array], Array]]


def start(
    params: Params, x: Array, y: Array, *, lr: Array, loss: Loss, batch_size: int
) -> tuple[Callable[[Orders], tuple[Array, Array]], Callable[[], Params]]:
    """Set up a run; return ``advance(orders)`` and ``current()``.

    ``advance`` trains one epoch for each of ``orders``, an array of sample indices or None for the order as it is, and
    returns losses and accuracies, (E,) or (E, K). ``current`` returns the weights. A member whose weights are no longer
    finite stops: its weights stay as that epoch left them, and its later losses are NaN.
    """
    lead, dtype = params.layers[0].w.shape[:-2], params.layers[0].w.dtype
    n, k = x.shape[-2], y.shape[-1]
    shapes = [array.shape[-2:] for array in arrays(params)]
    flat = np.ascontiguousarray(np.concatenate([w.reshape(*lead, -1) for w in arrays(params)], axis=-1))
    stopped, stopped_flat = np.zeros(lead, bool), flat.copy()
    times: Times = _dot if not lead and flat.size < PIECE else _matmul
    steps = {rows: _step(params, flat, rows, times, lr, loss) for rows in {batch_size, n % batch_size or batch_size}}
    out = np.empty((*lead, n, k), dtype)
    block_size = max(1, KEPT_PREDICTIONS // out.size)
    last_row: list[Array] = []  # of losses and accuracies, once an epoch has changed no weight

    def batches(x: Array, y: Array) -> Iterator[tuple[Any, ...]]:
        for begin in range(0, n, batch_size):
            xb, yb, predictions = (array[..., begin : begin + batch_size, :] for array in (x, y, out))
            units = params.layers[0].w.shape[-1]
            yield steps[xb.shape[-2]], times(xb, xb.shape[-1] * units), times(xb.mT, len(xb) * units), yb, predictions

    # Cutting a batch costs a tenth of a small step, so it is done once, unless the cuts would take much room.
    in_order = list(batches(x, y)) if n // batch_size <= KEPT_BATCHES else None

    def epoch(order: Array | None, predictions: Array) -> None:
        if order is None:
            for step, *batch in in_order or batches(x, y):
                step(*batch)
            predictions[...] = out
        else:
            # np.take lays every member's rows one after another, as those of its solo run; indexing does not.
            for step, *batch in batches(np.take(x, order, axis=-2), np.take(y, order, axis=-2)):
                step(*batch)
            predictions[..., order, :] = out

    def diverging() -> Array:
        return ~np.isfinite(flat).all(axis=-1) & ~stopped

    def block(orders: Orders) -> list[Array]:
        if last_row:  # every later epoch is the same
            return [np.repeat(row, len(orders), axis=0) for row in last_row]
        predictions = np.empty((len(orders), *lead, n, k), dtype)
        begin, last_epoch = flat.copy(), np.where(stopped, -1, len(orders))
        for order, one in zip(orders, predictions, strict=True):
            epoch(order, one)
        if np.any(diverging()):  # rare: go back, and see in which epoch
            flat[...] = begin
            for index, order in enumerate(orders):
                epoch(order, predictions[index])
                now = diverging()
                stopped_flat[now], last_epoch[now], stopped[now] = flat[now], index, True
        reports = [validation.watched("loss", loss.name, loss.report, predictions, y), accuracy(predictions, y)]
        for report in reports:
            report[np.arange(len(orders)).reshape(-1, *[1] * len(lead)) > last_epoch] = np.nan
        if orders[-1] is None and np.array_equal(begin, flat):
            epoch(None, predictions[-1])
            if np.array_equal(begin, flat):  # so it was no cycle, and nothing will ever move again
                last_row[:] = [report[-1:] for report in reports]
            flat[...] = begin
        return reports

    def advance(orders: Orders) -> tuple[Array, Array]:
        blocks = [block(orders[begin : begin + block_size]) for begin in range(0, len(orders), block_size)]
        losses, accuracies = (np.concatenate(reports) for reports in zip(*blocks, strict=True))
        return losses, accuracies

    def current() -> Params:
        views = iter(_views(np.where(stopped[..., None], stopped_flat, flat), shapes))
        return map_arrays(lambda _: read_only(next(views).copy()), params)

    return advance, current


def _views(flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Cut the last axis of ``flat`` into consecutive views whose last two axes have these shapes."""
    ends = itertools.accumulate(math.prod(shape) for shape in shapes)
    return [
        flat[..., end - math.prod(shape) : end].reshape(*flat.shape[:-1], *shape)
        for shape, end in zip(shapes, ends, strict=True)
    ]


def _layers(params: Params, flat: Array) -> list[tuple[Array, Array | None]]:
    """Return the views (w, b) of ``flat``, layer by layer."""
    views = iter(_views(flat, [array.shape[-2:] for array in arrays(params)]))
    return [(next(views), None if layer.b is None else next(views)) for layer in params.layers]


def _step(params: Params, flat: Array, rows: int, times: Times, lr: Any, loss: Loss) -> Callable[..., None]:
    """Return ``step(x_times, xt_times, yb, predictions)``, one update of ``flat`` from a batch of so many rows."""
    lead, dtype = flat.shape[:-1], flat.dtype
    rate = np.asarray(lr, dtype)[..., None] if np.ndim(lr) else np.asarray(lr, dtype)
    dflat = np.empty_like(flat)
    # The update goes over the numbers twice, in pieces that stay in the cache in between.
    cuts = range(PIECE, flat.shape[-1], PIECE)
    piece = np.empty_like(flat[..., :PIECE])
    pieces = [
        (weights, gradient, piece[..., : weights.shape[-1]])
        for weights, gradient in zip(np.split(flat, cuts, axis=-1), np.split(dflat, cuts, axis=-1), strict=True)
    ]
    w, b = zip(*_layers(params, flat), strict=True)
    dw, db = zip(*_layers(params, dflat), strict=True)
    # One vector for each of z, a, the derivative and spare room, with a view of it for each layer.
    ends = list(itertools.accumulate(math.prod(lead) * rows * layer.w.shape[-1] for layer in params.layers))
    vectors = np.empty((4, ends[-1]), dtype)
    z, a, slope, spare = ([part.reshape(*lead, rows, -1) for part in np.split(vector, ends[:-1])] for vector in vectors)
    delta = [np.empty_like(view) for view in z]
    in_place = _in_place(dtype)
    loss_slope = loss.gradient
    if LOSSES.get(loss.name) is not loss:
        loss_slope = functools.partial(validation.elementwise, "loss", loss.name, loss.gradient)
    apply, derivative = zip(*[in_place.get(layer.act) or _copying(layer.act) for layer in params.layers], strict=True)
    slopes = list(zip(derivative, z, a, slope, strict=True))
    acts = {layer.act for layer in params.layers}
    if len(acts) == 1 and acts <= in_place.keys():  # then one call serves all layers
        slopes = [(derivative[0], vectors[0], vectors[1], vectors[2])]
    a_times = [None, *(times(view, above.size) for view, above in zip(a[:-1], w[1:], strict=True))]
    at_times = [None, *(times(view.mT, above.size) for view, above in zip(a[:-1], delta[1:], strict=True))]
    delta_times = [times(view, weights.size) for view, weights in zip(delta, w, strict=True)]
    w_t, below = [None, *(view.mT for view in w[1:])], [None, *delta]
    forward = list(zip(a_times, w, b, z, a, spare, apply, strict=False))
    backward = list(zip(at_times, delta, slope, dw, db, delta_times, w_t, below, strict=False))[::-1]

    def step(x_times: Any, xt_times: Any, yb: Array, predictions: Array) -> None:
        for product, w, b, z, a, spare, apply in forward:
            (product or x_times)(w, z)
            if b is not None:
                np.add(z, b, z)
            apply(z, a, spare)
        predictions[...] = a
        for derivative, z, a_, slope in slopes:
            derivative(z, a_, slope)
        error = loss_slope(a, yb)
        for product, delta, slope, dw, db, delta_times, w_t, below in backward:
            np.multiply(error, slope, delta)
            (product or xt_times)(delta, dw)
            if db is not None:
                np.add.reduce(delta, axis=-2, keepdims=True, out=db)
            if w_t is not None:
                error = delta_times(w_t, below)
        for weights, gradient, change in pieces:
            np.multiply(gradient, rate, change)
            np.subtract(weights, change, weights)

    return step


def _matmul(left: Array, right_size: int) -> Callable[[Array, Array], Array]:
    """Return ``product(right, out)``."""
    return functools.partial(np.matmul, left)


def _dot(left: Array, right_size: int) -> Callable[[Array, Array], Array]:
    """Return ``product(right, out)``, at a third of what a call of matmul costs and with its bits.

    Both hand the product to BLAS, but where a factor is a single number: there dot skips zeros, and 0 · inf is 0.
    """
    return left.dot if min(left.size, right_size) > 1 else _matmul(left, right_size)


def _copying(act: str | Activation) -> tuple[Any, Any]:
    """Wrap an activation of one's own, which returns new arrays."""
    own = activation(act)

    def apply(z: Array, a: Array, spare: Array) -> None:
        a[...] = validation.elementwise("activation", own.name, own.apply, z)

    def derivative(z: Array, a: Array, out: Array) -> None:
        out[...] = validation.elementwise("derivative of activation", own.name, own.derivative, z, a)

    return apply, derivative


def _in_place(dtype: Any) -> dict[Any, tuple[Any, Any]]:
    """The built-in activations, operation for operation, as ``apply(z, a, spare)`` and ``derivative(z, a, out)``."""
    zero, one, leak = (np.asarray(number, dtype) for number in (0, 1, LEAK))  # cheaper to pass than Python's numbers

    def sigmoid(z: Array, a: Array, spare: Array) -> None:
        np.negative(z, spare)
        np.exp(spare, a)
        np.add(one, a, a)
        np.reciprocal(a, a)

    def sigmoid_derivative(z: Array, a: Array, out: Array) -> None:
        np.subtract(one, a, out)
        np.multiply(a, out, out)

    def leaky_relu(z: Array, a: Array, spare: Array) -> None:
        np.multiply(z, leak, spare)
        np.maximum(z, spare, out=a)

    def leaky_relu_derivative(z: Array, a: Array, out: Array) -> None:
        np.greater(z, zero, out)
        np.maximum(out, leak, out=out)

    def tanh_derivative(z: Array, a: Array, out: Array) -> None:
        np.multiply(a, a, out)
        np.subtract(one, out, out)

    return {
        "sigmoid": (sigmoid, sigmoid_derivative),
        "relu": (lambda z, a, spare: np.maximum(z, zero, out=a), lambda z, a, out: np.greater(z, zero, out)),
        "tanh": (lambda z, a, spare: np.tanh(z, a), tanh_derivative),
        "leaky_relu": (leaky_relu, leaky_relu_derivative),
        "none": (lambda z, a, spare: np.copyto(a, z), lambda z, a, out: out.fill(1)),
    }
