"""Data sets: the toys by name or by function, one's own from files, and how these become what a network takes."""

from .tables import read_table, read_tables
from .toys import DATASETS, dataset, linear, xor

__all__ = ["DATASETS", "dataset", "linear", "read_table", "read_tables", "xor"]
