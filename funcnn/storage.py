"""Params and runs as files: NPZ with plain arrays and a JSON header, never pickles."""

import contextlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from .activations import ACTIVATIONS
from .experiments import Experiment, Run
from .metrics import decision
from .optimizers import optimizer_named
from .records import Activation, Dataset, Decision, History, Layer, Params, State, read_only
from .records import arrays as list_arrays
from .validation import batch_rows

#: Version 1 kept neither how a run stands nor how its classes are decided; both follow from what it kept. Experiments
#: of versions 1 and 2 had neither optimizer, schedule, clip and l2 nor drawn biases: they ran as the defaults do.
VERSION = 3
RECORDS = {record.__name__: record for record in (Layer, Params, Dataset, History, State, Decision, Experiment, Run)}


def save(path: str | os.PathLike[str], record: Params | Run) -> None:
    """Write a network or a run, whole or not at all. The same record gives the same bytes.

    An activation of one's own is saved by its name; `load` asks for it.

    Raises
    ------
    TypeError
        If ``record`` is neither Params nor a Run.
    OSError
        If the file cannot be written; one that was there before is as it was.
    """
    if not isinstance(record, Params | Run):
        raise TypeError(f"save(path, record) takes Params or a Run as record, got {type(record).__name__}")
    arrays: dict[str, Any] = {}
    header = {"format": "funcnn", "version": VERSION, "record": _encode(record, arrays)}
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(json.dumps(header)), **arrays)
    write_file(path, buffer.getvalue())


def load(path: str | os.PathLike[str], *, activations: Iterable[Activation] = ()) -> Any:
    """Read what `save` wrote.

    Parameters
    ----------
    path
        The file.
    activations
        Those of one's own that the network uses.

    Raises
    ------
    ValueError
        If the file is damaged, of another version, not funcnn's, or holds pickled objects.
    OSError
        If it cannot be read.
    """
    name = os.fspath(path)
    content = io.BytesIO(Path(path).read_bytes())  # a damaged archive would leave the file open
    try:
        with np.load(content, allow_pickle=False) as file:
            arrays = {key: read_only(file[key]) for key in file.files}
        header = json.loads(str(arrays["header"]))
        version = header["version"] if header["format"] == "funcnn" else None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, NotImplementedError, zlib.error) as error:
        raise ValueError(f"{name} is not a file that funcnn saved, or it is damaged") from error
    if version not in range(1, VERSION + 1):
        raise ValueError(f"{name} is of version {version}, this funcnn reads versions 1 to {VERSION}")
    own = {act.name: act for act in activations}
    try:
        record = _decode(header["record"], arrays, own)
        if isinstance(record, Run):
            kinds = (Experiment, Params, History, Dataset, Dataset, Decision)
            if not all(map(isinstance, attrs.astuple(record, recurse=False), kinds)):
                raise TypeError("a run without its records")
        params = record.params if isinstance(record, Run) else record
        if not params.layers:
            raise TypeError("a network without layers")
        if not all(isinstance(array, np.ndarray) and array.ndim > 1 for array in list_arrays(params)):
            raise TypeError("weights that are no matrices")
        return _completed(record, int(header["version"])) if isinstance(record, Run) else record
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{name} holds no network and no run, or is damaged: {error}") from error


def _completed(run: Run, version: int) -> Run:
    """Add to a run what follows from the rest, where its file does not say it."""
    run = _begun(run) if version == 1 else run
    state = run.history.state
    if state is None or state.rule:
        return run
    rule = optimizer_named(run.experiment.optimizer).name
    return attrs.evolve(run, history=attrs.evolve(run.history, state=attrs.evolve(state, rule=rule)))


def _begun(run: Run) -> Run:
    """Add to a run of version 1 where it stands; all of these were trained by plain gradient descent."""
    e, epochs = run.experiment, len(run.history.loss)
    rows = batch_rows(e.batch_size, run.train.x.shape[-2])
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
        If the file is none of these.
    OSError
        If it cannot be read.
    """
    if Path(path).suffix != ".json":
        record = load(path)
        return record.params if isinstance(record, Run) else record
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        weights = [np.array(w, dtype=float) for w in content["weights"]]
        biases: list[Any] = [np.array(b, dtype=float).reshape(1, -1) for b in content.get("biases", [])] or [
            None
        ] * len(weights)
        layers = [Layer(read_only(w), read_only(b)) for w, b in zip(weights, biases, strict=True)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{os.fspath(path)} is not JSON of the form {{"weights": [matrix, …]}}') from error
    if not weights or any(w.ndim != 2 for w in weights):
        raise ValueError(f"{os.fspath(path)}: weights must be a list of matrices")
    return Params(layers)


def _encode(value: Any, arrays: dict[str, Any]) -> Any:
    """Return ``value`` as JSON, its arrays put aside under names."""
    if isinstance(value, Activation):
        if value.name in ACTIVATIONS:
            raise ValueError(f"an activation of one's own cannot be saved under the built-in name {value.name!r}")
        return value.name
    if attrs.has(type(value)):
        fields = {field.name: _encode(getattr(value, field.name), arrays) for field in attrs.fields(type(value))}
        return {"record": type(value).__name__, **fields}
    if isinstance(value, np.ndarray):
        arrays[f"array{len(arrays)}"] = value
        return {"array": f"array{len(arrays) - 1}"}
    if isinstance(value, tuple):
        return [_encode(one, arrays) for one in value]
    return value


def _decode(value: Any, arrays: dict[str, Any], own: dict[str, Activation]) -> Any:
    """Undo `_encode`."""
    if isinstance(value, list):
        return tuple(_decode(one, arrays, own) for one in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    fields = {name: _decode(one, arrays, own) for name, one in value.items()}
    record = RECORDS[fields.pop("record")]
    if record is Layer and fields["act"] not in ACTIVATIONS:
        if fields["act"] not in own:
            raise ValueError(
                f"the activation {fields['act']!r} is not built in: hand it to load(path, activations=[…])"
            )
        fields["act"] = own[fields["act"]]
    return record(**fields)


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all: beside its place first, then renamed onto it."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError):  # which would name the file beside
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
