"""Optimizers against PyTorch's, recorded by tests/bench/scripts/record_optimizers.py; and what else they promise."""

import json
from pathlib import Path

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Layer, Optimizer, Params, Plan
from funcnn.optimizers import RANGES, fresh_slots
from own_records import ADAM

GOLDEN = json.loads((Path(__file__).parent / "golden" / "optimizers.json").read_text(encoding="utf-8"))
X, Y = np.array(GOLDEN["x"]), np.array(GOLDEN["y"])
BUILT_IN = list(funcnn.OPTIMIZERS)


def network(arrays, dtype=np.float64):
    w1, b1, w2, b2 = (np.array(array, dtype) for array in arrays)
    return Params([Layer(w1, b1, "tanh"), Layer(w2, b2, "none")])


def batch(update):
    begin = (update - 1) * GOLDEN["rows"] % len(X)
    return X[begin : begin + GOLDEN["rows"]], Y[begin : begin + GOLDEN["rows"]]


def assert_near(ours, theirs, tolerance):
    for mine, its in zip(ours.layers, theirs.layers, strict=True):
        np.testing.assert_allclose(mine.w, its.w, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(mine.b, its.b, rtol=tolerance, atol=tolerance)


def test_every_optimizer_is_recorded_with_its_own_constants():
    recorded = {(case["optimizer"], tuple(case["hyper"])) for case in GOLDEN["cases"]}
    assert {(rule.name, rule.hyper) for rule in funcnn.OPTIMIZERS.values()} <= recorded


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['optimizer']}-{case['clip']}")
def test_trajectories_are_pytorchs(case):
    rule = attrs.evolve(funcnn.OPTIMIZERS[case["optimizer"]], hyper=tuple(case["hyper"]))
    plan = Plan(funcnn.LOSSES["mse"], rule, GOLDEN["rows"], case["clip"])
    state = funcnn.fresh_state(plan, network(GOLDEN["start"]))
    for expected in case["weights"]:
        for _ in range(GOLDEN["every"]):
            state, _ = funcnn.step(plan, state, *batch(int(state.t) + 1), GOLDEN["lr"])
        assert_near(state.params, network(expected), 1e-9)


@pytest.mark.parametrize(
    "case", [case for case in GOLDEN["cases"] if case["clip"] is None], ids=lambda c: c["optimizer"]
)
def test_a_fold_of_optimizer_step_is_pytorchs_trajectory(case):
    def update(carry, t):
        params, slots = carry
        gradient = funcnn.grads(params, *batch(t), loss="mse")
        return funcnn.optimizer_step(case["optimizer"], params, gradient, slots, t, GOLDEN["lr"]), None

    start = network(GOLDEN["start"])
    slots = fresh_slots(funcnn.OPTIMIZERS[case["optimizer"]], start)
    updates = GOLDEN["every"] * len(case["weights"])
    (params, _), _ = funcnn.scan(update, (start, slots), range(1, updates + 1))
    assert_near(params, network(case["weights"][-1]), 1e-9)


@pytest.mark.parametrize("name", BUILT_IN)
def test_weight_decay_of_the_plan_is_that_gradients_penalty(name):
    rule, start = funcnn.OPTIMIZERS[name], network(GOLDEN["start"])
    plan = Plan(funcnn.LOSSES["mse"], rule, len(X), None, 0.1)
    state, _ = funcnn.step(plan, funcnn.fresh_state(plan, start), X, Y, 0.01)
    gradient = funcnn.grads(start, X, Y, loss="mse")
    decayed = Params(
        attrs.evolve(g, w=g.w + 0.1 * layer.w) for g, layer in zip(gradient.layers, start.layers, strict=True)
    )
    params, _ = funcnn.optimizer_step(rule, start, decayed, fresh_slots(rule, start), 1.0, 0.01)
    assert params == state.params


@pytest.mark.parametrize("name", BUILT_IN)
def test_in_single_precision_everything_stays_single(name):
    plan = Plan(funcnn.LOSSES["mse"], funcnn.OPTIMIZERS[name], len(X))
    small, exact = (funcnn.fresh_state(plan, network(GOLDEN["start"], dtype)) for dtype in (np.float32, float))
    for _ in range(30):
        small, _ = funcnn.step(plan, small, X, Y, 0.01)
        exact, _ = funcnn.step(plan, exact, X, Y, 0.01)
    for params in (small.params, *small.slots):
        assert {array.dtype for layer in params.layers for array in (layer.w, layer.b)} == {np.dtype(np.float32)}
    assert_near(small.params, exact.params, 2e-5)
    update = plan.optimizer.update
    w, t = np.ones((2, 3), np.float32), np.asarray(1.0, np.float32)
    moved, slots = update(w, w, (w,) * plan.optimizer.slots, t, np.asarray(0.1, np.float32), plan.optimizer.hyper)
    assert {array.dtype for array in (moved, *slots)} == {np.dtype(np.float32)}  # and not on the way to it alone


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_first_step_of_adam_is_as_long_as_the_rate_in_either_precision(name):
    for dtype in (np.float32, np.float64):
        start = network(GOLDEN["start"], dtype)
        rule = attrs.evolve(funcnn.OPTIMIZERS[name], hyper=(0.9, 0.999, 1e-30, 0.0))
        gradient = Params(attrs.evolve(layer, w=layer.w / 7, b=layer.b / 7) for layer in start.layers)
        params, _ = funcnn.optimizer_step(rule, start, gradient, fresh_slots(rule, start), 1.0, 0.5)
        for layer, before in zip(params.layers, start.layers, strict=True):
            np.testing.assert_allclose(layer.w, before.w - 0.5 * np.sign(before.w), atol=1e-6)


def test_every_constant_of_the_tables_optimizers_has_a_name_and_a_range():
    for rule in funcnn.OPTIMIZERS.values():
        assert len(rule.names) == len(rule.hyper)
        assert set(rule.names) <= set(RANGES)


def _without(w, g, slots, t, lr, hyper):
    return w, slots


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("members", [None, 9])
def test_biases_may_have_a_rule_of_their_own(engine, members):
    # Biases that do not move, with an optimizer's own rule for weights, in layers with and without.
    seed = 0 if members is None else range(members)
    params = funcnn.init((2, 3, 2, 1), seed=seed, bias=True, bias_init="uniform:0.5")
    params = Params([params.layers[0], attrs.evolve(params.layers[1], b=None), params.layers[2]])
    data, still = funcnn.xor(), Optimizer("still", lambda w, g, s, t, lr, h: (w - lr * g, s), biases=_without)
    moved, _ = funcnn.train(params, data.x, data.y, epochs=3, batch_size=5, optimizer=still, engine=engine)
    usual, _ = funcnn.train(params, data.x, data.y, epochs=3, batch_size=5, engine=engine)
    assert moved.layers[1].b is None
    for layer, before, other in zip(moved.layers, params.layers, usual.layers, strict=True):
        assert before.b is None or (np.array_equal(layer.b, before.b) and not np.array_equal(other.b, before.b))
        assert not np.array_equal(layer.w, before.w)
    stepped, _ = funcnn.optimizer_step(still, params, params, (), 1.0, 0.1)
    for layer, before in zip(stepped.layers, params.layers, strict=True):
        assert before.b is None or np.array_equal(layer.b, before.b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_runs_for_a_hundred_thousand_updates(dtype):
    # The gradient of (w − 3)² / 2, and another whose scale is 1e-3 of it.
    rule, lr = funcnn.OPTIMIZERS["adam"], np.asarray(1e-3, dtype)
    w, slots = np.array([0.0, 1.0], dtype), (np.zeros(2, dtype), np.zeros(2, dtype))
    target, scale = np.array([3.0, -2.0], dtype), np.array([1.0, 1e-3], dtype)
    for t in range(1, 100_001):
        w, slots = rule.update(w, (w - target) * scale, slots, np.asarray(t, dtype), lr, rule.hyper)
    assert w.dtype == slots[0].dtype == slots[1].dtype == dtype
    np.testing.assert_allclose(w, target, atol=1e-3)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_gradient_of_zero_moves_no_weight_but_by_decay(name):
    rule, start = funcnn.OPTIMIZERS[name], network(GOLDEN["start"])
    zero = Params(attrs.evolve(layer, w=0 * layer.w, b=0 * layer.b) for layer in start.layers)
    params, slots = funcnn.optimizer_step(rule, start, zero, fresh_slots(rule, start), 1.0, 0.5)
    params, slots = funcnn.optimizer_step(rule, params, zero, slots, 2.0, 0.5)
    of_weights, of_biases = {"adamw": (0.01, 0.01), "adamw_weights": (0.01, 0.0)}.get(name, (0.0, 0.0))
    for layer, before in zip(params.layers, start.layers, strict=True):
        np.testing.assert_allclose(layer.w, (1 - 0.5 * of_weights) ** 2 * before.w, rtol=1e-15)
        np.testing.assert_allclose(layer.b, (1 - 0.5 * of_biases) ** 2 * before.b, rtol=1e-15)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_gradient_that_is_no_number_leaves_weights_that_are_none(name):
    rule, w = funcnn.OPTIMIZERS[name], np.ones((1, 2))
    g = np.array([[np.nan, 1.0]])
    moved, _ = rule.update(w, g, (np.zeros((1, 2)),) * rule.slots, np.asarray(1.0), np.asarray(0.1), rule.hyper)
    assert np.isnan(moved).tolist() == [[True, False]]


def test_rprop_is_its_steps_and_not_its_gradients():
    # By hand: η = 0.1; the sign stays: × 1.2; it changes: × 0.5 and stand still; then as if begun, with that step.
    rule, w, slots, seen = funcnn.OPTIMIZERS["rprop"], np.zeros(1), (np.zeros(1), np.zeros(1)), []
    for t, g in enumerate((3.0, 0.001, -70.0, -1.0, -1.0), 1):
        w, slots = rule.update(w, np.array([g]), slots, np.asarray(float(t)), np.asarray(0.1), rule.hyper)
        seen.append(w[0])
    np.testing.assert_allclose(np.diff(seen, prepend=0), [-0.1, -0.12, 0, 0.06, 0.072], rtol=1e-12, atol=1e-15)


def test_an_optimizer_of_ones_own_may_have_the_name_of_one_of_the_tables(bits):
    assert ADAM.name in funcnn.OPTIMIZERS
    plan = Plan(funcnn.LOSSES["mse"], ADAM, 5)
    start = network(GOLDEN["start"])
    state = funcnn.fresh_state(plan, start)
    for begin in (0, 5, 10) * 4:
        some = slice(begin, begin + 5)
        state, _ = funcnn.step(plan, state, X[some], Y[some], 0.05)
    final = {
        engine: funcnn.train(start, X, Y, lr=0.05, epochs=4, loss="mse", optimizer=ADAM, batch_size=5, engine=engine)[0]
        for engine in ("numpy", "compiled")
    }
    assert bits(final["numpy"]) == bits(state.params)
    assert_near(final["compiled"], state.params, 1e-12)
    table, _ = funcnn.train(start, X, Y, lr=0.05, epochs=4, loss="mse", optimizer="adam", batch_size=5, engine="numpy")
    assert table != final["numpy"]  # for its β₂ is another


@pytest.mark.parametrize("members", [None, 3])
def test_a_rule_gets_the_number_of_the_update_as_one_number(members):
    def rule(w, g, slots, t, lr, hyper):
        assert np.shape(t) == ()
        return w - lr * g / t, slots

    data = funcnn.xor()
    params = funcnn.init((2, 3, 1), seed=0 if members is None else range(members))
    final, _ = funcnn.train(
        params, data.x, data.y, epochs=2, optimizer=funcnn.Optimizer("slowing", rule), engine="numpy"
    )
    assert final != params
