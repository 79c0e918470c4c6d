"""Data sets, objectives and metrics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcnn

POINTS = [
    (0.0, 0.0, 0), (0.0, 1.0, 1), (0.1, 0.1, 0), (0.1, 0.9, 1), (0.2, 0.2, 0), (0.2, 0.8, 1), (0.3, 0.3, 0),
    (0.3, 0.7, 1), (0.4, 0.4, 0), (0.4, 0.6, 1), (0.5, 0.5, 0), (0.6, 0.6, 0), (0.6, 0.4, 1), (0.7, 0.7, 0),
    (0.7, 0.3, 1), (0.8, 0.8, 0), (0.8, 0.2, 1), (0.9, 0.9, 0), (0.9, 0.1, 1), (1.0, 1.0, 0), (1.0, 0.0, 1),
]  # fmt: skip


def test_xor_is_these_21_points_in_this_order():
    data = funcnn.xor()
    assert (data.x.shape, data.y.shape, data.name) == ((21, 2), (21, 1), "xor")
    assert data.x.dtype == data.y.dtype == np.float64
    np.testing.assert_allclose(data.x, [point[:2] for point in POINTS], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(data.y[:, 0], [point[2] for point in POINTS])


def test_xor_has_the_bits_of_its_formula():
    points = iter(funcnn.xor().x.tolist())
    for i in range(11):
        assert next(points) == [0.1 * i, 0.1 * i]
        if i != 5:
            assert next(points) == [0.1 * i, 1 - 0.1 * i]


@given(st.integers(1, 300), st.integers(0, 2**40))
def test_linear_labels_the_unit_square_by_its_diagonal(n, seed):
    data = funcnn.linear(n, seed)
    assert (data.x.shape, data.y.shape, data.name) == ((n, 2), (n, 1), "linear")
    assert data.x.dtype == data.y.dtype == np.float64
    assert ((data.x >= 0) & (data.x < 1)).all()
    assert data.y[:, 0].tolist() == [0.0 if first > second else 1.0 for first, second in data.x.tolist()]
    assert data == funcnn.linear(n, seed)
    np.testing.assert_array_equal(data.x, np.random.default_rng(seed).uniform(size=(n, 2)))


def test_linear_has_100_points_of_both_classes_and_depends_on_its_seed():
    data = funcnn.linear()
    assert len(data.x) == 100
    assert 30 < data.y.sum() < 70
    assert data == funcnn.linear(100, 0)
    assert data != funcnn.linear(seed=1)


def test_the_test_set_of_linear_is_a_fresh_draw_and_that_of_xor_its_own_points():
    trains, tests = zip(*[funcnn.dataset("linear", seed) for seed in range(20)], strict=True)
    assert [len(test.x) for test in tests] == [100] * 20
    points = {tuple(point) for data in (*trains, *tests) for point in data.x.tolist()}
    assert len(points) == 40 * 100  # no point of any of them occurs twice
    assert funcnn.dataset("linear", 3) == (trains[3], tests[3])
    assert funcnn.dataset("linear") == (trains[0], tests[0])
    assert trains[3] == funcnn.linear(seed=3)
    assert funcnn.dataset("xor", 5) == (funcnn.xor(), funcnn.xor())


def test_several_seeds_give_each_member_the_points_of_its_own_seed(bits):
    seeds = (4, 0, 4, 7)
    both = funcnn.dataset("linear", seeds)
    for data, alone in zip(both, zip(*map(funcnn.dataset, ["linear"] * 4, seeds), strict=True), strict=True):
        assert (data.x.shape, data.y.shape, data.name) == ((4, 100, 2), (4, 100, 1), "linear")
        for k in range(4):
            assert bits((data.x[k], data.y[k])) == bits((alone[k].x, alone[k].y))
        with pytest.raises(ValueError, match="read-only"):
            data.x[0, 0, 0] = 7
    assert funcnn.dataset("linear", iter(seeds)) == both


def test_points_that_all_seeds_share_are_there_once():
    assert funcnn.dataset("xor", range(5)) == (funcnn.xor(), funcnn.xor())
    assert funcnn.dataset("linear", (3, 3)) == funcnn.dataset("linear", [3]) == funcnn.dataset("linear", 3)


@pytest.mark.parametrize("make", [funcnn.xor, funcnn.linear])
def test_data_sets_are_read_only(make):
    data = make()
    for array in (data.x, data.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 7


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: funcnn.dataset("xorr"), ValueError, "unknown data set 'xorr'; did you mean 'xor'.*linear"),
        (lambda: funcnn.dataset("LINEAR"), ValueError, "did you mean 'linear'"),
        (lambda: funcnn.dataset("mnist"), ValueError, r"unknown data set 'mnist'.*\(known: xor, linear, moons, "),
        (lambda: funcnn.dataset(3), ValueError, "unknown data set 3"),
        (lambda: funcnn.dataset("linear", -1), ValueError, "data_seed.*at least 0, got -1"),
        (lambda: funcnn.dataset("linear", 0.5), TypeError, r"data_seed.*whole number, got 0\.5"),
        (lambda: funcnn.dataset("linear", (1, -1)), ValueError, "data_seed.*at least 0, got -1"),
        (lambda: funcnn.dataset("xor", (1, 0.5)), TypeError, r"data_seed.*whole number, got 0\.5"),
        (lambda: funcnn.dataset("xor", ()), ValueError, "data_seed names no member"),
        (lambda: funcnn.linear(0), ValueError, "n must be.*at least 1, got 0"),
        (lambda: funcnn.linear(2.5), TypeError, r"n must be a whole number, got 2\.5"),
    ],
)
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


floats = st.floats(-1e3, 1e3)


@given(st.integers(1, 5), st.integers(1, 4), st.none() | st.integers(1, 3), st.data())
def test_losses_are_their_definitions(n, k, members, data):
    count = n * k * (members or 1)
    shape = (n, k) if members is None else (members, n, k)
    y_hat = np.array(data.draw(st.lists(floats, min_size=count, max_size=count))).reshape(shape)
    y = np.array(data.draw(st.lists(floats, min_size=n * k, max_size=n * k))).reshape(n, k)
    squares = [
        math.fsum((p - t) ** 2 for p, t in zip(one.ravel().tolist(), y.ravel().tolist(), strict=True))
        for one in y_hat.reshape(-1, n, k)
    ]
    mse, half_sse = np.array(squares).reshape(shape[:-2]) / (n * k), np.array(squares).reshape(shape[:-2]) / 2
    np.testing.assert_allclose(funcnn.mse(y_hat, y), mse, rtol=1e-13)
    np.testing.assert_allclose(funcnn.half_sse(y_hat, y), half_sse, rtol=1e-13)
    for name, value in (("mse", mse), ("half_sse", half_sse)):
        loss = funcnn.LOSSES[name]
        assert loss.name == name
        each = loss.value(y_hat, y)
        assert each.shape == y_hat.shape  # elementwise, before its reduction
        total = each.sum(axis=(-2, -1)) / (1 if loss.reduction == "sum" else n * k)
        np.testing.assert_allclose(total, value, rtol=1e-13)
        assert loss.report in (None, "mse")  # both print the same figure
        _, gradient = funcnn.value_and_grads(funcnn.Params([funcnn.Layer(np.eye(k), act="none")]), y, y + 1, loss=name)
        scale = 1 if name == "half_sse" else 2 / (n * k)
        np.testing.assert_allclose(gradient.layers[0].w, scale * y.T @ -np.ones((n, k)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("prediction", "label", "right"),
    [
        (0.0, 0, True),
        (1.0, 1, True),
        (0.5, 0, True),  # the threshold itself is not above the threshold
        (0.5, 1, False),
        (np.nextafter(0.5, 1), 1, True),
        (-30.0, 0, True),
        (30.0, 1, True),
        (0.51, 0, False),
        (0.49, 1, False),
        (np.nan, 0, False),
        (np.nan, 1, False),
        (np.inf, 1, False),
        (np.inf, 0, False),
        (-np.inf, 0, False),
        (-np.inf, 1, False),
    ],
)
def test_a_prediction_is_right_on_the_right_side_of_one_half_and_wrong_where_not_finite(prediction, label, right):
    assert funcnn.accuracy(np.array([[prediction]]), np.array([[float(label)]])) == right


def test_accuracy_is_the_share_of_samples_whose_every_output_is_right():
    y = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    good = np.array([[0.1, 0.9], [0.8, 0.7], [0.2, 0.3]])
    worse = np.array([[0.1, 0.9], [0.8, 0.3], [0.9, 0.9]])
    assert funcnn.accuracy(good, y) == 1
    assert funcnn.accuracy(worse, y) == pytest.approx(1 / 3)
    np.testing.assert_allclose(funcnn.accuracy(np.stack([good, worse, 1 - good]), y), [1, 1 / 3, 0])


def test_wrong_predictions_of_every_kind_in_one_ensemble():
    y_hat = np.array([0.9, np.nan, np.inf, -np.inf, 0.2]).reshape(5, 1, 1)
    np.testing.assert_array_equal(funcnn.accuracy(y_hat, np.ones((1, 1))), [1, 0, 0, 0, 0])
