"""The report from Python: the same numbers as the command's, and a library that knows nothing of it."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from funcnn_cli import main
from funcnn_cli.listing import to_json

import funcnn
from funcnn import lab


def test_python_users_get_the_numbers_of_the_command(tmp_path):
    told = []
    reproduction = lab.reproduce("network", seeds=3, progress=told.append)
    words = ["reproduce", "network", "--seeds", "3", "--out", str(tmp_path), "--json"]
    assert to_json(lab.summary(reproduction)) == CliRunner().invoke(main, words).stdout
    assert told == sorted(told)
    assert told[-1] == sum(experiment.epochs for experiment, _ in lab.ensembles(["network"]))
    (result,) = reproduction.results.values()
    solo = [funcnn.scores(funcnn.run(funcnn.Experiment(seed=seed)))[0] for seed in range(3)]
    assert result.loss.tolist() == solo


def test_suites_come_in_the_order_of_the_report_and_all_where_none_is_named():
    assert lab.chosen("relu", "base") == ["base", "relu"]
    assert lab.chosen() == list(lab.SUITES)


def test_mistakes_are_explained():
    with pytest.raises(ValueError, match="unknown experiment 'bass'; did you mean 'base'"):
        lab.reproduce("bass")
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1, got 0"):
        lab.reproduce("base", seeds=0)


SCRIPT = """
import importlib, pathlib, sys, funcnn
root = pathlib.Path(funcnn.__file__).parent
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root.parent).with_suffix("").parts
    if "lab" not in parts and "__main__" not in parts:
        importlib.import_module(".".join(parts).removesuffix(".__init__"))
assert "funcnn.plotting.plane" in sys.modules
assert not any(name.startswith("funcnn.lab") for name in sys.modules)
"""


def test_the_library_knows_nothing_of_the_report():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)


def test_its_numbers_need_no_matplotlib():
    subprocess.run(
        [sys.executable, "-c", "import sys; from funcnn import lab; assert 'matplotlib' not in sys.modules"], check=True
    )
