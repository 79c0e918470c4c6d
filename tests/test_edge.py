"""What public functions take and refuse: shapes, kinds of arrays, dtypes. One rule, the same in every function."""

import re

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcnn
from funcnn import Layer, Params

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")

P = funcnn.init((2, 3, 1), seed=1, bias=True)
X = np.random.default_rng(0).normal(size=(5, 2))
Y = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
METRICS = {"mse": funcnn.mse, "half_sse": funcnn.half_sse, "accuracy": funcnn.accuracy}

#: Every public function of samples, as a function of parameters, samples and targets.
OF_SAMPLES = {
    "forward": lambda p, x, y: funcnn.forward(p, x),
    "backprop": lambda p, x, y: funcnn.backprop(p, x, y),
    "grads": lambda p, x, y: funcnn.grads(p, x, y, loss="mse"),
    "value_and_grads": lambda p, x, y: funcnn.value_and_grads(p, x, y),
    "train, numpy": lambda p, x, y: funcnn.train(p, x, y, epochs=2, engine="numpy"),
    "train, compiled": lambda p, x, y: funcnn.train(p, x, y, epochs=2, engine="compiled"),
}
#: Those that look at the weights at all.
OF_WEIGHTS = {**OF_SAMPLES, "sgd_step": lambda p, x, y: funcnn.sgd_step(p, P, 0.1)}


def with_weights(params, convert):
    """Return ``params`` whose arrays went through ``convert``."""
    return Params(Layer(convert(l.w), None if l.b is None else convert(l.b), l.act) for l in params.layers)


# --- shapes that only broadcast --------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, pd.DataFrame], ids=["array", "list", "frame"])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("cut", "shape"),
    [
        (lambda y: y[:, 0], r"\(5,\)"),
        (lambda y: y.T, r"\(1, 5\)"),
        (lambda y: y[:1], r"\(1, 1\)"),
        (lambda y: np.hstack([y, y]), r"\(5, 2\)"),
    ],
)
def test_metrics_refuse_targets_of_another_shape(metric, cut, shape, convert):
    y = cut(Y)
    given = y.tolist() if y.ndim == 1 else convert(y)
    with pytest.raises(ValueError, match=rf"same shape \(n, k\).*got \(5, 1\) and {shape}"):
        METRICS[metric](Y, given)
    with pytest.raises(ValueError, match=rf"same shape \(n, k\).*got {shape} and \(5, 1\)"):
        METRICS[metric](given, Y)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_metrics_take_two_shapes_exactly_where_samples_and_outputs_are_as_many(one, other):
    fits = len(one) > 1 and one[-2:] == other[-2:] and (one[:-2] in ([], [1]) or other[:-2] in ([], [1], one[:-2]))
    for metric in METRICS.values():
        if fits:
            metric(np.ones(one), np.ones(other))
        else:
            with pytest.raises(ValueError, match="y_hat and y must have the same shape"):
                metric(np.ones(one), np.ones(other))


def test_metrics_take_an_ensembles_predictions_against_shared_or_own_targets():
    y_hat = funcnn.forward(funcnn.init((2, 1), seed=range(3)), X)
    for metric in METRICS.values():
        each = [metric(one, Y) for one in y_hat]
        np.testing.assert_array_equal(metric(y_hat, Y), each)
        np.testing.assert_array_equal(metric(y_hat, np.stack([Y, Y, Y])), each)


@pytest.mark.parametrize("name", [name for name in OF_SAMPLES if name != "forward"])
@pytest.mark.parametrize(
    "y", [Y[:, 0], Y.T, Y[:1], np.hstack([Y, Y])], ids=["flat", "row", "one sample", "two outputs"]
)
def test_functions_of_samples_refuse_targets_of_another_shape(name, y):
    for targets in (y, y.tolist()):
        with pytest.raises(ValueError, match="y"):
            OF_SAMPLES[name](P, X, targets)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: funcnn.forward(p, np.zeros((2, 5, 2))), r"params \(3,\), x \(2,\)"),
        (lambda p: funcnn.grads(p, np.zeros((2, 5, 2)), Y), r"params \(3,\), x \(2,\)"),
        (lambda p: funcnn.grads(p, X, np.zeros((2, 5, 1))), r"params \(3,\), y \(2,\)"),
        (lambda p: funcnn.sgd_step(p, p, [0.1, 0.2]), r"params \(3,\), lr \(2,\)"),
        (lambda p: funcnn.forward(Params([p.layers[0], *funcnn.init((1, 1), seed=(0, 1)).layers]), X), "w of layer 1"),
    ],
)
def test_ensembles_of_different_lengths_are_refused(call, message):
    with pytest.raises(ValueError, match=f"one leading axis.*{message}"):
        call(funcnn.init((2, 1), seed=range(3)))


# --- arrays of other kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        np.matrix,
        np.ma.array,
        np.ndarray.tolist,
        pd.DataFrame,
        lambda a: pd.DataFrame(a).convert_dtypes(),
        lambda a: pd.DataFrame(a).astype("Float64"),
        lambda a: pd.DataFrame(a).astype(object),
        np.asfortranarray,
        lambda a: a.astype(">f8"),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: np.ascontiguousarray(a[::-1])[::-1],
        lambda a: [np.ma.array(row) for row in a],
    ],
    ids=[
        "matrix", "masked", "list", "frame", "best dtypes", "nullable", "objects", "Fortran", "big-endian", "strided",
        "backwards", "list of masked",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", OF_SAMPLES)
def test_samples_of_any_kind_are_the_same_samples(name, convert, bits):
    x, y = np.round(X, 3), Y
    expected = bits(OF_SAMPLES[name](P, x, y))
    assert bits(OF_SAMPLES[name](P, convert(x), convert(y))) == expected
    for metric in METRICS.values():
        assert bits(metric(convert(y), convert(y))) == bits(metric(y, y))


@pytest.mark.parametrize(
    "convert",
    [np.matrix, np.ma.array, np.ndarray.tolist, np.asfortranarray, lambda a: a.astype(">f8"), lambda a: a[::-1][::-1]],
    ids=["matrix", "masked", "list", "Fortran", "big-endian", "strided"],
)
@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_weights_of_any_kind_are_the_same_weights(name, convert, bits):
    assert bits(OF_WEIGHTS[name](with_weights(P, convert), X, Y)) == bits(OF_WEIGHTS[name](P, X, Y))


@pytest.mark.parametrize("name", OF_WEIGHTS)
@pytest.mark.parametrize("array", ["x", "y", "weights"])
def test_what_a_mask_hides_is_refused(name, array):
    def masked(values, row):
        return np.ma.array(values, mask=np.arange(values.size).reshape(values.shape) == row * values.shape[1])

    p, x, y, place = P, X, Y, r"row 2, column 0"
    if array == "x":
        x = masked(X, 2)
    elif array == "y":
        y = masked(Y, 2)
    else:
        p, place = with_weights(P, lambda a: masked(a, 0)), "row 0, column 0"
    if name == ("sgd_step" if array != "weights" else "") or (name == "forward" and array == "y"):
        return  # which are not given these
    with pytest.raises(ValueError, match=rf"is masked at {place}"):
        OF_WEIGHTS[name](p, x, y)


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_refuse_what_a_mask_hides(metric):
    hidden = np.ma.array(Y, mask=[[0], [0], [0], [1], [0]])
    for pair in ((hidden, Y), (Y, hidden), ([list(row) for row in Y], [*hidden])):
        with pytest.raises(ValueError, match="is masked at row 3, column 0"):
            METRICS[metric](*pair)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (pd.DataFrame({"a": [1, None, 2, 3, 4], "b": range(5)}).astype("Int64"), "got <NA> at row 1, column 0"),
        (pd.DataFrame({"a": [1.5] * 5, "b": list("uvwxy")}), "got 'u' at row 0, column 1"),
        (pd.DataFrame({"a": [True] * 5, "b": [None] * 5}), "got None at row 0, column 1"),
        ([["1", "2"]] * 5, "x must hold real numbers, got <U1"),
        ([[1, 2], [3]], "x must be an array of real numbers, got list"),
        ({"a": 1}, "x must hold real numbers, got dict"),
        (None, "x must hold real numbers, got NoneType"),
        (np.full((5, 2), 1j), "x must hold real numbers, got complex128"),
        (np.zeros((5, 2), "datetime64[s]"), r"x must hold real numbers, got datetime64\[s\]"),
        ([[10**400, 1]] * 5, "x holds a whole number that is too large"),
    ],
)
@pytest.mark.parametrize("name", OF_SAMPLES)
def test_what_is_no_number_is_refused_with_its_place(name, x, message):
    with pytest.raises((TypeError, ValueError), match=message):
        OF_SAMPLES[name](P, x, Y)


@pytest.mark.parametrize("name", OF_WEIGHTS)
@pytest.mark.parametrize("params", [P.layers, [P.layers[0].w], None, Params([P.layers[0].w])])
def test_what_is_no_network_is_refused(name, params):
    with pytest.raises(TypeError, match=r"params must be Params, got|layer 0 of params must be a Layer, got ndarray"):
        OF_WEIGHTS[name](params, X, Y)


# --- dtypes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [int, np.int8, bool, np.float16, np.longdouble, complex, object])
@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_weights_are_float64_or_float32(name, dtype):
    params = with_weights(P, lambda a: np.ones(a.shape, dtype))
    if dtype is object:  # of Python's numbers: these are float64
        assert OF_WEIGHTS[name](params, X, Y) is not None
        return
    with pytest.raises(TypeError, match=rf"w of layer 0 must.*{np.dtype(dtype)}"):
        OF_WEIGHTS[name](params, X, Y)


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_weights_are_all_of_one_dtype(name):
    mixed = Params([P.layers[0], funcnn.init((3, 1), dtype=np.float32, bias=True).layers[0]])
    with pytest.raises(TypeError, match="weights must all be float64 or float32, got float64 and float32"):
        OF_WEIGHTS[name](mixed, X, Y)


def arrays(value):
    if isinstance(value, np.ndarray):
        return [value]
    if attrs.has(type(value)):
        return [a for field in attrs.fields(type(value)) for a in arrays(getattr(value, field.name))]
    return [a for one in value for a in arrays(one)] if isinstance(value, tuple) else []


@pytest.mark.parametrize("given", [np.float64, np.float32, np.float16, np.longdouble, int, np.uint8, bool])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", OF_SAMPLES)
def test_all_that_meets_the_weights_takes_their_dtype(name, dtype, given, bits):
    params, x, y = with_weights(P, lambda a: a.astype(dtype)), (X > 0).astype(given), Y.astype(given)
    result = OF_SAMPLES[name](params, x, y)
    assert {a.dtype for a in arrays(result) if a.dtype.kind == "f"} == {np.dtype(dtype)}
    assert bits(result) == bits(OF_SAMPLES[name](params, x.astype(dtype), y.astype(dtype)))


@pytest.mark.parametrize("given", [np.float64, np.float32, np.longdouble, int])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_step_keeps_the_weights_dtype(dtype, given, bits):
    params = with_weights(P, lambda a: a.astype(dtype))
    gradient = with_weights(P, lambda a: np.round(4 * a).astype(given))
    for lr in (0.25, np.float64(0.25), np.float32(0.25), np.array(0.25)):
        moved = funcnn.sgd_step(params, gradient, lr)
        expected = funcnn.sgd_step(params, with_weights(gradient, lambda a: a.astype(dtype)), 0.25)
        assert {a.dtype for a in arrays(moved)} == {np.dtype(dtype)}
        assert bits(moved) == bits(expected)
        np.testing.assert_allclose(moved.layers[0].w, params.layers[0].w - 0.25 * gradient.layers[0].w, rtol=1e-6)


SMALL = with_weights(P, lambda a: a.astype(np.float32))


def spoiled(array, value):
    copy = array.copy()
    copy[1, 0] = value
    return copy


@pytest.mark.parametrize("name", OF_SAMPLES)
@pytest.mark.parametrize("value", [1e39, -1e200])
def test_numbers_that_the_weights_dtype_cannot_hold_are_refused(name, value):
    message = rf"has {re.escape(str(value))} at row 1, column 0, too large for float32"
    with pytest.raises(ValueError, match="x " + message):
        OF_SAMPLES[name](SMALL, spoiled(X, value), Y)
    if name != "forward":
        with pytest.raises(ValueError, match="y " + message):
            OF_SAMPLES[name](SMALL, X, spoiled(Y, value))
    for metric in METRICS.values():
        with pytest.raises(ValueError, match="y " + message):
            metric(Y.astype(np.float32), spoiled(Y, value))
    gradient = with_weights(P, lambda a: np.full(a.shape, value))
    with pytest.raises(ValueError, match=r"grads has .* too large for float32"):
        funcnn.sgd_step(SMALL, gradient, 0.1)


@pytest.mark.parametrize("lr", [1e-60, 1e39, [0.1, 1e-60], np.longdouble("1e-400"), np.longdouble("1e400")])
def test_rates_that_the_weights_dtype_cannot_hold_are_refused(lr):
    params = SMALL if np.ndim(lr) == 0 else funcnn.init((2, 3, 1), seed=(0, 1), dtype=np.float32)
    for engine in ("numpy", "compiled"):
        with pytest.raises(ValueError, match=r"lr .* becomes (0|inf).* float32"):
            funcnn.train(params, X, Y, lr=lr, epochs=1, engine=engine)
    with pytest.raises(ValueError, match=r"lr .* becomes (0|inf).* float32"):
        funcnn.sgd_step(params, params, lr)


@pytest.mark.parametrize("lr", ["fast", None, 1j, np.ones((2, 2)), [], np.nan, np.inf])
def test_a_step_refuses_what_is_no_rate(lr):
    with pytest.raises((TypeError, ValueError), match=r"\blr\b"):
        funcnn.sgd_step(P, P, lr)


def test_metrics_do_not_wrap_around_in_small_integers():
    y_hat, y = np.array([[0], [200]], np.uint8), np.array([[255], [0]], np.uint8)
    assert funcnn.mse(y_hat, y) == (255**2 + 200**2) / 2
    assert funcnn.half_sse(y_hat, y) == (255**2 + 200**2) / 2
    assert funcnn.mse(Y > 0, Y) == 0
    assert funcnn.accuracy(Y > 0, Y > 0) == 1
