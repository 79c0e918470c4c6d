"""Training: a fold over epochs that leaves an immutable history."""

import functools
import itertools
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import attrs
import numpy as np

from . import validation
from .engines import CACHE, ENGINES, choose_engine, engine_start, room
from .losses import loss_named
from .network import forward, grads
from .records import Array, History, Loss, Params, arrays, map_arrays, read_only

Carry = TypeVar("Carry")
X = TypeVar("X")
Y = TypeVar("Y")

#: Seconds, roughly, between two looks at the keyboard and the progress bar; what a span reports is held twice.
SPAN = 0.1
#: Rows of data for which the gradient norm is measured at once.
ROWS = 1024


def scan(step: Callable[[Carry, X], tuple[Carry, Y]], carry: Carry, xs: Iterable[X]) -> tuple[Carry, tuple[Y, ...]]:
    """Fold ``step`` over ``xs`` and keep what each step puts out: ``jax.lax.scan`` without the stacking.

    Parameters
    ----------
    step
        ``step(carry, x) -> (carry, y)``.
    carry
        The first carry.
    xs
        What to fold over.

    Returns
    -------
    carry, ys
        The last carry, and a tuple with the y of every step.
    """
    ys = []
    for x in xs:
        carry, y = step(carry, x)
        ys.append(y)
    return carry, tuple(ys)


def train(
    params: Params,
    x: Array,
    y: Array,
    *,
    lr: Any = 0.1,
    epochs: int = 9000,
    loss: str | Loss = "half_sse",
    batch_size: int | str = 1,
    shuffle: bool = False,
    shuffle_seed: int = 0,
    engine: str = "auto",
    log_every: int = 500,
    snapshots: Iterable[int] = (),
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[Params, History]:
    """Train by gradient descent: the fold of ``sgd_step(params, grads(params, xb, yb), lr)`` over batches and epochs.

    A leading axis anywhere (weights (K, fan_in, fan_out), x (K, n, d), y (K, n, k), lr (K,)) makes an ensemble, whose
    member k has the bits of its solo run. Divergence is a result: a network whose weights are no longer finite stops
    there, and the history holds the epochs up to then.

    Parameters
    ----------
    params
        The weights to start from; their dtype is the dtype of everything.
    x, y
        Samples (n, d) and targets (n, k).
    lr
        Learning rate.
    epochs
        Passes over the samples.
    loss
        "half_sse", "mse", or one's own `Loss`.
    batch_size
        Samples per update, or "full". The last batch of an epoch may be smaller.
    shuffle, shuffle_seed
        Whether each epoch takes the samples in an order of its own, drawn from ``default_rng([shuffle_seed, epoch])``.
    engine
        "numpy", "compiled" (extra ``[fast]``), or "auto": see `choose_engine`.
    log_every
        Epochs between two measurements of the gradient norm.
    snapshots
        Epochs whose starting weights the history keeps; ``epochs`` itself stands for the final ones.
    threads
        How many threads train an ensemble in the kernel; by default one per core. Results do not depend on it. NumPy
        runs in one, beside those of its BLAS: its calls on small arrays wait for each other more than they gain.
    progress
        Called now and then with the number of epochs done.

    Returns
    -------
    Params, History

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, unknown or of a shape that does not fit, if weights are not float64 or float32,
        or if weights, x or y hold a value that is not finite, masked or too large for the weights' dtype.
    """
    params = validation.in_numpy(params)
    x = validation.features(params, validation.numbers("x", x))
    y = validation.targets(params, x, validation.numbers("y", y))
    lr = validation.learning_rate(lr, params.layers[0].w)
    for name, array in (("x", x), ("y", y), *(("weights", array) for array in arrays(params))):
        validation.finite(name, array)
    n = validation.whole("number of samples", x.shape[-2], least=1)
    loss = loss_named(loss)
    validation.known("engine", engine, dict.fromkeys(ENGINES))
    epochs, log_every = validation.whole("epochs", epochs, least=1), validation.whole("log_every", log_every, least=1)
    rows = validation.batch_rows(batch_size, n)
    seed = validation.whole("shuffle_seed", shuffle_seed, least=0)
    kept = {validation.whole("snapshot", epoch, least=0) for epoch in snapshots}
    if max(kept, default=0) > epochs:
        raise ValueError(f"snapshot {max(kept)} lies beyond the last epoch, {epochs}")
    threads = validation.whole("threads", _cores() if threads is None else threads, least=1)
    params, x, y, lr = _spread(params, x, y, lr)
    if engine == "auto":
        engine = choose_engine(params, n, rows, epochs, loss)
    start = engine_start(engine, params, loss)
    threads = threads if engine == "compiled" else 1
    parts = [
        (*start(part, xs, ys, lr=rates, loss=loss, batch_size=rows), xs, ys)
        for part, xs, ys, rates in _parts(params, x, y, lr, rows if engine == "numpy" else 1, threads, CACHE[engine])
    ]
    logged = set(range(0, epochs, log_every))
    spans = _spans(params, n, rows, epochs, engine, shuffle, logged | kept | {epochs})

    def segment(running: bool, span: range) -> tuple[bool, _Segment | None]:
        if not running:  # every member has diverged
            return False, None
        orders = [np.random.default_rng([seed, epoch]).permutation(n) if shuffle else None for epoch in span]
        work = functools.partial(_advance, orders, loss, span[0] in logged, span[0] in kept)
        done = _put_together(span[0], list(each(work, parts)))
        if done and progress:
            progress(span.stop)
        return done is not None and len(done.loss) == len(span), done

    with ThreadPoolExecutor(threads) as pool:
        each: Any = pool.map if threads > 1 and len(parts) > 1 else map
        _, segments = scan(segment, True, spans)
    final = _join_params([current() for _, current, _, _ in parts])
    history = _history([one for one in segments if one], engine)
    if epochs in kept and len(history.loss) == epochs:
        history = attrs.evolve(history, snapshots=(*history.snapshots, (epochs, final)))
    return final, history


@attrs.frozen(eq=False)
class _Segment:
    """What a span of epochs gave: losses (E,) or (E, K), and what was measured when it began."""

    epoch: int
    loss: Array
    accuracy: Array
    grad_norm: Array | None
    begin: Params | None


def _advance(orders: Sequence[Array | None], loss: Loss, logged: bool, kept: bool, part: Any) -> tuple[Any, ...]:
    """Train one part of an ensemble for a span of epochs."""
    advance, current, x, y = part
    with np.errstate(all="ignore"):  # divergence is a result, not a warning
        begin = current() if logged or kept else None
        norm = _grad_norm(begin, x, y, loss) if logged and begin else None
        return begin if kept else None, norm, *advance(orders)


def _put_together(epoch: int, parts: Sequence[tuple[Any, ...]]) -> _Segment | None:
    """Put together what the parts gave; None when every member had stopped before."""
    begins, norms, losses, accuracies = zip(*parts, strict=True)
    loss, accuracy = _join(losses), _join(accuracies)
    # A member that has stopped has no accuracy any more, so a row without any is beyond the run.
    ran = np.count_nonzero(~np.all(np.isnan(accuracy).reshape(len(accuracy), -1), axis=1))
    norm = None if norms[0] is None else _join(norms)
    begin = None if begins[0] is None else _join_params(begins)
    return _Segment(epoch, loss[:ran], accuracy[:ran], norm, begin) if ran else None


def _history(segments: Sequence[_Segment], engine: str) -> History:
    loss = read_only(np.concatenate([one.loss for one in segments]))
    norms = [(one.epoch, one.grad_norm) for one in segments if one.grad_norm is not None]
    return History(
        epoch=read_only(np.arange(len(loss))),
        loss=loss,
        accuracy=read_only(np.concatenate([one.accuracy for one in segments])),
        logged=read_only(np.array([epoch for epoch, _ in norms])),
        grad_norm=read_only(np.stack([norm for _, norm in norms])),
        snapshots=tuple((one.epoch, one.begin) for one in segments if one.begin is not None),
        engine=engine,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spread(params: Params, x: Array, y: Array, lr: Any) -> tuple[Params, Array, Array, Any]:
    """Give weights and rates the leading axis that any of the arrays has."""
    lead = validation.leading(params, most=1, x=x.shape[:-2], y=y.shape[:-2], lr=np.shape(lr))
    if not lead:
        return params, x, y, lr
    params = map_arrays(lambda array: np.broadcast_to(array, (*lead, *array.shape[-2:])), params)
    return params, x, y, np.broadcast_to(lr, lead)


def _parts(
    params: Params, x: Array, y: Array, lr: Any, rows: int, threads: int, cache: int
) -> Iterator[tuple[Params, Array, Array, Any]]:
    """Cut an ensemble into parts that keep all threads busy and fit the cache."""
    first = params.layers[0].w
    if first.ndim == 2:
        yield params, x, y, lr
        return
    members = len(first)
    size = max(1, min(-(-members // threads), cache // room(params, rows)))
    for begin in range(0, members, size):
        some = slice(begin, begin + size)
        xs, ys = (array[some] if array.ndim == 3 and len(array) > 1 else array for array in (x, y))
        yield map_arrays(operator.itemgetter(some), params), xs, ys, lr[some]


def _join(arrays: Sequence[Array]) -> Array:
    """Put the parts of an ensemble together along their last axis; a solo run is its only part."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)


def _join_params(parts: Sequence[Params]) -> Params:
    pieces = zip(*map(arrays, parts), strict=True)
    return parts[0] if len(parts) == 1 else map_arrays(lambda _: read_only(np.concatenate(next(pieces))), parts[0])


def _spans(
    params: Params, n: int, rows: int, epochs: int, engine: str, shuffle: bool, marks: set[int]
) -> Iterator[range]:
    """Cut the epochs at the marks, and where a span would take long."""
    multiplications = n * sum(layer.w.size for layer in params.layers)
    seconds = 5e-9 * multiplications if engine == "compiled" else 1e-5 * -(-n // rows) + 1e-10 * multiplications
    longest = max(1, int(SPAN / (seconds + 2e-5 * shuffle)))  # drawing an order takes about as long as two steps
    for begin, end in itertools.pairwise(sorted(marks)):
        for first in range(begin, end, longest):
            yield range(first, min(first + longest, end))


def _grad_norm(params: Params, x: Array, y: Array, loss: Loss) -> Array:
    """Return the 2-norm of the gradient over all samples, (L,) or (L, K), from some rows of the data at a time."""
    if x.shape[-2] <= ROWS:
        total = grads(params, x, y, loss=loss)
    else:  # the gradient is linear in the error at the output, so it is the sum of those from some rows each
        pieces = [slice(begin, begin + ROWS) for begin in range(0, x.shape[-2], ROWS)]
        y_hat = np.concatenate([forward(params, x[..., rows, :]) for rows in pieces], axis=-2)
        error = validation.elementwise("loss", loss.name, loss.gradient, y_hat, y)
        given = attrs.evolve(loss, gradient=lambda y_hat, error: error)
        parts = [arrays(grads(params, x[..., rows, :], error[..., rows, :], loss=given)) for rows in pieces]
        sums = map(sum, zip(*parts, strict=True))
        total = map_arrays(lambda _: next(sums), params)
    squares = [sum(np.sum(g * g, axis=(-2, -1)) for g in (layer.w, layer.b) if g is not None) for layer in total.layers]
    return np.sqrt(np.stack(squares))
