"""What the commands share at their edge: users' mistakes as one-line errors, progress on a terminal only, arguments."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

#: The argument of the commands that look at a saved run.
RUN_FILE = click.argument("file", metavar="RUN.npz", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def survive_any_encoding() -> None:
    """Let a letter that the terminal's encoding lacks be written as its number, which JSON reads as that letter."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def users_mistakes() -> Iterator[None]:
    """Turn the library's errors into one line and an exit code: 2 for wrong usage, 1 for files that fail."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
    except BrokenPipeError:  # whoever reads has had enough, which Click ends quietly
        raise
    except MemoryError as error:
        raise click.ClickException("there is not enough memory for this") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


@contextlib.contextmanager
def progress(epochs: int, label: str, *, hidden: bool = False) -> Iterator[Callable[[int], Any]]:
    """Show a bar on a terminal's stderr; give a function to call with the number of epochs done."""
    with click.progressbar(
        length=max(epochs, 1), label=label, file=sys.stderr, hidden=hidden or not sys.stderr.isatty()
    ) as bar:
        yield lambda done: bar.update(done - bar.pos)


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
    from funcnn.experiments import check_solo

    result = funcnn.load(file)
    if not isinstance(result, funcnn.Run):
        raise ValueError(f"{file} holds {type(result).__name__}, not a run")
    check_solo(result)
    return result
