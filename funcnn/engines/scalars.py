"""Formulas of arrays compiled for numbers: what the tables' functions are when numba compiles them.

The tables write a formula once, with operators and the functions of the namespace that its argument brings,
``z.__array_namespace__()``. Here a number brings one too, with the standard's names, so that numba compiles the same
definition from numbers to a number.
"""

import math
import types
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types as numba_types
from numba.extending import overload_method

from .definitions import referred

F = TypeVar("F", bound=Callable[..., Any])


def inline(function: F) -> F:
    """Compile a function into what calls it. The arithmetic is IEEE's, in the order written."""
    return cast(F, numba.njit(forceinline=True, nogil=True, error_model="numpy")(function))


def called(function: F) -> F:
    """Compile a function that stays one of its own, to be called."""
    return cast(F, numba.njit(nogil=True, error_model="numpy")(function))


#: 2^(i/64), and log 2 / 64 in two pieces of which the first has so few bits that k times it is exact.
POWERS = np.exp2(np.arange(64) / 64)
LOG2_HIGH, LOG2_LOW = float.fromhex("0x1.62e42fef80000p-7"), float.fromhex("0x1.1cf79abc9e3b4p-42")
#: Adding and subtracting 1.5 · 2^52 rounds to a whole number, which then stands in the lowest bits.
ROUND = 1.5 * 2.0**52


@inline
def exp(x: Any) -> Any:
    """Return e^x to within an ulp: x = (k + r) log 2 / 64, so e^x = 2^(k // 64) · 2^(k % 64 / 64) · (1 + r + r²/2 + …).

    Tang, "Table-Driven Implementation of the Exponential Function in IEEE Floating-Point Arithmetic", TOMS 15 (1989).
    The C library's is as good, but a call to it cannot be made for several members at once.
    """
    x = -708.0 if x < -708.0 else x
    x = 709.0 if x > 709.0 else x
    shifted = x * (64 / math.log(2)) + ROUND
    k = shifted - ROUND
    r = (x - k * LOG2_HIGH) - k * LOG2_LOW
    bits = np.float64(shifted).view(np.int64)
    scale = np.int64(np.float64(POWERS[bits & 63]).view(np.int64) + ((bits >> 6) << 52)).view(np.float64)
    return scale + scale * (r + r * r * (1 / 2 + r * (1 / 6)) + (r * r) * (r * r) * (1 / 24 + r * (1 / 120)))


#: The namespace that a number brings: elementwise functions of the array API standard.
FUNCTIONS: dict[str, Any] = {
    "exp": exp,
    **{name: getattr(math, name) for name in ("expm1", "log", "log1p", "sqrt", "isfinite", "isnan")},
    **{name: getattr(math, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "floor", "ceil")},
    **{name: getattr(np, name) for name in ("sign", "maximum", "minimum")},
    "abs": inline(lambda x: abs(x)),
    "square": inline(lambda x: x * x),
    "where": inline(lambda condition, x, y: x if condition else y),
    "clip": inline(lambda x, low, high: min(max(x, low), high)),
    "zeros_like": inline(lambda x: 0.0),
    "ones_like": inline(lambda x: 1.0),
    "full_like": inline(lambda x, value: value),
}
NAMESPACE = types.ModuleType("scalars")
vars(NAMESPACE).update(FUNCTIONS)


@overload_method(numba_types.Float, "__array_namespace__", inline="always")
def _namespace(x: Any) -> Any:
    def bring(x: Any) -> Any:
        return NAMESPACE

    return bring


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a formula, and the plain functions that it calls, as they are now."""
    if not isinstance(function, types.FunctionType):
        return function  # of NumPy's or math's, which numba knows
    globals_, cells = referred(function)
    names = {**globals_, **cells}
    compiled = {name: inlined(value) for name, value in names.items() if isinstance(value, types.FunctionType)}
    closure = tuple(types.CellType(compiled.get(name, cells[name])) for name in function.__code__.co_freevars)
    rebuilt = types.FunctionType(
        function.__code__,
        {**function.__globals__, **compiled},
        function.__name__,
        function.__defaults__,
        closure,
    )
    return inline(rebuilt)


def chosen(functions: Sequence[Any], first: int = 0) -> Any:
    """Return one compiled function ``(code, *arguments)`` that does what the function number ``code`` does.

    It asks as often as halving takes, so that a longer table does not slow down its last entries.
    """
    if len(functions) == 1:
        only = functions[0]
        return inline(lambda code, *given: only(*given))
    if len(functions) == 2:  # each function less is a tenth of a second less to compile
        one, other = functions
        return inline(lambda code, *given: one(*given) if code == first else other(*given))
    half = (len(functions) + 1) // 2
    middle = first + half
    lower, upper = chosen(functions[:half], first), chosen(functions[half:], middle)
    return inline(lambda code, *given: lower(code, *given) if code < middle else upper(code, *given))
