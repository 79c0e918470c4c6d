"""Single arguments and names of tables: what they may be, and the errors that say what came instead.

Every public function checks what a user hands it by these and, for networks and data, by `validation`. Each raises an
`ArgumentError` with the argument's name, what came and what was expected, and returns the argument as the functions
behind the edge want it.
"""

import difflib
import functools
import inspect
import itertools
import math
import operator
import os
import reprlib
from collections.abc import Callable, Iterator, Mapping, Set
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import attrs
import numpy as np

from . import memory

T = TypeVar("T")

#: The largest whole number: seeds that NumPy draws are below it, every one is a float too, and words can say it.
MOST = 2**128
#: The most that is taken from what does not say how long it is: some never end.
MANY = 10**6

#: What others call what is in the tables, or the first word of its name.
OTHER_WORDS = {
    "kaiming": "he",
    "xavier": "glorot",
    "logistic": "sigmoid",
    "swish": "silu",
    "linear": "none",
    "identity": "none",
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "bce": "sigmoid_binary_cross_entropy",
    "binary_cross_entropy": "sigmoid_binary_cross_entropy",
    "cross_entropy": "softmax_cross_entropy",
}
#: The most letters of a name.
LONG = 100

_WORDS = reprlib.Repr()
_WORDS.maxtuple = _WORDS.maxlist = _WORDS.maxdict = 12
_WORDS.maxstring = _WORDS.maxother = 120


class ArgumentError(Exception):
    """What a public function was given is not what it takes; any other error is a fault of its own."""


class ArgumentValueError(ArgumentError, ValueError):
    """It is out of range, unknown, or does not fit the others."""


class ArgumentTypeError(ArgumentError, TypeError):
    """It is of another kind."""


def shown(value: object) -> str:
    """Return what came, in one short line, however large or deep it is and even where its own words fail.

    Examples
    --------
    >>> shown("adam"), shown(np.zeros((2, 3))), len(shown("x" * 1000))
    ("'adam'", 'an array of float64, shape (2, 3)', 120)
    """
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of {value.dtype}, shape {value.shape}"
    if attrs.has(type(value)):
        return a(type(value))
    try:
        return " ".join(_WORDS.repr(value).splitlines())
    except Exception:  # whatever somebody's words raise; a whole number may have too many digits
        return f"{a(type(value))} that cannot be shown"


def a(kind: type) -> str:
    """Return a kind's name with its article.

    Examples
    --------
    >>> import funcnn
    >>> a(funcnn.Run), a(funcnn.Experiment), a(funcnn.Params)
    ('a Run', 'an Experiment', 'Params')
    """
    name = kind.__name__
    return name if name == "Params" else f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def of_kind(name: str, value: Any, kind: type[T]) -> T:
    """Return ``value``, which must be a record of this kind."""
    if not isinstance(value, kind):
        raise ArgumentTypeError(f"{name} must be {a(kind)}, got {type(value).__name__}")
    return value


def foreign(values: object) -> bool:
    """Tell whether these are an array of another library than NumPy, perhaps a traced one."""
    return hasattr(values, "__array_namespace__") and not isinstance(values, np.ndarray | np.generic)


def whole(name: str, value: object, *, least: int, most: int = MOST) -> int:
    """Return ``value`` as an int from ``least`` to ``most``."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except Exception:  # whatever somebody's type raises
        raise ArgumentTypeError(f"{name} must be a whole number, got {shown(value)}") from None
    if isinstance(value, bool):
        raise ArgumentValueError(f"{name} must be a whole number, got {value!r}")
    if number < least:
        raise ArgumentValueError(f"{name} must be a whole number of at least {least}, got {shown(value)}")
    if number > most:
        raise ArgumentValueError(f"{name} must be a whole number of at most {most:,}, got {shown(value)}")
    return number


def listed(name: str, values: Any, expected: str, *, axes: int = 1) -> tuple[Any, ...]:
    """Return what a list or anything else that has an order holds; ``expected`` says what that should be.

    An array must have so many ``axes``.

    Examples
    --------
    >>> listed("snapshots", range(3), "list epochs, as (0, 100)")
    (0, 1, 2)
    >>> listed("snapshots", {1, 2}, "list epochs, as (0, 100)")
    Traceback (most recent call last):
    funcnn.arguments.ArgumentTypeError: snapshots must list epochs, as (0, 100), got {1, 2}
    """
    try:
        following = None if isinstance(values, str | bytes | bytearray | Set | Mapping) else iter(values)
    except TypeError:
        following = None
    if following is None or getattr(values, "ndim", axes) != axes:
        raise ArgumentTypeError(f"{name} must {expected}, got {shown(values)}")
    if (length := _length(values)) is not None:
        memory.check(f"{name} as a tuple", memory.NUMBER * length)
        return tuple(following)
    held = tuple(itertools.islice(following, MANY + 1))
    if len(held) > MANY:
        raise ArgumentValueError(f"{name} must {expected}, {MANY:,} at most, got {shown(values)}")
    return held


def _length(values: Any) -> int | None:
    try:
        return len(values)
    except (TypeError, OverflowError):  # it has no end or does not say it, or more than the system counts
        return None


def iterable(name: str, values: Any) -> Iterator[Any]:
    """Return what goes through ``values``, of which there may be any number."""
    try:
        return iter(values)
    except TypeError:
        raise ArgumentTypeError(f"{name} must be something to go through, as a list, got {shown(values)}") from None


def seeds(name: str, value: Any) -> int | tuple[int, ...]:
    """Return a seed, or the seeds of an ensemble."""
    if isinstance(value, str | bytes | bytearray) or getattr(value, "ndim", 1) == 0 or not hasattr(value, "__iter__"):
        return whole(name, value, least=0)
    held = listed(name, value, "be a whole number or list some, one for each member")
    if not held:
        raise ArgumentValueError(f"{name} names no member: expected a whole number or at least one of them")
    return tuple(whole(name, one, least=0) for one in held)


def flag(name: str, value: Any) -> bool:
    """Return ``value``, which must be True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentTypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def number(name: str, value: Any) -> float:
    """Return ``value``, one real number, as a float."""
    if type(value) is float:
        return value
    one = value
    if getattr(one, "ndim", None) == 0:
        one = float(one) if foreign(one) else one[()]
    if isinstance(one, bool) or not isinstance(one, Real):
        raise ArgumentTypeError(f"{name} must be a number, got {shown(value)}")
    try:
        return float(one)
    except OverflowError:
        raise ArgumentValueError(f"{name} is too large for float64, got {shown(value)}") from None


def real(name: str, value: Any) -> float:
    """Return ``value`` as a finite float."""
    one = number(name, value)
    if not math.isfinite(one):
        raise ArgumentValueError(f"{name} must be finite, got {shown(value)}")
    return one


def positive(name: str, value: Any, *, zero: bool = False) -> float:
    """Return ``value`` as a finite float above 0, or of at least 0."""
    one = number(name, value)
    if not (one > 0 or (zero and one == 0)) or one == math.inf:
        expected = "at least 0" if zero else "positive"
        raise ArgumentValueError(f"{name} must be {expected} and finite, got {shown(value)}")
    return one


def path(name: str, value: Any) -> Path:
    """Return a file's name as a path."""
    try:
        found = os.fspath(value)
    except TypeError:
        raise ArgumentTypeError(f"{name} must be a file's name, got {shown(value)}") from None
    if not isinstance(found, str) or "\0" in found:
        raise ArgumentValueError(f"{name} must be a file's name, got {shown(found)}")
    return Path(found)


def text(name: str, value: Any) -> str:
    """Return ``value``, which must be a text."""
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be a text, got {shown(value)}")
    return value


def function(name: str, value: Any, expected: str = "a function") -> Callable[..., Any]:
    """Return ``value``, which must be callable."""
    if not callable(value):
        raise ArgumentTypeError(f"{name} must be {expected}, got {shown(value)}")
    checked: Callable[..., Any] = value
    return checked


def hook(name: str, value: Any) -> Callable[..., Any] | None:
    """Return ``value``, a function that is called now and then, or None."""
    return None if value is None else function(name, value, "a function or None")


def changed(record: T, **fields: Any) -> T:
    """Return a record with these fields, itself where it has them.

    Examples
    --------
    >>> import funcnn
    >>> one = funcnn.Decision()
    >>> changed(one, low=one.low) is one, changed(one, low=-1.0).low
    (True, -1.0)
    """
    kept = all(getattr(record, name) is value for name, value in fields.items())
    return record if kept else attrs.evolve(record, **fields)  # type: ignore[misc]


def formulas(kind: str, record: Any, *names: str) -> None:
    """Refuse a record of one's own whose name is no text, or whose formulas are no functions."""
    if not isinstance(record.name, str):
        raise ArgumentTypeError(f"name of the {kind} must be text, got {shown(record.name)}")
    if not 0 < len(record.name) <= LONG:
        raise ArgumentValueError(f"name of the {kind} must have 1 to {LONG} letters, got {shown(record.name)}")
    for name in names:
        if not callable(getattr(record, name)):
            function(f"{name} of {kind} {shown(record.name)}", getattr(record, name), "an elementwise function")


def called(what: str, function: Callable[..., T], *given: Any) -> T:
    """Call a function of the user's; that it takes another number of arguments is said of ``what`` it is."""
    try:
        return function(*given)
    except TypeError as error:
        refuse_count(what, function, len(given), error)
        raise


def refuse_count(what: str, function: Callable[..., Any], count: int, error: TypeError) -> None:
    """Say that a function of the user's does not take so many arguments, if that is why it failed."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        raise ArgumentTypeError(
            f"{what} must be a function of {count} argument{'s' * (count != 1)}: {error}"
        ) from error
    except ValueError:  # of a function that is not written in Python nothing is known
        pass


def known(kind: str, name: object, table: Mapping[str, T]) -> T:
    """Return ``table[name]``; an unknown name is answered with the known ones and the nearest."""
    if isinstance(name, str) and name in table:
        return table[name]
    head = name.partition(":")[0] if isinstance(name, str) else ""
    if head in table:
        raise ArgumentValueError(f"{kind} {head!r} takes no numbers, got {shown(name)}")
    nearest = _nearest("none" if name is None else head[:LONG].lower(), table)
    hint = "" if nearest is None else f"; did you mean {nearest!r}?"
    raise ArgumentValueError(f"unknown {kind} {shown(name)}{hint} (known: {', '.join(table) or 'none'})")


def _nearest(word: str, table: Mapping[str, Any]) -> str | None:
    """Return the name in a table that a word is another one for, or is spelled like."""
    first, line, rest = word.partition("_")
    translated = OTHER_WORDS.get(word, OTHER_WORDS.get(first, first) + line + rest)
    if translated in table:
        return translated
    names = {other: name for other, name in OTHER_WORDS.items() if name in table} | {name: name for name in table}
    return next((names[one] for one in difflib.get_close_matches(word, names, n=1)), None)


def named(kind: str, text: object, table: Mapping[str, T]) -> tuple[T, tuple[float, ...]]:
    """Return the entry of a table that a text ``NAME[:number,…]`` names, and its numbers.

    Examples
    --------
    >>> named("letter", "b:0.5,2", {"a": 1, "b": 2})
    (2, (0.5, 2.0))
    """
    name, colon, rest = text.partition(":") if isinstance(text, str) else (text, "", "")
    entry = known(kind, name, table)
    return entry, tuple(_number(kind, text, piece) for piece in rest.split(",")) if colon else ()


def _number(kind: str, text: object, piece: str) -> float:
    try:
        number = float(piece)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentValueError(
            f"{kind} {shown(text)} must be a name, or a name and finite numbers as NAME:0.5,2, got {shown(piece)}"
        )
    return number


def with_numbers(kind: str, text: object, table: Mapping[str, Callable[..., T]], *trial: Any) -> Callable[..., T]:
    """Return the function of a table that a text ``NAME[:number,…]`` names, with its numbers as its arguments.

    These follow the other arguments, and may be left out from the right where they have defaults. ``trial`` are other
    arguments that the function is called with once, so that a number out of its range is refused now.
    """
    function, given = named(kind, text, table)
    takes = numbers_taken(function, len(trial))
    least = sum("=" not in one for one in takes)
    if not least <= len(given) <= len(takes):
        raise ArgumentValueError(miscounted(kind, text, len(given), ", ".join(takes) or "none"))
    names = (one.partition("=")[0] for one in takes)
    chosen = functools.partial(function, **dict(zip(names, given, strict=False))) if given else function
    try:
        chosen(*trial)
    except ValueError as error:
        raise ArgumentValueError(f"{kind} {shown(text)}: {error}") from error
    return chosen


def numbers_taken(function: Callable[..., Any], leading: int) -> list[str]:
    """Return the names of a function's arguments after so many others, those with a default as ``name=default``.

    Examples
    --------
    >>> numbers_taken(lambda t, horizon, floor=0.0: t, 1)
    ['horizon', 'floor=0']
    """
    takes = list(inspect.signature(function).parameters.values())[leading:]
    return [one.name if one.default is one.empty else f"{one.name}={one.default:g}" for one in takes]


def miscounted(kind: str, text: object, given: int, takes: str) -> str:
    """Say that a text gives another number of numbers than what it names takes."""
    name = str(text).partition(":")[0]
    return f"{kind} {shown(text)} gives {given or 'no'} number{'s' * (given != 1)}, but {name} takes {takes}"


def of_table(record: Any, table: Mapping[str, Any]) -> bool:
    """Tell whether a record is the table's own of that name, perhaps with other constants ``hyper``."""
    entry: Any = table.get(record.name) if isinstance(record.name, str) else None
    if entry is record:
        return True
    if type(entry) is not type(record):
        return False
    if not hasattr(entry, "hyper"):
        return bool(entry == record)
    if not isinstance(record.hyper, tuple | list) or len(record.hyper) != len(entry.hyper):
        return False
    return bool(attrs.evolve(record, hyper=entry.hyper) == entry)
