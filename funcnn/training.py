"""Training: a fold over spans of epochs that leaves an immutable history."""

import functools
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import numpy as np

from . import arguments, engines, losses, memory
from . import validation as edge
from .engines import Data, Engine, Parts, Reports, Shapes
from .engines.contract import numbers
from .fold import checked_state, scan, selected, stepped
from .losses import loss_named
from .metrics import decision as decided
from .network import propagate
from .optimizers import OPTIMIZERS, optimizer_named, spread, with_arrays
from .records import (
    Array,
    Decision,
    Epoch,
    History,
    Loss,
    Optimizer,
    Params,
    Plan,
    State,
    arrays,
    map_arrays,
    read_only,
)
from .schedules import Schedule, factors_of, schedule_named

#: Seconds, roughly, between two looks at the keyboard and the progress bar; what a span reports is held twice.
SPAN = 0.1
#: Spans that are scanned over before it is asked whether the run is over.
SPANS = 1 << 10
#: Numbers in the orders of samples that are drawn for a span.
ORDERS = 1 << 15
#: Bytes that the records of a span take, beside what they hold.
SEGMENT = 1000
#: Rows of data for which the gradient norm is measured at once.
ROWS = 256


@attrs.frozen(eq=False)
class Task:
    """A training run whose arguments have been checked: what every span of it needs."""

    plan: Plan
    shapes: Shapes
    data: Data
    held: Data | None
    lr: Any  # a float, or (K,)
    schedule: Schedule | None
    shuffle_seed: int | None  # None where epochs take the samples as they come
    marks: "Marks"
    stop: Callable[[History], bool | None] | None
    progress: Callable[[int], object] | None
    on_epoch: Callable[[Epoch], object] | None
    engine: Engine
    run: Parts


@attrs.frozen(eq=False)
class Best:
    """The lowest validation loss of each member so far, and the state from which it can be reached again."""

    loss: Array
    epoch: Array  # epochs done when it was measured
    origin: State
    since: Array  # epochs done in ``origin``
    t: Array  # updates done in it


@attrs.frozen(eq=False)
class Fold:
    """The carry of training: where the run stands, what it has recorded, and whether it is over."""

    state: State
    segments: "tuple[Segment, ...]" = ()
    best: Best | None = None
    over: bool = False


@attrs.frozen(eq=False)
class Segment:
    """What a span of epochs gave, and what was measured when it began."""

    epoch: int
    reports: Reports
    grad_norm: Array | None
    begin: Params | None


def train(
    params: Params | State,
    x: Array,
    y: Array,
    *,
    lr: Any = 0.1,
    epochs: int = 9000,
    loss: str | Loss = "half_sse",
    optimizer: str | Optimizer = "sgd",
    batch_size: int | str = 1,
    clip: float | None = None,
    l2: float = 0.0,
    weight: Array | None = None,
    schedule: str | Schedule | None = None,
    decision: Decision | None = None,
    validation: tuple[Array, Array] | None = None,
    stop: Callable[[History], bool | None] | None = None,
    shuffle: bool = False,
    shuffle_seed: int = 0,
    engine: str = "auto",
    log_every: int = 500,
    snapshots: Iterable[int] = (),
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> tuple[Params, History]:
    """Train: the fold of `step` over batches and epochs.

    A leading axis anywhere (weights (K, fan_in, fan_out), x (K, n, d), y (K, n, k), lr (K,)) makes an ensemble, whose
    member k has the bits of its solo run. Divergence is a result: a network whose weights are no longer finite stops
    there, and the history holds the epochs up to then.

    Parameters
    ----------
    params
        The weights to start from; their dtype is the dtype of everything. Or a `State`, such as ``history.state``, to
        go on from: 60 epochs and 40 more have the bits of 100, with the same arguments.
    x, y
        Samples (n, d) and targets (n, k).
    lr
        Learning rate.
    epochs
        Passes over the samples: how many more, from a State.
    loss, optimizer
        By name, or one's own `Loss` and `Optimizer`. An optimizer's name may be followed by its constants:
        "NAME:number,…".
    batch_size
        Samples per update, or "full". The last batch of an epoch may be smaller.
    clip, l2
        The largest norm of a gradient, and weight decay; see `Plan`.
    weight
        (n,): what each sample's share in the objective is multiplied by. Losses are reported without it.
    schedule
        What the learning rate is multiplied by at each update: one of `funcnn.SCHEDULES` with its numbers, as
        "cosine:9000", or a function ``schedule(t) -> factors``; ``t`` is an array with the updates' numbers, 1.0 at the
        first.
    decision
        How accuracy reads predictions as classes; by default as `funcnn.decision` tells from ``y``.
    validation
        (x, y) to measure loss and accuracy on at the end of every epoch; `History.best` keeps the weights with which
        that loss was lowest.
    stop
        ``stop(history) -> bool``: asked of the history up to each epoch, without its state; the run ends with the first
        for which it is true.
    shuffle, shuffle_seed
        Whether each epoch takes the samples in an order of its own, drawn from ``default_rng([shuffle_seed, epoch])``.
    engine
        The name of an engine, or "auto" for the quickest that can run this; see ``funcnn.engines``.
    log_every
        Epochs between two measurements of the gradient norm.
    snapshots
        Epochs whose starting weights the history keeps; the last one's end is one more.
    threads
        How many threads train an ensemble, where the engine gains from several; by default one per core. Results do
        not depend on it.
    progress
        Called now and then with the number of epochs done.
    on_epoch
        Called with an `Epoch`, what the history records of it, for each of them: some at a time, after each span of
        some 0.1 s. What it returns changes nothing.

    Returns
    -------
    Params, History
        With NumPy's arrays, or with JAX's where the weights were such.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, unknown or of a shape that does not fit, if weights are not float64 or float32,
        if weights, x or y hold a value that is not finite, masked or too large for the weights' dtype, or if the loss
        takes logits and the last layer has an activation, or other targets.
    MemoryError
        If weights or history are more than the machine's memory holds.

    Examples
    --------
    >>> import funcnn
    >>> data = funcnn.xor()
    >>> params, history = funcnn.train(funcnn.init((2, 3, 3, 1), seed=14), data.x, data.y, epochs=60)
    >>> longer, _ = funcnn.train(history.state, data.x, data.y, epochs=40)
    >>> longer == funcnn.train(funcnn.init((2, 3, 3, 1), seed=14), data.x, data.y, epochs=100)[0]
    True
    """
    rule = optimizer_named(optimizer)
    state, data, held, lr = _checked(_begun(rule, params), x, y, lr, weight, validation)
    library = edge.library_of(params.params if isinstance(params, State) else params)
    plan = _plan(data, loss, rule, batch_size, clip, l2, decision)
    losses.check_signs(plan.loss, state.params)
    losses.check(plan.loss, state.params, data.y)
    if held:
        losses.check(plan.loss, state.params, held.y, "validation y")
    _try_own(plan, state, data)
    marks = _marks(state.epoch, epochs, log_every, snapshots)
    factors = None if schedule is None else schedule_named(schedule)
    seed = arguments.whole("shuffle_seed", shuffle_seed, least=0)
    order_seed = seed if arguments.flag("shuffle", shuffle) else None
    stop, progress = arguments.hook("stop", stop), arguments.hook("progress", progress)
    on_epoch = arguments.hook("on_epoch", on_epoch)
    threads = None if threads is None else arguments.whole("threads", threads, least=1)
    held_rows = 0 if held is None else held.x.shape[-2]
    shapes = engines.shapes_of(state.params, data.x.shape[-2], held_rows, library)
    ahead = None if stop else marks.stop - state.epoch
    check_memory(shapes, rule.slots, ahead, marks.logged.step, len(marks.kept))
    chosen = engines.choose(engine, plan, shapes, marks.stop - state.epoch)
    with np.errstate(all="ignore"):  # divergence is a result, not a warning
        run = engines.prepare(chosen, plan, shapes, data, held, threads)
        task = Task(plan, shapes, data, held, lr, factors, order_seed, marks, stop, progress, on_epoch, chosen, run)
        end = _folded(task, Fold(state, best=_no_best(state) if held else None))
        if chosen.library != library:
            end = attrs.evolve(end, state=_in_numpy(end.state))
        results: tuple[Params, History] = engines.given_back(shapes, (end.state.params, _history(task, end)))
    return results


def _begun(rule: Optimizer, params: Any) -> State:
    """Return the state to go on from; one that has not begun has the optimizer's fresh slots."""
    state = params if isinstance(params, State) else State(params)
    state = checked_state(rule, attrs.evolve(state, params=edge.in_numpy(state.params)), fresh=True)
    return _in_numpy(state)


def _in_numpy(state: State) -> State:
    """Return the state with NumPy's arrays, whatever library's its engine has left."""
    params, *slots = map(edge.in_numpy, (state.params, *state.slots))
    return attrs.evolve(
        state,
        params=params,
        slots=tuple(slots),
        t=float(state.t),
        epoch=int(state.epoch),
        running=np.asarray(state.running),
    )


def _try_own(plan: Plan, state: State, data: Data) -> None:
    """Update once with what is the user's own, so that its mistakes are told alike whatever engine is to run it."""
    report = losses.report_of(plan.loss)
    of_tables = [arguments.of_table(one, losses.LOSSES) for one in (plan.loss, report)]
    of_tables += [arguments.of_table(plan.optimizer, OPTIMIZERS)]
    if all(of_tables) and all(isinstance(layer.act, str) for layer in state.params.layers):
        return
    rows = slice(min(max(2, plan.batch_size), ROWS))  # two tell one for all from one for each
    x, y = (array[..., rows, :] for array in (data.x, data.y))
    with np.errstate(all="ignore"):
        _, y_hat = stepped(plan, _in_numpy(state), x, y, 0.1, None)
        for one in (plan.loss, report):
            losses.value(one, y_hat, np.broadcast_to(y, y_hat.shape))


def _checked(state: State, x: Any, y: Any, lr: Any, weight: Any, held: Any) -> tuple[State, Data, Data | None, Any]:
    """Return what `train` was given as arrays of one dtype, with the leading axis that any of them has."""
    network = state.params
    data = _samples(network, "", x, y, weight)
    held_data = None
    if held is not None:
        if not isinstance(held, tuple | list) or len(held) != 2:
            raise arguments.ArgumentTypeError(f"validation must be a pair (x, y), got {arguments.shown(held)}")
        held_data = _samples(network, "validation ", held[0], held[1], None)
    for array in arrays(network) if np.all(state.running) else ():
        edge.finite("weights", array)
    lr = edge.learning_rate(lr, network.layers[0].w)
    leads = {"x": data.x.shape[:-2], "y": data.y.shape[:-2], "lr": np.shape(lr)}
    if held_data is not None:
        leads |= {"validation x": held_data.x.shape[:-2], "validation y": held_data.y.shape[:-2]}
    lead = edge.leading(network, most=1, **leads)

    def copied(one: Params) -> Params:  # since what the caller does to it is not to show in the history
        # Row by row: NumPy would keep the order of what was spread, in which older ones sum otherwise.
        return map_arrays(lambda array: read_only(np.array(array, order="C")), spread(one, lead))

    slots = tuple(map(copied, state.slots))
    running = read_only(np.array(np.broadcast_to(state.running, lead)))
    state = attrs.evolve(state, params=copied(network), slots=slots, running=running)
    return state, data, held_data, np.broadcast_to(lr, lead) if lead else lr


def _samples(params: Params, prefix: str, x: Any, y: Any, weight: Any) -> Data:
    x = edge.features(params, edge.numbers(f"{prefix}x", x), f"{prefix}x")
    y = edge.targets(params, x, edge.numbers(f"{prefix}y", y), f"{prefix}y")
    edge.finite(f"{prefix}x", x)
    edge.finite(f"{prefix}y", y)
    return Data(x, y, None if weight is None else edge.sample_weight(weight, x, params.layers[0].w))


def _plan(
    data: Data, loss: Any, rule: Optimizer, batch_size: Any, clip: Any, l2: Any, decision: Decision | None
) -> Plan:
    loss = loss_named(loss)
    how = decided(loss, data.y) if decision is None else edge.decision("decision", decision)
    as_held: dict[str, Any] = {
        name: float(data.y.dtype.type(getattr(how, name))) for name in ("threshold", "low", "high")
    }
    return Plan(
        loss,
        rule,
        edge.batch_rows(batch_size, data.x.shape[-2]),
        None if clip is None else arguments.positive("clip", clip),
        arguments.positive("l2", l2, zero=True),
        attrs.evolve(how, **as_held),  # as the targets are rounded to the weights' dtype
    )


@attrs.frozen
class Marks:
    """The epochs at which spans are cut: where something is logged or kept, and the end."""

    logged: range
    kept: frozenset[int]
    stop: int


def _marks(start: int, epochs: Any, log_every: Any, snapshots: Iterable[Any]) -> Marks:
    stop = start + arguments.whole("epochs", epochs, least=1)
    every = arguments.whole("log_every", log_every, least=1)
    listed = arguments.listed("snapshots", snapshots, "list epochs, as (0, 100)")
    kept = frozenset(arguments.whole("snapshot", epoch, least=0) for epoch in listed)
    for epoch in sorted(kept):
        if not start <= epoch <= stop:
            side = f"beyond the last epoch, {stop}" if epoch > stop else f"before the first epoch, {start}"
            raise arguments.ArgumentValueError(f"snapshot {epoch} lies {side}")
    return Marks(range(-(-start // every) * every, stop, every), kept, stop)


def check_memory(shapes: Shapes, slots: int, epochs: int | None, log_every: int, kept: int) -> None:
    """Refuse a run that the machine's memory does not hold.

    Parameters
    ----------
    shapes
        Of the network.
    slots
        Of the optimizer.
    epochs
        None where it is unknown how many there will be.
    log_every, kept
        Epochs between two that are logged, and the number of snapshots.

    Raises
    ------
    MemoryError
        Saying how many bytes it would take.
    """
    members, size, layers = shapes.members or 1, np.dtype(shapes.dtype).itemsize, len(shapes.sizes) - 1
    name = "-".join(map(str, shapes.sizes))
    what = f"a {name} network" if shapes.members is None else f"{members:,} {name} networks"
    # Those that an update takes, moves and leaves, and the states that stay.
    copies = 5 + 3 * slots + kept
    memory.check(f"training {what}", copies * members * numbers(shapes) * size)
    if epochs is not None:
        figures, logs = (4 if shapes.held else 2) * members * size, epochs // log_every
        # What spans report is held once more where it is put together.
        history = epochs * (2 * figures + 8) + logs * (SEGMENT + 16 * layers * members)
        memory.check(f"the history of {epochs:,} epochs of {what}, every {log_every}th logged,", history)


def _spans(task: Task, start: int) -> Iterator[range]:
    """Cut the epochs at the marks, and where a span would take long."""
    few, many = (task.engine.seconds(task.plan, task.shapes, count) for count in (1, 1001))
    seconds = (many - few) / 1000 + 2e-5 * (task.shuffle_seed is not None)  # drawing an order takes as two steps
    longest = max(1, int(SPAN / seconds))
    if task.shuffle_seed is not None:
        longest = max(1, min(longest, ORDERS // task.shapes.samples))
    others = sorted({start, *task.marks.kept, task.marks.stop})
    for begin, end in itertools.pairwise(heapq.merge(task.marks.logged, others)):
        for first in range(begin, end, longest):
            yield range(first, min(first + longest, end))


def _folded(task: Task, fold: Fold) -> Fold:
    """Scan over the spans, some at a time: where ``stop`` ends a run, there may be more than anybody waits for."""
    start = fold.state.epoch
    spans = _spans(task, start)
    while not _is_over(fold) and (some := tuple(itertools.islice(spans, SPANS))):
        fold, _ = scan(functools.partial(_span, task, start), fold, some)
    return fold


def _is_over(fold: Fold) -> bool:
    return fold.over or not np.any(fold.state.running)


def _span(task: Task, start: int, fold: Fold, span: range) -> tuple[Fold, None]:
    """Train for a span of epochs: the step of the fold."""
    state = fold.state
    if _is_over(fold):
        return fold, None
    after, reports = _epochs(task, state, span)
    logged, kept = span[0] in task.marks.logged, span[0] in task.marks.kept
    norm = _grad_norm(task, edge.as_numpy(state.params)) if logged else None
    begin = edge.as_numpy(state.params) if kept else None
    segments = (*fold.segments, Segment(span[0], _first(reports, after.epoch - state.epoch), norm, begin))
    if task.stop is not None:
        end = _stopping(task, attrs.evolve(fold, state=after, segments=segments), state.epoch)
        if end is not None and end < after.epoch:
            after, reports = _epochs(task, state, range(span[0], end))
            segments = (*fold.segments, Segment(span[0], _first(reports, end - state.epoch), norm, begin))
        fold = attrs.evolve(fold, over=end is not None)
    best = None if fold.best is None else _better(fold.best, state, segments[-1].reports)
    if task.on_epoch is not None:
        for epoch in _told(segments[-1]):
            arguments.called("on_epoch", task.on_epoch, epoch)
    if task.progress is not None:
        arguments.called("progress", task.progress, after.epoch - start)
    return attrs.evolve(fold, state=after, segments=segments, best=best), None


def _told(segment: Segment) -> Iterator[Epoch]:
    """Yield what a span recorded, epoch by epoch."""
    reports = attrs.astuple(segment.reports, recurse=False)
    for place in range(len(segment.reports.loss)):
        yield Epoch(segment.epoch + place, *(None if figure is None else figure[place] for figure in reports))


def _epochs(task: Task, state: State, span: range) -> tuple[State, Reports]:
    return engines.epochs(task.run, state, _orders(task, span), _rates(task, state.t, len(span)))


def _orders(task: Task, span: range) -> list[Array | None]:
    """Return the orders in which these epochs take the samples."""
    n, seed = task.data.x.shape[-2], task.shuffle_seed
    return [None if seed is None else np.random.default_rng([seed, epoch]).permutation(n) for epoch in span]


def _rates(task: Task, t: float, epochs: int) -> Array:
    """Return the learning rate of each update of so many epochs, (updates,) or (updates, K)."""
    count = epochs * -(-task.data.x.shape[-2] // task.plan.batch_size)
    lr = np.asarray(task.lr, float)
    if task.schedule is None:
        return np.broadcast_to(lr, (count, *lr.shape))
    factors = factors_of(task.schedule, t + np.arange(1.0, count + 1))
    if lr.ndim and lr.strides[0] == 0:  # which all members share
        return np.broadcast_to((lr[0] * factors)[:, None], (count, *lr.shape))
    return lr * factors.reshape(-1, *[1] * lr.ndim)


def _first(reports: Reports, epochs: int) -> Reports:
    """Return the reports of the first so many epochs: those that some member ran."""
    figures = (reports.loss, reports.accuracy, reports.val_loss, reports.val_accuracy)
    return Reports(*(None if figure is None else figure[:epochs] for figure in figures))


def _stopping(task: Task, fold: Fold, before: int) -> int | None:
    """Return after which epoch the run is to end, the first of the span of whose history `stop` says so; or None."""
    history = _history(task, attrs.evolve(fold, best=None))
    stop: Any = task.stop
    first = history.epoch[0]
    for end in range(before + 1, fold.state.epoch + 1):
        names = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
        figures = {name: getattr(history, name) for name in names}
        shown: dict[str, Any] = {
            name: None if figure is None else figure[: end - first] for name, figure in figures.items()
        }
        snapshots = tuple(pair for pair in history.snapshots if pair[0] < end)
        said = arguments.called("stop", stop, attrs.evolve(history, state=None, snapshots=snapshots, **shown))
        if not isinstance(said, bool | np.bool_ | None):
            raise arguments.ArgumentTypeError(
                f"stop must give True to end the run there, or False, got {arguments.shown(said)}"
            )
        if said:
            return end
    return None


def _no_best(state: State) -> Best:
    shape = np.shape(state.running)
    epoch, t = np.full(shape, state.epoch), np.full(shape, state.t)
    return Best(np.full(shape, np.inf), epoch, state, epoch, t)


def _better(best: Best, state: State, reports: Reports) -> Best:
    """Return the best epochs once more, after a span that began in ``state``."""
    measured = np.asarray(reports.val_loss)
    losses_ = np.where(np.isfinite(measured), measured, np.inf)
    lowest = losses_.argmin(axis=0)
    loss = np.take_along_axis(losses_, lowest[None], axis=0)[0]
    lower = loss < best.loss
    if not np.any(lower):
        return best
    pairs = zip((state.params, *state.slots), (best.origin.params, *best.origin.slots), strict=True)
    params, *slots = (selected(lower, *map(edge.as_numpy, pair)) for pair in pairs)
    running = np.where(lower, state.running, best.origin.running)
    return Best(
        np.where(lower, loss, best.loss),
        np.where(lower, state.epoch + lowest + 1, best.epoch),
        attrs.evolve(state, params=params, slots=tuple(slots), running=running),
        np.where(lower, state.epoch, best.since),
        np.where(lower, state.t, best.t),
    )


def _reached(task: Task, best: Best) -> tuple[Array, Params]:
    """Return the best epochs and their weights: the spans that they lie in are run again to there.

    Members whose spans began together are run together, from one best epoch to the next.
    """
    if not np.ndim(best.epoch):
        state = attrs.evolve(best.origin, epoch=int(best.since), t=float(best.t))
        span = range(int(best.since), int(best.epoch))
        return int(best.epoch), edge.as_numpy((_epochs(task, state, span)[0] if span else state).params)
    found = [np.array(array) for array in arrays(best.origin.params)]
    for since in np.unique(best.since):
        members = np.flatnonzero(best.since == since)
        group, state = _together(task, best, members)
        for epoch in np.unique(best.epoch[members]):
            if epoch > since:
                state, _ = _epochs(group, state, range(state.epoch, int(epoch)))
            here = best.epoch[members] == epoch
            some = np.asarray(members)[here] if task.engine.whole else here
            for target, source in zip(found, arrays(edge.as_numpy(state.params)), strict=True):
                target[members[here]] = source[some]
    return read_only(best.epoch), with_arrays(best.origin.params, list(map(read_only, found)))


def _together(task: Task, best: Best, members: Array) -> tuple[Task, State]:
    """Return the run of some members whose spans began together, and where it begins."""
    since, t = int(best.since[members[0]]), float(best.t[members[0]])
    begin = attrs.evolve(best.origin, epoch=since, t=t)
    if task.engine.whole:
        return task, begin
    run = engines.prepare_members(task.engine, task.plan, task.shapes, task.data, task.held, members)
    lr = task.lr if np.ndim(task.lr) == 0 else task.lr[members]
    return attrs.evolve(task, run=run, lr=lr), engines.cut(begin, members)


def _history(task: Task, fold: Fold) -> History:
    segments, state = fold.segments, fold.state
    none = np.empty((0, *np.shape(state.running)), task.shapes.dtype)  # a run that stood still from the start
    parts = [one.reports for one in segments] or [Reports(none, none, *([none] * 2 if task.held else []))]
    figures = zip(*(attrs.astuple(part, recurse=False) for part in parts), strict=True)
    loss, accuracy, val_loss, val_accuracy = (
        None if some[0] is None else read_only(np.concatenate(some)) for some in figures
    )
    norms = [(one.epoch, one.grad_norm) for one in segments if one.grad_norm is not None]
    snapshots = [(one.epoch, one.begin) for one in segments if one.begin is not None]
    if state.epoch in task.marks.kept and (np.any(state.running) or state.epoch == task.marks.stop):
        snapshots.append((state.epoch, edge.as_numpy(state.params)))
    layers = len(state.params.layers)
    return History(
        epoch=read_only(state.epoch - len(loss) + np.arange(len(loss))),  # type: ignore[arg-type]
        loss=loss,
        accuracy=accuracy,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        logged=read_only(np.array([epoch for epoch, _ in norms], int)),
        grad_norm=read_only(
            np.stack([norm for _, norm in norms]) if norms else np.empty((0, layers, *np.shape(state.running)))
        ),
        snapshots=tuple(snapshots),
        state=state,
        best=None if fold.best is None else _reached(task, fold.best),
        engine=task.engine.name,
    )


def _grad_norm(task: Task, params: Params) -> Array:
    """Return the 2-norm of the gradient over all samples, (L,) or (L, K), from some rows of the data at a time."""
    (x, y, weight), loss, n = attrs.astuple(task.data, recurse=False), task.plan.loss, task.data.x.shape[-2]
    total: list[Any] = []
    for begin in range(0, n, ROWS):
        rows = slice(begin, begin + ROWS)
        xs, ys = x[..., rows, :], y[..., rows, :]
        found = arrays(propagate(params, xs, ys, loss, None if weight is None else weight[rows])[-1])
        if n > ROWS:  # the slope of a mean over some rows is not yet that over all
            some, all_ = (losses.count(loss, many, y.shape[-1]) for many in (xs.shape[-2], n))
            found = [g * (some / all_) for g in found]
        total = found if not total else [a + b for a, b in zip(total, found, strict=True)]
    gradient = with_arrays(params, total)
    squares = [
        sum(np.sum(g * g, axis=(-2, -1)) for g in (layer.w, layer.b) if g is not None) for layer in gradient.layers
    ]
    return read_only(np.sqrt(np.stack(squares)))
