"""The command line: its listings against goldens, its files, and its answers to mistakes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
from click.testing import CliRunner, Result
from funcnn_cli import main

import funcnn
from funcnn import plotting
from goldens import compare

LISTINGS = {
    f"run-{data}-{act}.txt": ["run", data, "--act", act]
    for data in ("linear", "xor")
    for act in ("sigmoid", "relu", "none", "tanh")
} | {
    "run-xor-relu-dead.txt": ["run", "xor", "--act", "relu", "--seed", "65"],
    "run-xor-diverged.txt": ["run", "xor", "--act", "none", "--lr", "30"],
    "run-xor.json": ["run", "xor", "--json"],
    "run-xor-dead.json": ["run", "xor", "--act", "relu", "--seed", "65", "--json"],
}

#: What list calls the tables.
TABLES = {
    "activations": funcnn.ACTIVATIONS,
    "losses": funcnn.LOSSES,
    "optimizers": funcnn.OPTIMIZERS,
    "schedules": funcnn.SCHEDULES,
    "initialisers": funcnn.INITIALIZERS,
}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("name", LISTINGS)
def test_golden_listing(name, rewrite_goldens):
    result = call(*LISTINGS[name])
    assert result.exit_code == 0
    assert result.stderr == ""
    engine = json.loads(result.stdout)["engine"] if name.endswith(".json") else "auto"
    compare(name, result.stdout.replace(f'"engine": "{engine}"', '"engine": "any"'), rewrite=rewrite_goldens)


def test_dead_relu_stands_at_exactly_ten_twenty_firsts():
    lines = call("run", "xor", "--act", "relu", "--seed", "65").stdout.splitlines()
    log = [line for line in lines if line.startswith("epoch")]
    assert all(line.endswith(" loss : 0.47619047619047616") for line in log[1:])
    assert lines[-1].startswith("diagnosis: all units of the output layer dead since epoch 402")


def test_default_seed_is_the_smallest_that_learns():
    def learns(seed: int) -> bool:
        accuracies = [
            float(funcnn.scores(funcnn.run(funcnn.Experiment(data=data, act=act, seed=seed)))[1])
            for data, act in (("xor", "sigmoid"), ("linear", "sigmoid"), ("xor", "relu"))
        ]
        return accuracies[:2] == [1, 1] and accuracies[2] >= 20 / 21

    assert [seed for seed in range(funcnn.DEFAULT_SEED + 1) if learns(seed)] == [funcnn.DEFAULT_SEED]


def test_same_command_gives_the_same_bytes_in_every_file(tmp_path):
    for folder in ("a", "b"):
        assert call("run", "xor", "--epochs", "700", "--out", str(tmp_path / folder)).exit_code == 0
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    pictures = [f"{name}.png" for name in plotting.PICTURES]
    assert files == sorted(["run.npz", "history.csv", "predictions.csv", "summary.json", *pictures])
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_files_say_what_the_run_was(tmp_path):
    assert call("run", "linear", "--epochs", "3", "--out", str(tmp_path), "--no-plots").exit_code == 0
    run = funcnn.load(tmp_path / "run.npz")
    assert run == funcnn.run(funcnn.Experiment(data="linear", epochs=3))
    history = np.genfromtxt(tmp_path / "history.csv", delimiter=",", names=True)
    assert history["loss"].tolist() == run.history.loss.tolist()
    predictions = (tmp_path / "predictions.csv").read_text().splitlines()
    assert predictions[0] == "set,index,x1,x2,y1,prediction1"
    assert len(predictions) == 1 + 100 + 100
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["test"]["accuracy"] == float(funcnn.scores(run)[1])
    assert not list(tmp_path.glob("*.png"))


def test_plot_draws_the_same_pictures_from_the_file_alone(tmp_path):
    call("run", "xor", "--epochs", "50", "--out", str(tmp_path / "run"))
    result = call("plot", str(tmp_path / "run" / "run.npz"), "--out", str(tmp_path / "again"))
    assert result.exit_code == 0
    for name in plotting.PICTURES:
        assert (tmp_path / "again" / f"{name}.png").read_bytes() == (tmp_path / "run" / f"{name}.png").read_bytes()


def test_show_tells_what_a_saved_run_was(tmp_path):
    run = call("run", "xor", "--act", "relu", "--out", str(tmp_path), "--no-plots")
    shown = call("show", str(tmp_path / "run.npz"))
    assert shown.exit_code == 0
    assert "2 → 3 relu → 3 relu → 1 relu" in shown.stdout
    result_lines = [line for line in run.stdout.splitlines() if not line.startswith("Iter")]
    assert shown.stdout.splitlines()[-len(result_lines) :] == result_lines
    assert json.loads(call("show", str(tmp_path / "run.npz"), "--json").stdout) == json.loads(
        (tmp_path / "summary.json").read_text()
    )


def test_quiet_prints_the_result_only():
    lines = call("run", "xor", "--epochs", "10", "--quiet").stdout.splitlines()
    assert lines[0].startswith("loss=")
    assert lines[1].startswith("diagnosis: ")
    assert len(lines) == 2


def test_report_weights_replay_the_report(tmp_path):
    weights = Path(__file__).parents[1] / "funcnn" / "lab" / "report" / "xor_initial_weights.json"
    lines = call("run", "xor", "--params", str(weights)).stdout.splitlines()
    assert lines[0].startswith("epoch 0 loss : 0.3386646")
    assert "Iter 0 | Ground truth: 0.0 | prediction: 0.02722" in lines
    assert lines[-1] == "loss=0.00043 accuracy=100.00%"


def test_training_goes_on_from_a_saved_run(tmp_path):
    call(
        "run", "xor", "--act", "tanh", "--hidden", "4", "--bias", "--epochs", "5", "--out", str(tmp_path), "--no-plots"
    )
    again = call("run", "xor", "--params", str(tmp_path / "run.npz"), "--epochs", "5", "--json")
    assert again.exit_code == 0
    both = funcnn.run(funcnn.Experiment(act="tanh", hidden=(4,), bias=True, epochs=10))
    summary = json.loads(again.stdout)
    assert summary["experiment"]["hidden"] == [4]
    np.testing.assert_allclose(summary["last_epoch"]["loss"], both.history.loss[-1], rtol=1e-12)


def test_every_option_reaches_the_experiment():
    words = "--act relu,tanh --out-act sigmoid --hidden 4 --bias --loss mse --lr 0.2 --epochs 7 --batch-size full"
    words += " --init he:0.5 --bias-init uniform:0.1 --optimizer sgd --schedule cosine:700,0.1 --clip 2 --l2 0.001"
    words += " --shuffle --seed 3 --data-seed 5 --engine numpy --log-every 2 --json"
    experiment = json.loads(call("run", "linear", *words.split()).stdout)["experiment"]
    expected = funcnn.Experiment(
        data="linear",
        act=("relu", "tanh"),
        out_act="sigmoid",
        hidden=(4,),
        bias=True,
        loss="mse",
        scheme="he:0.5",
        bias_init="uniform:0.1",
        optimizer="sgd",
        schedule="cosine:700,0.1",
        clip=2.0,
        l2=0.001,
        lr=0.2,
        epochs=7,
        batch_size="full",
        shuffle=True,
        seed=3,
        data_seed=5,
        engine="numpy",
        log_every=2,
    )
    assert experiment == json.loads(json.dumps(attrs.asdict(expected)))


@pytest.mark.parametrize("command", ["", "run", "plot", "show", "list", "reproduce"])
def test_help_is_readable(command):
    text = call(*command.split(), "--help").stdout
    assert "Usage: " in text
    assert "\b" not in text
    assert "\\b" not in text


def test_list_names_everything():
    names = json.loads(call("list", "--json").stdout)
    assert list(names["data sets"]) == list(funcnn.DATASETS)
    assert set(names["activations"]) == set(funcnn.ACTIVATIONS)
    assert "dead-relu" in call("list").stdout


MISTAKES = [
    ("run xro", "unknown data set 'xro'; did you mean 'xor'? (known: xor, linear, moons, "),
    ("run xor --act sigmod", "unknown activation 'sigmod'; did you mean 'sigmoid'?"),
    ("run xor --out-act rellu", "did you mean 'relu'?"),
    ("run xor --act relu,relu", "act names 2 activations, but the network has 3 layers"),
    ("run xor --loss half_see", "unknown loss 'half_see'; did you mean 'half_sse'?"),
    ("run xor --engine fast", "unknown engine 'fast'"),
    ("run xor --optimizer sdg", "unknown optimizer 'sdg'; did you mean 'sgd'?"),
    ("run xor --optimizer sgd:0.9", "optimizer 'sgd:0.9' gives 1 number, but sgd takes none"),
    (
        "run xor --optimizer sgd:x",
        "optimizer 'sgd:x' must be a name, or a name and finite numbers as NAME:0.5,2, got 'x'",
    ),
    ("run xor --schedule cosin", "unknown schedule 'cosin'; did you mean 'cosine'?"),
    ("run xor --schedule cosine", "schedule 'cosine' gives no numbers, but cosine takes horizon, floor=0"),
    ("run xor --schedule cosine:-5", "horizon must be positive and finite, got -5.0"),
    ("run xor --init glorott", "unknown --init 'glorott'; did you mean 'glorot'?"),
    ("run xor --init uniform:inf", "--init 'uniform:inf' must be a name, or a name and finite numbers"),
    ("run xor --bias --bias-init unifrm", "unknown --bias-init 'unifrm'; did you mean 'uniform'?"),
    ("run xor --bias-init uniform", "bias_init is 'uniform', but the network has no biases to draw"),
    ("run xor --clip 0", "clip must be positive and finite, got 0.0"),
    ("run xor --l2 -1", "l2 must be at least 0 and finite, got -1.0"),
    ("run xor --hidden 0", "width of a hidden layer must be a whole number of at least 1, got 0"),
    ("run xor --hidden 3,-1", "width of a hidden layer must be a whole number of at least 1, got -1"),
    ("run xor --hidden 3,x", "'3,x' is not a list like 3,3"),
    ("run xor --lr 0", "lr must be positive and finite, got 0.0"),
    ("run xor --lr -1", "lr must be positive and finite, got -1.0"),
    ("run xor --lr nan", "lr must be positive and finite, got nan"),
    ("run xor --lr inf", "lr must be positive and finite, got inf"),
    ("run xor --lr fast", "'fast' is not a valid float"),
    ("run xor --epochs 0", "epochs must be a whole number of at least 1, got 0"),
    ("run xor --epochs -3", "epochs must be a whole number of at least 1, got -3"),
    ("run xor --batch-size 0", "batch_size must be a whole number of at least 1, got 0"),
    ("run xor --batch-size most", "batch_size must be a whole number of samples or 'full', got 'most'"),
    ("run xor --seed -1", "seed must be a whole number of at least 0, got -1"),
    ("run linear --data-seed -1", "data_seed must be a whole number of at least 0, got -1"),
    ("run xor --log-every 0", "log_every must be a whole number of at least 1, got 0"),
    ("run xor --colour", "No such option"),
    ("run", "Missing argument 'DATA'"),
    ("runn", "No such command 'runn'"),
    ("reproduce bass", "unknown experiment 'bass'; did you mean 'base'?"),
    ("reproduce --seeds 0", "0 is not in the range"),
    ("plot missing.npz", "'missing.npz' does not exist"),
]


@pytest.mark.parametrize(("command", "message"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_mistakes_are_one_line_and_exit_2(command, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*command.split())
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_mistakes_in_weights_files(tmp_path):
    def complaint(content: str) -> str:
        (tmp_path / "w.json").write_text(content)
        result = call("run", "xor", "--params", str(tmp_path / "w.json"))
        assert result.exit_code == 2
        return result.stderr

    assert "is not JSON of the form" in complaint("nonsense")
    assert "is not JSON of the form" in complaint('{"wights": []}')
    assert "must be a list of matrices" in complaint('{"weights": [[1, 2]]}')
    assert "weights has nan at row 0, column 0" in complaint('{"weights": [[[NaN], [1]]]}')
    assert "start has layers" in complaint('{"weights": [[[1, 2, 3]], [[1], [2], [3]]]}')


def test_out_that_is_a_file(tmp_path):
    (tmp_path / "x").write_text("precious")
    result = call("run", "xor", "--epochs", "1", "--out", str(tmp_path / "x"))
    assert result.exit_code == 2
    assert "is a file" in result.stderr
    assert (tmp_path / "x").read_text() == "precious"


def test_out_that_cannot_be_made(tmp_path):
    (tmp_path / "x").write_text("precious")
    result = call("run", "xor", "--epochs", "1", "--out", str(tmp_path / "x" / "y"))
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "Not a directory" in result.stderr


@pytest.mark.parametrize("damage", ["truncated", "version", "pickle", "text"])
def test_damaged_run_files(tmp_path, damage):
    call("run", "xor", "--epochs", "1", "--out", str(tmp_path), "--no-plots")
    path = tmp_path / "run.npz"
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "version":
        with np.load(path) as file:
            arrays = dict(file)
        header = json.loads(str(arrays["header"])) | {"version": 99}
        np.savez(path, **{**arrays, "header": np.array(json.dumps(header))})
    elif damage == "pickle":
        np.savez(path, header=np.array([{"format": "funcnn"}], dtype=object))
    else:
        path.write_text("not an archive")
    for command in ("show", "plot"):
        result = call(command, str(path))
        assert result.exit_code == 2
        assert isinstance(result.exception, SystemExit)
        assert "run.npz" in result.stderr
    assert not list(tmp_path.glob("*.png"))


def run_python(code: str) -> str:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()


@pytest.mark.parametrize("words", [["--help"], ["run", "xor", "--epochs", "3"], ["run", "xro"]])
def test_python_m_funcnn_is_the_same_program(words):
    programs = [
        subprocess.run([sys.executable, "-m", name, *words], capture_output=True, text=True, encoding="utf-8")
        for name in ("funcnn", "funcnn_cli")
    ]
    one, other = [(program.returncode, program.stdout, program.stderr) for program in programs]
    assert one == other
    assert one[1 if one[0] == 0 else 2].startswith(("Usage: funcnn", "epoch 0 loss : "))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_output_survives_any_encoding(encoding, tmp_path):
    funcnn.save(tmp_path / "run.npz", funcnn.run(funcnn.Experiment(epochs=3)))
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for words in (["list", "--long"], ["list", "--long", "--json"], ["run", "--help"], ["show", tmp_path / "run.npz"]):
        program = subprocess.run([sys.executable, "-m", "funcnn", *words], capture_output=True, env=environment)
        assert (program.returncode, program.stderr) == (0, b"")
        if "--json" in words:  # whatever the encoding has no letter for is read as that letter
            text = program.stdout.decode(
                "utf-8" if encoding == "ascii" else encoding
            )  # Click takes ASCII for a mistake
            assert json.loads(text) == json.loads(call("list", "--long", "--json").stdout)


def test_imports_bring_in_no_more_than_they_need():
    heavy = "{'click', 'matplotlib', 'numba', 'jax'}"
    assert run_python(f"import funcnn, sys; print(sorted({heavy} & set(sys.modules)))") == "[]"
    heavy = "{'numpy', 'attrs', 'matplotlib', 'numba', 'funcnn'}"
    assert run_python(f"import funcnn_cli, sys; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_no_plots_runs_without_matplotlib(tmp_path):
    code = (
        "import sys; from funcnn_cli import main; main(['run', 'xor', '--epochs', '1', '--out', r'%s', '--no-plots'],"
    )
    code += " standalone_mode=False); print('matplotlib' in sys.modules)"
    assert run_python(code % tmp_path).endswith("False")


# --- going on --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--act", "relu"],
        ["--act", "leaky_relu", "--lr", "3", "--seed", "13"],
        ["--schedule", "cosine:800,0.1", "--clip", "0.05", "--l2", "0.01", "--bias", "--bias-init", "fan_in_uniform"],
    ],
)
def test_a_run_that_goes_on_leaves_the_files_of_one_that_never_stopped(tmp_path, more):
    first, on, whole = (tmp_path / name for name in ("first", "on", "whole"))
    for words in (
        ["run", "xor", *more, "--epochs", "30", "--log-every", "7", "--out", str(first)],
        ["run", "xor", "--resume", str(first / "run.npz"), "--epochs", "20", "--out", str(on)],
        ["run", "xor", *more, "--epochs", "50", "--log-every", "7", "--out", str(whole)],
    ):
        result = call(*words, "--no-plots", "--quiet")
        assert result.exit_code == 0, result.output
    assert {path.name for path in on.iterdir()} == {path.name for path in whole.iterdir()}
    for path in whole.iterdir():
        assert (on / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["xor", "--epochs", "5", "--lr", "0.2"], "--lr cannot be given with --resume"),
        (["xor", "--epochs", "5", "--batch-size", "2"], "--batch-size cannot be given with --resume"),
        (["xor", "--epochs", "5", "--schedule", "cosine:9"], "--schedule cannot be given with --resume"),
        (["xor", "--epochs", "5", "--scheme", "he"], "--init cannot be given with --resume"),
        (["xor", "--epochs", "5", "--params", "run.npz"], "--params cannot be given with --resume"),
        (["xor"], "--resume needs --epochs"),
        (["xor", "--epochs", "0"], "epochs must be a whole number of at least 1, got 0"),
        (["linear", "--epochs", "5"], "run.npz is a run on xor, not on linear"),
    ],
)
def test_what_cannot_go_on_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    funcnn.save("run.npz", funcnn.run(funcnn.Experiment(epochs=3)))
    result = call("run", *words, "--resume", "run.npz")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_run_from_given_weights_says_so_and_its_experiment_does_not_pretend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = funcnn.init((2, 3, 3, 1), seed=5)
    funcnn.save("weights.npz", start)
    assert call("run", "xor", "--params", "weights.npz", "--epochs", "3", "--out", "x", "--no-plots").exit_code == 0
    shown = call("show", "x/run.npz").stdout
    assert re.search(r"^start +weights\.npz$", shown, re.M)
    assert funcnn.weights_sha256(start) in shown
    run = funcnn.load("x/run.npz")
    with pytest.raises(ValueError, match=r"started from weights\.npz \(SHA-256 \w{12}…\).*hand them over"):
        funcnn.run(run.experiment)
    with pytest.raises(ValueError, match=r"started from weights\.npz .* but start has other weights"):
        funcnn.run(run.experiment, start=funcnn.init((2, 3, 3, 1), seed=6))
    assert funcnn.run(run.experiment, start=start) == run


def test_list_names_what_the_options_take():
    shown = call("list").stdout
    assert re.search(r"^engines +auto, numpy, compiled, jax$", shown, re.M)
    for kind, table in TABLES.items():
        assert re.search(rf"^{kind} +{', '.join(table)}$", shown, re.M)


def test_list_long_says_what_each_entry_is_in_a_line():
    shown = call("list", "--long")
    assert shown.exit_code == 0
    assert re.search(
        r"^  cosine +η\(t\) = η · .*Loshchilov & Hutter 2017.*\(numbers: horizon, floor=0\)$", shown.stdout, re.M
    )
    assert re.search(r"^  he_normal +W ~ N\(0, σ²\).*He et al. 2015.*\(numbers: gain=1\)$", shown.stdout, re.M)
    assert re.search(r"^  constant +η\(t\) = η\.$", shown.stdout, re.M)
    names = json.loads(call("list", "--long", "--json").stdout)
    assert list(names["data sets"]) == list(funcnn.DATASETS)
    for kind, table in TABLES.items():
        assert list(names[kind]) == list(table)
        for name, said in names[kind].items():
            assert f"  {name} " in shown.stdout or not said
            assert "\n" not in said
            assert said in shown.stdout


def test_the_old_name_of_an_option_still_stands():
    old, new = (call("run", "xor", option, "he", "--epochs", "3", "--json") for option in ("--scheme", "--init"))
    assert old.exit_code == 0
    assert old.stdout == new.stdout
