"""What the process owes its terminal and its shell: how it ends, what it says where, and that it can be written."""

import _thread
import codecs
import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

#: What is written for a letter that an encoding lacks.
PLAIN = {"→": "->", "–": "-", "−": "-", "…": "...", "×": "x", "·": "*", "≤": "<=", "“": '"', "”": '"', "‖": "||"}
#: Exit code of what was interrupted, as shells have it.
INTERRUPTED = 128 + signal.SIGINT


def ended_well(main: click.Command) -> int:
    """Run the command line and return the process's exit code; whatever the ending, no traceback that is the user's."""
    _clean_up_when_told_to_end()
    heed_what_is_swallowed()
    try:
        code = main(prog_name="funcnn", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        with contextlib.suppress(OSError):  # nowhere to say it
            error.show()
        return error.exit_code
    except click.Abort as abort:  # Click's word for two errors
        if isinstance(abort.__cause__, EOFError):
            raise abort.__cause__ from None
        note("Aborted!")
        return INTERRUPTED
    except OSError as error:  # of stdout: the commands speak for their files
        _drop_output()
        note(f"Error: {error.strerror or error}")
        return 1


def leave(code: int) -> NoReturn:
    """End the process; one that was interrupted, at once: a compiler that was may crash as Python takes it down."""
    if code == INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _clean_up_when_told_to_end() -> None:
    """Let signals that end a process at once unwind it instead, so that it leaves nothing half done."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: sys.exit(128 + number))


def heed_what_is_swallowed() -> None:
    """Let a signal come again that was raised where it could not end anything, as in what a compiler calls back."""
    before = sys.unraisablehook

    def hook(found: Any) -> None:
        number = signal.SIGINT if issubclass(found.exc_type, KeyboardInterrupt) else None
        if issubclass(found.exc_type, SystemExit) and isinstance(found.exc_value.code, int):
            number = signal.Signals(found.exc_value.code - 128) if found.exc_value.code > 128 else None
        if number is None:
            before(found)
        else:
            timer = threading.Timer(0.05, _thread.interrupt_main, (number,))
            timer.daemon = True
            timer.start()

    sys.unraisablehook = hook


def _drop_output() -> None:
    """Send what stdout has not written nowhere, lest Python try again when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Say something on stderr, where that can be written."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


@contextlib.contextmanager
def warnings_in_a_line() -> Iterator[None]:
    """Say warnings as this program's, without a place in its source."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        note(f"warning: {' '.join(str(message).split())}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def survive_any_encoding() -> None:
    """Let a letter that the terminal's encoding lacks be written as what looks like it, or as its number."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in letters), error.end


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Make a folder for what is to come, and take it away again where nothing came."""
    new = [one for one in (path, *path.parents) if not one.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield path
    except BaseException:
        for one in new:
            with contextlib.suppress(OSError):  # there is something in it
                one.rmdir()
        raise
