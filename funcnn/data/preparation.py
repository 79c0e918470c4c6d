"""What is done with data before a network takes them: a part is held back, and columns are brought to one scale."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np

from .. import arguments, validation
from ..arguments import ArgumentValueError
from ..records import Array, Dataset, Scaling, read_only

#: Numbers beyond which differences of two may overflow; they are taken a quarter as large.
HUGE = 1e300
#: Rows that are looked at together.
ROWS = 4096


def split(dataset: Dataset, fraction: float = 0.2, seed: int | tuple[int, ...] = 0) -> tuple[Dataset, Dataset]:
    """Draw a share of the samples as the second part; the others are the first. Each keeps the order of its rows.

    Where targets are classes, 0/1 or the like or one-hot, each class has its share in the second part, rounded by the
    largest remainder, and at least one sample in the first.

    Parameters
    ----------
    dataset
        Samples and targets, (n, d) and (n, k).
    fraction
        The second part's share, between 0 and 1; its size is rounded, and at least 1.
    seed
        Of the draw.

    Raises
    ------
    ValueError, TypeError
        If the share is not between 0 and 1, or the samples are too few for two parts.

    Examples
    --------
    >>> import funcnn
    >>> train, held = split(funcnn.xor(), 0.25)
    >>> len(train.x), len(held.x), int(held.y.sum())
    (16, 5, 2)
    """
    share = arguments.positive("fraction", fraction)
    if share >= 1:
        raise ArgumentValueError(f"fraction must be between 0 and 1, got {arguments.shown(fraction)}")
    seed = arguments.seeds("seed", seed)
    arguments.of_kind("dataset", dataset, Dataset)
    x, y = (validation.numbers(f"{side} of dataset", getattr(dataset, side)) for side in ("x", "y"))
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or 0 in y.shape:
        raise ArgumentValueError(f"dataset must have x (n, d) and y (n, k), got shapes {x.shape} and {y.shape}")
    members = _classes(y)
    counts = _counts([len(rows) for rows in members], max(1, round(share * len(x))))
    if not 0 < sum(counts) < len(x):
        raise ArgumentValueError(
            f"dataset {dataset.name!r} is too small for two parts: {len(x)} samples, {len(members)} classes"
        )
    rng = np.random.default_rng(seed)
    held = np.zeros(len(x), bool)
    for rows, count in zip(members, counts, strict=True):
        held[rng.permutation(rows)[:count]] = True
    return _part(dataset, ~held), _part(dataset, held)


def _part(dataset: Dataset, rows: Array) -> Dataset:
    return attrs.evolve(dataset, x=read_only(dataset.x[rows]), y=read_only(dataset.y[rows]))


def _classes(y: Array) -> list[Array]:
    """Return the rows of each class; all as one where targets are no classes."""
    y = np.asarray(y)
    one_hot = y.shape[1] > 1 and bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1))
    if one_hot:
        labels = y.argmax(axis=1)
    elif y.shape[1] == 1 and len(np.unique(y)) == 2:
        labels = (y == y.max()).ravel().astype(int)
    else:
        labels = np.zeros(len(y), int)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _counts(sizes: list[int], wanted: int) -> list[int]:
    """Return how many of each class are held back: its share by the largest remainder, but never all.

    Examples
    --------
    >>> _counts([10, 5, 1], 4), _counts([1, 1], 1)
    ([3, 1, 0], [0, 0])
    """
    total = sum(sizes)
    counts = [min(size * wanted // total, size - 1) for size in sizes]
    # Whole numbers, lest rounding decide between remainders that are the same.
    order = sorted(range(len(sizes)), key=lambda at: (-(sizes[at] * wanted % total), at))
    while sum(counts) < wanted and (room := [at for at in order if counts[at] < sizes[at] - 1]):
        for at in room[: wanted - sum(counts)]:
            counts[at] += 1
    return counts


def standardisation(x: Array) -> Scaling:
    """Return mean and standard deviation of each column, of the numbers that are there: NaN are passed over.

    A column of one value has scale 1, so that standardising takes it to 0; one without numbers mean 0 and scale 1.
    Numbers may be as large or small as float64 holds.

    Parameters
    ----------
    x
        (n, d).

    Raises
    ------
    ValueError, TypeError
        If ``x`` is no matrix of real numbers, has no row, or a number is infinite.

    Examples
    --------
    >>> scaling = standardisation([[1.0, 5.0], [3.0, 5.0]])
    >>> scaling.mean.tolist(), scaling.scale.tolist()
    ([2.0, 5.0], [1.0, 1.0])
    """
    x = _matrix("x", x)
    if x.ndim != 2 or not len(x):
        raise ArgumentValueError(f"x must have shape (n, d), n at least 1, got {x.shape}")
    low, high = np.full(x.shape[1], math.inf), np.full(x.shape[1], -math.inf)
    for begin, piece in _pieces(x):
        if len(wrong := np.argwhere(np.isinf(piece))):
            row, column = wrong[0].tolist()
            place = validation.place([begin + row, column])
            raise ArgumentValueError(
                f"x has {piece[row, column]} at {place}; every value must be finite, or NaN where missing"
            )
        low, high = np.fmin(low, np.fmin.reduce(piece)), np.fmax(high, np.fmax.reduce(piece))
    none = low > high
    low, high = np.where(none, 0.0, low), np.where(none, 0.0, high)
    # Each column from 0 to 1, in halves, whose differences cannot overflow: no sum of squares is too large or small.
    width = high / 2 - low / 2
    flat = width == 0
    unit = np.where(flat, 1.0, width)
    count = _summed(x, lambda piece: ~np.isnan(piece))
    count = np.where(none, 1, count)
    mean = _summed(x, lambda piece: (piece / 2 - low / 2) / unit) / count
    variance = _summed(x, lambda piece: ((piece / 2 - low / 2) / unit - mean) ** 2) / count
    scale = 2 * (unit * np.sqrt(variance))
    flat |= scale == 0
    return Scaling(read_only(np.where(flat, low, 2 * (low / 2 + unit * mean))), read_only(np.where(flat, 1.0, scale)))


def _matrix(name: str, x: Any) -> Array:
    x = validation.numbers(name, x)
    return x if x.dtype in (np.float64, np.float32) and x.dtype.isnative else x.astype(np.float64)


def _pieces(x: Array) -> Iterator[tuple[int, Array]]:
    """Yield some rows at a time as float64: ``x`` may be larger than memory."""
    for begin in range(0, len(x), ROWS):
        yield begin, x[begin : begin + ROWS].astype(np.float64)


def _summed(x: Array, function: Callable[[Array], Array]) -> Array:
    """Return the sum over rows of what a function makes of them, NaN passed over."""
    return np.sum([np.nansum(function(piece), axis=0) for _, piece in _pieces(x)], axis=0)


def standardise(scaling: Scaling, x: Array) -> Array:
    """Return ``(x − mean) / scale``, and 0, which is the mean, where ``x`` is NaN.

    Raises
    ------
    ValueError, TypeError
        If ``x`` is no array (…, n, d) of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> standardise(Scaling(np.array([2.0]), np.array([0.5])), [[3.0], [np.nan]]).tolist()
    [[2.0], [0.0]]
    """
    scaling, x = _fitting("x", scaling, x)
    less = _less(scaling)
    with np.errstate(over="ignore"):  # a number far from all that the scaling has seen may be infinite
        z = (x * less - scaling.mean * less) / (scaling.scale * less)
    return read_only(np.where(np.isnan(x), 0.0, z).astype(x.dtype, copy=False))


def unstandardise(scaling: Scaling, z: Array) -> Array:
    """Return ``z scale + mean``, which `standardise` is the inverse of. Errors are as for `standardise`.

    Examples
    --------
    >>> import numpy as np
    >>> unstandardise(Scaling(np.array([2.0]), np.array([0.5])), [[2.0], [0.0]]).tolist()
    [[3.0], [2.0]]
    """
    scaling, z = _fitting("z", scaling, z)
    less = _less(scaling)
    with np.errstate(over="ignore"):
        x = (z * (scaling.scale * less) + scaling.mean * less) / less
    return read_only(x.astype(z.dtype, copy=False))


def scaled(scaling: Scaling | None, x: Array) -> Array:
    """Standardise, where there is a scaling."""
    return x if scaling is None else standardise(scaling, x)


def restored(scaling: Scaling | None, z: Array) -> Array:
    """Return standardised numbers in their own units, where there is a scaling."""
    return z if scaling is None else unstandardise(scaling, z)


def _fitting(name: str, scaling: Scaling, values: Any) -> tuple[Scaling, Array]:
    """Return a scaling whose parts are numbers, one for each column, and the values that it is for."""
    arguments.of_kind("scaling", scaling, Scaling)
    mean, scale = (validation.numbers(f"{part} of scaling", getattr(scaling, part)) for part in ("mean", "scale"))
    if mean.ndim != 1 or scale.shape != mean.shape or not (np.isfinite([mean, scale]).all() and (scale > 0).all()):
        raise ArgumentValueError("scaling must have a finite mean for each column, and a scale above 0")
    x = _matrix(name, values)
    if x.ndim < 2 or x.shape[-1:] != mean.shape:
        raise ArgumentValueError(f"{name} must have shape (n, {len(mean)}), as the scaling, got {x.shape}")
    return Scaling(mean, scale), x


def _less(scaling: Scaling) -> Array:
    """Return by what numbers are multiplied so that differences do not overflow: a power of 2, which rounds nothing."""
    return np.where(np.abs(scaling.mean) + scaling.scale > HUGE, 0.25, 1.0)
