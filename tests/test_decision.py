"""How predictions are read as classes: told from the targets, once, and asked for everywhere."""

import numpy as np
import pytest

import funcnn
from funcnn import Decision
from own_records import SIGMOID_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY

ENGINES = ["numpy", "compiled"]
RNG = np.random.default_rng(3)


def column(*values):
    return np.array(values, float)[:, None]


ONE_HOT = np.eye(3)[[0, 2, 1, 1, 0]]
SEVERAL = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("loss", "y", "expected"),
    [
        ("half_sse", column(0, 1, 1), Decision("threshold", 0.5, 0.0, 1.0)),
        ("mse", column(-1, 1, 1), Decision("threshold", 0.0, -1.0, 1.0)),
        ("half_sse", column(2, 5, 5), Decision("threshold", 3.5, 2.0, 5.0)),
        ("half_sse", column(0.1, 0.9), Decision("threshold", 0.5, 0.1, 0.9)),
        ("half_sse", ONE_HOT, Decision("largest", 0.5, 0.0, 1.0)),
        ("half_sse", np.stack([ONE_HOT, ONE_HOT[::-1]]), Decision("largest", 0.5, 0.0, 1.0)),
        (SOFTMAX_CROSS_ENTROPY, ONE_HOT, Decision("largest", 0.5, 0.0, 1.0)),
        ("half_sse", SEVERAL, Decision("threshold", 0.5, 0.0, 1.0)),
        ("half_sse", 2 * SEVERAL - 1, Decision("threshold", 0.0, -1.0, 1.0)),
        ("half_sse", 2 * ONE_HOT - 1, Decision("threshold", 0.0, -1.0, 1.0)),
        ("half_sse", np.ones((3, 1)), Decision("threshold", 0.5, 0.0, 1.0)),
        ("half_sse", np.zeros((3, 2)), Decision("threshold", 0.5, 0.0, 1.0)),
        ("half_sse", -np.ones((3, 1)), Decision("threshold", 0.0, -1.0, 1.0)),
        ("half_sse", column(0.3, 1.7, 2.2), Decision("threshold", 0.5, 0.0, 1.0)),
        (SIGMOID_CROSS_ENTROPY, column(0, 1, 1), Decision("threshold", 0.0, 0.0, 1.0)),
        (SIGMOID_CROSS_ENTROPY, SEVERAL, Decision("threshold", 0.0, 0.0, 1.0)),
        (SIGMOID_CROSS_ENTROPY, np.ones((3, 1)), Decision("threshold", 0.0, 0.0, 1.0)),
        ("half_sse", [[0], [1]], Decision("threshold", 0.5, 0.0, 1.0)),
        ("half_sse", np.array([[True], [False]]), Decision("threshold", 0.5, 0.0, 1.0)),
        ("half_sse", column(0, 1).astype(np.float32), Decision("threshold", 0.5, 0.0, 1.0)),
    ],
)
def test_targets_and_loss_tell_how_classes_are_decided(loss, y, expected):
    assert funcnn.decision(loss, y) == expected


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="unknown loss 'msee'; did you mean 'mse'"):
        funcnn.decision("msee", column(0, 1))


@pytest.mark.parametrize(
    ("y_hat", "y", "loss", "expected"),
    [
        (column(0.4, 0.6, 0.5, 0.51), column(0, 1, 1, 1), "half_sse", 3 / 4),
        (column(-0.2, 0.2, 0.3, 0.4), column(-1, 1, -1, 1), "half_sse", 3 / 4),
        (column(3.4, 3.6, -9, 99), column(2, 5, 5, 5), "half_sse", 3 / 4),
        (column(-0.1, 0.1, 0.4, 0.6), column(0, 1, 1, 0), SIGMOID_CROSS_ENTROPY, 3 / 4),
        (np.array([[0.9, 0.8, 0], [-5, -4, -9], [0.1, 0.2, 0.3]]), np.eye(3)[[0, 1, 0]], "half_sse", 2 / 3),
        (np.array([[0.9, 0.8], [0.9, 0.1], [0.9, 0.1]]), np.array([[1, 1], [1, 0], [0, 0]]), "half_sse", 2 / 3),
        (column(0.3, 1.7), column(0.3, 1.7), "half_sse", 1.0),  # of two values each is a class
        (column(0.3, 1.7, 2.2), column(0.3, 1.7, 2.2), "half_sse", 0.0),  # of more none is
        (np.array([[np.inf, 0, 0], [0, np.nan, 0], [1, 0, -np.inf]]), np.eye(3)[[0, 1, 0]], "half_sse", 0.0),
        (column(np.inf, -np.inf, np.nan, 1.0), column(1, 0, 1, 1), "half_sse", 1 / 4),
    ],
)
def test_accuracy_is_the_share_of_samples_decided_as_their_targets_say(y_hat, y, loss, expected):
    how = funcnn.decision(loss, y)
    assert funcnn.accuracy(y_hat, y, how) == expected
    assert funcnn.accuracy(y_hat.astype(np.float32), y.astype(np.float32), how) == expected
    if loss == "half_sse":
        assert funcnn.accuracy(y_hat, y) == expected
    both = funcnn.accuracy(np.stack([y_hat, y.astype(float)]), y, how)
    assert both[0] == expected


def test_accuracy_by_another_decision_than_its_targets_tell():
    y_hat, y = column(0.6, 0.8, 0.1), column(0, 1, 0)
    assert funcnn.accuracy(y_hat, y) == 2 / 3
    assert funcnn.accuracy(y_hat, y, Decision("threshold", 0.7)) == 1.0
    # Of equal outputs the first is the largest.
    assert funcnn.accuracy(np.full((2, 2), 0.5), np.eye(2), Decision("largest")) == 1 / 2


def two_sided(n=30):
    x = RNG.normal(size=(n, 2))
    return x, np.where(x[:, :1] * x[:, 1:] > 0, 1.0, -1.0)


def three_classes(n=30):
    x = RNG.normal(size=(n, 2))
    return x, np.eye(3)[np.digitize(x[:, 0], [-0.5, 0.5])]


#: Samples, activations, loss, and what right means, written down once more.
TASKS = {
    "two sides": (two_sided(), ("tanh", "tanh"), "half_sse", lambda p, y: (np.sign(p) == y).all(axis=-1)),
    "two classes": (
        (two_sided()[0], (two_sided()[1] + 1) / 2), ("tanh", "sigmoid"), "mse", lambda p, y: ((p > 0.5) == y)[..., 0],
    ),
    "logits": (
        (two_sided()[0], (two_sided()[1] + 1) / 2), ("tanh", "none"), SIGMOID_CROSS_ENTROPY,
        lambda p, y: ((p > 0) == y)[..., 0],
    ),
    "three classes": (
        three_classes(), ("tanh", "sigmoid"), "half_sse", lambda p, y: p.argmax(axis=-1) == y.argmax(axis=-1),
    ),
    "three classes of logits": (
        three_classes(), ("tanh", "none"), SOFTMAX_CROSS_ENTROPY, lambda p, y: p.argmax(axis=-1) == y.argmax(axis=-1),
    ),
    "several": (
        (three_classes()[0], np.repeat(three_classes()[1].cumsum(axis=1)[:, :2], 1, axis=1)), ("tanh", "sigmoid"),
        "half_sse", lambda p, y: ((p > 0.5) == y).all(axis=-1),
    ),
    "other values": (
        (two_sided()[0], two_sided()[1] * 0.3 + 2), ("tanh", "none"), "half_sse",
        lambda p, y: (np.where(p > 2, 2.3, 1.7) == y)[..., 0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("task", "members"), [*((task, members) for task in TASKS for members in (None, 3)), ("three classes", 9)]
)
def test_a_history_holds_the_accuracy_of_each_epoch(task, members, engine):
    (x, y), act, loss, right = TASKS[task]
    y = np.round(y, 12) if task == "other values" else y
    seed = 1 if members is None else range(members)
    params = funcnn.init((2, 4, y.shape[-1]), seed=seed, act=act, bias=True)
    held = x[:11] + 0.1, y[:11]
    some = {"epochs": 12, "lr": 0.2, "loss": loss, "batch_size": 7, "validation": held, "threads": 1}
    final, history = funcnn.train(params, x, y, engine=engine, snapshots=range(13), **some)
    plan = funcnn.Plan(funcnn.LOSSES.get(loss, loss) if isinstance(loss, str) else loss, funcnn.OPTIMIZERS["sgd"], 7)
    state, accuracy, held_accuracy = funcnn.fresh_state(plan, params), [], []
    for _ in range(12):
        predicted = []
        for begin in range(0, len(x), 7):
            state, y_hat = funcnn.step(plan, state, x[begin : begin + 7], y[begin : begin + 7], 0.2)
            predicted.append(right(y_hat, y[begin : begin + 7]))
        accuracy.append(np.concatenate(predicted, axis=-1).mean(axis=-1))
        held_accuracy.append(right(funcnn.forward(state.params, held[0]), held[1]).mean(axis=-1))
    np.testing.assert_allclose(history.accuracy, accuracy, rtol=1e-15)
    np.testing.assert_allclose(history.val_accuracy, held_accuracy, rtol=1e-15)
    assert len(np.unique(accuracy)) > 2  # it says something
    how = funcnn.decision(loss, y)
    found = funcnn.accuracy(funcnn.forward(final, x), y, how)
    np.testing.assert_allclose(found, right(funcnn.forward(final, x), y).mean(axis=-1), rtol=1e-15)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_decision_that_is_handed_over_is_the_one_that_accuracy_asks(engine):
    (x, y), act, _, _ = TASKS["two classes"]
    params = funcnn.init((2, 4, 1), seed=1, act=act)
    how = Decision("threshold", 0.7, 0.0, 1.0)
    _, history = funcnn.train(params, x, y, epochs=1, lr=1e-9, engine=engine, decision=how)
    assert history.accuracy[0] == np.mean((funcnn.forward(params, x) > 0.7) == y)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3])
def test_targets_that_single_precision_rounds_are_still_the_classes(members, engine):
    # 0.1 and 0.9 are others in float32: a decision told from float64 targets must mean the same ones.
    x, y = two_sided()
    y = np.where(y > 0, 0.9, 0.1)
    seed = 1 if members is None else range(members)
    params = funcnn.init((2, 4, 1), seed=seed, dtype=np.float32)
    expected = ((funcnn.forward(params, x) > 0.5) == (y > 0.5)).mean(axis=(-2, -1))
    for how in (None, funcnn.decision("half_sse", y)):
        _, history = funcnn.train(
            params, x, y, epochs=1, lr=1e-9, engine=engine, batch_size="full", decision=how, threads=1
        )
        np.testing.assert_allclose(history.accuracy[0], expected, rtol=1e-6)


def test_runs_keep_how_their_classes_were_decided():
    run = funcnn.run(funcnn.Experiment(epochs=2))
    assert run.decision == funcnn.decision("half_sse", run.train.y) == Decision("threshold", 0.5, 0.0, 1.0)
