"""Activations and losses: PyTorch's values, recorded by tests/bench/scripts/record_formulas.py; and their promises."""

import json
import re
from pathlib import Path

import array_api_strict
import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcnn
from funcnn import Decision, Loss, Plan, losses
from funcnn.engines.scalars import inlined
from own_records import SOFTMAX_CROSS_ENTROPY

GOLDEN = json.loads((Path(__file__).parent / "golden" / "formulas.json").read_text(encoding="utf-8"))
Z = np.array(GOLDEN["z"])
ACTS, LOSSES, OPTIMIZERS = funcnn.ACTIVATIONS, funcnn.LOSSES, funcnn.OPTIMIZERS
#: Of each loss, targets that it takes.
TARGETS = {
    None: (-1.7, 0.0, 0.4, 1.0),
    "signs": (-1.0, 1.0),
    "shares": (0.0, 0.3, 1.0),
    "distribution": (0.0, 0.3, 1.0),
}
LOGITS = [name for name, loss in LOSSES.items() if loss.logits]
X = np.array([[0.2, -1.0], [1.0, 0.5], [-0.7, 0.3]])
ONE_HOT = np.eye(3)


def each(loss, y_hat, y):
    """Return value and slope of a loss at each output, of samples that have their row to themselves."""
    return losses.contributions(loss, y_hat, y), losses.slope(attrs.evolve(loss, reduction="sum"), y_hat, y)


# --- oracles ---------------------------------------------------------------------------------------------------------


def test_every_entry_is_recorded_but_log_cosh_which_pytorch_has_not():
    assert set(GOLDEN["activations"]) == set(ACTS)
    assert {case["loss"] for case in GOLDEN["losses"]} == set(LOSSES) - {"log_cosh"}


@pytest.mark.parametrize("name", ACTS)
def test_activations_are_pytorchs(name):
    with np.errstate(over="ignore"):
        a = ACTS[name].apply(Z)
    np.testing.assert_allclose(a, GOLDEN["activations"][name]["value"], rtol=1e-13, atol=1e-15)
    slopes = ACTS[name].derivative(Z, a)
    single = name == "hard_sigmoid"  # whose 1/6 PyTorch writes so in every precision
    expected = GOLDEN["activations"][name]["slope"]
    np.testing.assert_allclose(slopes, expected, rtol=1e-7 if single else 1e-12, atol=1e-15)


@pytest.mark.parametrize("case", GOLDEN["losses"], ids=lambda case: case["loss"])
def test_losses_are_pytorchs(case):
    y_hat, y, loss = np.array(GOLDEN["y_hat"]), np.array(case["y"]), LOSSES[case["loss"]]
    np.testing.assert_allclose(losses.value(loss, y_hat, y), case["value"], rtol=1e-14)
    np.testing.assert_allclose(losses.slope(loss, y_hat, y), case["slope"], rtol=1e-12, atol=1e-15)


@given(st.floats(-30, 30))
def test_log_cosh_is_the_logarithm_of_the_hyperbolic_cosine(e):
    value, slope = each(LOSSES["log_cosh"], np.array([[e]]), np.zeros((1, 1)))
    exact = np.log(np.cosh(np.longdouble(e)))
    np.testing.assert_allclose(value[0, 0], float(exact), rtol=1e-14, atol=1e-16 * abs(e) + 1e-19)
    np.testing.assert_allclose(slope[0, 0], np.tanh(e), rtol=1e-14)


@given(st.sampled_from(list(LOSSES)), st.floats(-20, 20), st.data())
def test_the_slope_of_a_loss_is_the_derivative_of_its_value(name, y_hat, data):
    loss, h = LOSSES[name], 1e-5
    y = data.draw(st.sampled_from(TARGETS[loss.targets]))
    # Where outputs share a row, all values change with one of them: so it is their sum that is differentiated.
    rest = [0.5, -2.0] if loss.row else []
    others = [0.7 * (1 - y), 0.3 * (1 - y)] if loss.row else []
    near = [np.array([[y_hat + step, *rest]], np.longdouble) for step in (h, 0, -h)]
    targets = np.array([[y, *others]], np.longdouble)
    kinks = {"mae": (y,), "huber": (y - 1, y + 1), "hinge": (y,)}.get(name, ())
    if any(abs(y_hat - kink) <= h for kink in kinks):
        return
    ahead, _, behind = (np.sum(losses.contributions(loss, one, targets)) for one in near)
    slope = losses.slope(attrs.evolve(loss, reduction="sum"), near[1], targets)[0, 0]
    np.testing.assert_allclose(float(slope), float((ahead - behind) / (2 * h)), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("name", "y", "kink"), [("mae", 0.3, 0.3), ("hinge", 1.0, 1.0), ("hinge", -1.0, -1.0)])
def test_at_its_kink_a_loss_has_slope_0(name, y, kink):
    value, slope = each(LOSSES[name], np.array([[kink]]), np.array([[y]]))
    assert value == slope == 0


# --- far out ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTS)
def test_far_out_activations_are_at_their_limits(name, dtype):
    act, z = ACTS[name], np.array([-np.inf, -1e4, -1e3, 1e3, 1e4, np.inf], dtype)
    with np.errstate(over="ignore" if name == "sigmoid" else "raise", invalid="ignore" if name == "sine" else "raise"):
        a = act.apply(z)
        slope = act.derivative(z, a)
    assert a.dtype == slope.dtype == dtype
    if name == "sine":
        assert np.isfinite(a[1:-1]).all()
        return
    low, high = {
        "sigmoid": (0, 1), "tanh": (-1, 1), "elu": (-1, None), "softsign": (-1, 1), "hard_sigmoid": (0, 1),
        "leaky_relu": (None, None), "none": (None, None),
    }.get(name, (0, None))  # fmt: skip
    lows = {"leaky_relu": 0.01 * z[:3], "none": z[:3]}.get(name, low)
    np.testing.assert_allclose(a[:3], lows, rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(a[3:], z[3:] if high is None else high, rtol=2e-3)
    slopes = {"leaky_relu": 0.01, "none": 1}.get(name, 0), 0 if ACTS[name].saturates else 1
    np.testing.assert_allclose(slope, np.repeat(slopes, 3), atol=1e-5, rtol=1e-6)
    assert np.isnan(act.apply(np.array([np.nan], dtype))).all()


def test_those_saturate_whose_slope_is_0_on_both_sides():
    assert {name for name, act in ACTS.items() if act.saturates} == {"sigmoid", "tanh", "softsign", "hard_sigmoid"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_finite_far_out(name, dtype):
    loss = LOSSES[name]
    for y in TARGETS[loss.targets]:
        y_hat = np.array([[-1e4, 1e4, 0.0], [1e4, -1e4, 1e4], [1e4, 1e4, 1e4]], dtype)
        targets = np.array([[y, 1 - y, 0], [1 - y, y, 0], [0, y, 1 - y]], dtype)
        with np.errstate(all="raise", under="ignore"):
            value, slope = each(loss, y_hat, targets)
        assert value.dtype == slope.dtype == dtype
        assert np.isfinite(value).all()
        assert np.isfinite(slope).all()
        assert (value >= 0).all()


FAR = np.array([-np.inf, -1e4, -800.0, -30.0, -3.0, -1.0, 0.0, 0.3, 1.0, 3.0, 30.0, 800.0, 1e4, np.inf, np.nan])


@pytest.mark.parametrize("name", [*ACTS, *LOSSES])
def test_compiled_for_numbers_formulas_are_what_they_are_on_arrays(name):
    with np.errstate(all="ignore"):
        if name in ACTS:
            act = ACTS[name]
            pairs = [(act.apply, (FAR,)), (act.derivative, (FAR, act.apply(FAR)))]
        else:
            row = (np.abs(FAR) + 1,) if LOSSES[name].row else ()
            pairs = [(f, (FAR, np.ones(len(FAR)), *row)) for f in (LOSSES[name].value, LOSSES[name].slope)]
        for function, given_ in pairs:
            compiled = inlined(function)
            ours = [compiled(*map(float, numbers)) for numbers in zip(*given_, strict=True)]
            np.testing.assert_allclose(ours, function(*given_), rtol=1e-13, atol=1e-290)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*ACTS, *LOSSES, *OPTIMIZERS])
def test_formulas_need_nothing_but_the_array_api(name, dtype):
    def strict(*arrays):
        return tuple(map(array_api_strict.asarray, arrays))

    z, ones, number = np.linspace(-9, 9, 23).astype(dtype), np.ones(23, dtype), np.asarray(3.0, dtype)
    if name in ACTS:
        act = ACTS[name]
        pairs = [(act.apply, (z,)), (act.derivative, (z, act.apply(z)))]
    elif name in LOSSES:
        row = (np.abs(z) + 1,) if LOSSES[name].row else ()
        pairs = [(f, (z, ones, *row)) for f in (LOSSES[name].value, LOSSES[name].slope)]
    else:
        rule = OPTIMIZERS[name]
        pairs = [
            (lambda w, t, *slots: rule.update(w, w, slots, t, t, rule.hyper)[0], (z, number, *[ones] * rule.slots))
        ]
    for function, arrays in pairs:
        ours, theirs = function(*arrays), function(*strict(*arrays))
        assert isinstance(theirs, array_api_strict._array_object.Array)
        assert ours.dtype == np.asarray(theirs).dtype == dtype
        np.testing.assert_allclose(np.asarray(theirs), ours, rtol=1e-6, atol=1e-7)


# --- what a loss is for ----------------------------------------------------------------------------------------------


def network(out_act, outputs=3, dtype=np.float64):
    return funcnn.init((2, 4, outputs), act="tanh", out_act=out_act, dtype=dtype)


CALLS = {
    "train": lambda params, y, loss: funcnn.train(params, X, y, epochs=1, loss=loss),
    "backprop": lambda params, y, loss: funcnn.backprop(params, X, y, loss=loss),
    "grads": lambda params, y, loss: funcnn.grads(params, X, y, loss=loss),
    "value_and_grads": lambda params, y, loss: funcnn.value_and_grads(params, X, y, loss=loss),
    "step": lambda params, y, loss: funcnn.step(
        plan := Plan(losses.loss_named(loss), OPTIMIZERS["sgd"]), funcnn.fresh_state(plan, params), X, y, 0.1
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "act", ["sigmoid", "relu", "hard_sigmoid", funcnn.Activation("none", lambda z: z, lambda z, a: 1)]
)
@pytest.mark.parametrize("loss", LOGITS)
def test_a_loss_on_logits_refuses_an_activation_at_the_output(loss, act, call):
    name = getattr(act, "name", act)
    message = f"loss '{loss}' takes logits, so the last layer has no activation: give out_act='none' (it has '{name}')"
    with pytest.raises(ValueError, match=re.escape(message)):
        CALLS[call](network(act), ONE_HOT, loss)
    CALLS[call](network("none"), ONE_HOT, loss)
    CALLS[call](network("identity"), ONE_HOT, loss)
    CALLS[call](network(act), ONE_HOT, SOFTMAX_CROSS_ENTROPY)  # of one's own, which does not say that it takes logits


@pytest.mark.parametrize("call", CALLS)
def test_softmax_of_one_output_is_refused(call):
    with pytest.raises(
        ValueError, match=r"'softmax_cross_entropy'.*constant: 'sigmoid_binary_cross_entropy' is for one"
    ):
        CALLS[call](network("none", 1), np.ones((3, 1)), "softmax_cross_entropy")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("hinge", ONE_HOT, r"loss 'hinge' expects targets -1 and 1, got 0\.0 in y at row 0, column 1"),
        ("hinge", 2.5 * ONE_HOT - 1, r"targets -1 and 1, got 1\.5 in y at row 0, column 0"),
        ("sigmoid_binary_cross_entropy", 2 * ONE_HOT - 1, r"targets from 0 to 1, got -1\.0 in y at row 0, column 1"),
        (
            "softmax_cross_entropy",
            2 * ONE_HOT - 1,
            r"from 0 to 1 that sum to 1 in each sample, got 1\.0 in y at row 0",
        ),
        (
            "softmax_cross_entropy",
            np.maximum(ONE_HOT, [[0], [0], [1]]),
            r"sum to 1 in each sample, got 1\.0 in y at row 2",
        ),
        ("softmax_cross_entropy", 0 * ONE_HOT, r"sum to 1 in each sample, got 0\.0 in y at row 0"),
    ],
)
def test_targets_that_a_loss_is_not_for_are_refused(loss, y, message, call):
    with pytest.raises(ValueError, match=message):
        CALLS[call](network("none"), y, loss)


def test_targets_of_the_validation_data_are_looked_at_too():
    held = X, ONE_HOT
    with pytest.raises(
        ValueError, match=r"'hinge' expects targets -1 and 1, got 0\.0 in validation y at row 0, column 1"
    ):
        funcnn.train(network("none"), X, 2 * ONE_HOT - 1, epochs=1, loss="hinge", validation=held)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_targets_are_taken_and_members_may_have_their_own(dtype):
    rng = np.random.default_rng(0)
    soft = rng.uniform(size=(5, 3, 7))
    soft /= soft.sum(axis=-1, keepdims=True)
    params = funcnn.init((2, 4, 7), seed=range(5), act="tanh", out_act="none", dtype=dtype)
    for loss in LOGITS:
        _, history = funcnn.train(params, X, soft, epochs=3, loss=loss, engine="numpy")
        assert np.isfinite(history.loss).all()
    soft[3, 1, 0] += 0.01
    with pytest.raises(ValueError, match=r"got 0\.\d+ in y at member 3, row 1, column 0"):
        funcnn.train(params, X, soft, epochs=3, loss="softmax_cross_entropy")


def test_a_loss_of_ones_own_may_say_what_its_targets_are():
    own = Loss("own", lambda p, y: (p - y) ** 2, lambda p, y: 2 * (p - y), targets="signs")
    with pytest.raises(ValueError, match="'own' expects targets -1 and 1"):
        funcnn.grads(network("none"), X, ONE_HOT, loss=own)
    with pytest.raises(ValueError, match="unknown kind of targets 'sign'; did you mean 'signs'"):
        funcnn.grads(network("none"), X, ONE_HOT, loss=attrs.evolve(own, targets="sign"))


@pytest.mark.parametrize(
    ("loss", "y", "expected"),
    [
        ("softmax_cross_entropy", ONE_HOT, Decision("largest", 0.5, 0.0, 1.0)),
        ("sigmoid_binary_cross_entropy", ONE_HOT, Decision("largest", 0.5, 0.0, 1.0)),
        ("sigmoid_binary_cross_entropy", ONE_HOT[:, :1], Decision("threshold", 0.0, 0.0, 1.0)),
        ("sigmoid_binary_cross_entropy", np.array([[1.0, 1.0], [0.0, 1.0]]), Decision("threshold", 0.0, 0.0, 1.0)),
        ("sigmoid_binary_cross_entropy", np.ones((3, 1)), Decision("threshold", 0.0, 0.0, 1.0)),
        ("sigmoid_binary_cross_entropy", np.array([[0.1], [0.9]]), Decision("threshold", 0.0, 0.1, 0.9)),
        ("hinge", 2 * ONE_HOT - 1, Decision("threshold", 0.0, -1.0, 1.0)),
        ("hinge", np.ones((3, 1)), Decision("threshold", 0.5, 0.0, 1.0)),
        *((name, ONE_HOT[:, :1], Decision("threshold", 0.5, 0.0, 1.0)) for name in ("mae", "huber", "log_cosh")),
        *((name, 2 * ONE_HOT - 1, Decision("threshold", 0.0, -1.0, 1.0)) for name in ("mae", "huber", "log_cosh")),
    ],
)
def test_predictions_are_decided_where_the_loss_is_indifferent(loss, y, expected):
    assert funcnn.decision(loss, y) == expected


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_to_tell_two_classes_apart(loss):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 2))
    y = (x[:, :1] * x[:, 1:] > 0).astype(float)
    low = LOSSES[loss].targets == "signs"
    y = np.concatenate([y, 1 - y], axis=1) if LOSSES[loss].row else 2 * y - 1 if low else y
    params = funcnn.init((2, 8, y.shape[1]), seed=2, act="tanh", out_act="none", bias=True, scheme="glorot")
    some = {"lr": 0.02, "loss": loss, "optimizer": "adam", "epochs": 150, "batch_size": 10, "engine": "numpy"}
    _, history = funcnn.train(params, x, y, **some)
    assert history.accuracy[-1] >= 0.9
    assert history.accuracy[0] < 0.8
    assert history.loss[-1] < 0.6 * history.loss[0]


# --- what is listed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry", [*ACTS.values(), *LOSSES.values(), *OPTIMIZERS.values()], ids=lambda entry: entry.name
)
def test_every_entry_says_its_formula_and_its_source_in_one_line(entry):
    function = getattr(entry, "apply", None) or getattr(entry, "value", None) or entry.update
    first, *rest = function.__doc__.split("\n")
    assert function.__name__ != "<lambda>"
    assert len(first) <= 150
    assert re.search(r"\. .*(1[789]|20)\d\d", first), "formula. Source, with its year"
    assert not rest or not rest[0]
