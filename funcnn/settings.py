"""What an experiment is: a run described as data, and what each of its fields may be."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from . import arguments, engines, validation
from .activations import ACTIVATIONS, activation
from .data import WAYS
from .initializers import initializer_named
from .losses import LOSSES, loss_named
from .optimizers import OPTIMIZERS, optimizer_named
from .records import Activation, Loss, Optimizer
from .schedules import SCHEDULES, Schedule, schedule_named

#: What ``class_weight`` may be.
WEIGHTS = ("balanced",)

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
