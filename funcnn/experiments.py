"""Experiments described as data, and what running one gives."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from . import arguments, engines, memory, training, validation
from .activations import ACTIVATIONS, activation
from .data import WAYS, dataset
from .engines import Shapes
from .initializers import initializer_named
from .losses import LOSSES, loss_named
from .metrics import decision
from .network import init
from .optimizers import OPTIMIZERS, optimizer_named
from .records import (
    Activation,
    Array,
    Dataset,
    Decision,
    Epoch,
    History,
    Loss,
    Optimizer,
    Params,
    Preparation,
    arrays,
)
from .schedules import SCHEDULES, Schedule, schedule_named
from .sources import WEIGHTS, class_weights, is_toy, source
from .training import train

#: ``check(name, value)``: raises where a field is not what it should be.
Check = Callable[[str, Any], object]

#: The smallest seed with which XOR and linear reach 100 % with sigmoid and ReLU learns XOR, all at the defaults.
DEFAULT_SEED = 14


def _plain(name: str, value: Any) -> Any:
    """Return an experiment's field as data that hash and become JSON.

    Sequences are tuples, NumPy's numbers are Python's, and what is of the tables is its name there.
    """
    if isinstance(value, np.ndarray) and not value.ndim:
        value = value.tolist()
    if isinstance(value, list | tuple | range | np.ndarray | Iterator):
        return tuple(map(_plain_one, arguments.listed(name, value, "be a value or list some")))
    return _plain_one(value)


def _plain_one(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | int | float | None):
        return value
    for kind, table in ((Activation, ACTIVATIONS), (Loss, LOSSES), (Optimizer, OPTIMIZERS)):
        if isinstance(value, kind) and arguments.of_table(value, table):
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
    numbers = ",".join(repr(arguments.number("hyper", number)) for number in getattr(record, "hyper", ()))
    return f"{record.name}:{numbers}" if numbers else str(record.name)


def _plain_fields(_: type, fields: list[Any]) -> list[Any]:
    return [field.evolve(converter=partial(_plain, field.name)) for field in fields]


@attrs.frozen(field_transformer=_plain_fields)
class Experiment:
    """A training run described as data: hashable, and JSON by `attrs.asdict` where all that it names is built in.

    The fields are arguments of `init` and `train`. ``hidden`` are the widths of the hidden layers, ``data_seed`` draws
    the data, and ``seed`` the initial weights; several of these, or several rates ``lr``, make an ensemble: one per
    member, and what is given once is every member's. ``scheme``, ``bias_init``, ``optimizer`` and ``schedule`` are
    names, perhaps followed by numbers: "adam:0.9,0.99". Activations, loss and optimizer may be records of one's own,
    and the schedule a function.

    Where ``data`` is no toy set, it is a file: ``target``, ``drop``, ``missing``, ``header``, ``delimiter``,
    ``decimal`` and ``encoding`` are arguments of `read`, and ``data_seed`` draws which share of the rows is the
    ``test`` set; without one, the training set is. ``validation`` is the share of the rest that is held back from
    training, whose loss says which epoch's weights are kept and, with ``patience``, when to stop. ``standardize`` makes
    inputs, and targets that are numbers, of mean 0 and deviation 1. ``data_sha256`` says which file it was.

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
    target: tuple[str | int, ...] = ()
    drop: tuple[str | int, ...] = ()
    missing: str = "refuse"
    header: bool | None = None
    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"
    test: float = 0.0
    validation: float = 0.0
    standardize: bool = False
    class_weight: str | None = None
    patience: int | None = None
    data_sha256: str | None = None


@attrs.frozen
class Run:
    """All that a run gave; every picture is drawn from this alone. ``history.snapshots`` has the initial weights.

    ``train`` and ``test`` have a leading axis where the members of an ensemble have data of their own. ``decision`` is
    how predictions are read as classes, as the training targets tell. ``validation`` was held back from training, and
    ``preparation`` says how rows of a file become what ``train`` and ``test`` have.
    """

    experiment: Experiment
    params: Params
    history: History
    train: Dataset
    test: Dataset
    decision: Decision = Decision()
    validation: Dataset | None = None
    preparation: Preparation | None = None


def run(
    experiment: Experiment,
    *,
    start: Params | None = None,
    start_name: str = "given weights",
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    on_epoch: Callable[[Epoch], object] | None = None,
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
    threads, progress, on_epoch
        As for `train`.

    Raises
    ------
    ValueError, TypeError
        If a field of the experiment is out of range or unknown, or ``start`` does not fit it.
    MemoryError
        If it takes more memory than the machine has.
    """
    e = described(experiment)
    arguments.text("start_name", start_name)
    several = max(len(drawn) if isinstance(drawn, tuple) else 0 for drawn in (e.seed, e.lr, e.data_seed)) or None
    if is_toy(e.data):  # before any is drawn
        check_memory(e, several)
    found = source(e)
    check_memory(e, several, found.train)
    e, train_set = attrs.evolve(e, data_sha256=found.sha256), found.train
    sizes = _sizes(e, train_set)
    drawn = init(sizes, seed=e.seed, act=e.act, out_act=e.out_act, bias=e.bias, scheme=e.scheme, bias_init=e.bias_init)
    e, start = _started(e, drawn, start, start_name)
    # Several data seeds ask for as many members, even where these share weights and points.
    lead = (len(e.data_seed),) if isinstance(e.data_seed, tuple) else ()
    x, y = (np.broadcast_to(array, (*lead, *array.shape[-2:])) for array in (train_set.x, train_set.y))
    how = decision(e.loss, train_set.y)
    settings = settings_of(e, how, train_set.y, found.held)
    hooks: dict[str, Any] = {"threads": threads, "progress": progress, "on_epoch": on_epoch}
    params, history = train(start, x, y, epochs=e.epochs, engine=e.engine, snapshots=(0,), **settings, **hooks)
    best = params if history.best is None else history.best[1]
    return Run(e, best, history, train_set, found.test, how, found.held, found.preparation)


def settings_of(e: Experiment, how: Decision, y: Array, held: Dataset | None) -> dict[str, Any]:
    """Return the arguments of `train` that an experiment settles, however often it is gone on with."""
    names = ("loss", "optimizer", "lr", "schedule", "batch_size", "clip", "l2", "shuffle", "shuffle_seed", "log_every")
    return {
        **{name: getattr(e, name) for name in names},
        "decision": how,
        "weight": None if e.class_weight is None else class_weights(y, how),
        "validation": None if held is None else (held.x, held.y),
        "stop": None if e.patience is None else partial(impatient, patience=e.patience),
    }


def impatient(history: History, patience: int) -> bool:
    """Tell whether the lowest loss of the validation data is so many epochs ago; Prechelt 1998.

    Examples
    --------
    >>> import numpy as np, funcnn
    >>> losses = np.array([3.0, 1.0, 2.0, 2.0])
    >>> impatient(funcnn.History(np.arange(4), losses, val_loss=losses), 2)
    True
    """
    losses: Any = history.val_loss
    return bool(len(losses) - 1 - np.argmin(np.where(np.isnan(losses), np.inf, losses)) >= patience)


def weights_sha256(params: Params) -> str:
    """Return the SHA-256 of a network's weights and biases: of their dtypes, shapes and bytes, layer by layer.

    Raises
    ------
    ValueError, TypeError
        If ``params`` is no network.

    Examples
    --------
    >>> import funcnn
    >>> weights_sha256(funcnn.init((2, 1), seed=0))[:8]
    '5e26ddaa'
    """
    digest = hashlib.sha256()
    for array in arrays(validation.in_numpy(params)):
        digest.update(f"{array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _started(e: Experiment, drawn: Params, start: Params | None, name: str) -> tuple[Experiment, Params]:
    """Return the weights to start from, and the experiment that says which these are."""
    if start is None:
        if e.start_sha256 is not None:
            raise arguments.ArgumentValueError(
                f"this experiment started from {e.start} (SHA-256 {e.start_sha256[:12]}…), not from weights that its"
                " seed draws: hand them over as start"
            )
        return e, drawn
    start = _fitting(validation.network(start, "start"), drawn)
    found = weights_sha256(start)
    if e.start_sha256 not in (None, found):
        raise arguments.ArgumentValueError(
            f"this experiment started from {e.start} (SHA-256 {str(e.start_sha256)[:12]}…), but start has other weights"
            f" (SHA-256 {found[:12]}…)"
        )
    return attrs.evolve(e, start=e.start or name, start_sha256=found), start


def check_memory(e: Experiment, members: int | None, data: Dataset | None = None) -> None:
    """Refuse an experiment with so many members that the machine's memory does not hold, before any is drawn.

    Raises
    ------
    MemoryError
        Saying how many bytes it would take.
    """
    data = dataset(e.data)[0] if data is None else data
    sizes = _sizes(e, data)
    shapes = Shapes(sizes, (e.bias,) * (len(sizes) - 1), (), members, data.x.shape[-2])
    training.check_memory(shapes, optimizer_named(e.optimizer).slots, e.epochs, e.log_every, 1)
    if isinstance(e.data_seed, tuple) and members and data.x.ndim == 2:  # of training and test set, drawn one by one
        size = 2 * (data.x.nbytes + data.y.nbytes + 2 * memory.ARRAY)
        memory.check(f"the data of {members:,} members", members * size)


def _sizes(e: Experiment, data: Dataset) -> tuple[int, ...]:
    return data.x.shape[-1], *e.hidden, data.y.shape[-1]


def _widths(name: str, hidden: Any) -> None:
    for width in arguments.listed(name, hidden, "list the widths of the hidden layers, as (3, 3)"):
        arguments.whole("width of a hidden layer", width, least=1)


def _acts(_: str, act: Any) -> None:
    for one in act if isinstance(act, tuple) else (act,):
        activation(one)


def _perhaps(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _columns(name: str, given: Any) -> None:
    for one in arguments.listed(name, given, "list columns, as ('age', 3)"):
        if not isinstance(one, str):
            arguments.whole(f"a column of {name}", one, least=1)


def _share(name: str, share: Any) -> None:
    if arguments.positive(name, share, zero=True) >= 1:
        raise arguments.ArgumentValueError(f"{name} must be a share from 0 to below 1, got {arguments.shown(share)}")


#: What is looked at in each field of an experiment before anything is drawn or trained.
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "data": arguments.text,
        "hidden": _widths,
        "act": _acts,
        "out_act": _perhaps(lambda _, act: activation(act)),
        "bias": arguments.flag,
        "scheme": lambda name, text: initializer_named(text, name),
        "bias_init": _perhaps(lambda name, text: initializer_named(text, name)),
        "loss": lambda _, loss: loss_named(loss),
        "optimizer": lambda _, rule: optimizer_named(rule),
        "lr": lambda _, lr: validation.learning_rate(lr),
        "schedule": lambda _, schedule: schedule_named(schedule),
        "epochs": partial(arguments.whole, least=1),
        "batch_size": lambda _, size: validation.batch_rows(size, 1),
        "clip": _perhaps(arguments.positive),
        "l2": partial(arguments.positive, zero=True),
        "shuffle": arguments.flag,
        "shuffle_seed": partial(arguments.whole, least=0),
        "seed": arguments.seeds,
        "data_seed": arguments.seeds,
        "log_every": partial(arguments.whole, least=1),
        "engine": lambda name, engine: arguments.known(name, engine, dict.fromkeys(engines.NAMES)),
        "start": _perhaps(arguments.text),
        "start_sha256": _perhaps(arguments.text),
        "target": _columns,
        "drop": _columns,
        "missing": lambda name, way: arguments.known(name, way, dict.fromkeys(WAYS)),
        "header": _perhaps(arguments.flag),
        "delimiter": _perhaps(arguments.text),
        "decimal": arguments.text,
        "encoding": arguments.text,
        "test": _share,
        "validation": _share,
        "standardize": arguments.flag,
        "class_weight": _perhaps(lambda name, way: arguments.known(name, way, dict.fromkeys(WEIGHTS))),
        "patience": _perhaps(partial(arguments.whole, least=1)),
        "data_sha256": _perhaps(arguments.text),
    }
)


def described(experiment: Experiment, name: str = "experiment") -> Experiment:
    """Return an experiment each of whose fields is what `Experiment` says."""
    arguments.of_kind(name, experiment, Experiment)
    for field, check in CHECKS.items():
        check(field, getattr(experiment, field))
    if experiment.patience is not None and not experiment.validation:
        raise arguments.ArgumentValueError("patience needs validation: the share of the samples that is held back")
    return experiment


def _fitting(start: Params, drawn: Params) -> Params:
    """Return ``start`` with the activations of ``drawn``, whose shapes it must have."""
    if validation.shapes(start) != validation.shapes(drawn):
        got, expected = validation.shapes(start), validation.shapes(drawn)
        raise arguments.ArgumentValueError(f"start has layers (w, b) of shapes {got}, the experiment wants {expected}")
    return Params(attrs.evolve(mine, act=its.act) for mine, its in zip(start.layers, drawn.layers, strict=True))
