"""What funcnn stands in: a numba that is there but not well, terminals, full disks, signals, and too little memory."""

import contextlib
import errno
import fcntl
import json
import os
import pickle
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import tomllib
from pathlib import Path

import numba
import pytest
from click.testing import CliRunner
from funcnn_cli import main
from packaging.version import Version

import funcnn
from funcnn import Activation, Experiment, engines, memory, plotting
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


def others(path):
    path.write_bytes(pickle.dumps(numba.__version__) + pickle.dumps(["something", "else", "altogether"]))


def flipped(path):  # one bit, in the middle of the machine code, where it would be run
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = [emptied, cut, cut_short, of_zeros, text, others, flipped]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", [0, 1], ids=["index", "data"])
def test_a_damaged_cache_file_is_compiled_and_written_anew(damage, which, files):
    if (damage, which) == (flipped, 0):
        pytest.skip("another index that reads leads to no data, or to some that are looked through")
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


@pytest.mark.parametrize("place", ["os.replace", "os.makedirs"])
def test_where_the_cache_cannot_be_written_a_kernel_serves_its_process(place, files, monkeypatch):
    for path in files:
        path.unlink()
    monkeypatch.setattr(f"numba.core.caching.{place}", no_room)
    with pytest.warns(funcnn.EngineWarning, match=r"serves this process alone \(.*(Disk quota exceeded|no locator)"):
        assert not loaded(from_disk("other"))


def test_a_folder_where_a_cache_file_should_be(files):
    files[1].unlink()
    files[1].mkdir()
    with pytest.warns(funcnn.EngineWarning, match=r"cache in .* cannot be written: .* serves this process alone"):
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
    output, first = on_terminal(
        ["run", "xor", "--act", "softsign"], columns=80, NUMBA_OPT="1", NUMBA_CACHE_DIR=str(tmp_path)
    )
    assert "compiling once" in output
    for path in tmp_path.rglob("*.nb?"):
        emptied(path)
    second, third = (run(*words, NUMBA_OPT="1", NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert (first, second.returncode, third.returncode) == (0, 0, 0)
    assert second.stderr.startswith("warning: numba's cache in ")
    assert second.stderr.count("\n") == 1
    assert third.stderr == ""
    assert second.stdout == third.stdout


# --- a numba that does not start, or does not compile ----------------------------------------------------------------

RAISED = {
    "SystemError": "raise SystemError('initialization of _internal failed without raising an exception')",
    "OSError": "raise OSError('Could not find/load shared object file')",
    "AttributeError": "import numpy; numpy.trapz_of_old",
    "ImportError": "raise ImportError('Numba needs NumPy 2.2 or less. Got NumPy 2.4.')",
    "ModuleNotFoundError": "import llvmlite_that_is_missing",
    "RuntimeError": "raise RuntimeError('CPU dispatcher tracer already initialized')",
}


BROKEN = """
import sys, warnings
from funcnn import engines, init, LOSSES, OPTIMIZERS, Plan
plan, shapes = Plan(LOSSES["half_sse"], OPTIMIZERS["sgd"]), engines.shapes_of(init((2, 1)), 21)
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    with warnings.catch_warnings(record=True, action="always") as said:
        engine = engines.choose("auto", plan, shapes, 10**6)
    print(engine.name, *[f"{one.category.__name__}: {one.message}" for one in said])
    sys.path.remove(folder)
    for name in [name for name in sys.modules if name.startswith("numba")]:
        del sys.modules[name]
"""


def test_a_numba_that_does_not_start_is_left_alone(tmp_path):
    for name, content in RAISED.items():
        (tmp_path / name / "numba").mkdir(parents=True)
        (tmp_path / name / "numba" / "__init__.py").write_text(content)
    script = [sys.executable, "-c", BROKEN, *(str(tmp_path / name) for name in RAISED)]
    lines = subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()
    start = "numpy EngineWarning: engine 'compiled', which auto would take, cannot run this: numba is installed, but"
    for name, line in zip(RAISED, lines, strict=True):
        assert line.startswith(f"{start} does not start ({name}: "), line
        assert line.endswith("); 'numpy' does")
    refused = run("run", "xor", "--engine", "compiled", PYTHONPATH=str(tmp_path / "SystemError"))
    assert refused.returncode == 2
    assert "numba is installed, but does not start (SystemError: initialization" in refused.stderr
    assert "engine='numpy' can" in refused.stderr


def test_numba_that_is_told_to_compile_nothing_is_left_alone():
    done = run("run", "xor", "--epochs", "3000", "--json", NUMBA_DISABLE_JIT="1")
    assert (done.returncode, json.loads(done.stdout)["engine"]) == (0, "numpy")
    assert done.stderr == (
        "warning: engine 'compiled', which auto would take, cannot run this: numba is told to compile nothing"
        " (NUMBA_DISABLE_JIT); 'numpy' does\n"
    )


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
    with pytest.warns(funcnn.EngineWarning, match=rf"does not come to run \({error.__name__}: a reason of two lines"):
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


# --- terminals, pipes and devices ------------------------------------------------------------------------------------


def on_terminal(words, columns, **environment):
    """Return what the command line writes to a terminal's stderr, and its exit code."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | environment
    process = subprocess.Popen(
        [sys.executable, "-m", "funcnn", *words], stdout=subprocess.DEVNULL, stderr=its, env=given
    )
    os.close(its)
    output = b""
    with contextlib.suppress(OSError):  # as Linux tells that the other end is closed
        while piece := os.read(ours, 4096):
            output += piece
    os.close(ours)
    return output.decode(), process.wait()


@pytest.mark.parametrize("columns", [3, 20, 34, 80])
def test_the_bar_fits_the_terminal(columns):
    output, code = on_terminal(["run", "xor", "--epochs", "2000", "--engine", "numpy"], columns)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", output))
    assert code == 0
    assert "100%" in output
    assert max(map(len, lines)) < max(columns, 5)
    assert ("training" in output, "##" in output) == (columns > 20, columns == 80)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run.npz"
    funcnn.save(path, funcnn.run(Experiment(epochs=3, engine="numpy")))
    return path


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no such device")
def test_a_full_device_is_one_line_and_exit_1(saved, tmp_path):
    commands = ["--help", "--version", "list", "list --json", "run --help", f"show {saved}", f"show {saved} --json"]
    commands += [f"plot {saved} --out {tmp_path}", "run xor --epochs 3 --engine numpy", "run xor --epochs 3 --json"]
    processes = []
    for command in commands:
        with FULL.open("w") as full:
            words = [sys.executable, "-m", "funcnn", *command.split()]
            processes.append(subprocess.Popen(words, stdout=full, stderr=subprocess.PIPE, text=True))
    for command, process in zip(commands, processes, strict=True):
        assert (process.communicate()[1], process.returncode) == ("Error: No space left on device\n", 1), command


@pytest.mark.skipif(not FULL.exists(), reason="no such device")
def test_results_are_there_where_stderr_is_full_or_closed(tmp_path):
    words = f"{sys.executable} -m funcnn run xor --epochs 3 --engine numpy --out {tmp_path / 'x'} --no-plots"
    for redirected in ("2>/dev/full", "2>&-"):
        done = subprocess.run(f"{words} {redirected}", shell=True, stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0
        assert "accuracy=" in done.stdout
    done = subprocess.run(f"{sys.executable} -m funcnn run xro 2>/dev/full", shell=True)
    assert done.returncode == 2


def test_a_reader_that_has_had_enough_is_no_error():
    words = f"{sys.executable} -m funcnn list --long | head -n 1"
    done = subprocess.run(words, shell=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("data sets\n", "")


@pytest.mark.parametrize("out", ["/dev/full", "file/x", "x" * 300])
def test_a_folder_that_cannot_be_made_is_one_line(out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("precious")
    result = CliRunner().invoke(main, ["run", "xor", "--epochs", "1", "--engine", "numpy", "--out", out])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert re.fullmatch(r"Error: \S+: [\w ]+\n", result.stderr)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp437"])
def test_what_an_encoding_lacks_is_written_as_what_looks_like_it(encoding, saved):
    done = subprocess.run(
        [sys.executable, "-m", "funcnn", "show", saved],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        encoding=encoding,
        check=True,
    )
    assert re.search(r"^network +2 -> 3 sigmoid -> 3 sigmoid -> 1 sigmoid$", done.stdout, re.MULTILINE)


def test_json_is_ascii(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "weights–\N{GRINNING FACE}\udcff.npz"  # the last byte is no letter
    funcnn.save(name, funcnn.init((2, 3, 3, 1)))
    words = ["run", "xor", "--params", name, "--epochs", "2", "--engine", "numpy", "--json", "--out", "x", "--no-plots"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert result.stdout.isascii()
    assert json.loads(result.stdout)["experiment"]["start"] == name.replace("\udcff", "\N{REPLACEMENT CHARACTER}")
    assert Path("x/summary.json").read_text(encoding="ascii") == result.stdout


def test_a_notebooks_backend_is_no_reason_to_fail(saved, tmp_path):
    code = "import os; from funcnn import plotting; import matplotlib.style; print(os.environ['MPLBACKEND'])"
    for backend in ("module://matplotlib_inline.backend_inline", "nonsense"):
        environment = {"MPLBACKEND": backend}
        done = run("run", "xor", "--epochs", "3", "--engine", "numpy", "--out", tmp_path / backend[:3], **environment)
        assert (done.returncode, done.stderr.count("\n")) == (0, 1)
        assert {f"{name}.png" for name in plotting.PICTURES} < {one.name for one in (tmp_path / backend[:3]).iterdir()}
    library = [sys.executable, "-c", code]
    done = subprocess.run(library, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    assert done.stdout == "nonsense\n"


def test_a_matplotlib_that_does_not_start_is_said_before_training(tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise OSError('libfreetype.so.6: cannot open')")
    done = run("run", "xor", "--epochs", 10**8, "--out", tmp_path / "new", PYTHONPATH=str(tmp_path))
    said = "Error: matplotlib, which draws the pictures, does not start (OSError: libfreetype.so.6: cannot open)\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert not (tmp_path / "new").exists()


# --- signals, and what stays behind ----------------------------------------------------------------------------------


#: Who runs these tests in the background, or by nohup, has such signals ignored.
HEEDING = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "funcnn", *sys.argv[1:]])
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_run_that_is_interrupted_leaves_nothing(number, code, tmp_path):
    out = tmp_path / "new" / "deep"
    words = ["run", "xor", "--epochs", "100000000", "--engine", "numpy", "--out", out, "--no-plots"]
    process = subprocess.Popen([sys.executable, "-c", HEEDING, *words], stderr=subprocess.PIPE, text=True)
    try:
        while not out.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said.strip()) == (code, "Aborted!" if number == signal.SIGINT else "")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    ["run xor --lr 0", "run xor --engine fast", "run xor --hidden 0", "run xor --hidden 99999999999", "reproduce bass"],
)
def test_what_is_refused_leaves_no_folder(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, [*words.split(), "--out", "new/deep"]).exit_code in (1, 2)
    assert not any(tmp_path.iterdir())
    Path("mine").mkdir()  # but one that was there stays
    assert CliRunner().invoke(main, [*words.split(), "--out", "mine"]).exit_code in (1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# --- memory ----------------------------------------------------------------------------------------------------------

TOO_LARGE = {
    "--hidden 9223372036854775807": "a 2-9223372036854775807-1 network would take 1,328,165,573,307,087,716,208",
    "--hidden 3,99999999999": "training a 2-3-99999999999-1 network would take 19,200,000,000,096",
    "--hidden 1000000,1000000 --optimizer adam": "2-1000000-1000000-1 network would take 96,000,288,000,000",
    "--epochs 1000000000000": "the history of 1,000,000,000,000 epochs of a 2-3-3-1 network, every 500th logged, would",
    "--epochs 99999999999999999999999": "the history of 99,999,999,999,999,999,999,999 epochs",
    "--epochs 10000000000 --log-every 1": "10,000,000,000 epochs of a 2-3-3-1 network, every 1th logged,",
}


@pytest.mark.parametrize("words", TOO_LARGE)
def test_what_no_memory_holds_is_refused_in_bytes(words):
    result = CliRunner().invoke(main, ["run", "xor", *words.split()])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is not enough memory: ")
    assert TOO_LARGE[words] in result.stderr
    assert re.search(r" would take [\d,]{15,} bytes of memory, this machine has [\d,]+\n$", result.stderr)


def test_many_seeds_are_refused_before_any_is_drawn(tmp_path):
    words = ["reproduce", "dead-relu", "--seeds", str(10**12), "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "1,000,000,000,001 2-3-3-1 networks would take" in result.stderr


@pytest.mark.parametrize(
    "make",
    [
        lambda: funcnn.init((2, 10**12, 1)),
        lambda: funcnn.init((2, 3, 1), seed=range(10**12)),
        lambda: funcnn.linear(10**13),
        lambda: Experiment(seed=range(10**13)),
        lambda: funcnn.run(Experiment(hidden=(10**6, 10**6))),
        lambda: funcnn.train(funcnn.init((2, 1)), *XOR, epochs=10**13),
        lambda: funcnn.train(funcnn.init((2, 1)), *XOR, epochs=10**13, log_every=1, validation=XOR),
    ],
)
def test_the_library_refuses_it_too(make):
    with pytest.raises(MemoryError, match=r"would take [\d,]{15,} bytes of memory, this machine has [\d,]+$"):
        make()


XOR = (funcnn.xor().x, funcnn.xor().y)


def test_epochs_without_end_are_no_matter_where_a_run_is_told_to_stop():
    _, history = funcnn.train(funcnn.init((2, 1)), *XOR, epochs=10**8, stop=lambda h: len(h.epoch) == 7, engine="numpy")
    assert len(history.loss) == 7


def test_what_the_machine_has_is_what_counts(monkeypatch):
    params = funcnn.init((2, 100, 100, 1))
    needed = 5 * 10_300 * 8
    for have, fits in ((needed + 100_000, True), (needed - 1, False)):
        monkeypatch.setattr(memory, "there_is", lambda have=have: have)
        refused = pytest.raises(MemoryError, match=f"{needed:,} bytes.* has {have:,}")
        with contextlib.nullcontext() if fits else refused:
            funcnn.train(params, *XOR, epochs=1, engine="numpy")


def test_the_compiled_engine_counts_what_its_arrays_take(monkeypatch):
    params = funcnn.init((2, 3000, 1))  # 9,000 weights, in two squares of 3,001 × 3,000
    monkeypatch.setattr(memory, "there_is", lambda: 10**8)
    with pytest.raises(ValueError, match=r"its arrays, .* would take 432,144,000 bytes .*engine='numpy' can"):
        funcnn.train(params, *XOR, epochs=1, engine="compiled")
    with pytest.warns(funcnn.EngineWarning, match="its arrays, "):
        assert engines.choose("auto", plainest()[0], engines.shapes_of(params, 21), 10**5).name == "numpy"


def test_a_system_that_does_not_tell_its_memory_refuses_nothing(monkeypatch):
    monkeypatch.delattr("os.sysconf")
    have = memory.there_is(("/not/there",))
    assert have == float("inf")
    monkeypatch.setattr(memory, "there_is", lambda: have)
    assert memory.lacking(10**30) is None


def test_a_container_has_what_it_is_given(tmp_path):
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("1000000\n")
    assert memory.there_is((str(tmp_path / "max"), str(tmp_path / "limit"))) == 1_000_000


# --- versions --------------------------------------------------------------------------------------------------------


def test_the_lowest_versions_that_are_tested_are_those_that_are_allowed():
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    allowed = dict(
        one.split(">=") for one in [*project["dependencies"], *extras["fast"], *extras["jax"], *extras["test"]]
    )
    lines = (root / "tests" / "lowest.txt").read_text().splitlines()
    tested = dict(line.partition(" ")[0].split("==") for line in lines if not line.startswith("#"))
    linters = {"ruff", "mypy"}  # which are not run on them
    assert {name: Version(tested[name]) for name in allowed.keys() - linters} == {
        name: Version(version) for name, version in allowed.items() if name not in linters
    }
