"""Steps from parameters and gradients to new parameters."""

import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from . import arguments, validation
from .records import Array, Formula, Optimizer, Params, are_biases, arrays, map_arrays, read_only


def _sgd(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """w − η g, gradient descent. Rumelhart, Hinton & Williams 1986, eq. 8."""
    return w - lr * g, slots


def _momentum(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """v ← μ v + g; w − η v. Polyak 1964; Rumelhart, Hinton & Williams 1986, eq. 9. As PyTorch's SGD."""
    velocity = hyper[0] * slots[0] + g
    return w - lr * velocity, (velocity,)


def _nesterov(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """v ← μ v + g; w − η (g + μ v). Nesterov 1983; Sutskever, Martens, Dahl & Hinton 2013. As PyTorch's SGD."""
    velocity = hyper[0] * slots[0] + g
    return w - lr * (g + hyper[0] * velocity), (velocity,)


def _rmsprop(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """v ← α v + (1 − α) g²; w − η g / (√v + ε). Tieleman & Hinton 2012, lecture 6e; ε as PyTorch's."""
    alpha, epsilon = hyper
    square = alpha * slots[0] + (1 - alpha) * (g * g)
    return w - lr * (g / (w.__array_namespace__().sqrt(square) + epsilon)), (square,)


def _adam(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; w − η m̂ / (√v̂ + ε). Kingma & Ba 2015, algorithm 1.

    Multiplied by √(1 − β₂ᵗ) above and below, as their section 2 advises: what hangs on t alone is one number then.
    """
    xp = w.__array_namespace__()
    # Of the dtype of t, so that in float32 too 1 − β is 1 − β^t at the first update.
    beta, beta_of_squares = xp.full_like(t, hyper[0]), xp.full_like(t, hyper[1])
    mean = beta * slots[0] + (1 - beta) * g
    square = beta_of_squares * slots[1] + (1 - beta_of_squares) * (g * g)
    correction = xp.sqrt(1 - beta_of_squares**t)
    rate = lr * (correction / (1 - beta**t))
    return w - rate * (mean / (xp.sqrt(square) + hyper[2] * correction)), (mean, square)


def _adamw(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """w − η (m̂ / (√v̂ + ε) + λ w), biases too; m̂ and v̂ as adam's. Loshchilov & Hutter 2019, algorithm 2."""
    return _adam(w - lr * (hyper[3] * w), g, slots, t, lr, hyper)


def _adamw_weights(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """w − η (m̂ / (√v̂ + ε) + λ w), and biases as adam's, which do not decay. Loshchilov & Hutter 2019, algorithm 2."""
    return _adamw(w, g, slots, t, lr, hyper)


def _rprop(w: Any, g: Any, slots: Any, t: Any, lr: Any, hyper: Any) -> Any:
    """w − Δ sign g; Δ, η at first, × 1.2 where g keeps its sign, else × 0.5 and g is 0. Riedmiller & Braun 1993.

    As PyTorch's: the iRprop− of Igel & Hüsken 2000.
    """
    xp = w.__array_namespace__()
    shrinking, growing, least, most = hyper
    agreement = xp.sign(g) * xp.sign(slots[0])
    factor = xp.where(agreement < 0, xp.full_like(g, shrinking), xp.ones_like(g))
    factor = xp.where(agreement > 0, xp.full_like(g, growing), factor)
    begun = xp.where(slots[1] == 0, lr, slots[1])  # which is never 0 once it is
    size = xp.clip(begun * factor, least, most)
    g = xp.where(agreement < 0, xp.zeros_like(g), g)
    return w - xp.sign(g) * size, (g, size)


_ADAM, _ADAMW = ("beta1", "beta2", "epsilon"), ("beta1", "beta2", "epsilon", "decay")
_RPROP = ("shrinking", "growing", "least", "most")
#: The built-in optimizers by name, with the constants of their papers.
OPTIMIZERS = MappingProxyType(
    {
        optimizer.name: optimizer
        for optimizer in (
            Optimizer("sgd", _sgd),
            Optimizer("momentum", _momentum, 1, (0.9,), ("momentum",)),
            Optimizer("nesterov", _nesterov, 1, (0.9,), ("momentum",)),
            Optimizer("rmsprop", _rmsprop, 1, (0.9, 1e-8), ("alpha", "epsilon")),
            Optimizer("adam", _adam, 2, (0.9, 0.999, 1e-8), _ADAM),
            Optimizer("adamw", _adamw, 2, (0.9, 0.999, 1e-8, 0.01), _ADAMW),
            Optimizer("adamw_weights", _adamw_weights, 2, (0.9, 0.999, 1e-8, 0.01), _ADAMW, _adam),
            Optimizer("rprop", _rprop, 2, (0.5, 1.2, 1e-6, 50.0), _RPROP),
        )
    }
)
#: What the constants of these names must be: in words, and the test. Without ε, 0/0 is what a gradient of 0 gives.
RANGES: Mapping[str, tuple[str, Callable[[float], bool]]] = MappingProxyType(
    {
        **dict.fromkeys(("momentum", "alpha", "beta1", "beta2"), ("at least 0 and below 1", lambda one: 0 <= one < 1)),
        "shrinking": ("above 0 and below 1", lambda one: 0 < one < 1),
        **dict.fromkeys(("epsilon", "most"), ("above 0 and finite", lambda one: 0 < one < math.inf)),
        **dict.fromkeys(("decay", "least"), ("at least 0 and finite", lambda one: 0 <= one < math.inf)),
        "growing": ("at least 1 and finite", lambda one: 1 <= one < math.inf),
    }
)
#: The most arrays like the weights that an optimizer may keep.
SLOTS = 100


def optimizer_named(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer called so; an `Optimizer` of one's own is returned as it is, its constants as floats.

    A text ``NAME:number,…`` names one with other constants: the numbers replace the first of its ``hyper``.

    Raises
    ------
    ValueError, TypeError
        If the name is unknown (the message lists the known ones and suggests the nearest), its numbers are no finite
        numbers or more than it has constants, one is out of the constant's range, or a field of one's own is not what
        `Optimizer` says.
    """
    rule = _own(optimizer) if isinstance(optimizer, Optimizer) else _named(optimizer)
    if rule.hyper and arguments.of_table(rule, OPTIMIZERS):
        _check_ranges(rule)
    return rule


def _check_ranges(rule: Optimizer) -> None:
    """Refuse constants of a built-in optimizer that are out of their ranges, or not in order."""
    numbers = dict(zip(rule.names, rule.hyper, strict=True))
    for name, number in numbers.items():
        words, test = RANGES[name]
        if not arguments.foreign(number) and not test(number):
            raise arguments.ArgumentValueError(f"{name} of optimizer {rule.name!r} must be {words}, got {number:g}")
    if "least" in numbers and not any(map(arguments.foreign, rule.hyper)) and not numbers["least"] <= numbers["most"]:
        raise arguments.ArgumentValueError(
            f"least of optimizer {rule.name!r} must not be above most, got {numbers['least']:g} and {numbers['most']:g}"
        )


def _named(text: str) -> Optimizer:
    """Return the optimizer that a text ``NAME[:number,…]`` names; its numbers replace the first constants."""
    entry, given = arguments.named("optimizer", text, OPTIMIZERS)
    if len(given) > len(entry.hyper):
        takes = f"at most {len(entry.hyper)}: {', '.join(constants(entry))}" if entry.hyper else "none"
        raise arguments.ArgumentValueError(arguments.miscounted("optimizer", text, len(given), takes))
    return attrs.evolve(entry, hyper=(*given, *entry.hyper[len(given) :])) if given else entry


def constants(rule: Optimizer) -> list[str]:
    """Return the constants of an optimizer as ``name=number``."""
    return [f"{name}={number:g}" for name, number in zip(rule.names, rule.hyper, strict=True)]


def _own(rule: Optimizer) -> Optimizer:
    """Return an optimizer of the user's, whose fields must be what `Optimizer` says."""
    if isinstance(rule.name, str) and rule is OPTIMIZERS.get(rule.name):
        return rule
    arguments.formulas("optimizer", rule, "update", *(("biases",) if rule.biases is not None else ()))
    of_rule = f"of optimizer {rule.name!r}"
    slots = arguments.whole(f"slots {of_rule}", rule.slots, least=0, most=SLOTS)
    names = arguments.listed(f"names {of_rule}", rule.names, "list what its constants are called")
    for name in names:
        arguments.text(f"names {of_rule}", name)
    hyper = arguments.listed(f"hyper {of_rule}", rule.hyper, "list its constants, as (0.9, 0.99)")
    called = itertools.chain(names, itertools.repeat("hyper"))
    hyper = tuple(_constant(f"{name} {of_rule}", one) for name, one in zip(called, hyper, strict=False))
    if all(type(number) is float for number in rule.hyper) and isinstance(rule.hyper, tuple):
        hyper = rule.hyper
    names = rule.names if isinstance(rule.names, tuple) else names
    return arguments.changed(rule, slots=slots, hyper=hyper, names=names)


def _constant(name: str, value: Any) -> Any:
    """Return a constant as a float; traced ones pass."""
    return value if arguments.foreign(value) else arguments.number(name, value)


def fresh_slots(optimizer: str | Optimizer, params: Params) -> tuple[Params, ...]:
    """Return what an optimizer keeps for itself before the first update: zeros, like the parameters.

    Parameters
    ----------
    optimizer
        By name, or an `Optimizer`.
    params
        The weights that it is to move.

    Returns
    -------
    tuple of Params
        As many as it keeps.

    Raises
    ------
    ValueError, TypeError
        If the optimizer is unknown, or ``params`` is no network.

    Examples
    --------
    >>> import funcnn
    >>> [[layer.w.tolist() for layer in slot.layers] for slot in fresh_slots("momentum", funcnn.init((2, 1)))]
    [[[[0.0], [0.0]]]]
    """
    rule, params = optimizer_named(optimizer), validation.network(params)
    return tuple(
        map_arrays(lambda w: read_only(w.__array_namespace__().zeros_like(w)), params) for _ in range(rule.slots)
    )


def optimizer_step(
    optimizer: str | Optimizer, params: Params, grads: Params, slots: Sequence[Params], t: float, lr: Array
) -> tuple[Params, tuple[Params, ...]]:
    """One update of every weight and bias by an optimizer's rule.

    Parameters
    ----------
    optimizer
        By name, or an `Optimizer`.
    params, grads
        Of the same shapes; the new parameters have the dtype of the old ones.
    slots
        What the optimizer keeps, as the last step returned it; `fresh_slots` before the first.
    t
        The number of this update, 1.0 at the first.
    lr
        A number, or an array (K,) with a rate for each member of an ensemble.

    Returns
    -------
    params, slots
        Both new.

    Raises
    ------
    ValueError, TypeError
        If the arguments have different layers or shapes, if weights are not float64 or float32, or if a rate or a
        finite gradient is too large or too small for the weights' dtype.

    Examples
    --------
    >>> import funcnn
    >>> params = funcnn.init((2, 1), seed=0)
    >>> moved, slots = optimizer_step("sgd", params, params, (), 1.0, 0.5)
    >>> bool((moved.layers[0].w == params.layers[0].w / 2).all())
    True
    """
    rule, params = optimizer_named(optimizer), validation.network(params)
    kept = [arrays(slot) for slot in kept_slots(rule, params, slots)]
    return _stepped(rule, params, grads, kept, update_number(t), lr)


def _stepped(
    rule: Optimizer, params: Params, grads: Params, slots: Sequence[Sequence[Array]], t: float, lr: Any
) -> tuple[Params, tuple[Params, ...]]:
    given = validation.alike("grads", params, grads)
    lr = validation.rates(lr, params.layers[0].w)
    if lead := validation.leading(params, lr=np.shape(lr)):
        params, given, *slots = (spread(one, lead) for one in (params, given, *slots))
    return moved(rule, params, given, slots, t, lr)


def spread(one: Any, lead: tuple[int, ...]) -> Any:
    """Return a network, or a list of arrays like its, with these leading axes: those of rates or samples perhaps."""
    held = one if isinstance(one, list) else arrays(one)
    if all(tuple(array.shape[:-2]) == lead for array in held):
        return one
    wide = [array.__array_namespace__().broadcast_to(array, (*lead, *array.shape[-2:])) for array in held]
    return wide if isinstance(one, list) else with_arrays(one, wide)


def update_number(t: Any) -> Any:
    """Return the number of an update as a float; traced ones pass."""
    if arguments.foreign(t):
        return t
    number = arguments.real("t", t)
    if number < 1:
        raise arguments.ArgumentValueError(f"t must be at least 1, the number of the first update, got {number!r}")
    return number


def kept_slots(rule: Optimizer, params: Params, slots: Sequence[Params]) -> tuple[Params, ...]:
    """Return what an optimizer keeps, which must be as many as it does and like the parameters."""
    held = arguments.listed("slots", slots, "be Params, as many as the optimizer keeps")
    if len(held) != rule.slots:
        raise arguments.ArgumentValueError(
            f"optimizer {rule.name!r} keeps {rule.slots} slots, got {len(held)}: fresh_slots makes those to begin with"
        )
    return tuple([_slot(params, slot) for slot in held])


def _slot(params: Params, slot: Params) -> Params:
    found = validation.alike("slots", params, slot)
    return slot if all(map(operator.is_, found, arrays(slot))) else with_arrays(params, found)


def moved(
    rule: Optimizer, params: Params, grads: Sequence[Array], slots: Sequence[Sequence[Array]], t: float, lr: Any
) -> tuple[Params, tuple[Params, ...]]:
    """Return parameters and slots after an update; gradients and slots are given array by array."""
    update, update_biases = updates_of(rule)
    new: list[Array] = []
    kept: list[list[Array]] = [[] for _ in slots]
    for index, (w, bias) in enumerate(zip(arrays(params), are_biases(params), strict=True)):
        xp = w.__array_namespace__()
        own = tuple(slot[index] for slot in slots)
        rate = xp.asarray(lr, dtype=w.dtype)
        rate = rate[..., None, None] if rate.ndim else rate
        now = xp.asarray(t, dtype=w.dtype)  # a Python float's power may have other bits
        w, after = (update_biases if bias else update)(w, grads[index], own, now, rate, rule.hyper)
        new.append(read_only(w))
        for slot, array in zip(kept, after, strict=True):
            slot.append(read_only(array))
    return with_arrays(params, new), tuple(with_arrays(params, slot) for slot in kept)


def rules(rule: Optimizer) -> tuple[Formula, ...]:
    """Return an optimizer's functions: that of the weights and, where it is another, that of the biases."""
    return (rule.update,) if rule.biases is None else (rule.update, rule.biases)


def updates_of(rule: Optimizer) -> tuple[Any, Any]:
    """Return what updates weights by a rule, and what biases; one of the user's gets arrays read-only."""
    updates: Sequence[Any] = rules(rule)
    if not arguments.of_table(rule, OPTIMIZERS):
        updates = [functools.partial(validation.updated, rule.name, update) for update in updates]
    return updates[0], updates[-1]


def with_arrays(params: Params, new: Sequence[Array]) -> Params:
    """Return ``params`` with these weights and biases, in the order of `arrays`."""
    following = iter(new)
    return map_arrays(lambda _: next(following), params)


def sgd_step(params: Params, grads: Params, lr: Array) -> Params:
    """One step of gradient descent: ``w - lr * dw``, and the same for the biases.

    Parameters and errors as for `optimizer_step`.

    Examples
    --------
    >>> import funcnn
    >>> params = funcnn.init((2, 1), seed=0)
    >>> moved = sgd_step(params, params, 0.5)
    >>> bool((moved.layers[0].w == params.layers[0].w / 2).all())
    True
    """
    return _stepped(OPTIMIZERS["sgd"], validation.network(params), grads, (), 1.0, lr)[0]


def penalised(g: Array, w: Array, l2: float) -> Array:
    """Return the gradient of an objective with weight decay, ½ λ Σ w² added; Krogh & Hertz 1991."""
    return g + l2 * w


def shrunk(squares: Array, clip: float) -> Array:
    """Return min(1, c / ‖g‖) for a gradient of this squared norm; Pascanu, Mikolov & Bengio 2013, algorithm 1."""
    xp = squares.__array_namespace__()
    norm = xp.sqrt(squares)
    return clip / xp.where(norm > clip, norm, xp.full_like(norm, clip))


def clip_scale(grads: Sequence[Array], clip: float) -> Array:
    """Return what gradients are multiplied by, () or (K,), so that none is longer than ``clip``.

    The norm is each member's over all arrays.
    """
    squares = [g.__array_namespace__().sum(g * g, axis=(-2, -1)) for g in grads]
    total = squares[0]
    for more in squares[1:]:
        total = total + more
    return shrunk(total, clip)
