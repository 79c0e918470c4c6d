"""What is checked at the edge: public functions call these on what a user hands them.

Each raises ``ValueError`` or ``TypeError`` with the argument's name, what came, and what was expected. They return it
as the functions behind the edge want it: weights are NumPy arrays of float64 or float32, all of one dtype; what meets
them (samples, targets, gradients, rates) has that dtype too; and each matrix lies in memory row by row, since BLAS sums
in another order where it does not. Arrays of other libraries pass as they are, but for their dtype.
"""

import difflib
import functools
import inspect
import itertools
import math
import numbers as kinds
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
import numpy as np

from .records import Array, Layer, Optimizer, Params, map_arrays, read_only_view

T = TypeVar("T")

#: Rows that are looked at together.
ROWS = 256
#: What the weights of a network may be.
FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def known(kind: str, name: object, table: Mapping[str, T]) -> T:
    """Return ``table[name]``; an unknown name is answered with the known ones and the nearest."""
    if isinstance(name, str) and name in table:
        return table[name]
    head = str(name).partition(":")[0]
    if head in table and head != name:
        raise ValueError(f"{kind} {head!r} takes no numbers, got {name!r}")
    nearest = difflib.get_close_matches(str(name).lower(), table, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"unknown {kind} {name!r}{hint} (known: {', '.join(table) or 'none'})")


def named(kind: str, text: object, table: Mapping[str, T]) -> tuple[T, tuple[float, ...]]:
    """Return the entry of a table that a text ``NAME[:number,…]`` names, and its numbers.

    Examples
    --------
    >>> named("letter", "b:0.5,2", {"a": 1, "b": 2})
    (2, (0.5, 2.0))
    """
    name, colon, rest = text.partition(":") if isinstance(text, str) else (text, "", "")
    entry = known(kind, name, table)
    return entry, tuple(_number(kind, text, piece) for piece in rest.split(",")) if colon else ()


def _number(kind: str, text: object, piece: str) -> float:
    try:
        number = float(piece)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{kind} {text!r} must be a name, or a name and finite numbers as NAME:0.5,2, got {piece!r}")
    return number


def with_numbers(kind: str, text: object, table: Mapping[str, Callable[..., T]], *trial: Any) -> Callable[..., T]:
    """Return the function of a table that a text ``NAME[:number,…]`` names, with its numbers as its arguments.

    These follow the other arguments, and may be left out from the right where they have defaults. ``trial`` are other
    arguments that the function is called with once, so that a number out of its range is refused now.
    """
    function, given = named(kind, text, table)
    takes = numbers_taken(function, len(trial))
    least = sum("=" not in one for one in takes)
    if not least <= len(given) <= len(takes):
        raise ValueError(_miscounted(kind, text, len(given), ", ".join(takes) or "none"))
    names = (one.partition("=")[0] for one in takes)
    chosen = functools.partial(function, **dict(zip(names, given, strict=False))) if given else function
    try:
        chosen(*trial)
    except ValueError as error:
        raise ValueError(f"{kind} {text!r}: {error}") from error
    return chosen


def numbers_taken(function: Callable[..., Any], leading: int) -> list[str]:
    """Return the names of a function's arguments after so many others, those with a default as ``name=default``.

    Examples
    --------
    >>> numbers_taken(lambda t, horizon, floor=0.0: t, 1)
    ['horizon', 'floor=0']
    """
    takes = list(inspect.signature(function).parameters.values())[leading:]
    return [one.name if one.default is one.empty else f"{one.name}={one.default:g}" for one in takes]


def with_hyper(kind: str, text: object, table: Mapping[str, Optimizer]) -> Optimizer:
    """Return the optimizer that a text ``NAME[:number,…]`` names; its numbers replace the first constants."""
    entry, given = named(kind, text, table)
    if len(given) > len(entry.hyper):
        takes = f"at most {len(entry.hyper)}: {', '.join(constants(entry))}" if entry.hyper else "none"
        raise ValueError(_miscounted(kind, text, len(given), takes))
    return attrs.evolve(entry, hyper=(*given, *entry.hyper[len(given) :])) if given else entry


def constants(rule: Optimizer) -> list[str]:
    """Return the constants of an optimizer as ``name=number``."""
    return [f"{name}={number:g}" for name, number in zip(rule.names, rule.hyper, strict=True)]


def _miscounted(kind: str, text: object, given: int, takes: str) -> str:
    name = str(text).partition(":")[0]
    return f"{kind} {text!r} gives {given or 'no'} number{'s' * (given != 1)}, but {name} takes {takes}"


def of_table(record: Any, table: Mapping[str, Any]) -> bool:
    """Tell whether a record is the table's own of that name, perhaps with other constants ``hyper``."""
    entry: Any = table.get(record.name)
    if entry is record:
        return True
    if type(entry) is not type(record):
        return False
    if not hasattr(entry, "hyper"):
        return bool(entry == record)
    return len(record.hyper) == len(entry.hyper) and bool(attrs.evolve(record, hyper=entry.hyper) == entry)


def whole(name: str, value: object, *, least: int) -> int:
    """Return ``value`` as an int of at least ``least``."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if number < least or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return number


def batch_rows(batch_size: Any, n: int) -> int:
    """Return the samples of a batch, from a whole number or "full"."""
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ValueError(f"batch_size must be a whole number of samples or 'full', got {batch_size!r}")
        return n
    return min(n, whole("batch_size", batch_size, least=1))


def foreign(values: object) -> bool:
    """Tell whether these are an array of another library than NumPy, perhaps a traced one."""
    return hasattr(values, "__array_namespace__") and not isinstance(values, np.ndarray | np.generic)


def place(index: tuple[int, ...] | list[int]) -> str:
    """Say in words where in an array of samples something stands."""
    names = ("row", "column") if len(index) < 3 else ("member", "row", "column")
    return ", ".join(f"{name} {i}" for name, i in zip(names, index[-3:], strict=False)) or "its only place"


def numbers(name: str, values: Any) -> Array:
    """Return ``values`` (an array of whatever kind, a frame, lists) as a plain NumPy array of real numbers.

    Nothing is lost on the way: what is masked or missing is refused.
    """
    if isinstance(values, list | tuple) and any(isinstance(one, np.ma.MaskedArray) for one in values):
        values = np.ma.stack(values)
    if isinstance(values, np.ma.MaskedArray):
        if len(masked := np.argwhere(np.ma.getmaskarray(values))):
            raise ValueError(f"{name} is masked at {place(masked[0].tolist())}; every value must be there")
        values = values.data
    try:
        array = np.asarray(values)
    except Exception as error:  # whatever the conversion of somebody's type raises
        raise TypeError(f"{name} must be an array of real numbers, got {type(values).__name__}: {error}") from error
    if array.dtype.kind == "O":
        for index, one in np.ndenumerate(array):
            if not isinstance(one, kinds.Real | np.bool_):
                what = f"{one!r} at {place(index)}" if array.ndim else type(one).__name__
                raise TypeError(f"{name} must hold real numbers, got {what}")
        try:
            array = array.astype(float)
        except OverflowError as error:
            raise ValueError(f"{name} holds a whole number that is too large for float64") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array


def in_rows(array: Array) -> Array:
    """Return a NumPy array each of whose matrices lies in memory row by row, itself where it does."""
    strides = array.itemsize * array.shape[-1], array.itemsize
    # Not the flag: NumPy takes any strides along an axis of length 1 for contiguous, and BLAS does not.
    return array if array.strides[-2:] == strides else array.copy(order="C")


def cast(name: str, values: Any, like: Array) -> Array:
    """Return ``values`` as an array of the dtype of ``like``; finite numbers that it cannot hold are refused."""
    if foreign(values) or foreign(like):
        if not foreign(values):
            array = numbers(name, values)
            array = narrowed(name, array, like.dtype) if isinstance(like.dtype, np.dtype) else array
            return like.__array_namespace__().asarray(array, dtype=like.dtype)
        same = not foreign(like) or values.dtype == like.dtype
        return values if same else values.__array_namespace__().astype(values, like.dtype)
    array = values if type(values) is np.ndarray else numbers(name, values)
    if array.dtype != like.dtype:
        array = narrowed(name, array if array.dtype.kind in "fiub" else numbers(name, array), like.dtype)
    return in_rows(array) if array.ndim > 1 else array


def narrowed(name: str, array: Array, dtype: Any) -> Array:
    """Return ``array`` in another dtype; a finite number that becomes infinite there is refused."""
    with np.errstate(over="ignore"):
        result = array.astype(dtype)
    if array.dtype.kind == "f" and array.dtype.itemsize > result.itemsize:
        lost = np.argwhere(np.isinf(result) & np.isfinite(array))
        if len(lost):
            value = array[tuple(lost[0])]
            raise ValueError(f"{name} has {value!s} at {place(lost[0].tolist())}, too large for {result.dtype}")
    return result


def rates(lr: Any, like: Array | None = None) -> Any:
    """Return ``lr``, a float or an array with one rate per member, finite in the dtype of ``like``."""
    if foreign(lr):
        return lr
    try:
        array = numbers("lr", lr)
    except TypeError:
        raise TypeError(f"lr must be a number or one number per member, got {lr!r}") from None
    if array.ndim > 1 or not array.size:
        raise ValueError(f"lr must be a number or have shape (K,), got shape {array.shape}")
    with np.errstate(over="ignore", under="ignore"):
        used = array.astype(like.dtype if isinstance(like, np.ndarray) else float)
    for given, rate in zip(array.flat, used.flat, strict=True):
        if not np.isfinite(given):
            raise ValueError(f"lr must be positive and finite, got {float(given)!r}")
        if not np.isfinite(rate) or (rate == 0) != (given == 0):
            raise ValueError(f"lr {given!s} becomes {rate!s} in {used.dtype}, the dtype of the weights")
    return float(array) if array.ndim == 0 else array.astype(float)


def learning_rate(lr: Any, like: Array) -> Any:
    """Return ``lr`` as `rates` does; all must be positive."""
    checked = rates(lr, like)
    for rate in np.ravel(checked):
        if rate <= 0:
            raise ValueError(f"lr must be positive and finite, got {float(rate)!r}")
    return checked


def finite(name: str, array: Array) -> None:
    """Refuse NaN and infinity, and say where the first one stands."""
    for begin in range(0, array.shape[-2], ROWS):  # some rows at a time, which takes little memory
        bad = np.argwhere(~np.isfinite(array[..., begin : begin + ROWS, :]))
        if len(bad):
            index = [*bad[0].tolist()]
            index[-2] += begin
            value = float(array[tuple(index)])
            raise ValueError(f"{name} has {value} at {place(index)}; every value must be finite")


def weights(name: str, values: Any) -> Array:
    """Return a layer's weights or biases as an array of float64 or float32."""
    if foreign(values):
        if not values.__array_namespace__().isdtype(values.dtype, "real floating"):
            raise TypeError(f"{name} must be float64 or float32, got {values.dtype}")
        return values
    array = values if type(values) is np.ndarray and values.dtype.kind == "f" else numbers(name, values)
    dtype = array.dtype.newbyteorder("=")
    if dtype not in FLOATS:
        raise TypeError(f"{name} must be float64 or float32, got {array.dtype}; astype(float) makes it float64")
    if array.ndim < 2:
        raise ValueError(f"{name} must be an array of shape (..., fan_in, fan_out), got shape {array.shape}")
    return in_rows(array if array.dtype.isnative else array.astype(dtype))


def network(params: Params) -> Params:
    """Return the network with weights of one dtype, laid out row by row; refuse layers that do not fit together."""
    if not isinstance(params, Params):
        raise TypeError(f"params must be Params, got {type(params).__name__}")
    if not params.layers:
        raise ValueError("params has no layers")
    layers = tuple(_layer(index, layer) for index, layer in enumerate(params.layers))
    first = layers[0].w
    for array in (array for layer in layers for array in (layer.w, layer.b) if array is not None):
        if array.dtype != first.dtype:
            raise TypeError(f"weights must all be float64 or float32, got {first.dtype} and {array.dtype}")
    for index, (below, above) in enumerate(itertools.pairwise(layers)):
        if below.w.shape[-1] != above.w.shape[-2]:
            raise ValueError(
                f"layer {index} gives {below.w.shape[-1]} features, but layer {index + 1} takes {above.w.shape[-2]}"
            )
    same = all(new is old for new, old in zip(layers, params.layers, strict=True))
    return params if same else Params(layers)


def in_numpy(params: Params) -> Params:
    """Return the network as `network` does, with NumPy's arrays whatever library's they were."""
    params = network(params)
    ours = as_numpy(params)
    return params if ours is params else network(ours)


def as_numpy(params: Params) -> Params:
    """Return a network that has been checked, with NumPy's arrays."""
    own = any(foreign(layer.w) or foreign(layer.b) for layer in params.layers)
    return map_arrays(functools.partial(numbers, "weights"), params) if own else params


def library_of(params: Params) -> str:
    """Return the name of the library that a network's arrays are of."""
    first = params.layers[0].w
    return str(first.__array_namespace__().__name__).partition(".")[0] if foreign(first) else np.__name__


def _layer(index: int, layer: Layer) -> Layer:
    if not isinstance(layer, Layer):
        raise TypeError(f"layer {index} of params must be a Layer, got {type(layer).__name__}")
    w = weights(f"w of layer {index}", layer.w)
    b = None if layer.b is None else weights(f"b of layer {index}", layer.b)
    if b is not None and tuple(b.shape[-2:]) != (1, w.shape[-1]):
        raise ValueError(f"b of layer {index} has shape {b.shape}, expected (..., 1, {w.shape[-1]})")
    return layer if w is layer.w and b is layer.b else attrs.evolve(layer, w=w, b=b)


def features(params: Params, x: Any, name: str = "x") -> Array:
    """Return the samples that go into a network as an array of its dtype."""
    return _columns(name, cast(name, x, params.layers[0].w), params.layers[0].w.shape[-2], "first layer takes")


def targets(params: Params, x: Array, y: Any, name: str = "y") -> Array:
    """Return the targets of the samples ``x`` as an array of the network's dtype."""
    y = _columns(name, cast(name, y, params.layers[0].w), params.layers[-1].w.shape[-1], "last layer gives")
    if x.shape[-2] != y.shape[-2]:
        raise ValueError(f"{name[:-1]}x has {x.shape[-2]} samples, but {name} has {y.shape[-2]}")
    return y


def sample_weight(weight: Any, x: Array, like: Array) -> Array:
    """Return the weights of the samples ``x``, (n,), finite and none negative, in the network's dtype."""
    weight = cast("weight", weight, like)
    if tuple(weight.shape) != (x.shape[-2],):
        raise ValueError(f"weight must have shape ({x.shape[-2]},), one per sample, got {tuple(weight.shape)}")
    if isinstance(weight, np.ndarray):
        wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
        if len(wrong):
            raise ValueError(
                f"weight has {float(weight[wrong[0]])} at row {wrong[0]}; none may be negative or infinite"
            )
    return weight


def positive(name: str, value: Any, *, zero: bool = False) -> float:
    """Return ``value`` as a finite float above 0, or of at least 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not (number > 0 or (zero and number == 0)) or number == float("inf"):
        raise ValueError(f"{name} must be {'at least 0' if zero else 'positive'} and finite, got {value!r}")
    return number


def _columns(name: str, array: Array, count: int, place: str) -> Array:
    if array.ndim < 2:
        raise ValueError(f"{name} must have shape (n, {count}), got {tuple(array.shape)}")
    if array.shape[-1] != count:
        raise ValueError(f"{name} has {array.shape[-1]} features, but the {place} {count}")
    return array


def leading(params: Params, most: int | None = None, **others: Any) -> tuple[int, ...]:
    """Return the leading axes that a network's arrays and ``others``, leading axes by name, broadcast to.

    ``most`` is how many there may be: an ensemble that is trained has one.
    """
    leads = {
        f"{name} of layer {index}": tuple(array.shape[:-2])
        for index, layer in enumerate(params.layers)
        for name, array in (("w", layer.w), ("b", layer.b))
        if array is not None
    }
    if len(set(leads.values())) == 1:
        leads = {"params": next(iter(leads.values()))}
    leads |= {name: tuple(lead) for name, lead in others.items()}
    lead: tuple[int, ...] | None = next(iter(leads.values()))
    if len(set(leads.values())) > 1:
        try:
            lead = np.broadcast_shapes(*leads.values())
        except ValueError:
            lead = None
    if lead is None or (most is not None and len(lead) > most):
        got = ", ".join(f"{name} {axes}" for name, axes in leads.items() if axes)
        raise ValueError(f"an ensemble has one leading axis, of the same length everywhere, got {got}")
    return lead


def pair(y_hat: Any, y: Any) -> tuple[Array, Array]:
    """Return predictions and targets as arrays of one dtype, with as many samples and outputs."""
    if not foreign(y_hat):
        y_hat = numbers("y_hat", y_hat)
        if y_hat.dtype not in FLOATS:
            y_hat = narrowed("y_hat", y_hat, FLOATS[0])
    y = cast("y", y, y_hat)
    shapes = tuple(y_hat.shape), tuple(y.shape)
    try:
        fit = len(np.broadcast_shapes(*shapes)) > 1 and shapes[0][-2:] == shapes[1][-2:]
    except ValueError:
        fit = False
    if not fit:
        raise ValueError(
            "y_hat and y must have the same shape (n, k), an ensemble's leading axis aside,"
            f" got {shapes[0]} and {shapes[1]}"
        )
    return y_hat, y


def elementwise(kind: str, name: str, function: Callable[..., Any], *arrays: Array) -> Array:
    """Call a function of the user's, which may look at its arguments but not change them.

    What it gives must have the shape of its first argument, or be one number for all, and gets its dtype.
    """
    first = arrays[0]
    own = isinstance(first, np.ndarray)
    result = watched(kind, name, function, *arrays) if own else function(*arrays)
    if not own and first.__array_namespace__() is np:
        return result  # of what only stands for an array, to see what is done with it
    # A number that is Python's own is meant for all; one of a library is what is left of a reduction.
    if np.shape(result) != first.shape and type(result) not in (int, float):
        raise ValueError(
            f"{kind} {name!r} must give a number for each of its argument's: expected shape {first.shape},"
            f" got {np.shape(result)}"
        )
    array = alike(result, first)
    return array if array.shape == first.shape else first.__array_namespace__().broadcast_to(array, first.shape)


def alike(result: Any, like: Array) -> Array:
    """Return what a function of the user's gave as an array of the library and dtype of ``like``."""
    if isinstance(like, np.ndarray):
        return np.asarray(result, dtype=like.dtype)
    xp = like.__array_namespace__()
    if not foreign(result):
        return xp.asarray(result, dtype=like.dtype)
    return result if result.dtype == like.dtype else xp.astype(result, like.dtype)


def watched(kind: str, name: str, function: Callable[..., Any], *arrays: Array) -> Any:
    """Call a function of the user's on read-only views."""
    try:
        return function(*map(read_only_view, arrays))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(f"{kind} {name!r} changes its argument in place; it must return a new array") from error


def updated(name: str, update: Any, w: Array, g: Array, slots: tuple[Array, ...], t: float, lr: Any, hyper: Any) -> Any:
    """Call an update rule of the user's on read-only views; it must give weights and as many slots, of their shape."""
    kept = tuple(map(read_only_view, slots))
    result = watched("optimizer", name, lambda w, g, t, lr: update(w, g, kept, t, lr, hyper), w, g, t, lr)
    if not isinstance(result, tuple) or len(result) != 2 or len(result[1]) != len(slots):
        raise ValueError(f"optimizer {name!r} must give (w, slots) with {len(slots)} slots")
    if any(np.shape(one) != w.shape for one in (result[0], *result[1])):
        raise ValueError(f"optimizer {name!r} must give weights and slots of the weights' shape {w.shape}")
    if not isinstance(w, np.ndarray):
        return alike(result[0], w), tuple(alike(one, w) for one in result[1])
    # Copies, since what it gives may be what it was given, which is about to be written to.
    return np.array(result[0], w.dtype), tuple(np.array(one, w.dtype) for one in result[1])
