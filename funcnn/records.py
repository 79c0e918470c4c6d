"""The frozen records: what a network, a data set and a run are. Nothing here computes.

Arrays may be NumPy's or any Array API library's (traced JAX arrays too), so constructors neither convert nor check
them; the public functions do, at the edge. `attrs.evolve` makes a changed copy. Records compare by value.
"""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import numpy as np

from .arguments import listed

#: An array of any Array API library: NumPy's, or JAX's, traced or not.
Array = Any


def read_only(array: Array) -> Array:
    """Make a NumPy array read-only and return it; arrays that are immutable anyway pass through."""
    if hasattr(array, "setflags"):
        array.setflags(write=False)
    return array


def read_only_view(array: Array) -> Array:
    """Return a NumPy array's numbers such that who gets them cannot change them; other arrays pass through."""
    return read_only(array.view()) if isinstance(array, np.ndarray) else array


def _kept(value: Any) -> Any:
    """Return a field's value with its arrays read-only; an array that others may write to is seen through a view."""
    if isinstance(value, tuple):
        return tuple(map(_kept, value))
    return read_only_view(value) if isinstance(value, np.ndarray) and value.flags.writeable else value


def _again(record: type, *fields: Any) -> Any:
    return record(*map(_kept, fields))


def _reduced(record: Any) -> tuple[Any, ...]:
    """Tell pickle and copy how to make a record again: what NumPy makes of a read-only array can be written to."""
    return _again, (type(record), *attrs.astuple(record, recurse=False))


def _same(left: Array, right: Array) -> bool:
    return left is right or (left is not None and right is not None and np.array_equal(left, right, equal_nan=True))


def _all_same(left: tuple[Array, ...], right: tuple[Array, ...]) -> bool:
    return len(left) == len(right) and all(map(_same, left, right))


def _same_pair(left: Any, right: Any) -> bool:
    return left is right or (None not in (left, right) and _same(left[0], right[0]) and bool(left[1] == right[1]))


def _array(default: Any = attrs.NOTHING) -> Any:
    return attrs.field(default=default, eq=attrs.cmp_using(eq=_same))


#: A formula: from arrays, traced arrays or numbers of one kind to one of it, elementwise.
Formula = Callable[..., Any]


@attrs.frozen
class Activation:
    """An activation function, elementwise, and its derivative.

    Parameters
    ----------
    name
        What ``act=`` and the files call it.
    apply
        ``apply(z) -> a``.
    derivative
        ``derivative(z, a) -> da/dz``, given the input and the output, since many derivatives are cheapest from the
        output: for the sigmoid it is ``a * (1 - a)``.
    saturates
        Whether the derivative goes to 0 where z is large, on both sides, as the sigmoid's does.
    """

    name: str
    apply: Formula
    derivative: Formula
    saturates: bool = False


@attrs.frozen
class Row:
    """A reduction over the outputs of a sample: ``finish(top, sum over outputs of term(y_hat, top))``.

    ``top`` is the largest output of the sample. Both functions are elementwise.
    """

    name: str
    term: Formula
    finish: Formula


@attrs.frozen
class Loss:
    """An objective and what is reported for it.

    Parameters
    ----------
    name
        What ``loss=`` calls it.
    value
        ``value(y_hat, y)``, elementwise: what each output of each sample contributes.
    slope
        ``slope(y_hat, y)``, elementwise: the derivative of ``value`` with respect to ``y_hat``.
    reduction
        What becomes of the contributions: their "sum", their "mean" over samples and outputs, or "mean_samples", the
        mean over samples of the sum over outputs. The slope is multiplied by the same 1/count.
    row
        None, or the name of a reduction over each sample's outputs that ``value`` and ``slope`` take as a third
        argument: "logsumexp".
    report
        The figure that histories and listings show: a loss, by name or itself; None is this loss.
    logits
        Whether ``y_hat`` are logits, so that the output layer has no activation.
    targets
        None, or what targets must be for the loss to mean anything: "signs", "shares" or "distribution", see
        ``funcnn.losses.TARGETS``.
    """

    name: str
    value: Formula
    slope: Formula
    reduction: str = "sum"
    row: str | None = None
    report: "str | Loss | None" = None
    logits: bool = False
    targets: str | None = None


@attrs.frozen
class Decision:
    """How predictions are read as classes.

    Parameters
    ----------
    kind
        "largest": the class is the output that is largest. "threshold": each output is ``high`` where it is above
        ``threshold``, else ``low``.
    threshold, low, high
        In the targets' units.
    """

    kind: str = "threshold"
    threshold: float = 0.5
    low: float = 0.0
    high: float = 1.0


@attrs.frozen
class Optimizer:
    """A rule that moves weights, elementwise.

    Parameters
    ----------
    name
        What ``optimizer=`` calls it.
    update
        ``update(w, g, slots, t, lr, hyper) -> (w, slots)``: from weights and their gradient to new weights. ``slots``
        is a tuple of arrays that the rule keeps for itself from update to update, all 0 at first; ``t`` the number of
        the update, 1.0 at the first, a float or an array () of the weights' dtype; ``hyper`` a tuple of floats.
    slots
        How many arrays it keeps.
    hyper
        Its constants.
    names
        What these are called.
    biases
        The rule for biases, where it is another than ``update``.
    """

    name: str
    update: Formula
    slots: int = 0
    hyper: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    biases: Formula | None = None


@attrs.frozen
class Plan:
    """What is done at each step of a training run, all of it.

    Parameters
    ----------
    loss, optimizer, decision
        Of the tables or one's own.
    batch_size
        Samples per update; the last batch of an epoch may be smaller.
    clip
        The largest 2-norm of a member's gradient, over all its arrays; None for no limit.
    l2
        Weight decay λ: λ w is added to the gradient of the weights, that of ½ λ Σ w², not of the biases.
    """

    loss: Loss
    optimizer: Optimizer
    batch_size: int = 1
    clip: float | None = None
    l2: float = 0.0
    decision: Decision = Decision()


@attrs.frozen
class Layer:
    """One layer: ``a = act(x @ w + b)``, ``w`` of shape (..., fan_in, fan_out), ``b`` (..., 1, fan_out) or None."""

    w: Array = _array()
    b: Array | None = _array(None)
    act: str | Activation = "sigmoid"

    __reduce__ = _reduced


def _tuple(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    return listed("layers", layers, "list a network's Layers")


@attrs.frozen
class Params:
    """A network, layer by layer. Gradients are Params too, of the same shapes."""

    layers: tuple[Layer, ...] = attrs.field(converter=_tuple)


def arrays(params: Params) -> list[Array]:
    """Return all weights and biases, layer by layer."""
    return [array for layer in params.layers for array in (layer.w, layer.b) if array is not None]


def are_biases(params: Params) -> list[bool]:
    """Tell which of the arrays that `arrays` gives are biases."""
    return [bias for layer in params.layers for bias in (False, True) if not bias or layer.b is not None]


def map_arrays(function: Callable[[Array], Array], params: Params) -> Params:
    """Return ``params`` with ``function`` applied to every weight and bias array."""
    return Params(
        Layer(function(layer.w), None if layer.b is None else function(layer.b), layer.act) for layer in params.layers
    )


@attrs.frozen
class Trace:
    """One forward and backward pass: everything the textbook writes down.

    ``z[l]`` and ``delta[l]`` belong to layer l and have shape (..., n, fan_out); ``a[l]`` is the input of layer l and
    ``a[-1]`` the prediction; ``value`` is the objective and ``grads`` its gradient.
    """

    z: tuple[Array, ...] = attrs.field(eq=attrs.cmp_using(eq=_all_same))
    a: tuple[Array, ...] = attrs.field(eq=attrs.cmp_using(eq=_all_same))
    delta: tuple[Array, ...] = attrs.field(eq=attrs.cmp_using(eq=_all_same))
    grads: Params
    value: Array = _array()

    __reduce__ = _reduced


@attrs.frozen
class Dataset:
    """Samples and targets.

    Parameters
    ----------
    x, y
        Samples (n, d) and targets (n, k), both float.
    name
        What pictures and messages call it.
    features
        Names of the columns of ``x``, "age" or "color=red"; () where they have none.
    classes
        Names of the classes, in the order of `funcnn.metrics.labels`: of one output that is 0 or 1, the name of 0 and
        that of 1. () where targets are no classes, or nameless.
    """

    x: Array = _array()
    y: Array = _array()
    name: str = "data"
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    __reduce__ = _reduced


@attrs.frozen
class Table:
    """Named columns as they stand in a file, all of n rows.

    Parameters
    ----------
    names
        All different, but for those that are "" because the file leaves them out.
    columns
        Of each name (n,) numbers, float64 with NaN where one is missing, or (n,) texts of NumPy's ``StringDType`` with
        "" where one is missing. Truth values are the texts "true" and "false".
    lines
        (n,) int: in which line of the file each row begins, from 1; None for what has no lines.
    name
        What messages call it: the file's path.
    """

    names: tuple[str, ...]
    columns: tuple[Array, ...] = attrs.field(eq=attrs.cmp_using(eq=_all_same))
    lines: Array | None = _array(None)
    name: str = "table"

    __reduce__ = _reduced


@attrs.frozen
class Column:
    """A column that a model takes: of numbers, or of ``levels``, the texts that it may be, in one-hot order."""

    name: str
    levels: tuple[str, ...] = ()


@attrs.frozen
class Coding:
    """How rows of a table become ``x`` and ``y``.

    A column of numbers is one column of ``x``, truth values being 0 and 1; one with levels is as many, one-hot. A
    target of two levels is one output, 0 for the first and 1 for the second; one of more is one-hot.
    """

    columns: tuple[Column, ...]
    targets: tuple[Column, ...] = ()


@attrs.frozen
class Scaling:
    """What standardisation subtracts from each column of ``x`` and then divides it by, both (d,)."""

    mean: Array = _array()
    scale: Array = _array()

    __reduce__ = _reduced


@attrs.frozen
class Preparation:
    """How rows as they stand in a file become what a network takes, and its outputs what the targets are.

    Parameters
    ----------
    coding
        From the columns of a table; None for arrays, which are taken as they are.
    inputs, targets
        How ``x`` and ``y`` were standardised, as the training set tells; None where they were not.
    """

    coding: Coding | None = None
    inputs: Scaling | None = None
    targets: Scaling | None = None


@attrs.frozen
class State:
    """Where a training run stands: all that its next epoch depends on but plan and data.

    Parameters
    ----------
    params
        The weights.
    slots
        What the optimizer keeps, each like ``params``.
    t
        Updates done.
    epoch
        Epochs done.
    running
        () or (K,): False for a member whose weights are no longer finite, which stands still.
    rule
        Name of the optimizer whose slots these are.
    """

    params: Params
    slots: tuple[Params, ...] = ()
    t: float = 0.0
    epoch: int = 0
    running: Array = _array(True)
    rule: str = ""

    __reduce__ = _reduced


@attrs.frozen
class Epoch:
    """What `History` records of one epoch; numbers, or (K,) of an ensemble."""

    epoch: int
    loss: Array = _array()
    accuracy: Array = _array()
    val_loss: Array | None = _array(None)
    val_accuracy: Array | None = _array(None)

    __reduce__ = _reduced


@attrs.frozen
class History:
    """What a training run recorded. T epochs; K is there for an ensemble only.

    Parameters
    ----------
    epoch
        (T,) int, from 0, or from where the run went on.
    loss, accuracy
        (T,) or (T, K): over the epoch's samples, each measured just before its own batch's update. NaN after the epoch
        that left a member's weights no longer finite.
    val_loss, val_accuracy
        (T,) or (T, K): of the validation data, with the weights that the epoch ended with; None without such data.
    logged
        (M,) int, the epochs at which `grad_norm` was measured.
    grad_norm
        (M, L) or (M, L, K): the 2-norm of the objective's gradient over all samples, per layer, with the weights
        that the logged epoch started from.
    snapshots
        Pairs (epoch, Params): the weights with which that epoch started; the last epoch's end is one more.
    state
        How the run stands at its end; `train` goes on from it.
    best
        After how many epochs `val_loss` was lowest, a number or (K,), and the weights at that time. Where it was never
        finite, those that the run began with; None without validation data. A run that goes on looks for it anew.
    engine
        Which engine ran.
    """

    epoch: Array = _array()
    loss: Array = _array()
    accuracy: Array = _array(None)
    val_loss: Array | None = _array(None)
    val_accuracy: Array | None = _array(None)
    logged: Array = _array(None)
    grad_norm: Array = _array(None)
    snapshots: tuple[tuple[int, Params], ...] = ()
    state: State | None = None
    best: "tuple[Array, Params] | None" = attrs.field(default=None, eq=attrs.cmp_using(eq=_same_pair))
    engine: str = ""

    __reduce__ = _reduced
