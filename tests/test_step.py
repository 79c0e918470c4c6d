"""One update, `step`: what it does, by formulas written down once more here; and that `train` is nothing but it."""

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcnn
from funcnn import Loss, Params, Plan
from own_records import ADAM, LATE, LOOKING_BACK, MOMENTUM, SIGMOID_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY

SGD = funcnn.OPTIMIZERS["sgd"]
HALF_SSE = funcnn.LOSSES["half_sse"]
QUARTIC = Loss("quartic", lambda p, y: (p - y) ** 4 / 4, lambda p, y: (p - y) ** 3, report="mse")
LOSSES = {
    "half_sse": HALF_SSE,
    "mse": funcnn.LOSSES["mse"],
    "quartic": QUARTIC,
    "quartic, mean": attrs.evolve(QUARTIC, reduction="mean", report=None),
    "quartic, mean_samples": attrs.evolve(QUARTIC, reduction="mean_samples", report=None),
    "sigmoid_cross_entropy": SIGMOID_CROSS_ENTROPY,
    "softmax_cross_entropy": SOFTMAX_CROSS_ENTROPY,
}
#: What each loss is, and its slope, over a batch: (y_hat, y) -> (value, slope).
FORMULAS = {
    "half_sse": lambda p, y: (((p - y) ** 2).sum() / 2, p - y),
    "mse": lambda p, y: (((p - y) ** 2).mean(), 2 * (p - y) / p.size),
    "quartic": lambda p, y: (((p - y) ** 4).sum() / 4, (p - y) ** 3),
    "quartic, mean": lambda p, y: (((p - y) ** 4).mean() / 4, (p - y) ** 3 / p.size),
    "quartic, mean_samples": lambda p, y: (((p - y) ** 4).sum() / 4 / len(p), (p - y) ** 3 / len(p)),
    "sigmoid_cross_entropy": lambda p, y: (
        -(y * np.log(sigmoid(p)) + (1 - y) * np.log(1 - sigmoid(p))).sum() / len(p),
        (sigmoid(p) - y) / len(p),
    ),
    "softmax_cross_entropy": lambda p, y: (-(y * np.log(softmax(p))).sum() / len(p), (softmax(p) - y) / len(p)),
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def data(n, outputs, members=None, seed=0):
    rng = np.random.default_rng(seed)
    lead = () if members is None else (members,)
    return rng.normal(size=(*lead, n, 2)), np.eye(outputs)[rng.integers(0, outputs, (*lead, n))]


def arrays(params):
    return [array for layer in params.layers for array in (layer.w, layer.b) if array is not None]


def start(members=None, outputs=3, act="tanh", bias=True, **fields):
    seed = 5 if members is None else range(members)
    return funcnn.init((2, 4, outputs), seed=seed, act=act, out_act="none", bias=bias, scheme="glorot", **fields)


def step_once(plan, params, x, y, lr=0.1, weight=None):
    return funcnn.step(plan, funcnn.fresh_state(plan, params), x, y, lr, weight)


# --- train is nothing but steps --------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    loss=st.sampled_from(list(LOSSES)),
    optimizer=st.sampled_from([SGD, MOMENTUM, ADAM, LATE]),
    batch_size=st.sampled_from([1, 2, 5, 9, "full"]),
    shuffle=st.booleans(),
    clip=st.none() | st.sampled_from([1e-3, 0.3, 100.0]),
    l2=st.sampled_from([0.0, 0.05]),
    weighted=st.booleans(),
    scheduled=st.booleans(),
    members=st.none() | st.integers(1, 4),
    own_data=st.booleans(),
    bias=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_train_on_numpy_has_the_bits_of_the_plain_loop_of_step(
    loss, optimizer, batch_size, shuffle, clip, l2, weighted, scheduled, members, own_data, bias, dtype, bits
):
    n, epochs, loss = 9, 7, LOSSES[loss]
    x, y = (array.astype(dtype) for array in data(n, 3, members if own_data else None))
    weight = np.linspace(0, 2, n).astype(dtype) if weighted else None
    lr = 0.005 if members is None else np.linspace(0.001, 0.01, members)  # the quartic soon diverges
    rows = n if batch_size == "full" else batch_size
    plan = Plan(loss, optimizer, rows, clip, l2)
    state = funcnn.fresh_state(plan, start(members, bias=bias, dtype=dtype))

    def schedule(t):
        return 1 / (1 + t / 10)

    per_epoch = -(-n // rows)
    factors = schedule(np.arange(1.0, epochs * per_epoch + 1)) if scheduled else np.ones(epochs * per_epoch)
    for epoch in range(epochs):
        order = np.random.default_rng([4, epoch]).permutation(n) if shuffle else np.arange(n)
        for begin in range(0, n, rows):
            some, factor = order[begin : begin + rows], factors[int(state.t)]
            xb, yb = np.take(x, some, axis=-2), np.take(y, some, axis=-2)
            state, _ = funcnn.step(plan, state, xb, yb, lr * factor, None if weight is None else weight[some])
    final, history = funcnn.train(
        start(members, bias=bias, dtype=dtype), x, y, lr=lr, epochs=epochs, loss=loss, optimizer=optimizer,
        batch_size=batch_size, clip=clip, l2=l2, weight=weight, schedule=schedule if scheduled else None,
        shuffle=shuffle, shuffle_seed=4, engine="numpy", log_every=3,
    )  # fmt: skip
    assert bits(final) == bits(state.params)
    assert bits(history.state.slots) == bits(state.slots)
    assert history.state.t == state.t == epochs * per_epoch


@pytest.mark.parametrize(
    ("loss", "optimizer", "members"),
    [
        ("softmax_cross_entropy", SGD, 9),
        ("sigmoid_cross_entropy", SGD, None),
        ("half_sse", MOMENTUM, 9),
        ("mse", ADAM, None),
        ("half_sse", LATE, 3),
    ],
)
def test_compiled_does_what_the_plain_loop_of_step_does(loss, optimizer, members):
    x, y = data(9, 3, members)
    weight, plan = np.linspace(0, 2, 9), Plan(LOSSES[loss], optimizer, 2, 0.5, 0.01)
    state = funcnn.fresh_state(plan, start(members))
    for _ in range(12):
        for begin in range(0, 9, 2):
            some = slice(begin, begin + 2)
            state, _ = funcnn.step(plan, state, x[..., some, :], y[..., some, :], 0.05, weight[some])
    final, history = funcnn.train(
        start(members), x, y, lr=0.05, epochs=12, loss=LOSSES[loss], optimizer=optimizer, batch_size=2, clip=0.5,
        l2=0.01, weight=weight, engine="compiled", threads=1,
    )  # fmt: skip
    records = zip((final, *history.state.slots), (state.params, *state.slots), strict=True)
    for mine, its in records:
        for ours, theirs in zip(arrays(mine), arrays(its), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("members", [None, 3])
def test_the_loss_that_is_reported_is_its_formula_just_before_each_update(members, engine):
    x, y = data(9, 3)
    name, params = "softmax_cross_entropy", start(members)
    _, history = funcnn.train(params, x, y, lr=0.1, epochs=4, loss=LOSSES[name], batch_size=4, engine=engine)
    plan, losses = Plan(LOSSES[name], SGD, 4), []
    state = funcnn.fresh_state(plan, params)
    for _ in range(4):
        seen = []
        for some in (slice(0, 4), slice(4, 8), slice(8, 9)):
            state, y_hat = funcnn.step(plan, state, x[some], y[some], 0.1)
            seen.append(y_hat)
        all_of_them = np.concatenate(seen, axis=-2)
        members_ = [all_of_them] if members is None else all_of_them
        losses.append([FORMULAS[name](one, y)[0] for one in members_])
    np.testing.assert_allclose(history.loss.reshape(4, -1), losses, rtol=1e-12)


# --- its parts -------------------------------------------------------------------------------------------------------


def by_hand(params, x, y, formula, weight=None):
    """Return predictions and gradient of a network with one hidden layer of tanh, as in a textbook."""
    (w1, b1), (w2, b2) = ((layer.w, layer.b) for layer in params.layers)
    hidden = np.tanh(x @ w1 + b1)
    y_hat = hidden @ w2 + b2
    delta = formula(y_hat, y)[1] * (1 if weight is None else weight[:, None])
    below = delta @ w2.T * (1 - hidden**2)
    return y_hat, [x.T @ below, below.sum(axis=0)[None], hidden.T @ delta, delta.sum(axis=0)[None]]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_goes_down_the_gradient_of_its_loss(loss, weighted):
    params, (x, y) = start(), data(7, 3)
    weight = np.linspace(0, 3, 7) if weighted else None
    y_hat, gradient = by_hand(params, x, y, FORMULAS[loss], weight)
    state, predicted = step_once(Plan(LOSSES[loss], SGD, 7), params, x, y, 0.3, weight)
    np.testing.assert_allclose(predicted, y_hat, rtol=1e-13)
    for new, old, g in zip(arrays(state.params), arrays(params), gradient, strict=True):
        np.testing.assert_allclose(new, old - 0.3 * g, rtol=1e-12, atol=1e-14)
    value, _ = funcnn.value_and_grads(params, x, y, loss=LOSSES[loss])
    np.testing.assert_allclose(value, FORMULAS[loss](y_hat, y)[0], rtol=1e-12)


def test_weight_decay_pulls_weights_to_zero_and_leaves_biases_alone():
    params, (x, y) = start(), data(7, 3)
    params = Params(attrs.evolve(layer, b=layer.b + 0.7) for layer in params.layers)
    plain, _ = step_once(Plan(HALF_SSE, SGD, 7), params, x, y, 0.3)
    decayed, _ = step_once(Plan(HALF_SSE, SGD, 7, None, 0.02), params, x, y, 0.3)
    layers = zip(decayed.params.layers, plain.params.layers, params.layers, strict=True)
    for ours, without, before in layers:
        np.testing.assert_allclose(ours.w, without.w - 0.3 * 0.02 * before.w, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(ours.b, without.b)


@pytest.mark.parametrize("members", [None, 4])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_clipping_shortens_a_members_gradient_over_all_its_arrays(members, l2):
    params, (x, y) = start(members), data(7, 3)
    norm_of = np.sqrt(
        sum(
            ((g + l2 * w * (index % 2 == 0)) ** 2).sum(axis=(-2, -1))
            for index, (g, w) in enumerate(zip(arrays(funcnn.grads(params, x, y)), arrays(params), strict=True))
        )
    )
    clip = float(np.median(norm_of)) * 1.001  # longer than some, shorter than others
    for limit in (clip, 0.1 * clip, 100 * clip):
        free, _ = step_once(Plan(HALF_SSE, SGD, 7, None, l2), params, x, y, 0.3)
        clipped, _ = step_once(Plan(HALF_SSE, SGD, 7, limit, l2), params, x, y, 0.3)
        factor = np.minimum(1, limit / norm_of)[..., None, None]
        for ours, whole, old in zip(arrays(clipped.params), arrays(free.params), arrays(params), strict=True):
            np.testing.assert_allclose(ours - old, factor * (whole - old), rtol=1e-9, atol=1e-15)
    if members:
        assert (norm_of > clip).any()
        assert (norm_of < clip).any()


def test_a_gradient_of_zero_is_not_divided_by():
    params = Params([funcnn.Layer(np.zeros((2, 1)), None, "none")])
    state, _ = step_once(Plan(HALF_SSE, SGD, 1, 0.5), params, np.zeros((1, 2)), np.zeros((1, 1)))
    assert state.params == params


def test_a_weight_of_two_is_the_sample_twice_and_one_of_zero_is_none():
    params, (x, y) = start(), data(5, 3)
    for loss in (HALF_SSE, QUARTIC):
        plan = Plan(loss, SGD, 9, 0.7, 0.01)
        twice, _ = step_once(plan, params, x, y, 0.3, np.array([1.0, 2.0, 1.0, 0.0, 1.0]))
        repeated, _ = step_once(plan, params, x[[0, 1, 1, 2, 4]], y[[0, 1, 1, 2, 4]], 0.3)
        for ours, theirs in zip(arrays(twice.params), arrays(repeated.params), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
    none, _ = step_once(Plan(HALF_SSE, SGD, 5), params, x, y, 0.3, np.zeros(5))
    assert none.params == params


@pytest.mark.parametrize("optimizer", [SGD, MOMENTUM, ADAM])
def test_a_member_that_is_not_running_stands_still(optimizer, bits):
    params, (x, y) = start(3), data(7, 3)
    plan = Plan(HALF_SSE, optimizer, 7)
    moved, _ = step_once(plan, params, x, y)
    state = attrs.evolve(funcnn.fresh_state(plan, params), running=np.array([True, False, True]))
    after, y_hat = funcnn.step(plan, state, x, y, 0.1)
    assert (after.t, after.epoch) == (1.0, 0)
    assert after.running.tolist() == [True, False, True]
    everything = ((s.params, *s.slots) for s in (after, moved, state))
    for new, free, old in zip(*everything, strict=True):
        for ours, theirs, before in zip(*map(arrays, (new, free, old)), strict=True):
            assert bits(ours[[0, 2]]) == bits(theirs[[0, 2]])
            assert bits(ours[1]) == bits(before[1])
            assert bits(theirs[1]) != bits(before[1])
    np.testing.assert_array_equal(y_hat, funcnn.forward(params, x))
    solo = attrs.evolve(funcnn.fresh_state(plan, start()), running=np.array(False))
    assert bits(funcnn.step(plan, solo, x, y, 0.1)[0].params) == bits(start())


def test_a_step_leaves_its_state_alone_and_gives_read_only_arrays_of_its_own(bits):
    params, (x, y) = start(3), data(7, 3)
    own = Params(attrs.evolve(layer, w=np.array(layer.w), b=np.array(layer.b)) for layer in params.layers)
    for optimizer in (
        SGD,
        MOMENTUM,
        ADAM,
        LOOKING_BACK,
        attrs.evolve(SGD, name="still", update=lambda *a: (a[0], a[2])),
    ):
        plan = Plan(HALF_SSE, optimizer, 7)
        state = funcnn.fresh_state(plan, own)
        before = bits((own, state))
        after, _ = funcnn.step(plan, state, x, y, 0.1)
        assert bits((own, state)) == before
        found = [array for one in (after.params, *after.slots) for array in arrays(one)]
        assert not any(array.flags.writeable for array in found)
        shared = [np.shares_memory(array, its) for array in found for its in arrays(own)]
        assert not any(shared), optimizer.name


@pytest.mark.parametrize("slots", [0, 2])
def test_a_step_refuses_a_state_whose_slots_are_not_the_optimizers(slots):
    params, (x, y) = start(), data(7, 3)
    plan = Plan(HALF_SSE, MOMENTUM, 7)
    state = attrs.evolve(funcnn.fresh_state(plan, params), slots=(params,) * slots)
    with pytest.raises(ValueError, match="slots"):
        funcnn.step(plan, state, x, y, 0.1)


def test_slots_of_other_shapes_are_refused_by_a_step():
    params, (x, y) = start(), data(7, 3)
    plan = Plan(HALF_SSE, MOMENTUM, 7)
    for other in (start(3), start(bias=False), start(outputs=2)):
        with pytest.raises(ValueError, match="slots"):
            funcnn.step(plan, attrs.evolve(funcnn.fresh_state(plan, params), slots=(other,)), x, y, 0.1)
