"""What an engine is: a record of facts and pure functions, which `train` calls and knows nothing else of."""

import dis
import functools
import itertools
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from ..activations import ACTIVATIONS, activation
from ..arguments import of_table
from ..losses import LOSSES
from ..optimizers import OPTIMIZERS, rules
from ..records import Activation, Array, Formula, Params, Plan, State

#: Members that are trained side by side, at least: so many numbers fit the processor's widest register.
TOGETHER = 8
#: Bytes that these may work on: what is next to the processor.
LOOP_CACHE = 1 << 16


class EngineWarning(UserWarning):
    """Said where an engine does what it is asked for, but slower than it could: see the message for why."""


def said(error: Exception) -> str:
    """Return an error that is not ours in one line."""
    return textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" …")


#: For each epoch an order of the samples, or None for the order they have.
Orders = Sequence[Array | None]


@attrs.frozen
class Shapes:
    """What an engine has to know of a run before it sees a number.

    Parameters
    ----------
    sizes, biased, acts
        Units per layer, input first; whether each layer has a bias; its activation.
    members
        Of an ensemble; None for one network.
    samples, held
        Of the training and of the validation data.
    dtype
        Name of the weights' dtype.
    library
        Name of the array library that they came from.
    """

    sizes: tuple[int, ...]
    biased: tuple[bool, ...]
    acts: tuple[str | Activation, ...]
    members: int | None
    samples: int
    held: int = 0
    dtype: str = "float64"
    library: str = "numpy"


def shapes_of(params: Params, samples: int, held: int = 0, library: str = "numpy") -> Shapes:
    """Return the shapes of a network and its data."""
    first = params.layers[0].w
    return Shapes(
        (first.shape[-2], *(layer.w.shape[-1] for layer in params.layers)),
        tuple(layer.b is not None for layer in params.layers),
        tuple(layer.act for layer in params.layers),
        first.shape[0] if first.ndim > 2 else None,
        samples,
        held,
        str(first.dtype),
        library,
    )


@attrs.frozen(eq=False)
class Data:
    """Samples x (n, d) and targets y (n, k), each perhaps with a leading axis for members, and weights (n,) or None."""

    x: Array
    y: Array
    weight: Array | None = None


@attrs.frozen(eq=False)
class Reports:
    """What a span of epochs gave: (E,), or (E, K) for an ensemble; NaN where a member had stopped.

    The validation's are None without such data.
    """

    loss: Array
    accuracy: Array
    val_loss: Array | None = None
    val_accuracy: Array | None = None


@attrs.frozen
class Engine:
    """A way to run a plan.

    Parameters
    ----------
    name
        What ``engine=`` calls it.
    obstacle
        ``obstacle(plan, shapes) -> str | None``: why it cannot run this, in a clause that a message can end with.
    seconds
        ``seconds(plan, shapes, epochs)``: about how long it takes, by a rule on sizes alone, so that the choice between
        engines is the same everywhere.
    part
        ``part(plan, shapes) -> int``: how many members of an ensemble it trains at once, at most.
    parallel
        Whether it gains from several threads.
    prepare
        ``prepare(plan, shapes, data, validation) -> prepared``: opaque, and may hold buffers.
    epochs
        ``epochs(prepared, state, orders, rates) -> (State, Reports)``: train an epoch for each of ``orders``;
        ``rates`` (updates,) or (updates, K) holds the learning rate of each update of them, once where no schedule
        changes it. The same state gives the same bits, however often. Weights and slots may be arrays of its library.
    library
        Name of the array library whose arrays it works on.
    offers
        ``offers(shapes) -> bool``: whether "auto" may take it.
    given_back
        ``given_back(results, dtype)``: records with the arrays of its library, of a network with weights of a dtype.
    whole
        Whether some members of an ensemble are best trained along with all the others, since each number of members is
        compiled anew.
    """

    name: str
    obstacle: Callable[[Plan, Shapes], str | None]
    seconds: Callable[[Plan, Shapes, int], float]
    part: Callable[[Plan, Shapes], int]
    parallel: bool
    prepare: Callable[[Plan, Shapes, Data, Data | None], Any]
    epochs: Callable[[Any, State, Orders, Array], tuple[State, Reports]]
    library: str = "numpy"
    offers: Callable[[Shapes], bool] = lambda shapes: True
    given_back: Callable[[Any, str], Any] = lambda results, dtype: results
    whole: bool = False


def in_tables(plan: Plan, shapes: Shapes) -> bool:
    """Tell whether all functions of a run are those of the tables, and none is one's own."""
    used: list[tuple[Any, Any]] = [(activation(act), ACTIVATIONS) for act in shapes.acts]
    used += [(plan.loss, LOSSES), (plan.optimizer, OPTIMIZERS)]
    return all(of_table(one, table) for one, table in used)


def weights(shapes: Shapes) -> int:
    """Return the number of weights of a network, biases aside."""
    return sum(a * b for a, b in zip(shapes.sizes, shapes.sizes[1:], strict=False))


def numbers(shapes: Shapes) -> int:
    """Return the number of weights of a network, with its biases."""
    return weights(shapes) + sum(itertools.compress(shapes.sizes[1:], shapes.biased))


def units(shapes: Shapes) -> int:
    """Return the number of units of a network, the input's aside."""
    return sum(shapes.sizes[1:])


def room(plan: Plan, shapes: Shapes, rows: int) -> int:
    """Return about how many bytes a member works on with batches of so many rows."""
    numbers = (3 + plan.optimizer.slots) * weights(shapes) + 5 * rows * units(shapes)
    return numbers * np.dtype(shapes.dtype).itemsize


def side_by_side(plan: Plan, shapes: Shapes) -> bool:
    """Tell whether a loop over numbers takes the members of an ensemble side by side, or one after another."""
    return (shapes.members or 1) >= TOGETHER and TOGETHER * room(plan, shapes, 1) <= LOOP_CACHE


def updates(plan: Plan, shapes: Shapes) -> int:
    """Return the number of updates of an epoch."""
    return -(-shapes.samples // plan.batch_size)


def reads_only_weights_and_data(plan: Plan, orders: Orders, rates: Array) -> bool:
    """Tell whether all the updates of these epochs depend on weights and data alone.

    Then an epoch that moves no weight is followed by others like it.
    """
    return plan.optimizer.slots == 0 and not counts(plan) and orders[0] is None and constant(rates)


def counts(plan: Plan) -> bool:
    """Tell whether the optimizer may look at the number of an update."""
    return any(map(_reads_number, rules(plan.optimizer)))


def constant(rates: Array) -> bool:
    """Tell whether all updates have the same rates."""
    return rates.strides[0] == 0 or bool((rates == rates[:1]).all())


@functools.lru_cache(maxsize=64)
def _reads_number(update: Formula) -> bool:
    """Tell whether a rule may read the fourth of its six arguments."""
    code = getattr(update, "__code__", None)
    if code is None or code.co_argcount != 6:
        return True
    loads = [one.argval for one in dis.get_instructions(code) if "LOAD" in one.opname]
    # One instruction may load two variables.
    names = {name for names in loads for name in (names if isinstance(names, tuple) else (names,))}
    return code.co_varnames[3] in names
