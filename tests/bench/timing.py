"""How the benchmarks take time: on the caller's side, contestants interleaved, so that a busy moment hits them all."""

import statistics
import time
from collections.abc import Callable, Mapping

Run = Callable[[], object]


def seconds(run: Run) -> float:
    """Return how long one call takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def interleaved(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """Call the runs A B C A B C …; return the seconds of each, round by round."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(seconds(run))
    return taken


def repeats(run: Callable[[int], object], target: float) -> int:
    """Return for how many repeats ``run(repeats)`` takes about ``target`` seconds."""
    count = 1
    while True:
        run(count)  # a new count may mean compiling anew: that is not what is measured
        took = seconds(lambda count=count: run(count))
        if took > target / 4:
            return max(1, round(count * target / took))
        count *= min(64, max(2, int(target / took)))


def spread(values: list[float]) -> str:
    """Write a median with the smallest and the largest value."""
    median, least, most = statistics.median(values), min(values), max(values)
    digits = 2 if median >= 0.1 else 4
    return f"{median:.{digits}f} ({least:.{digits}f} – {most:.{digits}f})"
