"""What files hold: records as JSON and arrays, and what users have of their own by its name."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from .activations import ACTIVATIONS, activation
from .arguments import ArgumentTypeError, ArgumentValueError, named, of_table
from .consistency import RECORDS
from .losses import LOSSES
from .optimizers import OPTIMIZERS
from .records import Activation, Array, Layer, Loss, Optimizer
from .schedules import SCHEDULES
from .settings import Experiment, text_of

#: Version 1 kept neither how a run stands nor how its classes are decided; both follow from what it kept. Experiments
#: of versions 1 and 2 had neither optimizer, schedule, clip and l2 nor drawn biases: they ran as the defaults do.
#: States of versions 1 to 3 did not name their optimizer, which is the experiment's.
VERSION = 4


def _is_activation(text: str) -> bool:
    try:
        return bool(activation(text))
    except ValueError:
        return False


@attrs.frozen
class Own:
    """Something that users may have of their own: what it is called, what it is, and which names are built in."""

    noun: str
    kind: Any
    built_in: Callable[[str], bool]


#: By the argument of `load` that gives them back.
OWN: Mapping[str, Own] = {
    "activations": Own("activation", Activation, _is_activation),
    "losses": Own("loss", Loss, lambda text: text in LOSSES),
    "optimizers": Own("optimizer", Optimizer, lambda text: text.partition(":")[0] in OPTIMIZERS),
    "schedules": Own("schedule", Callable, lambda text: text.partition(":")[0] in SCHEDULES),
}
#: Which fields hold them.
FIELDS: Mapping[type, Mapping[str, str]] = {
    Layer: {"act": "activations"},
    Experiment: {
        "act": "activations",
        "out_act": "activations",
        "loss": "losses",
        "optimizer": "optimizers",
        "schedule": "schedules",
    },
}
#: Records of one's own by name, for each argument of `load`.
Given = Mapping[str, Mapping[str, Any]]


def given(**own: Iterable[Any]) -> Given:
    """Return what `load` was given by name.

    Raises
    ------
    ValueError, TypeError
        If something is of another kind than its argument, or two have one name.
    """
    found: dict[str, dict[str, Any]] = {}
    for argument, some in own.items():
        kind, found[argument] = OWN[argument], {}
        if not isinstance(some, Iterable):
            raise ArgumentTypeError(f"{argument} must be a list, got {type(some).__name__}")
        for one in some:
            if not isinstance(one, kind.kind):
                raise ArgumentTypeError(f"{argument} must hold {kind.kind.__name__} only, got {type(one).__name__}")
            name = _name(argument, one)
            if found[argument].setdefault(name, one) != one:
                raise ArgumentValueError(f"{argument} has two of the name {name!r}")
    return found


def _name(argument: str, one: Any) -> str:
    """Return the name by which a file keeps something of the user's own."""
    noun = OWN[argument].noun
    if argument == "schedules":
        name = getattr(one, "__name__", "<lambda>")
        if name == "<lambda>":
            raise ArgumentValueError(
                f"a {noun} of one's own is kept by its name, and {one!r} has none: def gives it one"
            )
    else:
        name = one.name
    if not isinstance(name, str) or not name:
        raise ArgumentTypeError(f"the name of the {noun} must be text, got {name!r}")
    return name


def encode(record: Any) -> tuple[Any, dict[str, Array]]:
    """Return a record as what JSON can say, and the arrays that it names.

    Raises
    ------
    ValueError, TypeError
        If something of one's own has no name, that of a built-in one, or that of another.
    """
    arrays: dict[str, Array] = {}
    return _encoded(record, arrays, {}), arrays


def _encoded(value: Any, arrays: dict[str, Array], own: dict[tuple[str, str], Any], argument: str | None = None) -> Any:
    if isinstance(value, tuple):
        return [_encoded(one, arrays, own, argument) for one in value]
    if argument is not None and not isinstance(value, str | None):
        return _own_text(value, own, argument)
    if isinstance(value, np.ndarray):
        key = f"array{len(arrays)}"
        arrays[key] = np.asarray(value, value.dtype.newbyteorder("="), order="C")
        return {"array": key}
    if type(value) not in RECORDS.values():
        return value
    fields = FIELDS.get(type(value), {})
    content = {
        field.name: _encoded(getattr(value, field.name), arrays, own, fields.get(field.name))
        for field in attrs.fields(type(value))
    }
    return {"record": type(value).__name__, **content}


def _own_text(value: Any, own: dict[tuple[str, str], Any], argument: str) -> Any:
    """Return what a file says of something that is no text: its name, and the numbers of an optimizer."""
    if argument == "activations" and of_table(value, ACTIVATIONS):
        return {"built_in": value.name}
    noun, name = OWN[argument].noun, _name(argument, value)
    if OWN[argument].built_in(name):
        raise ArgumentValueError(
            f"{noun} {name!r} is one's own and cannot be saved under that name, which is a built-in one's"
        )
    if own.setdefault((argument, name), value) != value:
        raise ArgumentValueError(f"two {argument} of one's own have the name {name!r}, by which files keep them")
    if argument != "optimizers":
        return name
    if ":" in name:
        raise ArgumentValueError(f"the name of an optimizer that is saved cannot have a colon, got {name!r}")
    text = text_of(value)
    if not all(map(math.isfinite, value.hyper)):
        raise ArgumentValueError(f"constants of {noun} {name!r} must be finite to be saved, got {value.hyper}")
    named("optimizer", text, {name: value})  # as it will be read
    return text


def references(value: Any) -> Iterator[Any]:
    """Yield the names of the arrays that a record as JSON holds."""
    if isinstance(value, dict) and set(value) == {"array"}:
        yield value["array"]
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from references(one)


def unknown(value: Any, own: Given, argument: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield the argument of `load` and the name of all of one's own that a record as JSON holds and ``own`` lacks."""
    if isinstance(value, dict):
        fields = FIELDS.get(_record(value), {})
        for name, one in value.items():
            yield from unknown(one, own, fields.get(name))
    elif isinstance(value, list):
        for one in value:
            yield from unknown(one, own, argument)
    elif argument is not None and isinstance(value, str) and not OWN[argument].built_in(value):
        name = _listed(value, own[argument])
        if name not in own[argument]:
            yield argument, name


def _listed(text: str, own: Mapping[str, Any]) -> str:
    """Return the name in a text that may have numbers after a colon."""
    return text if text in own else text.partition(":")[0]


def _record(value: Mapping[str, Any]) -> Any:
    name = value.get("record")
    return RECORDS.get(name) if isinstance(name, str) else None


def decode(value: Any, arrays: Mapping[str, Array], own: Given, version: int, argument: str | None = None) -> Any:
    """Undo `encode`, as of that version.

    Raises
    ------
    ValueError, TypeError
        If a record is of no known kind, or lacks fields or has more than it should.
    """
    if isinstance(value, list):
        return tuple(decode(one, arrays, own, version, argument) for one in value)
    if isinstance(value, str) and argument is not None and not OWN[argument].built_in(value):
        return _given_back(value, own[argument])
    if not isinstance(value, dict):
        return value
    if set(value) == {"array"}:
        return arrays[value["array"]]
    if set(value) == {"built_in"}:
        return activation(value["built_in"])
    record = _record(value)
    if record is None:
        raise ArgumentValueError(f"{value.get('record')!r} is no record")
    names, kinds = set(attrs.fields_dict(record)), FIELDS.get(record, {})
    if version == VERSION and names != set(value) - {"record"}:  # what earlier ones lack has defaults
        raise ArgumentValueError(f"{record.__name__} has other fields than {', '.join(sorted(names))}")
    fields = {
        name: decode(one, arrays, own, version, kinds.get(name)) for name, one in value.items() if name != "record"
    }
    return record(**fields)


def _given_back(text: str, own: Mapping[str, Any]) -> Any:
    """Return what one handed to `load` under the name that a file says, with the numbers that it says."""
    one = own[_listed(text, own)]
    if not isinstance(one, Optimizer):
        return one
    _, hyper = named("optimizer", text, own)
    if len(hyper) != len(one.hyper):
        raise ArgumentValueError(
            f"optimizer {text!r} has {len(hyper)} constants, the one that was given {len(one.hyper)}"
        )
    return one if tuple(one.hyper) == hyper else attrs.evolve(one, hyper=hyper)
