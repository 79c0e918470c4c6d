"""The `numpy` engine: the loop of `step` without records, checks and copies inside, with the same bits.

At the lab's sizes a NumPy call costs far more than the arithmetic in it, so what counts here is how few calls a step
makes: all weights stand in one flat vector and all gradients in another, and a batch is looked at for the history
together with those around it.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs
import numpy as np

from .. import arguments, losses, validation
from ..activations import ACTIVATIONS, activation
from ..losses import LOSSES
from ..metrics import right
from ..optimizers import OPTIMIZERS, clip_scale, penalised, updates_of
from ..records import Activation, Array, Params, Plan, State, arrays, map_arrays, read_only
from .contract import (
    Data,
    Orders,
    Reports,
    Shapes,
    constant,
    counts,
    reads_only_weights_and_data,
    units,
    updates,
    weights,
)
from .recorded import Call, Spare, record, zeros

#: Predictions are kept until there are so many numbers at least, or of so many batches, and then looked at together.
KEPT, KEPT_TOGETHER = 1 << 12, 1 << 10
#: Weights updated at once: these stay in the cache in between.
PIECE = 1 << 14

#: ``product(left, right, out)``
Product = Callable[..., Any]


@attrs.frozen(eq=False)
class Pass:
    """The calls that take a batch of so many rows through the network, and the buffers they begin and end with.

    ``given`` are x, y and perhaps weights as a column. x itself meets only the first layer's products, which are kept
    as product, right factor and result, so that samples that stand together anyway are not copied: ``first`` begins,
    and ``last``, after ``calls``, is the gradient's. ``move`` ends with new weights. Where a pass only predicts, these
    two are empty.
    """

    given: tuple[Array, ...]
    first: tuple[Product, Array, Array]
    calls: tuple[Call, ...]
    last: tuple[tuple[Product, Array, Array], ...]
    move: tuple[Call, ...]
    y_hat: Array


@attrs.frozen(eq=False)
class Prepared:
    """A run's buffers, and what is called in it. ``flat``, ``gradient`` and ``slots`` are (..., P).

    ``rate`` and ``t`` are those of the update that is being done. A pass is made for each number of rows that a batch
    has: those of ``steps`` train, and those of ``looks`` only predict.
    """

    plan: Plan
    shapes: Shapes
    data: "Batches"
    held: "Batches | None"
    flat: Array
    gradient: Array
    slots: tuple[Array, ...]
    rate: Array
    t: Array
    steps: dict[int, Pass]
    looks: dict[int, Pass]
    views: tuple[tuple[Array, ...], ...]  # of ``flat`` and each of ``slots``, array by array


@attrs.frozen(eq=False)
class Batches:
    """Data as x, y and perhaps weights, each (..., n, count), and each once more as its batches.

    These are the whole ones, (batches, ..., size, count), and the rest, (0 or 1, ..., rows, count).
    """

    arrays: tuple[Array, ...]
    cuts: tuple[tuple[Array, Array], ...]
    size: int


def prepare(plan: Plan, shapes: Shapes, data: Data, held: Data | None) -> Prepared:
    """Make the buffers of a run, and the calls."""
    lead = _lead(shapes)
    count = sum(math.prod(shape) for shape, _ in _array_shapes(shapes))
    flat, gradient, *slots = (zeros((*lead, count), shapes.dtype) for _ in range(2 + plan.optimizer.slots))
    rate, t = np.zeros((*lead, 1) if lead else (), shapes.dtype), np.zeros((), shapes.dtype)
    weight = () if data.weight is None else (data.weight[:, None],)
    batches = _batches((data.x, data.y, *weight), plan.batch_size)
    held_batches = _batches((held.x, held.y), _rows(plan, shapes)) if held else None
    run = Prepared(plan, shapes, batches, held_batches, flat, gradient, tuple(slots), rate, t, {}, {}, ())
    spare: Spare = {}
    move = (*_regularising(run, spare), *_updating(run, spare))
    return attrs.evolve(
        run,
        steps={rows: _step(run, rows, move, spare) for rows in _rows_of(shapes.samples, plan.batch_size)},
        looks={rows: _look(run, held_batches, rows, spare) for rows in _rows_of(shapes.held, _rows(plan, shapes))}
        if held_batches
        else {},
        views=tuple(tuple(_views(shapes, one)) for one in (flat, *slots)),
    )


def _lead(shapes: Shapes) -> tuple[int, ...]:
    return () if shapes.members is None else (shapes.members,)


def _rows_of(samples: int, size: int) -> set[int]:
    """Return how many rows the batches of so many samples have."""
    return {min(size, samples), samples % size} - {0}


def _rows(plan: Plan, shapes: Shapes) -> int:
    """Return for how many samples predictions are kept: these take as much room as a batch does, or `KEPT` numbers."""
    members = shapes.members or 1
    batch = 3 * min(plan.batch_size, shapes.samples) * units(shapes) * members
    return max(1, max(KEPT, batch) // (shapes.sizes[-1] * members))


def _batches(given: Sequence[Array], size: int) -> Batches:
    return Batches(tuple(given), tuple(_cut(array, size) for array in given), size)


def _cut(array: Array, size: int) -> tuple[Array, Array]:
    """Return views of an array (..., n, count) as its whole batches and the rest; see `Batches`."""
    *lead, rows, count = array.shape
    whole = rows - rows % size
    batches = array[..., :whole, :].reshape(*lead, whole // size, size, count)
    return batches.transpose(len(lead), *range(len(lead)), -2, -1), array[None, ..., whole:, :][: int(whole < rows)]


def _array_shapes(shapes: Shapes) -> Iterator[tuple[tuple[int, int], bool]]:
    """Yield the shape of each of a network's arrays, in the order of `arrays`, and whether these are biases."""
    for (fan_in, fan_out), biased in zip(itertools.pairwise(shapes.sizes), shapes.biased, strict=True):
        yield (fan_in, fan_out), False
        if biased:
            yield (1, fan_out), True


def _views(shapes: Shapes, flat: Array) -> list[Array]:
    """Return the views of a flat vector that are the network's arrays, in the order of `arrays`."""
    parts = [shape for shape, _ in _array_shapes(shapes)]
    ends = itertools.accumulate(math.prod(shape) for shape in parts)
    return [
        flat[..., end - math.prod(shape) : end].reshape(*flat.shape[:-1], *shape)
        for shape, end in zip(parts, ends, strict=True)
    ]


def _layers(shapes: Shapes, flat: Array) -> list[tuple[Array, Array | None]]:
    """Return the views (w, b) of a flat vector, layer by layer."""
    views = iter(_views(shapes, flat))
    return [(next(views), next(views) if biased else None) for biased in shapes.biased]


# --- what is called --------------------------------------------------------------------------------------------------


def _calls(function: Any, inputs: Sequence[Any], outs: Sequence[Array], spare: Spare, own: bool = False) -> list[Call]:
    """Return the calls that write a function's results to ``outs``; what cannot be recorded is called as it is."""
    try:
        if not own:
            return record(function, inputs, outs, spare)
    except TypeError:
        pass
    return [partial(_as_written, function, tuple(inputs), tuple(outs))]


def _as_written(function: Any, inputs: Sequence[Any], outs: Sequence[Array]) -> None:
    found = function(*inputs)
    for out, result in zip(outs, found if isinstance(found, tuple) else (found,), strict=True):
        out[...] = result


def _step(run: Prepared, rows: int, move: Sequence[Call], spare: Spare) -> Pass:
    """Make the calls of an update by so many rows: forward, backward, and ``move``, which updates the weights."""
    shapes, loss = run.shapes, run.plan.loss
    layers, slopes = _layers(shapes, run.flat), _layers(shapes, run.gradient)
    given = tuple(_buffer(array, rows) for array in run.data.arrays)
    x, y, *weight = given
    vectors, (z, a, slope) = _buffers(shapes, rows)
    error = zeros(a[-1].shape, shapes.dtype)
    first, calls = _forward(shapes, x, z, a, layers, spare)
    columns = (column[..., 0] for column in weight)
    calls += _calls(
        partial(losses.slope, loss), (a[-1], y, *columns), (error,), spare, not arguments.of_table(loss, LOSSES)
    )
    acts = [activation(act) for act in shapes.acts]
    # One call serves all layers, where these have the same of the table.
    at_once = len(set(acts)) == 1 and arguments.of_table(acts[0], ACTIVATIONS)
    for act, parts in ((acts[0], vectors),) if at_once else zip(acts, zip(z, a, slope, strict=True), strict=True):
        _, derivative, own = _functions(act)
        calls += _calls(derivative, parts[:2], parts[2:], spare, own)
    for index in reversed(range(len(layers))):
        (w, _), (dw, db), delta = layers[index], slopes[index], slope[index]
        calls.append(partial(np.multiply, error, delta, delta))
        product = _product(shapes, rows * w.shape[-2], rows * w.shape[-1])
        if db is not None:
            # A sum over one row is 0 and that row, which makes 0 of −0.
            none = np.zeros((), shapes.dtype)
            calls.append(
                partial(np.add, delta, none, db) if rows == 1 else partial(np.add.reduce, delta, -2, None, db, True)
            )
        if index:
            calls.append(partial(product, a[index - 1].mT, delta, dw))
            error = z[index - 1]  # which nothing reads any more
            calls.append(partial(_product(shapes, rows * w.shape[-1], math.prod(w.shape[-2:])), delta, w.mT, error))
    return Pass(given, first, tuple(calls), ((product, delta, dw),), tuple(move), a[-1])


def _look(run: Prepared, held: Batches, rows: int, spare: Spare) -> Pass:
    """Make the calls that predict so many rows of the validation data."""
    given = tuple(_buffer(array, rows) for array in held.arrays)
    _, (z, a, _) = _buffers(run.shapes, rows)
    first, calls = _forward(run.shapes, given[0], z, a, _layers(run.shapes, run.flat), spare)
    return Pass(given, first, tuple(calls), (), (), a[-1])


def _forward(
    shapes: Shapes, x: Array, z: Sequence[Array], a: Sequence[Array], layers: Sequence[Any], spare: Spare
) -> tuple[tuple[Product, Array, Array], list[Call]]:
    """Return what multiplies x by the first weights, and the calls from there on."""
    products: list[tuple[Product, Array, Array]] = []
    calls: list[Call] = []
    for act, (w, b), before, z_l, a_l in zip(shapes.acts, layers, [x, *a[:-1]], z, a, strict=True):
        products.append((_product(shapes, math.prod(before.shape[-2:]), math.prod(w.shape[-2:])), w, z_l))
        if before is not x:
            calls.append(partial(products[-1][0], before, w, z_l))
        if b is not None:
            calls.append(partial(np.add, z_l, b, z_l))
        apply, _, own = _functions(activation(act))
        calls += _calls(apply, (z_l,), (a_l,), spare, own)
    return products[0], calls


def _regularising(run: Prepared, spare: Spare) -> list[Call]:
    """Return the calls that add weight decay to the gradient that stands in the buffer, and clip it."""
    calls: list[Call] = []
    for (w, _), (dw, _) in zip(*(_layers(run.shapes, flat) for flat in (run.flat, run.gradient)), strict=True):
        calls += _calls(penalised, (dw, w, run.plan.l2), (dw,), spare) if run.plan.l2 else []
    if run.plan.clip is not None:
        scale = np.zeros(_lead(run.shapes), run.shapes.dtype)
        clip = run.plan.clip
        calls += _calls(lambda *g: clip_scale(g, clip), _views(run.shapes, run.gradient), (scale,), spare)
        calls.append(partial(np.multiply, run.gradient, scale[..., None], run.gradient))
    return calls


def _updating(run: Prepared, spare: Spare) -> list[Call]:
    """Return the calls that move the weights by the gradient that stands in the buffer."""
    rule = run.plan.optimizer
    updates_, own = updates_of(rule), not arguments.of_table(rule, OPTIMIZERS)
    calls: list[Call] = []
    buffers = run.flat, run.gradient, *run.slots
    if own:  # gets what `step` gives it, since nobody knows what it looks at
        biases = [bias for _, bias in _array_shapes(run.shapes)]
        rate = run.rate[..., None] if run.rate.ndim else run.rate
        for bias, w, g, *slots in zip(biases, *(_views(run.shapes, one) for one in buffers), strict=True):
            update = partial(_update, updates_[bias], rule.hyper)
            calls += _calls(update, (w, g, run.t, rate, *slots), (w, *slots), spare, own)
        return calls
    for piece, bias in _pieces(run):
        w, g, *slots = (array[..., piece] for array in buffers)
        update = partial(_update, updates_[bias], rule.hyper)
        calls += _calls(update, (w, g, run.t, run.rate, *slots), (w, *slots), spare, own)
    return calls


def _pieces(run: Prepared) -> Iterator[tuple[slice, bool]]:
    """Cut the flat vector into what is updated at once; where biases have a rule of their own, array by array."""
    if run.plan.optimizer.biases is None:
        parts = [(run.flat.shape[-1], False)]
    else:
        parts = [(math.prod(shape), bias) for shape, bias in _array_shapes(run.shapes)]
    end = 0
    for count, bias in parts:
        begin, end = end, end + count
        yield from ((slice(at, min(at + PIECE, end)), bias) for at in range(begin, end, PIECE))


def _update(rule: Any, hyper: tuple[float, ...], w: Any, g: Any, t: Any, rate: Any, *slots: Any) -> Any:
    w, after = rule(w, g, slots, t, rate, hyper)
    return (w, *after)


def _product(shapes: Shapes, left: int, right: int) -> Product:
    """Return what multiplies factors of so many numbers."""
    # Both hand a product to BLAS, but dot's call costs a third of matmul's and its work on large arrays more. Where a
    # factor is a single number dot skips zeros, and 0 · inf is 0 there.
    small = shapes.members is None and weights(shapes) < PIECE
    return np.ndarray.dot if small and min(left, right) > 1 else np.matmul


def _buffer(array: Array, rows: int) -> Array:
    return zeros((*array.shape[:-2], rows, array.shape[-1]), array.dtype)


def _buffers(shapes: Shapes, rows: int) -> tuple[list[Array], list[list[Array]]]:
    """Return one vector for each of z, a and the derivative, and each layer's part of it."""
    lead = _lead(shapes)
    counts = [math.prod(lead) * rows * units for units in shapes.sizes[1:]]
    vectors = [zeros((sum(counts),), shapes.dtype) for _ in range(3)]
    cuts = list(itertools.accumulate(counts))[:-1]
    return vectors, [[part.reshape(*lead, rows, -1) for part in np.split(vector, cuts)] for vector in vectors]


def _functions(act: Activation) -> tuple[Any, Any, bool]:
    """Return apply and derivative, and whether they are the user's own, which are watched."""
    if arguments.of_table(act, ACTIVATIONS):
        return act.apply, act.derivative, False
    watched = partial(validation.elementwise, "activation", act.name, act.apply)
    return watched, partial(validation.elementwise, "derivative of activation", act.name, act.derivative), True


# --- epochs ----------------------------------------------------------------------------------------------------------


def _loaded(
    data: Batches, passes: dict[int, Pass], order: Array | None, rows: slice
) -> Iterator[tuple[Pass, Array, Array]]:
    """Yield the pass for each batch of these rows of an order, with targets in its buffers, and x and its transpose."""
    some = slice(rows.start // data.size, rows.stop // data.size)
    last = slice(int(rows.stop == data.arrays[0].shape[-2]))
    if order is None:
        for parts in zip(*(itertools.chain(whole[some], rest[last]) for whole, rest in data.cuts), strict=True):
            x, *others = parts
            chosen = passes[x.shape[-2]]
            for buffer, part in zip(chosen.given[1:], others, strict=True):
                buffer[...] = part
            yield chosen, x, x.mT
    else:
        whole, rest = _cut(order[:, None], data.size)
        for numbers in itertools.chain(whole[some], rest[last]):
            chosen = passes[numbers.shape[0]]
            for buffer, array in zip(chosen.given, data.arrays, strict=True):
                np.take(array, numbers[:, 0], -2, buffer, "clip")
            yield chosen, chosen.given[0], chosen.given[0].mT


def _called(one: Pass, x: Array, transposed: Array) -> None:
    product, w, z = one.first
    product(x, w, z)
    for call in one.calls:
        call()
    for product, delta, dw in one.last:
        product(transposed, delta, dw)
    for call in one.move:
        call()


def _train(
    run: Prepared, loaded: Iterable[tuple[Pass, Array, Array]], out: Iterable[Array], clock: Iterator[Any] | None
) -> None:
    """Train on batches that are loaded, and write the predictions of each, from before its update.

    ``clock`` gives number and rate of each update, where these are not what they were.
    """
    for (step, x, transposed), predictions in zip(loaded, out, strict=False):
        if clock is not None:
            run.t[...], run.rate[...] = next(clock)
        _called(step, x, transposed)
        predictions[...] = step.y_hat


def _measured(run: Prepared, y_hat: Array, y: Array) -> Array:
    """Return the sum of a loss's contributions and how many samples are right, (2, ...), of (..., n, k)."""
    report = losses.report_of(run.plan.loss)
    each = losses.contributions(report, y_hat, y)
    return np.stack([np.sum(each, axis=(-2, -1)), np.count_nonzero(right(y_hat, y, run.plan.decision), axis=-1)])


def _averaged(run: Prepared, measured: Array, samples: int) -> Array:
    """Return loss and accuracy from what `_measured` gave over so many samples."""
    count = losses.count(losses.report_of(run.plan.loss), samples, run.shapes.sizes[-1])
    return measured / np.reshape([count, samples], (2, *[1] * (measured.ndim - 1)))


def _validated(run: Prepared, held: Batches) -> Array:
    """Return loss and accuracy of the validation data, (2, ...)."""
    total: Any = 0.0
    for look, x, transposed in _loaded(held, run.looks, None, slice(0, run.shapes.held)):
        _called(look, x, transposed)
        total = total + _measured(run, look.y_hat, look.given[1])
    return _averaged(run, total, run.shapes.held)


def _block(run: Prepared, orders: Orders, clock: Iterator[Any] | None) -> Array:
    """Train these epochs, and return loss and accuracy of each, and the validation's, (2 or 4, E, ...).

    Of an epoch that is longer than predictions are kept, there may be one.
    """
    n, size = run.shapes.samples, run.plan.batch_size
    chunk = n if n <= _rows(run.plan, run.shapes) else max(1, _rows(run.plan, run.shapes) // size) * size
    total, validated = 0.0, []
    for begin in range(0, n, chunk):
        rows = slice(begin, min(begin + chunk, n))
        y_hat = np.empty((len(orders), *_lead(run.shapes), rows.stop - begin, run.shapes.sizes[-1]), run.shapes.dtype)
        whole, rest = _cut(y_hat, size)
        # A batch of all samples, as they come, stays where it is.
        once = tuple(_loaded(run.data, run.steps, None, rows)) if orders[0] is None and n <= size else None
        for epoch, order in enumerate(orders):
            out = itertools.chain(whole[:, epoch], rest[:, epoch])
            _train(run, once or _loaded(run.data, run.steps, order, rows), out, clock)
            if run.held is not None and rows.stop == n:
                validated.append(_validated(run, run.held))
        total = total + _measured(run, y_hat, _targets(run, orders, rows))
    figures = _averaged(run, total, n)
    return figures if run.held is None else np.concatenate([figures, np.stack(validated, axis=1)])


def _targets(run: Prepared, orders: Orders, rows: slice) -> Array:
    """Return the targets of these epochs' rows in their order, (E, ..., n, k)."""
    y, lead = run.data.arrays[1], _lead(run.shapes)
    if orders[0] is None:
        some = y[..., rows, :]
    else:
        some = np.stack([np.take(y, np.asarray(order)[rows], -2) for order in orders])
        some = some.reshape(len(orders), *(y.shape[:-2] or (1,) * len(lead)), *some.shape[-2:])
    shape = (len(orders), *lead, *some.shape[-2:])
    return some[None] if some[None].shape == shape else np.broadcast_to(some, shape)


def epochs(run: Prepared, state: State, orders: Orders, rates: Array) -> tuple[State, Reports]:
    """Train an epoch for each order; see `Engine`."""
    for views, params in zip(run.views, (state.params, *state.slots), strict=True):
        _copy(arrays(params), views)
    reports, running, ran, stood = _span(run, state, orders, rates)
    for buffer, end in zip((run.flat, *run.slots), stood, strict=False):
        buffer[...] = np.where(running[..., None], buffer, end)
    params, *slots = (_params(state.params, views) for views in run.views)
    after = attrs.evolve(
        state,
        params=params,
        slots=tuple(slots),
        t=state.t + ran * updates(run.plan, run.shapes),
        epoch=state.epoch + ran,
        running=read_only(np.array(running)),
    )
    return after, Reports(*map(read_only, reports.astype(run.shapes.dtype)))


def _params(like: Params, views: Sequence[Array]) -> Params:
    copies = (read_only(view.copy()) for view in views)
    return map_arrays(lambda _: next(copies), like)


def _span(run: Prepared, state: State, orders: Orders, rates: Array) -> tuple[Array, Array, int, list[Array]]:
    """Train in the buffers; return reports, who is still running, and how many epochs were run.

    The last that is returned are the buffers as the members that stopped left them; there are none while nobody stops.
    """
    buffers, running = (run.flat, *run.slots), np.array(state.running)
    stood = [] if running.all() else [buffer.copy() for buffer in buffers]
    reports = np.full((4 if run.held else 2, len(orders), *running.shape), np.nan)
    steady, per_epoch = reads_only_weights_and_data(run.plan, orders, rates), updates(run.plan, run.shapes)
    still = constant(rates) and not counts(run.plan)
    run.t[...], run.rate[...] = state.t + 1.0, _rate(run, rates)[0]
    longest = max(1, min(_rows(run.plan, run.shapes) // run.shapes.samples, KEPT_TOGETHER // per_epoch))
    done, one_by_one, standing = 0, 0, False
    while done < len(orders) and running.any():
        some = slice(done, min(len(orders), done + (1 if done < one_by_one else longest)))
        # What may have to be gone back to, or compared; of large networks the copy takes as long as a step.
        before = [buffer.copy() for buffer in buffers] if some.stop > done + 1 or (steady and standing) else None
        begun = done * per_epoch
        clock = zip(itertools.count(state.t + begun + 1.0), _rate(run, rates[begun:]), strict=False)
        measured = _block(run, orders[some], None if still else clock)
        stopping = ~_finite(run.flat) & running
        if stopping.any() and before is not None and some.stop > done + 1:  # rare: go back, and see in which epoch
            _copy(before, buffers)
            one_by_one = some.stop
            continue
        reports[:, some] = np.where(running, measured, np.nan)
        if stopping.any():
            stood = stood or [buffer.copy() for buffer in buffers]
            for end, buffer in zip(stood, buffers, strict=True):
                end[stopping] = buffer[stopping]
        running, done = running & ~stopping, some.stop
        standing = done > 1 and np.array_equal(reports[0, done - 1], reports[0, done - 2], equal_nan=True)
        if steady and standing and done < len(orders) and before and np.array_equal(before[0], run.flat):
            again = _block(run, orders[:1], None)  # it may have been a cycle
            if np.array_equal(before[0], run.flat):  # no: nothing will ever move again
                reports[:, done:] = np.where(running, again, np.nan)
                done = len(orders)
            _copy(before, buffers)
    return reports, running, done, stood


def _rate(run: Prepared, rates: Array) -> Array:
    """Return the rates of updates such that each fits the buffer for it."""
    return rates[..., None] if run.rate.ndim else rates


def _finite(flat: Array) -> Array:
    """Tell whose weights are all finite, (...)."""
    squares = np.isfinite(np.vecdot(flat, flat))  # in one pass, and rarely too large where they are
    return squares if squares.all() else np.isfinite(flat).all(axis=-1)


def _copy(sources: Sequence[Array], targets: Sequence[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target[...] = source
