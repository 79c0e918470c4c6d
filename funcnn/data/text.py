"""Lines of text, from wherever: a file, standard input or a stream; packed or not; in whatever encoding."""

import codecs
import contextlib
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from typing import IO, Any, TypeAlias

from ..arguments import ArgumentTypeError, ArgumentValueError

#: What can be read: a file's path, "-" for standard input, or a stream of text or bytes.
Source: TypeAlias = str | os.PathLike[str] | IO[str] | IO[bytes]

#: Characters of the longest line: what goes on without an end is no table.
LONGEST = 2**24
#: What no text holds.
NUL = "\0"
#: Bytes that are looked at before anything is read.
HEAD = 2**16
#: The bytes that text begins with to say how it is encoded. Those of UTF-32 begin with those of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What decoders raise over bytes that are not what they are said to be.
DAMAGE = (UnicodeError, EOFError, zlib.error, gzip.BadGzipFile)


def name_of(source: Source) -> str:
    """Return what messages call a source."""
    if isinstance(source, str | os.PathLike):
        return "standard input" if source == "-" else os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "the stream"


@contextlib.contextmanager
def opened(source: Source, encoding: str) -> Iterator[Iterator[str]]:
    """Give the lines of a source with their ends, as they are asked for. A stream that was handed in stays open.

    Raises
    ------
    ValueError
        If it is no text, not of the encoding, or packed and damaged. Lines raise it as well, saying which.
    TypeError
        If it is nothing that can be read.
    OSError
        If the file cannot be opened.
    """
    name = name_of(source)
    with contextlib.ExitStack() as stack:
        if isinstance(source, str | os.PathLike) and source != "-":
            stream: Any = stack.enter_context(open(source, "rb", buffering=HEAD))
        else:
            stream = getattr(sys.stdin, "buffer", sys.stdin) if isinstance(source, str) else source
        if not callable(getattr(stream, "read", None)):
            raise ArgumentTypeError(f"path must be a file's name, '-' or a stream, got {type(source).__name__}")
        if not isinstance(stream.read(0), str):
            try:
                stream = _decoded(stack, name, stream, encoding)
            except DAMAGE as error:
                raise _unreadable(name, 1, error) from error
        yield _lines(name, stream)


def _decoded(stack: contextlib.ExitStack, name: str, stream: Any, encoding: str) -> IO[str]:
    """Return a stream of bytes as one of text, which is let go of, not closed, when the stack unwinds."""
    if not hasattr(stream, "peek"):
        stream = io.BufferedReader(stream, HEAD)
        stack.callback(stream.detach)
    if stream.peek(2)[:2] == b"\x1f\x8b":
        stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
    head = stream.peek(HEAD)
    marked = next((known for mark, known in MARKS if head.startswith(mark)), None)
    try:
        text = io.TextIOWrapper(stream, marked or encoding, newline="")
    except LookupError as error:
        raise ArgumentValueError(f"encoding must be one that Python knows, as 'utf-8', got {encoding!r}") from error
    stack.callback(text.detach)
    wide = codecs.lookup(text.encoding).name.startswith(("utf-16", "utf-32"))
    if not wide and (place := head.find(b"\0")) >= 0:
        before = (head[:place] + b".").splitlines()
        where = f"line {len(before)}, byte {len(before[-1])}"
        raise ArgumentValueError(f"{name}, {where} is NUL: it is no text, or of an encoding such as 'utf-16-le'")
    return text


def _lines(name: str, stream: IO[str]) -> Iterator[str]:
    count = 0
    try:
        while line := stream.readline(LONGEST):
            count += 1
            if NUL in line:
                raise ArgumentValueError(f"{name}, line {count}, character {line.index(NUL) + 1} is NUL: it is no text")
            if len(line) >= LONGEST:
                raise ArgumentValueError(f"{name}, line {count}: longer than {LONGEST:,} characters; it is no table")
            yield line if count > 1 else line.removeprefix("\ufeff")
    except DAMAGE as error:
        raise _unreadable(name, count + 1, error) from error


def _unreadable(name: str, line: int, error: Exception) -> ArgumentValueError:
    """Return what decoders raise while a line is read as a ValueError of one line."""
    if isinstance(error, UnicodeDecodeError):
        # It holds what was not yet text, which begins in this line.
        line += len((bytes(error.object[: error.start]) + b".").splitlines()) - 1
        byte = f"byte 0x{error.object[error.start]:02x} is not of the encoding {error.encoding!r}"
        return ArgumentValueError(f"{name}, line {line}: {byte}; encoding='latin-1' or 'cp1252' may be")
    if isinstance(error, UnicodeError):  # of UTF-16 without a mark, say
        return ArgumentValueError(f"{name}, line {line}: {' '.join(str(error).split())}")
    return ArgumentValueError(f"{name}, line {line}: packed, but damaged: {' '.join(str(error).split())}")
