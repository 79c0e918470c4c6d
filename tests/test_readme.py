"""What README shows runs as it stands there."""

import re
from pathlib import Path

import attrs
import jax
import numpy as np
import pytest

import funcnn
from funcnn import Params
from trees import assert_near

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
DEFAULTS = dict(re.findall(r"^\| ([\w-]+)'s? .*\| `(.*\| `.*)` \|$", TEXT, re.MULTILINE))


def test_the_python_of_readme_runs_block_by_block(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {}
    try:
        for block in BLOCKS:
            exec(compile(block, "README.md", "exec"), space)
        what_jax_gives_is_what_numpy_gives(space)
    finally:
        jax.config.update("jax_enable_x64", False)  # as it was, for the tests that follow
    assert {path.name for path in tmp_path.iterdir()} == {"run.npz", "surface.svg"}


def what_jax_gives_is_what_numpy_gives(space):
    x, y, start, slopes = (space[name] for name in ("x", "y", "start", "slopes"))
    assert_near(slopes, funcnn.grads(start, x, y))
    assert_near(space["automatic"], slopes)
    for k in (0, 99):
        assert_near(space["each"][k], funcnn.forward(funcnn.init((2, 3, 1), seed=k), x))
    state = funcnn.fresh_state(space["plan"], start)
    for sample in zip(x[:, None], y[:, None], strict=True):
        state, _ = funcnn.step(space["plan"], state, *sample, 0.1)
    assert_near(space["state"].params, state.params)
    assert (space["y_hats"].shape, space["state"].t) == ((21, 1, 1), 21)
    second, h = space["curvature"].layers[0].w.layers[1].w, 1e-5  # by the first layer's weights and the second's
    nudge = np.array([[h], [0], [0]])
    bent = [attrs.evolve(start.layers[1], w=start.layers[1].w + sign * nudge) for sign in (1, -1)]
    ahead, behind = (funcnn.grads(Params([start.layers[0], layer]), x, y).layers[0].w for layer in bent)
    np.testing.assert_allclose(second[:, :, 0, 0], (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-9)
    adam = funcnn.OPTIMIZERS["adam"]
    moved, _ = funcnn.optimizer_step(adam, start, funcnn.grads(start, x, y), funcnn.fresh_slots(adam, start), 1.0, 0.01)
    assert space["history"].engine == "jax"
    assert isinstance(space["params"].layers[0].w, jax.Array)
    theirs, _ = funcnn.train(moved, x, y, epochs=100, engine="numpy")
    assert_near(space["params"], theirs, 1e-6)  # optax's adam rounds in other places


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
