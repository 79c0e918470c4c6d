"""What public functions refuse, and in which words: several members of each kind of odd argument."""

import re

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from funcnn_cli import main

import funcnn
from funcnn import Activation, Experiment, Layer, Loss, Params, plotting
from funcnn.arguments import ArgumentError, ArgumentTypeError, ArgumentValueError, known

X, Y = np.random.default_rng(0).normal(size=(5, 2)), np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
P = funcnn.init((2, 3, 1), seed=1)
THREE = funcnn.init((2, 3), out_act="none")
LABELS = np.array([0, 2, 1, 0, 2])
SOLO = funcnn.run(Experiment(epochs=2, engine="numpy"))
MANY = funcnn.run(Experiment(epochs=2, seed=(1, 2), engine="numpy"))
MINE = Activation("mine", lambda z: z / 2, lambda z, a: z * 0 + 0.5)


def nested(depth):
    inner = 1
    for _ in range(depth):
        inner = [inner]
    return inner


def trained(**settings):
    return funcnn.train(P, X, Y, **{"epochs": 2, "engine": "numpy", **settings})


REFUSED = {
    # Records of the wrong kind.
    "member of a network": (lambda: funcnn.member(P, 1), TypeError, "run must be a Run, got Params"),
    "curve of a history": (lambda: plotting.learning_curve(SOLO.history), TypeError, "run must be a Run, got History"),
    "forward of a run": (lambda: funcnn.forward(SOLO, X), TypeError, "params must be Params, got Run"),
    "run of a dict": (lambda: funcnn.run({}), TypeError, "experiment must be an Experiment, got dict"),
    "scores of an experiment": (lambda: funcnn.scores(Experiment()), TypeError, "run must be a Run, got Experiment"),
    "diagnose weights": (lambda: funcnn.diagnose(P), TypeError, "run must be a Run, got Params"),
    "resume weights": (lambda: funcnn.resume(P, 2), TypeError, "run must be a Run, got Params"),
    "weights of others": (lambda: funcnn.init((2, 1), act=P), ValueError, "unknown activation Params"),
    "layers of others": (lambda: funcnn.forward(Params((1, 2)), X), TypeError, "layer 0 of params must be a Layer"),
    # Numbers that are none, or out of range.
    "a flag": (lambda: funcnn.member(MANY, True), ValueError, "k must be a whole number, got True"),
    "no such member": (lambda: funcnn.member(MANY, 2), ValueError, "one of the run's members, got 2: it has 2 members"),
    "a member of one": (lambda: funcnn.member(SOLO, 0), ValueError, "got 0: it has no members"),
    "a rate without end": (lambda: trained(lr=10**400), ValueError, "lr holds a whole number that is too large"),
    "a step without end": (lambda: funcnn.sgd_step(P, P, 10**400), ValueError, "lr holds a whole number"),
    "no rate": (lambda: funcnn.sgd_step(P, P, None), TypeError, "lr must be a number or one .* got None"),
    "a rate as text": (lambda: trained(lr="3"), TypeError, "lr must be a number or one .* got '3'"),
    "a rate that is a flag": (lambda: trained(lr=True), TypeError, "lr must be a number or one .* got True"),
    "a bias as text": (lambda: funcnn.run(Experiment(bias="no")), TypeError, "bias must be True or False, got 'no'"),
    "a clip as text": (lambda: trained(clip="1"), TypeError, "clip must be a number, got '1'"),
    "epochs without end": (lambda: trained(epochs=10**5000), ValueError, "epochs must be a whole number of at most"),
    "one snapshot": (lambda: trained(snapshots=2), TypeError, r"snapshots must list epochs, as \(0, 100\), got 2"),
    "least above most": (
        lambda: trained(optimizer="rprop:0.5,1.2,1,0.1"),
        ValueError,
        "least .* above most, got 1 and",
    ),
    "seeds in no order": (lambda: funcnn.run(Experiment(seed={1, 2})), TypeError, r"seed must .* got \{1, 2\}"),
    "a nested seed": (lambda: funcnn.init((2, 1), seed=nested(10**5)), TypeError, "seed must be a whole number, got"),
    "a nested data seed": (lambda: funcnn.linear(3, nested(10**5)), TypeError, "seed must be a whole number, got"),
    "nested seeds": (lambda: Experiment(seed=[[1, 2], [3]]) and funcnn.run(Experiment(seed=[[1]])), TypeError, "seed"),
    # Samples.
    "ragged rows": (lambda: funcnn.forward(P, [[1, 2], [3]]), TypeError, "x must .* parts are not all of one shape$"),
    "nested rows": (lambda: funcnn.forward(P, nested(100)), TypeError, "x must .* parts are not all of one shape$"),
    "no rows": (lambda: funcnn.train(P, X[:0], Y[:0]), ValueError, "number of samples must be at least 1, got 0"),
    "no members": (lambda: funcnn.init((2, 1), seed=()), ValueError, "seed names no member"),
    "no member's rows": (lambda: funcnn.forward(P, np.ones((0, 5, 2))), ValueError, "has at least one member"),
    "labels": (
        lambda: funcnn.grads(THREE, X, LABELS),
        ValueError,
        r"y must .* \(5,\): np\.eye\(3\)\[y\] makes one-hot",
    ),
    "a column of labels": (
        lambda: funcnn.grads(THREE, X, LABELS[:, None]),
        ValueError,
        r"np\.eye\(3\)\[np\.ravel\(y\)",
    ),
    "labels to judge": (
        lambda: funcnn.accuracy(np.ones((5, 3)), LABELS),
        ValueError,
        r"np\.eye\(3\)\[y\] makes one-hot",
    ),
    "targets in a row": (
        lambda: funcnn.grads(P, X, Y[:, 0]),
        ValueError,
        r"np\.reshape\(y, \(-1, 1\)\) makes a column",
    ),
    "no labels": (lambda: funcnn.grads(THREE, X, Y[:, 0] / 2), ValueError, r"y must have shape \(n, 3\), got \(5,\)$"),
    # What a loss is for.
    "hinge": (
        lambda: trained(loss="hinge"),
        ValueError,
        "'hinge' expects predictions of both signs, .* 'sigmoid' gives",
    ),
    # Functions of the user's.
    "no stop": (lambda: trained(stop=3), TypeError, "stop must be a function or None, got 3"),
    "a stop without a history": (
        lambda: trained(stop=lambda: True),
        TypeError,
        "stop must be a function of 1 argument:",
    ),
    "a stop that counts": (lambda: trained(stop=lambda h: 3), TypeError, "stop must give True .* got 3"),
    "a schedule's formula": (
        lambda: trained(schedule=funcnn.SCHEDULES["cosine"]),
        ValueError,
        "schedule 'cosine' gives no numbers, but cosine takes horizon, floor=0",
    ),
    "a schedule of two": (lambda: trained(schedule=lambda t, h: t), TypeError, "schedule must be a function of 1 arg"),
    "no formula": (
        lambda: funcnn.init((2, 1), act=Activation("m", 3, 4)),
        TypeError,
        "apply of activation 'm' must be",
    ),
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_is_odd_is_refused_in_words_that_say_what_was_expected(call):
    function, kind, message = REFUSED[call]
    with pytest.raises(kind, match=message) as raised:
        function()
    assert isinstance(raised.value, ArgumentError)


def test_errors_of_the_edge_are_those_that_python_has():
    assert issubclass(ArgumentValueError, ValueError)
    assert issubclass(ArgumentTypeError, TypeError)


@pytest.mark.parametrize(
    ("kind", "table", "name", "nearest"),
    [
        ("scheme", funcnn.INITIALIZERS, "kaiming", "he"),
        ("scheme", funcnn.INITIALIZERS, "xavier", "glorot"),
        ("scheme", funcnn.INITIALIZERS, "Xavier_uniform", "glorot_uniform"),
        ("scheme", funcnn.INITIALIZERS, "kaimng", "he"),
        ("scheme", funcnn.INITIALIZERS, "orthoganal", "orthogonal"),
        ("activation", funcnn.ACTIVATIONS, "logistic", "sigmoid"),
        ("activation", funcnn.ACTIVATIONS, "identiy", "none"),
        ("activation", funcnn.ACTIVATIONS, "ReLU", "relu"),
        ("loss", funcnn.LOSSES, "bce", "sigmoid_binary_cross_entropy"),
        ("loss", funcnn.LOSSES, "cross_entropy", "softmax_cross_entropy"),
        ("optimizer", funcnn.OPTIMIZERS, "Adm", "adam"),
        ("data set", funcnn.DATASETS, "xnor", "xor"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(kind, table, name, nearest):
    with pytest.raises(ArgumentValueError, match=f"unknown {kind} '{name}'; did you mean '{nearest}'\\?"):
        known(kind, name, table)


@pytest.mark.parametrize("name", ["qqq", "x" * 10_000, "", None, 3, object()])
def test_names_that_are_like_no_other_are_answered_with_all(name):
    with pytest.raises(ArgumentValueError, match=r"^unknown scheme .{1,150} \(known: zeros, constant, ") as raised:
        known("scheme", name, funcnn.INITIALIZERS)
    assert "did you mean" not in str(raised.value)


# --- what is one's own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(
    ("act", "name"),
    [("identity", "none"), (funcnn.ACTIVATIONS["tanh"], "tanh"), (attrs.evolve(funcnn.ACTIVATIONS["tanh"]), "tanh")],
)
def test_what_a_layer_says_of_a_built_in_activation_is_its_name(act, name, engine):
    def network(act):
        return Params(Layer(layer.w, None, act) for layer in P.layers)

    params, history = funcnn.train(network(act), X, Y, epochs=3, engine=engine)
    by_name, expected = funcnn.train(network(name), X, Y, epochs=3, engine=engine)
    assert [layer.act for layer in params.layers] == [name, name]
    assert params == by_name
    assert history == expected


@pytest.mark.parametrize("engine", ["numpy", "compiled", "auto"])
@pytest.mark.parametrize(
    "report",
    [
        lambda p, y: ((p - y) ** 2).mean(),
        lambda p, y: (p - y)[:, :0],
        lambda p, y: np.stack([p, y]),
        lambda p, y: (p - y).T,
        lambda p, y: "text",
    ],
)
def test_a_report_that_gives_another_shape_is_refused_at_once(report, engine):
    loss = Loss("mine", lambda p, y: (p - y) ** 2, lambda p, y: 2 * (p - y), report=Loss("shown", report, None))
    with pytest.raises(ArgumentError, match="loss 'shown'"):
        trained(loss=loss, epochs=10**12, stop=lambda history: True, engine=engine)


def test_records_of_ones_own_are_experiments_too():
    loss = Loss("mine", lambda p, y: (p - y) ** 2, lambda p, y: 2 * (p - y), report="mae")
    rule = funcnn.Optimizer("mine", lambda w, g, s, t, lr, h: (w - lr * g, s))
    e = Experiment(act=MINE, loss=loss, optimizer=rule, schedule=lambda t: 1 / t, epochs=3, engine="numpy")
    result = funcnn.run(e)
    assert (result.experiment.act, result.experiment.loss) == (MINE, loss)
    assert funcnn.scores(result)[0].shape == ()


# --- on the command line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--init", "kaiming"], "unknown --init 'kaiming'; did you mean 'he'?"),
        (["--scheme", "he:x"], "--init 'he:x' must be a name"),
        (["--bias", "--bias-init", "zero"], "unknown --bias-init 'zero'; did you mean 'zeros'?"),
        (["--optimizer", "rprop:0.5,1.2,3,1"], "least of optimizer 'rprop' must not be above most, got 3 and 1"),
        (["--loss", "hinge"], "loss 'hinge' expects predictions of both signs"),
        (["--batch-size", "9" * 5000], "batch_size must be"),
    ],
)
def test_what_the_user_gave_is_wrong_usage(words, message):
    result = CliRunner().invoke(main, ["run", "xor", "--epochs", "2", *words])
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "error", [ValueError("a fault"), TypeError("a fault"), KeyError("a fault"), IndexError("a fault")]
)
def test_a_fault_of_ours_is_no_wrong_usage(error, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(funcnn, "run", fail)
    result = CliRunner().invoke(main, ["run", "xor", "--epochs", "2"])
    assert result.exit_code == 1
    assert re.fullmatch(rf"Error: this is a fault of funcnn's, .*{type(error).__name__}: .*a fault.*\n", result.stderr)
    result = CliRunner(env={"FUNCNN_TRACEBACK": "1"}).invoke(main, ["run", "xor", "--epochs", "2"])
    assert result.exception is error
