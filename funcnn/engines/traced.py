"""The `jax` engine: `step` itself, traced, in a loop over batches and epochs that is compiled once.

There is no formula here and no step: JAX traces `funcnn.step`, as it does for anybody who scans over it. How many
epochs a call trains is a number that it is given, so that 60 and 40 epochs run what 100 do, and so are the constants of
a table's optimizer. Numbers beside the weights are computed with 64 bits, as Python's are, whatever the user's JAX is
set to; the weights keep their dtype.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import attrs
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .. import arguments, losses, validation
from .. import jax as pytrees  # noqa: F401, which makes pytrees of the records
from ..activations import ACTIVATIONS, activation
from ..fold import stepped
from ..losses import LOSSES
from ..metrics import right
from ..network import forward
from ..optimizers import OPTIMIZERS, rules, with_arrays
from ..records import Activation, Array, Layer, Loss, Optimizer, Params, Plan, State, arrays, read_only
from .contract import Data, Orders, Reports, Shapes, updates
from .definitions import UnsteadyError, definition

#: Numbers that a call is given or gives beside the weights, roughly, and the epochs that it trains, at most.
NUMBERS, LONGEST = 1 << 18, 1 << 12
#: Where functions of one's own are tried.
PROBE = np.linspace(-2.0, 2.0, 12).reshape(4, 3)


@attrs.frozen(cache_hash=True)
class Fixed:
    """What a loop is compiled for. It is known by what functions compute, not by which functions they are."""

    known: Hashable
    plan: Plan = attrs.field(eq=False)
    shapes: Shapes = attrs.field(eq=False)
    epochs: int  # of a call, at most


class Given(NamedTuple):
    """The samples: each array (..., n, count), the weights as a column; None where there are none."""

    x: Array
    y: Array
    weight: Array | None
    held_x: Array | None
    held_y: Array | None


class Clock(NamedTuple):
    """What a call trains with: updates done before it, epochs to do, and an order and the rates for each of them.

    Rates are (epochs, updates) or (epochs, updates, K), or () or (K,) where they are always the same.
    """

    t: float
    todo: int
    orders: Array | None
    rates: Array
    hyper: tuple[float, ...]


class Carry(NamedTuple):
    """The carry of the loop over epochs; figures are (epochs, ...) each."""

    epoch: Array
    weights: list[Array]
    slots: list[list[Array]]
    running: Array
    figures: tuple[Array, ...]


@attrs.frozen(eq=False)
class Prepared:
    """A run: what its loop is compiled for, its samples on their devices, and where an ensemble's arrays lie."""

    fixed: Fixed
    given: Given
    place: Any  # a sharding over members, or None


# --- the loop, as it is traced ---------------------------------------------------------------------------------------


@functools.partial(jax.jit, static_argnums=0)
def _loop(fixed: Fixed, given: Given, clock: Clock, weights: Any, slots: Any, running: Any) -> Carry:
    """Train for ``clock.todo`` epochs, but end where no member is running any more."""
    lead = running.shape
    figures = tuple(
        jnp.full((fixed.epochs, *lead), jnp.nan, dtype)
        for dtype in (weights[0].dtype, float) * (1 if given.held_x is None else 2)
    )
    return jax.lax.while_loop(
        lambda carry: (carry.epoch < clock.todo) & jnp.any(carry.running),
        functools.partial(_epoch, fixed, given, clock),
        Carry(jnp.zeros((), int), weights, slots, running, figures),
    )


def _epoch(fixed: Fixed, given: Given, clock: Clock, carry: Carry) -> Carry:
    """Train an epoch; who is not running stands still, and its figures are no numbers."""
    network, members = _network(fixed.shapes), carry.running.ndim > 0
    # One network that is not running has left the loop.
    before = State(
        with_arrays(network, carry.weights),
        tuple(with_arrays(network, slot) for slot in carry.slots),
        clock.t + carry.epoch * updates(fixed.plan, fixed.shapes),
        running=carry.running if members else True,
    )
    after, measured = _trained(fixed, given, clock, carry.epoch, before)
    if given.held_x is not None:
        measured += _measured(fixed, forward(after.params, given.held_x), given.held_y)
    weights, *slots = map(arrays, (after.params, *after.slots))
    numbers = jnp.concatenate([w.reshape(*w.shape[:-2], -1) for w in weights], axis=-1)
    figures = tuple(
        jax.lax.dynamic_update_index_in_dim(
            kept, jnp.where(carry.running, one, jnp.nan) if members else one.astype(kept.dtype), carry.epoch, 0
        )
        for kept, one in zip(carry.figures, measured, strict=True)
    )
    running = carry.running & jnp.isfinite(numbers).all(axis=-1)
    return Carry(carry.epoch + 1, weights, slots, running, figures)


def _trained(fixed: Fixed, given: Given, clock: Clock, epoch: Array, state: State) -> tuple[State, tuple[Array, ...]]:
    """Scan over the whole batches of an epoch, and take one more step for the rest."""
    n, size = fixed.shapes.samples, fixed.plan.batch_size
    update = functools.partial(_update, fixed, clock, state.running)
    data: Any = (given.x, given.y, given.weight)
    if clock.orders is not None:
        order = clock.orders[epoch]
        data = jax.tree.map(lambda array: jnp.take(array, order, axis=-2, mode="clip"), data)
    rates = clock.rates[epoch] if clock.rates.ndim > 1 else None
    whole = n - n % size if n > size else 0  # a scan over one batch costs more than none
    moving, measured = (state.params, state.slots, state.t), []
    if whole:
        cut = jax.tree.map(lambda array: _cut(array[..., :whole, :], size), data)
        moving, y_hat = jax.lax.scan(update, moving, (*cut, None if rates is None else rates[: whole // size]))
        y = cut[1] if cut[1].ndim == y_hat.ndim else cut[1][:, None]  # which all members share
        measured.append(tuple(figure.sum(axis=0) for figure in _measured(fixed, y_hat, y)))
    if whole < n:
        rest = jax.tree.map(lambda array: array[..., whole:, :], data)
        moving, y_hat = update(moving, (*rest, None if rates is None else rates[-1]))
        measured.append(_measured(fixed, y_hat, rest[1]))
    params, slots, t = moving
    return attrs.evolve(state, params=params, slots=slots, t=t), tuple(
        functools.reduce(jnp.add, parts) for parts in zip(*measured, strict=True)
    )


def _update(fixed: Fixed, clock: Clock, running: Any, moving: Any, batch: Any) -> tuple[Any, Array]:
    """Take a step; what it leaves alone is not carried along, since compilers make better loops without."""
    (params, slots, t), (x, y, weight, rate) = moving, batch
    rule = fixed.plan.optimizer
    plan = attrs.evolve(fixed.plan, optimizer=attrs.evolve(rule, hyper=clock.hyper or rule.hyper))
    rate, weight = clock.rates if rate is None else rate, None if weight is None else weight[..., 0]
    state, y_hat = stepped(plan, State(params, slots, t, running=running), x, y, rate, weight)
    return (state.params, state.slots, state.t), y_hat


def _measured(fixed: Fixed, y_hat: Array, y: Array) -> tuple[Array, ...]:
    """Return the sum of a loss's contributions and how many samples are right, of (..., n, k)."""
    each = losses.contributions(losses.report_of(fixed.plan.loss), y_hat, y)
    return each.sum(axis=(-2, -1)), right(y_hat, y, fixed.plan.decision).sum(axis=-1)


def _cut(array: Array, size: int) -> Array:
    """Return (..., n, count) as (batches, ..., size, count)."""
    *lead, rows, count = array.shape
    return jnp.moveaxis(array.reshape(*lead, rows // size, size, count), -3, 0)


def _network(shapes: Shapes) -> Params:
    """Return the network without its numbers."""
    return Params(Layer(0, 0 if biased else None, act) for biased, act in zip(shapes.biased, shapes.acts, strict=True))


# --- around it -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _precise() -> Iterator[None]:
    """Compute with 64 bits where there are as many, and multiply float32 as such, unless the user has set how."""
    wide: Any = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")  # in older ones
    products = getattr(jax.config, "jax_default_matmul_precision", None) or "highest"
    with wide.enable_x64(True), jax.default_matmul_precision(products):
        yield


def prepare(plan: Plan, shapes: Shapes, data: Data, held: Data | None) -> Prepared:
    """Put the samples where they are needed."""
    per_epoch = shapes.samples + updates(plan, shapes) + 4 * (shapes.members or 1)
    fixed = Fixed(_known(plan, shapes), plan, shapes, max(1, min(LONGEST, NUMBERS // per_epoch)))
    place = None if shapes.members is None else _place(shapes.members)
    weight = None if data.weight is None else data.weight[:, None]
    given = (data.x, data.y, weight, None if held is None else held.x, None if held is None else held.y)
    with _precise():
        return Prepared(fixed, Given(*(_put(array, place) for array in given)), place)


def _place(members: int) -> NamedSharding | None:
    """Lay members out over as many devices as divide their number."""
    devices = jax.local_devices()
    count = next(count for count in range(len(devices), 0, -1) if members % count == 0)
    return _over(Mesh(np.array(devices[:count]), "members"), "members") if count > 1 else None


def _over(mesh: Any, *axes: str) -> NamedSharding:
    spec: Any = PartitionSpec  # which is not typed
    return NamedSharding(mesh, spec(*axes))


def _put(array: Array | None, place: NamedSharding | None) -> Array | None:
    """Lay out an array whose first of three axes may be the members'."""
    if array is None or place is None:
        return None if array is None else jax.device_put(array)
    own = array.ndim == 3 and array.shape[0] > 1
    return jax.device_put(array, place if own else _over(place.mesh))


def epochs(run: Prepared, state: State, orders: Orders, rates: Array) -> tuple[State, Reports]:
    """Train an epoch for each order; see `Engine`."""
    fixed, rule = run.fixed, run.fixed.plan.optimizer
    hyper = rule.hyper if arguments.of_table(rule, OPTIMIZERS) else ()
    per_epoch, carries = updates(fixed.plan, fixed.shapes), []
    with _precise():
        given = [arrays(one) for one in (state.params, *state.slots)]
        (weights, *slots), running = jax.device_put((given, state.running), run.place)
        for begin in range(0, len(orders), fixed.epochs):
            some = slice(begin, begin + fixed.epochs)
            count = len(orders[some])
            clock = Clock(
                state.t + begin * per_epoch, count, _orders(fixed, orders[some]), _rates(fixed, rates, some), hyper
            )
            carry = _loop(fixed, run.given, clock, weights, slots, running)
            weights, slots, running = carry.weights, carry.slots, carry.running
            carries.append(carry._replace(weights=[], slots=[]))
        ran = sum(int(carry.epoch) for carry in carries)
        figures = [np.concatenate(parts) for parts in zip(*(carry.figures for carry in carries), strict=True)]
    params, *kept = (with_arrays(state.params, one) for one in (weights, *slots))
    t, after = state.t + float(ran * per_epoch), read_only(np.array(running))
    state = attrs.evolve(state, params=params, slots=tuple(kept), t=t, epoch=state.epoch + ran, running=after)
    return state, _reports(fixed, len(orders), figures)


def _orders(fixed: Fixed, orders: Orders) -> Array | None:
    if orders[0] is None:
        return None
    padded: Array = np.zeros((fixed.epochs, fixed.shapes.samples), np.int32)
    padded[: len(orders)] = orders
    return padded


def _rates(fixed: Fixed, rates: Array, some: slice) -> Array:
    """Return the rates of some epochs, once where they are always the same."""
    if rates.ndim > 1 and rates.strides[1] == 0:
        rates = rates[:, 0]  # of all members
    if rates.strides[0] == 0:
        return np.array(rates[0])
    per_epoch = updates(fixed.plan, fixed.shapes)
    given = rates[some.start * per_epoch : some.stop * per_epoch]
    padded = np.zeros((fixed.epochs * per_epoch, *rates.shape[1:]))
    padded[: len(given)] = given
    return padded.reshape(fixed.epochs, per_epoch, *rates.shape[1:])


def _reports(fixed: Fixed, count: int, figures: list[Array]) -> Reports:
    """Divide what was summed up; NumPy does, since a compiler may multiply by the reciprocal."""
    shapes, report, found = fixed.shapes, losses.report_of(fixed.plan.loss), []
    for index, sums in enumerate(figures):
        samples = shapes.held if index > 1 else shapes.samples
        divisor = samples if index % 2 else losses.count(report, samples, shapes.sizes[-1])
        found.append(read_only((sums[:count].astype(float) / divisor).astype(shapes.dtype)))
    return Reports(*found)


def given_back(results: Any, dtype: str) -> Any:
    """Return records with JAX's arrays, of 64 bits where the weights have these and else as the user's JAX has them."""
    with _precise() if dtype == "float64" else contextlib.nullcontext():
        return jax.tree.map(
            lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray | np.generic) else leaf, results
        )


# --- records of one's own --------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Trial:
    """A function of the user's, how it is called, and arrays to try it on."""

    kind: str
    name: str
    function: Any
    call: Callable[..., Any]
    given: tuple[Any, ...]


def _known(plan: Plan, shapes: Shapes) -> Hashable:
    """Return all that a loop hangs on but numbers that it is given, and the functions by what they compute."""
    acts: Any = tuple(_defined(activation(act), ACTIVATIONS) for act in shapes.acts)
    functions = _defined(plan.loss, LOSSES), _defined(plan.optimizer, OPTIMIZERS)
    return attrs.evolve(shapes, acts=acts, library=""), functions, plan.batch_size, plan.clip, plan.l2, plan.decision


def _defined(record: Any, table: Any) -> Hashable:
    """Return a table's record by its name, since its constants are given to the loop, and others field by field."""
    if arguments.of_table(record, table):
        return str(record.name)
    fields = attrs.astuple(record, recurse=False)
    return tuple(
        _defined(one, LOSSES) if isinstance(one, Loss) else definition(one) if callable(one) else one for one in fields
    )


def obstacle(plan: Plan, shapes: Shapes) -> str | None:
    """Say which record of one's own cannot be traced, or None; see `Engine`."""
    trials: list[Trial] = []
    for act in dict.fromkeys(map(activation, shapes.acts)):
        if not arguments.of_table(act, ACTIVATIONS):
            trials += _trials_of_activation(act)
    for loss in dict.fromkeys((plan.loss, losses.report_of(plan.loss))):
        if not arguments.of_table(loss, LOSSES):
            trials += _trials_of_loss(loss, trained=loss is plan.loss)
    if not arguments.of_table(plan.optimizer, OPTIMIZERS):
        trials += _trials_of_optimizer(plan.optimizer)
    for trial in trials:
        if reason := _try(trial):
            return f"the {trial.kind} {trial.name!r} {reason}"
    return None


def _elementwise(kind: str, name: str, function: Any, *given: Array) -> Trial:
    call = functools.partial(validation.elementwise, kind, name, function)
    return Trial(kind.rpartition(" ")[-1], name, function, call, given)


def _trials_of_activation(act: Activation) -> list[Trial]:
    slope = _elementwise("derivative of activation", act.name, act.derivative, PROBE, PROBE[::-1])
    return [_elementwise("activation", act.name, act.apply, PROBE), slope]


def _trials_of_loss(loss: Loss, trained: bool) -> list[Trial]:
    given = (PROBE, PROBE[::-1], *([PROBE[:, :1] + 9] if loss.row else []))
    slope = [_elementwise("slope of loss", loss.name, loss.slope, *given)] if trained else []
    return [_elementwise("loss", loss.name, loss.value, *given), *slope]


def _trials_of_optimizer(rule: Optimizer) -> list[Trial]:
    slots = tuple(PROBE[::-1] ** 2 + index for index in range(rule.slots))
    given = PROBE, PROBE[::-1], slots, np.asarray(3.0), np.asarray(0.1)
    trials = []
    for update in rules(rule):
        call = functools.partial(_updated, rule, update)
        trials.append(Trial("optimizer", rule.name, update, call, given))
    return trials


def _updated(rule: Optimizer, update: Any, w: Array, g: Array, slots: tuple[Array, ...], t: Array, lr: Array) -> Any:
    return validation.updated(rule.name, update, w, g, slots, t, lr, rule.hyper)


def _try(trial: Trial) -> str | None:
    """Say why a function cannot stand in a loop that is traced once, or None."""
    try:
        definition(trial.function)
    except UnsteadyError as error:
        return f"hangs on what can change: {error}"
    with np.errstate(all="ignore"), _precise():
        try:
            once, again = (jax.tree.leaves(trial.call(*jax.tree.map(np.array, trial.given))) for _ in range(2))
        except Exception as error:  # whatever the user's function raises
            return f"cannot be called: {_first_line(error)}"
        if not all(np.array_equal(one, other, equal_nan=True) for one, other in zip(once, again, strict=True)):
            return "gives other numbers each time that it is called"
        try:
            jax.jit(trial.call).lower(*trial.given)
        except Exception as error:  # there are many ways to ask a traced array for its numbers
            return f"cannot be traced, as it could with functions of z.__array_namespace__(): {_first_line(error)}"
    return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
