"""Whether a network or a run is whole: what its parts are, and that they fit each other, said in one place.

The annotations of the records say what their fields are; the experiment, the data and the length of the loss say
which shapes they have. `save` and `load` ask the same, so that what the one writes the other reads.
"""

import collections.abc
import functools
import itertools
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

import attrs
import numpy as np

from . import arguments, validation
from .activations import activation, per_layer
from .arguments import ArgumentTypeError, ArgumentValueError, shown
from .data import features_of
from .engines import ENGINES
from .experiments import Run
from .fold import LAST
from .optimizers import optimizer_named
from .records import Array, Coding, Column, Dataset, Decision, History, Layer, Params, Preparation, Scaling, State
from .settings import Experiment, described
from .validation import shapes

#: What is looked at: a network or a run.
Whole = TypeVar("Whole", bound=Params | Run)
#: What runs are made of, by name; records of functions are not among them.
RECORDS = {
    record.__name__: record
    for record in (
        *(Layer, Params, Dataset, History, State, Decision),
        *(Column, Coding, Scaling, Preparation),
        *(Experiment, Run),
    )
}
#: What an annotation is called in messages.
WORDS = {
    Any: "an array",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "a list",
    types.NoneType: "nothing",
    collections.abc.Callable: "a function",
}


def whole_run(run: Run, name: str = "run") -> Run:
    """Return a run whose parts are what `Run` says and fit each other, with NumPy's arrays."""
    whole = typed(arguments.of_kind(name, run, Run), name)
    check_parts(whole)
    _check_data_numbers(whole)
    return whole


def whole(record: Whole) -> Whole:
    """Return a network or a run that is what a file holds: its parts are of their kinds, and fit each other.

    Raises
    ------
    ValueError, TypeError
        If they do not.
    """
    found = typed(record)
    check_fit(found)
    check_numbers(found)
    return found


def typed(record: Whole, name: str | None = None) -> Whole:
    """Return a record with NumPy's arrays, its fields being what the annotations say; else raise TypeError.

    Raises
    ------
    ValueError, TypeError
        If a field is anything else.
    """
    whole: Whole = _typed(name or type(record).__name__.lower(), record, type(record))
    return whole


def _typed(name: str, value: Any, kind: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    option = next((one for one in _options(kind) if _is_a(value, _bare(one))), None)
    if option is None:
        words = " or ".join(dict.fromkeys(WORDS.get(one := _bare(each), one.__name__) for each in _options(kind)))
        raise ArgumentTypeError(f"{name} must be {words}, got {shown(value)}")
    if isinstance(value, float | int):
        if not abs(value) <= sys.float_info.max and option is not int:
            raise ArgumentValueError(f"{name} must be finite, got {shown(value)}")
    elif option is Any:
        return validation.numbers(name, value)
    elif option is str:
        _encodable(name, value)
    elif isinstance(value, tuple):
        return _typed_tuple(name, value, typing.get_args(option))
    elif option in RECORDS.values():
        kinds = _annotations(option)
        return option(**{key: _typed(f"{name}.{key}", getattr(value, key), kinds[key]) for key in kinds})
    return value


def _typed_tuple(name: str, value: tuple[Any, ...], kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ArgumentValueError(f"{name} must have {len(kinds)} parts, got {len(value)}")
    return tuple(_typed(f"{name}[{index}]", *pair) for index, pair in enumerate(zip(value, kinds, strict=True)))


@functools.cache
def _annotations(record: type) -> dict[str, Any]:
    return {name: kind for name, kind in typing.get_type_hints(record).items() if name in attrs.fields_dict(record)}


@functools.cache
def _options(kind: Any) -> tuple[Any, ...]:
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


@functools.cache
def _bare(kind: Any) -> Any:
    return typing.get_origin(kind) or kind


def _is_a(value: Any, kind: Any) -> bool:
    """Tell whether a value is at first sight what an annotation says; `Any` are the arrays."""
    if kind is Any:
        return value is not None
    if kind is bool:  # 1 is as good as True
        return isinstance(value, int) and value in (0, 1)
    if kind in (int, float):
        return isinstance(value, int | kind) and not isinstance(value, bool)
    return callable(value) if kind is collections.abc.Callable else isinstance(value, kind)


def _encodable(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentValueError(f"{name} must be text, got {text!a}, which has half a letter") from error


def check_fit(record: Params | Run) -> None:
    """Refuse parts that do not fit each other. Of arrays only shapes and dtypes are looked at, not the numbers.

    Raises
    ------
    ValueError, TypeError
        If parts do not fit, or say what cannot be.
    """
    if isinstance(record, Params):
        _check_network(record)
        return
    _check_recorded(record)
    check_parts(record)
    e, params = record.experiment, record.params
    validation.learning_rate(e.lr, params.layers[0].w)
    _check_described(params, e, _members(e))
    for name, network in _others(record.history):
        _check_like(name, network, params)
    _check_counts(record)


def _check_recorded(run: Run) -> None:
    """Refuse a history of no epochs or of more than the run has, and one of which none was logged."""
    h, most = run.history, run.experiment.epochs
    epochs, logged = (len(array) if np.ndim(array) else 0 for array in (h.loss, h.logged))
    if not 1 <= epochs <= most:
        raise ArgumentValueError(
            f"history.loss must have 1 to {shown(most)} epochs, as the experiment says, got {epochs}"
        )
    if not logged:
        raise ArgumentValueError("history.logged must be whole numbers, one at least")


def check_parts(run: Run) -> None:
    """Refuse a run of which there is no picture and no score: weights, data and history that do not fit each other.

    Whether they are what the experiment says is another question, since users put runs together from what they have.

    Raises
    ------
    ValueError, TypeError
        If parts do not fit, or say what cannot be.
    """
    params, h = run.params, run.history
    _check_network(params)
    described(run.experiment)
    lead = tuple(params.layers[0].w.shape[:-2])
    for name, data in parts_of(run):
        _check_data(name, data, params, lead)
    if run.preparation is not None:
        _check_preparation(run.preparation, run.train)
    for name, network in _others(h):
        try:
            _check_network(network)
        except (ValueError, TypeError) as error:
            raise ArgumentValueError(f"{name}: {error}") from error
        if tuple(network.layers[0].w.shape[:-2]) != lead:
            raise ArgumentValueError(f"{name} must be of as many members as params, {lead}")
    if h.state is not None:
        arguments.whole("history.state.epoch", h.state.epoch, least=1, most=LAST)
        arguments.positive("history.state.t", h.state.t, zero=True)
    arguments.known("engine", h.engine, dict.fromkeys(("", *ENGINES)))
    validation.decision("decision", run.decision)
    for name, array, shape, kinds in _figures(run, lead):
        if np.shape(array) != shape or np.asarray(array).dtype.kind not in kinds:
            found = f"{np.asarray(array).dtype} of shape {np.shape(array)}"
            raise ArgumentValueError(f"{name} must be {KINDS[kinds]} of shape {shape}, got {found}")


#: Of what kinds of numbers figures may be, by NumPy's letters.
KINDS = {"f": "floats", "iu": "whole numbers", "b": "truth values"}


def _check_network(params: Params) -> None:
    """Refuse layers that are not of one dtype, do not fit each other or have activations that nobody knows."""
    validation.leading(validation.network(params))


def _members(e: Experiment) -> tuple[int, ...]:
    """Return the leading axis that an experiment's arrays have: () or (K,)."""
    several = {name: getattr(e, name) for name in ("seed", "lr", "data_seed") if isinstance(getattr(e, name), tuple)}
    try:
        return np.broadcast_shapes(*((len(values),) for values in several.values()))
    except ValueError:
        raise ArgumentValueError(f"experiment has not as many members by its {' as by its '.join(several)}") from None


def _check_described(params: Params, e: Experiment, lead: tuple[int, ...]) -> None:
    """Refuse a network that is not the one that the experiment describes, between inputs and outputs of its own."""
    first, last = params.layers[0].w.shape[-2], params.layers[-1].w.shape[-1]
    pairs = itertools.pairwise((first, *e.hidden, last))
    wanted = [((*lead, below, above), (*lead, 1, above) if e.bias else None) for below, above in pairs]
    if shapes(params) != wanted:
        raise ArgumentValueError(f"params has layers (w, b) of shapes {shapes(params)}, the experiment wants {wanted}")
    acts: Any = tuple(layer.act for layer in params.layers)
    if per_layer(acts, None, len(acts)) != per_layer(e.act, e.out_act, len(acts)):
        names = ", ".join(activation(act).name for act in acts)
        raise ArgumentValueError(f"params has activations {names}, which are not the experiment's")


def _others(h: History) -> Iterator[tuple[str, Params]]:
    """Yield the networks of a history by their names: all are like the run's."""
    for epoch, params in h.snapshots:
        yield f"snapshot {epoch} of history", params
    if h.state is not None:
        yield "state of history", h.state.params
        for slot in h.state.slots:
            yield "slots of history.state", slot
    if h.best is not None:
        yield "best of history", h.best[1]


def _check_like(name: str, other: Params, params: Params) -> None:
    if shapes(other) != shapes(params):
        raise ArgumentValueError(f"{name} has layers (w, b) of shapes {shapes(other)}, params {shapes(params)}")
    for its, own in zip(other.layers, params.layers, strict=True):
        if its.w.dtype != own.w.dtype or activation(its.act) != activation(own.act):
            raise ArgumentValueError(f"{name} has other dtypes or activations than params")


def parts_of(run: Run) -> list[tuple[str, Dataset]]:
    """Return the data of a run by their names."""
    held = [] if run.validation is None else [("validation", run.validation)]
    return [("train", run.train), ("test", run.test), *held]


def _check_preparation(preparation: Preparation, train: Dataset) -> None:
    """Refuse scalings that are not of as many columns as the data, and a coding that makes others."""
    columns = {"inputs": np.shape(train.x)[-1:], "targets": np.shape(train.y)[-1:]}
    for name, array in _scales(preparation):
        wanted = columns[name.rpartition(" ")[2]]
        if np.shape(array) != wanted or np.asarray(array).dtype.kind != "f":
            raise ArgumentValueError(f"{name} must be floats of shape {wanted}, got shape {np.shape(array)}")
    if preparation.coding is not None and len(features_of(preparation.coding)) != np.shape(train.x)[-1]:
        raise ArgumentValueError(f"the coding must give {np.shape(train.x)[-1]} columns, as train.x has")


def _scales(preparation: Preparation) -> Iterator[tuple[str, Array]]:
    """Yield the arrays of a preparation by their names."""
    for side in ("inputs", "targets"):
        scaling: Scaling | None = getattr(preparation, side)
        for part in () if scaling is None else ("mean", "scale"):
            yield f"{part} of {side}", getattr(scaling, part)


def _check_data(name: str, data: Dataset, params: Params, lead: tuple[int, ...]) -> None:
    """Refuse samples that are no matrices, or do not fit the network or each other."""
    sides = {"x": (data.x, params.layers[0].w.shape[-2]), "y": (data.y, params.layers[-1].w.shape[-1])}
    for side, (array, columns) in sides.items():
        shape = np.shape(array)
        if shape[:-2] not in ((), lead) or shape[-1:] != (columns,) or shape[-2:-1] != np.shape(data.x)[-2:-1]:
            raise ArgumentValueError(
                f"{name}.{side} must have shape (n, {columns}), as {name}.x and params, got {shape}"
            )
    arguments.whole(f"number of samples of {name}", len(np.shape(data.x)) > 1 and np.shape(data.x)[-2], least=1)


def _check_counts(run: Run) -> None:
    """Refuse epochs that the run does not have, and what is not of as many as the rest."""
    e, h = run.experiment, run.history
    epochs = len(h.loss)
    for epoch, _ in h.snapshots:
        if not 0 <= epoch <= epochs:
            raise ArgumentValueError(f"snapshot {epoch} of history lies outside its {epochs} epochs")
    if e.start_sha256 is not None and [epoch for epoch, _ in h.snapshots][:1] != [0]:
        raise ArgumentValueError("history.snapshots must begin with the weights that the run started from")
    if (h.val_loss is None) != (h.val_accuracy is None):
        raise ArgumentValueError("history must have both of val_loss and val_accuracy, or neither")
    if h.state is not None and h.state.epoch != epochs:
        raise ArgumentValueError(f"history.state stands at epoch {h.state.epoch}, history at {epochs}")
    if h.state is not None and h.state.rule not in ("", rule := optimizer_named(e.optimizer).name):
        raise ArgumentValueError(
            f"history.state is of the optimizer {shown(h.state.rule)}, the experiment says {rule!r}"
        )
    norms = (len(h.logged), len(run.params.layers), *h.grad_norm.shape[2:])
    if h.grad_norm.shape != norms:
        raise ArgumentValueError(f"history.grad_norm must be of shape {norms}, got {h.grad_norm.shape}")


def _figures(run: Run, lead: tuple[int, ...]) -> Iterator[tuple[str, Any, tuple[int, ...], str]]:
    """Yield the figures of a history: name, array, the shape that it must have, and the kinds of numbers."""
    h = run.history
    epochs, logged = (len(array) if np.ndim(array) else 0 for array in (h.loss, h.logged))
    layers = np.shape(h.grad_norm)[1:2] or (1,)
    yield "history.epoch", h.epoch, (epochs,), "iu"
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        if (figure := getattr(h, name)) is not None:
            yield f"history.{name}", figure, (epochs, *lead), "f"
    yield "history.logged", h.logged, (logged,), "iu"
    yield "history.grad_norm", h.grad_norm, (logged, *layers, *lead), "f"
    if h.best is not None:
        yield "best of history", h.best[0], lead, "iu"
    if h.state is not None:
        yield "history.state.running", h.state.running, lead, "b"


def check_numbers(record: Params | Run) -> None:
    """Refuse numbers in the arrays that cannot be, of a record that `check_fit` passed.

    Raises
    ------
    ValueError
        If epochs do not follow each other from 0, or lie outside the run, or data are not finite.
    """
    if isinstance(record, Params):
        return
    h, epochs = record.history, len(record.history.loss)
    if not np.array_equal(h.epoch, np.arange(epochs)):
        raise ArgumentValueError("history.epoch must count from 0 on")
    logged = h.logged.tolist()
    if logged[0] < 0 or logged[-1] >= epochs or any(b <= a for a, b in itertools.pairwise(logged)):
        raise ArgumentValueError(f"history.logged must rise within the {epochs} epochs of the run")
    ran = ~np.isnan(h.accuracy)
    if not (ran[0].all() and (ran[1:] <= ran[:-1]).all() and ((h.accuracy >= 0) & (h.accuracy <= 1) | ~ran).all()):
        raise ArgumentValueError(
            "history.accuracy must be from 0 to 1, from the first epoch on as far as a network ran"
        )
    if h.best is not None and not np.all((np.asarray(h.best[0]) >= 0) & (np.asarray(h.best[0]) <= epochs)):
        raise ArgumentValueError(f"best of history lies outside its {epochs} epochs")
    if h.state is not None and h.best is None and h.state.params != record.params:
        raise ArgumentValueError("history.state has other weights than params: a run that goes on has to know which")
    _check_data_numbers(record)


def _check_data_numbers(run: Run) -> None:
    for name, data in parts_of(run):
        validation.finite(f"{name}.x", data.x)
        validation.finite(f"{name}.y", data.y)
    for name, array in _scales(run.preparation or Preparation()):
        if not np.isfinite(array).all() or (name.startswith("scale") and not np.all(array > 0)):
            raise ArgumentValueError(f"{name} must be finite, and a scale above 0")
