"""What funcnn stands in: a numba that is there but not well, terminals, full disks, signals, and too little memory."""

import errno
import json
import os
import subprocess
import sys

import numba
import pytest

import funcnn
from funcnn import Activation, Experiment, engines
from funcnn.engines import compiled

# --- numba's cache ---------------------------------------------------------------------------------------------------


def shifted(x):
    return x + 1.0


def from_disk(key):
    """Return the kernel of `shifted` as a fresh process would."""
    return compiled.compiled(type(shifted)(shifted.__code__, globals(), "shifted"), key)


def loaded(kernel):
    assert kernel(2.0) == 3.0
    return sum(kernel.stats.cache_hits.values()) == 1


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Return index and data of a kernel that is on disk."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert not loaded(from_disk("key"))
    assert loaded(from_disk("key"))
    return next(tmp_path.rglob("*.nbi")), next(tmp_path.rglob("*.nbc"))


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def cut_short(path):
    path.write_bytes(path.read_bytes()[:30])


def of_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def text(path):
    path.write_text("no pickle")


def another_pickle(path):
    path.write_bytes(__import__("pickle").dumps({"something": "else"}))


def flipped(path):  # in the middle of the machine code, where it would be run
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = [emptied, cut, cut_short, of_zeros, text, another_pickle, flipped]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", [0, 1], ids=["index", "data"])
def test_a_damaged_cache_file_is_compiled_and_written_anew(damage, which, files):
    if damage is flipped and which == 0:
        pytest.skip("an index that still reads leads nowhere")
    damage(files[which])
    with pytest.warns(funcnn.EngineWarning, match=r"numba's cache in .* cannot be read: .* compiled anew \(\w+: "):
        assert not loaded(from_disk("key"))
    assert loaded(from_disk("key"))


def test_a_cache_file_that_is_gone_is_written_anew(files):
    for gone in (files[:1], files[1:], files):
        for path in gone:
            path.unlink()
        assert not loaded(from_disk("key"))
        assert loaded(from_disk("key"))


def no_room(*given, **options):
    raise OSError(errno.EDQUOT, "Disk quota exceeded")


@pytest.mark.parametrize("place", ["open", "makedirs"])
def test_where_the_cache_cannot_be_written_a_kernel_serves_its_process(place, files, monkeypatch):
    for path in files:
        path.unlink()
    patched = [f"numba.core.caching.{name}" for name in ("os.replace", "os.makedirs")]
    monkeypatch.setattr(patched[place == "makedirs"], no_room)
    with pytest.warns(funcnn.EngineWarning, match=r"serves this process alone \(.*(Disk quota exceeded|no locator)"):
        assert not loaded(from_disk("other"))


def test_a_folder_where_a_cache_file_should_be(files):
    files[1].unlink()
    files[1].mkdir()
    with pytest.warns(funcnn.EngineWarning, match=r"cannot be written to .* serves this process alone"):
        assert not loaded(from_disk("key"))


def run(*words, **environment):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "funcnn", *map(str, words)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_a_damaged_cache_costs_the_command_line_a_warning_and_no_more(tmp_path):
    words = ("run", "xor", "--act", "softsign", "--quiet")
    first = run(*words, NUMBA_CACHE_DIR=str(tmp_path))
    assert (first.returncode, first.stderr) == (0, "")
    for path in tmp_path.rglob("*.nb?"):
        emptied(path)
    second, third = (run(*words, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert second.returncode == 0
    assert second.stderr.startswith("warning: numba's cache in ")
    assert second.stderr.count("\n") == 1
    assert (third.returncode, third.stderr) == (0, "")
    assert first.stdout == second.stdout == third.stdout


# --- a numba that does not start, or does not compile -----------------------------------------------------------------

RAISED = {
    "SystemError": "raise SystemError('initialization of _internal failed without raising an exception')",
    "OSError": "raise OSError('Could not find/load shared object file')",
    "AttributeError": "import numpy; numpy.trapz_of_old",
    "ImportError": "raise ImportError('Numba needs NumPy 2.2 or less. Got NumPy 2.4.')",
    "ModuleNotFoundError": "import llvmlite_that_is_missing",
    "a stub": "njit = None",
}


@pytest.mark.parametrize("name", RAISED)
def test_a_numba_that_does_not_start_is_left_alone(name, tmp_path):
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text(RAISED[name])
    done = run("run", "xor", "--epochs", "3000", "--json", PYTHONPATH=str(tmp_path))
    assert (done.returncode, json.loads(done.stdout)["engine"]) == (0, "numpy")
    start = (
        "warning: engine 'compiled', which would be quicker, cannot run this: numba is installed, but does not start ("
    )
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1
    if name == "SystemError":
        refused = run("run", "xor", "--engine", "compiled", PYTHONPATH=str(tmp_path))
        assert refused.returncode == 2
        assert "numba is installed, but does not start (SystemError: initialization" in refused.stderr
        assert "engine='numpy' can" in refused.stderr


def test_numba_that_is_told_to_compile_nothing_is_left_alone():
    done = run("run", "xor", "--epochs", "3000", "--json", NUMBA_DISABLE_JIT="1")
    assert (done.returncode, json.loads(done.stdout)["engine"]) == (0, "numpy")
    assert done.stderr.startswith("warning: engine 'compiled'")
    assert "(NUMBA_DISABLE_JIT); 'numpy' does\n" in done.stderr


def by_import(z):
    import math

    return z * math.pi


def by_format(z):
    _ = f"{1:>10}"
    return z * 1.0


def by_generator(z):
    return sum(one for one in (z, z))


def slope(z, a):
    return 1.0 + 0.0 * z


@pytest.mark.parametrize("apply", [by_import, by_format, by_generator])
def test_what_numba_cannot_compile_runs_on_numpy_and_a_warning_says_why(apply):
    act = Activation("mine", apply, slope)
    params, data = funcnn.init((2, 3, 1), act=(act, "sigmoid"), scheme="glorot"), funcnn.xor()
    shapes = engines.shapes_of(params, 21)
    plan = funcnn.Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS["sgd"])
    with pytest.warns(funcnn.EngineWarning, match=r"'compiled'.*'mine' cannot be compiled: \w+Error: .*; 'numpy' does"):
        assert engines.choose("auto", plan, shapes, 10**6).name == "numpy"
    with pytest.raises(ValueError, match="'compiled' cannot run this: the activation 'mine' cannot be compiled"):
        funcnn.train(params, data.x, data.y, epochs=2, engine="compiled")


@pytest.mark.parametrize("error", [NotImplementedError, numba.core.errors.UnsupportedBytecodeError, MemoryError])
def test_a_kernel_that_cannot_be_compiled_is_an_obstacle(error, monkeypatch):
    def refuse(*given):
        raise error("a reason\nof two lines")

    compiled._try_kernel.cache_clear()
    monkeypatch.setattr(compiled, "kernel_of", refuse)
    with pytest.warns(funcnn.EngineWarning, match=rf"does not come to run \({error.__name__}: a reason of two lines\)"):
        engine = engines.choose("auto", *plainest(), 10**6)
    assert engine.name == "numpy"
    compiled._try_kernel.cache_clear()


def plainest():
    plan = funcnn.Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS["sgd"])
    return plan, engines.shapes_of(funcnn.init((2, 1)), 21)


def test_numba_that_is_not_installed_is_no_reason_for_a_warning(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in [name for name in sys.modules if name.startswith("funcnn.engines.compiled")]:
        monkeypatch.delitem(sys.modules, name)
    assert engines.choose("auto", *plainest(), 10**6).name == "numpy"
    with pytest.raises(ValueError, match=r"it needs numba: pip install 'funcnn\[fast\]'; engine='numpy' can"):
        funcnn.run(Experiment(epochs=2, engine="compiled"))
