"""Data sets: the toys by name or by function, one's own from files, and how these become what a network takes."""

from .codes import DataWarning, coding, encode, encode_x, features_of
from .files import WAYS, as_table, coded, prepared, read
from .frames import from_frame
from .preparation import split, standardisation, standardise, unstandardise
from .tables import read_table, read_tables
from .toys import (
    DATASETS,
    blobs,
    circles,
    dataset,
    encoder,
    linear,
    moons,
    parity,
    sine,
    spirals,
    symmetry,
    xor,
)

__all__ = [
    "DATASETS",
    "WAYS",
    "DataWarning",
    "as_table",
    "blobs",
    "circles",
    "coded",
    "coding",
    "dataset",
    "encode",
    "encode_x",
    "encoder",
    "features_of",
    "from_frame",
    "linear",
    "moons",
    "parity",
    "prepared",
    "read",
    "read_table",
    "read_tables",
    "sine",
    "spirals",
    "split",
    "standardisation",
    "standardise",
    "symmetry",
    "unstandardise",
    "xor",
]
