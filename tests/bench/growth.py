"""How time and memory grow with epochs, members, samples and width."""

import gc
import itertools
import statistics
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
from problem import Problem, lab, train_funcnn
from timing import interleaved

import funcnn

DOUBLINGS = 4


def _network(width: int, samples: int) -> Problem:
    """Return 2-width-width-1 on so many samples, in batches of 8."""
    rng = np.random.default_rng(0)
    params = funcnn.init((2, width, width, 1), scheme="glorot")
    x, y = rng.uniform(size=(samples, 2)), rng.uniform(size=(samples, 1))
    return Problem([layer.w for layer in params.layers], x, y, 8, 1e-3)


#: What grows: from the factor by which, and the engine, a problem and its epochs. A run takes some hundredths of a
#: second at least, so that what it costs once does not blur the ratios.
AXES: dict[str, Callable[[int, str], tuple[Problem, int]]] = {
    "epochs": lambda factor, engine: (lab(), factor * (20000 if engine == "compiled" else 250)),
    "members": lambda factor, engine: (lab(125 * factor, full=True), 250 if engine == "compiled" else 125),
    "samples": lambda factor, engine: (_network(8, 256 * factor), 1000 if engine == "compiled" else 200),
    "width": lambda factor, engine: (_network(16 * factor, 64), 200 if engine == "compiled" else 400),
}


def beyond(train: Callable[[int], object], epochs: int) -> int:
    """Return the bytes that a run needs at its peak beyond what it returns: parameters and history."""
    train(1)
    gc.collect()
    tracemalloc.start()
    kept = train(epochs)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return peak - held


def lines(rounds: int) -> Iterator[dict[str, object]]:
    """Measure; give for each axis and engine the seconds and the ratios, doubling by doubling, and the bytes."""
    for axis, grown in AXES.items():
        for engine in ("compiled", "numpy"):
            runs, held = {}, []
            for doubling in range(DOUBLINGS):
                problem, epochs = grown(2**doubling, engine)
                train = train_funcnn(problem, engine)
                runs[str(2**doubling)] = lambda train=train, epochs=epochs: train(epochs)
                if axis != "width":  # there the parameters themselves grow
                    held.append(beyond(train, epochs if axis == "epochs" else 2))
            taken = list(interleaved(runs, rounds).values())
            ratios = [
                statistics.median(b / a for a, b in zip(small, large, strict=True))
                for small, large in itertools.pairwise(taken)
            ]
            medians = [statistics.median(one) for one in taken]
            yield {"axis": axis, "engine": engine, "seconds": medians, "ratios": ratios, "bytes": held}
