"""Training: a fold over epochs that leaves an immutable history."""

import itertools
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

from . import checks, workspace
from .losses import LOSSES, loss_named
from .network import forward, grads
from .optimizers import sgd_step
from .records import Activation, Array, History, Loss, Params, arrays, map_arrays, read_only

Carry = TypeVar("Carry")
X = TypeVar("X")
Y = TypeVar("Y")

ENGINES = ("auto", "numpy", "compiled")

#: Multiplications between two looks at the keyboard and the progress bar: some tenths of a second.
SEGMENT_WORK = 1 << 27
#: Bytes that a part of an ensemble may work on: a core's second cache for NumPy, its first for the kernel.
CACHE = {"numpy": 1 << 19, "compiled": 1 << 16}
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
        How many threads train an ensemble; by default one per core. Results do not depend on it.
    progress
        Called now and then with the number of epochs done.

    Returns
    -------
    Params, History

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, unknown or of a shape that does not fit, or if x or y holds a value that is
        not finite.
    """
    x, y, lr = checks.numbers("x", x), checks.numbers("y", y), checks.learning_rate(lr)
    checks.samples(params, x, y)
    checks.finite("x", x)
    checks.finite("y", y)
    n = checks.whole("number of samples", x.shape[-2], least=1)
    loss = loss_named(loss)
    checks.known("engine", engine, dict.fromkeys(ENGINES))
    epochs, log_every = checks.whole("epochs", epochs, least=1), checks.whole("log_every", log_every, least=1)
    rows = n if batch_size == "full" else min(n, checks.whole("batch_size", batch_size, least=1))
    seed = checks.whole("shuffle_seed", shuffle_seed, least=0)
    kept = {checks.whole("snapshot", epoch, least=0) for epoch in snapshots}
    if max(kept, default=0) > epochs:
        raise ValueError(f"snapshot {max(kept)} lies beyond the last epoch, {epochs}")
    threads = checks.whole("threads", _cores() if threads is None else threads, least=1)
    params, x, y, lr = _spread(params, x, y, lr)
    if engine == "auto":
        engine = choose_engine(params, n, rows, epochs, loss)
    start = _engine(engine, params, loss)
    parts = [
        (*start(part, xs, ys, lr=rates, loss=loss, batch_size=rows), xs, ys)
        for part, xs, ys, rates in _parts(params, x, y, lr, rows if engine == "numpy" else 1, threads, CACHE[engine])
    ]

    def segment(running: bool, span: range) -> tuple[bool, tuple[Any, ...] | None]:
        """Train every part for a span of epochs, unless all members have diverged."""
        if not running:
            return False, None
        orders = [np.random.default_rng([seed, epoch]).permutation(n) if shuffle else None for epoch in span]

        def work(part: tuple[Any, ...]) -> tuple[Any, ...]:
            advance, current, xs, ys = part
            with np.errstate(all="ignore"):  # divergence is a result, not a warning
                begin = current() if span[0] % log_every == 0 or span[0] in kept else None
                norm = _grad_norm(begin, xs, ys, loss) if begin and span[0] % log_every == 0 else None
                return begin, norm, *advance(orders)

        begins, norms, losses, accuracies = zip(*each(work, parts), strict=True)
        if progress:
            progress(span.stop)
        losses, accuracies = _join(losses), _join(accuracies)
        # A member that has stopped has no accuracy any more, so a row without any is beyond the run.
        ran = int(np.sum(~np.all(np.isnan(accuracies).reshape(len(span), -1), axis=1)))
        if not ran:
            return False, None
        norm = None if norms[0] is None else _join(norms)
        snapshot = _join_params(begins) if span[0] in kept else None
        return ran == len(span), (span[0], losses[:ran], accuracies[:ran], norm, snapshot)

    spans = _spans(params, n, rows, epochs, {*range(0, epochs, log_every), *kept, epochs})
    with ThreadPoolExecutor(threads) as pool:
        each: Any = pool.map if len(parts) > 1 else map
        _, segments = scan(segment, True, spans)
    begins, losses, accuracies, norms, weights = zip(*[one for one in segments if one], strict=True)
    final = _join_params([current() for _, current, _, _ in parts])
    loss_of_epoch = read_only(np.concatenate(losses))
    taken = [(begin, snapshot) for begin, snapshot in zip(begins, weights, strict=True) if snapshot]
    if epochs in kept and len(loss_of_epoch) == epochs:
        taken.append((epochs, final))
    return final, History(
        epoch=read_only(np.arange(len(loss_of_epoch))),
        loss=loss_of_epoch,
        accuracy=read_only(np.concatenate(accuracies)),
        logged=read_only(np.array([b for b, norm in zip(begins, norms, strict=True) if norm is not None])),
        grad_norm=read_only(np.stack([norm for norm in norms if norm is not None])),
        snapshots=tuple(taken),
        engine=engine,
    )


def choose_engine(params: Params, n: int, batch_size: int, epochs: int, loss: Loss) -> str:
    """Name the faster engine for a run: what ``engine="auto"`` means.

    "compiled" where it can run and pays: where a NumPy call costs more than the arithmetic in it.
    """
    if _obstacle(params, loss):
        return "numpy"
    return "compiled"


def _engine(engine: str, params: Params, loss: Loss) -> Any:
    """Return the ``start`` function of an engine, or say why it cannot run this."""
    if engine == "numpy":
        return workspace.start
    if obstacle := _obstacle(params, loss):
        raise ValueError(f"engine 'compiled' cannot run this: {obstacle}; engine='numpy' can")
    from . import kernels

    return kernels.start


def _obstacle(params: Params, loss: Loss) -> str | None:
    """Say why the compiled engine cannot run this, or None where it can."""
    if not find_spec("numba"):
        return "it needs numba: pip install 'funcnn[fast]'"
    if LOSSES.get(loss.name) is not loss:
        return f"it knows the losses {', '.join(LOSSES)}, not one's own {loss.name!r}"
    own = [layer.act for layer in params.layers if isinstance(layer.act, Activation)]
    if own:
        from . import kernels

        for act in own:
            if not kernels.can_compile(act):
                return f"numba cannot compile the activation {act.name!r}"
    return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spread(params: Params, x: Array, y: Array, lr: Any) -> tuple[Params, Array, Array, Any]:
    """Give every array the weights' dtype, and weights and rates the leading axis that any of the arrays has."""
    first = params.layers[0].w
    for array in arrays(params):
        if array.dtype != first.dtype or first.dtype.kind != "f":
            raise TypeError(f"weights must all be float64 or float32, got {first.dtype} and {array.dtype}")
        if array.shape[:-2] != first.shape[:-2]:
            raise ValueError(
                f"the layers of params differ in their leading axis: {first.shape[:-2]} and {array.shape[:-2]}"
            )
    leads = {"params": first.shape[:-2], "x": x.shape[:-2], "y": y.shape[:-2], "lr": np.shape(lr)}
    try:
        lead = np.broadcast_shapes(*leads.values())
    except ValueError:
        lead = (0, 0)
    if len(lead) > 1:
        shapes = ", ".join(f"{name} {shape}" for name, shape in leads.items() if shape)
        raise ValueError(f"an ensemble has one leading axis, of the same length everywhere, got {shapes}")
    if not lead:
        return params, np.ascontiguousarray(x, first.dtype), np.ascontiguousarray(y, first.dtype), lr
    params = map_arrays(lambda array: np.broadcast_to(array, (*lead, *array.shape[-2:])), params)
    x, y = (np.ascontiguousarray(array, first.dtype) for array in (x, y))
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
    per_member = sum(3 * layer.w[0].size + 5 * rows * layer.w.shape[-1] for layer in params.layers) * first.itemsize
    size = max(1, min(-(-members // threads), cache // per_member))
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


def _spans(params: Params, n: int, rows: int, epochs: int, marks: set[int]) -> Iterator[range]:
    """Cut the epochs at the marks, and where a span would take long."""
    weights = sum(layer.w.size for layer in params.layers)
    longest = max(1, SEGMENT_WORK // (3 * n * weights + 1000 * n // rows))
    for begin, end in itertools.pairwise(sorted(marks)):
        for first in range(begin, end, longest):
            yield range(first, min(first + longest, end))


def _grad_norm(params: Params, x: Array, y: Array, loss: Loss) -> Array:
    """Return the 2-norm of the gradient over all samples, (L,) or (L, K), from some rows of the data at a time."""
    pieces = [x[..., begin : begin + ROWS, :] for begin in range(0, x.shape[-2], ROWS)]
    error = loss.gradient(np.concatenate([forward(params, piece) for piece in pieces], axis=-2), y)
    given = Loss("given", lambda y_hat, error: 0, lambda y_hat, error: error, None)
    total: Params | None = None
    for index, piece in enumerate(pieces):
        part = grads(params, piece, error[..., index * ROWS : (index + 1) * ROWS, :], loss=given)
        total = part if total is None else sgd_step(total, part, -1.0)
    assert total is not None
    squares = [sum(np.sum(g * g, axis=(-2, -1)) for g in (layer.w, layer.b) if g is not None) for layer in total.layers]
    return np.sqrt(np.stack(squares))
