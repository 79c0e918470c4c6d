"""Initialisers: what is drawn has the spread that its source gives it, and the bits that it always had."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcnn
from funcnn.initializers import initializer_named

#: Standard deviation of the normal ones, and bound of the uniform ones, from (fan_in, fan_out).
NORMAL = {
    "normal": lambda i, o: 1.0,
    "normal:0.3": lambda i, o: 0.3,
    "lecun_normal": lambda i, o: i**-0.5,
    "glorot_normal": lambda i, o: (2 / (i + o)) ** 0.5,
    "glorot": lambda i, o: (2 / (i + o)) ** 0.5,
    "he_normal": lambda i, o: (2 / i) ** 0.5,
    "he": lambda i, o: (2 / i) ** 0.5,
    "he_normal:3": lambda i, o: 3 * (2 / i) ** 0.5,
}
UNIFORM = {
    "uniform": lambda i, o: 1.0,
    "uniform:0.5": lambda i, o: 0.5,
    "fan_in_uniform": lambda i, o: i**-0.5,
    "lecun_uniform": lambda i, o: (3 / i) ** 0.5,
    "glorot_uniform": lambda i, o: (6 / (i + o)) ** 0.5,
    "he_uniform": lambda i, o: (6 / i) ** 0.5,
    "he_uniform:0.1": lambda i, o: 0.1 * (6 / i) ** 0.5,
}
OTHER = ("zeros", "constant:0.1", "orthogonal", "orthogonal:2")


def test_every_initialiser_is_tested():
    assert {text.partition(":")[0] for text in (*NORMAL, *UNIFORM, *OTHER)} == set(funcnn.INITIALIZERS)
    assert funcnn.SCHEMES is funcnn.INITIALIZERS


@pytest.mark.parametrize("sizes", [(300, 200), (100, 600)])
@pytest.mark.parametrize("text", NORMAL)
def test_normal_ones_have_their_standard_deviation(text, sizes):
    spread = NORMAL[text](*sizes)
    layer = funcnn.init(sizes, seed=1, scheme=text, bias=True, bias_init=text).layers[0]
    # Four standard errors of a standard deviation, spread / √(2 n), and of a mean, spread / √n.
    for array in (layer.w, layer.b):
        assert array.std() == pytest.approx(spread, rel=4 / math.sqrt(2 * array.size))
        assert abs(array.mean()) < 4 * spread / math.sqrt(array.size)
    assert (np.abs(layer.w) > 3 * spread).mean() == pytest.approx(0.0027, rel=0.3)  # the tails of a normal


@pytest.mark.parametrize("sizes", [(300, 200), (100, 600)])
@pytest.mark.parametrize("text", UNIFORM)
def test_uniform_ones_fill_their_interval(text, sizes):
    bound = UNIFORM[text](*sizes)
    layer = funcnn.init(sizes, seed=1, scheme=text, bias=True, bias_init=text).layers[0]
    for array in (layer.w, layer.b):  # biases are as wide as the weights of their layer
        assert np.abs(array).max() <= bound
        assert array.max() > 0.9 * bound
        assert array.min() < -0.9 * bound
        assert array.std() == pytest.approx(bound / math.sqrt(3), rel=4 / math.sqrt(array.size))
    counts, _ = np.histogram(layer.w, 10, (-bound, bound))
    assert np.abs(counts / layer.w.size - 0.1).max() < 0.01


@given(
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 100),
    gain=st.sampled_from([1.0, 2.0, 0.1]),
)
def test_orthogonal_ones_are_orthogonal(sizes, seed, gain):
    w = funcnn.init(sizes, seed=seed, scheme=f"orthogonal:{gain}").layers[0].w
    assert w.shape == sizes
    product = w.T @ w if sizes[0] >= sizes[1] else w @ w.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(sizes)), atol=1e-12)


def test_orthogonal_ones_have_no_preferred_sign():
    w = np.array([funcnn.init((3, 3), seed=seed, scheme="orthogonal").layers[0].w for seed in range(2000)])
    assert np.abs(w.mean(axis=0)).max() < 4 / math.sqrt(3 * 2000)  # each entry has variance 1/3
    assert np.linalg.det(w).mean() == pytest.approx(0, abs=4 / math.sqrt(2000))


@pytest.mark.parametrize("text", [*NORMAL, *UNIFORM, *OTHER])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_are_the_same_whatever_the_biases_and_members_are_their_solos(text, dtype, bits):
    sizes, some = (3, 4, 2), {"scheme": text, "dtype": dtype}
    bare = funcnn.init(sizes, seed=5, **some)
    biases = [funcnn.init(sizes, seed=5, bias=True, bias_init=one, **some) for one in (None, "zeros", text)]
    for params in biases:
        assert bits([layer.w for layer in params.layers]) == bits([layer.w for layer in bare.layers])
        assert all(layer.b.dtype == dtype and layer.b.shape == (1, layer.w.shape[1]) for layer in params.layers)
    assert not any(layer.b.any() for params in biases[:2] for layer in params.layers)
    assert bits(biases[0]) == bits(biases[1])
    many = funcnn.init(sizes, seed=(4, 5), bias=True, bias_init=text, **some)
    for layer, solo in zip(many.layers, biases[2].layers, strict=True):
        assert bits((layer.w[1], layer.b[1])) == bits((solo.w, solo.b))
        assert not layer.b.flags.writeable


def test_biases_are_drawn_after_all_weights():
    rng = np.random.default_rng(5)
    params = funcnn.init((2, 3, 1), seed=5, bias=True, bias_init="normal:0.5")
    for layer in params.layers:
        np.testing.assert_array_equal(layer.w, rng.standard_normal(layer.w.shape))
    for layer in params.layers:
        np.testing.assert_array_equal(layer.b, 0.5 * rng.standard_normal(layer.b.shape))


def test_constants_are_constant():
    params = funcnn.init((2, 3, 1), scheme="zeros", bias=True, bias_init="constant:-0.1")
    assert not any(layer.w.any() for layer in params.layers)
    assert all((layer.b == -0.1).all() for layer in params.layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheme": "glorott:2"}, "unknown scheme 'glorott'; did you mean 'glorot'"),
        ({"scheme": None}, "unknown scheme None"),
        ({"scheme": "constant"}, "scheme 'constant' gives no numbers, but constant takes value"),
        ({"scheme": "zeros:1"}, "scheme 'zeros:1' gives 1 number, but zeros takes none"),
        ({"scheme": "normal:1,2"}, "scheme 'normal:1,2' gives 2 numbers, but normal takes std=1"),
        ({"scheme": "normal:wide"}, "scheme 'normal:wide' must be a name, or a name and finite numbers.*got 'wide'"),
        ({"scheme": "normal:-1"}, r"std must be positive and finite, got -1\.0"),
        ({"scheme": "uniform:0"}, r"a must be positive and finite, got 0\.0"),
        ({"scheme": "orthogonal:-2"}, r"gain must be positive and finite, got -2\.0"),
        ({"scheme": "glorot_uniform:0"}, r"gain must be positive and finite, got 0\.0"),
        ({"scheme": "normal:1.7e308", "sizes": (50, 50)}, r"w of layer 0 has -?inf at row"),
        ({"scheme": "constant:1e300", "dtype": np.float32}, "w of layer 0 has 1e.300 at row 0, column 0, too large"),
        ({"bias_init": "uniform"}, "bias_init is 'uniform', but the network has no biases to draw: bias=True"),
        ({"bias_init": "uniforn", "bias": True}, "unknown bias_init 'uniforn'; did you mean 'uniform'"),
        ({"bias_init": "", "bias": True}, "unknown bias_init ''"),
    ],
)
def test_others_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        funcnn.init(**{"sizes": (2, 3, 1), **arguments})


@pytest.mark.parametrize("table", [funcnn.SCHEDULES, funcnn.INITIALIZERS])
def test_each_entry_says_in_a_line_what_it_is(table):
    for name, function in table.items():
        first = function.__doc__.partition("\n")[0]
        assert 0 < len(first) <= 150, name


def test_what_is_named_draws_from_the_generator_that_it_is_given():
    draw = initializer_named("uniform:2")
    mine, theirs = (draw(np.random.default_rng(3), (2, 2), (2, 2)) for _ in range(2))
    np.testing.assert_array_equal(mine, theirs)
    assert mine.dtype == np.float64
