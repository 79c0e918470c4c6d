"""Optimizers named with numbers, and what counts as the table's own."""

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import optimizers
from funcnn.arguments import of_table

TABLE = funcnn.OPTIMIZERS
MOMENTUM, ADAM = TABLE["momentum"], TABLE["adam"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("sgd", TABLE["sgd"]),
        ("momentum", MOMENTUM),
        ("momentum:0.5", attrs.evolve(MOMENTUM, hyper=(0.5,))),
        ("adam:0.8", attrs.evolve(ADAM, hyper=(0.8, 0.999, 1e-8))),
        ("adam:0.8,0.9,1e-6", attrs.evolve(ADAM, hyper=(0.8, 0.9, 1e-6))),
    ],
)
def test_a_text_trains_as_its_record_does(text, rule, bits):
    assert optimizers.optimizer_named(text) == rule
    data, params = funcnn.xor(), funcnn.init((2, 3, 1), seed=3)
    some = {"epochs": 5, "lr": 0.05, "engine": "numpy"}
    mine, theirs = (funcnn.train(params, data.x, data.y, optimizer=one, **some) for one in (text, rule))
    assert bits(mine) == bits(theirs)
    e = funcnn.Experiment(hidden=(3,), seed=3, optimizer=text, **some)
    run = funcnn.run(e)
    assert bits(run.params) == bits(mine[0])
    on = funcnn.resume(funcnn.run(attrs.evolve(e, epochs=2)), 3)
    assert bits(on.params) == bits(run.params)
    assert on.experiment == e


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adm:0.9", "unknown optimizer 'adm'; did you mean 'adam'.*known: sgd, momentum"),
        (
            "adam:1,2,3,4",
            r"'adam:1,2,3,4' gives 4 numbers, but adam takes at most 3: beta1=0\.9, beta2=0\.999, epsilon=1e-08",
        ),
        ("sgd:1", "optimizer 'sgd:1' gives 1 number, but sgd takes none"),
        ("adam:0.9,", r"optimizer 'adam:0\.9,' must be a name, or a name and finite numbers as NAME:0\.5,2, got ''"),
        ("adam:0.9;0.8", "got '0.9;0.8'"),
        ("adam:-inf", "got '-inf'"),
        (None, "unknown optimizer None"),
        ("adam:2", "beta1 of optimizer 'adam' must be at least 0 and below 1, got 2"),
        ("adamw:0.9,0.999,1e-8,-0.1", "decay of optimizer 'adamw' must be at least 0 and finite, got -0.1"),
        ("rprop:0.5,0.9", "growing of optimizer 'rprop' must be at least 1 and finite, got 0.9"),
        ("adam:0.9,0.999,0", "epsilon of optimizer 'adam' must be above 0 and finite, got 0"),
        (
            attrs.evolve(MOMENTUM, hyper=(1.0,)),
            "momentum of optimizer 'momentum' must be at least 0 and below 1, got 1",
        ),
        (attrs.evolve(ADAM, hyper=(0.9, float("nan"), 0.0)), "beta2 of optimizer 'adam' must be .*, got nan"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        optimizers.optimizer_named(text)


def test_what_is_of_the_table_is_so_whatever_its_constants():
    assert all(of_table(one, TABLE) for one in TABLE.values())
    assert of_table(attrs.evolve(ADAM, hyper=(0.5, 0.6, 0.7)), TABLE)
    assert not of_table(attrs.evolve(ADAM, hyper=(0.5,)), TABLE)  # which its rule cannot read
    assert not of_table(attrs.evolve(ADAM, update=MOMENTUM.update), TABLE)
    assert not of_table(attrs.evolve(ADAM, slots=3), TABLE)
    assert not of_table(attrs.evolve(ADAM, name="mine"), TABLE)
    relu = funcnn.ACTIVATIONS["relu"]
    assert of_table(attrs.evolve(relu), funcnn.ACTIVATIONS)
    assert not of_table(attrs.evolve(relu, apply=np.tanh), funcnn.ACTIVATIONS)
    assert not of_table(relu, {"relu": ADAM})


def test_a_copy_of_a_built_in_activation_is_recorded_by_its_name():
    relu = attrs.evolve(funcnn.ACTIVATIONS["relu"])
    assert funcnn.init((2, 3, 1), act=relu) == funcnn.init((2, 3, 1), act="relu")
    assert funcnn.init((2, 3, 1), act=relu).layers[0].act == "relu"


def test_a_member_of_an_ensemble_is_its_solo_run_whatever_the_experiment_says(bits):
    e = funcnn.Experiment(
        epochs=9,
        seed=(3, 4),
        bias=True,
        scheme="orthogonal",
        bias_init="uniform:0.1",
        schedule="cosine:100",
        clip=0.5,
        l2=0.01,
    )
    member, solo = funcnn.member(funcnn.run(e), 1), funcnn.run(attrs.evolve(e, seed=4))
    assert member.experiment == solo.experiment
    assert bits(member.params) == bits(solo.params)
    assert bits(funcnn.resume(member, 3).params) == bits(funcnn.resume(solo, 3).params)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "cosine:0"}, "schedule 'cosine:0': horizon must be positive"),
        ({"loss": "huber:2"}, "loss 'huber' takes no numbers, got 'huber:2'"),
        (
            {"schedule": lambda t: -t},
            "schedule must give a finite factor for each update, none below 0, got -1.0 for update 1",
        ),
        ({"optimizer": "rprop:0.5,1.2,0,0"}, "most of optimizer 'rprop' must be above 0 and finite, got 0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused_by_the_name_of_what_takes_them(given, message):
    data = funcnn.xor()
    with pytest.raises(ValueError, match=message):
        funcnn.train(funcnn.init((2, 2, 1), seed=0), data.x, data.y, epochs=1, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"act": "leaky_relu:0.2"}, "activation 'leaky_relu' takes no numbers, got 'leaky_relu:0.2'"),
        ({"scheme": "uniform:0"}, "scheme 'uniform:0': a must be positive"),
    ],
)
def test_those_of_a_network_are_too(given, message):
    with pytest.raises(ValueError, match=message):
        funcnn.init((2, 2, 1), seed=0, **given)


def test_targets_that_do_not_sum_to_one_are_shown_with_their_sample():
    params = funcnn.init((2, 3), seed=0, act="none")
    with pytest.raises(ValueError, match=r"sum to 1 in each sample, got 0.0 in y at row 1, column 0 \(of 0, 2, 0\)"):
        funcnn.train(params, np.zeros((2, 2)), np.array([[0, 1, 0], [0, 2, 0]]), loss="softmax_cross_entropy", epochs=1)
