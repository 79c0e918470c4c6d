"""Records: frozen, compared by value, and what experiments are as data."""

import copy
import json
import pickle
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Dataset, Experiment, Layer, Params


def test_weights_cannot_be_written_to():
    for params in (funcnn.init((2, 3, 1), bias=True), funcnn.init((2, 3, 1), seed=range(2), bias=True)):
        for array in (params.layers[0].w, params.layers[0].b):
            with pytest.raises(ValueError, match="read-only"):
                array[..., 0, 0] = 1


RUN = funcnn.run(Experiment(epochs=2))


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (RUN, "params"),
        (RUN.experiment, "lr"),
        (RUN.params, "layers"),
        (RUN.params.layers[0], "w"),
        (RUN.history, "loss"),
        (RUN.train, "x"),
        (funcnn.ACTIVATIONS["relu"], "apply"),
        (funcnn.LOSSES["mse"], "value"),
        (funcnn.backprop(RUN.params, RUN.train.x, RUN.train.y), "grads"),
    ],
    ids=lambda value: type(value).__name__ if attrs.has(type(value)) else value,
)
def test_fields_cannot_be_assigned(record, field):
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(record, field, None)


def test_tables_cannot_be_changed():
    for table in (funcnn.ACTIVATIONS, funcnn.LOSSES, funcnn.INITIALIZERS, funcnn.SCHEDULES, funcnn.DATASETS):
        with pytest.raises(TypeError, match="does not support item assignment"):
            table["mine"] = None


def test_evolve_makes_a_changed_copy():
    params = funcnn.init((2, 3, 1))
    layer = attrs.evolve(params.layers[0], act="relu")
    assert (layer.act, params.layers[0].act) == ("relu", "sigmoid")
    assert layer.w is params.layers[0].w
    assert attrs.evolve(params, layers=[layer, params.layers[1]]).layers == (layer, params.layers[1])


W = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (Layer(W.copy(), None, "relu"), True),
        (Layer(W + 1, None, "relu"), False),
        (Layer(W.T.copy(), None, "relu"), False),
        (Layer(W[None].copy(), None, "relu"), False),
        (Layer(W.copy(), np.zeros((1, 3)), "relu"), False),
        (Layer(W.copy(), None, "tanh"), False),
    ],
)
def test_records_compare_by_value(other, equal):
    assert (Layer(W, None, "relu") == other) is equal
    assert (Params([Layer(W, None, "relu")]) == Params([other])) is equal
    assert (Params([other]) == Params([Layer(W, None, "relu")])) is equal
    assert Params([other]) != Params([other, other])


def test_data_sets_compare_by_value():
    x, y = np.eye(2), np.ones((2, 1))
    assert Dataset(x, y, "mine") == Dataset(x.copy(), y.copy(), "mine")
    assert Dataset(x, y, "mine") != Dataset(x, y, "yours")
    assert Dataset(x, y, "mine") != Dataset(x, y + 1, "mine")


def test_layers_become_a_tuple():
    assert isinstance(Params([Layer(W)]).layers, tuple)
    assert isinstance(Params(Layer(W) for _ in range(2)).layers, tuple)


# --- experiments -----------------------------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_report():
    e = Experiment()
    assert (e.data, e.hidden, e.act, e.out_act, e.bias) == ("xor", (3, 3), "sigmoid", None, False)
    assert (e.loss, e.lr, e.epochs, e.batch_size, e.shuffle) == ("half_sse", 0.1, 9000, 1, False)
    assert (e.scheme, e.log_every, e.engine) == ("normal", 500, "auto")
    assert (e.optimizer, e.schedule, e.clip, e.l2, e.bias_init) == ("sgd", "constant", None, 0.0, None)


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"hidden": [4, 4]}, {"hidden": (4, 4)}),
        ({"hidden": np.array([4, 4])}, {"hidden": (4, 4)}),
        ({"act": ["relu", "tanh", "none"]}, {"act": ("relu", "tanh", "none")}),
        ({"seed": range(3)}, {"seed": (0, 1, 2)}),
        ({"seed": np.arange(3)}, {"seed": (0, 1, 2)}),
        ({"seed": np.int64(3)}, {"seed": 3}),
        ({"lr": [0.1, 0.2]}, {"lr": (0.1, 0.2)}),
        ({"lr": np.float64(0.5)}, {"lr": 0.5}),
        ({"epochs": np.int64(7)}, {"epochs": 7}),
        ({"batch_size": np.int64(7)}, {"batch_size": 7}),
        ({"clip": np.float64(7), "l2": np.float32(0.5)}, {"clip": 7.0, "l2": 0.5}),
        ({"log_every": np.int64(7)}, {"log_every": 7}),
        ({"data_seed": np.int64(7)}, {"data_seed": 7}),
        ({"data_seed": range(3)}, {"data_seed": (0, 1, 2)}),
        ({"shuffle": np.True_, "bias": np.False_}, {"shuffle": True, "bias": False}),
    ],
)
def test_experiments_are_plain_data_however_they_were_written(fields, same):
    ours, theirs = Experiment(**fields), Experiment(**same)
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    text = json.dumps(attrs.asdict(ours))
    assert text == json.dumps(attrs.asdict(theirs))
    assert Experiment(**json.loads(text)) == ours


def test_different_experiments_differ():
    assert (
        len({Experiment(), Experiment(seed=1), Experiment(lr=0.2), Experiment(hidden=(3,)), Experiment(seed=(1,))}) == 5
    )


def test_member_names_the_experiment_of_its_solo_run():
    run = funcnn.run(Experiment(seed=(4, 5), lr=(0.1, 0.3), epochs=3))
    assert funcnn.member(run, 1).experiment == Experiment(seed=5, lr=0.3, epochs=3)
    one_rate = funcnn.run(Experiment(seed=(4, 5), epochs=3))
    assert funcnn.member(one_rate, 0).experiment == Experiment(seed=4, epochs=3)
    one_seed = funcnn.run(Experiment(seed=4, lr=(0.1, 0.3), epochs=3))
    assert funcnn.member(one_seed, 1).experiment == Experiment(seed=4, lr=0.3, epochs=3)
    assert funcnn.member(one_seed, -1) == funcnn.member(one_seed, 1)


# --- copies and pickles ----------------------------------------------------------------------------------------------


def arrays(value):
    """Return all arrays in a record, however deep."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, tuple):
        return [array for one in value for array in arrays(one)]
    fields = attrs.fields(type(value)) if attrs.has(type(value)) else ()
    return [array for field in fields for array in arrays(getattr(value, field.name))]


def watched_run(seed):
    """Return a run whose history has all that a history may have."""
    run = funcnn.run(Experiment(epochs=2, engine="numpy", seed=seed, bias=True))
    data = run.train
    _, history = funcnn.train(
        run.params, data.x, data.y, epochs=2, engine="numpy", optimizer="adam", validation=(data.x, data.y)
    )
    return attrs.evolve(run, history=history)


SOLO, MANY = watched_run(1), watched_run((1, 2))
WITH_ARRAYS = {
    "Layer": SOLO.params.layers[0],
    "Params": SOLO.params,
    "Dataset": SOLO.train,
    "Table": funcnn.Table(("a", "b"), (np.arange(3.0), np.array([1.0, np.nan, 2.0])), np.arange(3)),
    "Scaling": funcnn.standardisation(SOLO.train.x),
    "State": MANY.history.state,
    "History": MANY.history,
    "Epoch": funcnn.Epoch(0, MANY.history.loss[0], MANY.history.accuracy[0]),
    "Run": SOLO,
    "Run of an ensemble": MANY,
    "Trace": funcnn.backprop(MANY.params, MANY.train.x, MANY.train.y),
}
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {p}": lambda one, p=p: pickle.loads(pickle.dumps(one, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", WITH_ARRAYS)
def test_copies_are_equal_and_as_read_only(name, how, bits):
    record = WITH_ARRAYS[name]
    again = COPIES[how](record)
    assert type(again) is type(record)
    assert again == record
    assert bits(again) == bits(record)
    assert len(arrays(again)) == len(arrays(record)) > 0
    assert not any(array.flags.writeable for array in arrays(again))


def test_every_record_with_arrays_is_looked_at():
    kinds = [kind for kind in vars(funcnn.records).values() if attrs.has(kind)]
    with_arrays = {kind.__name__ for kind in kinds if Any in [field.type for field in attrs.fields(kind)]}
    assert {"Layer", "History"} < with_arrays <= set(WITH_ARRAYS)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_what_one_may_write_to_leaves_it_so(how):
    w = np.ones((2, 1))
    again = COPIES[how](Layer(w))
    assert w.flags.writeable
    assert not again.w.flags.writeable
    w[0] = 7
    assert again.w[0] == (7 if how == "copy" else 1)
