"""What the commands share at their edge: users' mistakes as one-line errors, progress on a terminal only, arguments."""

import contextlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

#: The variable of the environment that asks for the traceback of a fault.
TRACEBACK = "FUNCNN_TRACEBACK"
#: The argument of the commands that look at a saved run.
RUN_FILE = click.argument("file", metavar="RUN.npz", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@contextlib.contextmanager
def users_mistakes() -> Iterator[None]:
    """Turn errors into one line and an exit code: 2 for wrong usage, 1 for files that fail and for faults of ours."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:  # whoever reads has had enough, which Click ends quietly
        raise
    except MemoryError as error:
        raise click.ClickException(": ".join(filter(None, ["there is not enough memory", str(error)]))) from error
    except OSError as error:
        said = error.strerror or str(error)
        raise click.ClickException(f"{error.filename}: {said}" if error.filename else said) from error
    except Exception as error:
        if _is_about_an_argument(error):
            raise click.UsageError(str(error)) from error
        if os.environ.get(TRACEBACK):
            raise
        raise click.ClickException(_fault(error)) from error


def _is_about_an_argument(error: Exception) -> bool:
    """Tell whether the library's edge raised this, which only knows of it once it is imported."""
    arguments = sys.modules.get("funcnn.arguments")
    return arguments is not None and isinstance(error, arguments.ArgumentError)


def in_a_line(error: Exception) -> str:
    """Return what an error is and says, without line ends."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _fault(error: Exception) -> str:
    return (
        f"this is a fault of funcnn's, not a mistake of yours ({in_a_line(error)}). Please report it with the command"
        f" and what {TRACEBACK}=1 in the environment makes it print."
    )


@contextlib.contextmanager
def progress(epochs: int, label: str, *, hidden: bool = False) -> Iterator[Callable[[int], Any]]:
    """Show a bar on a terminal's stderr; give a function to call with the number of epochs done."""
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done: None
        return
    bar: Any = click.progressbar(length=max(epochs, 1), label=label, file=sys.stderr)

    def done(count: int) -> None:
        bar.label = label
        _fit(bar)
        bar.update(count - bar.pos)

    _fit(bar)
    with bar, _heard(bar):
        yield done


@contextlib.contextmanager
def logged(path: Path | None) -> Iterator[Callable[[Any], Any] | None]:
    """Give a function that appends what an epoch recorded to a file, a JSON line each, or None without a file."""
    if path is None:
        yield None
        return
    import attrs

    from . import listing

    with path.open("a", encoding="utf-8") as file:

        def on_epoch(epoch: Any) -> None:
            file.write(listing.to_json_line(attrs.asdict(epoch, recurse=False)))
            file.flush()

        yield on_epoch


def _fit(bar: Any) -> None:
    """Leave out of a bar what does not fit a line of the terminal: longer ones would be left standing at each step."""
    given = "COLUMNS" in os.environ
    columns = shutil.get_terminal_size().columns if given else os.get_terminal_size(sys.stderr.fileno()).columns or 80
    longest = len("compiling once")
    room = columns - longest - len("  []  100%  1d 00:00:00") - 1
    label = "%(label)s  " if columns > longest + len("  100%") else ""
    bar.width, bar.show_eta = min(36, room), room >= 5
    bar.bar_template = label + ("[%(bar)s]  " if room >= 5 else "") + "%(info)s"


class Label(logging.Handler):
    """Shows what the library says that it is doing, in the place of a bar's label."""

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self.bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        """Show it until the next step."""
        self.bar.label = record.getMessage()
        self.bar.render_progress()


@contextlib.contextmanager
def _heard(bar: Any) -> Iterator[None]:
    logger, handler = logging.getLogger("funcnn"), Label(bar)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class Listed(click.ParamType[Any]):
    """Values separated by commas; one value alone stays alone where ``single`` says so."""

    def __init__(self, kind: Any, name: str, *, single: bool) -> None:
        self.kind, self.name, self.single = kind, name, single

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Split the text and convert each piece."""
        if not isinstance(value, str):
            return value
        pieces = [piece.strip() for piece in value.split(",")] if value.strip() else []
        try:
            values = tuple(self.kind(piece) for piece in pieces)
        except ValueError:
            self.fail(f"{value!r} is not a list like {self.name}", param, ctx)
        return values[0] if self.single and len(values) == 1 else values


def load_run(file: Path) -> Any:
    """Load a saved run, and refuse what is not the run of one network."""
    import funcnn
    from funcnn.runs import check_solo

    result = funcnn.load(file)
    if not isinstance(result, funcnn.Run):
        raise click.UsageError(f"{file} holds {type(result).__name__}, not a run")
    return check_solo(result)
