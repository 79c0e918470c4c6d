"""Runs on files: what no option says, the same bytes again, what a model takes, and how well it does."""

import csv
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from funcnn_cli import main

import funcnn
from funcnn import Experiment, plotting
from funcnn.prediction import interval

QUICK = {"epochs": 6, "patience": None, "validation": 0.2, "hidden": (4,), "log_every": 2}


def written(path, rows, header=("size", "colour", "weight", "kind")):
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def rows_of(n=60, seed=0):
    """Return rows in which the kind follows from size and colour."""
    rng = np.random.default_rng(seed)
    sizes, colours = rng.normal(50, 9, n), rng.choice(["red", "green", "blue"], n)
    kinds = [
        "big" if size > 55 else "blue" if colour == "blue" else "small"
        for size, colour in zip(sizes, colours, strict=True)
    ]
    return [[f"{s:.3f}", c, f"{1000 * s:.1f}", k] for s, c, k in zip(sizes, colours, kinds, strict=True)]


@pytest.fixture
def table(tmp_path):
    return written(tmp_path / "table.csv", rows_of())


def experiment(path, target="kind", **fields):
    data = funcnn.read(path, target)
    return Experiment(data=path, target=(target,), **{**funcnn.recipe(data), **QUICK, **fields})


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


# --- what is trained -------------------------------------------------------------------------------------------------


def test_what_no_option_says_is_said_and_gives_the_same_bytes(table, tmp_path):
    first = invoke("run", table, "--target", "kind", "--epochs", "8", "--out", tmp_path / "a", "--no-plots")
    assert first.exit_code == 0, first.output
    said = first.stderr.splitlines()[0]
    assert said.startswith("table.csv: 60 rows, 5 inputs, 3 classes to learn; this is: funcnn run ")
    command = shlex.split(said.partition("this is: funcnn ")[2])
    assert {"--optimizer", "--standardize", "--validation", "--patience", "--bias"} <= set(command)
    again = invoke(*command, "--out", tmp_path / "b", "--no-plots")
    assert again.exit_code == 0, again.output
    assert "this is:" not in again.stderr
    assert first.stdout == again.stdout
    for name in ("run.npz", "history.csv", "predictions.csv", "summary.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("target", "loss", "outputs"),
    [("kind", "softmax_cross_entropy", 3), ("weight", "mse", 1), ("two", "sigmoid_binary_cross_entropy", 1)],
)
def test_classes_and_numbers_are_told_apart(target, loss, outputs, tmp_path):
    rows = [[*row, "yes" if row[3] == "big" else "no"] for row in rows_of()]
    path = written(tmp_path / "t.csv", rows, ("size", "colour", "weight", "kind", "two"))
    e = experiment(path, target)
    assert e.loss == loss
    run = funcnn.run(e)
    assert run.train.y.shape[1] == outputs
    assert (run.preparation.targets is None) == (loss != "mse")


def test_parts_do_not_overlap_and_scaling_is_of_the_training_part_alone(table):
    run = funcnn.run(experiment(table))
    whole = funcnn.read(table, "kind")
    scaling = run.preparation.inputs
    parts = [funcnn.unstandardise(scaling, part.x) for part in (run.train, run.test, run.validation)]
    assert [len(part) for part in parts] == [38, 12, 10]
    found = {tuple(np.round(row, 6)) for part in parts for row in part}
    assert found == {tuple(np.round(row, 6)) for row in whole.x}
    np.testing.assert_allclose(scaling.mean, parts[0].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(run.train.x.mean(axis=0), 0, atol=1e-12)
    assert not np.allclose(run.test.x.mean(axis=0), 0, atol=1e-3)


def test_another_data_seed_draws_other_parts(table):
    e = experiment(table)
    one, same, other = (funcnn.run(attrs.evolve(e, data_seed=seed)) for seed in (0, 0, 1))
    assert one == same
    assert one.test != other.test


def test_training_stops_in_time_and_keeps_the_best_weights(table):
    run = funcnn.run(experiment(table, epochs=400, patience=5, lr=0.05))
    losses, best = run.history.val_loss, int(run.history.best[0])
    assert len(losses) < 400
    assert np.argmin(losses) == best - 1 == len(losses) - 6
    assert run.params == run.history.best[1] != run.history.state.params


def test_a_run_that_goes_on_is_the_run_of_all_epochs(table):
    short, long = funcnn.run(experiment(table, epochs=4)), funcnn.run(experiment(table, epochs=10))
    went_on = funcnn.resume(short, 6)
    for name in ("loss", "val_loss", "val_accuracy", "best"):
        a, b = getattr(went_on.history, name), getattr(long.history, name)
        assert np.array_equal(a[0], b[0]) if name == "best" else np.array_equal(a, b)
    assert went_on.params == long.params


def test_members_of_an_ensemble_have_validation_of_their_own(table):
    many = funcnn.run(experiment(table, seed=(3, 4, 5)))
    for k, seed in enumerate((3, 4, 5)):
        solo = funcnn.run(experiment(table, seed=seed))
        one = funcnn.member(many, k)
        assert one.params == solo.params
        assert np.array_equal(one.history.val_loss, solo.history.val_loss)
        assert int(one.history.best[0]) == int(solo.history.best[0])


def test_classes_count_alike_where_they_are_to(tmp_path):
    path = written(tmp_path / "t.csv", [[i, "red", i, "rare" if i % 10 == 0 else "often"] for i in range(100)])
    e = experiment(path, test=0.0, validation=0.0)
    run = funcnn.run(attrs.evolve(e, class_weight="balanced"))
    weight = np.where(run.train.y[:, 0] == 1, 100 / (2 * 10), 100 / (2 * 90))
    fields = {name: getattr(e, name) for name in ("epochs", "batch_size", "shuffle", "lr", "optimizer", "loss", "l2")}
    start = run.history.snapshots[0][1]
    params, _ = funcnn.train(start, run.train.x, run.train.y, weight=weight, engine=run.history.engine, **fields)
    assert params == run.params


def test_a_file_that_is_another_is_not_the_experiments(table):
    run = funcnn.run(experiment(table))
    written(table, rows_of(seed=1))
    with pytest.raises(ValueError, match="is not the file that this experiment ran on: its SHA-256"):
        funcnn.run(run.experiment)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": ()}, "target must name a column of .*table.csv: size, colour, weight, kind"),
        ({"target": ("knd",)}, "no column is called that; did you mean 'kind'"),
        ({"test": 1.0}, "test must be a share from 0 to below 1, got 1.0"),
        ({"validation": 0.0, "patience": 3}, "patience needs validation"),
        ({"missing": "maybe"}, "unknown missing 'maybe'"),
        ({"data_seed": (1, 2)}, "data_seed must be one number for data from a file"),
        ({"class_weight": "even"}, "unknown class_weight 'even'"),
        ({"drop": ("kind",)}, "'kind' is both target and dropped"),
    ],
)
def test_what_does_not_fit_a_file_is_refused(fields, message, table):
    with pytest.raises(ValueError, match=message):
        funcnn.run(attrs.evolve(experiment(table), **fields))


def test_what_is_neither_toy_nor_file(tmp_path):
    assert "unknown data set 'xro'; did you mean 'xor'?" in invoke("run", "xro").stderr
    missing = invoke("run", tmp_path / "no.csv", "--target", "y")
    assert (missing.exit_code, missing.stderr) == (1, f"Error: {tmp_path / 'no.csv'}: No such file or directory\n")


def test_gaps_are_filled_with_the_training_parts_means(tmp_path):
    rows = rows_of()
    rows[3][0] = rows[7][2] = ""
    path = written(tmp_path / "t.csv", rows)
    with pytest.raises(ValueError, match=r"t.csv, line 5, column 'size': the value is missing"):
        funcnn.run(attrs.evolve(experiment(table_of(tmp_path)), data=path))
    run = funcnn.run(attrs.evolve(experiment(table_of(tmp_path)), data=path, missing="mean"))
    assert sum(int((part.x == 0).sum()) for part in (run.train, run.test, run.validation)) == 2
    assert funcnn.predict(run, io.StringIO("size,colour,weight\n,red,50000\n")).shape == (1,)
    dropped = funcnn.run(attrs.evolve(experiment(table_of(tmp_path)), data=path, missing="drop"))
    assert sum(len(part.x) for part in (dropped.train, dropped.test, dropped.validation)) == 58


def table_of(folder):
    return written(folder / "whole.csv", rows_of())


def test_what_is_left_out_of_a_table_is_said_once(tmp_path):
    path = written(
        tmp_path / "t.csv", [[f"name {i}", i, "x" if i > 20 else "y"] for i in range(40)], ("id", "a", "kind")
    )
    said = subprocess.run(
        [sys.executable, "-m", "funcnn", "run", path, "--target", "kind", "--epochs", "2", "--quiet"],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    ).stderr
    assert said.count("column 'id' holds 40 different texts in 40 rows, and is left out") == 1


@pytest.mark.parametrize(
    "content", [b"a,kind\n\xff,x\n", b"\x1f\x8b damaged", b"a,kind\n1,\0\n"], ids=["encoding", "gzip", "NUL"]
)
def test_bytes_that_are_no_text_are_a_mistake_of_the_users(content, tmp_path):
    (tmp_path / "t.csv").write_bytes(content)
    refused = invoke("run", tmp_path / "t.csv", "--target", "kind")
    assert refused.exit_code == 2
    assert "t.csv, line" in refused.stderr


# --- what is kept, and used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["kind", "weight"])
def test_what_a_model_needs_is_in_its_file(target, table, tmp_path):
    run = funcnn.run(experiment(table, target))
    funcnn.save(tmp_path / "run.npz", run)
    back = funcnn.load(tmp_path / "run.npz")
    assert back == run
    Path(table).unlink()
    text = "kind,weight,colour,size,else\nbig,50000,red,50,1\nbig,60000,blue,60,1\n"
    assert funcnn.predict(back, io.StringIO(text)).tolist() == funcnn.predict(run, io.StringIO(text)).tolist()


def test_predictions_are_those_of_the_formula(table):
    run = funcnn.run(experiment(table))
    x = np.array([[60.0, 0, 0, 1, 60000.0], [40.0, 1, 0, 0, 40000.0]])  # size, blue, green, red, weight
    scaling, a = run.preparation.inputs, None
    assert run.train.features == ("size", "colour=blue", "colour=green", "colour=red", "weight")
    a = (x - scaling.mean) / scaling.scale
    for layer in run.params.layers:
        z = a @ layer.w + layer.b
        a = np.maximum(z, 0)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    text = "weight,colour,size\n60000,red,60\n40000,blue,40\n"
    np.testing.assert_allclose(funcnn.predict(run, io.StringIO(text), proba=True), p, rtol=1e-12)
    assert funcnn.predict(run, io.StringIO(text)).tolist() == [run.train.classes[c] for c in p.argmax(axis=1)]


def test_numbers_are_predicted_in_their_own_units(table):
    run = funcnn.run(experiment(table, "weight", epochs=300))
    said = funcnn.predict(run, io.StringIO("size,colour,kind\n50,red,small\n62,red,big\n"))
    np.testing.assert_allclose(said, [50000, 62000], rtol=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size,weight\n1,2\n", "has no column 'colour'"),
        ("size,colour,weight\n1,pink,2\n", "line 2, column 'colour': 'pink'"),
        ("size,colour,weight\nx,red,2\n", "line 2, column 'size': 'x' is no number"),
        ("size,colour,weight\n,red,2\n", "line 2, column 'size': the value is missing"),
        ("", "empty|no line|nothing"),
    ],
)
def test_rows_that_a_model_cannot_take_say_where(text, message, table):
    with pytest.raises(ValueError, match=message):
        funcnn.predict(funcnn.run(experiment(table)), io.StringIO(text))


def test_an_evaluation_is_that_of_the_predictions(table):
    run = funcnn.run(experiment(table, epochs=40))
    found = funcnn.evaluate(run, table)
    kinds = [row[3] for row in rows_of()]
    said, each = funcnn.predict(run, table).tolist(), funcnn.predict(run, table, proba=True)
    expected = [
        [sum((k, s) == (a, b) for k, s in zip(kinds, said, strict=True)) for b in found.classes] for a in found.classes
    ]
    assert found.confusion.tolist() == expected
    of_right = [p[found.classes.index(kind)] for p, kind in zip(each, kinds, strict=True)]
    assert found.log_loss == pytest.approx(-np.mean(np.log(of_right)), rel=1e-12)
    assert funcnn.evaluate(run).samples == len(run.test.x)


def test_an_evaluation_of_numbers_is_that_of_the_predictions(table):
    run = funcnn.run(experiment(table, "weight", epochs=40))
    found, y = funcnn.evaluate(run, table), np.array([float(row[2]) for row in rows_of()])
    missed = funcnn.predict(run, table) - y
    assert found.rmse[0] == pytest.approx(np.sqrt(np.mean(missed**2)), rel=1e-9)
    assert found.mae[0] == pytest.approx(np.mean(abs(missed)), rel=1e-9)
    assert found.r2[0] == pytest.approx(1 - np.sum(missed**2) / np.sum((y - y.mean()) ** 2), rel=1e-9)


def test_files_are_predicted_and_evaluated_some_rows_at_a_time(table, tmp_path, monkeypatch):
    run = funcnn.run(experiment(table))
    whole = funcnn.predict(run, table), funcnn.evaluate(run, table)
    from funcnn import prediction

    read = prediction.read_tables
    monkeypatch.setattr(prediction, "read_tables", lambda path, **how: read(path, rows=7, **how))
    assert funcnn.predict(run, table).tolist() == whole[0].tolist()
    pieces = funcnn.evaluate(run, table)
    assert pieces.confusion.tolist() == whole[1].confusion.tolist()
    assert pieces.log_loss == pytest.approx(whole[1].log_loss, rel=1e-12)


def test_the_interval_is_wilsons():
    # Of the article's kind: both ends solve (p̂ − p)² = z² p (1 − p) / n.
    for right, n in ((29, 30), (0, 5), (5, 5), (50, 100)):
        for p in interval(right, n):
            assert (right / n - p) ** 2 == pytest.approx(1.959963984540054**2 * p * (1 - p) / n, abs=1e-12)


def test_a_model_is_used_from_the_shell(table, tmp_path):
    out = tmp_path / "out"
    assert (
        invoke("run", table, "--target", "kind", "--epochs", "30", "--out", out, "--no-plots", "--quiet").exit_code == 0
    )
    said = invoke("predict", out / "run.npz", table)
    assert said.stdout.splitlines()[0] == "kind"
    assert len(said.stdout.splitlines()) == 61
    to_file = invoke("predict", out / "run.npz", table, "--proba", "--out", tmp_path / "p.csv")
    assert (to_file.exit_code, to_file.stdout) == (0, "")
    with (tmp_path / "p.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["big", "blue", "small"]
    assert all(abs(sum(map(float, row)) - 1) < 1e-12 for row in rows)
    found = json.loads(invoke("evaluate", out / "run.npz", table, "--json").stdout)
    assert found["accuracy"] == sum(found["confusion"][k][k] for k in range(3)) / 60
    text = invoke("evaluate", out / "run.npz", table).stdout
    assert "95 % interval" in text
    assert "big" in text


def test_a_run_on_a_toy_takes_no_table(tmp_path, table):
    assert invoke("run", "xor", "--epochs", "2", "--out", tmp_path / "x", "--no-plots", "--quiet").exit_code == 0
    refused = invoke("predict", tmp_path / "x" / "run.npz", table)
    assert refused.exit_code == 2
    assert "is a run on xor, not on a table" in refused.stderr


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_those_that_fit(table, tmp_path):
    out = tmp_path / "out"
    words = ("run", table, "--target", "kind", "--epochs", "3", "--out", out, "--quiet")
    assert invoke(*words).exit_code == 0
    assert {path.name for path in out.glob("*.png")} == {"learning_curve.png"}
    flat = funcnn.run(experiment(table, drop=("colour",)))
    assert list(plotting.fitting(flat)) == list(plotting.PICTURES)


def test_a_learning_curve_has_the_validation_parts_beside_it(table):
    run = funcnn.run(experiment(table))
    figure = plotting.learning_curve(run)
    top, bottom = figure.axes
    training, held, kept = top.get_lines()
    np.testing.assert_allclose(training.get_ydata(), run.history.loss)
    np.testing.assert_allclose(held.get_ydata(), run.history.val_loss)
    assert kept.get_xdata()[0] == int(run.history.best[0]) - 1
    np.testing.assert_allclose(bottom.get_lines()[1].get_ydata(), 100 * run.history.val_accuracy)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "training",
        "validation",
        f"kept: after epoch {int(run.history.best[0]) - 1}",
    ]


def test_numbers_have_no_accuracy_to_draw(table):
    assert len(plotting.learning_curve(funcnn.run(experiment(table, "weight"))).axes) == 1


def test_the_plane_is_drawn_in_the_files_units_and_names(table):
    run = funcnn.run(experiment(table, drop=("colour",)))
    axes = plotting.decision_surface(run).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("size", "weight")
    low, high = axes.get_xlim()
    sizes = [float(row[0]) for row in rows_of()]
    assert min(sizes) - 10 < low < min(sizes) + 10 < max(sizes) - 10 < high < max(sizes) + 10
    assert {line.get_label() for line in axes.get_lines()} >= {"big", "blue", "small"}


# --- what is said while it trains, and what says it ------------------------------------------------------------------


def test_each_epoch_is_told_once_and_changes_nothing(table):
    e, told = experiment(table), []
    run = funcnn.run(e, on_epoch=told.append)
    assert run == funcnn.run(e)
    assert [one.epoch for one in told] == run.history.epoch.tolist()
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert [getattr(one, name) for one in told] == getattr(run.history, name).tolist()


def test_epochs_after_a_run_has_stopped_are_not_told(table):
    told = []
    run = funcnn.run(experiment(table, epochs=400, patience=5, lr=0.05), on_epoch=told.append)
    assert [one.epoch for one in told] == run.history.epoch.tolist()
    data, many = funcnn.xor(), []
    funcnn.train(funcnn.init((2, 3, 1), seed=(1, 2)), data.x, data.y, epochs=3, on_epoch=many.append)
    assert [one.loss.shape for one in many] == [(2,)] * 3


def test_epochs_are_logged_a_json_line_each(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"mine": 1}\n')
    assert invoke("run", "xor", "--epochs", "3", "--quiet", "--log-json", log).exit_code == 0
    first, *lines = map(json.loads, log.read_text().splitlines())
    run = funcnn.run(Experiment(epochs=3))
    assert first == {"mine": 1}
    assert [(line["epoch"], line["loss"]) for line in lines] == list(enumerate(run.history.loss.tolist()))
    assert lines[0]["val_loss"] is None


def test_what_a_run_did_without_is_not_added_when_its_file_says_it(table, tmp_path):
    run = funcnn.run(experiment(table))
    funcnn.save(tmp_path / "run.npz", run)
    assert run.experiment.patience is None
    assert invoke("run", "--config", tmp_path / "run.npz", "--no-plots", "--quiet", "--out", tmp_path).exit_code == 0
    assert funcnn.load(tmp_path / "run.npz") == run


@pytest.mark.parametrize("name", ["summary.json", "run.npz"])
def test_what_a_run_has_left_says_it_again(name, table, tmp_path):
    words = ("run", table, "--target", "kind", "--epochs", "4", "--no-plots", "--quiet")
    assert invoke(*words, "--out", tmp_path / "a").exit_code == 0
    assert (
        invoke("run", "--config", tmp_path / "a" / name, "--no-plots", "--quiet", "--out", tmp_path / "b").exit_code
        == 0
    )
    for file in ("run.npz", "summary.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.toml", 'data = "linear"\nhidden = [4, 4]\nlr = 0.5\nepochs = 3\nbatch_size = 5\n'),
        ("e.json", '{"data": "linear", "hidden": [4, 4], "lr": 0.5, "epochs": 3, "batch_size": 5}'),
        ("bom.json", '\ufeff{"data": "linear", "hidden": [4, 4], "lr": 0.5, "epochs": 3, "batch_size": 5}'),
    ],
)
def test_options_override_what_a_file_says(name, text, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8")
    said = json.loads(invoke("run", "--config", tmp_path / name, "--lr", "0.25", "--json").stdout)["experiment"]
    assert (said["data"], said["hidden"], said["lr"], said["batch_size"]) == ("linear", [4, 4], 0.25, 5)
    other = json.loads(invoke("run", "xor", "--config", tmp_path / name, "--json").stdout)["experiment"]
    assert (other["data"], other["lr"]) == ("xor", 0.5)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("e.toml", "data = ", "e.toml is no TOML"),
        ("e.json", "{", "e.json is no JSON"),
        ("e.json", "[1]", "must hold the fields of an experiment, got list"),
        ("e.json", '{"hiden": [3]}', "unknown field in e.json 'hiden'; did you mean 'hidden'?"),
        ("e.json", '{"epochs": "many"}', "epochs must be a whole number"),
        ("e.json", '{"lr": 1}', "Missing argument 'DATA'"),
    ],
)
def test_a_file_that_says_no_experiment_is_refused(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    data = [] if "DATA" in message else ["xor"]
    refused = invoke("run", *data, "--config", tmp_path / name)
    assert refused.exit_code == 2
    assert message in refused.stderr
