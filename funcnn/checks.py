"""What is checked at the edge: public functions call these on what a user hands them.

Each raises ``ValueError`` or ``TypeError`` with the argument's name, what came, and what was expected.
"""

import difflib
import itertools
import math
import operator
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from .records import Array, Params

T = TypeVar("T")


def known(kind: str, name: object, table: Mapping[str, T]) -> T:
    """Return ``table[name]``; an unknown name is answered with the known ones and the nearest."""
    if isinstance(name, str) and name in table:
        return table[name]
    nearest = difflib.get_close_matches(str(name).lower(), table, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"unknown {kind} {name!r}{hint} (known: {', '.join(table) or 'none'})")


def whole(name: str, value: object, *, least: int) -> int:
    """Return ``value`` as an int of at least ``least``."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if number < least or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return number


def numbers(name: str, values: Any) -> Array:
    """Return ``values`` as a NumPy array of real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array


def learning_rate(lr: Any) -> Any:
    """Return ``lr``, a float or an array with one rate per member, all positive and finite."""
    try:
        if lr is None:
            raise TypeError
        rates = np.asarray(lr, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"lr must be a number or one number per member, got {lr!r}") from None
    if rates.ndim > 1 or not rates.size:
        raise ValueError(f"lr must be a number or have shape (K,), got shape {rates.shape}")
    for rate in rates.flat:
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"lr must be positive and finite, got {float(rate)!r}")
    return float(lr) if rates.ndim == 0 else rates


def batch_rows(batch_size: Any, n: int) -> int:
    """Return the samples of a batch, from a whole number or "full"."""
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ValueError(f"batch_size must be a whole number of samples or 'full', got {batch_size!r}")
        return n
    return min(n, whole("batch_size", batch_size, least=1))


def finite(name: str, array: Array) -> None:
    """Refuse NaN and infinity, and say where the first one stands."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        *member, row, column = bad[0].tolist()
        where = f"member {member[0]}, " if member else ""
        value = float(array[tuple(bad[0])])
        raise ValueError(f"{name} has {value} at {where}row {row}, column {column}; every value must be finite")


def samples(params: Params, x: Array, y: Array | None = None) -> None:
    """Refuse ``x`` and ``y`` whose shapes do not fit the network or each other. Looks at shapes only."""
    if not params.layers:
        raise ValueError("params has no layers")
    for index, layer in enumerate(params.layers):
        if getattr(layer.w, "ndim", 0) < 2:
            raise ValueError(f"w of layer {index} must be an array of shape (..., fan_in, fan_out)")
        if layer.b is not None and layer.b.shape[-2:] != (1, layer.w.shape[-1]):
            raise ValueError(f"b of layer {index} has shape {layer.b.shape}, expected (..., 1, {layer.w.shape[-1]})")
    fan_in, fan_out = params.layers[0].w.shape[-2], params.layers[-1].w.shape[-1]
    for index, (below, above) in enumerate(itertools.pairwise(params.layers)):
        if below.w.shape[-1] != above.w.shape[-2]:
            raise ValueError(
                f"layer {index} gives {below.w.shape[-1]} features, but layer {index + 1} takes {above.w.shape[-2]}"
            )
    wanted: list[tuple[str, Array, int, str]] = [("x", x, fan_in, "first layer takes")]
    if y is not None:
        wanted.append(("y", y, fan_out, "last layer gives"))
    for name, array, features, place in wanted:
        if not hasattr(array, "__array_namespace__"):
            raise TypeError(f"{name} must be an array, got {type(array).__name__}; numpy.asarray makes one")
        if array.ndim < 2:
            raise ValueError(f"{name} must have shape (n, {features}), got {array.shape}")
        if array.shape[-1] != features:
            raise ValueError(f"{name} has {array.shape[-1]} features, but the {place} {features}")
    if y is not None and x.shape[-2] != y.shape[-2]:
        raise ValueError(f"x has {x.shape[-2]} samples, but y has {y.shape[-2]}")
