"""Formulas that are recorded once and gone through again: the same bits as the formula called as it is written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from funcnn.engines.recorded import record


def _softmax_slope(z, y):
    top = np.max(z, axis=-1, keepdims=True)
    row = top + np.log(np.sum(np.exp(z - top), axis=-1, keepdims=True))
    return np.exp(z - row) - y


def _adam(w, g, mean, square):
    mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * (g * g)
    return w - 0.1 * mean / (np.sqrt(square) + 1e-8), mean, square


#: Formulas of two arrays or four, and which of these they write over.
FORMULAS = {
    "sigmoid": (lambda z, y: 1 / (1 + np.exp(-z)), [0]),
    "where": (lambda z, y: np.where(z > y, z * y, 0.0) + np.where(y > 0, 1, z), [0]),
    "constant": (lambda z, y: np.full_like(z, 3.0), [0]),
    "the argument": (lambda z, y: y, [0]),
    "one result twice": (lambda z, y: (lambda a: (a, a))(z * y), [0, 1]),
    "a part of a result": (lambda z, y: (z * y)[..., :1] + z, [0]),
    "read after written": (lambda z, y: (lambda a: (a, a - z * y))(z + y), [0, 1]),
    "reduced": (_softmax_slope, [1]),
    "adam": (_adam, [0, 2, 3]),
    "momentum": (lambda w, g, v, _: (lambda n: (w - 0.1 * n, n))(0.9 * v + g), [0, 2]),
}


@pytest.mark.parametrize("name", FORMULAS)
@given(numbers=arrays(float, (2, 4, 3, 2), elements=st.floats(-3, 3)), dtype=st.sampled_from(["f4", "f8"]))
def test_what_is_recorded_has_the_bits_of_the_formula_each_time(name, numbers, dtype):
    formula, over = FORMULAS[name]
    count = formula.__code__.co_argcount
    first, second = numbers.astype(dtype)
    buffers = list(first[:count].copy())
    with np.errstate(all="ignore"):
        calls = record(formula, buffers, [buffers[index] for index in over], {})
        for start in (first, second, first):
            for buffer, array in zip(buffers, start[:count], strict=True):
                buffer[...] = array
            expected = formula(*(array.copy() for array in start[:count]))
            for call in calls:
                call()
            for index, result in zip(over, expected if isinstance(expected, tuple) else (expected,), strict=True):
                assert buffers[index].tobytes() == np.asarray(result, dtype).tobytes()


def test_buffers_in_between_are_shared():
    spare = {}
    for _ in range(50):
        record(_adam, np.ones((4, 30)), np.ones((3, 30)), spare)
    assert sum(map(len, spare.values())) <= 4


@pytest.mark.parametrize(
    "formula",
    [
        lambda z, y: z if z[0] > 0 else y,
        lambda z, y: np.sort(z),
        lambda z, y: np.asarray(z) + 1,
        lambda z, y: z + float(y[0]),
        lambda z, y: z + len(y),
        lambda z, y: np.vectorize(abs)(z),
        lambda z, y: np.add(z, y, out=y),
    ],
)
def test_what_cannot_be_written_down_is_refused(formula):
    z, y = np.ones((2, 3))
    with pytest.raises(TypeError):
        record(formula, (z, y), (np.empty(3),), {})


def test_results_that_would_be_written_over_before_they_are_read_are_refused():
    z, y = np.ones((2, 3))
    with pytest.raises(TypeError, match="gives back what it was given"):
        record(lambda z, y: (z + y, z), (z, y), (z, y), {})
