"""The two sides of a comparison: a revision and the working tree, each in a process of its own that stays alive."""

import contextlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("worker.py")


class Side:
    """A worker process with the funcnn of a folder, and with a cache of compiled kernels of its own."""

    def __init__(self, name: str, folder: Path, cache: Path):
        self.name, self.folder = name, folder
        self.environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self.environment |= {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(cache)}
        pipe = subprocess.PIPE
        self.process: Any = subprocess.Popen([sys.executable, WORKER], stdin=pipe, stdout=pipe, env=self.environment)

    def send(self, command: str, *arguments: Any) -> None:
        """Ask for something; the other side may be asked before the answer is received."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: `receive` says so
            pickle.dump((command, arguments), self.process.stdin)
            self.process.stdin.flush()

    def receive(self) -> Any:
        """Return the answer to what was sent."""
        try:
            fine, answer = pickle.load(self.process.stdout)
        except EOFError:
            raise click.ClickException(f"the process of the {self.name} side has ended; see above") from None
        if not fine:
            raise click.ClickException(f"the {self.name} side failed:\n{answer}")
        return answer

    def call(self, command: str, *arguments: Any) -> Any:
        """Send, and receive."""
        self.send(command, *arguments)
        return self.receive()

    def run(self, code: str) -> str:
        """Run ``python -c code`` with this side's funcnn, from start to end; return what it prints."""
        command = [sys.executable, "-c", code]  # which looks for modules in its working folder first
        ran = subprocess.run(command, env=self.environment, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        if ran.returncode:
            raise click.ClickException(f"python -c {code!r} failed on the {self.name} side; see above")
        return ran.stdout.strip()

    def without(self) -> str:
        """Check that it is this folder's funcnn; return why it has no compiled engine, if it has none."""
        file, reason = self.call("about")
        for found in (file, self.run("import funcnn; print(funcnn.__file__)")):
            if Path(found).resolve().parent != (self.folder / "funcnn").resolve():  # an installed one came first
                raise click.ClickException(f"the {self.name} side took {found}, not the funcnn in {self.folder}")
        return reason

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def _git(*arguments: str) -> bytes:
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    if ran.returncode:
        raise click.UsageError(f"git {arguments[0]}: {ran.stderr.decode().strip()}")
    return ran.stdout


def revision(rev: str) -> str:
    """Return the commit that a name means."""
    return _git("rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}").decode().strip()


@contextlib.contextmanager
def pair(commit: str) -> Iterator[tuple[Side, Side]]:
    """Start both sides, old and new; end them and remove the old one's files at the end."""
    with tempfile.TemporaryDirectory(prefix="against-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, "funcnn"))) as archive:
            archive.extractall(folder / "old", filter="data")
        sides = []
        for side, at in (("old", folder / "old"), ("new", ROOT)):
            sides.append(Side(side, at, folder / f"numba-{side}"))
            stack.callback(sides[-1].end)
        yield sides[0], sides[1]
