"""Whole processes: the lab's linear run from the shell, imports, compiling and all."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

SCRIPTS = Path(__file__).parent / "scripts"
FUNCNN = (sys.executable, "-m", "funcnn_cli", "run", "linear", "--no-plots", "--quiet")
EPOCHS = 9000
#: Name, module that must be there, command, the share of the epochs that is run, and the option that says how many.
CONTESTANTS = (
    ("funcnn", "funcnn_cli", FUNCNN, 1, ("--epochs",)),
    ("JAX script", "jax", (sys.executable, str(SCRIPTS / "jax_linear.py")), 1, ()),
    ("textbook NumPy script", "numpy", (sys.executable, str(SCRIPTS / "numpy_linear.py")), 1, ()),
    ("PyTorch script, a tenth × 10", "torch", (sys.executable, str(SCRIPTS / "torch_linear.py")), 10, ()),
)


def result(command: tuple[str, ...]) -> str:
    """Run a command and return the result line it prints."""
    ran = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in ran.stdout.splitlines() if line.startswith("loss=")]
    if ran.returncode or not lines:
        raise click.ClickException(f"{' '.join(command)} gave no result: {ran.stderr.strip() or ran.returncode}")
    return lines[0]


def contestants() -> tuple[dict[str, tuple[tuple[str, ...], int]], list[str]]:
    """Return command and share by name, those missing as lines, and check that all come to the same result.

    The first run of each is not timed: it also fills the caches of compiled kernels and of the disk.
    """
    commands, notes = {}, []
    if not importlib.util.find_spec("funcnn_cli"):
        return {}, ["skipped: the funcnn command is not installed"]
    expected: dict[int, str] = {}
    for name, module, command, share, option in CONTESTANTS:
        if not importlib.util.find_spec(module):
            notes.append(f"{name}: skipped, {module} is not installed")
            continue
        if share not in expected:
            expected[share] = result((*FUNCNN, "--epochs", str(EPOCHS // share)))
        commands[name] = (*command, *option, str(EPOCHS // share)), share
        if (line := result(commands[name][0])) != expected[share]:
            raise click.ClickException(f"{name} comes to {line}, funcnn to {expected[share]}")
    return commands, notes
