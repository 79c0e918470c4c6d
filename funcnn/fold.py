"""The fold that training is: `step`, one update, and `scan`, which takes a carry through one after another."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import attrs
import numpy as np

from . import arguments, losses
from . import validation as edge
from .losses import loss_named
from .network import propagate
from .optimizers import (
    clip_scale,
    fresh_slots,
    kept_slots,
    moved,
    optimizer_named,
    penalised,
    spread,
    with_arrays,
)
from .records import Array, Optimizer, Params, Plan, State, arrays, read_only

#: The last epoch that is counted: every count up to here is a float and NumPy's too.
LAST = 2**53

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

    Raises
    ------
    TypeError
        If ``step`` is no function of two arguments that gives a pair, or ``xs`` is nothing to go through.

    Examples
    --------
    >>> scan(lambda total, x: (total + x, total), 0, [1, 2, 3])
    (6, (0, 1, 3))
    """
    arguments.function("step", step, "a function step(carry, x) -> (carry, y)")
    ys = []
    for x in arguments.iterable("xs", xs):
        pair = arguments.called("step", step, carry, x)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise arguments.ArgumentTypeError(f"step must give a pair (carry, y), got {arguments.shown(pair)}")
        carry, y = pair
        ys.append(y)
    return carry, tuple(ys)


def fresh_state(plan: Plan, params: Params) -> State:
    """Return where a run of ``plan`` stands before its first update.

    Raises
    ------
    ValueError, TypeError
        If a field of the plan is not what `Plan` says, or ``params`` is no network.

    Examples
    --------
    >>> import funcnn
    >>> plan = funcnn.Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS["adam"])
    >>> state = fresh_state(plan, funcnn.init((2, 3, 1), seed=range(4)))
    >>> len(state.slots), state.t, state.running
    (2, 0.0, array([ True,  True,  True,  True]))
    """
    rule, params = planned(plan).optimizer, edge.network(params)
    running = np.ones(params.layers[0].w.shape[:-2], bool)
    return State(params, fresh_slots(rule, params), running=read_only(running), rule=rule.name)


def planned(plan: Plan) -> Plan:
    """Return a plan whose loss and optimizer are records, and whose other fields are what `Plan` says."""
    arguments.of_kind("plan", plan, Plan)
    return arguments.changed(
        plan,
        loss=loss_named(plan.loss),
        optimizer=optimizer_named(plan.optimizer),
        batch_size=arguments.whole("batch_size of plan", plan.batch_size, least=1),
        clip=plan.clip if plan.clip is None or arguments.foreign(plan.clip) else arguments.positive("clip", plan.clip),
        l2=arguments.positive("l2 of plan", plan.l2, zero=True),
        decision=edge.decision("decision of plan", plan.decision),
    )


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
    plan = planned(plan)
    return stepped(plan, checked_state(plan.optimizer, state), x, y, lr, weight)


def stepped(plan: Plan, state: State, x: Any, y: Any, lr: Any, weight: Any) -> tuple[State, Array]:
    """Do as `step` does, of a plan and a state that have been checked."""
    params: Params = state.params
    slots: Sequence[Params] = state.slots
    x = edge.features(params, x)
    y = edge.targets(params, x, y)
    lr = edge.rates(lr, params.layers[0].w)
    if weight is not None:
        weight = edge.sample_weight(weight, x, params.layers[0].w)
    lead = edge.leading(params, x=x.shape[:-2], y=y.shape[:-2], lr=np.shape(lr))
    losses.check(plan.loss, params, y)
    if lead:
        params, *slots = (spread(one, lead) for one in (params, *slots))
    _, a, _, gradient = propagate(params, x, y, plan.loss, weight)
    if plan.l2:
        pairs = zip(gradient.layers, params.layers, strict=True)
        gradient = Params(attrs.evolve(g, w=penalised(g.w, p.w, plan.l2)) for g, p in pairs)
    given = arrays(gradient)
    if plan.clip is not None:
        scale = clip_scale(given, plan.clip)[..., None, None]
        given = [g * scale for g in given]
    t = state.t + 1.0
    moved_to, after = moved(plan.optimizer, params, given, [arrays(slot) for slot in slots], t, lr)
    networks = zip((moved_to, *after), (params, *slots), strict=True)
    new, *kept = (_standing(state, one, old) for one, old in networks)
    return attrs.evolve(state, params=new, slots=tuple(kept), t=t), a[-1]


def checked_state(rule: Optimizer, state: State, *, fresh: bool = False) -> State:
    """Return a state whose parts fit each other and the optimizer.

    One that has not begun may be without slots where it gets ``fresh`` ones.
    """
    params = edge.network(arguments.of_kind("state", state, State).params)
    if not arguments.foreign(state.t):
        arguments.positive("t of the state", state.t, zero=True)
    if not arguments.foreign(state.epoch):
        arguments.whole("epoch of the state", state.epoch, least=0, most=LAST)
    _check_rule(rule, state)
    lead = tuple(params.layers[0].w.shape[:-2])
    held = state.running
    as_it_is = isinstance(held, np.ndarray) or arguments.foreign(held)
    running = held if as_it_is else edge.numbers("running of the state", held)
    if running.shape not in ((), lead) or (isinstance(running, np.ndarray) and running.dtype != bool):
        raise arguments.ArgumentValueError(
            f"running of the state must be True or False, or have shape {lead}, as its params,"
            f" got {arguments.shown(held)}"
        )
    if fresh and state.t == 0 and isinstance(state.slots, tuple) and not state.slots:
        return attrs.evolve(state, params=params, slots=fresh_slots(rule, params), rule=rule.name)
    slots = kept_slots(rule, params, state.slots)
    if params is state.params and isinstance(state.slots, tuple) and all(map(operator.is_, slots, state.slots)):
        return state
    return attrs.evolve(state, params=params, slots=slots)


def _check_rule(rule: Optimizer, state: State) -> None:
    """Refuse a state whose slots are those of another optimizer."""
    if arguments.text("rule of the state", state.rule) not in ("", rule.name):
        raise arguments.ArgumentValueError(
            f"the state is one of optimizer {arguments.shown(state.rule)}, got {rule.name!r}: what it keeps means"
            " nothing to another; begin anew with the state's params"
        )


def _standing(state: State, new: Params, old: Params) -> Params:
    """Return the new parameters, but the old ones of members that are not running."""
    if not arguments.foreign(state.running) and np.all(state.running):
        return new
    return selected(state.running, new, old)


def selected(mask: Array, new: Params, old: Params) -> Params:
    """Return the new parameters of the members that ``mask`` () or (K,) is true for, and the old ones of the others."""
    mask = mask[..., None, None] if np.ndim(mask) else mask
    pairs = zip(arrays(new), arrays(old), strict=True)
    return with_arrays(new, [read_only(w.__array_namespace__().where(mask, w, stood)) for w, stood in pairs])
