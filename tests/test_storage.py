"""Files: what was saved comes back, whoever saves beside."""

import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import array_api_strict
import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import funcnn
from damage import contents
from funcnn import Activation, Decision, Experiment, Layer, Loss, Optimizer, Params, storage
from funcnn.records import map_arrays
from own_records import ADAM

CUBE = Activation("cube", lambda z: z**3, lambda z, a: 3 * z**2)
QUARTIC = Loss("quartic", lambda y_hat, y: (y_hat - y) ** 4 / 4, lambda y_hat, y: (y_hat - y) ** 3)
AVERAGED = Optimizer(
    "averaged", lambda w, g, s, t, lr, h: (w - lr * (h[0] * s[0] + g), (h[0] * s[0] + g,)), 1, (0.1 + 0.2,)
)


def slower(t):
    return 1 / t**0.5


OWN = {"activations": [CUBE], "losses": [QUARTIC], "optimizers": [AVERAGED], "schedules": [slower]}


def with_validation_and_slots(seed):
    """Return a run whose history has all that a history may have."""
    run = funcnn.run(Experiment(epochs=3, seed=seed, optimizer="adam", batch_size=4))
    x, y = run.train.x, run.train.y
    some = {"epochs": 3, "validation": (x[:5], y[:5]), "snapshots": (0, 2), "optimizer": "adam", "batch_size": 4}
    params, history = funcnn.train(run.history.snapshots[0][1], x, y, engine="numpy", **some)
    return attrs.evolve(run, params=params, history=history)


RECORDS = {
    "params": funcnn.init((2, 3, 1), seed=3),
    "biases": funcnn.init((2, 3, 1), seed=3, bias=True, act=("relu", "none")),
    "float32": funcnn.init((2, 3, 1), seed=3, dtype=np.float32),
    "many layers": funcnn.init([2] * 14, seed=3, bias=True),
    "ensemble": funcnn.init((2, 3, 1), seed=range(4)),
    "run": funcnn.run(Experiment(epochs=6, log_every=2)),
    "run of an ensemble": funcnn.run(
        Experiment(epochs=6, seed=(1, 2), lr=(0.1, 0.2), act=("relu", "tanh", "none"), batch_size="full", bias=True)
    ),
    "run with points of its members' own": funcnn.run(Experiment(data="linear", epochs=6, seed=14, data_seed=(1, 2))),
    "run that diverged": funcnn.run(Experiment(epochs=20, seed=13, lr=3.0, act="leaky_relu")),
    "run with all that an experiment may say": funcnn.run(
        Experiment(
            epochs=6,
            bias=True,
            scheme="orthogonal:2",
            bias_init="normal:0.1",
            schedule="step:50,0.5",
            clip=0.5,
            l2=0.01,
        )
    ),
    "member": funcnn.member(funcnn.run(Experiment(epochs=6, seed=(1, 2))), 1),
    "run that was resumed": funcnn.resume(funcnn.run(Experiment(epochs=3, seed=(13, 0), lr=3.0, act="leaky_relu")), 9),
    "run from given weights": funcnn.run(
        Experiment(epochs=3), start=funcnn.init((2, 3, 3, 1), seed=9), start_name="w.json"
    ),
    "run with validation and slots": with_validation_and_slots((1, 2)),
    "run of one network with validation and slots": with_validation_and_slots(1),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


@pytest.mark.parametrize("name", RECORDS)
def test_what_was_saved_comes_back(name, path, bits):
    record = RECORDS[name]
    funcnn.save(path, record)
    back = funcnn.load(str(path))
    assert type(back) is type(record)
    assert bits(back) == bits(record)
    assert back == record


def test_what_comes_back_is_read_only_and_trains_on(path, bits):
    funcnn.save(path, RECORDS["run"])
    run = funcnn.load(path)
    with pytest.raises(ValueError, match="read-only"):
        run.params.layers[0].w[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        run.history.loss[0] = 1
    assert hash(run.experiment) == hash(RECORDS["run"].experiment)
    assert bits(funcnn.run(run.experiment)) == bits(run)


@pytest.mark.parametrize("name", RECORDS)
def test_the_same_record_gives_the_same_bytes(name, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"  # no suffix is added
    funcnn.save(first, RECORDS[name])
    funcnn.save(str(second), RECORDS[name])
    assert first.read_bytes() == second.read_bytes()
    assert {info.date_time for info in zipfile.ZipFile(first).infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert sorted(tmp_path.iterdir()) == [first, second]


def several(values):
    """One value, or two or a tuple of one: an ensemble."""
    return st.one_of(values, st.lists(values, min_size=2, max_size=2), st.lists(values, min_size=1, max_size=1))


ACTS = st.sampled_from(["relu", "tanh", "identity", funcnn.ACTIVATIONS["sine"], CUBE])
#: Whatever may be run on the toy sets.
EXPERIMENTS = st.fixed_dictionaries(
    {
        "data": st.sampled_from(["xor", "linear"]),
        "hidden": st.lists(st.integers(1, 3), max_size=2),
        "act": ACTS,
        "out_act": st.one_of(st.none(), ACTS),
        "loss": st.sampled_from(["half_sse", "huber", funcnn.LOSSES["mae"], QUARTIC]),
        "optimizer": st.sampled_from(["sgd", "adam:0.5", funcnn.OPTIMIZERS["rprop"], AVERAGED]),
        "schedule": st.sampled_from(["constant", "cosine:50,0.1", slower]),
        "lr": several(st.sampled_from([0.001, 1, 30.0])),
        "batch_size": st.sampled_from([20, "full"]),
        "clip": st.sampled_from([None, 1, 0.5]),
        "l2": st.sampled_from([0, 0.01]),
        "shuffle": st.booleans(),
        "seed": several(st.integers(0, 2**70)),
        "data_seed": several(st.integers(0, 9)),
        "log_every": st.integers(1, 4),
    },
    optional={"bias": st.just(True), "scheme": st.sampled_from(["he:2", "zeros"])},
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=EXPERIMENTS, resumed=st.booleans())
def test_every_run_comes_back_equal(fields, resumed, path, bits):
    run = funcnn.run(Experiment(**fields, epochs=3, engine="numpy"))
    run = funcnn.resume(run, 2) if resumed else run
    members = run.history.loss.shape[1] if run.history.loss.ndim > 1 else 0
    for one in [run, *(funcnn.member(run, k) for k in range(members))]:
        funcnn.save(path, one)
        back = funcnn.load(path, **OWN)
        assert back == one
        assert bits(back) == bits(one)


# --- what is one's own -----------------------------------------------------------------------------------------------

#: Experiments with something of one's own, and the arguments of load that give it back.
OF_ONES_OWN = {
    "act": ({"act": CUBE}, ["activations"]),
    "some acts": ({"act": ("relu", CUBE, "none")}, ["activations"]),
    "out_act": ({"out_act": CUBE}, ["activations"]),
    "loss": ({"loss": QUARTIC}, ["losses"]),
    "optimizer": ({"optimizer": AVERAGED}, ["optimizers"]),
    "optimizer with other constants": ({"optimizer": attrs.evolve(AVERAGED, hyper=(0.1,))}, ["optimizers"]),
    "schedule": ({"schedule": slower}, ["schedules"]),
    "all": ({"act": CUBE, "loss": QUARTIC, "optimizer": AVERAGED, "schedule": slower}, list(OWN)),
    "an ensemble's": ({"act": CUBE, "loss": QUARTIC, "seed": (1, 2)}, ["activations", "losses"]),
}


def run_of(**fields):
    return funcnn.run(Experiment(epochs=3, lr=0.01, engine="numpy", **fields))


@pytest.mark.parametrize("name", OF_ONES_OWN)
def test_a_run_with_something_of_ones_own_comes_back_equal_and_goes_on(name, path, bits):
    fields, arguments = OF_ONES_OWN[name]
    run = run_of(**fields)
    funcnn.save(path, run)
    back = funcnn.load(path, **{argument: iter(OWN[argument]) for argument in arguments})
    assert back == run
    assert bits(back) == bits(run)
    assert bits(funcnn.resume(back, 2)) == bits(funcnn.resume(run, 2))
    again = path.with_name("again.npz")
    funcnn.save(again, back)
    assert again.read_bytes() == path.read_bytes()
    if "seed" in fields:
        funcnn.save(path, funcnn.member(run, 1))
        assert funcnn.load(path, **{argument: OWN[argument] for argument in arguments}) == funcnn.member(run, 1)


@pytest.mark.parametrize("name", OF_ONES_OWN)
def test_what_is_ones_own_is_asked_for_all_at_once_and_by_name(name, path):
    fields, arguments = OF_ONES_OWN[name]
    funcnn.save(path, run_of(**fields))
    names = {"activations": "the activation 'cube'", "losses": "the loss 'quartic'"}
    names |= {"optimizers": "the optimizer 'averaged'", "schedules": "the schedule 'slower'"}
    for some in [(), *((one,) for one in arguments if len(arguments) > 1)]:
        with pytest.raises(ValueError, match=r"net\.npz: the .* not built in: hand (it|them) to load") as error:
            funcnn.load(path, **{argument: OWN[argument] for argument in some})
        for argument in OWN:
            asked = argument in arguments and argument not in some
            assert (names[argument] in str(error.value)) is asked
            assert (f"{argument}=[…]" in str(error.value)) is asked


def test_an_activation_of_ones_own_is_asked_for(path):
    params = funcnn.init((2, 3, 1), act=(CUBE, "relu"))
    funcnn.save(path, params)
    with pytest.raises(ValueError, match="'cube' is not built in"):
        funcnn.load(path)
    with pytest.raises(ValueError, match="'cube' is not built in"):
        funcnn.load(path, activations=[attrs.evolve(CUBE, name="cubes")])
    assert funcnn.load(path, activations=iter([CUBE])) == params


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"activations": CUBE}, TypeError, "activations must be a list, got Activation"),
        ({"activations": ["cube"]}, TypeError, "activations must hold Activation only, got str"),
        ({"losses": [CUBE]}, TypeError, "losses must hold Loss only, got Activation"),
        ({"optimizers": [QUARTIC]}, TypeError, "optimizers must hold Optimizer only, got Loss"),
        ({"schedules": ["cosine:9"]}, TypeError, "schedules must hold Callable only, got str"),
        ({"activations": [CUBE, attrs.evolve(CUBE, saturates=True)]}, ValueError, "two of the name 'cube'"),
    ],
)
def test_what_load_is_given_is_looked_at(given, error, message, path):
    funcnn.save(path, RECORDS["params"])
    with pytest.raises(error, match=message):
        funcnn.load(path, **given)


def test_constants_of_another_number_are_refused(path):
    funcnn.save(path, run_of(optimizer=AVERAGED))
    with pytest.raises(ValueError, match=r"'averaged:0\.3.*' has 1 constants, the one that was given 2"):
        funcnn.load(path, optimizers=[attrs.evolve(AVERAGED, hyper=(0.5, 0.5))])


#: What a file cannot keep by its name, and what is said of it.
NAMELESS = {
    "an activation's": ({"act": attrs.evolve(CUBE, name="relu")}, "activation 'relu' is one's own"),
    "the alias of one": ({"act": attrs.evolve(CUBE, name="identity")}, "activation 'identity' is one's own"),
    "two of a name": ({"act": (CUBE, attrs.evolve(CUBE, saturates=True), "none")}, "two activations .* 'cube'"),
    "a loss's": ({"loss": attrs.evolve(QUARTIC, name="mse")}, "loss 'mse' is one's own"),
    "an optimizer's": ({"optimizer": ADAM}, "optimizer 'adam' is one's own"),
    "a colon": ({"optimizer": attrs.evolve(AVERAGED, name="my:own")}, "cannot have a colon"),
    "an endless constant": ({"optimizer": attrs.evolve(AVERAGED, hyper=(np.inf,))}, "must be finite to be saved"),
    "no text": ({"loss": attrs.evolve(QUARTIC, name=5)}, "name of the loss must be text, got 5"),
    "a schedule without": ({"schedule": lambda t: 1 / t}, "schedule .* by its name, and <function .* has none"),
}


@pytest.mark.parametrize("name", NAMELESS)
def test_what_has_no_name_of_its_own_is_refused_before_anything_is_written(name, path):
    fields, message = NAMELESS[name]
    with pytest.raises((ValueError, TypeError), match=message):
        funcnn.save(path, run_of(**fields))  # some are refused when they are run
    assert not path.exists()


def test_what_is_of_the_tables_is_its_name_in_an_experiment(path):
    adam = attrs.evolve(funcnn.OPTIMIZERS["adam"], hyper=(0.8, 0.9, 1e-8))
    tables = {
        "act": (funcnn.ACTIVATIONS["relu"], "tanh", funcnn.ACTIVATIONS["none"]),
        "loss": funcnn.LOSSES["mse"],
        "optimizer": adam,
        "schedule": funcnn.SCHEDULES["constant"],
    }
    names = {"act": ("relu", "tanh", "none"), "loss": "mse", "optimizer": "adam:0.8,0.9,1e-08", "schedule": "constant"}
    assert Experiment(**tables) == Experiment(**names)
    assert Experiment(optimizer=funcnn.OPTIMIZERS["adam"]) == Experiment(optimizer="adam")
    assert json.loads(json.dumps(attrs.asdict(Experiment(**tables))))["optimizer"] == "adam:0.8,0.9,1e-08"
    run = run_of(**tables)
    assert run == run_of(**names)
    funcnn.save(path, run)
    assert funcnn.load(path) == run


@pytest.mark.parametrize("act", [funcnn.ACTIVATIONS["relu"], "identity", CUBE], ids=["table", "alias", "own"])
def test_a_layer_keeps_its_activation_as_it_was_said(act, path):
    params = Params([Layer(np.ones((2, 1)), None, act)])
    funcnn.save(path, params)
    assert funcnn.load(path, activations=[CUBE]) == params


# --- networks that are put together by hand --------------------------------------------------------------------------


class Foreign:
    """What JAX's arrays are to NumPy: another library's, immutable, and turned into NumPy's when asked."""

    def __init__(self, values):
        self.values = np.array(values)
        self.shape, self.dtype, self.ndim = self.values.shape, self.values.dtype, self.values.ndim

    def __array_namespace__(self, *, api_version=None):
        return np

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.parametrize("library", [array_api_strict.asarray, Foreign])
def test_arrays_of_other_libraries_are_saved_as_those_of_numpy(library, path, bits):
    def foreign(params):
        return map_arrays(library, params)

    params = RECORDS["biases"]
    funcnn.save(path, foreign(params))
    assert bits(funcnn.load(path)) == bits(params)
    run = RECORDS["run with validation and slots"]
    h = run.history
    state = attrs.evolve(h.state, params=foreign(h.state.params), slots=tuple(map(foreign, h.state.slots)))
    theirs = attrs.evolve(
        run,
        params=foreign(run.params),
        train=attrs.evolve(run.train, x=library(run.train.x)),
        history=attrs.evolve(h, loss=library(h.loss), state=state),
    )
    funcnn.save(path, theirs)
    assert bits(funcnn.load(path)) == bits(run)


W = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "w",
    [
        W.tolist(),
        W.astype(object),
        W.astype(">f8"),
        np.asfortranarray(W),
        W[::-1][::-1],
        np.broadcast_to(W, (4, 2, 3)),
        np.zeros((0, 3)),
        W.astype(np.float32),
    ],
    ids=["lists", "objects", "swapped", "columns", "strides", "broadcast", "empty", "float32"],
)
def test_weights_that_functions_take_come_back_as_plain_arrays(w, path):
    params = Params([Layer(w)])
    funcnn.save(path, params)
    back = funcnn.load(path)
    array = back.layers[0].w
    assert type(array) is np.ndarray
    assert array.dtype in (np.float64, np.float32)
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    assert not array.flags.writeable
    assert np.array_equal(array, np.asarray(w, float))


#: Networks that no function takes, and what is said of them.
NO_NETWORKS = {
    "no layers": ([], "no layers"),
    "no layer": ([3], r"params.layers\[0\] must be Layer, got 3"),
    "objects": ([Layer(np.array([[object()]]))], "must hold real numbers, got <object"),
    "text": ([Layer(np.array([["1.0"]]))], "must hold real numbers, got <U3"),
    "ragged": ([Layer([[1.0], [1.0, 2.0]])], "must be an array of real numbers"),
    "masked": ([Layer(np.ma.masked_equal([[1.0, 2.0]], 2.0))], "masked at row 0, column 1"),
    "complex": ([Layer(W * 1j)], "must hold real numbers, got complex128"),
    "whole numbers": ([Layer(W.astype(int))], "must be float64 or float32, got int64"),
    "float16": ([Layer(W.astype(np.float16))], "must be float64 or float32, got float16"),
    "two dtypes": ([Layer(W, np.ones((1, 3), np.float32))], "must all be float64 or float32"),
    "no matrix": ([Layer(np.ones(3))], "shape"),
    "bias of another width": ([Layer(W, np.ones((1, 2)))], "b of layer 0 has shape"),
    "layers that do not fit": ([Layer(W), Layer(W)], "layer 0 gives 3 features, but layer 1 takes 2"),
    "other numbers of members": ([Layer(np.ones((4, 2, 3))), Layer(np.ones((5, 3, 1)))], "leading axis"),
    "an unknown activation": ([Layer(W, None, "reluu")], "unknown activation 'reluu'; did you mean 'relu'"),
    "no activation": ([Layer(W, None, None)], "act must be text or Activation, got None"),
    "no array": ([Layer(None)], "must be an array, got None"),
}


@pytest.mark.parametrize("name", NO_NETWORKS)
def test_what_load_would_refuse_is_not_written(name, path):
    layers, message = NO_NETWORKS[name]
    with pytest.raises((ValueError, TypeError), match=message):
        funcnn.save(path, Params(layers))
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda run: {"test": None},
        lambda run: {"decision": "largest"},
        lambda run: {"params": funcnn.init((2, 4, 3, 1))},
        lambda run: {"history": attrs.evolve(run.history, loss=run.history.loss[:-1])},
        lambda run: {"history": attrs.evolve(run.history, loss=None)},
        lambda run: {"history": attrs.evolve(run.history, accuracy=None)},
        lambda run: {"experiment": attrs.evolve(run.experiment, loss="half_see")},
        lambda run: {"experiment": attrs.evolve(run.experiment, lr=float("nan"))},
        lambda run: {"train": attrs.evolve(run.train, x=np.full_like(run.train.x, np.inf))},
    ],
)
def test_a_run_whose_parts_do_not_fit_is_not_written(change, path):
    run = RECORDS["run"]
    with pytest.raises((ValueError, TypeError)):
        funcnn.save(path, attrs.evolve(run, **change(run)))
    assert not path.exists()


# --- files of version 1 ----------------------------------------------------------------------------------------------

#: Written by the last funcnn that kept neither state nor decision: 30 epochs each, the lab's XOR, and an ensemble of
#: which two members diverged, after 4 epochs and after 1.
OLD = {
    "run-v1": Experiment(epochs=30, engine="compiled", log_every=10),
    "run-v1-ensemble": Experiment(
        epochs=30, engine="compiled", log_every=10, act="leaky_relu", lr=3.0, seed=(13, 0, 21)
    ),
}


@pytest.mark.parametrize("name", OLD)
def test_a_file_of_version_1_is_the_run_that_it_was(name, bits):
    run = funcnn.load(Path(__file__).parent / "data" / f"{name}.npz")
    assert run.experiment == OLD[name]
    assert run.decision == Decision("threshold", 0.5, 0.0, 1.0)
    assert bits(run) == bits(funcnn.run(OLD[name]))
    assert not run.history.state.params.layers[0].w.flags.writeable
    assert not run.history.state.running.flags.writeable


@pytest.mark.parametrize("name", OLD)
def test_a_run_of_version_1_goes_on_and_is_written_anew(name, path, bits):
    run = funcnn.load(Path(__file__).parent / "data" / f"{name}.npz")
    whole = funcnn.run(attrs.evolve(OLD[name], epochs=50))
    assert bits(funcnn.resume(run, 20)) == bits(whole)
    funcnn.save(path, run)
    assert bits(funcnn.load(path)) == bits(run)
    assert bits(funcnn.resume(funcnn.load(path), 20)) == bits(whole)
    for k in range(3 if "ensemble" in name else 0):
        member = funcnn.member(run, k)
        assert bits(funcnn.resume(member, 20)) == bits(funcnn.member(whole, k))


@pytest.mark.parametrize("name", OLD)
def test_the_files_of_version_1_are_of_version_1_and_small(name):
    path = Path(__file__).parent / "data" / f"{name}.npz"
    header = json.loads(str(contents(path)["header"]))
    assert header["version"] == 1
    assert not {"state", "best", "val_loss"} & set(header["record"]["history"])
    assert path.stat().st_size < 50_000


#: Written by the last funcnn whose experiments had neither optimizer, schedule, clip and l2 nor drawn biases.
OLD_2 = Experiment(
    epochs=30,
    engine="compiled",
    log_every=10,
    act=("tanh", "relu", "sigmoid"),
    bias=True,
    scheme="glorot",
    seed=(3, 4),
    batch_size=4,
)


def test_a_file_of_version_2_is_the_run_that_it_was_and_goes_on(path, bits):
    old = Path(__file__).parent / "data" / "run-v2.npz"
    header = json.loads(str(contents(old)["header"]))
    assert header["version"] == 2
    assert not {"optimizer", "schedule", "clip", "l2", "bias_init"} & set(header["record"]["experiment"])
    run = funcnn.load(old)
    assert run.experiment == OLD_2
    assert (run.experiment.optimizer, run.experiment.schedule, run.experiment.clip) == ("sgd", "constant", None)
    assert bits(run) == bits(funcnn.run(OLD_2))
    assert bits(funcnn.resume(run, 20)) == bits(funcnn.run(attrs.evolve(OLD_2, epochs=50)))
    funcnn.save(path, run)
    assert bits(funcnn.load(path)) == bits(run)


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_missing(path):
    with pytest.raises(FileNotFoundError, match=r"net\.npz"):
        funcnn.load(path)
    with pytest.raises(OSError, match="beside"):
        funcnn.save(path.parent / "beside" / "net.npz", RECORDS["params"])


@pytest.mark.parametrize("record", [None, {"w": 1}, np.ones(3), RECORDS["params"].layers[0], funcnn.xor()], ids=repr)
def test_only_networks_and_runs_are_saved(record, path):
    with pytest.raises(TypeError, match=f"Params or a Run as record, got {type(record).__name__}"):
        funcnn.save(path, record)
    assert not path.exists()


@pytest.mark.parametrize("when", ["replaced", "written"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_a_save_that_is_cut_short_leaves_the_old_file_and_nothing_else(when, error, path, monkeypatch, bits):
    funcnn.save(path, RECORDS["run"])
    before = path.read_bytes()

    def cut_short(*given):
        raise error

    def pieces():
        yield b"PK"  # which is on the disk already
        raise error

    if when == "replaced":
        monkeypatch.setattr(Path, "replace", cut_short)
    with pytest.raises(type(error)):
        storage.write_pieces(path, pieces() if when == "written" else [b"PK"])
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    assert bits(funcnn.load(path)) == bits(RECORDS["run"])


def test_saving_again_replaces_the_file(path, bits):
    for name in ("run", "params"):
        funcnn.save(path, RECORDS[name])
    assert bits(funcnn.load(path)) == bits(RECORDS["params"])
    assert list(path.parent.iterdir()) == [path]


def records_of(count):
    """Return networks that differ in size, so that a mixture of their files would be none."""
    return [funcnn.init((2, 40 * (index + 1), 1), seed=index) for index in range(count)]


def test_threads_that_save_to_one_path_leave_one_of_their_files(path, bits):
    records, failed = records_of(6), []
    funcnn.save(path, records[0])
    known = {repr(bits(record)) for record in records}

    def work(record):
        try:
            for _ in range(15):
                funcnn.save(path, record)
                assert repr(bits(funcnn.load(path))) in known
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(record,)) for record in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert list(path.parent.iterdir()) == [path]


SAVING = """
import sys, funcnn
params = funcnn.init((2, 40 * int(sys.argv[2]), 1), seed=int(sys.argv[2]) - 1)
print(flush=True)
for _ in range(100):
    funcnn.save(sys.argv[1], params)
"""


def test_processes_that_save_to_one_path_leave_one_of_their_files_even_when_killed(path, bits):
    records = records_of(2)
    funcnn.save(path, records[0])
    known = {repr(bits(record)) for record in records}
    writers = [
        subprocess.Popen([sys.executable, "-c", SAVING, str(path), str(number)], stdout=subprocess.PIPE)
        for number in (1, 2)
    ]
    for writer in writers:
        writer.stdout.readline()
    for _ in range(10):
        assert repr(bits(funcnn.load(path))) in known
    writers[0].kill()
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] in ([-9, 0], [0, 0])
    assert repr(bits(funcnn.load(path))) in known


def test_a_file_has_the_permissions_that_files_have_and_the_longest_name(path):
    longest = path.with_name("n" * 255)
    funcnn.save(longest, RECORDS["params"])
    beside = path.with_name("beside")
    beside.touch()
    assert longest.stat().st_mode == beside.stat().st_mode


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_stays_a_pipe(path):
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"net\.npz is no file but a pipe or a device"):
        funcnn.save(path, RECORDS["params"])
    assert path.is_fifo()
    assert list(path.parent.iterdir()) == [path]
