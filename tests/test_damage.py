"""Files that are damaged, not ours or say what cannot be are refused whole, in one line, before anything is shown."""

import copy
import json
import os
import pickle
import tracemalloc

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from funcnn_cli import listing, main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import funcnn
from damage import DAMAGED, contents, nested, rewritten, with_text
from funcnn import Experiment, plotting
from funcnn.storage import load_params

RUN = funcnn.run(Experiment(epochs=4, log_every=2, engine="numpy", bias=True))
ENSEMBLE = funcnn.run(Experiment(epochs=4, data="linear", seed=(1, 2), data_seed=(3, 4), engine="numpy"))
#: One member diverges, the other does not.
DIVERGED = funcnn.run(Experiment(epochs=6, engine="numpy", act="leaky_relu", lr=3.0, seed=(13, 1)))


def watched_run():
    """Return a run with validation, an optimizer's slots and several snapshots."""
    run = funcnn.run(Experiment(epochs=4, optimizer="adam", lr=0.01, engine="numpy", seed=(1, 2)))
    data = run.train
    params, history = funcnn.train(
        run.history.snapshots[0][1], data.x, data.y, lr=0.01, epochs=4, optimizer="adam", engine="numpy",
        validation=(data.x[:5], data.y[:5]), snapshots=(0, 2), log_every=2,
    )  # fmt: skip
    return attrs.evolve(run, params=params, history=history)


RUNS = {"run": RUN, "ensemble": ENSEMBLE, "diverged": DIVERGED, "watched": watched_run()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


def refused(path, message=""):
    """Load a file that must be refused, and return what is said of it."""
    with pytest.raises(ValueError, match=rf"net\.npz.*{message}") as error:
        funcnn.load(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000
    return str(error.value)


@pytest.mark.parametrize("record", [RUN, RUN.params], ids=["run", "params"])
@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_refused_by_name(name, record, path):
    funcnn.save(path, record)
    DAMAGED[name](path)
    assert "damaged" in refused(path)


# --- never unpickled, never more than the file can hold --------------------------------------------------------------


class Trap:
    """Unpickling it would leave a trace."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


TRAPS = {
    "pickle": lambda path: path.write_bytes(pickle.dumps(Trap())),
    "header": lambda path: np.savez(path, header=np.array([Trap()], dtype=object)),
    "array": lambda path: np.savez(path, **{**contents(path), "array0": np.array([Trap()], dtype=object)}),
}


@pytest.mark.parametrize("name", TRAPS)
def test_nothing_is_unpickled(name, path):
    funcnn.save(path, RUN)
    TRAPS[name](path)
    Trap.sprung = False
    refused(path)
    assert not Trap.sprung


ZEROS = np.zeros(1 << 23)  # 64 MB that deflate to 64 kB


def all_of_it(path):
    """Make a run whose parts fit each other, but which is 64 MB of zeros."""
    epochs = 1 << 20
    arrays = contents(path)
    header = json.loads(str(arrays["header"]))
    header["record"]["experiment"]["epochs"] = header["record"]["history"]["state"]["epoch"] = epochs
    for name in ("loss", "accuracy"):
        arrays[header["record"]["history"][name]["array"]] = np.zeros(epochs)
    arrays[header["record"]["history"]["epoch"]["array"]] = np.zeros(epochs, int)
    np.savez_compressed(path, **{**arrays, "header": np.array(json.dumps(header))})


def hidden(key):
    return lambda path: np.savez_compressed(path, **{**contents(path), key: ZEROS})


def long_header(path):
    arrays = contents(path)
    np.savez_compressed(path, **{**arrays, "header": np.array(str(arrays["header"]) + " " * (1 << 24))})


BOMBS = {"weights": hidden("array0"), "figures": hidden("array7"), "all": all_of_it, "header": long_header}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_little_memory(name, path):
    funcnn.save(path, RUN)
    BOMBS[name](path)
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 5 << 20
    finally:
        tracemalloc.stop()


def test_what_a_run_does_not_name_is_not_read(path):
    funcnn.save(path, RUN)
    hidden("more")(path)
    tracemalloc.start()
    try:
        assert funcnn.load(path) == RUN
        assert tracemalloc.get_traced_memory()[1] < 5 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", RUNS)
def test_a_file_that_somebody_packed_anew_is_the_run_that_it_was(name, path, bits):
    funcnn.save(path, RUNS[name])
    np.savez_compressed(path, **contents(path))
    assert bits(funcnn.load(path)) == bits(RUNS[name])
    columns = {key: np.asfortranarray(array) if array.ndim else array for key, array in contents(path).items()}
    swapped = {key: array.astype(array.dtype.newbyteorder(">")) for key, array in columns.items()}
    for arrays in (columns, swapped):
        np.savez(path, **arrays)
        assert bits(funcnn.load(path)) == bits(RUNS[name])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
@pytest.mark.parametrize("name", ["net.npz", "net.json"])
def test_nobody_waits_at_a_pipe(name, tmp_path):
    os.mkfifo(tmp_path / name)
    for read in (funcnn.load, load_params):
        with pytest.raises(ValueError, match=rf"{name} is no file but a pipe or a device"):
            read(tmp_path / name)
    result = CliRunner().invoke(main, ["run", "xor", "--params", str(tmp_path / name)])
    assert result.exit_code == 2
    assert "is no file but a pipe" in result.stderr


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match=str(tmp_path)):
        funcnn.load(tmp_path)


# --- bits and bytes --------------------------------------------------------------------------------------------------


def test_a_run_that_was_cut_anywhere_is_refused(path):
    funcnn.save(path, RUN)
    whole = path.read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refused(path)


@pytest.mark.parametrize("name", ["run", "watched"])
def test_a_run_in_which_bits_are_flipped_is_refused_or_still_whole(name, path, bits):
    funcnn.save(path, RUNS[name])
    whole = path.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    rng = np.random.default_rng(0)
    places = np.concatenate([rng.integers(0, len(whole), 150), rng.integers(directory, len(whole), 100)])
    for place, bit in zip(places, rng.integers(0, 8, len(places)), strict=True):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            back = funcnn.load(path)
        except ValueError as error:
            assert "net.npz" in str(error)  # noqa: PT017
        else:
            assert bits(back) == bits(RUNS[name])


# --- headers and parts that do not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: {**header, "version": 5}, "version 5.*reads versions 1 to 4"),
        (lambda header: {**header, "version": 0}, "version 0.*reads versions 1 to 4"),
        (lambda header: {**header, "version": "1"}, "version"),
        (lambda header: {**header, "version": True}, "version"),
        (lambda header: {**header, "version": [[[[[[[[1]]]]]]]]}, "version"),
        (lambda header: {**header, "version": 10**4000}, "version"),
        (lambda header: {**header, "format": "other"}, ""),
        (lambda header: {"version": 1}, ""),
        (lambda header: {key: header[key] for key in ("format", "version")}, "damaged"),
        (lambda header: [header], ""),
        (lambda header: None, ""),
        (lambda header: {**header, "record": {"record": "os.system"}}, "damaged.*'os.system' is no record"),
        (lambda header: {**header, "record": {"record": "Activation", "name": "relu"}}, "'Activation' is no record"),
        (lambda header: {**header, "record": {**header["record"], "more": 1}}, "damaged"),
        (lambda header: {**header, "record": {"record": "Params"}}, "damaged"),
        (lambda header: {**header, "record": {"record": "Params", "layers": 5}}, "damaged"),
        (lambda header: {**header, "record": {"record": "Params", "layers": []}}, "damaged.*no layers"),
        (lambda header: {**header, "record": {"record": "Params", "layers": [1, 2]}}, "damaged.*must be Layer, got 1"),
        (lambda header: {**header, "record": {"array": "array99"}}, "damaged.*array99"),
        (lambda header: {**header, "record": {"array": "array0"}}, "damaged"),
        (lambda header: {**header, "record": {"array": ["array0"]}}, "damaged"),
        (lambda header: {**header, "record": 5}, "damaged"),
        (lambda header: {**header, "record": header["record"]["layers"][0]}, "damaged.*holds Layer"),
    ],
)
def test_another_header_is_refused(change, message, path):
    funcnn.save(path, RUN.params)
    with_text(path, lambda text: json.dumps(change(json.loads(text))))
    refused(path, message)


def changed(*place):
    """Return what changes a part of a run's header: all but the last of ``place`` say where, the last to what."""

    def change(header, arrays):
        *parents, name, value = place
        part = header["record"]
        for parent in parents:
            part = part[parent]
        part[name] = value

    return change


def without_its_start(header, arrays):
    header["record"]["experiment"]["start_sha256"] = "0" * 64
    header["record"]["history"]["snapshots"] = []


def array_of(*place):
    """Return what changes an array of a run: all but the last of ``place`` say which, the last is a function."""

    def change(header, arrays):
        part = header["record"]
        for parent in place[:-1]:
            part = part[parent]
        arrays[part["array"]] = place[-1](arrays[part["array"]])

    return change


#: What a run cannot be, by where that is, and what is said of it.
MISFITS = {
    "no epochs": (array_of("history", "loss", lambda a: a[:0]), "loss must have 1 to 4 epochs.*got 0"),
    "loss that is none": (changed("history", "loss", None), "history.loss must be an array, got None"),
    "loss of a number": (changed("history", "loss", 0.5), "got 0"),
    "loss of text": (changed("history", "loss", "low"), "history.loss must hold real numbers"),
    "whole losses": (array_of("history", "loss", lambda a: a.astype(int)), "history.loss must be floats"),
    "an epoch too few": (array_of("history", "accuracy", lambda a: a[1:]), r"accuracy .* shape \(4,\), got"),
    "an epoch too many": (array_of("history", "epoch", lambda a: np.arange(5)), r"epoch .* shape \(4,\)"),
    "epochs of another run": (array_of("history", "epoch", lambda a: a + 60), "epoch must count from 0"),
    "more epochs than asked for": (changed("experiment", "epochs", 3), "1 to 3 epochs"),
    "accuracy above 1": (array_of("history", "accuracy", lambda a: a + 1), "accuracy must be from 0 to 1"),
    "never run": (array_of("history", "accuracy", lambda a: a * np.nan), "accuracy must be from 0 to 1"),
    "logged beyond": (array_of("history", "logged", lambda a: a + 3), "logged must rise within the 4 epochs"),
    "logged before": (array_of("history", "logged", lambda a: a - 1), "logged must rise"),
    "logged twice": (array_of("history", "logged", lambda a: a * 0), "logged must rise"),
    "nothing logged": (array_of("history", "logged", lambda a: a[:0]), "logged must be whole numbers"),
    "norms of another net": (array_of("history", "grad_norm", lambda a: a[:, 1:]), r"grad_norm .* \(2, 3\), got"),
    "half validation": (changed("history", "val_loss", {"array": "array8"}), "both of val_loss and val_accuracy"),
    "snapshot beyond": (changed("history", "snapshots", 0, 0, 5), "snapshot 5 .* outside"),
    "snapshot of a name": (changed("history", "snapshots", 0, 0, "0"), r"snapshots\[0\]\[0\] must be a whole number"),
    "snapshot of three": (changed("history", "snapshots", 0, [0, 1, 2]), "must have 2 parts, got 3"),
    "state elsewhere": (changed("history", "state", "epoch", 3), "state stands at epoch 3"),
    "state of another": (changed("history", "state", "rule", "adam"), "of the optimizer .adam., the experiment says"),
    "a state's number": (changed("history", "state", "t", 10**400), "state.t must be finite"),
    "running members": (array_of("history", "state", "running", lambda a: np.ones(3, bool)), "running"),
    "running numbers": (array_of("history", "state", "running", lambda a: np.ones((), int)), "truth values"),
    "another's state": (
        array_of("history", "state", "params", "layers", 0, "w", lambda a: a[:, :2]), "state of history: b of layer 0",
    ),
    "another's activations": (
        changed("history", "snapshots", 0, 1, "layers", 0, "act", "relu"),
        "snapshot 0 of history has other dtypes or activations",
    ),
    "weights that the state has not": (
        array_of("params", "layers", 0, "w", lambda a: a + 1),
        "history.state has other weights than params",
    ),
    "no weights to start from": (without_its_start, "must begin with the weights that the run started from"),
    "engine": (changed("history", "engine", "steam"), "unknown engine 'steam'"),
    "weights of an ensemble": (array_of("params", "layers", 1, "w", lambda a: a[None]), "params has layers"),
    "weights of a vector": (array_of("params", "layers", 1, "w", lambda a: a[0]), "w of layer 1 must be"),
    "weights of another width": (array_of("params", "layers", 1, "w", lambda a: a[:, 1:]), "b of layer 1 has shape"),
    "no bias": (changed("params", "layers", 1, "b", None), "params has layers"),
    "half as exact": (array_of("params", "layers", 1, "w", lambda a: a.astype("f4")), "float64 and float32"),
    "another activation": (changed("params", "layers", 1, "act", "relu"), "params has activations"),
    "hidden": (changed("experiment", "hidden", [3, 4]), "the experiment wants"),
    "hidden of none": (changed("experiment", "hidden", None), "hidden must be a list, got None"),
    "members": (changed("experiment", "seed", [1, 2]), "the experiment wants"),
    "members that do not agree": (
        lambda header, arrays: header["record"]["experiment"].update(seed=[1, 2], lr=[1, 2, 3]), "not as many members",
    ),
    "rate": (changed("experiment", "lr", 0), "lr must be positive"),
    "endless rate": (changed("experiment", "lr", 10**400), "lr must be finite"),
    "no rate": (changed("experiment", "lr", float("nan")), "lr must be finite, got nan"),
    "loss by name": (changed("experiment", "loss", "hlf_sse"), "the loss 'hlf_sse' is not built in"),
    "optimizer": (changed("experiment", "optimizer", "adam:7"), "beta1 of optimizer 'adam' must be"),
    "schedule": (changed("experiment", "schedule", "cosine"), "cosine takes horizon"),
    "scheme": (changed("experiment", "scheme", "he:x"), "scheme 'he:x' must be a name"),
    "batch": (changed("experiment", "batch_size", "most"), "batch_size must be"),
    "clip": (changed("experiment", "clip", -1.0), "clip must be positive"),
    "half a letter": (changed("experiment", "data", "\ud800"), "has half a letter"),
    "no samples": (array_of("train", "x", lambda a: a[:0]), "train.y must have shape"),
    "no samples at all": (
        lambda header, arrays: [array_of("test", side, lambda a: a[:0])(header, arrays) for side in "xy"],
        "number of samples of test",
    ),
    "other features": (array_of("test", "x", lambda a: a[:, :1]), r"test.x must have shape \(n, 2\)"),
    "no matrix": (array_of("test", "y", lambda a: a[:, 0]), "test.y must have shape"),
    "no number": (array_of("train", "y", lambda a: a * np.nan), "train.y has nan at row 0, column 0"),
    "decision": (changed("decision", "kind", "smallest"), "decision must be"),
    "nothing to decide": (changed("decision", "high", 0.0), "decision must be"),
    "decision of none": (changed("decision", None), "decision"),
    "no decision": (lambda header, arrays: header["record"].pop("decision"), "Run has other fields"),
    "another record": (
        lambda header, arrays: header["record"].update(train=header["record"]["params"]), "train must be Dataset",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_parts_that_do_not_fit_are_refused_and_said(name, path):
    change, message = MISFITS[name]
    funcnn.save(path, RUN)
    rewritten(path, change)
    refused(path, message)


#: What is put in the place of some part of a header.
VALUES = [
    None, True, 0, 1, -1, 2, 7, 10**400, 1e308, 0.5, float("nan"), float("inf"), "", "relu", "adam:0.9", "full",
    "\ud800", [], [1, 2], [0.5, 0.5], [[1]], {}, {"array": "array0"}, {"array": 5}, {"built_in": "relu"},
    {"record": "Layer"}, {"record": "Params", "layers": []},
]  # fmt: skip
#: What is made of some array.
CHANGES = [
    lambda a: a[:0], lambda a: a[:-1], lambda a: np.concatenate([a, a]), lambda a: a[None], lambda a: a.ravel(),
    lambda a: a.astype("f4"), lambda a: a.astype(complex), lambda a: a.astype(bool), lambda a: a.astype("U5"),
    lambda a: a * np.nan, lambda a: 0 - a.astype(float), lambda a: np.float64(3), lambda a: a.T.copy(), lambda a: a * 9,
]  # fmt: skip


def places(part, place=()):
    """Yield where the parts of a header stand."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield (*place, key)
        yield from places(value, (*place, key))


def spoilt(data, path):
    """Write a file again with one part changed, and return what it holds then."""
    arrays = contents(path)
    header = json.loads(str(arrays.pop("header")))
    *parents, last = data.draw(st.sampled_from([*places(header["record"])]))
    part = header["record"]
    for parent in parents:
        part = part[parent]
    if last == "array":
        arrays[part[last]] = data.draw(st.sampled_from(CHANGES))(arrays[part[last]])
    elif data.draw(st.booleans()) and isinstance(part, list):
        part.append(copy.deepcopy(part[-1]))
    elif data.draw(st.integers(0, 5)) == 0:
        del part[last]
    else:
        part[last] = data.draw(st.sampled_from(VALUES))
    np.savez(path, header=np.array(json.dumps(header)), **arrays)


@pytest.mark.parametrize("name", RUNS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_loads_can_be_shown_and_saved_again(name, path, data):
    funcnn.save(path, RUNS[name])
    spoilt(data, path)
    try:
        run = funcnn.load(path)
    except ValueError as error:
        assert "net.npz" in str(error)  # noqa: PT017
        return
    for one in [run] if run.history.loss.ndim == 1 else [funcnn.member(run, 0), funcnn.member(run, 1)]:
        listing.log_lines(one)
        listing.history_csv(one)
        listing.predictions_csv(one)
        assert json.loads(listing.to_json(listing.summary(one)))
    funcnn.save(path, run)
    assert funcnn.load(path) == run


# --- weights as JSON -------------------------------------------------------------------------------------------------

WEIGHTS = '{"weights": [[[1, 2.5, 3], [4, 5, 6]], [[1], [2], [3]]], "biases": [[1, 2, 3], [0.5]]}'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_weights_are_read_in_any_encoding_of_json(encoding, tmp_path):
    path = tmp_path / "W.JSON"
    path.write_bytes(WEIGHTS.encode(encoding))
    first, second = load_params(path).layers
    assert (first.w.tolist(), first.b.tolist()) == ([[1, 2.5, 3], [4, 5, 6]], [[1, 2, 3]])
    assert (second.w.tolist(), second.b.tolist()) == ([[1], [2], [3]], [[0.5]])
    assert not first.w.flags.writeable
    assert not second.b.flags.writeable


NO_WEIGHTS = {
    "empty": ("", "is not JSON of the form"),
    "a list": ("[1]", "is not JSON of the form"),
    "a number": ('{"weights": 5}', "is not JSON of the form"),
    "more biases": ('{"weights": [[[1]]], "biases": [[1], [1]]}', "is not JSON of the form"),
    "5000 digits": ('{"weights": [[[1]], "biases": ' + "9" * 5000 + "}", "is not JSON of the form"),
    "deep": ("[" * 10**5, "is not JSON of the form"),
    "deep weights": ('{"weights": ' + nested(900) + "}", "must be a list of matrices"),
    "no layers": ('{"weights": []}', "no layers"),
    "names": ('{"weights": {"a": 1}}', "must hold real numbers, got <U1"),
    "text": ('{"weights": [[["1.5"]]]}', "must hold real numbers"),
    "null": ('{"weights": [[[null]]]}', "must hold real numbers, got None at row 0, column 0"),
    "ragged": ('{"weights": [[[1], [1, 2]]]}', "w of layer 0 must be an array of real numbers"),
    "400 digits": ('{"weights": [[[' + "9" * 400 + "]]]}", "w of layer 0 holds a whole number that is too large"),
    "misfit": ('{"weights": [[[1, 2]], [[1]]]}', "layer 0 gives 2 features, but layer 1 takes 1"),
    "short bias": ('{"weights": [[[1, 2]]], "biases": [[1]]}', r"b of layer 0 has shape \(1, 1\)"),
    "null bias": ('{"weights": [[[1, 2]]], "biases": [[null, 2]]}', "b of layer 0 must hold real numbers, got None"),
}


@pytest.mark.parametrize("name", NO_WEIGHTS)
def test_json_that_is_no_network_is_refused_by_name(name, tmp_path):
    content, message = NO_WEIGHTS[name]
    path = tmp_path / "w.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"w\.json.*{message}") as error:
        load_params(path)
    assert len(str(error.value)) < 1000


# --- the command line ------------------------------------------------------------------------------------------------

COMMANDS = {
    "show": ["show"],
    "show --json": ["show", "--json"],
    "plot": ["plot"],
    "--params": ["run", "xor", "--epochs", "1", "--params"],
    "--resume": ["run", "xor", "--epochs", "1", "--resume"],
}
#: Damage of every kind, and what needs something that a command line cannot give.
KINDS = {
    **{name: DAMAGED[name] for name in ("cut", "text", "encrypted", "lzma", "no brackets", "deep json", "deep record")},
    **{
        name: (lambda path, name=name: rewritten(path, MISFITS[name][0])) for name in ("no epochs", "loss that is none")
    },
    "version": lambda path: rewritten(path, lambda header, arrays: header.update(version=9)),
    "one's own": lambda path: rewritten(path, changed("experiment", "loss", "quartic")),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_commands_say_in_one_line_what_is_wrong_with_a_file_and_nothing_before(kind, command, tmp_path):
    path = tmp_path / "net.npz"
    funcnn.save(path, RUN)
    KINDS[kind](path)
    result = CliRunner().invoke(main, [*COMMANDS[command], str(path)])
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2
    assert result.stdout == ""
    said = result.stderr.rstrip("\n").partition("Error: ")[2]
    assert "net.npz" in said
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_that_does_not_say_how_it_stands_is_shown_but_does_not_go_on(tmp_path):
    path = tmp_path / "net.npz"
    funcnn.save(path, attrs.evolve(RUN, history=attrs.evolve(RUN.history, state=None)))
    assert CliRunner().invoke(main, ["show", str(path)]).exit_code == 0
    result = CliRunner().invoke(main, ["run", "xor", "--epochs", "1", "--resume", str(path)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "run cannot go on: its history" in result.stderr


def test_plot_makes_nothing_where_not_all_pictures_can_be_drawn(tmp_path, monkeypatch):
    def broken(run):
        raise ArithmeticError("no picture")

    pictures = {**plotting.PICTURES, "decision_surface": broken}
    monkeypatch.setattr(plotting, "fitting", lambda run: pictures)
    funcnn.save(tmp_path / "net.npz", RUN)
    result = CliRunner().invoke(main, ["plot", str(tmp_path / "net.npz"), "--out", str(tmp_path / "pictures")])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert not (tmp_path / "pictures").exists()


def test_plot_draws_what_fits_data_that_are_in_no_plane(tmp_path):
    x = np.hstack([RUN.train.x, RUN.train.x[:, :1]])
    three = attrs.evolve(RUN.train, x=x)
    params, history = funcnn.train(
        funcnn.init((3, 3, 3, 1), bias=True), x, three.y, epochs=4, engine="numpy", snapshots=(0,)
    )
    funcnn.save(tmp_path / "net.npz", attrs.evolve(RUN, params=params, history=history, train=three, test=three))
    result = CliRunner().invoke(main, ["plot", str(tmp_path / "net.npz"), "--out", str(tmp_path / "pictures")])
    assert result.exit_code == 0
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["learning_curve.png"]


def test_a_file_whose_name_is_no_text_gives_weights_and_a_run_that_is_written(tmp_path):
    path = tmp_path / os.fsdecode(b"w\xff.npz")
    funcnn.save(path, funcnn.init((2, 3, 3, 1), seed=1))
    words = ["run", "xor", "--epochs", "1", "--no-plots", "--params", str(path), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert funcnn.load(tmp_path / "out" / "run.npz").experiment.start == "w\ufffd.npz"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["experiment"]["start"] == "w\ufffd.npz"
