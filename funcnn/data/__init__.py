"""Data sets: the toys of the lab, by name or by function."""

from .toys import DATASETS, dataset, linear, xor

__all__ = ["DATASETS", "dataset", "linear", "xor"]
