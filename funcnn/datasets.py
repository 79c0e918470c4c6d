"""The data sets of the lab."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from . import validation
from .records import Array, Dataset, read_only


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
        If ``n`` is not a whole number of at least 1.
    """
    x = np.random.default_rng(seed).uniform(size=(validation.whole("n", n, least=1), 2))
    return _dataset(x, np.where(x[:, 0] > x[:, 1], 0.0, 1.0), "linear")


#: By name, the training set and the test set that a seed gives. XOR is tested on its own 21 points, linear on a
#: fresh draw.
DATASETS: Mapping[str, Callable[[int], tuple[Dataset, Dataset]]] = MappingProxyType(
    {
        "xor": lambda seed: (xor(), xor()),
        "linear": lambda seed: (linear(seed=seed), linear(seed=(seed, 1))),
    }
)


def dataset(name: str, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Return the training set and the test set called ``name``.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones and suggests the nearest.
    """
    return validation.known("data set", name, DATASETS)(validation.whole("data_seed", seed, least=0))
