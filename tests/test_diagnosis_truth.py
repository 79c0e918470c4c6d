"""Whether a diagnosis is true, and its remedy a remedy: by what the definition says, and by trying it."""

import itertools
import json

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from funcnn_cli import main

import funcnn
import reading
from funcnn import Dataset, Experiment, Layer, Params, Run

XOR = funcnn.xor()
SIGNS = attrs.evolve(XOR, y=2 * XOR.y - 1)
ONE_HOT = attrs.evolve(XOR, y=np.hstack([1 - XOR.y, XOR.y]))
LINE = np.linspace(-1, 1, 40)[:, None]
SINE = Dataset(LINE, np.sin(3 * LINE), "sine")


def run_on(data, start=None, begin=0, **fields):
    """Return a run on data of one's own, as `funcnn.run` gives one."""
    e = Experiment(**{"engine": "numpy", "epochs": 200} | fields)
    sizes = (data.x.shape[1], *e.hidden, data.y.shape[1])
    params = funcnn.init(
        sizes,
        seed=e.seed,
        act=e.act,
        out_act=e.out_act,
        bias=e.bias,
        scheme=e.scheme,
        bias_init=e.bias_init,
        dtype=data.x.dtype,
    )
    names = ("loss", "optimizer", "lr", "schedule", "batch_size", "clip", "l2", "shuffle", "epochs", "engine")
    state = funcnn.State(start or params, epoch=begin) if begin else start or params
    settings = {name: getattr(e, name) for name in names}
    how = funcnn.decision(e.loss, data.y)
    final, history = funcnn.train(state, data.x, data.y, snapshots=(begin,), decision=how, **settings)
    return Run(e, final, history, data, data, how)


def right(run):
    return funcnn.accuracy(funcnn.forward(run.params, run.train.x), run.train.y, run.decision)


# --- the independent reading -----------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(7)
SAMPLE = [{name: values[RANDOM.integers(len(values))] for name, values in reading.TABLE.items()} for _ in range(12)]


@pytest.mark.parametrize("fields", SAMPLE, ids=lambda fields: "-".join(map(str, fields.values())))
def test_an_independent_reading_agrees(fields):
    epochs = {"xor": 150, "linear": 32}[fields["data"]]
    given, _, wrong = reading.compare(Experiment(**fields, seed=range(20), epochs=epochs, engine="numpy"))
    assert sum(given.values()) == 20
    assert not wrong


# --- what the losses show --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["none", "leaky_relu"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_a_loss_that_climbs_asks_for_a_lower_rate(act, optimizer):
    # Steps on all samples that are too long, and weights that are not yet infinite.
    climbing = 0
    for epochs, lr, scheme in itertools.product((2, 3, 5, 12), np.geomspace(0.03, 10, 6), ("uniform:1", "uniform:2")):
        run = run_on(
            XOR, act=act, lr=lr, optimizer=optimizer, epochs=epochs, batch_size="full", scheme=scheme, bias=True
        )
        loss, said = run.history.loss, funcnn.diagnose(run)
        if diverged(run) or not loss[-1] > 20 * loss[0] or not np.all(np.diff(loss) > 0):
            continue
        climbing += 1
        assert (said.kind, said.remedies[0]) == ("rising", "lower lr")
        assert (said.epoch, said.low, said.loss) == (0, loss[0], loss[-1])
        assert f"a lower learning rate than {lr:g}" in said.message
        assert ("with momentum" in said.message) == (optimizer == "momentum")
    assert climbing >= 2


def test_a_loss_that_is_infinite_under_weights_that_are_not_rises_without_a_warning():
    start = Params([Layer(np.full((2, 1), 1e200), None, "none")])
    said = funcnn.diagnose(run_on(XOR, start, act="none", hidden=(), lr=1e-300, epochs=3))
    assert (said.kind, said.loss, said.remedies[0]) == ("rising", np.inf, "lower lr")
    assert said.message == "rising: the loss is inf: try a lower learning rate than 1e-300"


@pytest.mark.parametrize(("epochs", "shuffle"), [(50, False), (200, False), (500, False), (200, True), (500, True)])
def test_where_the_gradient_is_not_0_waiting_is_a_remedy(epochs, shuffle):
    said = funcnn.diagnose(funcnn.run(Experiment(epochs=epochs, shuffle=shuffle, engine="numpy")))
    assert (said.kind, said.remedies[0]) == ("unfinished", "more epochs")
    assert "another seed" not in said.remedies
    assert said.message.startswith("not learned yet: the loss still fell by ")


def test_and_waiting_helps():
    assert funcnn.diagnose(funcnn.run(Experiment(epochs=2000))) is None


def test_a_loss_that_has_settled_asks_for_anything_but_waiting():
    run = funcnn.run(Experiment(act="relu"))
    said = funcnn.diagnose(run)
    assert (said.kind, said.settled) == ("plateau", True)
    assert said.remedies[0] == "another seed"
    assert {"more epochs", "higher lr"}.isdisjoint(said.remedies)
    longer = funcnn.resume(run, 9000)
    assert np.median(longer.history.loss[-900:]) > 0.99 * said.loss


def with_losses(loss, accuracy=None):
    """Return a run that has not learned, with these losses."""
    run = run_on(XOR, epochs=1)
    loss = np.array(loss)
    history = attrs.evolve(run.history, loss=loss, epoch=np.arange(len(loss)), accuracy=np.full(len(loss), 0.5))
    return attrs.evolve(run, history=history, params=funcnn.init((2, 3, 3, 1), seed=5))


RAMP = np.linspace(0, 1, 500)
NOISE = np.random.default_rng(0).normal(size=500)
WAYS = {
    "falls": (1 - 0.9 * RAMP, "unfinished", None),
    "falls under noise": (1 - 0.9 * RAMP + 0.002 * NOISE, "unfinished", None),
    "falls but for its last epoch": (np.append(1 - 0.9 * RAMP[:-1], 0.9), "unfinished", None),
    "rises": (0.1 + 0.9 * RAMP**2, "rising", None),
    "rises but for its last epoch": (np.append(0.1 + 0.9 * RAMP[:-1], 0.1), "rising", None),
    "fell and rises": (0.25 + (RAMP - 0.5) ** 2, "rising", None),
    "swings": (0.5 + 0.4 * np.sin(9 * np.arange(500)), "unstable", None),
    "swings at random": (np.exp(NOISE), "unstable", None),
    "stands": (np.full(500, 0.25), "plateau", True),
    "stands but for its last epoch": (np.append(np.full(499, 0.25), 0.2), "plateau", True),
    "creeps": (0.25 - 0.001 * RAMP, "unfinished", None),
    "has come to its limit": (0.25 + np.exp(-300 * RAMP), "plateau", True),
    "wanders for few epochs": (0.25 + 0.002 * NOISE, "plateau", False),
    "wanders for many epochs": (0.25 + 0.002 * np.tile(NOISE, 4), "plateau", True),
    "falls, every other epoch the better one": (
        (1 - 0.2 * RAMP) * (1 + 0.04 * (-1) ** np.arange(500)),
        "unfinished",
        None,
    ),
    "leaps down to what was never seen": (np.where(RAMP < 0.93, 0.48, 0.07), "unfinished", None),
    "has leapt, and stands": (np.where(RAMP < 0.91, 0.52, 0.48) - 1e-9 * RAMP, "plateau", None),
    "has come up again": (np.where(np.abs(RAMP - 0.3) < 0.05, 0.01, 0.25), "rising", None),
    "fell for long, and stands": (np.maximum(0.25 - 0.01 * RAMP, 0.241 - 1e-6 * RAMP), "plateau", None),
    "is far above where it began": (np.append(0.2, np.full(499, 0.9)), "rising", None),
}


@pytest.mark.parametrize("way", WAYS)
def test_where_the_loss_goes_is_told_from_many_epochs(way):
    loss, kind, settled = WAYS[way]
    said = funcnn.diagnose(with_losses(loss))
    assert said.kind == kind, said.message
    assert settled is None or said.settled == settled, said.message
    if kind in ("rising", "unstable"):
        assert "lower lr" in said.remedies
    assert kind in ("plateau", "unfinished") or not {"higher lr", "more epochs"} & set(said.remedies)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("way", ["falls", "rises", "swings", "creeps", "wanders for few epochs"])
def test_the_scale_of_a_loss_is_no_matter(way, scale):
    loss, kind, _ = WAYS[way]
    one, other = funcnn.diagnose(with_losses(loss)), funcnn.diagnose(with_losses(scale * loss))
    assert one.kind == other.kind == kind
    assert one.remedies == other.remedies


@pytest.mark.parametrize(
    "fields", [{}, {"act": "relu"}, {"act": "tanh", "lr": 0.01}, {"optimizer": "adam", "lr": 0.01}]
)
def test_a_shuffled_run_keeps_its_verdict_from_epoch_to_epoch(fields):
    run = funcnn.run(Experiment(shuffle=True, epochs=400, seed=3, engine="numpy", **fields))
    kinds = []
    for epochs in range(340, 400):
        figures = {name: getattr(run.history, name)[:epochs] for name in ("loss", "accuracy", "epoch")}
        cut = attrs.evolve(run.history, **figures)
        said = funcnn.diagnose(attrs.evolve(run, history=cut, params=funcnn.init((2, 3, 3, 1), seed=5)))
        kinds.append(said.kind)
    assert sum(one != other for one, other in itertools.pairwise(kinds)) <= 2


# --- what the weights show -------------------------------------------------------------------------------------------


def test_success_is_that_of_the_final_weights_on_the_training_set():
    run = funcnn.run(Experiment(act="relu", seed=390, epochs=3000))
    assert run.history.accuracy[-1] == 1  # of the epoch's samples, each before its own update
    assert right(run) == 14 / 21
    assert funcnn.diagnose(run) is not None
    learned = funcnn.run(Experiment(data="linear", epochs=60, seed=0))
    wrong = attrs.evolve(learned, train=attrs.evolve(learned.train, y=1 - learned.train.y))
    assert funcnn.diagnose(wrong) is not None  # though it is right on its test set


def test_samples_that_no_gradient_reaches_are_dead():
    # Every output of class 1 is 0, and so is the slope there.
    many = funcnn.run(Experiment(data="linear", act="relu", epochs=30, seed=range(40), engine="numpy"))
    found = []
    for k in range(40):
        run = funcnn.member(many, k)
        if diverged(run):
            continue
        x, y = run.train.x, run.train.y
        wrong = (funcnn.forward(run.params, x) > 0.5) != (y > 0.5)
        zero = [
            all((layer.w == 0).all() for layer in funcnn.grads(run.params, x[i : i + 1], y[i : i + 1]).layers)
            for i in np.flatnonzero(wrong)
        ]
        said = funcnn.diagnose(run)
        assert (said is not None and said.kind == "dead") == (len(zero) > 0 and all(zero))
        if said and said.samples is not None:
            assert said.samples == wrong.sum()
            assert f"at the {wrong.sum()} samples not learned" in said.message
            found.append(k)
    assert len(found) >= 3
    said = funcnn.diagnose(funcnn.run(Experiment(data="linear", act="relu")))
    assert (said.kind, said.output, said.samples) == ("dead", True, 48)


def diverged(run):
    return not all(np.isfinite(layer.w).all() for layer in run.params.layers)


@pytest.mark.parametrize(
    ("act", "lr"), [("tanh", 1e10), ("sigmoid", 1e9), ("hard_sigmoid", 1e4), ("softsign", 1e30), ("tanh", 1e3)]
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_saturated_units_ask_for_a_lower_rate_not_a_higher(act, lr, optimizer):
    said = funcnn.diagnose(run_on(XOR, act=act, lr=lr, optimizer=optimizer, seed=14))
    assert said.kind == "dead"
    assert said.saturated
    assert said.remedies[0] == "lower lr"
    assert "higher lr" not in said.remedies
    assert "leaky_relu" not in said.remedies


def test_a_layer_that_was_dead_from_the_start_was_not_killed_by_the_rate():
    layers = [Layer(-np.abs(layer.w), None, "relu") for layer in funcnn.init((2, 3, 1), seed=0).layers]
    said = funcnn.diagnose(run_on(XOR, Params(layers), act="relu", hidden=(3,)))
    assert (said.kind, said.epoch, said.layer) == ("dead", 0, 0)
    assert "lower lr" not in said.remedies


@pytest.mark.parametrize("act", ["relu", "elu", "gelu", "silu", "softplus"])
def test_units_that_are_flat_on_one_side_die_there(act):
    layers = [Layer(-1e4 - np.abs(layer.w), None, act) for layer in funcnn.init((2, 3), seed=0).layers]
    last = Layer(np.ones((3, 1)), None, "none")
    moved = Dataset(XOR.x + 1, XOR.y)  # x = 0 would keep its slopes
    run = run_on(moved, Params([*layers, last]), hidden=(3,), act=act, out_act="none", epochs=20)
    said = funcnn.diagnose(run)
    assert (said.kind, said.layer, said.saturated) == ("dead", 0, False)
    assert "leaky_relu" in said.remedies


# --- what a run is for -----------------------------------------------------------------------------------------------

LEARNED = {
    "signs, tanh": (SIGNS, {"act": "tanh", "epochs": 1000}),
    "signs, hinge": (SIGNS, {"act": "tanh", "out_act": "none", "loss": "hinge"}),
    "signs, huber": (SIGNS, {"act": "tanh", "loss": "huber", "epochs": 1000}),
    "0/1, mae": (XOR, {"act": "tanh", "loss": "mae", "epochs": 1000}),
    "0/1, logits": (XOR, {"act": "tanh", "out_act": "none", "loss": "sigmoid_binary_cross_entropy", "bias": True}),
    "one-hot, logits": (ONE_HOT, {"act": "tanh", "out_act": "none", "loss": "softmax_cross_entropy", "bias": True}),
    "one-hot, squares": (ONE_HOT, {"act": "tanh", "out_act": "sigmoid", "bias": True, "epochs": 500}),
    "0 and 7": (attrs.evolve(XOR, y=7 * XOR.y), {"act": "tanh", "out_act": "none", "lr": 0.02, "epochs": 600}),
    "sine": (SINE, {"hidden": (8,), "act": "tanh", "out_act": "none", "bias": True, "lr": 0.1, "epochs": 500}),
    "sine, log_cosh": (
        SINE,
        {"hidden": (8,), "act": "tanh", "out_act": "none", "bias": True, "loss": "log_cosh", "epochs": 500},
    ),
    "shares": (
        Dataset(LINE, 1 / (1 + np.exp(-4 * LINE))),
        {"hidden": (4,), "act": "tanh", "out_act": "none", "loss": "sigmoid_binary_cross_entropy", "bias": True},
    ),
    "one value": (Dataset(LINE, 0 * LINE + 0.7), {"act": "tanh", "out_act": "none", "bias": True}),
}


@pytest.mark.parametrize("case", LEARNED)
def test_what_has_been_learned_is_not_told_to_go_on(case):
    data, fields = LEARNED[case]
    run = run_on(data, **fields | {"seed": 14})
    assert funcnn.diagnose(run) is None
    # And the same network before it was trained has not.
    assert funcnn.diagnose(attrs.evolve(run, params=run.history.snapshots[0][1])) is not None or case == "one value"


@pytest.mark.parametrize("scale", [1e-2, 1.0, 5.0])
@pytest.mark.parametrize("loss", ["half_sse", "mse", "mae", "huber", "log_cosh"])
def test_regression_is_learned_by_the_variance_explained_whatever_the_scale(loss, scale):
    def fit(missed):
        data = Dataset(np.hstack([LINE, missed * np.cos(40 * LINE)]), scale * LINE)
        params = Params([Layer(np.array([[scale], [scale]]), None, "none")])
        ran = run_on(data, act="none", hidden=(), loss=loss, epochs=2, lr=1e-9)
        return funcnn.diagnose(attrs.evolve(ran, params=params))

    assert fit(0.15) is None  # 97 % of the variance
    assert fit(0.3) is not None  # 86 %


# --- what stands in the way, and whether its remedy helps ------------------------------------------------------------

RNG = np.random.default_rng(1)
PEOPLE = np.column_stack([RNG.normal(170, 10, 60), RNG.normal(70, 12, 60)])
HEAVY = Dataset(PEOPLE, (PEOPLE[:, :1] - 100 < PEOPLE[:, 1:]).astype(float))
STANDARD = attrs.evolve(HEAVY, x=(PEOPLE - PEOPLE.mean(axis=0)) / PEOPLE.std(axis=0))
BOTH = Dataset(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [0], [0], [1]]))
LONG = {"epochs": 2000, "engine": "auto"}
HALF = 21 * 400

#: By cause: the data and fields of a run, the remedy, and what it changes.
CAUSES = {
    "activation": (XOR, {"act": "none", "lr": 0.01}, "activation", XOR, {"act": "tanh", "lr": 0.1}),
    "activation, biased": (
        XOR,
        {"act": "none", "bias": True, "lr": 0.01},
        "activation",
        XOR,
        {"act": "tanh", "lr": 0.1},
    ),
    "activation, logits": (
        XOR,
        {"act": "none", "loss": "sigmoid_binary_cross_entropy"},
        "activation",
        XOR,
        {"act": "tanh", "out_act": "none"},
    ),
    "activation, one-hot": (
        ONE_HOT,
        {"act": "none", "loss": "softmax_cross_entropy", "bias": True},
        "activation",
        ONE_HOT,
        {"act": "tanh", "out_act": "none"},
    ),
    "hidden layer": (XOR, {"act": "tanh", "hidden": ()}, "hidden layer", XOR, {"hidden": (3,), "epochs": 1000}),
    "hidden layer, biased": (XOR, {"hidden": (), "bias": True}, "hidden layer", XOR, {"hidden": (4,), **LONG}),
    "units": (XOR, {"act": "tanh", "hidden": (1,)}, "more units", XOR, {"hidden": (3,), "epochs": 1000}),
    "units, twice": (XOR, {"act": "tanh", "hidden": (1, 1), "bias": True}, "more units", XOR, {"hidden": (3, 3)}),
    "bias": (BOTH, {"hidden": (), "lr": 1.0}, "bias", BOTH, {"bias": True}),
    "bias, at 0": (
        attrs.evolve(XOR, y=1 - XOR.y),
        {"act": "tanh", "epochs": 1500, "seed": 1},
        "bias",
        None,
        {"bias": True},
    ),
    "symmetry": (XOR, {"act": "tanh", "scheme": "constant:0.5"}, "random weights", XOR, {"scheme": "normal"}),
    "schedule": (
        XOR,
        {"act": "tanh", "schedule": "cosine:84"},
        "longer schedule",
        XOR,
        {"schedule": f"cosine:{HALF}", "epochs": 400},
    ),
    "schedule, exponential": (
        XOR,
        {"act": "tanh", "schedule": "exponential:0.9"},
        "longer schedule",
        XOR,
        {"schedule": "exponential:0.9999"},
    ),
    "clip": (XOR, {"act": "tanh", "clip": 1e-4}, "larger clip", XOR, {"clip": 1.0}),
    "decay": (XOR, {"act": "tanh", "l2": 0.3}, "less decay", XOR, {"l2": 1e-5}),
    "decay, adamw": (
        XOR,
        {"act": "tanh", "optimizer": "adamw:0.9,0.999,1e-8,2", "lr": 0.01},
        "less decay",
        XOR,
        {"optimizer": "adamw"},
    ),
    "inputs": (HEAVY, {"epochs": 300}, "scaled inputs", STANDARD, {"bias": True, "lr": 0.5}),
    "inputs, tanh": (
        HEAVY,
        {"act": "tanh", "out_act": "sigmoid"},
        "scaled inputs",
        STANDARD,
        {"bias": True, "epochs": 600},
    ),
    "inputs, small": (attrs.evolve(XOR, x=XOR.x / 1e4), {"act": "tanh"}, "scaled inputs", XOR, {}),
    "inputs, off centre": (
        attrs.evolve(XOR, x=XOR.x / 10 + 5),
        {"act": "tanh", "lr": 0.01},
        "scaled inputs",
        attrs.evolve(XOR, x=(XOR.x - 0.5) / XOR.x.std()),
        {"bias": True, "lr": 0.1},
    ),
    "targets": (
        attrs.evolve(SINE, y=300 * SINE.y + 500),
        {"hidden": (8,), "act": "tanh", "out_act": "none", "bias": True, "lr": 1e-3},
        "scaled targets",
        SINE,
        {"lr": 0.1},
    ),
    "range": (SIGNS, {"lr": 0.5}, "output activation", SIGNS, {"act": "tanh", "lr": 0.1, "epochs": 1000}),
    "start": (
        XOR,
        {"act": "tanh", "scheme": "normal:300", "lr": 0.01},
        "smaller weights",
        XOR,
        {"scheme": "normal", "lr": 0.1},
    ),
    "biases": (
        XOR,
        {"act": "tanh", "bias": True, "bias_init": "constant:50"},
        "smaller biases",
        XOR,
        {"bias_init": None},
    ),
    "biases, dead": (
        XOR,
        {"act": "relu", "out_act": "sigmoid", "bias": True, "bias_init": "constant:-10"},
        "smaller biases",
        XOR,
        {"act": "tanh", "bias_init": None},
    ),
    "small": (XOR, {"act": "tanh", "scheme": "normal:1e-8"}, "larger weights", XOR, {"scheme": "normal"}),
    "small, dead": (XOR, {"act": "tanh", "scheme": "normal:1e-200"}, "larger weights", XOR, {"scheme": "normal"}),
    "clip, rising": (XOR, {"clip": 1e-3, "epochs": 9000, "engine": "auto"}, "larger clip", XOR, {"clip": None}),
    "decay, diverged": (XOR, {"act": "tanh", "l2": 1e10}, "less decay", XOR, {"l2": 0.0}),
    "decay, outweighed": (XOR, {"l2": 0.003, "epochs": 2000}, "less decay", XOR, {"l2": 0.0, "act": "tanh"}),
    "range, dead": (SIGNS, {"lr": 1e4}, "output activation", SIGNS, {"act": "tanh", "lr": 0.1, "epochs": 1000}),
    "batch": (XOR, {"act": "tanh", "optimizer": "rprop"}, "full batch", XOR, {"batch_size": "full"}),
    "rate": (XOR, {"act": "tanh", "lr": 1e-7}, "higher lr", XOR, {"lr": 0.1}),
    "labels": (
        Dataset(np.vstack([XOR.x, [[0.1, 0.1]]]), np.vstack([XOR.y, [[1.0]]])),
        {"act": "tanh", "epochs": 1000},
        "more features",
        Dataset(np.column_stack([[*XOR.x, (0.1, 0.1)], np.eye(22)[21]]), np.vstack([XOR.y, [[1.0]]])),
        {},
    ),
}


@pytest.mark.parametrize("case", CAUSES)
def test_a_cause_is_named_and_its_remedy_helps(case):
    data, fields, remedy, then, change = CAUSES[case]
    fields = {"seed": 14} | fields
    said = funcnn.diagnose(run_on(data, **fields))
    assert said is not None
    assert said.cause == case.split(",")[0], said.message
    assert said.remedies[0] == remedy
    assert funcnn.diagnose(run_on(then or data, **fields | change)) is None


@pytest.mark.parametrize(
    "fields", [{"hidden": ()}, {"hidden": (), "act": "tanh", "bias": True}, {"act": "none", "bias": True}]
)
def test_a_line_that_does_is_not_blamed(fields):
    data = funcnn.linear(seed=0)
    said = funcnn.diagnose(run_on(data, epochs=3, lr=0.001, **fields))
    assert said.cause not in ("activation", "hidden layer", "units", "bias")


@pytest.mark.parametrize("fields", [{"hidden": ()}, {"hidden": (1,), "bias": True}, {"act": "none", "bias": True}])
def test_a_line_that_does_is_not_blamed_where_inputs_are_off_centre_or_of_uneven_scales(fields):
    years = np.arange(30.0)[:, None]
    for offset in (0, 10, 1990, 1e6):
        data = Dataset(years + offset, (years >= 15).astype(float))
        said = funcnn.diagnose(run_on(data, epochs=3, lr=1e-9, **{"bias": True, **fields}))
        assert said.cause not in ("activation", "hidden layer", "units", "bias"), (offset, said.message)
    uneven = np.array([[1e6, 1.0], [1e6, -1.0], [-1e6, 1.0], [-1e6, -1.0]])
    said = funcnn.diagnose(run_on(Dataset(uneven, (uneven[:, 1:] > 0).astype(float)), epochs=3, lr=1e-9, **fields))
    assert said.cause not in ("activation", "hidden layer", "units", "bias"), said.message


def test_a_schedule_that_looks_its_numbers_up_is_asked_for_those_of_updates_only():
    table = {float(update): 1.0 / update for update in range(1, 21 * 30 + 1)}
    said = funcnn.diagnose(run_on(XOR, epochs=30, schedule=lambda t: np.array([table[one] for one in t.tolist()])))
    assert said is not None


def test_inputs_of_nothing_are_not_told_to_be_scaled():
    said = funcnn.diagnose(run_on(Dataset(np.zeros((4, 2)), np.eye(4)[:, :1]), epochs=30))
    assert said.cause != "inputs"


def test_what_a_line_cannot_do_is_found_out_for_random_classes():
    # Fewer points than weights can be separated however they are labelled; many more cannot.
    for n, able in ((3, True), (4, True), (40, False), (60, False)):
        rng = np.random.default_rng(n)
        data = Dataset(rng.normal(size=(n, 3)), rng.permutation(np.arange(n) % 2)[:, None].astype(float))
        said = funcnn.diagnose(run_on(data, hidden=(), bias=True, epochs=1, lr=1e-3, seed=1))
        assert said is not None or able
        assert said is None or (said.cause == "hidden layer") != able


def test_seeds_are_not_advised_where_they_are_idle(tmp_path):
    weights = {"weights": [layer.w.tolist() for layer in funcnn.init((2, 3, 3, 1), seed=9, act="relu").layers]}
    (tmp_path / "weights.json").write_text(json.dumps(weights))
    for act in ("relu", "sigmoid"):
        command = ["run", "xor", "--params", str(tmp_path / "weights.json"), "--act", act, "--epochs", "60"]
        line = CliRunner().invoke(main, [*command, "--quiet"]).stdout.splitlines()[-1]
        assert line.startswith("diagnosis: ")
        assert ("other initial weights" in line) == (act == "relu")
        assert "seed" not in line
    alone = funcnn.diagnose(run_on(XOR, hidden=(1,), act="relu", scheme="constant:-1"))
    assert "another seed" not in alone.remedies


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"schedule": "cosine:84"}, "the schedule cosine:84 has ended at a rate near 0; try a longer schedule"),
        ({"optimizer": "rprop"}, "rprop goes by the signs"),
        ({"optimizer": "adam", "lr": 30.0, "act": "none"}, "a lower learning rate than 30 with adam"),
        ({"optimizer": "rmsprop:0.5", "lr": 30.0, "act": "none"}, "a lower learning rate than 30 with rmsprop"),
        ({"clip": 1e-4}, "the gradients are clipped to 0.0001"),
        ({"l2": 0.3}, "the weight decay of 0.3"),
    ],
)
def test_a_sentence_names_what_matters(fields, words):
    said = funcnn.diagnose(run_on(XOR, **{"seed": 14} | fields))
    assert words in said.message


def test_what_sigmoid_targets_of_minus_1_lack_is_told_even_where_half_is_right():
    said = funcnn.diagnose(run_on(SIGNS, lr=0.5, seed=14))
    assert "sigmoid never gives what the targets ask for; try another activation of the output layer" in said.message


# --- wherever a run comes from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"act": "relu", "lr": 1.0}, {"act": "none", "lr": 0.7}, {"lr": (0.1, 10.0, 1e9)}])
def test_a_member_is_told_what_its_solo_run_is_told(fields):
    seeds = range(3)
    many = funcnn.run(Experiment(epochs=60, seed=seeds, engine="numpy", **fields))
    kinds = set()
    for k in seeds:
        lr = fields.get("lr", 0.1)
        own = {"lr": lr[k] if isinstance(lr, tuple) else lr, "seed": k}
        solo = funcnn.run(Experiment(epochs=60, engine="numpy", **fields | own))
        assert funcnn.diagnose(funcnn.member(many, k)) == funcnn.diagnose(solo)
        kinds.add(getattr(funcnn.diagnose(solo), "kind", None))
    assert kinds - {None}


@pytest.mark.parametrize(
    "fields", [{}, {"act": "relu", "lr": 1.0, "seed": 9}, {"act": "none", "lr": 3.0}, {"act": "none"}]
)
def test_a_run_that_went_on_is_told_what_one_run_is_told(fields):
    e = Experiment(engine="numpy", log_every=10, epochs=40, **fields)
    longer = funcnn.resume(funcnn.run(e), 60)
    assert funcnn.diagnose(longer) == funcnn.diagnose(funcnn.run(attrs.evolve(e, epochs=100)))


def test_epochs_are_those_of_the_run_where_its_record_begins_later():
    start = Params([Layer(-np.abs(layer.w), None, "relu") for layer in funcnn.init((2, 3, 1), seed=0).layers])
    said = funcnn.diagnose(run_on(XOR, start, begin=700, act="relu", hidden=(3,), epochs=30))
    assert said.message.startswith("all units of hidden layer 1 dead since epoch 700")
    said = funcnn.diagnose(run_on(XOR, begin=700, act="none", lr=30.0))
    assert said.message.startswith("diverged at epoch 700")


def test_a_run_that_was_stopped_is_told_from_what_it_ran():
    e = Experiment(epochs=9000, engine="numpy")
    params = funcnn.init((2, 3, 3, 1), seed=14)
    final, history = funcnn.train(
        params, XOR.x, XOR.y, snapshots=(0,), stop=lambda h: len(h.loss) >= 60, engine="numpy"
    )
    stopped = Run(e, final, history, XOR, XOR, funcnn.decision("half_sse", XOR.y))
    said = funcnn.diagnose(stopped)
    assert said == funcnn.diagnose(funcnn.run(attrs.evolve(e, epochs=60)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_single_precision_is_told_the_same(dtype):
    data = Dataset(XOR.x.astype(dtype), XOR.y.astype(dtype))
    kinds = [
        getattr(funcnn.diagnose(run_on(data, seed=seed, act=act, lr=lr)), "kind", None)
        for seed, act, lr in (
            (14, "sigmoid", 0.1),
            (3, "relu", 0.1),
            (14, "none", 30.0),
            (14, "tanh", 0.1),
            (14, "tanh", 1e10),
        )
    ]
    assert kinds == ["unfinished", "dead", "diverged", None, "dead"]


def test_a_run_of_no_epoch_at_all_is_told_that_it_diverged():
    run = funcnn.run(Experiment(act="none", lr=30.0, engine="numpy"))
    more = funcnn.resume(run, 5)
    assert funcnn.diagnose(more).kind == "diverged"
    nothing = attrs.evolve(more.history, epoch=np.arange(0), loss=np.empty(0), accuracy=np.empty(0))
    assert funcnn.diagnose(attrs.evolve(more, history=nothing)).message.startswith("diverged: ")


ONE_ANSWER = ", with nearly one answer to all samples: "
SAID = {
    "run xor --act none --lr 0.5 --epochs 2 --batch-size full --bias --seed 2": "rising since epoch 0: the loss ",
    "run linear --act relu --epochs 60": "all units of the output layer dead by epoch 32 at the 48 samples not learned",
    "run xor --epochs 50": "not learned yet: the loss still fell by 0.02% over the last 25 epochs; try more epochs",
    "run xor --epochs 200": "not learned yet: the loss still fell by 0.2% over the last 100 epochs; try more epochs",
    "run xor --epochs 500": "not learned yet: the loss still fell by 1% over the last 250 epochs; try more epochs",
    "run xor --act tanh --lr 1e10 --epochs 50": "all units of hidden layer 1 saturated since epoch 1 at the 10 samples",
    "run xor --schedule cosine:2000 --epochs 200": f"plateau: the loss stands near 0.2486{ONE_ANSWER}the schedule "
    "cosine:2000 has ended at a rate near 0; try a longer schedule, or one that does not end",
    "run xor --init zeros --epochs 200": f"plateau: the loss stands near 0.2506{ONE_ANSWER}the units of a hidden layer "
    "are all alike; try initial weights that differ from unit to unit",
}


@pytest.mark.parametrize("command", SAID)
def test_the_command_line_says_it(command):
    ran = CliRunner().invoke(main, [*command.split(), "--quiet", "--engine", "numpy"])
    assert ran.exit_code == 0, ran.output
    line = ran.stdout.splitlines()[-1]
    assert line.startswith(f"diagnosis: {SAID[command]}"), line


def test_a_decay_of_ones_own_that_has_ended_is_named():
    said = funcnn.diagnose(run_on(XOR, act="tanh", schedule=lambda t: np.maximum(0, 1 - t / 100), seed=14))
    assert said.cause == "schedule"
    assert "the schedule given has ended at a rate near 0; try a longer schedule" in said.message
