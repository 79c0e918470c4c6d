"""Where an experiment's data come from, and what is done with them before anything is trained."""

import hashlib
import os
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from . import arguments
from .data import DATASETS, as_table, coded, dataset, read, split, standardisation, standardise
from .data.files import is_array_file
from .metrics import labels
from .records import Array, Coding, Dataset, Decision, Preparation, read_only
from .settings import Experiment

#: Fields of an experiment that say how a file is read, and which.
OF_FILES = (
    *("target", "drop", "missing", "header", "delimiter", "decimal", "encoding", "test"),
    "data_sha256",
)
#: Bytes of a file that are hashed at once.
PIECE = 1 << 20


@attrs.frozen(eq=False)
class Whole:
    """All samples of a file, in which a missing value is NaN, how they were coded, and which file it was."""

    coding: Coding | None
    data: Dataset
    sha256: str


@attrs.frozen(eq=False)
class Source:
    """Data that are ready to be trained on, and how they became so."""

    train: Dataset
    test: Dataset
    held: Dataset | None = None
    preparation: Preparation | None = None
    sha256: str | None = None


def is_toy(name: str) -> bool:
    """Tell whether a data set is one of the table's, perhaps with numbers."""
    return name.partition(":")[0] in DATASETS


def is_file(name: str) -> bool:
    """Tell whether there is a file of the name, which may be one that no file can have."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def source(e: Experiment) -> Source:
    """Return the data of an experiment: a toy set, or a file's, split and standardised as the experiment says.

    Raises
    ------
    ValueError, TypeError
        If there is neither a toy set nor a file of the name, the file is not what it was, or cannot be read as asked.
    OSError
        If the file cannot be opened.
    """
    if is_toy(e.data):
        _refuse_of_files(e)
        train, test = dataset(e.data, e.data_seed)
        return _standardised(e, train, test)
    return divided(e, read_whole(e))


def read_whole(e: Experiment) -> Whole:
    """Return what an experiment's file holds. Errors are as for `source`."""
    if not is_file(e.data):
        _refuse_name(e.data)
    if isinstance(e.data_seed, tuple):
        raise arguments.ArgumentValueError("data_seed must be one number for data from a file: it draws the split")
    found = file_sha256(e.data)
    if e.data_sha256 not in (None, found):
        raise arguments.ArgumentValueError(
            f"{e.data} is not the file that this experiment ran on: its SHA-256 is {found[:12]}…, not"
            f" {str(e.data_sha256)[:12]}…"
        )
    target = e.target or None
    if is_array_file(e.data):
        return Whole(None, read(e.data, target, missing=e.missing, drop=e.drop), found)
    return Whole(*coded(as_table(e.data, **reading(e)), target, missing=e.missing, drop=e.drop), found)


def reading(e: Experiment) -> dict[str, Any]:
    """Return the arguments of `read_table` that an experiment settles."""
    return {name: getattr(e, name) for name in ("header", "delimiter", "decimal", "encoding")}


def divided(e: Experiment, whole: Whole) -> Source:
    """Return the samples of a file, split and standardised as the experiment says."""
    data = whole.data
    train, test = split(data, e.test, (e.data_seed, 1)) if e.test else (data, data)  # type: ignore[arg-type]
    return attrs.evolve(_standardised(e, train, test, whole.coding), sha256=whole.sha256)


def _standardised(e: Experiment, train: Dataset, test: Dataset, coding: Coding | None = None) -> Source:
    """Hold the validation part back, and standardise all by what remains."""
    if train.x.ndim != 2 and (e.validation or e.standardize):
        raise arguments.ArgumentValueError("validation and standardize are for data that all members share")
    held = None
    if e.validation:
        seed = e.data_seed if isinstance(e.data_seed, int) else e.data_seed[0]
        train, held = split(train, e.validation, (seed, 2))
    parts = [part for part in (train, test, held) if part is not None]
    inputs = targets = None
    if e.standardize:
        inputs = standardisation(train.x)
        parts = [attrs.evolve(part, x=standardise(inputs, part.x)) for part in parts]
        if not classed(train):
            targets = standardisation(train.y)
            parts = [attrs.evolve(part, y=standardise(targets, part.y)) for part in parts]
    elif any(np.isnan(part.x).any() for part in parts):
        raise arguments.ArgumentValueError("missing='mean' needs standardize, which knows the means")
    prepared = None if coding is None and inputs is None else Preparation(coding, inputs, targets)
    return Source(parts[0], parts[1], parts[2] if held is not None else None, prepared)


def classed(data: Dataset) -> bool:
    """Tell whether targets are classes rather than numbers: nothing but 0 and 1."""
    return bool(np.isin(data.y, (0.0, 1.0)).all())


def _refuse_of_files(e: Experiment) -> None:
    """Refuse what says how a file is read, where there is none."""
    for name in OF_FILES:
        if getattr(e, name) != attrs.fields_dict(Experiment)[name].default:
            raise arguments.ArgumentValueError(
                f"{name} is for data from a file, and {arguments.shown(e.data)} is a toy set"
            )


def _refuse_name(name: str) -> None:
    if os.sep in name or Path(name).suffix:
        raise FileNotFoundError(2, os.strerror(2), name)
    try:
        arguments.known("data set", name, DATASETS)
    except arguments.ArgumentValueError as error:
        raise arguments.ArgumentValueError(f"{error}, and there is no file of that name") from None


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def class_weights(y: Array, decision: Decision) -> Array:
    """Return a weight for each sample by which every class counts alike: n / (classes · samples of its class).

    As scikit-learn's ``class_weight="balanced"``; King & Zeng 2001.

    Examples
    --------
    >>> import numpy as np, funcnn
    >>> y = np.array([[0.0], [0.0], [0.0], [1.0]])
    >>> class_weights(y, funcnn.decision("half_sse", y)).tolist()
    [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 2.0]
    """
    which = labels(y, decision)
    _, place, counts = np.unique(which, return_inverse=True, return_counts=True)
    return read_only(len(which) / (len(counts) * counts[place.ravel()]))
