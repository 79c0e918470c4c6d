"""From a file or a frame to a data set, in one call."""

import os
import warnings
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from .. import validation
from ..arguments import ArgumentValueError
from ..records import Array, Coding, Column, Dataset, Table, read_only
from . import codes
from .arrays import IDX_NAME, from_idx, from_npy, from_npz
from .codes import DataWarning, listed, present, where
from .frames import from_frame, from_parquet, is_frame
from .preparation import ROWS, standardisation
from .tables import read_table

#: What is done about cells that are missing.
WAYS = ("refuse", "drop", "mean")


def read(
    path: Any,
    target: Any = None,
    *,
    missing: str = "refuse",
    drop: Any = (),
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
) -> Dataset:
    r"""Read a data set from a table, from arrays or from images.

    What the file is called says what it is: ``.npz`` has arrays x and y, ``.npy`` one array; ``…-images-idx3-ubyte`` is
    MNIST's format, with its labels beside it; ``.parquet`` is read by polars. All else is a table of text as
    `read_table` reads it. Which columns are taken, and how, `coding` says.

    Parameters
    ----------
    path
        A file's name, ``-`` for standard input, a stream, or a frame of polars or pandas.
    target
        Of tables: the name of the column that is to be learnt, or its number from 1 on, or several of these.
    missing
        What is done where cells are missing. "refuse" raises an error; "drop" leaves out such rows; "mean" takes the
        mean of the column over the rows that have it, of texts that of each one-hot column. Rows without a target are
        left out by both, by "mean" with a `DataWarning`.
    drop
        Columns that are not taken, by name or number.
    header, delimiter, decimal, encoding
        As for `read_table`.

    Raises
    ------
    ValueError, TypeError
        If the file cannot be read as what its name says, a column is unknown, a target is not given, or cells are
        missing; in one line that says where.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import io, funcnn
    >>> data = funcnn.read(io.StringIO("a,b,kind\n1,2,x\n3,4,y\n5,6,x\n"), "kind")
    >>> data.x.tolist(), data.y.ravel().tolist(), data.features, data.classes
    ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0.0, 1.0, 0.0], ('a', 'b'), ('x', 'y'))
    """
    _check_way(missing)
    kind = _kind(path)
    if kind in ("npz", "idx"):
        if target is not None or (drop is not None and np.size(drop)):
            raise ArgumentValueError(f"target and drop are for tables; {path} says itself which its targets are")
        return filled(from_npz(path) if kind == "npz" else from_idx(path), missing)
    if kind == "npy":
        return filled(from_npy(path, target, drop), missing)
    options = {"header": header, "delimiter": delimiter, "decimal": decimal, "encoding": encoding}
    return prepared(as_table(path, **options), target, missing=missing, drop=drop)[1]


def _kind(path: Any) -> str:
    """Tell from what a file is called what it is."""
    if not isinstance(path, str | os.PathLike):
        return "frame" if is_frame(path) else "table"
    name = Path(path).name.lower()
    if IDX_NAME.search(name):
        return "idx"
    return {".npz": "npz", ".npy": "npy", ".parquet": "parquet"}.get(Path(name).suffix, "table")


def as_table(path: Any, **options: Any) -> Table:
    """Return as a table what `read` takes as one: a file of text, a Parquet file or a frame.

    ``options`` are those of `read_table`, which only files of text heed. Errors are those of `read`.

    Examples
    --------
    >>> import pandas
    >>> as_table(pandas.DataFrame({"age": [3]})).names
    ('age',)
    """
    kind = _kind(path)
    if kind == "frame":
        return from_frame(path)
    return from_parquet(path) if kind == "parquet" else read_table(path, **options)


def is_array_file(path: Any) -> bool:
    """Tell whether a file is called as one that holds arrays or images, which need no coding."""
    return _kind(path) in ("npz", "npy", "idx")


def is_text(path: Any) -> bool:
    """Tell whether this is a table of text, which can be read some rows at a time."""
    return _kind(path) == "table"


def prepared(table: Table, target: Any, *, missing: str = "refuse", drop: Any = ()) -> tuple[Coding, Dataset]:
    """Return how rows of a table become samples, and its own rows as these. Arguments and errors are as for `read`."""
    found, data = coded(table, target, missing=missing, drop=drop)
    return found, _with_means(data)


def coded(table: Table, target: Any, *, missing: str = "refuse", drop: Any = ()) -> tuple[Coding, Dataset]:
    """Return what `prepared` does, but that a value is NaN where it is missing."""
    _check_way(missing)
    if target is None:
        raise ArgumentValueError(f"target must name a column of {table.name}: {listed(table.names)}")
    found, notes = codes.told(table, target, drop)
    if missing == "refuse":
        refuse_gaps(table, found.columns, found.targets)
    lacking = ~present(table, _names(found.targets))
    if lacking.any():
        before, table = table, codes.rows(table, ~lacking)
        found, notes = codes.told(table, target, drop)
        if missing == "mean":
            notes = [_without_target(before.name, lacking), *notes]
    whole = present(table, _names(found.columns))
    if missing == "drop" and not whole.all():
        if not whole.any():
            raise ArgumentValueError(
                f"{table.name} has no row in which nothing is missing; missing='mean' fills such gaps"
            )
        taken = _names(found.columns + found.targets)
        others = [place for place, name in enumerate(table.names, start=1) if name not in taken]
        table = codes.rows(table, whole)
        found, again = codes.told(table, target, others)
        notes += again
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=4)
    return found, codes.encode(found, table)


def _names(columns: tuple[Any, ...]) -> list[str]:
    return [column.name for column in columns]


def _check_way(missing: str) -> None:
    if missing not in WAYS:
        raise ArgumentValueError(f"missing must be one of {', '.join(map(repr, WAYS))}, got {missing!r}")


def refuse_gaps(table: Table, columns: tuple[Column, ...], targets: tuple[Column, ...] = ()) -> None:
    """Refuse a table in which cells of these columns are missing, and name the first."""
    names = _names(targets + columns)
    gaps = ~present(table, names)
    if gaps.any():
        row = int(np.argmax(gaps))
        name = next(one for one in names if codes.missing(table.columns[table.names.index(one)][row : row + 1]).all())
        raise ArgumentValueError(_lacking(where(table, row, name), gaps, name in _names(targets)))


def _lacking(place: str, gaps: Array, target: bool) -> str:
    beside = f" ({gaps.sum():,} rows lack a value)" if gaps.sum() > 1 else ""
    means = "" if target else ", 'mean' takes a column's mean"
    return (
        f"{place}: the {'target' if target else 'value'} is missing{beside}; missing='drop' leaves such rows out{means}"
    )


def _without_target(name: str, lacking: Array) -> str:
    rows = "1 row" if lacking.sum() == 1 else f"{lacking.sum():,} rows"
    return f"{name}: {rows} without a target left out"


def _with_means(data: Dataset) -> Dataset:
    """Return data with the mean of its column for each missing number of ``x``."""
    gaps = np.isnan(data.x)
    if not gaps.any():
        return data
    return attrs.evolve(data, x=read_only(np.where(gaps, standardisation(data.x).mean, data.x)))


def filled(data: Dataset, missing: str) -> Dataset:
    """Return data from arrays without what is missing in them. Errors are those of `read`."""
    gaps = _gaps(data.x), _gaps(data.y)
    for side, array, rows in zip("xy", (data.x, data.y), gaps, strict=True):
        if not rows.any():
            continue
        row = int(np.argmax(rows))
        column = int(np.argmax(~np.isfinite(array[row])))
        place = f"{data.name}: {side}, {validation.place([row, column])}"
        if np.isinf(array[row, column]):
            raise ArgumentValueError(f"{place}: {array[row, column]} is not finite; every number must be")
        if missing == "refuse":
            raise ArgumentValueError(_lacking(place, rows, side == "y"))
    lacking = gaps[1] | gaps[0] if missing == "drop" else gaps[1]
    if lacking.all():
        raise ArgumentValueError(f"{data.name} has no row in which nothing is missing")
    if gaps[1].any() and missing == "mean":
        warnings.warn(_without_target(data.name, gaps[1]), DataWarning, stacklevel=3)
    if lacking.any():
        data = attrs.evolve(data, x=read_only(data.x[~lacking]), y=read_only(data.y[~lacking]))
    return _with_means(data) if gaps[0].any() else data


def _gaps(array: Array) -> Array:
    """Tell in which rows a number is not finite; some rows at a time, since an array may be larger than memory."""
    pieces = range(0, len(array), ROWS)
    return np.concatenate([~np.isfinite(array[at : at + ROWS]).all(axis=1) for at in pieces])
