"""How rows of a table become numbers: which columns are taken, and what their texts stand for."""

import difflib
import math
import reprlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import ArgumentTypeError, ArgumentValueError
from ..records import Array, Coding, Column, Dataset, Table, read_only
from .tables import number

#: Texts of which a column has more than so many, or fewer rows of each on average, tell rows apart rather than kinds.
LEVELS, ROWS_A_LEVEL = 50, 2
#: Whole numbers are classes where there are at most so many different ones, and so many rows of each on average.
CLASSES, ROWS_A_CLASS = 20, 5
#: Names that are listed in a message.
LISTED = 20


class DataWarning(UserWarning):
    """Said where data are read, but not all that is in them is taken: see the message for what, and why."""


def coding(table: Table, target: Any, *, drop: Any = ()) -> Coding:
    r"""Tell from a table how its rows become ``x`` and ``y``.

    Columns of numbers, and of truth values, are taken as they are, texts one-hot in the order of the alphabet. Left
    out, with a `DataWarning`, are columns of more than 50 different texts or of fewer than 2 rows for each on average,
    which are names rather than kinds; columns in which nothing is there; and those without a name, which number rows.

    A target is of classes where it is of texts or truth values, or where its numbers are whole, at most 20 different
    ones, with at least 5 rows for each on average; else it is a number. Rows where it is missing are passed over.

    Parameters
    ----------
    table
        As `read_table` gives it.
    target
        The name of a column, or its number from 1 on, or several of these.
    drop
        Columns that are not taken, likewise.

    Raises
    ------
    ValueError, TypeError
        If a column is unknown (the message lists them and suggests the nearest), a target has one value alone, or no
        column is left to learn from.

    Examples
    --------
    >>> import io
    >>> from funcnn.data import read_table
    >>> table = read_table(io.StringIO("size,color,ripe\n1,red,no\n2,blue,yes\n3,blue,no\n4,red,yes\n"))
    >>> for column in coding(table, "ripe").columns:
    ...     print(column)
    Column(name='size', levels=())
    Column(name='color', levels=('blue', 'red'))
    """
    found, notes = told(table, target, drop)
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return found


def told(table: Table, target: Any, drop: Any = ()) -> tuple[Coding, list[str]]:
    """Return what `coding` returns, and what it warns of."""
    targets = chosen(table.names, "target", target)
    if not targets:
        raise ArgumentValueError(f"target must name a column of {table.name}: {listed(table.names)}")
    dropped = chosen(table.names, "drop", drop)
    if both := sorted({*targets} & {*dropped}):
        raise ArgumentValueError(f"column {table.names[both[0]]!r} is both target and dropped")
    columns, notes = [], []
    for place in range(len(table.names)):
        if place not in targets and place not in dropped:
            column, note = _feature(table, place)
            columns += [] if column is None else [column]
            notes += [f"{table.name}: {note}, and is left out"] if note else []
    if not columns:
        raise ArgumentValueError("; ".join([f"{table.name} has no column to learn the target from", *notes]))
    outputs = tuple(target_of(table, place) for place in targets)
    return Coding(tuple(columns), outputs), notes


def chosen(names: tuple[str, ...], argument: str, given: Any) -> list[int]:
    """Return the places of columns that are given by name or by number from 1 on, one or several.

    Examples
    --------
    >>> chosen(("age", "pet"), "target", "pet"), chosen(("age", "pet"), "target", [2, "age"])
    ([1], [1, 0])
    """
    if given is None:
        return []
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    places = [_place(names, argument, one) for one in several]
    if len(set(places)) < len(places):
        raise ArgumentValueError(f"{argument} names a column twice, got {given!r}")
    return places


def _place(names: tuple[str, ...], argument: str, one: Any) -> int:
    if isinstance(one, str) and one in names:
        if names.count(one) > 1:
            raise ArgumentValueError(
                f"{argument} is {one!r}, which {names.count(one)} columns are called; give its number"
            )
        return names.index(one)
    if isinstance(one, bool) or not isinstance(one, str | int | np.integer):
        raise ArgumentTypeError(f"{argument} must be a column's name, or its number from 1 on, got {one!r}")
    if not isinstance(one, str) or one.strip().isdecimal():
        if 1 <= int(one) <= len(names):
            return int(one) - 1
        raise ArgumentValueError(f"{argument} is column {int(one)}, but the columns are {listed(names)}")
    folded = {name.casefold(): name for name in reversed(names)}
    nearest = difflib.get_close_matches(one.casefold(), folded, n=1)
    hint = f"; did you mean {folded[nearest[0]]!r}?" if nearest else ""
    raise ArgumentValueError(f"{argument} is {one!r}, but no column is called that{hint} (columns: {listed(names)})")


def listed(names: Iterable[str]) -> str:
    """Return names as a message lists them, with their numbers where they have no name."""
    shown = [name or f"number {place} without a name" for place, name in enumerate(names, start=1)]
    return ", ".join(shown[:LISTED]) + (f", … ({len(shown)} in all)" if len(shown) > LISTED else "")


def _feature(table: Table, place: int) -> tuple[Column | None, str]:
    """Return a column that is taken, or None and why it is not."""
    name, values = table.names[place], table.columns[place]
    if not name:
        return None, f"column {place + 1} has no name, as one that numbers the rows"
    there = values[~missing(values)]
    if not len(there):
        return None, f"column {name!r} has no value in any row"
    if values.dtype.kind == "f":
        return Column(name), ""
    levels = sorted(set(there.tolist()))
    if set(levels) <= {"true", "false"}:
        return Column(name), ""
    if len(levels) > LEVELS or len(there) < ROWS_A_LEVEL * len(levels):
        return None, f"column {name!r} holds {len(levels)} different texts in {len(there)} rows{_hint(table, place)}"
    return Column(name, tuple(levels)), ""


def _hint(table: Table, place: int) -> str:
    """Say of a column of texts that seems to be meant as one of numbers why it is none."""
    values = table.columns[place]
    rows = np.flatnonzero(~missing(values))
    cells = values[rows].tolist()
    if all(number(cell.replace(",", ".")) is not None for cell in cells):
        return " (numbers with decimal=',')"
    others = [row for row, cell in zip(rows, cells, strict=True) if number(cell) is None]
    if 2 * len(others) > len(cells):
        return ""
    at = f"row {others[0]}" if table.lines is None else f"line {table.lines[others[0]]}"
    return f" ({reprlib.repr(values[others[0]])} in {at} is no number)"


def target_of(table: Table, place: int) -> Column:
    """Return a column as a target: of classes, its levels in order, or of numbers."""
    name, values = table.names[place], table.columns[place]
    called = f"{table.name}: target {name!r}" if name else f"{table.name}: target, column {place + 1},"
    there = values[~missing(values)]
    different = sorted(set(there.tolist()))
    if len(different) < 2:
        only = f"is {_text(different[0])!r} in every row" if different else "has no value in any row"
        raise ArgumentValueError(f"{called} {only}; there is nothing to learn")
    if values.dtype.kind == "f":
        few = len(different) <= CLASSES and len(there) >= ROWS_A_CLASS * len(different)
        whole = few and all(value.is_integer() for value in different)
        return Column(name, tuple(str(int(value)) for value in different) if whole else ())
    if len(there) < ROWS_A_LEVEL * len(different) and (len(different) > LEVELS or _hint(table, place)):
        many = f"holds {len(different)} different texts in {len(there)} rows, too many for classes"
        raise ArgumentValueError(f"{called} {many}{_hint(table, place)}")
    return Column(name, tuple(different))


def missing(values: Array) -> Array:
    """Tell which cells of a column are missing."""
    return np.isnan(values) if values.dtype.kind == "f" else values == ""


def present(table: Table, names: Iterable[str]) -> Array:
    """Tell in which rows of a table nothing is missing in these columns."""
    gaps = [missing(table.columns[table.names.index(name)]) for name in names]
    return ~np.logical_or.reduce(gaps) if gaps else np.ones(len(table.columns[0]), bool)


def rows(table: Table, kept: Array) -> Table:
    """Return those rows of a table; itself where they are all."""
    if kept.all():
        return table
    columns = tuple(read_only(column[kept]) for column in table.columns)
    return Table(table.names, columns, None if table.lines is None else read_only(table.lines[kept]), table.name)


def where(table: Table, row: int, name: str) -> str:
    """Say where in a table a cell stands."""
    place = f"row {row}" if table.lines is None else f"line {table.lines[row]}"
    return f"{table.name}, {place}, column {name!r}"


def encode(coding: Coding, table: Table) -> Dataset:
    r"""Return the rows of a table as a coding says, whichever order its columns are in; others may be among them.

    What is missing in a column of ``x`` is NaN there, in all its columns where it is one-hot.

    Raises
    ------
    ValueError
        If a column is missing, holds texts that the coding does not know or where it wants numbers, or has no target
        in a row; with the line and the column.

    Examples
    --------
    >>> import io
    >>> from funcnn.data import read_table
    >>> fruit = Coding((Column("size"), Column("color", ("blue", "red"))), (Column("ripe", ("no", "yes")),))
    >>> data = encode(fruit, read_table(io.StringIO("ripe,color,size\nyes,red,3\nno,,4\n")))
    >>> data.x.tolist(), data.y.tolist(), data.features
    ([[3.0, 0.0, 1.0], [4.0, nan, nan]], [[1.0], [0.0]], ('size', 'color=blue', 'color=red'))
    """
    if not coding.targets:
        raise ArgumentValueError("coding has no targets; encode_x takes rows without them")
    x = encode_x(coding, table)
    for column in coding.targets:
        if len(gaps := np.flatnonzero(missing(_values(column, table, coding)))):
            raise ArgumentValueError(f"{where(table, gaps[0], column.name)}: the target is missing")
    y, classes = targets_of(coding.targets, table)
    return Dataset(x, y, Path(table.name).name, features_of(coding), classes)


def targets_of(targets: tuple[Column, ...], table: Table) -> tuple[Array, tuple[str, ...]]:
    """Return the targets of a table's rows (n, k), NaN where missing, and the names of the classes of a single one."""
    coded = [_coded(column, _values(column, table, Coding((), targets)), table) for column in targets]
    outputs = [part[:, 1:] if part.shape[1] == 2 else part for part in coded]
    return read_only(np.concatenate(outputs, axis=1)), targets[0].levels if len(targets) == 1 else ()


def encode_x(coding: Coding, table: Table) -> Array:
    """Return the rows of a table as ``x`` (n, d), as `encode` does, without targets. Errors as for `encode`."""
    parts = [_coded(column, _values(column, table, coding), table) for column in coding.columns]
    return read_only(np.concatenate(parts, axis=1))


def features_of(coding: Coding) -> tuple[str, ...]:
    """Return the names of the columns of ``x``.

    Examples
    --------
    >>> features_of(Coding((Column("size"), Column("color", ("blue", "red")))))
    ('size', 'color=blue', 'color=red')
    """
    return tuple(
        name
        for column in coding.columns
        for name in ([f"{column.name}={level}" for level in column.levels] or [column.name])
    )


def _values(column: Column, table: Table, coding: Coding) -> Array:
    if column.name not in table.names:
        wanted = {one.name for one in (*coding.columns, *coding.targets)}
        spare = [name for name in table.names if name not in wanted]
        nearest = difflib.get_close_matches(column.name, spare, n=1)
        hint = f"; is it {nearest[0]!r}?" if nearest else ""
        raise ArgumentValueError(f"{table.name} has no column {column.name!r}{hint} (columns: {listed(table.names)})")
    return table.columns[chosen(table.names, "coding", column.name)[0]]


def _coded(column: Column, values: Array, table: Table) -> Array:
    """Return a column as numbers (n, 1), or as one-hot (n, levels); NaN where cells are missing."""
    if not column.levels and values.dtype.kind == "f":
        return values[:, None]
    present = ~missing(values)
    cells = values[present].tolist()
    known: dict[Any, float | None] = (
        _places(column.levels, set(cells)) if column.levels else {cell: _as_number(cell) for cell in set(cells)}
    )
    found = [known[cell] for cell in cells]
    if None in found:
        wrong = found.index(None)
        said = f"is unknown (known: {listed(column.levels)})" if column.levels else "is no number, as it has to be"
        raise ArgumentValueError(
            f"{where(table, np.flatnonzero(present)[wrong], column.name)}: {reprlib.repr(_text(cells[wrong]))} {said}"
        )
    codes = np.full(len(values), math.nan)
    codes[present] = found
    if not column.levels:
        return codes[:, None]
    return one_hot(codes, len(column.levels), both=True)


def one_hot(codes: Array, count: int, *, both: bool = False) -> Array:
    """Return codes from 0 on as 0/1, NaN where they are: (n, count), or (n, 1) where two are no more than one says.

    Examples
    --------
    >>> one_hot(np.array([0, 2]), 3).tolist(), one_hot(np.array([0, 1]), 2).tolist()
    ([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [[0.0], [1.0]])
    """
    hot = (codes[:, None] == np.arange(count)).astype(float)
    hot[np.isnan(codes)] = math.nan
    return hot if both or count != 2 else hot[:, 1:]


def _as_number(cell: str) -> float | None:
    """Return the number that a text is, truth values being 0 and 1."""
    return {"true": 1.0, "false": 0.0}.get(cell.lower(), number(cell))


def _places(levels: tuple[str, ...], cells: set[Any]) -> dict[Any, float | None]:
    """Return the place of each cell among the levels, None where it has none.

    A level may be met as the number that it is: whether a column is of numbers is told from the rows that are there.
    """
    exact = {level: float(place) for place, level in enumerate(levels)}
    alike: dict[Any, float] = {
        value: exact[level] for level in reversed(levels) if (value := _as_number(level)) is not None
    }
    values = {cell: _as_number(cell) if isinstance(cell, str) else cell for cell in cells}
    return {cell: exact.get(cell, alike.get(value)) for cell, value in values.items()}


def _text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
