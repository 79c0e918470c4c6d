"""The engines under `train`, which of them runs what, and how an ensemble is cut into parts for them.

An engine that cannot run a plan says so; it never does something else. Nothing outside this folder knows an engine's
name, but for texts that are shown to users.

The compiled engine trains an ensemble on all cores; numpy in one thread, since small NumPy calls in several wait for
each other more than they gain; JAX spreads it over its devices. The number of cores changes no bit of what the
compiled engine trains, nor of anything at the lab's sizes. From some 200 × 200 on NumPy's BLAS shares a product among
the cores and sums in another order on more of them, so the numpy engine's weights, and the predictions and gradient
norms of either, may differ in the last bits.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import operator
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from .. import arguments
from ..records import Array, Params, Plan, State, arrays, map_arrays, read_only
from . import plain
from .contract import (
    LOOP_CACHE,
    Data,
    Engine,
    EngineWarning,
    Orders,
    Reports,
    Shapes,
    in_tables,
    room,
    said,
    shapes_of,
    side_by_side,
    units,
    updates,
    weights,
)

__all__ = [
    "ENGINES",
    "NAMES",
    "Data",
    "Engine",
    "EngineWarning",
    "Parts",
    "Reports",
    "Shapes",
    "absent",
    "choose",
    "cut",
    "epochs",
    "given_back",
    "prepare",
    "prepare_members",
    "shapes_of",
]

#: Seconds that loading the kernel takes, and compiling one anew, with functions of one's own.
START_UP, COMPILING = 0.45, 4.0
#: Of engines that are built on a package of an extra: the package, the extra, and the module here.
EXTRAS = MappingProxyType({"compiled": ("numba", "fast", "compiled"), "jax": ("jax", "jax", "traced")})
#: Bytes that members may work on whose arrays are worked on at once.
ARRAYS_CACHE = 1 << 21
#: Bytes of a member beyond which a loop waits for memory.
FAR = 1 << 21
#: Seconds that JAX takes to compile a loop.
TRACING = 0.4


@attrs.frozen
class Speed:
    """Seconds that JAX takes to start up, for a call, for each weight and for each weight and unit of a row; and bytes.

    These are what a part of an ensemble may work on.
    """

    start_up: float
    call: float
    weight: float
    weight_of_row: float
    unit_of_row: float
    memory: int


#: Of the processor, as measured; of an accelerator by data sheets alone.
PROCESSOR = Speed(0.55, 1e-7, 3e-10, 5e-11, 5e-9, 1 << 23)
ACCELERATOR = Speed(3.0, 2e-4, 1e-11, 6e-13, 1e-11, 1 << 32)


def _later(engine: str, name: str) -> Any:
    """Return a function of an engine that imports it when it is called."""

    def function(*given: Any) -> Any:
        return getattr(importlib.import_module(f"{__name__}.{engine}"), name)(*given)

    return function


def _without(package: str, extra: str, module: str) -> str | None:
    """Say why a module of this folder cannot be imported that is built on a package, or None where it can."""
    if not _installed(package):
        return f"it needs {package}: pip install 'funcnn[{extra}]'"
    try:
        importlib.import_module(f"{__name__}.{module}")
    except Exception as error:  # whatever a package that is not well raises: SystemError, OSError, AttributeError, …
        return f"{package} is installed, but does not start ({said(error)})"
    return None


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _obstacle_of_compiled(plan: Plan, shapes: Shapes) -> str | None:
    reason: str | None = _without(*EXTRAS["compiled"]) or _later("compiled", "obstacle")(plan, shapes)
    return reason


def _seconds_of_numpy(plan: Plan, shapes: Shapes, epochs: int) -> float:
    """Return calls plus arithmetic; the constants are fitted to tests/bench/grid.py."""
    calls = 4.2e-6 + 1.9e-6 * len(shapes.acts) + 3.0e-6 * plan.optimizer.slots
    one_row = 6.8e-11 * weights(shapes) + 5.5e-9 * units(shapes)
    # Of one row a product reads its weights no faster than they come from memory.
    of_weight = (2.7e-9 if plan.batch_size == 1 else 1.4e-9) + 2.2e-9 * plan.optimizer.slots
    numbers = of_weight * weights(shapes) + plan.batch_size * one_row
    member = 1.5e-7 + numbers * np.dtype(shapes.dtype).itemsize / 8
    return updates(plan, shapes) * epochs * (calls + (shapes.members or 1) * member)


def _seconds_of_compiled(plan: Plan, shapes: Shapes, epochs: int) -> float:
    """Return start-up plus arithmetic on numbers; the constants are fitted to tests/bench/grid.py on two cores."""
    abreast, far = side_by_side(plan, shapes), room(plan, shapes, 1) > FAR
    # Weights that lie beyond the first cache take longer.
    numbers = 8.7e-10 * weights(shapes) + 4.9e-9 * units(shapes) + 9e-10 * max(0, weights(shapes) - 6000)
    one_row = (numbers + (0.0 if abreast else 4e-8)) * (1.5 if far else 1.0)
    # Sample by sample, a weight is moved as soon as its gradient is known, by itself.
    moves = 2.1e-9 * plan.optimizer.slots * weights(shapes) if plan.batch_size == 1 else 0.0
    side = 0.36 if abreast else (0.8 if far else 0.6) if shapes.members else 1.0
    work = shapes.samples * epochs * (shapes.members or 1) * (one_row + moves) * side
    return START_UP + COMPILING * (not in_tables(plan, shapes)) + work


def _obstacle_of_jax(plan: Plan, shapes: Shapes) -> str | None:
    reason: str | None = _without(*EXTRAS["jax"])
    # What the tables hold can be traced.
    return reason or (None if in_tables(plan, shapes) else _later("traced", "obstacle")(plan, shapes))


def _seconds_of_jax(plan: Plan, shapes: Shapes, epochs: int) -> float:
    """Return start-up, calls and arithmetic; an accelerator is believed in where there is a plugin for one."""
    speed = ACCELERATOR if _plugged_in() else PROCESSOR
    one_row = speed.weight_of_row * weights(shapes) + speed.unit_of_row * units(shapes)
    member = speed.weight * weights(shapes) + plan.batch_size * one_row
    start_up = TRACING + speed.start_up * (shapes.library != JAX.library)
    return start_up + updates(plan, shapes) * epochs * (speed.call + (shapes.members or 1) * member)


def _jax_offers(shapes: Shapes) -> bool:
    """Tell whether arrays are JAX's, or JAX has more than the processor to run them on."""
    return shapes.library == JAX.library or _accelerated()


@functools.cache
def _plugged_in() -> bool:
    """Tell whether JAX is there and a plugin for an accelerator, without importing either."""
    if not (_installed("jax") and _installed("jaxlib")):
        return False
    return any(map(_installed, ("jax_plugins", "libtpu"))) or bool(importlib.metadata.entry_points(group="jax_plugins"))


@functools.cache
def _accelerated() -> bool:
    """Tell whether JAX finds an accelerator; it is imported only where there is a plugin for one."""
    try:
        return _plugged_in() and bool(importlib.import_module("jax").default_backend() != "cpu")
    except Exception:  # of an accelerator that is not there, or not for us, or of a JAX that does not start
        return False


def _part_of_numpy(plan: Plan, shapes: Shapes) -> int:
    return max(1, ARRAYS_CACHE // room(plan, shapes, plan.batch_size))


def _part_of_compiled(plan: Plan, shapes: Shapes) -> int:
    return LOOP_CACHE // room(plan, shapes, 1) if side_by_side(plan, shapes) else shapes.members or 1


def _part_of_jax(plan: Plan, shapes: Shapes) -> int:
    """Return as many members as there is room for, or somewhat fewer where all parts are alike then.

    A loop is compiled anew for each number of members.
    """
    members, memory = shapes.members or 1, (ACCELERATOR if _accelerated() else PROCESSOR).memory
    most = min(members, max(1, memory // room(plan, shapes, plan.batch_size)))
    even = next(count for count in range(most, 0, -1) if members % count == 0)
    return even if 2 * even >= most else most


NUMPY = Engine(
    "numpy", lambda plan, shapes: None, _seconds_of_numpy, _part_of_numpy, False, plain.prepare, plain.epochs
)
COMPILED = Engine(
    "compiled",
    _obstacle_of_compiled,
    _seconds_of_compiled,
    _part_of_compiled,
    True,
    _later("compiled", "prepare"),
    _later("compiled", "epochs"),
)
JAX = Engine(
    "jax",
    _obstacle_of_jax,
    _seconds_of_jax,
    _part_of_jax,
    False,
    _later("traced", "prepare"),
    _later("traced", "epochs"),
    library="jax",
    offers=_jax_offers,
    given_back=_later("traced", "given_back"),
    whole=True,
)
#: The engines by name.
ENGINES = MappingProxyType({engine.name: engine for engine in (NUMPY, COMPILED, JAX)})
#: What ``engine=`` takes.
NAMES = ("auto", *ENGINES)


def choose(name: str, plan: Plan, shapes: Shapes, epochs: int) -> Engine:
    """Return the engine called so; for "auto" the quickest of those that can run this, by their own account.

    An engine for arrays of another library than NumPy goes before the others where the weights are of that library.
    Where the first of them cannot, a warning says why, unless it is not installed at all.

    Raises
    ------
    ValueError
        If the name is unknown, or the engine cannot run this.
    """
    arguments.known("engine", name, dict.fromkeys(NAMES))
    if name == "auto":
        return _first(plan, shapes, epochs)
    if reason := ENGINES[name].obstacle(plan, shapes):
        raise arguments.ArgumentValueError(f"engine {name!r} cannot run this: {reason}; engine={NUMPY.name!r} can")
    return ENGINES[name]


def _first(plan: Plan, shapes: Shapes, epochs: int) -> Engine:
    def rank(engine: Engine) -> tuple[bool, float]:
        return shapes.library not in (engine.library, NUMPY.library), engine.seconds(plan, shapes, epochs)

    usable = (engine for engine in sorted(ENGINES.values(), key=rank) if engine.offers(shapes))
    reasons = []
    for engine in usable:  # a slower one is not asked: that may take a while
        reason = engine.obstacle(plan, shapes)
        if reason is None:
            break
        if _installed(EXTRAS[engine.name][0]):
            reasons.append(f"engine {engine.name!r}, which auto would take, cannot run this: {reason}")
    if reasons:
        warnings.warn(f"{reasons[0]}; {engine.name!r} does", EngineWarning, stacklevel=2)
    return engine


def absent() -> dict[str, tuple[str, str]]:
    """Return the engines that "auto" would take but are not installed: their package, and our extra for it."""
    plainest = Shapes((2, 1), (False,), ("sigmoid",), None, 1)
    missing = {name: (package, extra) for name, (package, extra, _) in EXTRAS.items() if not _installed(package)}
    return {name: one for name, one in missing.items() if ENGINES[name].offers(plainest)}


@attrs.frozen(eq=False)
class Parts:
    """A run that is prepared: one part, or an ensemble's, each with the members that it has."""

    engine: Engine
    parts: tuple[tuple[slice, Any], ...]
    threads: int


def prepare(engine: Engine, plan: Plan, shapes: Shapes, data: Data, held: Data | None, threads: int | None) -> Parts:
    """Cut an ensemble into parts that keep all threads busy and fit the cache, and prepare each."""
    if shapes.members is None:
        return Parts(engine, ((slice(None), engine.prepare(plan, shapes, data, held)),), 1)
    threads = (threads or _cores()) if engine.parallel else 1
    size = min(-(-shapes.members // threads), engine.part(plan, shapes))
    parts = []
    for begin in range(0, shapes.members, size):
        some = slice(begin, min(begin + size, shapes.members))
        own = attrs.evolve(shapes, members=some.stop - begin)
        held_part = None if held is None else _members(held, some)
        parts.append((some, engine.prepare(plan, own, _members(data, some), held_part)))
    return Parts(engine, tuple(parts), threads)


def prepare_members(engine: Engine, plan: Plan, shapes: Shapes, data: Data, held: Data | None, members: Array) -> Parts:
    """Prepare a run of some members of an ensemble."""
    own = attrs.evolve(shapes, members=len(members))
    return prepare(engine, plan, own, _members(data, members), None if held is None else _members(held, members), None)


def given_back(shapes: Shapes, results: Any) -> Any:
    """Return what a run gave with arrays of the library that its weights came from, where an engine is of it."""
    native = [engine for engine in ENGINES.values() if engine.library == shapes.library]
    return native[0].given_back(results, shapes.dtype) if native else results


def epochs(run: Parts, state: State, orders: Orders, rates: Array) -> tuple[State, Reports]:
    """Train all parts; ``rates`` (updates,) or (updates, K)."""
    if len(run.parts) == 1:
        return run.engine.epochs(run.parts[0][1], state, orders, rates)

    def train(part: tuple[slice, Any]) -> tuple[State, Reports]:
        some, prepared = part
        return run.engine.epochs(prepared, cut(state, some), orders, rates[:, some] if rates.ndim > 1 else rates)

    if run.threads == 1:
        done = list(map(train, run.parts))
    else:
        with ThreadPoolExecutor(run.threads) as pool:
            done = list(pool.map(train, run.parts))
    return joined([after for after, _ in done]), _put_together([reports for _, reports in done])


def cut(state: State, some: Any) -> State:
    """Return the state of some members: a slice, their numbers, or one number for that member alone."""
    pick = operator.itemgetter(some)
    params, *slots = (map_arrays(lambda a: read_only(pick(a)), one) for one in (state.params, *state.slots))
    return attrs.evolve(state, params=params, slots=tuple(slots), running=state.running[some])


def joined(parts: Sequence[State]) -> State:
    """Put the states of an ensemble's parts together."""
    params, *slots = (
        _concatenated([one[index] for one in ((part.params, *part.slots) for part in parts)])
        for index in range(1 + len(parts[0].slots))
    )
    furthest = max(parts, key=operator.attrgetter("epoch"))
    running = read_only(np.concatenate([part.running for part in parts]))
    return attrs.evolve(furthest, params=params, slots=tuple(slots), running=running)


def _concatenated(parts: Sequence[Params]) -> Params:
    pieces = zip(*map(arrays, parts), strict=True)
    return map_arrays(lambda _: read_only(np.concatenate(next(pieces))), parts[0])


def _put_together(parts: Sequence[Reports]) -> Reports:
    columns = zip(*(attrs.astuple(part, recurse=False) for part in parts), strict=True)
    return Reports(*(None if some[0] is None else read_only(np.concatenate(some, axis=-1)) for some in columns))


def _members(data: Data, some: Any) -> Data:
    x, y = (array[some] if array.ndim == 3 and len(array) > 1 else array for array in (data.x, data.y))
    return Data(x, y, data.weight)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
