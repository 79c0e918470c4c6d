"""Formulas of arrays as lists of calls into buffers: what the tables' functions are when the same step comes often.

A formula called as it is written makes a new array for each of its operations, and looks up its functions each time.
So it is called once with arrays that write down what is done with them; the list of calls is then gone through again
and again, into the same buffers, with the same bits. Of small arrays most of a call is such bookkeeping, and of large
ones new memory costs more than the arithmetic.
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..records import Array

#: Reads buffers, and writes to one.
Call = Callable[[], Any]
#: Buffers that nothing reads any more, by shape and dtype.
Spare = dict[tuple[tuple[int, ...], Any], list[Array]]

#: Bytes of a cache line.
LINE = 64

#: Functions that look at no number of their argument.
CONSTANT = (np.ones_like, np.zeros_like, np.full_like)
#: What NumPy's reductions call.
REDUCTIONS: dict[Any, np.ufunc] = {np.sum: np.add, np.max: np.maximum, np.min: np.minimum}


@attrs.frozen(eq=False)
class Operation:
    """A call that was written down: ``function(*inputs)`` gave ``result``. Only a ufunc may write over its inputs."""

    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    result: Array
    in_place: bool


# The only way to see what a function does with an array is to be one, by NumPy's protocols.
@attrs.frozen(eq=False)
class Recorded(NDArrayOperatorsMixin):
    """An array that writes down what is done with it. Nothing can take the numbers out of it, which would be lost."""

    array: Array
    tape: list[Operation]

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the array."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        """As of the array."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """As of the array."""
        return int(self.array.ndim)

    def __array_namespace__(self, **_: Any) -> Any:
        return np

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("this function asks for the numbers of its argument")

    def __bool__(self) -> bool:
        raise TypeError("this function asks for the numbers of its argument")

    def __getitem__(self, index: Any) -> "Recorded":
        return Recorded(self.array[index], self.tape)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and not options:
            return _kept(self.tape, ufunc, inputs, in_place=True)
        if method == "reduce" and len(inputs) == 1 and options.keys() <= {"axis", "keepdims"}:
            axis, keepdims = options.get("axis", 0), bool(options.get("keepdims", False))
            reducing: Any = ufunc.reduce

            def reduce(array: Array, out: Any = None) -> Any:
                return reducing(array, axis, None, out, keepdims)

            return _kept(self.tape, reduce, inputs)
        return NotImplemented

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function in CONSTANT:
            return function(*map(_plain, args), **options)
        if function in REDUCTIONS:
            return self.__array_ufunc__(REDUCTIONS[function], "reduce", *args, **options)
        return _kept(self.tape, OTHERS[function], args) if function in OTHERS and not options else NotImplemented


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, Recorded) else value


def _where(condition: Array, x: Any, y: Any, out: Any = None) -> Any:
    if out is None:
        return np.where(condition, x, y)
    out[...] = y
    np.copyto(out, x, where=condition)
    return out


#: Other functions, as they can be told where to write.
OTHERS: dict[Any, Callable[..., Any]] = {np.where: _where, np.clip: np.clip}


def _kept(
    tape: list[Operation], function: Callable[..., Any], given: Sequence[Any], in_place: bool = False
) -> Recorded:
    """Call a function, and write that down."""
    inputs = tuple(map(_plain, given))
    floats = [one.dtype for one in inputs if isinstance(one, np.ndarray) and one.dtype.kind == "f"]
    # A number takes the dtype of the arrays it meets; as an array of one it costs a call half the time.
    inputs = tuple(np.asarray(one, floats[0]) if floats and isinstance(one, int | float) else one for one in inputs)
    result = np.asarray(function(*inputs))
    tape.append(Operation(function, inputs, result, in_place))
    return Recorded(result, tape)


def record(function: Callable[..., Any], inputs: Sequence[Any], outs: Sequence[Array], spare: Spare) -> list[Call]:
    """Return the calls that do what a function does.

    Parameters
    ----------
    function
        Of arrays and numbers to an array or a flat tuple of arrays. What it does may not hang on the numbers in them.
    inputs
        The buffers that the calls read.
    outs
        For each result where to write it, perhaps over an input.
    spare
        Buffers for what is in between; those of these calls are added.

    Raises
    ------
    TypeError
        If the function does what cannot be written down.
    """
    tape: list[Operation] = []
    with np.errstate(all="ignore"):
        found = function(*(Recorded(one, tape) if isinstance(one, np.ndarray) else one for one in inputs))
    results = [_plain(one) for one in (found if isinstance(found, tuple) else (found,))]
    # What something looks at a part of stays where it is.
    looked_at = (*results, *(array for one in tape for array in one.inputs))
    pinned = {id(array.base) for array in looked_at if getattr(array, "base", None) is not None}
    places, copies = _placed(tape, results, outs, pinned)
    last = {id(array): i for i, one in enumerate(tape) for array in one.inputs}
    own = {id(one.result) for one in tape} - places.keys() - pinned - {id(array) for array in results}
    calls: list[Call] = []
    for i, one in enumerate(tape):
        arguments = tuple(places.get(id(array), array) for array in one.inputs)
        over = [id(array) for array in one.inputs if id(array) in own and last[id(array)] == i]
        gone = [places[name] for name in dict.fromkeys(over)]
        if one.in_place:
            _give(spare, gone)
        if id(one.result) in own:
            free = spare.get(_kind(one.result))
            places[id(one.result)] = free.pop() if free else zeros(one.result.shape, one.result.dtype)
        if not one.in_place:
            _give(spare, gone)
        calls.append(_call(one.function, arguments, places.get(id(one.result), one.result)))
    calls += [_assigning(target, places.get(id(array), array)) for array, target in copies]
    return calls


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return a buffer that begins with a cache line: where each load meets two, to add arrays takes twice as long."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    return room[begin : begin + size].view(dtype).reshape(shape)


def _call(function: Any, arguments: Sequence[Any], out: Array) -> Call:
    if function in (np.maximum, np.minimum):  # which take it by name only
        return functools.partial(function, *arguments, out=out)
    return functools.partial(function, *arguments, out)


def _assigning(out: Array, array: Array) -> Call:
    """Return the call that copies an array into a buffer."""
    return functools.partial(out.__setitem__, ..., array)


def _placed(
    tape: Sequence[Operation], results: Sequence[Array], outs: Sequence[Array], pinned: set[int]
) -> tuple[dict[int, Array], list[tuple[Array, Array]]]:
    """Return which results are written to their place at once, and which are copied there in the end."""
    made = {id(one.result): i for i, one in enumerate(tape)}
    places: dict[int, Array] = {}
    copies = []
    for place, (array, out) in enumerate(zip(results, outs, strict=True)):
        others = [*results[:place], *results[place + 1 :]]
        over = any(isinstance(one, np.ndarray) and np.may_share_memory(out, one) for one in others)
        if over and any(id(one) not in made for one in others):
            raise TypeError("this function gives back what it was given, which is about to be written over")
        if (
            id(array) in made
            and id(array) not in pinned | places.keys()
            and not over
            and (array.shape, array.dtype) == (out.shape, out.dtype)
            and not _read_after(tape, made[id(array)], out)
        ):
            places[id(array)] = out
        else:
            copies.append((array, out))
    return places, copies


def _read_after(tape: Sequence[Operation], index: int, out: Array) -> bool:
    """Tell whether an operation would read what the one of this number has written over."""
    later = tape[index + 1 if tape[index].in_place else index :]
    return any(
        isinstance(array, np.ndarray) and np.may_share_memory(out, array) for one in later for array in one.inputs
    )


def _kind(array: Array) -> tuple[tuple[int, ...], Any]:
    return array.shape, array.dtype


def _give(spare: Spare, buffers: Iterable[Array]) -> None:
    for buffer in buffers:
        spare.setdefault(_kind(buffer), []).append(buffer)
