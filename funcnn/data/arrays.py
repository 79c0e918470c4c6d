"""Data that are arrays already: NumPy's files and MNIST's."""

import contextlib
import gzip
import math
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import memory, validation
from ..arguments import ArgumentValueError
from ..records import Array, Dataset, Table, read_only
from .codes import chosen, one_hot, present, rows, target_of, targets_of

#: The numbers that an IDX file may hold, by its third byte; they are the large end first.
IDX = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: Different labels at most; more are numbers rather than classes.
MOST = 1000
#: How the files of images are called: train-images-idx3-ubyte, t10k-images.idx3-ubyte.gz.
IDX_NAME = re.compile(r"[-.]idx\d(-u?byte)?(\.gz)?$|\.idx(\.gz)?$")


@contextlib.contextmanager
def _decoding(name: str, kind: str) -> Iterator[None]:
    """Let whatever a decoder raises over bytes that anybody may have written be a ValueError that names the file."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # a file that is not there, or closed to us
            raise
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise ArgumentValueError(f"{name} is no {kind}, or is damaged: {said}") from error


def from_npz(path: str | os.PathLike[str]) -> Dataset:
    """Read the arrays ``x`` and ``y`` of an NPZ file; ``y`` that is of texts or whole numbers are classes.

    Raises
    ------
    ValueError, TypeError
        If the file is none such, or its arrays do not fit each other.
    OSError
        If it cannot be opened.
    """
    name = os.fspath(path)
    with _decoding(name, "NPZ file"), Path(path).open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ArgumentValueError("it is no archive")
        with np.load(file, allow_pickle=False) as archive:
            if lacking := [key for key in ("x", "y") if key not in archive.files]:
                raise ArgumentValueError(f"it has no array {lacking[0]!r}, but {', '.join(archive.files) or 'none'}")
            x, y = archive["x"], archive["y"]
    x = _samples(f"{name}: x", x)
    if y.ndim not in (1, 2) or len(y) != len(x) or 0 in y.shape:
        raise ArgumentValueError(
            f"{name}: y must have shape ({len(x)},) or ({len(x)}, k), as x has samples, got {y.shape}"
        )
    y, classes = _targets(f"{name}: y", y)
    return Dataset(read_only(x), read_only(y), Path(path).name, (), classes)


def _samples(name: str, values: Array) -> Array:
    """Return samples as floats (n, d), whatever the shape of one."""
    array = validation.numbers(name, values)
    if array.ndim < 2 or 0 in array.shape:
        raise ArgumentValueError(f"{name} must have shape (n, d), n and d at least 1, got {array.shape}")
    memory.check(name, 8 * array.size)
    return array.reshape(len(array), -1).astype(np.float64, copy=False)


def _targets(name: str, y: Array) -> tuple[Array, tuple[str, ...]]:
    """Return targets as floats (n, k), and the names of classes: what is neither float nor a matrix is classes."""
    if y.ndim == 2 and y.shape[1] > 1:
        return validation.numbers(name, y).astype(np.float64, copy=False), ()
    y = y.reshape(-1)
    if y.dtype.kind not in "iubSU":
        return validation.numbers(name, y).astype(np.float64, copy=False)[:, None], ()
    levels, places = np.unique(y, return_inverse=True)
    classes = tuple(map(_class_name, levels.tolist()))
    if not 2 <= len(classes) <= MOST:
        few = f"has {len(classes):,} different labels in {len(y):,} rows, expected 2 to {MOST:,}"
        raise ArgumentValueError(f"{name} {few}; targets that are numbers are to be saved as floats")
    memory.check(name, 8 * len(y) * len(classes))
    return one_hot(places, len(classes)), classes


def _class_name(level: Any) -> str:
    if isinstance(level, bytes):
        return level.decode("utf-8", "replace")
    return str(level).lower() if isinstance(level, bool) else str(level)


def from_npy(path: str | os.PathLike[str], target: Any, drop: Any) -> Dataset:
    """Read the one array of an NPY file, (n, columns), whose targets are the columns of these numbers, from 1 on.

    The file is mapped into memory, not read: where the columns of ``x`` lie side by side in it and are floats, ``x`` is
    a view of the file. The columns are called x1, x2, …

    Raises
    ------
    ValueError, TypeError
        If the file is none such, or has no such column.
    OSError
        If it cannot be opened.
    """
    name = os.fspath(path)
    with _decoding(name, "NPY file"):
        array = np.lib.format.open_memmap(os.fspath(path), mode="r")
        if array.ndim != 2 or array.dtype.kind not in "fiub" or 0 in array.shape:
            raise ArgumentValueError(
                f"it must hold numbers of shape (n, columns), got {array.dtype} of shape {array.shape}"
            )
    names = tuple(f"x{place}" for place in range(1, array.shape[1] + 1))
    targets = chosen(names, "target", target)
    if not targets:
        raise ArgumentValueError(f"target must be the number of a column of {name}, 1 to {len(names)}")
    left = sorted({*range(len(names))} - {*targets, *chosen(names, "drop", drop)})
    if not left:
        raise ArgumentValueError(f"{name} has no column to learn the target from")
    columns = tuple(np.array(array[:, place], dtype=np.float64) for place in targets)
    table = Table(tuple(names[place] for place in targets), columns, None, name)
    there = rows(table, present(table, table.names))
    outputs = tuple(target_of(there, place) for place in range(len(targets)))
    y, classes = targets_of(outputs, table)
    beside = left == list(range(left[0], left[-1] + 1))
    x = array[:, left[0] : left[-1] + 1] if beside else array[:, left]
    if x.dtype not in (np.float64, np.float32) or not x.dtype.isnative:
        memory.check(name, 8 * x.size)
        x = x.astype(np.float64)
    return Dataset(read_only(x), y, Path(path).name, tuple(names[place] for place in left), classes)


def from_idx(path: str | os.PathLike[str]) -> Dataset:
    """Read images and labels in MNIST's format (LeCun, Cortes & Burges 1998), packed by gzip or not.

    Bytes become numbers from 0 to 1, an image a row; labels are classes. Those of ``train-images-idx3-ubyte`` are read
    from ``train-labels-idx1-ubyte`` beside it, and so for other names.

    Raises
    ------
    ValueError
        If a file is not of this format, too short or too long, or there are not as many labels as images.
    OSError
        If one cannot be opened.
    """
    path = Path(path)
    if "images" not in path.name:
        raise ArgumentValueError(f"path must be the file of images, …-images-idx3-ubyte, got {os.fspath(path)!r}")
    beside = path.with_name(re.sub(r"idx\d", "idx1", path.name.replace("images", "labels")))
    if not beside.exists() and (other := _packed_otherwise(beside)).exists():
        beside = other
    x, y = _idx(path), _idx(beside)
    if x.ndim < 2 or y.shape != x.shape[:1]:
        raise ArgumentValueError(
            f"{path} holds shape {x.shape}, and its labels {beside} {y.shape}; expected a label an image"
        )
    places = [f"pixel {place}" for place in range(math.prod(x.shape[1:]))]
    scale = 255.0 if x.dtype == np.uint8 else 1.0
    x = np.divide(x.reshape(len(x), -1), scale, dtype=np.float64)
    y, classes = _targets(os.fspath(beside), y.astype(np.int64))
    return Dataset(read_only(x), read_only(y), path.name, tuple(places), classes)


def _packed_otherwise(path: Path) -> Path:
    return path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")


def _idx(path: Path) -> Array:
    """Return the array of an IDX file."""
    with _decoding(os.fspath(path), "IDX file"), path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream: Any = gzip.GzipFile(fileobj=file) if packed else file
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX or not 1 <= magic[3] <= 4:
            raise ArgumentValueError(
                f"it begins with {magic.hex(' ') or 'nothing'}, not with 00 00, a type and 1 to 4 axes"
            )
        head = stream.read(4 * magic[3])
        if len(head) < 4 * magic[3]:
            raise ArgumentValueError("it ends within its head")
        shape = tuple(int.from_bytes(head[begin : begin + 4], "big") for begin in range(0, len(head), 4))
        dtype = np.dtype(IDX[magic[2]])
        size = math.prod(shape) * dtype.itemsize
        if not size:
            raise ArgumentValueError(f"it holds nothing, shape {shape}")
        memory.check(os.fspath(path), 8 * math.prod(shape))
        content = stream.read(size + 1)
        if len(content) != size:
            there = f"{len(content):,}" if len(content) < size else f"more than {size:,}"
            raise ArgumentValueError(f"it holds {there} bytes, expected {size:,} for {dtype} of shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape)
