"""Frames of polars or pandas as tables. Neither is imported: polars is where a Parquet file asks for it."""

import math
import numbers
import os
from typing import Any

import numpy as np
from numpy.dtypes import StringDType

from ..arguments import ArgumentValueError
from ..records import Array, Table, read_only


def is_frame(source: Any) -> bool:
    """Tell whether this is a frame: something with named columns."""
    return hasattr(source, "columns") and hasattr(source, "__getitem__")


def from_frame(frame: Any, name: str = "the frame") -> Table:
    """Return a frame as a table. What is neither number, truth value nor text becomes the text that it is written as.

    Raises
    ------
    ValueError
        If columns have the same name, there is no row, or a number is infinite.

    Examples
    --------
    >>> import pandas
    >>> from_frame(pandas.DataFrame({"age": [3, None], "pet": ["cat", "dog"]})).columns[0].tolist()
    [3.0, nan]
    """
    keys = list(frame.columns)
    names = tuple(str(key).strip() for key in keys)
    twice = sorted({one for one in names if names.count(one) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ArgumentValueError(f"{name} has more than one column {twice[0]!r}")
    columns = tuple(_column(f"{name}, column {one!r}", frame[key]) for one, key in zip(names, keys, strict=True))
    if not columns or not len(columns[0]):
        raise ArgumentValueError(f"{name} has no {'rows' if columns else 'columns'}")
    return Table(names, columns, None, name)


def _column(where: str, series: Any) -> Array:
    values = series.to_numpy() if hasattr(series, "to_numpy") else np.asarray(series)
    if values.ndim != 1:
        raise ArgumentValueError(f"{where} must have one value a row, got shape {values.shape}")
    if values.dtype.kind in "fiu":
        column = values.astype(np.float64)
    elif values.dtype.kind in "mM":  # whose numbers depend on the unit that they are kept in
        dates = values.astype(str) if values.dtype.kind == "m" else np.datetime_as_string(values, unit="auto")
        column = _of_objects([None if gone else str(date) for date, gone in zip(dates, np.isnat(values), strict=True)])
    else:
        column = _of_objects(list(values.tolist() if values.dtype.kind in "bUT" else map(_bare, values)))
    if column.dtype.kind == "f" and len(wrong := np.flatnonzero(np.isinf(column))):
        raise ArgumentValueError(f"{where}, row {wrong[0]}: {column[wrong[0]]} is not finite; every number must be")
    return read_only(column)


def _bare(value: Any) -> Any:
    """Return None for what stands for a missing value: None, NaN, and pandas' NA and NaT, whose types are private."""
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _of_objects(values: list[Any]) -> Array:
    given = [value for value in values if value is not None]
    if all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in given):
        return np.array([math.nan if value is None else float(value) for value in values])
    words = {True: "true", False: "false"}
    return np.array(
        ["" if one is None else words[one] if isinstance(one, bool) else str(one).strip() for one in values],
        dtype=StringDType(),
    )


def from_parquet(path: str | os.PathLike[str]) -> Table:
    """Read a Parquet file by polars.

    Raises
    ------
    ValueError
        If polars is missing, or cannot read the file.
    """
    name = os.fspath(path)
    try:
        import polars
    except ImportError as error:
        raise ArgumentValueError(
            f"{name}: Parquet is read by polars, which pip install 'funcnn[tables]' brings"
        ) from error
    try:
        frame = polars.read_parquet(name)
    except OSError:
        raise
    except Exception as error:  # whatever its decoder raises
        said = " ".join(str(error).split())[:300]
        raise ArgumentValueError(f"{name} is no Parquet file, or is damaged: {said}") from error
    return from_frame(frame, name)
