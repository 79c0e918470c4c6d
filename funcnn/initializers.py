"""Initialisers: how the weights and biases of a layer are drawn.

Each is a plain function ``(rng, shape, fans, …) -> array`` of a generator, of the shape that is wanted, of the layer's
``fans`` (fan_in, fan_out), and of numbers of its own. For weights the fans are the shape; biases (1, fan_out) are drawn
as wide as the weights of their layer. The array is float64. A number that is not positive and finite raises ValueError.

>>> import numpy as np
>>> he_uniform(np.random.default_rng(0), (2, 3), (2, 3)).shape
(2, 3)
>>> bool(abs(glorot_uniform(np.random.default_rng(0), (1, 3), (2, 3), gain=2.0)).max() < 2 * (6 / 5) ** 0.5)
True
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from . import memory
from .arguments import MOST, ArgumentValueError, listed, of_kind, positive, real, shown, whole, with_numbers
from .records import Array

#: (rows, columns), or (fan_in, fan_out).
Shape: TypeAlias = tuple[int, int]
#: An initialiser whose numbers are given: from generator, shape and fans to a float64 array of that shape.
Initializer = Callable[[np.random.Generator, Shape, Shape], Array]


def zeros(rng: np.random.Generator, shape: Shape, fans: Shape) -> Array:
    """W = 0; for biases: units of a layer whose weights start alike stay alike, Rumelhart, Hinton & Williams 1986."""
    return np.zeros(_drawn(rng, shape, fans))


def constant(rng: np.random.Generator, shape: Shape, fans: Shape, value: float) -> Array:
    """W = value; for biases: a small positive one keeps ReLU units alive at first, Krizhevsky et al. 2012, 5."""
    return np.full(_drawn(rng, shape, fans), real("value", value))


def normal(rng: np.random.Generator, shape: Shape, fans: Shape, std: float = 1.0) -> Array:
    """W ~ N(0, std²), standard normal by default: the lab report's."""
    shape = _drawn(rng, shape, fans)
    return positive("std", std) * rng.standard_normal(shape)


def uniform(rng: np.random.Generator, shape: Shape, fans: Shape, a: float = 1.0) -> Array:
    """W ~ U(−a, a); as Rumelhart, Hinton & Williams 1986 begin from small random weights."""
    shape = _drawn(rng, shape, fans)
    return positive("a", a) * rng.uniform(-1.0, 1.0, shape)


def fan_in_uniform(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W ~ U(−a, a), a = gain/√fan_in; Glorot & Bengio 2010, eq. 1: weights and biases of PyTorch's Linear."""
    return uniform(rng, shape, fans, positive("gain", gain) / math.sqrt(_units("fans", fans)[0]))


def lecun_normal(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W ~ N(0, σ²), σ = gain/√fan_in; LeCun, Bottou, Orr & Müller 1998, eq. 16."""
    return normal(rng, shape, fans, positive("gain", gain) * math.sqrt(1 / _units("fans", fans)[0]))


def lecun_uniform(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W ~ U(−a, a), a = gain √(3/fan_in); LeCun, Bottou, Orr & Müller 1998, eq. 16."""
    return uniform(rng, shape, fans, positive("gain", gain) * math.sqrt(3 / _units("fans", fans)[0]))


def glorot_normal(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W ~ N(0, σ²), σ = gain √(2/(fan_in + fan_out)); Glorot & Bengio 2010, eq. 12."""
    return normal(rng, shape, fans, positive("gain", gain) * math.sqrt(2 / sum(_units("fans", fans))))


def glorot_uniform(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W ~ U(−a, a), a = gain √(6/(fan_in + fan_out)); Glorot & Bengio 2010, eq. 16; scikit-learn's, biases too."""
    return uniform(rng, shape, fans, positive("gain", gain) * math.sqrt(6 / sum(_units("fans", fans))))


def he_normal(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W ~ N(0, σ²), σ = gain √(2/fan_in); He et al. 2015, eq. 10: for ReLU."""
    return normal(rng, shape, fans, positive("gain", gain) * math.sqrt(2 / _units("fans", fans)[0]))


def he_uniform(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W ~ U(−a, a), a = gain √(6/fan_in); He et al. 2015, eq. 10, with that variance: for ReLU."""
    return uniform(rng, shape, fans, positive("gain", gain) * math.sqrt(6 / _units("fans", fans)[0]))


def orthogonal(rng: np.random.Generator, shape: Shape, fans: Shape, gain: float = 1.0) -> Array:
    """W = gain Q, QᵀQ = 1 or QQᵀ = 1 if wider than tall, Q uniform among these; Saxe, McClelland & Ganguli 2014.

    Q is that of a standard normal matrix QR. Its columns take the signs of R's diagonal, without which Q would not be
    uniform; Mezzadri 2007.
    """
    shape = _drawn(rng, shape, fans)
    tall = max(shape), min(shape)
    q, r = np.linalg.qr(rng.standard_normal(tall))
    q = positive("gain", gain) * np.copysign(1.0, np.diagonal(r)) * q
    return q if tall == shape else q.T


def _drawn(rng: np.random.Generator, shape: Shape, fans: Shape) -> Shape:
    """Return the shape that is to be drawn."""
    of_kind("rng", rng, np.random.Generator)
    _units("fans", fans)
    rows, columns = _units("shape", shape)
    memory.check(f"an array of shape ({rows}, {columns})", 8 * rows * columns)
    return rows, columns


def _units(name: str, value: Any) -> Shape:
    """Return a pair of numbers of units."""
    if type(value) is tuple and [type(one) for one in value] == [int, int] and 0 < min(value) <= max(value) <= MOST:
        return value  # as every layer of every member of an ensemble has it
    pair = listed(name, value, "be two whole numbers, as (2, 3)")
    if len(pair) != 2:
        raise ArgumentValueError(f"{name} must be two whole numbers, as (2, 3), got {shown(value)}")
    first, second = (whole(name, one, least=1) for one in pair)
    return first, second


#: The built-in initialisers by name. "glorot" and "he" are short for glorot_normal and he_normal.
INITIALIZERS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            zeros,
            constant,
            normal,
            uniform,
            fan_in_uniform,
            lecun_normal,
            lecun_uniform,
            glorot_normal,
            glorot_uniform,
            he_normal,
            he_uniform,
            orthogonal,
        )
    }
    | {"glorot": glorot_normal, "he": he_normal}
)


def initializer_named(text: str, kind: str = "scheme") -> Initializer:
    """Return the initialiser that a text ``NAME[:number,…]`` names; ``kind`` is what errors call it.

    Raises
    ------
    ValueError
        If the name is unknown (the message lists the known ones and suggests the nearest), or its numbers are too
        few, too many or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> initializer_named("constant:0.1")(np.random.default_rng(0), (1, 3), (2, 3))
    array([[0.1, 0.1, 0.1]])
    """
    return with_numbers(kind, text, INITIALIZERS, np.random.default_rng(0), (1, 1), (1, 1))
