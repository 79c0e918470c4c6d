"""Params and runs as files: NPZ with plain arrays and a JSON header, never pickles.

Here files become bytes and bytes records. What the header says is in `contents`, and what fits in `consistency`.
"""

import contextlib
import errno
import io
import json
import math
import os
import reprlib
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import attrs
import numpy as np
from numpy.lib import format as npy

from . import arguments, validation
from .arguments import ArgumentTypeError, ArgumentValueError
from .consistency import check_fit, check_numbers, typed, whole
from .contents import OWN, VERSION, Given, decode, encode, given, references, unknown
from .experiments import Run
from .metrics import decision
from .optimizers import optimizer_named
from .records import Activation, Array, Layer, Loss, Optimizer, Params, State, read_only
from .records import arrays as list_arrays
from .schedules import Schedule

#: How many times as large as its file all that is read of it may be, and its header. `save` compresses nothing; who
#: does so afterwards does not get a run's numbers that small, but zeros get a thousand times smaller.
ROOM, HEADER_ROOM = 100, 10
#: Bytes that may be read of the smallest file.
LEAST = 1 << 16
#: How entries may be packed: as `save` leaves them, or deflated.
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def save(path: str | os.PathLike[str], record: Params | Run) -> None:
    """Write a network or a run, whole or not at all. The same record gives the same bytes.

    What is saved is what `load` gives back, equal to it. Arrays of other libraries are saved as NumPy's. Activations,
    a loss, an optimizer and a schedule of one's own are saved by their names; `load` asks for them.

    Raises
    ------
    TypeError
        If ``record`` is neither Params nor a Run, or holds something that a record cannot.
    ValueError
        If its parts do not fit each other, or something of one's own has no name of its own.
    OSError
        If the file cannot be written; one that was there before is as it was.
    """
    path = arguments.path("path", path)
    if not isinstance(record, Params | Run):
        raise ArgumentTypeError(f"save(path, record) takes Params or a Run as record, got {type(record).__name__}")
    content, arrays = encode(whole(record))
    header = {"format": "funcnn", "version": VERSION, "record": content}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(json.dumps(header)), **arrays)
    write_file(path, buffer.getvalue())


def load(
    path: str | os.PathLike[str],
    *,
    activations: Iterable[Activation] = (),
    losses: Iterable[Loss] = (),
    optimizers: Iterable[Optimizer] = (),
    schedules: Iterable[Schedule] = (),
) -> Any:
    """Read what `save` wrote. What the file holds is looked at whole before anything is returned.

    Parameters
    ----------
    path
        The file.
    activations, losses, optimizers, schedules
        Those of one's own that the network or the run uses; the file has their names, and an optimizer's numbers.

    Raises
    ------
    ValueError
        If the file is damaged, of another version, not funcnn's, or holds what cannot be or does not fit; or if it
        uses something of one's own that is not given.
    TypeError
        If one of those given is of another kind.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile, funcnn
    >>> isru = funcnn.Activation("isru", lambda z: z / (1 + z * z) ** 0.5, lambda z, a: (1 + z * z) ** -1.5)
    >>> params = funcnn.init((2, 3, 1), act=isru)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     funcnn.save(pathlib.Path(folder, "net.npz"), params)
    ...     funcnn.load(pathlib.Path(folder, "net.npz"), activations=[isru]) == params
    True
    """
    own = given(activations=activations, losses=losses, optimizers=optimizers, schedules=schedules)
    path = arguments.path("path", path)
    name = os.fspath(path)
    with _opened(path) as file:
        room = LEAST + os.fstat(file.fileno()).st_size
        with _damage(name):
            archive = _archive(file)
            header = _header(archive, HEADER_ROOM * room)
        version = header["version"]
        if type(version) is not int or version not in range(1, VERSION + 1):
            raise ArgumentValueError(
                f"{name} is of version {reprlib.repr(version)}, this funcnn reads versions 1 to {VERSION}"
            )
        with _damage(name):
            missing = dict.fromkeys(unknown(header["record"], own))
        if missing:
            raise ArgumentValueError(_asked(name, list(missing)))
        with _damage(name):
            return _record(archive, header["record"], own, version, ROOM * room)


def _asked(name: str, missing: list[tuple[str, str]]) -> str:
    said = " and ".join(f"the {OWN[argument].noun} {one!r}" for argument, one in missing)
    arguments = ", ".join(dict.fromkeys(f"{argument}=[…]" for argument, _ in missing))
    are, them = ("are", "them") if len(missing) > 1 else ("is", "it")
    return f"{name}: {said} {are} not built in: hand {them} to load(path, {arguments})"


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    """Let what is refused in a file end in one ValueError that names it.

    Checks raise ValueError and TypeError, names that are not there KeyError, and JSON may be too deep to walk through.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArgumentValueError(f"{name} holds no network and no run, or is damaged: {_said(error)}") from error


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
    """Let whatever a decoder raises be a ValueError: over bytes that anybody may have written, that has no end.

    zipfile raises RuntimeError, NotImplementedError and struct.error, zlib its own, NumPy's heads TokenError and
    RecursionError, json that too. Only what the machine is to blame for passes.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which is a place before the file's begin
            raise
        raise ArgumentValueError(_said(error)) from error


def _said(error: Exception) -> str:
    """Return what an error says as one line, which what a file holds does not make endless."""
    return " ".join(str(error).split())[:500] or type(error).__name__


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file to read it; a pipe would let one wait for ever, and a device has no end."""
    _check_regular(path)
    return Path(path).open("rb")


def _check_regular(path: str | os.PathLike[str]) -> None:
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # of a folder the system says itself that it is one
        raise ArgumentValueError(f"{os.fspath(path)} is no file but a pipe or a device")


@_decoding()
def _archive(file: IO[bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(file)


@attrs.frozen
class Entry:
    """An array in an archive, of which nothing but its own head has been read."""

    info: zipfile.ZipInfo
    begin: int
    shape: tuple[int, ...]
    order: Any
    dtype: np.dtype[Any]


@_decoding()
def _entry(archive: zipfile.ZipFile, key: Any, kinds: str) -> Entry:
    """Return what an entry says of its array, if that is of these kinds and as large as the archive says."""
    info = archive.getinfo(f"{key}.npy")
    if info.flag_bits & 1 or info.compress_type not in PACKED:
        raise ArgumentValueError(f"{key!r} is encrypted, or packed in a way that funcnn does not read")
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        try:
            shape, fortran, dtype = read(stream)
        except MemoryError as error:  # of a parser that has 10 kB before it
            raise ArgumentValueError(f"{key!r} has a head that is none") from error
        begin = stream.tell()
    if dtype.kind not in kinds or min(shape, default=0) < 0:
        raise ArgumentValueError(f"{key!r} holds {dtype}, which funcnn does not save")
    if begin + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ArgumentValueError(f"{key!r} has {info.file_size - begin} bytes for {dtype} of shape {shape}")
    return Entry(info, begin, shape, "F" if fortran else "C", dtype)


@_decoding()
def _read(archive: zipfile.ZipFile, entry: Entry, array: Array) -> None:
    """Read the numbers of an entry into an array of its shape, which is read-only from then on."""
    content = archive.read(entry.info)
    array[...] = np.ndarray(entry.shape, entry.dtype, content, entry.begin, order=entry.order)
    read_only(array)


@_decoding()
def _header(archive: zipfile.ZipFile, room: int) -> dict[str, Any]:
    """Return the header of an archive that says that it is ours."""
    entry = _entry(archive, "header", "U")
    if entry.shape != () or entry.info.file_size > room:
        raise ArgumentValueError("its header is no text, or larger than the file can hold")
    text = np.empty((), entry.dtype)
    _read(archive, entry, text)
    header = json.loads(str(text))
    if not isinstance(header, dict) or header.get("format") != "funcnn" or not {"version", "record"} <= set(header):
        raise ArgumentValueError("its header is not one that funcnn wrote")
    return header


def _record(archive: zipfile.ZipFile, content: Any, own: Given, version: int, room: int) -> Params | Run:
    """Return the record of a file, once all that it says fits; only then are the numbers read."""
    entries = {key: _entry(archive, key, "fiub") for key in dict.fromkeys(references(content))}
    if sum(entry.info.file_size for entry in entries.values()) > room:
        raise ArgumentValueError("its arrays are larger than the file can hold")

    # Nothing is written to these before all fits, so that they take no memory until then.
    arrays = {key: np.empty(entry.shape, entry.dtype.newbyteorder("=")) for key, entry in entries.items()}
    decoded = decode(content, arrays, own, version)
    if not isinstance(decoded, Params | Run):
        raise ArgumentTypeError(f"it holds {type(decoded).__name__}")
    record = typed(decoded)
    check_fit(record)
    for key, entry in entries.items():
        _read(archive, entry, arrays[key])
    check_numbers(record)
    return _completed(record, version) if isinstance(record, Run) else record


def _completed(run: Run, version: int) -> Run:
    """Add to a run what follows from the rest, where its file is too old to say it."""
    run = _begun(run) if version == 1 else run
    state = run.history.state
    if state is None or state.rule:
        return run
    rule = optimizer_named(run.experiment.optimizer).name
    return attrs.evolve(run, history=attrs.evolve(run.history, state=attrs.evolve(state, rule=rule)))


def _begun(run: Run) -> Run:
    """Add to a run of version 1 where it stands; all of these were trained by plain gradient descent."""
    e, epochs = run.experiment, len(run.history.loss)
    rows = validation.batch_rows(e.batch_size, run.train.x.shape[-2])
    t = float(epochs * -(-run.train.x.shape[-2] // rows))
    finite = [np.isfinite(array).all(axis=(-2, -1)) for array in list_arrays(run.params)]
    state = State(run.params, (), t, epochs, read_only(np.array(np.all(finite, axis=0))))
    return attrs.evolve(run, history=attrs.evolve(run.history, state=state), decision=decision(e.loss, run.train.y))


def load_params(path: str | os.PathLike[str]) -> Params:
    """Read weights to start from: a file of `save` (of a run, its final weights), or JSON.

    The JSON is ``{"weights": [w_1, w_2, …]}`` with rows for the units that a layer takes from, and perhaps
    ``"biases": [b_1, b_2, …]``. Its activations are sigmoid.

    Raises
    ------
    ValueError
        If the file is none of these, or its layers do not fit each other.
    OSError
        If it cannot be read.
    """
    path = arguments.path("path", path)
    if path.suffix.lower() != ".json":
        record = load(path)
        return record.params if isinstance(record, Run) else record
    name = os.fspath(path)
    with _opened(path) as file:
        content = file.read()
    try:
        fields = json.loads(content)  # of bytes, whose encoding and mark it finds out
        weights, biases = fields["weights"], fields.get("biases") or [None] * len(fields["weights"])
        pairs = list(zip(weights, biases, strict=True))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ArgumentValueError(
            f'{name} is not JSON of the form {{"weights": [matrix, …]}}: {_said(error)}'
        ) from error
    try:
        return validation.network(Params([_layer(index, *pair) for index, pair in enumerate(pairs)]))
    except (ValueError, TypeError, RecursionError) as error:
        raise ArgumentValueError(
            f"{name}: weights must be a list of matrices that fit each other: {_said(error)}"
        ) from error


def _layer(index: int, w: Any, b: Any) -> Layer:
    w = validation.numbers(f"w of layer {index}", w).astype(float)
    b = None if b is None else validation.numbers(f"b of layer {index}", b).astype(float)
    if w.ndim != 2:
        raise ArgumentValueError(f"w of layer {index} must be a matrix, got shape {w.shape}")
    return Layer(read_only(w), b if b is None else read_only(b.reshape(1, -1) if b.ndim == 1 else b))


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all."""
    write_pieces(path, [content])


def write_pieces(path: str | os.PathLike[str], pieces: Iterable[bytes]) -> None:
    """Write a file whole or not at all: beside its place first, under a name that nobody else has, then renamed."""
    path = Path(os.path.realpath(path))  # a link stays one
    there = path.exists()
    if there:
        _check_regular(path)
    beside = path.with_name(f".{os.urandom(8).hex()}.part")
    try:
        with beside.open("wb") as file:
            file.writelines(pieces)
        if there:
            shutil.copymode(path, beside)
        beside.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError) and error.errno:  # which would name the file beside
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
