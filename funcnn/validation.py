"""What is checked at the edge: public functions call these on what a user hands them.

Each raises an `ArgumentError`, which is a ``ValueError`` or a ``TypeError`` too, with the argument's name, what came,
and what was expected. They return it as the functions behind the edge want it: weights are NumPy arrays of float64 or
float32, all of one dtype; what meets them (samples, targets, gradients, rates) has that dtype too; each matrix lies in
memory row by row, since BLAS sums in another order where it does not; and a built-in activation is there by its name.
Arrays of other libraries pass as they are, but for their dtype.

Single arguments and names of tables are checked by `arguments`.
"""

import functools
import math
import numbers as kinds
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .activations import ACTIVATIONS, canonical
from .arguments import (
    ArgumentTypeError,
    ArgumentValueError,
    changed,
    foreign,
    of_kind,
    real,
    refuse_count,
    shown,
    whole,
)
from .records import Array, Decision, Layer, Params, arrays, map_arrays, read_only_view

#: Rows that are looked at together.
ROWS = 256
#: What the weights of a network may be.
FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
#: What lists are that are no arrays.
UNEVEN = "list whose parts are not all of one shape"
#: How predictions may be read as classes.
DECISIONS = ("largest", "threshold")


def batch_rows(batch_size: Any, n: int) -> int:
    """Return the samples of a batch, from a whole number or "full"."""
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ArgumentValueError(f"batch_size must be a whole number of samples or 'full', got {shown(batch_size)}")
        return n
    return min(n, whole("batch_size", batch_size, least=1))


def place(index: tuple[int, ...] | list[int]) -> str:
    """Say in words where in an array of samples something stands."""
    names = ("row", "column") if len(index) < 3 else ("member", "row", "column")
    return ", ".join(f"{name} {i}" for name, i in zip(names, index[-3:], strict=False)) or "its only place"


def numbers(name: str, values: Any) -> Array:
    """Return ``values`` (an array of whatever kind, a frame, lists) as a plain NumPy array of real numbers.

    Nothing is lost on the way: what is masked or missing is refused.
    """
    if isinstance(values, list | tuple) and any(isinstance(one, np.ma.MaskedArray) for one in values):
        try:
            values = np.ma.stack(values)
        except ValueError:
            raise ArgumentTypeError(f"{name} must be an array of real numbers, got {UNEVEN}") from None
    if isinstance(values, np.ma.MaskedArray):
        if len(masked := np.argwhere(np.ma.getmaskarray(values))):
            raise ArgumentValueError(f"{name} is masked at {place(masked[0].tolist())}; every value must be there")
        values = values.data
    try:
        array = np.asarray(bytes(values) if isinstance(values, bytearray) else values)  # a text, as bytes are
    except MemoryError as error:
        raise ArgumentValueError(f"{name} takes more memory than there is, got {shown(values)}") from error
    except Exception as error:  # whatever the conversion of somebody's type raises
        got = UNEVEN if isinstance(values, list | tuple) else f"{type(values).__name__}: {error}"
        raise ArgumentTypeError(f"{name} must be an array of real numbers, got {got}") from error
    if array.dtype.kind == "O":
        for index, one in np.ndenumerate(array):
            if not isinstance(one, kinds.Real | np.bool_):
                what = f"{shown(one)} at {place(index)}" if array.ndim else type(one).__name__
                raise ArgumentTypeError(f"{name} must hold real numbers, got {what}")
        try:
            array = array.astype(float)
        except OverflowError as error:
            raise ArgumentValueError(f"{name} holds a whole number that is too large for float64") from error
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array


def table(name: str, values: Any) -> Array:
    """Return samples or targets, (..., n, features), as an array of finite numbers."""
    array = numbers(name, values)
    if array.ndim < 2 or 0 in array.shape:
        raise ArgumentValueError(
            f"{name} must be an array of shape (n, features), neither of them 0, got shape {array.shape}"
        )
    finite(name, array)
    return array


def in_rows(array: Array) -> Array:
    """Return a NumPy array each of whose matrices lies in memory row by row, itself where it does."""
    strides = array.itemsize * array.shape[-1], array.itemsize
    # Not the flag: NumPy takes any strides along an axis of length 1 for contiguous, and BLAS does not.
    return array if array.strides[-2:] == strides else array.copy(order="C")


def cast(name: str, values: Any, like: Array) -> Array:
    """Return ``values`` as an array of the dtype of ``like``; finite numbers that it cannot hold are refused."""
    if type(values) is np.ndarray and type(like) is np.ndarray and values.dtype == like.dtype:
        return in_rows(values) if values.ndim > 1 else values
    if foreign(values):
        xp = values.__array_namespace__()
        if not xp.isdtype(values.dtype, ("bool", "integral", "real floating")):
            raise ArgumentTypeError(f"{name} must hold real numbers, got {values.dtype}")
        same = not foreign(like) or values.dtype == like.dtype
        return values if same else xp.astype(values, like.dtype)
    if foreign(like):
        array = numbers(name, values)
        array = narrowed(name, array, like.dtype) if isinstance(like.dtype, np.dtype) else array
        return like.__array_namespace__().asarray(array, dtype=like.dtype)
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
            raise ArgumentValueError(f"{name} has {value!s} at {place(lost[0].tolist())}, too large for {result.dtype}")
    return result


def rates(lr: Any, like: Array | None = None) -> Any:
    """Return ``lr``, a float or an array with one rate per member, finite in the dtype of ``like``."""
    if foreign(lr):
        return lr
    if type(lr) is float and math.isfinite(lr) and (like is None or (not foreign(like) and like.dtype == FLOATS[0])):
        return lr
    try:
        array = numbers("lr", lr)
    except TypeError:
        array = None
    # A flag among numbers would have become one of them.
    if array is None or array.dtype.kind == "b" or (isinstance(lr, list | tuple) and any(_is_flag(one) for one in lr)):
        raise ArgumentTypeError(f"lr must be a number or one number per member, got {shown(lr)}")
    if array.ndim > 1 or not array.size:
        raise ArgumentValueError(f"lr must be a number or have shape (K,), got shape {array.shape}")
    with np.errstate(over="ignore", under="ignore"):
        used = array.astype(like.dtype if isinstance(like, np.ndarray) else float)
    lost = ~np.isfinite(used) | ((used == 0) != (array == 0))
    if lost.any():
        given, rate = array[lost].flat[0], used[lost].flat[0]
        if not np.isfinite(given):
            raise ArgumentValueError(f"lr must be positive and finite, got {float(given)!r}")
        raise ArgumentValueError(f"lr {given!s} becomes {rate!s} in {used.dtype}, the dtype of the weights")
    return float(array) if array.ndim == 0 else array.astype(float)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def learning_rate(lr: Any, like: Array | None = None) -> Any:
    """Return ``lr`` as `rates` does; all must be positive."""
    checked = rates(lr, like)
    low = np.ravel(checked)[np.ravel(checked) <= 0]
    if len(low):
        raise ArgumentValueError(f"lr must be positive and finite, got {float(low[0])!r}")
    return checked


def update_numbers(t: Any) -> Array:
    """Return the numbers of updates, of any shape, as an array of floats."""
    if foreign(t):
        return t
    array = numbers("t", t)
    return array if array.dtype.kind == "f" else array.astype(float)


def finite(name: str, array: Array) -> None:
    """Refuse NaN and infinity, and say where the first one stands."""
    for begin in range(0, array.shape[-2], ROWS):  # some rows at a time, which takes little memory
        bad = np.argwhere(~np.isfinite(array[..., begin : begin + ROWS, :]))
        if len(bad):
            index = [*bad[0].tolist()]
            index[-2] += begin
            value = float(array[tuple(index)])
            raise ArgumentValueError(f"{name} has {value} at {place(index)}; every value must be finite")


def weights(name: str, values: Any) -> Array:
    """Return a layer's weights or biases as an array of float64 or float32."""
    if foreign(values):
        array = values
        if not array.__array_namespace__().isdtype(array.dtype, "real floating"):
            raise ArgumentTypeError(f"{name} must be float64 or float32, got {array.dtype}")
    else:
        array = values if type(values) is np.ndarray and values.dtype.kind == "f" else numbers(name, values)
        if array.dtype not in FLOATS:
            dtype = array.dtype.newbyteorder("=")
            if dtype not in FLOATS:
                raise ArgumentTypeError(
                    f"{name} must be float64 or float32, got {array.dtype}; astype(float) makes it float64"
                )
            array = array.astype(dtype)
    if array.ndim < 2 or not array.shape[-1]:
        raise ArgumentValueError(
            f"{name} must be an array of shape ({'…, 1' if name[0] == 'b' else '…, fan_in'}, fan_out) with a unit, got"
            f" shape {tuple(array.shape)}"
        )
    return in_rows(array) if isinstance(array, np.ndarray) else array


def network(params: Params, name: str = "params") -> Params:
    """Return the network as the functions behind the edge want it; refuse layers that do not fit together."""
    held = of_kind(name, params, Params).layers
    if not isinstance(held, tuple) or not held:
        raise ArgumentValueError(f"{name} has no layers" if held == () else f"layers of {name} must be a tuple")
    layers = tuple([_layer(name, index, layer) for index, layer in enumerate(held)])
    dtype = layers[0].w.dtype
    for index, layer in enumerate(layers):
        for array in (layer.w, layer.b):
            if array is not None and array.dtype != dtype:
                raise ArgumentTypeError(f"weights must all be float64 or float32, got {dtype} and {array.dtype}")
        if index and layers[index - 1].w.shape[-1] != layer.w.shape[-2]:
            raise ArgumentValueError(
                f"layer {index - 1} gives {layers[index - 1].w.shape[-1]} features,"
                f" but layer {index} takes {layer.w.shape[-2]}"
            )
    same = all(map(operator.is_, layers, held))
    return params if same else Params(layers)


def in_numpy(params: Params, name: str = "params") -> Params:
    """Return the network as `network` does, with NumPy's arrays whatever library's they were."""
    params = network(params, name)
    ours = as_numpy(params)
    return params if ours is params else network(ours, name)


def as_numpy(params: Params) -> Params:
    """Return a network that has been checked, with NumPy's arrays."""
    own = any(foreign(layer.w) or foreign(layer.b) for layer in params.layers)
    return map_arrays(functools.partial(numbers, "weights"), params) if own else params


def library_of(params: Params) -> str:
    """Return the name of the library that a network's arrays are of."""
    first = params.layers[0].w
    return str(first.__array_namespace__().__name__).partition(".")[0] if foreign(first) else np.__name__


def _layer(name: str, index: int, layer: Layer) -> Layer:
    if not isinstance(layer, Layer):
        raise ArgumentTypeError(f"layer {index} of {name} must be a Layer, got {type(layer).__name__}")
    w = weights(f"w of layer {index}", layer.w)
    b = None if layer.b is None else weights(f"b of layer {index}", layer.b)
    if b is not None and tuple(b.shape[-2:]) != (1, w.shape[-1]):
        raise ArgumentValueError(f"b of layer {index} has shape {tuple(b.shape)}, expected (..., 1, {w.shape[-1]})")
    act = layer.act if type(layer.act) is str and layer.act in ACTIVATIONS else canonical(layer.act)
    return layer if w is layer.w and b is layer.b and act is layer.act else Layer(w, b, act)


def alike(name: str, params: Params, other: Params) -> list[Array]:
    """Return the arrays of gradients or slots, which must be shaped like the network's, in its dtype."""
    of_kind(name, other, Params)
    mine, theirs = _flat(params), _flat(other)
    if [w is None for w in mine] == [array is None for array in theirs]:
        there = [(w, array) for w, array in zip(mine, theirs, strict=True) if w is not None]
        found = [cast(name, array, w) for w, array in there]
        if all(tuple(array.shape) == tuple(w.shape) for (w, _), array in zip(there, found, strict=True)):
            return found
    raise ArgumentValueError(
        f"params and {name} must have layers (w, b) of the same shapes, got {shapes(params)} and {shapes(other)}"
    )


def _flat(params: Params) -> list[Array | None]:
    """Return w and b of each layer, one after the other; of what is no layer, nothing that is like either."""
    layers = params.layers if isinstance(params.layers, tuple) else ()
    return [one for layer in layers for one in ((layer.w, layer.b) if isinstance(layer, Layer) else (None, None, None))]


def shapes(params: Params) -> list[object]:
    """Return the shapes of (w, b), layer by layer; what has none stands as its kind."""
    return [
        tuple(None if one is None else _shape(one) for one in (layer.w, layer.b))
        if isinstance(layer, Layer)
        else type(layer).__name__
        for layer in (params.layers if isinstance(params.layers, tuple) else (params.layers,))
    ]


def _shape(array: Any) -> tuple[int, ...]:
    shape = getattr(array, "shape", None)
    return tuple(shape) if isinstance(shape, tuple) else numbers("an array of a layer", array).shape


def features(params: Params, x: Any, name: str = "x") -> Array:
    """Return the samples that go into a network as an array of its dtype."""
    return _columns(name, cast(name, x, params.layers[0].w), params.layers[0].w.shape[-2], "first layer takes")


def targets(params: Params, x: Array, y: Any, name: str = "y") -> Array:
    """Return the targets of the samples ``x`` as an array of the network's dtype."""
    y = _columns(name, cast(name, y, params.layers[0].w), params.layers[-1].w.shape[-1], "last layer gives")
    if x.shape[-2] != y.shape[-2]:
        raise ArgumentValueError(f"{name[:-1]}x has {x.shape[-2]} samples, but {name} has {y.shape[-2]}")
    if not x.shape[-2]:
        raise ArgumentValueError(f"number of {name[:-1]}samples must be at least 1, got 0: {name[:-1]}x has no rows")
    return y


def sample_weight(weight: Any, x: Array, like: Array) -> Array:
    """Return the weights of the samples ``x``, (n,), finite and none negative, in the network's dtype."""
    weight = cast("weight", weight, like)
    if tuple(weight.shape) != (x.shape[-2],):
        raise ArgumentValueError(f"weight must have shape ({x.shape[-2]},), one per sample, got {tuple(weight.shape)}")
    if isinstance(weight, np.ndarray):
        wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
        if len(wrong):
            raise ArgumentValueError(
                f"weight has {float(weight[wrong[0]])} at row {wrong[0]}; none may be negative or infinite"
            )
    return weight


def _columns(name: str, array: Array, count: int, place: str) -> Array:
    if array.ndim < 2:
        hint = _columns_hint(name, array, count)
        raise ArgumentValueError(f"{name} must have shape (n, {count}), got {tuple(array.shape)}{hint}")
    if array.shape[-1] != count:
        hint = _columns_hint(name, array, count)
        raise ArgumentValueError(f"{name} has {array.shape[-1]} features, but the {place} {count}{hint}")
    return array


def _columns_hint(name: str, array: Array, count: int) -> str:
    """Say what makes columns of one number for each sample: labels of classes, it may be."""
    if array.shape not in (array.shape[:1], (*array.shape[:1], 1)) or not array.size:
        return ""
    if count == 1:
        return f": np.reshape({name}, (-1, 1)) makes a column of it" if array.ndim == 1 else ""
    if not name.endswith("y"):
        return ""
    labels = not foreign(array) and bool(np.isin(array, np.arange(count)).all())
    flat = name if array.ndim == 1 else f"np.ravel({name})"
    return f": np.eye({count})[{flat}] makes one-hot targets of whole labels from 0 to {count - 1}" if labels else ""


def leading(params: Params, most: int | None = None, **others: Any) -> tuple[int, ...]:
    """Return the leading axes that a network's arrays and ``others``, leading axes by name, broadcast to.

    ``most`` is how many there may be: an ensemble that is trained has one.
    """
    if not any(map(len, others.values())) and all(array.ndim == 2 for array in arrays(params)):
        return ()
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
        raise ArgumentValueError(f"an ensemble has one leading axis, of the same length everywhere, got {got}")
    if 0 in lead:
        got = ", ".join(f"{name} {axes}" for name, axes in leads.items() if 0 in axes)
        raise ArgumentValueError(f"an ensemble has at least one member, got {got}")
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
        raise ArgumentValueError(
            "y_hat and y must have the same shape (n, k), an ensemble's leading axis aside,"
            f" got {shapes[0]} and {shapes[1]}{_columns_hint('y', y, shapes[0][-1]) if len(shapes[0]) == 2 else ''}"
        )
    if 0 in shapes[0] or 0 in shapes[1]:
        raise ArgumentValueError(
            f"y_hat and y must have at least one member, sample and output, got {shapes[0]} and {shapes[1]}"
        )
    return y_hat, y


def decision(name: str, value: Any) -> Decision:
    """Return a decision whose fields are what `Decision` says."""
    how = of_kind(name, value, Decision)
    if not isinstance(how.kind, str) or how.kind not in DECISIONS:
        raise ArgumentValueError(f"kind of {name} must be {' or '.join(map(repr, DECISIONS))}, got {shown(how.kind)}")
    threshold, low, high = (real(f"{one} of {name}", getattr(how, one)) for one in ("threshold", "low", "high"))
    if not low < high:
        raise ArgumentValueError(f"low of {name} must be below high, got {low!r} and {high!r}")
    return changed(how, threshold=threshold, low=low, high=high)


def elementwise(kind: str, name: str, function: Callable[..., Any], *arrays: Array, constant: bool = True) -> Array:
    """Call a function of the user's, which may look at its arguments but not change them.

    What it gives must have the shape of its first argument, or be one number for all where it may be ``constant``, and
    gets its dtype.
    """
    first = arrays[0]
    result = watched(kind, name, function, *arrays)
    if not isinstance(first, np.ndarray) and first.__array_namespace__() is np:
        return result  # of what only stands for an array, to see what is done with it
    # A number that is Python's own is meant for all; one of a library is what is left of a reduction.
    to_all = constant and type(result) in (int, float)
    return _given(f"{kind} {shown(name)} must give a number for each of its argument's", result, first, to_all)


def _given(expected: str, result: Any, like: Array, to_all: bool = False) -> Array:
    """Return what a function of the user's gave as an array of the library, shape and dtype of ``like``."""
    if type(result) is type(like) and result.dtype == like.dtype and result.shape == like.shape:
        return result
    array = result if foreign(result) else numbers(f"what {expected.partition(' must ')[0]} gives", result)
    if array.shape != like.shape and not to_all:
        raise ArgumentValueError(f"{expected}: expected shape {tuple(like.shape)}, got {tuple(array.shape)}")
    xp = like.__array_namespace__()
    with np.errstate(over="ignore"):
        if isinstance(like, np.ndarray) or not foreign(array):
            array = xp.asarray(array, dtype=like.dtype)
        elif array.dtype != like.dtype:
            array = xp.astype(array, like.dtype)
    return array if array.shape == like.shape else xp.broadcast_to(array, like.shape)


def watched(kind: str, name: str, function: Callable[..., Any], *arrays: Array) -> Any:
    """Call a function of the user's on read-only views."""
    try:
        return function(*map(read_only_view, arrays))
    except TypeError as error:
        refuse_count(f"{kind} {shown(name)}", function, len(arrays), error)
        raise
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ArgumentValueError(
            f"{kind} {shown(name)} changes its argument in place; it must return a new array"
        ) from error


def updated(name: str, update: Any, w: Array, g: Array, slots: tuple[Array, ...], t: float, lr: Any, hyper: Any) -> Any:
    """Call an update rule of the user's on read-only views; it must give weights and as many slots, of their shape."""
    kept = tuple(map(read_only_view, slots))
    result = watched("optimizer", name, update, w, g, kept, t, lr, hyper)
    pair = result if isinstance(result, tuple) and len(result) == 2 else (None, None)
    if not isinstance(pair[1], tuple | list) or len(pair[1]) != len(slots):
        raise ArgumentValueError(f"optimizer {shown(name)} must give (w, slots) with {len(slots)} slots")
    expected = f"optimizer {shown(name)} must give weights and slots of the weights' shape"
    new, *after = (_given(expected, one, w) for one in (pair[0], *pair[1]))
    # Copies, since what it gives may be what it was given, which is about to be written to.
    return (np.array(new), tuple(map(np.array, after))) if isinstance(w, np.ndarray) else (new, tuple(after))
