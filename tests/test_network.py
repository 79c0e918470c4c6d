"""The network and its gradients, against independent implementations that share no code with the library."""

import cmath
import math
import re
from typing import Any

import array_api_strict
import attrs
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import funcnn
from funcnn import Activation, Layer, Params

ACTS = tuple(funcnn.ACTIVATIONS)
#: Where the slope jumps.
KINKS = {"relu": (0,), "leaky_relu": (0,), "hard_sigmoid": (-3, 3)}
ANALYTIC = ("sigmoid", "tanh", "none")
#: Those that take any output and any target; each loss's own slope is tested beside its table.
LOSSES = ("half_sse", "mse")


@attrs.frozen
class Case:
    """A random network, an ensemble of them where ``members`` is a number, with data and a loss."""

    params: Params
    x: Any
    y: Any
    loss: str
    members: int | None
    seed: int


@st.composite
def cases(draw, acts=ACTS, layers=5, width=16):
    sizes = draw(st.lists(st.integers(1, width), min_size=2, max_size=layers + 1))
    chosen = [draw(st.sampled_from(acts)) for _ in sizes[1:]]
    members, seed = draw(st.none() | st.integers(1, 3)), draw(st.integers(0, 2**32))
    bias, n = draw(st.booleans()), draw(st.integers(1, 5))
    seeds = seed if members is None else range(seed, seed + members)
    params = funcnn.init(sizes, seed=seeds, act=chosen, bias=bias, scheme="glorot")
    rng = np.random.default_rng(seed)
    if bias:  # a bias of 0 would hide a wrong one
        params = Params(attrs.evolve(layer, b=rng.normal(size=layer.b.shape)) for layer in params.layers)
    x, y = rng.normal(size=(n, sizes[0])), rng.normal(size=(n, sizes[-1]))
    return Case(params, x, y, draw(st.sampled_from(LOSSES)), members, seed)


def slots(params: Params) -> list[tuple[int, str]]:
    """Name every array of a network."""
    return [
        (l, name) for l, layer in enumerate(params.layers) for name in ("w", "b") if getattr(layer, name) is not None
    ]


def replaced(params: Params, slot: tuple[int, str], array: Any) -> Params:
    layers = list(params.layers)
    layers[slot[0]] = attrs.evolve(layers[slot[0]], **{slot[1]: array})
    return Params(layers)


def array_at(params: Params, slot: tuple[int, str]) -> Any:
    return getattr(params.layers[slot[0]], slot[1])


# --- oracles ---------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(cases())
def test_gradients_are_the_slopes_that_central_differences_measure(case):
    value, gradient = funcnn.value_and_grads(case.params, case.x, case.y, loss=case.loss)
    rng, h = np.random.default_rng(case.seed + 1), 1e-5
    assert slots(gradient) == slots(case.params)
    for slot in slots(case.params):
        at = array_at(case.params, slot)
        v = rng.normal(size=at.shape)
        v /= np.sqrt(np.sum(v * v, axis=(-2, -1), keepdims=True))
        ahead, behind = (
            funcnn.backprop(replaced(case.params, slot, at + t * v), case.x, case.y, loss=case.loss) for t in (h, -h)
        )
        for layer, z_ahead, z_behind in zip(case.params.layers, ahead.z, behind.z, strict=True):
            for kink in KINKS.get(layer.act, ()):  # across it there is no slope to measure
                assume(np.array_equal(z_ahead > kink, z_behind > kink))
        measured = (ahead.value - behind.value) / (2 * h)
        claimed = np.sum(array_at(gradient, slot) * v, axis=(-2, -1))
        np.testing.assert_allclose(claimed, measured, rtol=1e-6, atol=1e-8 * (1 + np.max(np.abs(value))))


def complex_value(arrays: dict, acts: list[str], x: Any, y: Any, loss: str) -> Any:
    """The objective in plain NumPy, for complex weights of one network."""
    a = x.astype(complex)
    for l, act in enumerate(acts):
        z = a @ arrays[l, "w"] + arrays.get((l, "b"), 0)
        a = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "none": lambda z: z}[act](z)
    squares = (a - y) ** 2
    return squares.mean() if loss == "mse" else squares.sum() / 2


@settings(max_examples=150)
@given(cases(acts=ANALYTIC), st.data())
def test_gradients_are_the_complex_step_derivatives(case, data):
    value, gradient = funcnn.value_and_grads(case.params, case.x, case.y, loss=case.loss)
    acts = [layer.act for layer in case.params.layers]
    for k in range(case.members or 1):

        def one(array, k=k):
            return array if case.members is None else array[k]

        arrays = {slot: one(array_at(case.params, slot)).astype(complex) for slot in slots(case.params)}
        plain = complex_value(arrays, acts, case.x, case.y, case.loss)
        np.testing.assert_allclose(np.asarray(value)[..., k] if case.members else value, plain.real, rtol=1e-12)
        largest = max(np.abs(one(array_at(gradient, slot))).max() for slot in arrays)
        for slot, array in arrays.items():
            i, j = (data.draw(st.integers(0, size - 1)) for size in array.shape)
            stepped = array.copy()
            stepped[i, j] += 1e-30j
            derivative = complex_value({**arrays, slot: stepped}, acts, case.x, case.y, case.loss).imag / 1e-30
            claimed = one(array_at(gradient, slot))[i, j]
            np.testing.assert_allclose(claimed, derivative, rtol=1e-11, atol=1e-13 * largest)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def gate(z: float) -> float:
    """(1 + tanh u) / 2 of gelu, as the sigmoid of 2u."""
    return sigmoid(max(2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z**3), -700))


def gate_slope(z: float) -> float:
    return gate(z) * gate(-z) * 2 * math.sqrt(2 / math.pi) * (1 + 0.134145 * z**2)


#: Functions and their derivatives, both of z.
SCALAR = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "relu": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "leaky_relu": (lambda z: z if z > 0 else 0.01 * z, lambda z: 1.0 if z > 0 else 0.01),
    "elu": (lambda z: z if z > 0 else math.expm1(z), lambda z: 1.0 if z > 0 else math.exp(z)),
    "gelu": (lambda z: z * gate(z), lambda z: gate(z) + z * gate_slope(z)),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "softplus": (lambda z: math.log1p(math.exp(z)), sigmoid),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: (1 + abs(z)) ** -2),
    "sine": (math.sin, math.cos),
    "hard_sigmoid": (lambda z: 0.0 if z <= -3 else 1.0 if z >= 3 else (z + 3) / 6, lambda z: (-3 < z <= 3) / 6),
    "none": (lambda z: z, lambda z: 1.0),
}


def textbook(w: list, b: list, acts: list[str], xs: list, ys: list, loss: str) -> dict[str, list]:
    """Backpropagation of one network, sample by sample, in numbers and lists only."""
    scale = 1.0 if loss == "half_sse" else 2 / (len(ys) * len(ys[0]))
    trace: dict[str, list] = {name: [[] for _ in w] for name in ("z", "a", "delta")}
    dw = [[[0.0] * len(row) for row in layer] for layer in w]
    db = [[0.0] * len(layer[0]) for layer in w]
    squares = 0.0
    for x, y in zip(xs, ys, strict=True):
        a, z = [x], []
        for l, layer in enumerate(w):
            units = range(len(layer[0]))
            z.append([sum(a[l][i] * layer[i][j] for i in range(len(layer))) + (b[l][j] if b[l] else 0) for j in units])
            a.append([SCALAR[acts[l]][0](one) for one in z[l]])
        squares += sum((a[-1][j] - y[j]) ** 2 for j in range(len(y)))
        error = [scale * (a[-1][j] - y[j]) for j in range(len(y))]
        for l in reversed(range(len(w))):
            delta = [error[j] * SCALAR[acts[l]][1](z[l][j]) for j in range(len(error))]
            for i in range(len(w[l])):
                for j in range(len(delta)):
                    dw[l][i][j] += a[l][i] * delta[j]
            for j in range(len(delta)):
                db[l][j] += delta[j]
            error = [sum(w[l][i][j] * delta[j] for j in range(len(delta))) for i in range(len(w[l]))]
            for name, one in (("z", z[l]), ("a", a[l + 1]), ("delta", delta)):
                trace[name][l].append(one)
    value = squares / 2 if loss == "half_sse" else squares / (len(ys) * len(ys[0]))
    return {**trace, "value": [value], "dw": dw, "db": db}


@settings(max_examples=150)
@given(cases(width=6))
def test_everything_in_a_trace_is_what_scalar_loops_give(case):
    trace = funcnn.backprop(case.params, case.x, case.y, loss=case.loss)
    y_hat = funcnn.forward(case.params, case.x)
    value, gradient = funcnn.value_and_grads(case.params, case.x, case.y, loss=case.loss)
    assert gradient == trace.grads == funcnn.grads(case.params, case.x, case.y, loss=case.loss)
    assert np.array_equal(value, trace.value)
    np.testing.assert_array_equal(trace.a[0], case.x)
    layers, acts = case.params.layers, [layer.act for layer in case.params.layers]
    for k in range(case.members or 1):

        def one(array, k=k):
            return np.asarray(array) if case.members is None else np.asarray(array)[k]

        def agree(ours, theirs, one=one):
            np.testing.assert_allclose(one(ours), theirs, rtol=1e-10, atol=1e-12)

        w = [one(layer.w).tolist() for layer in layers]
        b = [None if layer.b is None else one(layer.b)[0].tolist() for layer in layers]
        want = textbook(w, b, acts, case.x.tolist(), case.y.tolist(), case.loss)
        agree(y_hat, want["a"][-1])
        agree(value, want["value"][0])
        for l, layer in enumerate(gradient.layers):
            agree(trace.z[l], want["z"][l])
            agree(trace.a[l + 1], want["a"][l])
            agree(trace.delta[l], want["delta"][l])
            agree(layer.w, want["dw"][l])
            assert (layer.b is None) == (layers[l].b is None)
            if layer.b is not None:
                agree(layer.b, [want["db"][l]])


@given(st.floats(-30, 30), st.sampled_from(ACTS))
def test_activations_are_the_functions_they_are_named_after(z, name):
    act = funcnn.ACTIVATIONS[name]
    a = act.apply(np.array([z]))
    slope = act.derivative(np.array([z]), a)
    np.testing.assert_allclose(a[0], SCALAR[name][0](z), rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(slope[0], SCALAR[name][1](z), rtol=1e-9, atol=1e-15)
    if name in ANALYTIC and abs(z) < 10:
        function = {"sigmoid": lambda z: 1 / (1 + cmath.exp(-z)), "tanh": cmath.tanh, "none": lambda z: z}[name]
        np.testing.assert_allclose(slope[0], function(z + 1e-30j).imag / 1e-30, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "z", "slope"),
    [("relu", 0, 0), ("leaky_relu", 0, 0.01), ("elu", 0, 1), ("hard_sigmoid", -3, 0), ("hard_sigmoid", 3, 1 / 6)],
)
def test_the_slope_at_a_kink_is_the_one_from_the_left(name, z, slope):
    act, z = funcnn.ACTIVATIONS[name], np.array([float(z)])
    assert act.derivative(z, act.apply(z)) == slope


@pytest.mark.parametrize("name", ACTS)
def test_not_a_number_is_never_hidden_by_an_activation(name):
    assert np.isnan(funcnn.ACTIVATIONS[name].apply(np.array([np.nan])))


# --- Mazur's worked example ------------------------------------------------------------------------------------------


class TestMazur:
    """Matt Mazur, "A Step by Step Backpropagation Example": 2-2-2, sigmoid, lr 0.5, biases held fixed."""

    x, y = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
    biases = (np.full((1, 2), 0.35), np.full((1, 2), 0.60))

    def start(self) -> Params:
        hidden = np.array([[0.15, 0.25], [0.20, 0.30]])  # w1 and w2 lead into h1, w3 and w4 into h2
        output = np.array([[0.40, 0.50], [0.45, 0.55]])
        return Params(Layer(w, b, "sigmoid") for w, b in zip((hidden, output), self.biases, strict=True))

    def step(self, params: Params) -> Params:
        moved = funcnn.sgd_step(params, funcnn.grads(params, self.x, self.y), 0.5)
        return Params(attrs.evolve(l, b=b) for l, b in zip(moved.layers, self.biases, strict=True))

    def test_the_first_round(self):
        trace = funcnn.backprop(self.start(), self.x, self.y)
        np.testing.assert_allclose(trace.a[1], [[0.593269992, 0.596884378]], rtol=1e-9)
        np.testing.assert_allclose(trace.a[2], [[0.75136507, 0.772928465]], rtol=1e-8)
        np.testing.assert_allclose(trace.value, 0.298371109, rtol=2e-9)
        np.testing.assert_allclose(trace.delta[1][0, 0], 0.138498562, rtol=1e-8)
        hidden, output = (layer.w.T.ravel() for layer in self.step(self.start()).layers)
        np.testing.assert_allclose(hidden, [0.149780716, 0.19956143, 0.24975114, 0.29950229], rtol=3e-8)
        np.testing.assert_allclose(output, [0.35891648, 0.408666186, 0.511301270, 0.561370121], rtol=1e-8)

    def test_10000_rounds(self):
        def round_(params, _):
            return self.step(params), funcnn.value_and_grads(params, self.x, self.y)[0]

        params, errors = funcnn.scan(round_, self.start(), range(10000))
        np.testing.assert_allclose(errors[0], 0.298371109, rtol=2e-9)
        # The article's figure is what the forward pass of the 10000th round measures, before that round's update.
        np.testing.assert_allclose(errors[-1], 0.0000351085, rtol=1.5e-6)
        after = funcnn.value_and_grads(params, self.x, self.y)[0]
        np.testing.assert_allclose(after, 3.510187783e-05, rtol=1e-9)  # from scalar loops, written separately

    def test_the_outputs_that_the_article_prints(self):
        # The article derives every gradient from the old weights, as here. Its last outputs, and its total after the
        # first round, are those of a program in which the hidden gradients see the output weights already moved.
        def round_(params, _):
            trace = funcnn.backprop(params, self.x, self.y)
            (hidden, output), (_, dw) = params.layers, (layer.w for layer in trace.grads.layers)
            moved = attrs.evolve(output, w=output.w - 0.5 * dw)
            delta = trace.delta[1] @ moved.w.T * trace.a[1] * (1 - trace.a[1])
            after = Params([attrs.evolve(hidden, w=hidden.w - 0.5 * self.x.T @ delta), moved])
            return after, funcnn.value_and_grads(after, self.x, self.y)[0]

        params, errors = funcnn.scan(round_, self.start(), range(10000))
        np.testing.assert_allclose(errors[0], 0.291027924, rtol=2e-9)
        np.testing.assert_allclose(funcnn.forward(params, self.x), [[0.015912196, 0.984065734]], rtol=3e-8)


# --- any array library -----------------------------------------------------------------------------------------------


@given(cases(width=5), st.sampled_from(["float64", "float32"]))
def test_no_array_library_is_named(case, dtype):
    def strict(array):
        return array_api_strict.asarray(np.array(array, dtype=dtype))

    def layers(params, convert):
        return Params(Layer(convert(l.w), None if l.b is None else convert(l.b), l.act) for l in params.layers)

    def agree(ours, theirs):
        assert isinstance(theirs, array_api_strict._array_object.Array)
        assert str(theirs.dtype).endswith(dtype)
        tolerance = 1e-12 if dtype == "float64" else 2e-4
        np.testing.assert_allclose(np.asarray(theirs), ours, rtol=tolerance, atol=tolerance)

    params, x, y = layers(case.params, lambda array: np.array(array, dtype)), case.x.astype(dtype), case.y.astype(dtype)
    foreign, xs, ys = layers(case.params, strict), strict(x), strict(y)
    agree(funcnn.forward(params, x), funcnn.forward(foreign, xs))
    mine, theirs = (funcnn.backprop(*some, loss=case.loss) for some in ((params, x, y), (foreign, xs, ys)))
    agree(mine.value, theirs.value)
    lr = 0.25 if case.members is None else np.linspace(0.1, 0.3, case.members, dtype=dtype)
    moved = funcnn.sgd_step(params, mine.grads, lr)
    foreign_moved = funcnn.sgd_step(foreign, theirs.grads, lr if case.members is None else strict(lr))
    for ours, others in ((mine.grads, theirs.grads), (moved, foreign_moved)):
        for slot in slots(ours):
            agree(array_at(ours, slot), array_at(others, slot))
    y_hat, y_hats = funcnn.forward(params, x), funcnn.forward(foreign, xs)
    for report in (funcnn.mse, funcnn.half_sse, funcnn.accuracy):
        agree(report(y_hat, y), report(y_hats, ys))


# --- init ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("scheme", "spread"),
    [
        ("normal", lambda fan_in, fan_out: 1.0),
        ("glorot", lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5),
        ("he", lambda fan_in, fan_out: (2 / fan_in) ** 0.5),
    ],
)
def test_weights_are_drawn_layer_by_layer_from_default_rng(scheme, spread, bias):
    rng, sizes = np.random.default_rng(7), (2, 5, 3, 1)
    params = funcnn.init(sizes, seed=7, scheme=scheme, bias=bias)
    assert len(params.layers) == 3
    for layer, fan_in, fan_out in zip(params.layers, sizes[:-1], sizes[1:], strict=True):
        np.testing.assert_array_equal(layer.w, spread(fan_in, fan_out) * rng.standard_normal((fan_in, fan_out)))
        assert (layer.b is None) == (not bias)
        if bias:
            np.testing.assert_array_equal(layer.b, np.zeros((1, fan_out)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("seeds", [range(4), [9, 2, 2], np.arange(3), {1: "any", 0: "iterable"}])
def test_an_ensemble_is_the_stack_of_its_solos(seeds, bias, dtype, bits):
    ensemble = funcnn.init((3, 4, 2), seed=iter(seeds), bias=bias, dtype=dtype)
    for k, seed in enumerate(seeds):
        solo = funcnn.init((3, 4, 2), seed=int(seed), bias=bias, dtype=dtype)
        for mine, theirs in zip(ensemble.layers, solo.layers, strict=True):
            assert bits(mine.w[k]) == bits(theirs.w)
            assert theirs.w.dtype == dtype
            assert bias == (mine.b is not None)
            if bias:
                assert bits(mine.b[k]) == bits(theirs.b)


@pytest.mark.parametrize(
    ("arguments", "acts"),
    [
        ({}, ("sigmoid", "sigmoid", "sigmoid")),
        ({"act": "relu"}, ("relu", "relu", "relu")),
        ({"act": "relu", "out_act": "none"}, ("relu", "relu", "none")),
        ({"act": ["tanh", "relu", "sigmoid"]}, ("tanh", "relu", "sigmoid")),
        ({"act": ("tanh", "relu", "sigmoid"), "out_act": "leaky_relu"}, ("tanh", "relu", "leaky_relu")),
        ({"act": "identity"}, ("none", "none", "none")),
        ({"act": funcnn.ACTIVATIONS["tanh"]}, ("tanh", "tanh", "tanh")),
    ],
)
def test_activations_are_one_for_all_or_one_per_layer(arguments, acts):
    assert tuple(layer.act for layer in funcnn.init((2, 3, 3, 1), **arguments).layers) == acts


def test_an_activation_of_ones_own_stays_what_it_is():
    cube = Activation("cube", lambda z: z**3, lambda z, a: 3 * z**2)
    params = funcnn.init((2, 3, 1), act=cube, out_act="none", seed=1)
    assert [layer.act for layer in params.layers] == [cube, "none"]
    x = np.array([[0.3, -0.7]])
    np.testing.assert_allclose(
        funcnn.forward(params, x), ((x @ params.layers[0].w) ** 3) @ params.layers[1].w, rtol=1e-15
    )


def test_different_seeds_give_different_weights():
    first, second = (funcnn.init((2, 3, 1), seed=seed) for seed in (0, 1))
    assert first != second
    assert first == funcnn.init((2, 3, 1), seed=0) == funcnn.init((2, 3, 1))


# --- sgd_step --------------------------------------------------------------------------------------------------------


@given(cases(width=4, layers=3), st.floats(1e-3, 10))
def test_a_step_goes_down_the_gradient(case, lr):
    gradient = funcnn.grads(case.params, case.x, case.y)
    rates = lr if case.members is None else np.linspace(lr, 2 * lr, case.members)
    moved = funcnn.sgd_step(case.params, gradient, rates)
    for slot in slots(case.params):
        rate = rates if case.members is None else rates.reshape(-1, 1, 1)
        np.testing.assert_array_equal(
            array_at(moved, slot), array_at(case.params, slot) - rate * array_at(gradient, slot)
        )
    assert [layer.act for layer in moved.layers] == [layer.act for layer in case.params.layers]


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sizes": (2, 0, 1)}, ValueError, "size.*at least 1, got 0"),
        ({"sizes": (2, -1, 1)}, ValueError, "size.*at least 1, got -1"),
        ({"sizes": (2,)}, ValueError, r"sizes.*input and an output.*got \(2,\)"),
        ({"sizes": ()}, ValueError, r"sizes.*got \(\)"),
        ({"sizes": (2, 2.5, 1)}, TypeError, r"size.*whole number, got 2\.5"),
        ({"sizes": 3}, TypeError, "sizes.*3"),
        ({"act": "sigmod"}, ValueError, "unknown activation 'sigmod'; did you mean 'sigmoid'.*relu, tanh"),
        ({"act": "Sigmoid"}, ValueError, "did you mean 'sigmoid'"),
        ({"out_act": "rely"}, ValueError, "unknown activation 'rely'; did you mean 'relu'"),
        ({"act": ["relu", "tanh", "none"]}, ValueError, "act names 3 activations, but the network has 2 layers"),
        ({"act": 5}, (TypeError, ValueError), "act.*5"),
        ({"scheme": "glorott"}, ValueError, "unknown scheme 'glorott'; did you mean 'glorot'.*normal"),
        ({"seed": -1}, ValueError, "seed.*at least 0, got -1"),
        ({"seed": 1.5}, TypeError, r"seed.*whole number, got 1\.5"),
        ({"seed": [0, -3]}, ValueError, "seed.*got -3"),
        ({"seed": []}, ValueError, "seed.*at least one"),
        ({"dtype": np.int64}, ValueError, "dtype must be float32 or float64, got int64"),
    ],
)
def test_init_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        funcnn.init(**{"sizes": (2, 3, 1), **arguments})


X, Y = np.zeros((4, 2)), np.zeros((4, 1))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((4, 3)), ValueError, "x has 3 features, but the first layer takes 2"),
        (np.zeros(2), ValueError, r"x must have shape \(n, 2\), got \(2,\)"),
        ("0, 1", TypeError, "x must hold real numbers, got <U4"),
    ],
)
def test_samples_that_do_not_fit_the_network_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        funcnn.forward(funcnn.init((2, 3, 1)), x)
    for function in (funcnn.backprop, funcnn.grads, funcnn.value_and_grads):
        with pytest.raises(error, match=message):
            function(funcnn.init((2, 3, 1)), x, Y)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.zeros((4, 2)), ValueError, "y has 2 features, but the last layer gives 1"),
        (np.zeros(4), ValueError, r"y must have shape \(n, 1\), got \(4,\)"),
        ([[0.0], [], [0.0], [0.0]], TypeError, "y must be an array of real numbers, got list"),
        (np.zeros((5, 1)), ValueError, "x has 4 samples, but y has 5"),
    ],
)
@pytest.mark.parametrize("function", [funcnn.backprop, funcnn.grads, funcnn.value_and_grads])
def test_targets_that_do_not_fit_the_network_are_refused(function, y, error, message):
    with pytest.raises(error, match=message):
        function(funcnn.init((2, 3, 1)), X, y)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("half_sze", "unknown loss 'half_sze'; did you mean 'half_sse'.*mse"),
        ("qqq", r"unknown loss 'qqq' \(known: half_sse, mse, mae, huber, log_cosh, hinge, softmax_cross_entropy, .*\)"),
    ],
)
def test_an_unknown_loss_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        funcnn.grads(funcnn.init((2, 1)), X, Y, loss=name)


def test_an_unknown_activation_in_a_record_made_by_hand_is_refused():
    with pytest.raises(ValueError, match="unknown activation 'tahn'; did you mean 'tanh'"):
        funcnn.forward(Params([Layer(np.ones((2, 1)), None, "tahn")]), X)


def test_layers_that_do_not_follow_one_another_are_refused():
    params = Params([Layer(np.ones((2, 3))), Layer(np.ones((4, 1)))])
    with pytest.raises(ValueError, match=r"layer.*(4.*3|3.*4)"):
        funcnn.forward(params, X)


@pytest.mark.parametrize(
    ("one", "other"),
    [((2, 3, 1), (2, 4, 1)), ((2, 3, 1), (2, 1)), ((2, 1), (1, 2)), ((3, 3), (1, 3))],
)
def test_a_step_refuses_gradients_of_other_shapes(one, other):
    params, gradient = funcnn.init(one), funcnn.init(other)
    named = re.escape(str(params.layers[0].w.shape))
    with pytest.raises(ValueError, match="(?s)params.*grads.*" + named):
        funcnn.sgd_step(params, gradient, 0.1)


@pytest.mark.parametrize("bias", [False, True])
def test_a_step_refuses_gradients_without_or_with_biases(bias):
    params, gradient = funcnn.init((2, 1), bias=bias), funcnn.init((2, 1), bias=not bias)
    with pytest.raises(ValueError, match=r"params.*grads"):
        funcnn.sgd_step(params, gradient, 0.1)
