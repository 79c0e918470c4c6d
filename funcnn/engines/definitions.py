"""What a function of the user's computes, as a value that can be compared.

A compiled function keeps what it was compiled from. Two functions of the same definition may share what was compiled of
one; and a function that refers to something that can change (a list, an object, a variable that it sets itself) has no
definition, so it is not to be compiled.
"""

import builtins
import dis
import types
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np

#: Modules whose functions stay what they are.
STEADY_MODULES = ("numpy", "math", "builtins", "jax")


class UnsteadyError(TypeError):
    """Raised for a function that hangs on what can change; the message says on what."""


def definition(function: Callable[..., Any]) -> Hashable:
    """Return code, constants and defaults of a plain function, and all of that of what it refers to.

    Raises
    ------
    UnsteadyError
        If it refers to anything but numbers, plain functions, and functions of NumPy and math.
    """
    return _value("it", function, ())


def _value(name: str, value: Any, above: tuple[types.FunctionType, ...]) -> Hashable:
    """Return the definition of what a function calls ``name``; ``above`` are the functions that lead to it."""
    if isinstance(value, types.FunctionType):
        return ("itself", above.index(value)) if value in above else _function(value, (*above, value))
    if value is None or isinstance(value, int | float | complex | str | bytes | np.number | np.bool_):
        return type(value).__name__, repr(value)  # by repr, since 1 == 1.0 == True and 0.0 == -0.0
    if isinstance(value, tuple):
        return tuple(_value(name, one, above) for one in value)
    if isinstance(value, types.ModuleType):
        if value.__name__.partition(".")[0] in STEADY_MODULES:
            return "module", value.__name__
    elif str(getattr(value, "__module__", "")).partition(".")[0] in STEADY_MODULES and callable(value):
        return "of a library", value.__module__, getattr(value, "__name__", "")
    elif isinstance(value, np.ufunc):
        return "ufunc", value.__name__
    raise UnsteadyError(f"{name} is {type(value).__name__}, which can change")


def _function(function: types.FunctionType, above: tuple[types.FunctionType, ...]) -> Hashable:
    codes = tuple(_codes(function.__code__))
    for code in codes:
        for instruction in dis.get_instructions(code):
            sets_own = instruction.opname == "STORE_DEREF" and code is codes[0]
            if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") or (
                sets_own and instruction.argval in code.co_freevars
            ):
                raise UnsteadyError(f"it sets {instruction.argval!r}")
    texts = tuple((code.co_code, code.co_names, code.co_varnames, _plain(code.co_consts)) for code in codes)
    globals_, cells = referred(function)
    values = {**globals_, **cells, "its defaults": function.__defaults__, **(function.__kwdefaults__ or {})}
    return texts, tuple((name, _value(repr(name), value, above)) for name, value in sorted(values.items()))


def referred(function: types.FunctionType) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a function refers to outside itself, by name: globals, and variables of the functions around it."""
    names = {
        str(instruction.argval)
        for code in _codes(function.__code__)
        for instruction in dis.get_instructions(code)
        if instruction.opname == "LOAD_GLOBAL"
    }
    globals_ = {name: function.__globals__.get(name, getattr(builtins, name, None)) for name in names}
    try:
        cells = {
            name: cell.cell_contents
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        }
    except ValueError:  # an empty cell
        raise UnsteadyError("it refers to a variable without a value") from None
    return globals_, cells


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _plain(constants: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple("code" if isinstance(one, types.CodeType) else repr(one) for one in constants)
