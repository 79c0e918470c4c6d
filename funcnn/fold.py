"""The fold that training is: `step`, one update, and `scan`, which takes a carry through one after another."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import attrs
import numpy as np

from . import losses
from . import validation as edge
from .network import propagate
from .optimizers import check_slots, clip_scale, fresh_slots, moved, penalised, with_arrays
from .records import Array, Optimizer, Params, Plan, State, arrays, read_only

Carry = TypeVar("Carry")
X = TypeVar("X")
Y = TypeVar("Y")


def scan(step: Callable[[Carry, X], tuple[Carry, Y]], carry: Carry, xs: Iterable[X]) -> tuple[Carry, tuple[Y, ...]]:
    """Fold ``step`` over ``xs`` and keep what each step puts out: ``jax.lax.scan`` without the stacking.

    Parameters
    ----------
    step
        ``step(carry, x) -> (carry, y)``.
    carry
        The first carry.
    xs
        What to fold over.

    Returns
    -------
    carry, ys
        The last carry, and a tuple with the y of every step.

    Examples
    --------
    >>> scan(lambda total, x: (total + x, total), 0, [1, 2, 3])
    (6, (0, 1, 3))
    """
    ys = []
    for x in xs:
        carry, y = step(carry, x)
        ys.append(y)
    return carry, tuple(ys)


def fresh_state(plan: Plan, params: Params) -> State:
    """Return where a run of ``plan`` stands before its first update."""
    running = np.ones(params.layers[0].w.shape[:-2], bool)
    slots = fresh_slots(plan.optimizer, params)
    return State(params, slots, running=read_only(running), rule=plan.optimizer.name)


def step(plan: Plan, state: State, x: Array, y: Array, lr: Array, weight: Array | None = None) -> tuple[State, Array]:
    """One update: the definition of what every engine does.

    Forward and backward as `backprop` says; weight decay is added to the gradient; it is clipped; and the optimizer
    moves the weights. A member that is not running stands still.

    Parameters
    ----------
    plan
        What to do; see `Plan`.
    state
        Where the run stands.
    x, y
        A batch, (n, d) and (n, k).
    lr
        A number, or (K,).
    weight
        (n,) per sample.

    Returns
    -------
    state, y_hat
        Where it stands then, and the predictions from before.

    Raises
    ------
    ValueError, TypeError
        As for `backprop` and `optimizer_step`.

    Examples
    --------
    >>> import funcnn
    >>> data, params = funcnn.xor(), funcnn.init((2, 3, 1), seed=0)
    >>> plan = funcnn.Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS["sgd"])
    >>> state, y_hat = step(plan, fresh_state(plan, params), data.x, data.y, 0.1)
    >>> state.params == funcnn.sgd_step(params, funcnn.grads(params, data.x, data.y), 0.1)
    True
    """
    params = edge.network(state.params)
    check_state(plan.optimizer, state)
    x = edge.features(params, x)
    y = edge.targets(params, x, y)
    lr = edge.rates(lr, params.layers[0].w)
    if weight is not None:
        weight = edge.sample_weight(weight, x, params.layers[0].w)
    edge.leading(params, x=x.shape[:-2], y=y.shape[:-2], lr=np.shape(lr))
    losses.check(plan.loss, params, y)
    _, a, _, gradient = propagate(params, x, y, plan.loss, weight)
    if plan.l2:
        pairs = zip(gradient.layers, params.layers, strict=True)
        gradient = Params(attrs.evolve(g, w=penalised(g.w, p.w, plan.l2)) for g, p in pairs)
    given = arrays(gradient)
    if plan.clip is not None:
        scale = clip_scale(given, plan.clip)[..., None, None]
        given = [g * scale for g in given]
    t = state.t + 1.0
    new, slots = moved(plan.optimizer, params, given, [arrays(slot) for slot in state.slots], t, lr)
    new, *slots_ = (_standing(state, one, old) for one, old in zip((new, *slots), (params, *state.slots), strict=True))
    return attrs.evolve(state, params=new, slots=tuple(slots_), t=t), a[-1]


def check_state(rule: Optimizer, state: State) -> None:
    """Refuse a state whose parts do not fit each other or the optimizer."""
    if state.rule not in ("", rule.name):
        raise ValueError(
            f"the state is one of optimizer {state.rule!r}, got {rule.name!r}: what it keeps means nothing to another;"
            " begin anew with the state's params"
        )
    check_slots(rule, state.params, state.slots)
    lead = tuple(state.params.layers[0].w.shape[:-2])
    if np.shape(state.running) not in ((), lead):
        raise ValueError(f"running of the state must have shape {lead}, as its params, got {np.shape(state.running)}")


def _standing(state: State, new: Params, old: Params) -> Params:
    """Return the new parameters, but the old ones of members that are not running."""
    if not edge.foreign(state.running) and np.all(state.running):
        return new
    return selected(state.running, new, old)


def selected(mask: Array, new: Params, old: Params) -> Params:
    """Return the new parameters of the members that ``mask`` () or (K,) is true for, and the old ones of the others."""
    mask = mask[..., None, None] if np.ndim(mask) else mask
    pairs = zip(arrays(new), arrays(old), strict=True)
    return with_arrays(new, [read_only(w.__array_namespace__().where(mask, w, stood)) for w, stood in pairs])
