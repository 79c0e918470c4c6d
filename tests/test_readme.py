"""What README shows runs as it stands there."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import funcnn

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
DEFAULTS = dict(re.findall(r"^\| ([\w-]+)'s? .*\| `(.*\| `.*)` \|$", TEXT, re.MULTILINE))


def test_the_python_of_readme_runs_block_by_block(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {}
    try:
        for block in BLOCKS:
            exec(compile(block, "README.md", "exec"), space)
    finally:
        jax.config.update("jax_enable_x64", False)  # as it was, for the tests that follow
    assert {path.name for path in tmp_path.iterdir()} == {"run.npz", "surface.svg"}


@pytest.mark.parametrize("library", ["scikit-learn", "Keras", "FANN"])
def test_the_defaults_of_others_are_arguments_of_ours(library):
    of_init, of_train = DEFAULTS[library].split("` | `")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 4)), np.eye(3)[rng.integers(3, size=40)]
    params = eval(f"funcnn.init((4, 5, 3), seed=0, {of_init})", {"funcnn": funcnn})
    given = {"engine": "numpy"} | eval(f"dict({of_train})")
    _, history = funcnn.train(params, x, y, **given | {"epochs": 20})
    assert history.loss[-1] < history.loss[0]
    assert all(np.abs(layer.b).max() > 0 for layer in history.state.params.layers)
