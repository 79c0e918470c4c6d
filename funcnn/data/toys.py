"""The toy data sets: those of the lab, and others that networks have been tried on."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import attrs
import numpy as np

from .. import arguments, memory
from ..arguments import ArgumentValueError
from ..records import Array, Dataset, read_only
from .codes import one_hot


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


def moons(n: int = 200, noise: float = 0.1, seed: int | tuple[int, ...] = 0) -> Dataset:
    """Two half circles that reach into each other; the pattern of Zhou et al. 2004, fig. 1, as scikit-learn makes it.

    Class 0 is (cos t, sin t), class 1 (1 − cos t, 0.5 − sin t), t spread evenly from 0 to π, each point moved by normal
    noise of that standard deviation. Of an odd number class 0 has one more.

    Raises
    ------
    ValueError, TypeError
        If ``n`` is not a whole number of at least 2, or ``noise`` is negative or infinite.
    """
    first, second = (np.linspace(0.0, np.pi, count) for count in _halves(n))
    curves = _curve(np.cos(first), np.sin(first)), _curve(1 - np.cos(second), 0.5 - np.sin(second))
    return _two("moons", curves, noise, seed)


def circles(n: int = 200, noise: float = 0.05, factor: float = 0.5, seed: int | tuple[int, ...] = 0) -> Dataset:
    """Two circles around one centre; the pattern of Ng, Jordan & Weiss 2002, fig. 1, as scikit-learn makes it.

    Class 0 lies on the circle of radius 1, class 1 on that of radius ``factor``, both spread evenly, each point moved
    by normal noise of that standard deviation. Errors are as for `moons`, ``factor`` being positive.
    """
    factor = arguments.positive("factor", factor)
    turns = (np.linspace(0.0, 2 * np.pi, count, endpoint=False) for count in _halves(n))
    outer, inner = (_curve(np.cos(turn), np.sin(turn)) for turn in turns)
    return _two("circles", (outer, factor * inner), noise, seed)


def spirals(n: int = 194, noise: float = 0.1, seed: int | tuple[int, ...] = 0) -> Dataset:
    """Two spirals of three turns each around one another; Lang & Witbrock 1988.

    Class 1 is r (sin φ, cos φ) with φ = iπ/16 and r = 6.5 (104 − i)/104, i from 0 to 96, and class 0 the same turned by
    half a turn. With ``n`` = 194 and without noise these are the source's points. Errors are as for `moons`.
    """
    rays = (np.linspace(0.0, 96.0, count) for count in _halves(n))
    first, second = (
        (6.5 * (104 - i) / 104)[:, None] * _curve(np.sin(i * np.pi / 16), np.cos(i * np.pi / 16)) for i in rays
    )
    return _two("spirals", (-first, second), noise, seed)


def _halves(n: int) -> tuple[int, int]:
    n = arguments.whole("n", n, least=2)
    memory.check(f"data of {n:,} points", 24 * n)
    return n - n // 2, n // 2


def _curve(across: Array, up: Array) -> Array:
    return np.stack([across, up], axis=-1)


def _two(name: str, curves: tuple[Array, Array], noise: float, seed: int | tuple[int, ...]) -> Dataset:
    """Return the points of two classes, moved by normal noise."""
    x = np.concatenate(curves)
    x = x + arguments.positive("noise", noise, zero=True) * np.random.default_rng(seed).standard_normal(x.shape)
    return _dataset(x, np.repeat([0.0, 1.0], [len(curve) for curve in curves]), name)


def blobs(k: int = 3, n: int = 300, noise: float = 0.2, seed: int | tuple[int, ...] = 0) -> Dataset:
    """Draw n points of k classes, normal around places spread evenly on the unit circle; Duda & Hart 1973, ch. 2.

    Point i is of class i mod k, around (cos 2πc/k, sin 2πc/k), with that standard deviation in each direction.

    Raises
    ------
    ValueError, TypeError
        If ``k`` is not a whole number of at least 2, ``n`` of at least ``k``, or ``noise`` is negative or infinite.
    """
    k = arguments.whole("k", k, least=2)
    n = arguments.whole("n", n, least=k)
    noise = arguments.positive("noise", noise, zero=True)
    memory.check(f"blobs of {n:,} points in {k:,} classes", 8 * n * (k + 2))
    labels = np.arange(n) % k
    turns = 2 * np.pi * labels / k
    x = _curve(np.cos(turns), np.sin(turns)) + noise * np.random.default_rng(seed).standard_normal((n, 2))
    return Dataset(read_only(x), read_only(one_hot(labels, k)), "blobs", (), tuple(map(str, range(k))))


def sine(n: int = 100, noise: float = 0.1, seed: int | tuple[int, ...] = 0) -> Dataset:
    """Draw n points of y = sin 2πx with normal noise, x uniform from 0 to 1; Bishop 2006, 1.1.

    Raises
    ------
    ValueError, TypeError
        If ``n`` is not a whole number of at least 1, or ``noise`` is negative or infinite.
    """
    n = arguments.whole("n", n, least=1)
    noise = arguments.positive("noise", noise, zero=True)
    memory.check(f"sine of {n:,} points", 16 * n)
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(n, 1))
    return _dataset(x, np.sin(2 * np.pi * x[:, 0]) + noise * rng.standard_normal(n), "sine")


def parity(bits: int = 4) -> Dataset:
    """All patterns of so many bits, 1 where an odd number of them are 1; Rumelhart, Hinton & Williams 1986, PDP 8.

    Raises
    ------
    ValueError, TypeError
        If ``bits`` is not a whole number from 1 to 20.
    """
    x = _patterns(bits)
    return attrs.evolve(_dataset(x, x.sum(axis=1) % 2, "parity"), classes=("even", "odd"))


def symmetry(bits: int = 6) -> Dataset:
    """All patterns of so many bits, 1 where they read the same backwards; Rumelhart, Hinton & Williams 1986, PDP 8.

    Errors are as for `parity`.
    """
    x = _patterns(bits)
    y = np.all(x == x[:, ::-1], axis=1).astype(float)
    if y.all():
        raise ArgumentValueError(f"bits must be at least 2, since one bit is symmetric whatever it is, got {bits}")
    return attrs.evolve(_dataset(x, y, "symmetry"), classes=("not symmetric", "symmetric"))


def encoder(n: int = 8) -> Dataset:
    """n patterns with one 1 each, to be given out as they come in; Ackley, Hinton & Sejnowski 1985, and PDP 8.

    Through fewer units than n they have to be coded: 8 through 3 in the sources.

    Raises
    ------
    ValueError, TypeError
        If ``n`` is not a whole number of at least 2.
    """
    n = arguments.whole("n", n, least=2)
    memory.check(f"encoder of {n:,} patterns", 16 * n * n)
    return Dataset(read_only(np.eye(n)), read_only(np.eye(n)), "encoder")


def _patterns(bits: int) -> Array:
    """Return all patterns of so many bits in the order of counting, (2^bits, bits)."""
    bits = arguments.whole("bits", bits, least=1)
    if bits > MOST_BITS:
        raise ArgumentValueError(f"bits must be at most {MOST_BITS}, got {bits}")
    return (np.arange(2**bits)[:, None] >> np.arange(bits)[::-1] & 1).astype(float)


#: Bits of the largest patterns, of which there are a million.
MOST_BITS = 20

#: From the seed, and perhaps numbers, to a training set and a test set.
Pair = Callable[..., tuple[Dataset, Dataset]]


def _pair(toy: Callable[..., Dataset]) -> Pair:
    """Return a function (seed, numbers of its own …) that gives a training set and a test set.

    What is drawn is tested on a fresh draw, what is not on itself.
    """
    parameters = dict(inspect.signature(toy).parameters)
    drawn = parameters.pop("seed", None) is not None

    @functools.wraps(toy)
    def pair(seed: int, **numbers: float) -> tuple[Dataset, Dataset]:
        whole = {name: int(value) if value == int(value) else value for name, value in numbers.items()}
        try:
            train = toy(**whole, seed=seed) if drawn else toy(**whole)
            return train, toy(**whole, seed=(seed, 1)) if drawn else train
        except TypeError as error:  # which a number that is not whole is, in a name it is a wrong value
            raise ArgumentValueError(str(error)) from error

    first = inspect.Parameter("seed", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    pair.__signature__ = inspect.Signature([first, *parameters.values()])  # type: ignore[attr-defined]
    return pair


#: By name, the training set and the test set that a seed gives; numbers may follow the name, as in "blobs:4".
DATASETS: Mapping[str, Pair] = MappingProxyType(
    {toy.__name__: _pair(toy) for toy in (xor, linear, moons, circles, spirals, blobs, sine, parity, symmetry, encoder)}
)


def dataset(name: str, seed: int | Iterable[int] = 0) -> tuple[Dataset, Dataset]:
    """Return the training set and the test set called ``name``, or ``name:number,…`` with numbers of its own.

    What is drawn is tested on a fresh draw, and what is not (xor, parity, symmetry, encoder) on itself.

    Several seeds give the data of an ensemble: ``x`` (K, n, d) and ``y`` (K, n, k), where member k has the bits of the
    draw of its seed alone. Where all of them give the same points, as those of XOR do, the members share these: ``x``
    (n, d) and ``y`` (n, k).

    Raises
    ------
    ValueError, TypeError
        If the name is unknown; the message lists the known ones and suggests the nearest. If its numbers are too many
        or out of range. If a seed is not a whole number of at least 0, or there is none.

    Examples
    --------
    >>> train, test = dataset("blobs:4", seed=3)
    >>> train.x.shape, train.y.shape, train == test
    ((300, 2), (300, 4), False)
    """
    if isinstance(name, str) and ":" in name:
        draw = arguments.with_numbers("data set", name, DATASETS, 0)
    else:  # without drawing on trial
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
    x, y = (read_only(np.stack(arrays)) for arrays in zip(*((one.x, one.y) for one in sets), strict=True))
    return attrs.evolve(first, x=x, y=y)
