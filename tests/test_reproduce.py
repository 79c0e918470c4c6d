"""``funcnn reproduce``: the page against a golden, its pictures, and every number of the report on it."""

import itertools
import json
import math
import re
import statistics
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from funcnn_cli import main

import funcnn
from funcnn import Experiment, lab
from goldens import compare

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    result = CliRunner().invoke(main, ["reproduce", "--seeds", "5", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def test_page_and_table_against_goldens(page, rewrite_goldens):
    folder, stdout = page
    compare("reproduce.md", (folder / "README.md").read_text(encoding="utf-8"), rewrite=rewrite_goldens)
    compare("reproduce.txt", stdout, rewrite=rewrite_goldens)


def test_every_picture_on_the_page_is_there_and_no_other(page):
    folder, _ = page
    shown = set(re.findall(r'src="([^"]+)"', (folder / "README.md").read_text(encoding="utf-8")))
    assert shown == {path.name for path in folder.glob("*.svg")}
    for path in folder.glob("*.svg"):
        assert path.stat().st_size < 150_000, path.name


def test_every_number_of_the_report_is_on_the_page(page):
    """Each number that the report printed stands on the page in one of the forms the page writes it."""
    text = (page[0] / "README.md").read_text(encoding="utf-8")
    on_page = set(re.findall(r"(?<![\d.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text))

    def numbers(value):
        if isinstance(value, dict):
            for one in value.values():
                yield from numbers(one)
        elif isinstance(value, list):
            for one in value:
                yield from numbers(one)
        elif isinstance(value, int | float):
            yield value

    for value in numbers(json.loads((ROOT / "funcnn" / "lab" / "report" / "report.json").read_text())):
        forms = {f"{value:.9g}", f"{value:.8f}", f"{value:.5f}", f"{value:.6g}", f"{value:.2f}", f"{value:.1f}"}
        assert on_page & (forms | {repr(value), f"{value:g}", f"{value:,}"}), value


def test_linear_data_over_draws_of_points_and_weights_of_either_alone_and_as_the_command_runs_it(tmp_path):
    words = ["reproduce", "base", "--seeds", "3", "--out", str(tmp_path), "--json"]
    numbers = json.loads(CliRunner().invoke(main, words).stdout)
    seeds = {
        "both": [{"seed": k, "data_seed": k} for k in range(3)],
        "points": [{"data_seed": k} for k in range(3)],
        "weights": [{"seed": k} for k in range(3)],
    }
    ours, *runs = (
        funcnn.run(Experiment(data="linear", **one)) for one in [{}, *itertools.chain.from_iterable(seeds.values())]
    )
    runs = dict(zip(seeds, (runs[:3], runs[3:6], runs[6:]), strict=True))
    row = numbers["accuracies"][0]
    accuracies = sorted(float(funcnn.scores(run)[1]) for run in runs["both"])
    assert row["ours"] == funcnn.scores(ours)[1]
    assert [row[key] for key in ("low", "median", "high")] == accuracies
    for row in numbers["logs"]["linear"]:
        losses = sorted(float(run.history.loss[row["epoch"]]) for run in runs["both"])
        assert [row[key] for key in ("low", "median", "high")] == losses
        assert row["ours"] == ours.history.loss[row["epoch"]]
    figures = {
        "loss of epoch 0": lambda run: run.history.loss[0],
        "loss of epoch 8,500": lambda run: run.history.loss[8500],
        "test loss": lambda run: funcnn.scores(run)[0],
        "accuracy": lambda run: funcnn.scores(run)[1],
    }
    assert [(row["figure"], row["drawn"]) for row in numbers["spread"]] == list(itertools.product(figures, seeds))
    for row in numbers["spread"]:
        values = {drawn: sorted(float(figures[row["figure"]](run)) for run in some) for drawn, some in runs.items()}
        assert [row[key] for key in ("low", "median", "high")] == values[row["drawn"]]
        scale = float if row["figure"] == "accuracy" else math.log
        part, whole = (statistics.pvariance(map(scale, values[drawn])) for drawn in (row["drawn"], "both"))
        assert row["share"] == (pytest.approx(part / whole) if whole else None)
        below = sum(value < row["report"] for value in values[row["drawn"]]) / 3
        assert row["standing"] == pytest.approx(below) or row["figure"] == "accuracy"


def test_one_seed_shows_no_spread(tmp_path):
    result = CliRunner().invoke(main, ["reproduce", "base", "--seeds", "1", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "the spread is nothing that so few seeds could show" in (tmp_path / "base.md").read_text(encoding="utf-8")


def test_some_experiments_only(tmp_path):
    words = ["reproduce", "dead-relu", "--seeds", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, [*words, "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["accuracies"][0]["experiment"] == "dead-relu"
    assert {path.name for path in tmp_path.iterdir()} == {
        "dead-relu.md",
        "dead-relu-gradients.svg",
        "dead-relu-learning.svg",
    }
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    CliRunner().invoke(main, words)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_committed_page_is_what_the_command_says_it_is():
    text = (ROOT / "figures" / "README.md").read_text(encoding="utf-8")
    assert "`funcnn reproduce --seeds 100`" in text
    shown = set(re.findall(r'src="([^"]+)"', text))
    assert shown == {path.name for path in (ROOT / "figures").glob("*.svg")}


def test_without_numba_it_says_beforehand_how_long_it_takes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(lab, "reproduce", _only_forewarned)
    result = CliRunner().invoke(main, ["reproduce", "dead-relu", "--seeds", "2", "--out", str(tmp_path)])
    assert "numba is not installed: this will take about" in result.stderr


def _only_forewarned(*names, **options):
    raise SystemExit(0)
