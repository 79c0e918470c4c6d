"""Runs that fail, and whether the diagnosis says so."""

import re

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Diagnosis, Experiment, Layer, Params
from funcnn.diagnosis import explain, headline, when

ENGINES = ["numpy", "compiled"]
DEAD = 10 / 21  # the loss on XOR of a network that always says 0


def weights(seed):
    return funcnn.init((2, 3, 3, 1), seed=seed, act="relu")


def is_dead(params, layer):
    """Tell, from the definition, whether no unit of a ReLU layer is active on any sample of XOR."""
    a = funcnn.xor().x
    for index, one in enumerate(params.layers):
        z = a @ one.w + (0 if one.b is None else one.b)
        a = np.maximum(z, 0)
        if index == layer:
            return bool((z <= 0).all())
    raise AssertionError(layer)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_network_that_is_dead_from_the_start(layer, engine):
    # Negative weights above inputs that are not negative: no unit of that layer is ever active.
    layers = [
        Layer(np.abs(l.w) * (-1 if index == layer else 1), None, "relu") for index, l in enumerate(weights(0).layers)
    ]
    start = Params(layers)
    run = funcnn.run(Experiment(act="relu", epochs=50, engine=engine, log_every=10), start=start)
    assert (run.history.loss == DEAD).all()
    assert DEAD == 0.47619047619047616
    np.testing.assert_allclose(run.history.accuracy, 11 / 21, rtol=1e-15)
    assert run.params == start
    assert (run.history.grad_norm[:, : layer + 1] == 0).all()
    said = funcnn.diagnose(run)
    assert (said.kind, said.layer, said.epoch) == ("dead", layer, 0)
    assert f"hidden layer {layer + 1}" in said.message or (layer == 2 and "the output layer" in said.message)
    assert "dead since epoch 0" in said.message


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("log_every", [1, 500])
@pytest.mark.parametrize("seed", [6, 9, 11, 12, 33, 39])
def test_a_network_that_dies_is_told_when_and_where(seed, log_every, engine):
    run = funcnn.run(Experiment(act="relu", lr=1.0, seed=seed, epochs=60, engine=engine, log_every=log_every))
    said = funcnn.diagnose(run)
    assert said.kind == "dead"
    assert 0 < said.epoch < 60
    assert f"dead since epoch {said.epoch}" in said.message
    data = funcnn.xor()
    final, history = funcnn.train(
        weights(seed), data.x, data.y, lr=1.0, epochs=60, engine=engine, snapshots=(said.epoch - 1, said.epoch)
    )
    (_, before), (_, since) = history.snapshots
    assert is_dead(since, said.layer)
    assert not is_dead(before, said.layer)
    assert not any(is_dead(since, below) for below in range(said.layer))
    # From then on nothing moves, and every epoch is the same to the last bit.
    assert since == final
    assert (history.loss[said.epoch :] == DEAD).all()
    assert (history.accuracy[said.epoch :] == history.accuracy[said.epoch]).all()
    assert (run.history.grad_norm[run.history.logged >= said.epoch, : said.layer + 1] == 0).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("seed", "epoch"), [(11, None), (13, 3), (16, 3), (21, 0)])
def test_a_network_that_diverges_is_told_when(seed, epoch, engine):
    run = funcnn.run(Experiment(act="leaky_relu", lr=3.0, seed=seed, epochs=300, engine=engine))
    said = funcnn.diagnose(run)
    assert (said.kind, said.layer) == ("diverged", None)
    assert said.epoch == run.history.epoch[-1]
    assert epoch is None or said.epoch == epoch
    assert f"diverged at epoch {said.epoch}" in said.message
    assert "lower learning rate than 3" in said.message
    loss, accuracy = funcnn.scores(run)
    assert not np.isfinite(loss)
    assert accuracy == 0  # no prediction is finite, and such a one is wrong whichever the class


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_that_overflow_in_an_epoch_whose_loss_was_finite(engine):
    e = Experiment(act="none", hidden=(), lr=1e308, batch_size="full", epochs=5, engine=engine)
    run = funcnn.run(e, start=Params([Layer(np.full((2, 1), 5.0), None, "none")]))
    assert len(run.history.loss) == 1
    assert np.isfinite(run.history.loss).all()
    said = funcnn.diagnose(run)
    assert (said.kind, said.epoch) == ("diverged", 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_biases_that_diverge_alone_are_a_divergence(engine):
    # The hidden unit is dead, so nothing but the bias of the output moves, at a rate that makes it swing ever wider.
    start = Params(
        [Layer(np.full((2, 1), -1.0), np.zeros((1, 1)), "relu"), Layer(np.ones((1, 1)), np.zeros((1, 1)), "none")]
    )
    e = Experiment(act=("relu", "none"), hidden=(1,), bias=True, lr=3.0, epochs=2000, batch_size="full", engine=engine)
    run = funcnn.run(e, start=start)
    assert len(run.history.loss) < 2000
    assert all(np.isfinite(layer.w).all() for layer in run.params.layers)
    assert not np.isfinite(run.params.layers[1].b).all()
    assert funcnn.diagnose(run).kind == "diverged"


@pytest.mark.parametrize("engine", ENGINES)
def test_without_activation_xor_stays_at_9_of_21(engine):
    members = 30 if engine == "compiled" else 8
    epochs = 9000 if engine == "compiled" else 300
    run = funcnn.run(Experiment(act="none", seed=range(members), epochs=epochs, engine=engine))
    _, accuracy = funcnn.scores(run)
    assert np.mean(accuracy == 9 / 21) >= 0.75
    said = funcnn.diagnose(funcnn.member(run, int(np.flatnonzero(accuracy == 9 / 21)[0])))
    assert said.kind == "plateau"
    assert "without activation the output is linear in x" in said.message


def test_a_run_that_learned_has_nothing_to_be_told():
    assert funcnn.diagnose(funcnn.run(Experiment())) is None


def test_a_run_that_was_cut_short_is_told_to_go_on():
    # The default run stands near 0.25 for long and then falls; here it has just begun to.
    falling = int(np.flatnonzero(funcnn.run(Experiment()).history.loss < 0.2)[0])
    said = funcnn.diagnose(funcnn.run(Experiment(epochs=falling)))
    assert said.kind == "unfinished"
    assert "more epochs" in said.message
    assert said.epoch is said.layer is None


def test_a_diagnosis_reads_the_record_alone(tmp_path):
    run = funcnn.run(Experiment(act="relu", lr=1.0, seed=9, epochs=60))
    funcnn.save(tmp_path / "run", run)
    assert funcnn.diagnose(funcnn.load(tmp_path / "run")) == funcnn.diagnose(run)
    assert attrs.has(type(funcnn.diagnose(run)))


def test_right_but_only_on_the_edge_is_not_learned():
    # Half of the predictions are exactly ½, which counts as class 0: every sample is right, and nothing is learned.
    run = funcnn.run(funcnn.Experiment(act="relu", out_act="sigmoid"))
    assert funcnn.scores(run)[1] == 1
    said = funcnn.diagnose(run)
    assert (said.kind, said.samples, said.cause) == ("dead", 11, "tie")


def test_advice_fits_the_network():
    saturated = funcnn.diagnose(funcnn.run(funcnn.Experiment(lr=1e9)))
    assert re.search("saturated since epoch 1: try a lower learning rate or another seed$", saturated.message)
    single = funcnn.diagnose(funcnn.run(funcnn.Experiment(hidden=())))
    assert "without a hidden layer the boundary is a line" in single.message


WORDS = [
    (
        Diagnosis("diverged", 3, lr=3.0, remedies=("lower lr",)),
        "diverged at epoch 3",
        "diverged at epoch 3",
        "diverged at epoch 3: try a lower learning rate than 3",
    ),
    (
        Diagnosis("dead", 402, 0, remedies=("another seed", "lower lr", "leaky_relu")),
        "dead since epoch 402",
        "all units of hidden layer 1 dead since epoch 402",
        "all units of hidden layer 1 dead since epoch 402: try another seed, a lower learning rate, or leaky_relu",
    ),
    (
        Diagnosis("dead", 5, 2, output=True, saturated=True, since=False, remedies=("another seed", "lower lr")),
        "saturated by epoch 5",
        "all units of the output layer saturated by epoch 5",
        "all units of the output layer saturated by epoch 5: try another seed or a lower learning rate",
    ),
    (
        Diagnosis("plateau", loss=0.25, cause="activation", remedies=("activation",)),
        "plateau",
        "plateau",
        "plateau: the loss stands near 0.25: without activation the output is linear in x; try sigmoid, tanh or relu",
    ),
    (
        Diagnosis("unfinished", fall=0.123, epochs=900, remedies=("more epochs",)),
        "not learned yet",
        "not learned yet",
        "not learned yet: the loss still fell by 12% over the last 900 epochs; try more epochs",
    ),
    (
        Diagnosis("unfinished", epochs=1, remedies=("more epochs",)),
        "not learned yet after one epoch",
        "not learned yet after one epoch",
        "not learned yet after one epoch; try more epochs",
    ),
]


@pytest.mark.parametrize(("said", "moment", "title", "sentence"), WORDS)
def test_words_are_made_of_facts(said, moment, title, sentence):
    assert (when(said), headline(said), explain(said), said.message) == (moment, title, sentence, sentence)


def test_a_dead_layer_below_a_bias_that_still_learns_is_dead_by_an_epoch_that_was_logged():
    start = Params(
        [Layer(np.full((2, 1), -1.0), np.zeros((1, 1)), "relu"), Layer(np.ones((1, 1)), np.zeros((1, 1)), "none")]
    )
    e = Experiment(act=("relu", "none"), hidden=(1,), bias=True, lr=0.01, epochs=20, batch_size="full")
    said = funcnn.diagnose(funcnn.run(e, start=start))
    assert (said.kind, said.epoch, said.layer, said.output, said.since) == ("dead", 0, 0, False, False)
    assert headline(said) == "all units of hidden layer 1 dead by epoch 0"


def test_the_facts_of_a_diagnosis_are_those_of_the_run():
    saturated = funcnn.diagnose(funcnn.run(Experiment(lr=1e9)))
    assert (saturated.saturated, saturated.since, saturated.remedies) == (True, True, ("lower lr", "another seed"))
    run = funcnn.run(Experiment(hidden=(), epochs=500))
    plateau = funcnn.diagnose(run)
    assert (plateau.loss, plateau.cause) == (np.median(run.history.loss[-10:]), "hidden layer")
    run = funcnn.run(Experiment(act="leaky_relu", lr=3.0, seed=13, epochs=300))
    assert funcnn.diagnose(run).lr == 3.0
    run = funcnn.run(Experiment(epochs=1000))
    unfinished = funcnn.diagnose(run)
    assert (unfinished.kind, unfinished.epochs, unfinished.remedies) == ("unfinished", 100, ("more epochs",))
    pairs = (run.history.loss[900:-1] + run.history.loss[901:]) / 2
    levels = [np.median(pairs[:20]), np.median(pairs[-19:])]
    np.testing.assert_allclose(unfinished.fall, 1 - levels[1] / levels[0], rtol=1e-12)
