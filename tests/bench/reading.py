"""How long `read_table` takes beside `numpy.loadtxt`, on a numeric file of a million cells.

``python tests/bench/reading.py [ROUNDS]`` writes the file, reads it by both in turn, and prints each round's ratio.
Seconds are those of the process, so that who else uses the machine counts less.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from funcnn.data import read_table

ROWS, COLUMNS = 100_000, 10


def seconds(read, path):
    begin = time.process_time()
    read(path)
    return time.process_time() - begin


def main(rounds=7):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "numbers.csv")
        cells = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
        np.savetxt(path, cells, delimiter=",")
        np.testing.assert_array_equal(np.column_stack(read_table(path).columns), np.loadtxt(path, delimiter=","))
        ratios = []
        for _ in range(rounds):
            theirs = seconds(lambda path: np.loadtxt(path, delimiter=","), path)
            ours = seconds(read_table, path)
            ratios.append(ours / theirs)
            print(f"loadtxt {theirs:.3f} s   read_table {ours:.3f} s   ratio {ours / theirs:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f} (bound 3)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
