"""Names of tables: what a text ``NAME[:number,…]`` stands for, looked up the same way at every edge."""

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from .arguments import ArgumentValueError, shown
from .records import Optimizer

T = TypeVar("T")

#: Longer names than this are like no other.
LONG = 100


def known(kind: str, name: object, table: Mapping[str, T]) -> T:
    """Return ``table[name]``; an unknown name is answered with the known ones and the nearest."""
    if isinstance(name, str) and name in table:
        return table[name]
    head = name.partition(":")[0] if isinstance(name, str) else ""
    if head in table:
        raise ArgumentValueError(f"{kind} {head!r} takes no numbers, got {shown(name)}")
    word = name[:LONG].lower() if isinstance(name, str) else "none" if name is None else ""
    nearest = difflib.get_close_matches(word, table, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ArgumentValueError(f"unknown {kind} {shown(name)}{hint} (known: {', '.join(table) or 'none'})")


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
        raise ArgumentValueError(_miscounted(kind, text, len(given), ", ".join(takes) or "none"))
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


def with_hyper(kind: str, text: object, table: Mapping[str, Optimizer]) -> Optimizer:
    """Return the optimizer that a text ``NAME[:number,…]`` names; its numbers replace the first constants."""
    entry, given = named(kind, text, table)
    if len(given) > len(entry.hyper):
        takes = f"at most {len(entry.hyper)}: {', '.join(constants(entry))}" if entry.hyper else "none"
        raise ArgumentValueError(_miscounted(kind, text, len(given), takes))
    return attrs.evolve(entry, hyper=(*given, *entry.hyper[len(given) :])) if given else entry


def constants(rule: Optimizer) -> list[str]:
    """Return the constants of an optimizer as ``name=number``."""
    return [f"{name}={number:g}" for name, number in zip(rule.names, rule.hyper, strict=True)]


def _miscounted(kind: str, text: object, given: int, takes: str) -> str:
    name = str(text).partition(":")[0]
    return f"{kind} {shown(text)} gives {given or 'no'} number{'s' * (given != 1)}, but {name} takes {takes}"


def of_table(record: Any, table: Mapping[str, Any]) -> bool:
    """Tell whether a record is the table's own of that name, perhaps with other constants ``hyper``."""
    entry: Any = table.get(record.name)
    if entry is record:
        return True
    if type(entry) is not type(record):
        return False
    if not hasattr(entry, "hyper"):
        return bool(entry == record)
    return len(record.hyper) == len(entry.hyper) and bool(attrs.evolve(record, hyper=entry.hyper) == entry)
