"""The engines under `train`, and which of them runs what.

An engine is a function ``start(params, x, y, lr, loss, batch_size)`` that sets up a run and returns two functions:
``advance(orders)``, which trains an epoch for each order of the samples, and ``current()``, which gives the weights.
"""

from typing import Any

from ..records import Activation, Loss, Params
from . import plain

ENGINES = ("auto", "numpy", "compiled")

#: Bytes that a part of an ensemble may work on: a core's second cache for NumPy, its first for the kernel.
CACHE = {"numpy": 1 << 21, "compiled": 1 << 16}
#: Seconds that loading the kernel takes.
START_UP = 0.45
#: Seconds more where it has to be compiled anew, with an activation of one's own.
COMPILING = 4.0


def choose_engine(params: Params, n: int, batch_size: int, epochs: int, loss: Loss) -> str:
    """Name the engine for a run: what ``engine="auto"`` means, a rule on sizes and epochs.

    "numpy" for what it does in less time than loading the kernel takes. Otherwise "compiled" where an update takes one
    sample, where members are so small that they are trained side by side, or where an update of a member is less
    arithmetic than a NumPy step costs in calls; else "numpy". The constants are fitted to tests/bench/grid.py.
    """
    first = params.layers[0].w
    members = len(first) if first.ndim > 2 else 1
    weights = sum(layer.w.shape[-2] * layer.w.shape[-1] for layer in params.layers)
    units = sum(layer.w.shape[-1] for layer in params.layers)
    own = any(isinstance(layer.act, Activation) for layer in params.layers)
    seconds = -(-n // batch_size) * epochs * (1e-5 + members * (2e-7 + 1e-9 * batch_size * weights))
    long = seconds >= START_UP + own * COMPILING
    together = members >= 16 and 8 * room(params, 1) <= CACHE["compiled"]  # parts of 8 or more, trained side by side
    little = batch_size * weights <= 7_000 and batch_size * units <= 1_200
    pays = long and (batch_size == 1 or together or little)
    return "compiled" if pays and not obstacle(params, loss) else "numpy"


def engine_start(engine: str, params: Params, loss: Loss) -> Any:
    """Return the ``start`` function of an engine, or say why it cannot run this."""
    if engine == "numpy":
        return plain.start
    if reason := obstacle(params, loss):
        raise ValueError(f"engine 'compiled' cannot run this: {reason}; engine='numpy' can")
    from . import compiled

    return compiled.start


def obstacle(params: Params, loss: Loss) -> str | None:
    """Say why the compiled engine cannot run this, or None where it can."""
    try:
        from . import compiled
    except ImportError as error:  # not installed, or not for this version of NumPy
        return f"it needs numba: pip install 'funcnn[fast]' ({error})"
    return compiled.obstacle(params, loss)


def room(params: Params, rows: int) -> int:
    """Return about how many bytes a member works on with batches of so many rows."""
    numbers = sum(3 * layer.w.shape[-2] * layer.w.shape[-1] + 5 * rows * layer.w.shape[-1] for layer in params.layers)
    return int(numbers * params.layers[0].w.itemsize)
