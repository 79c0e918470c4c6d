"""Files: what was saved comes back, and nothing else is taken for it."""

import json
import pickle
import zipfile
from pathlib import Path

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Activation, Decision, Experiment, Layer, Params
from own_records import ADAM

CUBE = Activation("cube", lambda z: z**3, lambda z, a: 3 * z**2)


def with_validation_and_slots(seed):
    """Return a run whose history has all that a history may have."""
    run = funcnn.run(Experiment(epochs=3, seed=seed))
    x, y = run.train.x, run.train.y
    some = {"epochs": 3, "validation": (x[:5], y[:5]), "snapshots": (0, 2), "optimizer": ADAM, "batch_size": 4}
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


def test_an_activation_of_ones_own_is_asked_for(path):
    params = funcnn.init((2, 3, 1), act=(CUBE, "relu"))
    funcnn.save(path, params)
    with pytest.raises(ValueError, match="'cube' is not built in"):
        funcnn.load(path)
    with pytest.raises(ValueError, match="'cube' is not built in"):
        funcnn.load(path, activations=[attrs.evolve(CUBE, name="cubes")])
    assert funcnn.load(path, activations=iter([CUBE])) == params


def test_an_activation_of_ones_own_is_not_mistaken_for_a_built_in_one_of_its_name(path):
    own = attrs.evolve(CUBE, name="relu")
    params = Params([Layer(np.ones((2, 1)), None, own)])
    try:
        funcnn.save(path, params)
    except ValueError:  # refusing the name is an answer, too
        return
    assert funcnn.load(path, activations=[own]) == params


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


# --- files that are not ours, or no longer ---------------------------------------------------------------------------


def contents(path):
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def rewritten(path, change):
    """Save a network, and write its file again with another header."""
    funcnn.save(path, RECORDS["params"])
    arrays = contents(path)
    header = json.loads(str(arrays.pop("header")))
    np.savez(path, header=np.array(json.dumps(change(header))), **arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: {**header, "version": 4}, "version 4.*reads versions 1 to 3"),
        (lambda header: {**header, "version": "1"}, "version"),
        (lambda header: {**header, "format": "other"}, ""),
        (lambda header: {"version": 1}, ""),
        (lambda header: {key: header[key] for key in ("format", "version")}, "damaged"),
        (lambda header: [header], ""),
        (lambda header: {**header, "record": {"record": "os.system"}}, "damaged"),
        (lambda header: {**header, "record": {**header["record"], "more": 1}}, "damaged"),
        (lambda header: {**header, "record": {"record": "Params"}}, "damaged"),
        (lambda header: {**header, "record": {"record": "Params", "layers": 5}}, "damaged"),
        (lambda header: {**header, "record": {"array": "array99"}}, "damaged"),
        (lambda header: {**header, "record": {"array": "array0"}}, "damaged|not a"),
        (lambda header: {**header, "record": 5}, "damaged|not a"),
        (lambda header: {**header, "record": {"record": "Params", "layers": [1, 2]}}, "damaged|not a"),
    ],
)
def test_another_header_is_refused(change, message, path):
    rewritten(path, change)
    with pytest.raises(ValueError, match=rf"net\.npz.*{message}"):
        funcnn.load(path)


class Trap:
    """Unpickling it would leave a trace."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def pickled_array(path):
    np.savez(path, header=np.array([Trap()], dtype=object))


def pickled_array_beside_a_header(path):
    funcnn.save(path, RECORDS["params"])
    arrays = contents(path)
    np.savez(path, **{**arrays, "array0": np.array([Trap()], dtype=object)})


def array_missing(path):
    funcnn.save(path, RECORDS["params"])
    arrays = contents(path)
    arrays.pop("array0")
    np.savez(path, **arrays)


STRANGERS = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("epoch,loss\n0,0.25\n"),
    "pickle": lambda path: path.write_bytes(pickle.dumps(Trap())),
    "npy": lambda path: np.save(path.open("wb"), np.ones(3)),
    "npz of another": lambda path: np.savez(path, w=np.ones(3)),
    "zip without arrays": lambda path: zipfile.ZipFile(path, "w").writestr("header", "{}"),
    "empty zip": lambda path: zipfile.ZipFile(path, "w").close(),
    "pickled header": pickled_array,
    "pickled array": pickled_array_beside_a_header,
    "array missing": array_missing,
    "header of numbers": lambda path: np.savez(path, header=np.ones(3)),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_refused_by_name_and_never_unpickled(name, path):
    STRANGERS[name](path)
    Trap.sprung = False
    with pytest.raises(ValueError, match=r"net\.npz"):
        funcnn.load(path)
    assert not Trap.sprung


def test_a_truncated_file_is_refused(path):
    funcnn.save(path, RECORDS["run"])
    whole = path.read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"net\.npz"):
            funcnn.load(path)


def test_a_damaged_file_is_refused_or_still_whole(path, bits):
    record = RECORDS["biases"]
    funcnn.save(path, record)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place, bit in zip(rng.integers(0, len(whole), 800), rng.integers(0, 8, 800), strict=True):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            back = funcnn.load(path)
        except ValueError as error:
            assert "net.npz" in str(error)  # noqa: PT017
        else:
            assert bits(back) == bits(record)


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


@pytest.mark.parametrize("when", ["replace", "write_bytes"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_a_save_that_is_cut_short_leaves_the_old_file_and_nothing_else(when, error, path, monkeypatch, bits):
    funcnn.save(path, RECORDS["run"])
    before = path.read_bytes()

    def cut_short(self, argument):
        if when == "write_bytes":  # half of it is on the disk already
            with self.open("wb") as file:
                file.write(argument[: len(argument) // 2])
        raise error

    monkeypatch.setattr(Path, when, cut_short)
    with pytest.raises(type(error)):
        funcnn.save(path, RECORDS["params"])
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    assert bits(funcnn.load(path)) == bits(RECORDS["run"])


def test_saving_again_replaces_the_file(path, bits):
    for name in ("run", "params"):
        funcnn.save(path, RECORDS[name])
    assert bits(funcnn.load(path)) == bits(RECORDS["params"])
    assert list(path.parent.iterdir()) == [path]
