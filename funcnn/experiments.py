"""Experiments described as data, and what running one gives."""

import hashlib
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from . import engines, losses, memory, training, validation
from .activations import ACTIVATIONS
from .data import dataset
from .engines import Shapes
from .losses import LOSSES, loss_named, report_of
from .metrics import accuracy, decision
from .network import forward, init
from .optimizers import OPTIMIZERS, optimizer_named, shapes
from .records import (
    Activation,
    Array,
    Dataset,
    Decision,
    History,
    Loss,
    Optimizer,
    Params,
    State,
    arrays,
    map_arrays,
    read_only,
)
from .schedules import SCHEDULES, Schedule
from .training import train

#: The smallest seed with which XOR and linear reach 100 % with sigmoid and ReLU learns XOR, all at the defaults.
DEFAULT_SEED = 14


def _plain(value: Any) -> Any:
    """Return an experiment's field as data that hash and become JSON.

    Sequences are tuples, NumPy's numbers are Python's, and what is of the tables is its name there.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, range):
        memory.check(f"{value!r} as a tuple", memory.NUMBER * len(value))
    if isinstance(value, list | tuple | range | np.ndarray):
        return tuple(_plain(one) for one in value)
    for kind, table in ((Activation, ACTIVATIONS), (Loss, LOSSES), (Optimizer, OPTIMIZERS)):
        if isinstance(value, kind) and validation.of_table(value, table):
            return value.name if value == table[value.name] else text_of(value)
    return next((name for name, function in SCHEDULES.items() if function is value), value)


def text_of(record: Any) -> str:
    """Return the text that names an activation, a loss or an optimizer, its numbers included: "adam:0.9,0.999,1e-08".

    Examples
    --------
    >>> import funcnn
    >>> text_of(funcnn.OPTIMIZERS["momentum"])
    'momentum:0.9'
    """
    numbers = ",".join(repr(float(number)) for number in getattr(record, "hyper", ()))
    return f"{record.name}:{numbers}" if numbers else str(record.name)


def _plain_fields(_: type, fields: list[Any]) -> list[Any]:
    return [field.evolve(converter=_plain) for field in fields]


@attrs.frozen(field_transformer=_plain_fields)
class Experiment:
    """A training run described as data: hashable, and JSON by `attrs.asdict` where all that it names is built in.

    The fields are arguments of `init` and `train`. ``hidden`` are the widths of the hidden layers, ``data_seed`` draws
    the data, and ``seed`` the initial weights; several of these, or several rates ``lr``, make an ensemble: one per
    member, and what is given once is every member's. ``scheme``, ``bias_init``, ``optimizer`` and ``schedule`` are
    names, perhaps followed by numbers: "adam:0.9,0.99". Activations, loss and optimizer may be records of one's own,
    and the schedule a function.

    ``start`` says where the initial weights were taken from if no seed drew them, and ``start_sha256`` which they were
    (see `weights_sha256`). An experiment that says so runs from these weights only.
    """

    data: str = "xor"
    hidden: tuple[int, ...] = (3, 3)
    act: str | Activation | tuple[str | Activation, ...] = "sigmoid"
    out_act: str | Activation | None = None
    bias: bool = False
    scheme: str = "normal"
    bias_init: str | None = None
    loss: str | Loss = "half_sse"
    optimizer: str | Optimizer = "sgd"
    lr: float | tuple[float, ...] = 0.1
    schedule: str | Schedule = "constant"
    epochs: int = 9000
    batch_size: int | str = 1
    clip: float | None = None
    l2: float = 0.0
    shuffle: bool = False
    shuffle_seed: int = 0
    seed: int | tuple[int, ...] = DEFAULT_SEED
    data_seed: int | tuple[int, ...] = 0
    log_every: int = 500
    engine: str = "auto"
    start: str | None = None
    start_sha256: str | None = None


@attrs.frozen
class Run:
    """All that a run gave; every picture is drawn from this alone. ``history.snapshots`` has the initial weights.

    ``train`` and ``test`` have a leading axis where the members of an ensemble have data of their own. ``decision`` is
    how predictions are read as classes, as the training targets tell.
    """

    experiment: Experiment
    params: Params
    history: History
    train: Dataset
    test: Dataset
    decision: Decision = Decision()


def run(
    experiment: Experiment,
    *,
    start: Params | None = None,
    start_name: str = "given weights",
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Run:
    """Run an experiment.

    Parameters
    ----------
    experiment
        What to run.
    start
        Weights to start from, instead of those that the experiment's seed draws. Their shapes must be those that
        the experiment describes. The run's experiment records ``start_name`` and their SHA-256.
    start_name
        Where they are from, such as a file's name.
    threads, progress
        As for `train`.

    Raises
    ------
    ValueError, TypeError
        If a field of the experiment is out of range or unknown, or ``start`` does not fit it.
    MemoryError
        If it takes more memory than the machine has.
    """
    e = experiment
    check_memory(e, max(len(drawn) if isinstance(drawn, tuple) else 0 for drawn in (e.seed, e.lr, e.data_seed)) or None)
    train_set, test_set = dataset(e.data, e.data_seed)
    sizes = _sizes(e, train_set)
    drawn = init(sizes, seed=e.seed, act=e.act, out_act=e.out_act, bias=e.bias, scheme=e.scheme, bias_init=e.bias_init)
    e, start = _started(e, drawn, start, start_name)
    # Several data seeds ask for as many members, even where these share weights and points.
    lead = (len(e.data_seed),) if isinstance(e.data_seed, tuple) else ()
    x, y = (np.broadcast_to(array, (*lead, *array.shape[-2:])) for array in (train_set.x, train_set.y))
    how = decision(e.loss, train_set.y)
    settings = _settings(e, how, threads, progress)
    params, history = train(start, x, y, epochs=e.epochs, engine=e.engine, snapshots=(0,), **settings)
    return Run(e, params, history, train_set, test_set, how)


def resume(
    run: Run, epochs: int, *, threads: int | None = None, progress: Callable[[int], object] | None = None
) -> Run:
    """Go on with a run, on the engine that it ran on: the run of so many epochs more, to the bit.

    Parameters
    ----------
    run
        Of one network or of an ensemble.
    epochs
        How many more.
    threads, progress
        As for `train`.

    Raises
    ------
    ValueError, TypeError
        If ``epochs`` is not a whole number of at least 1, or the run's history does not say how it stands.

    Examples
    --------
    >>> import funcnn
    >>> first = funcnn.run(funcnn.Experiment(epochs=60))
    >>> longer = funcnn.resume(first, 40)
    >>> longer.params == funcnn.run(funcnn.Experiment(epochs=100)).params
    True
    """
    e = attrs.evolve(run.experiment, epochs=run.experiment.epochs + validation.whole("epochs", epochs, least=1))
    settings = _settings(e, run.decision, threads, progress)
    state: Any = run.history.state
    if state is None:
        raise ValueError("run cannot go on: its history has no state")
    lead = np.shape(state.running)
    x, y = (np.broadcast_to(array, (*lead, *array.shape[-2:])) for array in (run.train.x, run.train.y))
    params, more = train(state, x, y, epochs=epochs, engine=run.history.engine, **settings)
    return attrs.evolve(run, experiment=e, params=params, history=_continued(run.history, more))


def _continued(first: History, more: History) -> History:
    """Return the history of a run that went on."""
    names = ("epoch", "loss", "accuracy", "logged", "grad_norm")
    joined = {name: read_only(np.concatenate([getattr(first, name), getattr(more, name)])) for name in names}
    return attrs.evolve(more, snapshots=(*first.snapshots, *more.snapshots), **joined)


def _settings(e: Experiment, how: Decision, threads: int | None, progress: Any) -> dict[str, Any]:
    """Return the arguments of `train` that an experiment settles, however often it is gone on with."""
    names = ("loss", "optimizer", "lr", "schedule", "batch_size", "clip", "l2", "shuffle", "shuffle_seed", "log_every")
    fields = {name: getattr(e, name) for name in names}
    return fields | {"decision": how, "threads": threads, "progress": progress}


def weights_sha256(params: Params) -> str:
    """Return the SHA-256 of a network's weights and biases: of their dtypes, shapes and bytes, layer by layer.

    Examples
    --------
    >>> import funcnn
    >>> weights_sha256(funcnn.init((2, 1), seed=0))[:8]
    '5e26ddaa'
    """
    digest = hashlib.sha256()
    for array in map(np.asarray, arrays(params)):
        digest.update(f"{array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _started(e: Experiment, drawn: Params, start: Params | None, name: str) -> tuple[Experiment, Params]:
    """Return the weights to start from, and the experiment that says which these are."""
    if start is None:
        if e.start_sha256 is not None:
            raise ValueError(
                f"this experiment started from {e.start} (SHA-256 {e.start_sha256[:12]}…), not from weights that its"
                " seed draws: hand them over as start"
            )
        return e, drawn
    start = _fitting(validation.network(start), drawn)
    found = weights_sha256(start)
    if e.start_sha256 not in (None, found):
        raise ValueError(
            f"this experiment started from {e.start} (SHA-256 {str(e.start_sha256)[:12]}…), but start has other weights"
            f" (SHA-256 {found[:12]}…)"
        )
    return attrs.evolve(e, start=e.start or name, start_sha256=found), start


def check_memory(e: Experiment, members: int | None) -> None:
    """Refuse an experiment with so many members that the machine's memory does not hold, before any is drawn.

    Raises
    ------
    MemoryError
        Saying how many bytes it would take.
    """
    data, _ = dataset(e.data)
    sizes = _sizes(e, data)
    shapes = Shapes(sizes, (e.bias,) * (len(sizes) - 1), (), members, len(data.x))
    epochs, every = (validation.whole(name, getattr(e, name), least=1) for name in ("epochs", "log_every"))
    training.check_memory(shapes, optimizer_named(e.optimizer).slots, epochs, every, 1)
    if isinstance(e.data_seed, tuple) and members:  # of training and test set, drawn one by one
        size = 2 * (data.x.nbytes + data.y.nbytes + 2 * memory.ARRAY)
        memory.check(f"the data of {members:,} members", members * size)


def _sizes(e: Experiment, data: Dataset) -> tuple[int, ...]:
    return data.x.shape[-1], *_hidden(e.hidden), data.y.shape[-1]


def _hidden(hidden: Any) -> tuple[int, ...]:
    if not isinstance(hidden, tuple):
        raise TypeError(f"hidden must list the widths of the hidden layers, as (3, 3), got {hidden!r}")
    return tuple(validation.whole("width of a hidden layer", width, least=1) for width in hidden)


def _fitting(start: Params, drawn: Params) -> Params:
    """Return ``start`` with the activations of ``drawn``, whose shapes it must have."""
    if shapes(start) != shapes(drawn):
        raise ValueError(f"start has layers (w, b) of shapes {shapes(start)}, the experiment wants {shapes(drawn)}")
    return Params(attrs.evolve(mine, act=its.act) for mine, its in zip(start.layers, drawn.layers, strict=True))


def scores(run: Run) -> tuple[Array, Array]:
    """Return loss and accuracy of the final weights on the test set; arrays (K,) for an ensemble."""
    with np.errstate(all="ignore"):
        y_hat = forward(run.params, run.test.x)
        loss = losses.value(report_of(loss_named(run.experiment.loss)), y_hat, run.test.y)
        return loss, accuracy(y_hat, run.test.y, run.decision)


def check_solo(run: Run) -> None:
    """Refuse an ensemble where one network is meant."""
    if run.history.loss.ndim != 1:
        members = run.history.loss.shape[1]
        raise ValueError(
            f"this is for one network, but the run is an ensemble of {members}: pick one, funcnn.member(run, k)"
        )


def member(run: Run, k: int) -> Run:
    """Return the run of member ``k`` of an ensemble, as its solo run would have given it."""
    e, h = run.experiment, run.history
    if h.loss.ndim != 2 or not -h.loss.shape[1] <= k < h.loss.shape[1]:
        members = h.loss.shape[1] if h.loss.ndim == 2 else "no"
        raise ValueError(f"k must be one of the run's members, got {k!r}: it has {members} members")

    def pick(params: Params) -> Params:
        return map_arrays(lambda array: read_only(array[k]), params)

    def own(data: Dataset) -> Dataset:
        return attrs.evolve(data, x=data.x[k], y=data.y[k]) if data.x.ndim == 3 else data

    ran = ~np.isnan(h.accuracy[:, k])
    logged = h.logged[h.logged < ran.sum()]
    history = History(
        epoch=read_only(h.epoch[ran]),
        loss=read_only(h.loss[ran, k]),
        accuracy=read_only(h.accuracy[ran, k]),
        logged=read_only(logged),
        grad_norm=read_only(h.grad_norm[: len(logged), :, k]),
        snapshots=tuple((epoch, pick(params)) for epoch, params in h.snapshots if epoch < ran.sum() or ran.all()),
        state=None if h.state is None else _member_state(h.state, k, int(ran.sum())),
        engine=h.engine,
    )
    drawn = {name: getattr(e, name) for name in ("seed", "lr", "data_seed")}
    # The modulo is for a tuple of one, which every member shares, as it shares arrays of length 1.
    one = attrs.evolve(
        e, **{name: value[k % len(value)] if isinstance(value, tuple) else value for name, value in drawn.items()}
    )
    if e.start_sha256 is not None:
        one = attrs.evolve(one, start_sha256=weights_sha256(pick(h.snapshots[0][1])))
    return attrs.evolve(
        run, experiment=one, params=pick(run.params), history=history, train=own(run.train), test=own(run.test)
    )


def _member_state(state: State, k: int, ran: int) -> State:
    """Return how a member stands that ran so many epochs."""
    one = engines.cut(state, k)
    running = read_only(np.array(one.running))
    return attrs.evolve(one, running=running, epoch=ran, t=state.t / state.epoch * ran)
