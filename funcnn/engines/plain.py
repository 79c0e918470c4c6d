"""The `numpy` engine: the loop of `step` without records, checks and copies inside, with the same bits.

At the lab's sizes a NumPy call costs far more than the arithmetic in it, so what counts here is how few calls a step
makes: all weights stand in one flat vector and all gradients in another, and a batch is looked at for the history
together with those around it.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from .. import losses, validation
from ..activations import ACTIVATIONS, activation
from ..losses import LOSSES
from ..metrics import right
from ..optimizers import clip_scale, penalised, update_of
from ..records import Activation, Array, Params, Plan, State, arrays, map_arrays, read_only
from .contract import Data, Orders, Reports, Shapes, reads_only_weights_and_data, updates, weights

#: Predictions are kept until there are so many numbers, or of so many batches, and then looked at together.
KEPT, KEPT_TOGETHER = 1 << 13, 1 << 10
#: Batches kept from epoch to epoch.
KEPT_BATCHES = 1 << 12
#: Weights updated at once: these stay in the cache in between.
PIECE = 1 << 14

#: ``product(left, right)`` or ``product(left, right, out)``
Product = Callable[..., Array]


@attrs.frozen(eq=False)
class Step:
    """What an update by a batch of so many rows calls, and the buffers it writes to; per layer, or all layers at once.

    ``forward`` are (product, w, b, z, a, apply), ``slopes`` (derivative, z, a, slope), and ``backward`` from the output
    down (aᵀ of the layer below or None for the input, product, slope, dw, db, product, wᵀ or None for the input).
    """

    forward: tuple[tuple[Product, Array, Array | None, Array, Array, Any], ...]
    slopes: tuple[tuple[Any, Array, Array, Array], ...]
    backward: tuple[tuple[Array | None, Product, Array, Array, Array | None, Product, Array | None], ...]


@attrs.frozen(eq=False)
class Prepared:
    """A run's buffers, and what is called in it. ``flat``, ``gradient`` and ``slots`` are (..., P)."""

    plan: Plan
    shapes: Shapes
    data: Data
    held: Data | None
    batches: tuple[tuple[Any, ...], ...] | None  # of an epoch that takes the samples as they come
    flat: Array
    gradient: Array
    slots: tuple[Array, ...]
    pieces: tuple[tuple[Array, Array, tuple[Array, ...]], ...]  # of the three above
    weights: tuple[tuple[Array, Array], ...]  # of each layer, and its gradient: what weight decay is for
    gradients: tuple[Array, ...]  # array by array
    steps: dict[int, Step]
    slope: Callable[[Array, Array], Array]
    update: Any  # the optimizer's rule


def prepare(plan: Plan, shapes: Shapes, data: Data, held: Data | None) -> Prepared:
    """Make the buffers of a run."""
    lead = () if shapes.members is None else (shapes.members,)
    count = sum(math.prod(shape) for shape in _array_shapes(shapes))
    flat, gradient, *slots = (np.zeros((*lead, count), shapes.dtype) for _ in range(2 + plan.optimizer.slots))
    layers, slopes = _layers(shapes, flat), _layers(shapes, gradient)
    steps = {
        rows: _step(shapes, rows, layers, slopes)
        for size, all_rows in ((plan.batch_size, shapes.samples), (_rows(shapes), shapes.held))
        for rows in {min(size, all_rows), all_rows % size}
        if rows
    }
    cuts = range(0, shapes.samples, plan.batch_size)
    loss = plan.loss
    plain = LOSSES.get(loss.name) is loss and loss.reduction == "sum" and loss.row is None
    return Prepared(
        plan,
        shapes,
        data,
        held,
        # Cutting a batch costs a tenth of a small step, so it is done once, unless the cuts would take much room.
        tuple(_batch(steps, data, slice(cut, cut + plan.batch_size)) for cut in cuts)
        if len(cuts) <= KEPT_BATCHES
        else None,
        flat,
        gradient,
        tuple(slots),
        tuple(
            (flat[..., some], gradient[..., some], tuple(slot[..., some] for slot in slots))
            for some in (slice(begin, begin + PIECE) for begin in range(0, count, PIECE))
        ),
        tuple((w, dw) for (w, _), (dw, _) in zip(layers, slopes, strict=True)),
        tuple(_views(shapes, gradient)),
        steps,
        loss.slope if plain else functools.partial(losses.slope, loss),  # the formula alone, where that is all
        update_of(plan.optimizer),
    )


def _rows(shapes: Shapes) -> int:
    """Return for how many samples predictions are kept."""
    return max(1, KEPT // (shapes.sizes[-1] * (shapes.members or 1)))


def _cut(data: Data, some: Any) -> Data:
    """Return some of the samples, by a slice or by their numbers."""
    weight = None if data.weight is None else data.weight[some]
    if isinstance(some, slice):
        return Data(data.x[..., some, :], data.y[..., some, :], weight)
    # np.take lays every member's rows one after another, as those of its solo run; indexing does not.
    return Data(np.take(data.x, some, axis=-2), np.take(data.y, some, axis=-2), weight)


def _batch(steps: dict[int, Step], data: Data, some: Any) -> tuple[Any, ...]:
    """Return step, x, xᵀ, y and weight of a batch."""
    part = _cut(data, some)
    return steps[part.x.shape[-2]], part.x, part.x.mT, part.y, part.weight


def _array_shapes(shapes: Shapes) -> Iterator[tuple[int, int]]:
    for (fan_in, fan_out), biased in zip(itertools.pairwise(shapes.sizes), shapes.biased, strict=True):
        yield fan_in, fan_out
        if biased:
            yield 1, fan_out


def _views(shapes: Shapes, flat: Array) -> list[Array]:
    """Return the views of a flat vector that are the network's arrays, in the order of `arrays`."""
    parts = list(_array_shapes(shapes))
    ends = itertools.accumulate(math.prod(shape) for shape in parts)
    return [
        flat[..., end - math.prod(shape) : end].reshape(*flat.shape[:-1], *shape)
        for shape, end in zip(parts, ends, strict=True)
    ]


def _layers(shapes: Shapes, flat: Array) -> list[tuple[Array, Array | None]]:
    """Return the views (w, b) of a flat vector, layer by layer."""
    views = iter(_views(shapes, flat))
    return [(next(views), next(views) if biased else None) for biased in shapes.biased]


def _step(shapes: Shapes, rows: int, layers: Sequence[Any], slopes: Sequence[Any]) -> Step:
    """Make the buffers for so many rows, and choose what is called."""
    small = shapes.members is None and weights(shapes) < PIECE

    def product(left: int, right: int) -> Product:
        # Both hand a product to BLAS, but dot's call costs a third of matmul's and its work on large arrays more. Where
        # a factor is a single number dot skips zeros, and 0 · inf is 0 there.
        return np.ndarray.dot if small and min(left, right) > 1 else np.matmul

    functions = [_functions(act) for act in shapes.acts]
    vectors, (z, a, slope) = _buffers(shapes, rows)
    forward, backward = [], []
    parts = zip(itertools.pairwise(shapes.sizes), layers, slopes, strict=True)
    for index, ((fan_in, fan_out), (w, b), (dw, db)) in enumerate(parts):
        forward.append((product(rows * fan_in, fan_in * fan_out), w, b, z[index], a[index], functions[index][0]))
        below = (a[index - 1].mT, w.mT) if index else (None, None)
        down = product(rows * fan_in, rows * fan_out), slope[index], dw, db
        backward.append((below[0], *down, product(rows * fan_out, fan_in * fan_out), below[1]))
    one_by_one = [(derivative, *some) for (_, derivative), *some in zip(functions, z, a, slope, strict=True)]
    # One call serves all layers, where these have the same of the table.
    one = activation(shapes.acts[0])
    at_once = len(set(shapes.acts)) == 1 and ACTIVATIONS.get(one.name) is one
    return Step(
        tuple(forward), ((functions[0][1], *vectors),) if at_once else tuple(one_by_one), tuple(reversed(backward))
    )


def _buffers(shapes: Shapes, rows: int) -> tuple[Array, list[list[Array]]]:
    """Return one vector for each of z, a and the derivative, and each layer's part of it."""
    lead = () if shapes.members is None else (shapes.members,)
    counts = [math.prod(lead) * rows * units for units in shapes.sizes[1:]]
    vectors = np.zeros((3, sum(counts)), shapes.dtype)
    cuts = list(itertools.accumulate(counts))[:-1]
    return vectors, [[part.reshape(*lead, rows, -1) for part in np.split(vector, cuts)] for vector in vectors]


def _functions(act: str | Activation) -> tuple[Any, Any]:
    """Return apply and derivative; those of the user's own are watched."""
    one = activation(act)
    if ACTIVATIONS.get(one.name) is one:
        return one.apply, one.derivative
    watched = functools.partial(validation.elementwise, "activation", one.name, one.apply)
    return watched, functools.partial(validation.elementwise, "derivative of activation", one.name, one.derivative)


def _forward(step: Step, x: Array) -> Array:
    """Predict, into the buffers."""
    a = x
    for product, w, b, z, out, apply in step.forward:
        product(a, w, z)
        if b is not None:
            np.add(z, b, z)
        out[...] = apply(z)
        a = out
    return a


def _update(run: Prepared, batch: tuple[Any, ...], t: float, rate: Array) -> Array:
    """Move the weights by one batch, and return the predictions from before."""
    step, x, x_t, y, weight = batch
    y_hat = _forward(step, x)
    error = run.slope(y_hat, y) if weight is None else losses.slope(run.plan.loss, y_hat, y, weight)
    for derivative, z, a, slope in step.slopes:
        slope[...] = derivative(z, a)
    for a_t, product, slope, dw, db, back, w_t in step.backward:
        delta = error * slope
        product(x_t if a_t is None else a_t, delta, dw)
        if db is not None:
            np.add.reduce(delta, -2, out=db, keepdims=True)
        if w_t is not None:
            error = back(delta, w_t)
    kept = y_hat.copy()
    if run.plan.l2 or run.plan.clip is not None:
        _regularise(run)
    for w, g, slots in run.pieces:
        w[...], after = run.update(w, g, slots, t, rate, run.plan.optimizer.hyper)
        for slot, new in zip(slots, after, strict=True) if slots else ():
            slot[...] = new
    return kept


def _regularise(run: Prepared) -> None:
    """Add weight decay to the gradient that stands in the buffer, and clip it."""
    if run.plan.l2:
        for w, dw in run.weights:
            dw[...] = penalised(dw, w, run.plan.l2)
    if run.plan.clip is not None:
        run.gradient[...] = run.gradient * clip_scale(run.gradients, run.plan.clip)[..., None]


def _measured(run: Prepared, y_hat: Array, y: Array) -> Array:
    """Return the sum of a loss's contributions and how many samples are right, (2, ...), of (..., n, k)."""
    report = losses.report_of(run.plan.loss)
    each = losses.contributions(report, y_hat, y)
    return np.stack([np.sum(each, axis=(-2, -1)), np.count_nonzero(right(y_hat, y, run.plan.decision), axis=-1)])


def _averaged(run: Prepared, measured: Array, samples: int) -> Array:
    """Return loss and accuracy from what `_measured` gave over so many samples."""
    count = losses.count(losses.report_of(run.plan.loss), samples, run.shapes.sizes[-1])
    return measured / np.reshape([count, samples], (2, *[1] * (measured.ndim - 1)))


def _validated(run: Prepared, held: Data) -> Array:
    """Return loss and accuracy of the validation data, (2, ...)."""
    total: Any = 0.0
    for begin in range(0, run.shapes.held, _rows(run.shapes)):
        some = _cut(held, slice(begin, begin + _rows(run.shapes)))
        y_hat = _forward(run.steps[some.x.shape[-2]], some.x)
        total = total + _measured(run, y_hat, some.y)
    return _averaged(run, total, run.shapes.held)


def _block(run: Prepared, orders: Orders, rates: Array, t: float) -> Array:
    """Train these epochs, and return loss and accuracy of each, and the validation's, (2 or 4, E, ...).

    Of an epoch that is longer than predictions are kept, there may be one.
    """
    n, size = run.shapes.samples, run.plan.batch_size
    chunk = n if n <= _rows(run.shapes) else max(1, _rows(run.shapes) // size) * size
    update, total, validated = 0, 0.0, []
    for begin in range(0, n, chunk):
        rows = min(chunk, n - begin)
        predictions, targets = [], []
        for order in orders:
            for cut in range(begin, begin + rows, size):
                if order is None and run.batches is not None:
                    batch = run.batches[cut // size]
                else:
                    some = slice(cut, cut + size)
                    batch = _batch(run.steps, run.data, some if order is None else order[some])
                t += 1.0
                predictions.append(_update(run, batch, t, rates[update]))
                targets.append(batch[3])
                update += 1
            if run.held is not None and begin + rows == n:
                validated.append(_validated(run, run.held))
        y_hat, y = (np.concatenate(parts, axis=-2) for parts in (predictions, targets))
        y_hat, y = (array.reshape(*array.shape[:-2], len(orders), rows, -1) for array in (y_hat, y))
        total = total + _measured(run, y_hat, y)
    figures = np.moveaxis(_averaged(run, total, n), -1, 1)
    return figures if run.held is None else np.concatenate([figures, np.stack(validated, axis=1)])


def epochs(run: Prepared, state: State, orders: Orders, rates: Array) -> tuple[State, Reports]:
    """Train an epoch for each order; see `Engine`."""
    buffers = (run.flat, *run.slots)
    for buffer, params in zip(buffers, (state.params, *state.slots), strict=True):
        for view, array in zip(_views(run.shapes, buffer), arrays(params), strict=True):
            view[...] = array
    stood = tuple(buffer.copy() for buffer in buffers)  # for members that stop, what they stopped with
    reports, running, ran = _span(run, state, orders, rates, stood)
    ends = [np.where(running[..., None], buffer, end) for buffer, end in zip(buffers, stood, strict=True)]
    params, *slots = (_params(state.params, _views(run.shapes, end)) for end in ends)
    t = state.t + ran * updates(run.plan, run.shapes)
    after = State(params, tuple(slots), t, state.epoch + ran, read_only(np.array(running)))
    return after, Reports(*map(read_only, reports.astype(run.shapes.dtype)))


def _params(like: Params, views: Sequence[Array]) -> Params:
    copies = (read_only(view.copy()) for view in views)
    return map_arrays(lambda _: next(copies), like)


def _span(
    run: Prepared, state: State, orders: Orders, rates: Array, stood: Sequence[Array]
) -> tuple[Array, Array, int]:
    """Train in the buffers; return reports, who is still running, and how many epochs were run.

    Members that stop are written to ``stood``.
    """
    buffers, running = (run.flat, *run.slots), np.array(state.running)
    reports = np.full((4 if run.held else 2, len(orders), *running.shape), np.nan)
    steady, per_epoch = reads_only_weights_and_data(run.plan, orders, rates), updates(run.plan, run.shapes)
    rates = rates.astype(run.shapes.dtype)[..., None]
    longest = max(1, min(_rows(run.shapes) // run.shapes.samples, KEPT_TOGETHER // per_epoch))
    done, one_by_one, standing = 0, 0, False
    while done < len(orders) and running.any():
        some = slice(done, min(len(orders), done + (1 if done < one_by_one else longest)))
        # What may have to be gone back to, or compared; of large networks the copy takes as long as a step.
        before = [buffer.copy() for buffer in buffers] if some.stop > done + 1 or (steady and standing) else None
        measured = _block(run, orders[some], rates[done * per_epoch :], state.t + done * per_epoch)
        stopping = ~np.isfinite(run.flat).all(axis=-1) & running
        if stopping.any() and before is not None and some.stop > done + 1:  # rare: go back, and see in which epoch
            _copy(before, buffers)
            one_by_one = some.stop
            continue
        reports[:, some] = np.where(running, measured, np.nan)
        for end, buffer in zip(stood, buffers, strict=True):
            end[stopping] = buffer[stopping]
        running, done = running & ~stopping, some.stop
        standing = done > 1 and np.array_equal(reports[0, done - 1], reports[0, done - 2], equal_nan=True)
        if steady and standing and done < len(orders) and before and np.array_equal(before[0], run.flat):
            again = _block(run, orders[:1], rates, 0.0)  # it may have been a cycle
            if np.array_equal(before[0], run.flat):  # no: nothing will ever move again
                reports[:, done:] = np.where(running, again, np.nan)
                done = len(orders)
            _copy(before, buffers)
    return reports, running, done


def _copy(sources: Sequence[Array], targets: Sequence[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target[...] = source
