"""The toy data sets of the lab."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from .. import arguments, memory
from ..records import Array, Dataset, read_only


def _dataset(x: Array, y: Array, name: str) -> Dataset:
    return Dataset(read_only(x), read_only(y[:, None]), name)


def xor() -> Dataset:
    """Return XOR on two crossing lines: 21 points, the falling diagonal labelled 1 and the rising one 0.

    In the order of the lab, which per-sample training depends on: for i = 0…10, (0.1 i, 0.1 i) with 0 and then, unless
    i = 5 where the lines cross, (0.1 i, 1 − 0.1 i) with 1.
    """
    points, labels = [], []
    for i in range(11):
        points.append((0.1 * i, 0.1 * i))
        labels.append(0.0)
        if i != 5:
            points.append((0.1 * i, 1 - 0.1 * i))
            labels.append(1.0)
    return _dataset(np.array(points), np.array(labels), "xor")


def linear(n: int = 100, seed: int | tuple[int, ...] = 0) -> Dataset:
    """Draw n points uniformly from the unit square, labelled 0 where x > y and 1 elsewhere.

    Raises
    ------
    ValueError, TypeError
        If ``n`` is not a whole number of at least 1, or the seed is neither a whole number of at least 0 nor some.
    MemoryError
        If so many points are more than the machine's memory holds.
    """
    n, rng = arguments.whole("n", n, least=1), np.random.default_rng(arguments.seeds("seed", seed))
    memory.check(f"linear data of {n:,} points", 24 * n)
    x = rng.uniform(size=(n, 2))
    return _dataset(x, np.where(x[:, 0] > x[:, 1], 0.0, 1.0), "linear")


#: By name, the training set and the test set that a seed gives. XOR is tested on its own 21 points, linear on a
#: fresh draw.
DATASETS: Mapping[str, Callable[[int], tuple[Dataset, Dataset]]] = MappingProxyType(
    {
        "xor": lambda seed: (xor(), xor()),
        "linear": lambda seed: (linear(seed=seed), linear(seed=(seed, 1))),
    }
)


def dataset(name: str, seed: int | Iterable[int] = 0) -> tuple[Dataset, Dataset]:
    """Return the training set and the test set called ``name``.

    Several seeds give the data of an ensemble: ``x`` (K, n, d) and ``y`` (K, n, k), where member k has the bits of the
    draw of its seed alone. Where all of them give the same points, as those of XOR do, the members share these: ``x``
    (n, d) and ``y`` (n, k).

    Raises
    ------
    ValueError, TypeError
        If the name is unknown; the message lists the known ones and suggests the nearest. If a seed is not a whole
        number of at least 0, or there is none.
    """
    draw = arguments.known("data set", name, DATASETS)
    drawn_from = arguments.seeds("data_seed", seed)
    if isinstance(drawn_from, int):
        return draw(drawn_from)
    train_sets, test_sets = zip(*map(draw, drawn_from), strict=True)
    return _stack(train_sets), _stack(test_sets)


def _stack(sets: Sequence[Dataset]) -> Dataset:
    """Return the data of an ensemble: one leading axis, or the one set that all of ``sets`` are."""
    first = sets[0]
    if all(one == first for one in sets):
        return first
    return Dataset(
        read_only(np.stack([one.x for one in sets])), read_only(np.stack([one.y for one in sets])), first.name
    )
