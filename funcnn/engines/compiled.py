"""The `compiled` engine: the textbook's algorithm as plain loops over numbers, compiled by numba.

`train_network` is the kernel, for any sizes. Its arrays are indexed as the textbook writes them: ``w[l, i, j]`` leads
from unit i of layer l to unit j of layer l + 1, ``z[l, j]`` is what comes into a unit, ``a[l, j]`` what goes out of it,
and ``delta[l, j]`` its error signal; layer 0 is the input. A bias is the weight of one more unit below, which always
gives 1. Narrower layers leave the rest of the arrays unused.

`train_together` is the same for many small networks in step: each number becomes a row of numbers, one per member m,
which the processor works on several at a time. The arithmetic of both is IEEE's, in the order written and without
fast-math, so that a member of an ensemble has the bits of its solo run.
"""

import functools
import math
import types
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numba
import numpy as np

from ..activations import LEAK
from ..losses import LOSSES
from ..records import Activation, Array, Layer, Loss, Params, read_only
from ..validation import elementwise
from .definitions import UnsteadyError, definition

SIGMOID, RELU, TANH, LEAKY_RELU, NONE = range(5)
CODES = {"sigmoid": SIGMOID, "relu": RELU, "tanh": TANH, "leaky_relu": LEAKY_RELU, "none": NONE}
KNOWN_LOSSES = LOSSES["half_sse"], LOSSES["mse"]
RUNNING, DIVERGED, FIXED = range(3)
#: From so many small networks on it pays to train them side by side.
TOGETHER = 8


def _compiled(function: Callable[..., Any], *, cache: bool = True) -> Any:
    options: Any = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=cache, **options)(function)
    except RuntimeError:  # no folder to cache in can be written: compile for this process alone
        return numba.njit(**options)(function)


#: 2^(i/64), and log 2 / 64 in two pieces of which the first has so few bits that k times it is exact.
POWERS = np.exp2(np.arange(64) / 64)
LOG2_HIGH, LOG2_LOW = float.fromhex("0x1.62e42fef80000p-7"), float.fromhex("0x1.1cf79abc9e3b4p-42")
#: Adding and subtracting 1.5 · 2^52 rounds to a whole number, which then stands in the lowest bits.
ROUND = 1.5 * 2.0**52


def _exp(x: Any) -> Any:
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


exp = _compiled(_exp)


def _apply(code: int, z: Any) -> Any:
    if code == SIGMOID:
        return 1.0 / (1.0 + exp(-z))
    if code == RELU:
        return 0.0 if z <= 0.0 else z
    if code == TANH:
        return math.tanh(z)
    if code == LEAKY_RELU:
        return z if z > 0.0 else LEAK * z
    return z


def _derivative(code: int, z: Any, a: Any) -> Any:
    if code == SIGMOID:
        return a * (1.0 - a)
    if code == RELU:
        return 1.0 if z > 0.0 else 0.0
    if code == TANH:
        return 1.0 - a * a
    if code == LEAKY_RELU:
        return 1.0 if z > 0.0 else LEAK
    return 1.0


apply = _compiled(_apply)
derivative = _compiled(_derivative)


def _train_network(
    w: Array, net: Any, task: Any, lr: float, x: Array, y: Array, losses: Array, accuracies: Array, room: Any
) -> int:
    """Train one network in place, an epoch for each place in ``losses``; return how it stands."""
    sizes, biased, acts = net
    orders, shuffled, batch_size, mean = task
    z, a, delta, dw, before = room
    depth, n, outputs = sizes.size - 1, y.shape[0], y.shape[1]
    before[:], zero = w, w.dtype.type(0)
    for epoch in range(losses.size):
        squares, right, row = 0.0, 0, epoch % orders.shape[0]
        for begin in range(0, n, batch_size):
            end = min(begin + batch_size, n)
            for sample in range(begin, end):
                s = orders[row, sample]
                # Forward: what comes into each unit, and what goes out of it.
                for i in range(sizes[0]):
                    a[0, i] = x[s, i]
                for l in range(depth):
                    fan_in, act = sizes[l] + biased[l], acts[l]
                    a[l, sizes[l]] = 1.0
                    for j in range(sizes[l + 1]):
                        total = zero
                        for i in range(fan_in):
                            total += a[l, i] * w[l, i, j]
                        z[l + 1, j] = total
                        a[l + 1, j] = apply(act, total)
                # The error, and with it the error signal of the output.
                wrong = 0
                for j in range(outputs):
                    y_hat = a[depth, j]
                    error = y_hat - y[s, j]
                    squares += error * error
                    if not math.isfinite(y_hat) or (1.0 if y_hat > 0.5 else 0.0) != y[s, j]:
                        wrong += 1
                    if mean:
                        error *= 2.0 / ((end - begin) * outputs)
                    delta[depth, j] = error * derivative(acts[depth - 1], z[depth, j], y_hat)
                right += wrong == 0
                # Backward: each unit's error signal, from the signals above it. Each weight is read before it moves.
                for l in range(depth - 1, -1, -1):
                    fan_out = sizes[l + 1]
                    for i in range(sizes[l] + biased[l]):
                        total = zero
                        if batch_size == 1:
                            for j in range(fan_out):
                                total += delta[l + 1, j] * w[l, i, j]
                                w[l, i, j] -= lr * (a[l, i] * delta[l + 1, j])
                        else:
                            for j in range(fan_out):
                                total += delta[l + 1, j] * w[l, i, j]
                                dw[l, i, j] += a[l, i] * delta[l + 1, j]
                        if l > 0:
                            delta[l, i] = total * derivative(acts[l - 1], z[l, i], a[l, i])
            if batch_size > 1:
                for l in range(depth):
                    for i in range(sizes[l] + biased[l]):
                        for j in range(sizes[l + 1]):
                            w[l, i, j] -= lr * dw[l, i, j]
                            dw[l, i, j] = 0.0
        losses[epoch], accuracies[epoch] = squares / (n * outputs), right / n
        moved, finite = False, True
        for l in range(depth):
            for i in range(sizes[l] + biased[l]):
                for j in range(sizes[l + 1]):
                    moved |= w[l, i, j] != before[l, i, j]
                    finite &= math.isfinite(w[l, i, j])
                    before[l, i, j] = w[l, i, j]
        if not finite:
            return DIVERGED
        if not moved and not shuffled:  # as when every ReLU is dead: all later epochs are the same
            return FIXED
    return RUNNING


train_network = _compiled(_train_network)


def _train_members(
    w: Array,
    net: Any,
    task: Any,
    lr: Array,
    x: Array,
    y: Array,
    losses: Array,
    accuracies: Array,
    state: Array,
    room: Any,
) -> None:
    """Train the members that are still running, one after another."""
    for k in range(w.shape[0]):
        if state[k] == RUNNING:
            xk, yk = x[k % x.shape[0]], y[k % y.shape[0]]
            state[k] = train_network(w[k], net, task, lr[k], xk, yk, losses[k], accuracies[k], room)


def _train_together(
    w: Array,
    net: Any,
    task: Any,
    lr: Array,
    x: Array,
    y: Array,
    losses: Array,
    accuracies: Array,
    state: Array,
    room: Any,
) -> None:
    """Train members side by side, in place: `train_network` with members along the last axis."""
    sizes, biased, acts = net
    orders, shuffled, batch_size, mean = task
    z, a, delta, dw, before = room
    depth, n, outputs, members = sizes.size - 1, y.shape[1], y.shape[2], w.shape[3]
    own_x, own_y = x.shape[0] > 1, y.shape[0] > 1
    squares, right, wrong = np.zeros((3, members))
    target = np.zeros(members, w.dtype)
    moved, finite = np.zeros((2, members), np.bool_)
    before[:] = w
    for epoch in range(losses.shape[1]):
        row = epoch % orders.shape[0]
        squares[:], right[:], moved[:], finite[:] = 0.0, 0.0, False, True
        for begin in range(0, n, batch_size):
            end = min(begin + batch_size, n)
            for sample in range(begin, end):
                s = orders[row, sample]
                for i in range(sizes[0]):
                    for m in range(members):
                        a[0, i, m] = x[m if own_x else 0, s, i]
                for l in range(depth):
                    fan_in, act = sizes[l] + biased[l], acts[l]
                    a[l, sizes[l]] = 1.0
                    for j in range(sizes[l + 1]):
                        z[l + 1, j] = 0.0
                        for i in range(fan_in):
                            for m in range(members):
                                z[l + 1, j, m] += a[l, i, m] * w[l, i, j, m]
                        if act == SIGMOID:  # the branch stands outside the loop for the sake of the exponentials
                            for m in range(members):
                                a[l + 1, j, m] = apply(SIGMOID, z[l + 1, j, m])
                        else:
                            for m in range(members):
                                a[l + 1, j, m] = apply(act, z[l + 1, j, m])
                wrong[:] = 0.0
                for j in range(outputs):
                    for m in range(members):
                        target[m] = y[m if own_y else 0, s, j]
                    for m in range(members):
                        y_hat = a[depth, j, m]
                        error = y_hat - target[m]
                        squares[m] += error * error
                        if not math.isfinite(y_hat) or (1.0 if y_hat > 0.5 else 0.0) != target[m]:
                            wrong[m] = 1.0
                        if mean:
                            error *= 2.0 / ((end - begin) * outputs)
                        delta[depth, j, m] = error * derivative(acts[depth - 1], z[depth, j, m], y_hat)
                for m in range(members):
                    right[m] += 1.0 - wrong[m]
                for l in range(depth - 1, -1, -1):
                    act = acts[l - 1]
                    for i in range(sizes[l] + biased[l]):
                        delta[l, i] = 0.0
                        for j in range(sizes[l + 1]):
                            if batch_size == 1:
                                for m in range(members):
                                    delta[l, i, m] += delta[l + 1, j, m] * w[l, i, j, m]
                                    w[l, i, j, m] -= lr[m] * (a[l, i, m] * delta[l + 1, j, m])
                            else:
                                for m in range(members):
                                    delta[l, i, m] += delta[l + 1, j, m] * w[l, i, j, m]
                                    dw[l, i, j, m] += a[l, i, m] * delta[l + 1, j, m]
                        if l > 0:
                            for m in range(members):
                                delta[l, i, m] *= derivative(act, z[l, i, m], a[l, i, m])
            if batch_size > 1:
                for l in range(depth):
                    for i in range(sizes[l] + biased[l]):
                        for j in range(sizes[l + 1]):
                            for m in range(members):
                                w[l, i, j, m] -= lr[m] * dw[l, i, j, m]
                                dw[l, i, j, m] = 0.0
        for l in range(depth):
            for i in range(sizes[l] + biased[l]):
                for j in range(sizes[l + 1]):
                    for m in range(members):
                        moved[m] |= w[l, i, j, m] != before[l, i, j, m]
                        finite[m] &= math.isfinite(w[l, i, j, m])
                        if state[m] == RUNNING:  # of a member that has stopped, `before` keeps the last weights
                            before[l, i, j, m] = w[l, i, j, m]
        running = 0
        for m in range(members):
            if state[m] == RUNNING:
                losses[m, epoch], accuracies[m, epoch] = squares[m] / (n * outputs), right[m] / n
                state[m] = DIVERGED if not finite[m] else FIXED if not moved[m] and not shuffled else RUNNING
                running += state[m] == RUNNING
        if running == 0:
            break
    w[:] = before


train_members, train_together = _compiled(_train_members), _compiled(_train_together)


def start(
    params: Params, x: Array, y: Array, *, lr: Any, loss: Loss, batch_size: int
) -> tuple[Callable[[Sequence[Array | None]], tuple[Array, Array]], Callable[[], Params]]:
    """Set up a run; return ``advance(orders)`` and ``current()``, as `plain.start` does."""
    layers = params.layers
    lead, dtype = layers[0].w.shape[:-2], layers[0].w.dtype
    members = lead[0] if lead else 1
    together = members >= TOGETHER
    owns = tuple(own(act) for act in dict.fromkeys(layer.act for layer in layers) if isinstance(act, Activation))
    codes = CODES | {one.act: len(CODES) + index for index, one in enumerate(owns)}
    one_by_one, in_step = _with_activations(owns) if owns else (train_members, train_together)
    kernel = in_step if together else one_by_one

    def room(*shape: int) -> Array:
        return np.zeros((*shape, members) if together else shape, dtype)

    sizes = np.array([*(layer.w.shape[-2] for layer in layers), layers[-1].w.shape[-1]])
    net = sizes, np.array([int(layer.b is not None) for layer in layers]), np.array([codes[la.act] for la in layers])
    shape = len(layers), sizes[:-1].max() + 1, sizes[1:].max()
    w = room(*shape) if together else room(members, *shape)
    of_member = np.moveaxis(w, -1, 0) if together else w
    for index, layer in enumerate(layers):
        fan_in, fan_out = layer.w.shape[-2:]
        of_member[:, index, :fan_in, :fan_out] = layer.w
        if layer.b is not None:
            of_member[:, index, fan_in, :fan_out] = layer.b[..., 0, :]
    # Room for z, a and delta, for the gradient, and for the weights before an epoch.
    rooms = (*room(3, len(sizes), sizes.max() + 1), *room(2, *shape))
    rates = np.broadcast_to(np.asarray(lr, dtype), members).copy()
    # Views, and read-only whatever x and y are: numba compiles anew for arrays that differ in that.
    xs, ys = (read_only(array.reshape(-1, *array.shape[-2:]).view()) for array in (x, y))
    in_order, state, last = np.arange(x.shape[-2])[None], np.full(members, RUNNING), np.empty((2, members))

    def advance(orders: Sequence[Array | None]) -> tuple[Array, Array]:
        shuffled = orders[0] is not None
        task = np.stack(orders) if shuffled else in_order, shuffled, batch_size, loss == LOSSES["mse"]  # type: ignore
        reports = np.full((2, members, len(orders)), np.nan)
        kernel(w, net, task, rates, xs, ys, *reports, state, rooms)
        for k in np.flatnonzero(state == FIXED):  # all its later epochs are the same
            ran = len(orders) - np.count_nonzero(np.isnan(reports[1, k]))
            reports[:, k, ran:] = (reports[:, k, ran - 1] if ran else last[:, k])[:, None]
        last[...] = reports[:, :, -1]
        losses, accuracies = reports.transpose(0, 2, 1).reshape(2, len(orders), *lead).astype(dtype)
        return losses, accuracies

    def current() -> Params:
        def layer(index: int, like: Layer) -> Layer:
            fan_in, fan_out = like.w.shape[-2:]
            weights = of_member[:, index, :fan_in, :fan_out].reshape(like.w.shape).copy()
            biases = None if like.b is None else of_member[:, index, fan_in, :fan_out].reshape(like.b.shape).copy()
            return Layer(read_only(weights), read_only(biases), like.act)

        return Params(layer(index, like) for index, like in enumerate(layers))

    return advance, current


@attrs.frozen
class Own:
    """An activation of one's own, known by what it computes rather than by its name."""

    definition: Any
    act: Activation = attrs.field(eq=False)


def own(act: Activation) -> Own:
    """Return an activation with its definition; `UnsteadyError` where it has none."""
    return Own((definition(act.apply), definition(act.derivative)), act)


def obstacle(params: Params, loss: Loss) -> str | None:
    """Say why the kernel cannot run this, or None where it can."""
    if loss not in KNOWN_LOSSES:
        return f"it knows the losses {', '.join(one.name for one in KNOWN_LOSSES)}, not {loss.name!r}"
    for act in dict.fromkeys(layer.act for layer in params.layers):
        if isinstance(act, str) and act not in CODES:
            return f"it knows the activations {', '.join(CODES)}, not {act!r}"
        try:
            reason = _obstacle_of(own(act)) if isinstance(act, Activation) else None
        except UnsteadyError as error:
            reason = f"hangs on what can change: {error}"
        if reason:
            return f"the activation {act.name!r} {reason}"  # type: ignore[union-attr]
    return None


#: Where an activation of one's own is tried: compiled, on numbers, it must give what it gives on this array.
PROBE = np.array([[-30.0, -2.5, -1.0, -0.3, 0.0, 0.2], [0.7, 1.0, 1.9, 4.0, 30.0, -0.01]])


@functools.lru_cache(maxsize=8)
def _obstacle_of(own: Own) -> str | None:
    """Say why an activation of one's own is not to be compiled."""
    try:
        with np.errstate(all="ignore"):
            z = PROBE
            a = elementwise("activation", own.act.name, own.act.apply, z)
            slope = elementwise("derivative of activation", own.act.name, own.act.derivative, z, a)
            for function, given, result in ((own.act.apply, (z,), a), (own.act.derivative, (z, a), slope)):
                compiled = numba.njit(error_model="numpy")(function)
                compiled.compile((numba.float64,) * len(given))
                if not isinstance(compiled.nopython_signatures[0].return_type, numba.types.Number):
                    return "cannot be compiled: from numbers it does not make a number"
                ours = [compiled(*numbers) for numbers in zip(*(array.flat for array in given), strict=True)]
                if not np.allclose(ours, result.ravel(), rtol=1e-9, atol=1e-300, equal_nan=True):
                    return "is not elementwise: on numbers it gives others than on an array of them"
    except numba.core.errors.NumbaError:
        return "cannot be compiled by numba"
    except Exception as error:  # whatever a function of the user's raises
        return f"cannot be compiled: {error}"
    return None


@functools.lru_cache(maxsize=8)  # compiling takes seconds
def _with_activations(owns: tuple[Own, ...]) -> Any:
    """Compile the same kernel with activations of one's own beside the built-in ones."""

    def choice(code: int, function: Any, otherwise: Any) -> Any:
        function = numba.njit(function)
        return numba.njit(lambda act, *za: function(*za) if act == code else otherwise(act, *za))

    apply_, derivative_ = apply, derivative
    for code, one in enumerate(owns, len(CODES)):
        apply_, derivative_ = choice(code, one.act.apply, apply_), choice(code, one.act.derivative, derivative_)

    def rebuilt(function: Any, **names: Any) -> Any:
        return _compiled(types.FunctionType(function.__code__, {**globals(), **names}), cache=False)

    network = rebuilt(_train_network, apply=apply_, derivative=derivative_)
    together = rebuilt(_train_together, apply=apply_, derivative=derivative_)
    return rebuilt(_train_members, train_network=network), together
