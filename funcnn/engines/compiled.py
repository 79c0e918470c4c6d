"""The `compiled` engine: the textbook's algorithm as plain loops over numbers, compiled by numba.

There are two skeletons of the same algorithm, and no formula in either: what happens to a number, the functions of the
tables say, which numba compiles into the loops. `solo` makes the loop of one network. Its arrays are indexed as the
textbook writes them: ``w[l, i, j]`` leads from unit i of layer l to unit j of layer l + 1, ``z[l, j]`` is what comes
into a unit, ``a[l, j]`` what goes out of it, and ``delta[l, j]`` its error signal; layer 0 is the input. A bias is the
weight of one more unit below, which always gives 1. Narrower layers leave the rest of the arrays unused.

`together` makes the same loop for many small networks in step: each number becomes a row of numbers, one per member m,
which the processor works on several at a time. The arithmetic of both is IEEE's, in the order written and without
fast-math, so that a member of an ensemble has the bits of its solo run.
"""

import functools
import hashlib
import math
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import attrs
import numba
import numpy as np

from .. import losses, memory
from ..activations import ACTIVATIONS, activation
from ..arguments import of_table
from ..losses import LOSSES, ROWS
from ..optimizers import OPTIMIZERS, fresh_slots, penalised, rules, shrunk
from ..records import Activation, Array, Layer, Loss, Optimizer, Params, Plan, State, read_only
from ..validation import elementwise, watched
from . import scalars
from .cache import cached
from .contract import (
    TOGETHER,
    Data,
    Orders,
    Reports,
    Shapes,
    constant,
    in_tables,
    reads_only_weights_and_data,
    said,
    side_by_side,
    updates,
)
from .definitions import UnsteadyError, definition
from .scalars import called, chosen, inline, inlined

#: What a member's epochs ended with.
RUNNING, DIVERGED, FIXED = range(3)


@attrs.frozen
class Formulas:
    """The functions that a kernel is made of, known by what they compute.

    ``acts`` are pairs (apply, derivative), ``losses`` pairs (value that is reported, slope) of functions of (y_hat,
    y, row), ``rows`` pairs (term, finish). ``updates`` are the rule of weights and, where it is another, of biases.
    ``largest`` tells which of the two decisions is compiled.
    """

    key: Hashable
    acts: tuple[tuple[Any, Any], ...] = attrs.field(eq=False)
    losses: tuple[tuple[Any, Any], ...] = attrs.field(eq=False)
    rows: tuple[tuple[Any, Any], ...] = attrs.field(eq=False)
    updates: tuple[Any, ...] = attrs.field(eq=False)
    slots: int = attrs.field(eq=False)
    largest: bool = attrs.field(eq=False)


# --- pieces of both skeletons ----------------------------------------------------------------------------------------


def first(functions: tuple[tuple[Any, Any], ...]) -> Any:
    """Return one function that chooses among the first of each pair."""
    return chosen([inlined(function) for function, _ in functions])


def second(functions: tuple[tuple[Any, Any], ...]) -> Any:
    """Return one function that chooses among the second of each pair."""
    return chosen([inlined(function) for _, function in functions])


def taking(count: int) -> Any:
    """Return a function that takes the slots of a weight, as a tuple of so many numbers, out of an array of them."""
    if count == 0:
        return inline(lambda slots, at: ())
    rest, last = taking(count - 1), count - 1
    return inline(lambda slots, at: rest(slots, at) + (slots[(last,) + at],))  # noqa: RUF005, which numba cannot


def keeping(count: int) -> Any:
    """Return a function that puts them back."""
    if count == 0:
        return inline(lambda slots, at, values: None)
    rest, last = keeping(count - 1), count - 1

    @inline
    def keep(slots: Any, at: Any, values: Any) -> None:
        rest(slots, at, values)
        slots[(last,) + at] = values[last]  # noqa: RUF005

    return keep


penalise, shrink = inlined(penalised), inlined(shrunk)


# --- the two skeletons -----------------------------------------------------------------------------------------------


def solo(formulas: Formulas) -> Any:
    """Make the loop that trains one network in place, an epoch for each place in the reports."""
    apply, derivative = first(formulas.acts), second(formulas.acts)
    value, slope = first(formulas.losses), second(formulas.losses)
    term, finish = first(formulas.rows), second(formulas.rows)
    update = chosen([inlined(function) for function in formulas.updates])
    take, keep = taking(formulas.slots), keeping(formulas.slots)
    largest = formulas.largest

    @inline
    def forward(w: Array, net: Any, x: Array, s: int, z: Array, a: Array) -> None:
        """Write down what comes into each unit for sample s, and what goes out of it."""
        sizes, biased, acts = net
        zero = w.dtype.type(0)
        for i in range(sizes[0]):
            a[0, i] = x[s, i]
        for l in range(sizes.size - 1):
            fan_in, act = sizes[l] + biased[l], acts[l]
            a[l, sizes[l]] = 1.0
            for j in range(sizes[l + 1]):
                total = zero
                for i in range(fan_in):
                    total += a[l, i] * w[l, i, j]
                z[l + 1, j] = total
                a[l + 1, j] = apply(act, total)

    @inline
    def reduced(row: int, a: Array, depth: int, outputs: int) -> float:
        """Reduce the outputs of a sample to what its loss takes as `row`."""
        if row < 0:
            return 0.0
        top, total = a[depth, 0], 0.0
        for j in range(1, outputs):
            top = max(top, a[depth, j])
        for j in range(outputs):
            total += term(row, a[depth, j], top)
        reduction: float = finish(row, top, total)
        return reduction

    @inline
    def judged(a: Array, depth: int, y: Array, s: int, row: float, loss: int, decision: Any) -> Any:
        """Return what sample s adds to the reported loss, and whether it is right."""
        threshold, low, high = decision
        total, wrong, best = 0.0, 0, 0
        for j in range(y.shape[1]):
            y_hat = a[depth, j]
            total += value(loss, y_hat, y[s, j], row)
            wrong += not math.isfinite(y_hat)
            if largest:
                best = j if y_hat > a[depth, best] else best
            else:
                wrong += (high if y_hat > threshold else low) != y[s, j]
        for j in range(y.shape[1] if largest else 0):
            wrong += (high if j == best else low) != y[s, j]
        return total, wrong == 0

    def train(
        w: Array,
        slots: Array,
        t: float,
        net: Any,
        task: Any,
        rates: Array,
        data: Any,
        held: Any,
        reports: Any,
        room: Any,
    ) -> Any:
        sizes, biased, acts = net
        codes, decision, hyper, (l2, clip, fused, steady), (batch_size, scale_of_all, scale_of_last) = task
        loss, row = codes
        x, y, weight, orders = data
        z, a, delta, dw, before = room
        depth, n, outputs = sizes.size - 1, y.shape[0], y.shape[1]
        zero, one = w.dtype.type(0), w.dtype.type(1)
        for l in range(depth if steady else 0):
            for i in range(w.shape[1]):
                for j in range(w.shape[2]):
                    before[l, i, j] = w[l, i, j]
        u, next_rate = 0, int(rates.shape[0] > 1)
        for epoch in range(reports.shape[1]):
            reported, right, order = 0.0, 0, epoch % orders.shape[0]
            for begin in range(0, n, batch_size):
                end, lr = min(begin + batch_size, n), rates[u]
                scale = scale_of_all if end - begin == batch_size else scale_of_last
                u += next_rate
                t += 1.0
                for sample in range(begin, end):
                    s = orders[order, sample]
                    forward(w, net, x, s, z, a)
                    reduction = reduced(row, a, depth, outputs)
                    contribution, good = judged(a, depth, y, s, reduction, loss, decision)
                    reported += contribution
                    right += good
                    # The error, and with it the error signal of the output.
                    factor = scale * weight[s]
                    for j in range(outputs):
                        error = slope(loss, a[depth, j], y[s, j], reduction) * factor
                        delta[depth, j] = error * derivative(acts[depth - 1], z[depth, j], a[depth, j])
                    # Backward: each unit's error signal, from those above it. Each weight is read before it moves.
                    for l in range(depth - 1, -1, -1):
                        fan_out = sizes[l + 1]
                        for i in range(sizes[l] + biased[l]):
                            total = zero
                            if fused:
                                for j in range(fan_out):
                                    total += delta[l + 1, j] * w[l, i, j]
                                    g = a[l, i] * delta[l + 1, j]
                                    at = (l, i, j)
                                    w[at], new = update(i == sizes[l], w[at], g, take(slots, at), t, lr, hyper)
                                    keep(slots, at, new)
                            else:
                                for j in range(fan_out):
                                    total += delta[l + 1, j] * w[l, i, j]
                                    dw[l, i, j] += a[l, i] * delta[l + 1, j]
                            if l > 0:
                                delta[l, i] = total * derivative(acts[l - 1], z[l, i], a[l, i])
                if not fused:
                    squares, scaled = 0.0, one
                    for l in range(depth):
                        for i in range(sizes[l] + biased[l]):
                            for j in range(sizes[l + 1]):
                                if l2 > 0.0 and i < sizes[l]:
                                    dw[l, i, j] = penalise(dw[l, i, j], w[l, i, j], l2)
                                squares += dw[l, i, j] * dw[l, i, j]
                    if clip > 0.0:
                        scaled = w.dtype.type(shrink(squares, clip))
                    for l in range(depth):
                        for i in range(sizes[l] + biased[l]):
                            for j in range(sizes[l + 1]):
                                g = dw[l, i, j] * scaled
                                at = (l, i, j)
                                w[at], new = update(i == sizes[l], w[at], g, take(slots, at), t, lr, hyper)
                                keep(slots, at, new)
                                dw[l, i, j] = 0.0
            reports[0, epoch], reports[1, epoch] = reported, right
            if reports.shape[0] > 2:
                held_x, held_y = held
                reported, right = 0.0, 0
                for s in range(held_y.shape[0]):
                    forward(w, net, held_x, s, z, a)
                    reduction = reduced(row, a, depth, outputs)
                    contribution, good = judged(a, depth, held_y, s, reduction, loss, decision)
                    reported += contribution
                    right += good
                reports[2, epoch], reports[3, epoch] = reported, right
            moved, finite = not steady, True
            for l in range(depth):
                for i in range(sizes[l] + biased[l]):
                    for j in range(sizes[l + 1]):
                        finite &= math.isfinite(w[l, i, j])
                        if steady:
                            moved |= w[l, i, j] != before[l, i, j]
                            before[l, i, j] = w[l, i, j]
            if not finite:
                return DIVERGED, epoch + 1
            if not moved:  # as when every ReLU is dead: all later epochs are the same
                return FIXED, epoch + 1
        return RUNNING, reports.shape[1]

    return train


# Functions of rows: ``x[l, j]`` is the row of unit j in layer l. It is not cut out, which costs as much as the work.


def applying(function: Any) -> Any:
    """Return a function that writes ``function`` of a unit's row into another."""

    @inline
    def row(z: Array, out: Array, l: int, j: int) -> None:
        for m in range(out.shape[2]):
            out[l, j, m] = function(z[l, j, m])

    return row


def multiplying(function: Any) -> Any:
    """Return a function that multiplies a unit's row by ``function`` of two others."""

    @inline
    def row(z: Array, a: Array, out: Array, l: int, j: int) -> None:
        for m in range(out.shape[2]):
            out[l, j, m] *= function(z[l, j, m], a[l, j, m])

    return row


def beginning(function: Any) -> Any:
    """Return a function that writes an error times ``function`` of a unit's rows into another."""

    @inline
    def row(error: Array, z: Array, a: Array, out: Array, l: int, j: int) -> None:
        for m in range(out.shape[2]):
            out[l, j, m] = error[j, m] * function(z[l, j, m], a[l, j, m])

    return row


def measuring(value: Any, slope: Any) -> Any:
    """Return a function that adds the value of a loss at an output to a row, and writes its slope times two factors."""

    @inline
    def row(
        a: Array, target: Array, reduction: Array, scale: float, reported: Array, error: Array, l: int, j: int
    ) -> None:
        for m in range(reported.size):
            y_hat, y = a[l, j, m], target[j, m]
            reported[m] += value(y_hat, y, reduction[m])
            error[j, m] = slope(y_hat, y, reduction[m]) * scale

    return row


def together(formulas: Formulas) -> Any:
    """Make the loop that trains members side by side, in place: that of `solo` with members along the last axis."""
    # The choice of a formula stands outside the loops over members, so that these are done several at a time.
    apply = chosen([applying(inlined(function)) for function, _ in formulas.acts])
    derive = chosen([multiplying(inlined(function)) for _, function in formulas.acts])
    begin_with = chosen([beginning(inlined(function)) for _, function in formulas.acts])
    measure = chosen([measuring(inlined(value), inlined(slope)) for value, slope in formulas.losses])
    term, finish = first(formulas.rows), second(formulas.rows)
    update = chosen([inlined(function) for function in formulas.updates])
    take, keep = taking(formulas.slots), keeping(formulas.slots)
    largest = formulas.largest

    @inline
    def forward(w: Array, net: Any, x: Array, s: int, z: Array, a: Array) -> None:
        sizes, biased, acts = net
        members, own = w.shape[3], x.shape[0] > 1
        for i in range(sizes[0]):
            for m in range(members):
                a[0, i, m] = x[m if own else 0, s, i]
        for l in range(sizes.size - 1):
            a[l, sizes[l]] = 1.0
            for j in range(sizes[l + 1]):
                z[l + 1, j] = 0.0
                for i in range(sizes[l] + biased[l]):
                    for m in range(members):
                        z[l + 1, j, m] += a[l, i, m] * w[l, i, j, m]
                apply(acts[l], z, a, l + 1, j)

    @inline
    def reduced(row: int, a: Array, depth: int, outputs: int, out: Array) -> None:
        for m in range(out.size if row >= 0 else 0):
            top, total = a[depth, 0, m], 0.0
            for j in range(1, outputs):
                top = max(top, a[depth, j, m])
            for j in range(outputs):
                total += term(row, a[depth, j, m], top)
            out[m] = finish(row, top, total)

    @inline
    def judge(a: Array, depth: int, y: Array, s: int, task: Any, scale: float, rows: Any) -> None:
        """Add what sample s adds to each member's reported loss, and whether it is right; write down its error."""
        (loss, row), (threshold, low, high), _, _, _ = task
        reported, right, reduction, target, error, wrong, best = rows
        members, outputs, own = wrong.size, y.shape[2], y.shape[0] > 1
        reduced(row, a, depth, outputs, reduction)
        for j in range(outputs):
            for m in range(members):
                target[j, m] = y[m if own else 0, s, j]
            measure(loss, a, target, reduction, scale, reported, error, depth, j)
            for m in range(members):
                y_hat = a[depth, j, m]
                bad = not math.isfinite(y_hat)
                if largest:
                    best[m] = j if j == 0 or y_hat > a[depth, best[m], m] else best[m]
                else:
                    bad |= (high if y_hat > threshold else low) != target[j, m]
                wrong[m] = 1.0 if bad else 0.0 if j == 0 else wrong[m]
        for j in range(outputs if largest else 0):
            for m in range(members):
                wrong[m] = 1.0 if (high if j == best[m] else low) != target[j, m] else wrong[m]
        for m in range(members):
            right[m] += 1.0 - wrong[m]

    def train(
        w: Array, slots: Array, t: float, net: Any, task: Any, rates: Array, data: Any, held: Any, reports: Any,
        state: Array, room: Any, stood: Any,
    ) -> None:  # fmt: skip
        sizes, biased, acts = net
        _, _, hyper, (l2, clip, fused, steady), (batch_size, scale_of_all, scale_of_last) = task
        x, y, weight, orders = data
        z, a, delta, dw, before = room
        stood_w, stood_slots = stood
        depth, n, outputs, members = sizes.size - 1, y.shape[1], y.shape[2], w.shape[3]
        reported, right, wrong, squares = np.zeros((4, members))
        scaled, reduction = np.zeros(members, w.dtype), np.zeros(members)
        target, error = np.zeros((outputs, members), w.dtype), np.zeros((outputs, members))
        best = np.zeros(members, np.int64)
        rows = (reported, right, reduction, target, error, wrong, best)
        moved, finite = np.zeros((2, members), np.bool_)
        for l in range(depth):
            for i in range(w.shape[1]):
                for j in range(w.shape[2]):
                    for m in range(members):
                        before[l, i, j, m] = w[l, i, j, m]
        u, next_rate = 0, int(rates.shape[0] > 1)
        for epoch in range(reports.shape[2]):
            order = epoch % orders.shape[0]
            reported[:], right[:], moved[:], finite[:] = 0.0, 0.0, not steady, True
            for begin in range(0, n, batch_size):
                end, update_now = min(begin + batch_size, n), u
                scale = scale_of_all if end - begin == batch_size else scale_of_last
                u += next_rate
                t += 1.0
                for sample in range(begin, end):
                    s = orders[order, sample]
                    forward(w, net, x, s, z, a)
                    judge(a, depth, y, s, task, scale * weight[s], rows)
                    for j in range(outputs):
                        begin_with(acts[depth - 1], error, z, a, delta, depth, j)
                    for l in range(depth - 1, -1, -1):
                        for i in range(sizes[l] + biased[l]):
                            for m in range(members):
                                delta[l, i, m] = 0.0
                            for j in range(sizes[l + 1]):
                                if fused:
                                    for m in range(members):
                                        if l > 0:
                                            delta[l, i, m] += delta[l + 1, j, m] * w[l, i, j, m]
                                        g = a[l, i, m] * delta[l + 1, j, m]
                                        at = (l, i, j, m)
                                        lr = rates[update_now, m]
                                        w[at], new = update(i == sizes[l], w[at], g, take(slots, at), t, lr, hyper)
                                        keep(slots, at, new)
                                else:
                                    for m in range(members):
                                        delta[l, i, m] += delta[l + 1, j, m] * w[l, i, j, m]
                                        dw[l, i, j, m] += a[l, i, m] * delta[l + 1, j, m]
                            if l > 0:
                                derive(acts[l - 1], z, a, delta, l, i)
                if not fused:
                    squares[:], scaled[:] = 0.0, 1.0
                    for l in range(depth if l2 > 0.0 or clip > 0.0 else 0):
                        for i in range(sizes[l] + biased[l]):
                            for j in range(sizes[l + 1]):
                                for m in range(members):
                                    if l2 > 0.0 and i < sizes[l]:
                                        dw[l, i, j, m] = penalise(dw[l, i, j, m], w[l, i, j, m], l2)
                                    squares[m] += dw[l, i, j, m] * dw[l, i, j, m]
                    for m in range(members if clip > 0.0 else 0):
                        scaled[m] = shrink(squares[m], clip)
                    for l in range(depth):
                        for i in range(sizes[l] + biased[l]):
                            for j in range(sizes[l + 1]):
                                for m in range(members):
                                    at = (l, i, j, m)
                                    g = dw[l, i, j, m] * scaled[m]
                                    lr = rates[update_now, m]
                                    w[at], new = update(i == sizes[l], w[at], g, take(slots, at), t, lr, hyper)
                                    keep(slots, at, new)
                                    dw[l, i, j, m] = 0.0
            held_x, held_y = held
            for m in range(members):
                if state[m] == RUNNING:
                    reports[0, m, epoch], reports[1, m, epoch] = reported[m], right[m]
            if reports.shape[0] > 2:
                reported[:], right[:] = 0.0, 0.0
                for s in range(held_y.shape[1]):
                    forward(w, net, held_x, s, z, a)
                    judge(a, depth, held_y, s, task, 0.0, rows)
                for m in range(members):
                    if state[m] == RUNNING:
                        reports[2, m, epoch], reports[3, m, epoch] = reported[m], right[m]
            for l in range(depth):
                for i in range(sizes[l] + biased[l]):
                    for j in range(sizes[l + 1]):
                        for m in range(members):
                            finite[m] &= math.isfinite(w[l, i, j, m])
                            moved[m] |= w[l, i, j, m] != before[l, i, j, m]
                            before[l, i, j, m] = w[l, i, j, m]
            running = 0
            for m in range(members):
                if state[m] == RUNNING and not finite[m]:
                    state[m] = DIVERGED
                    copy_member(w, slots, stood_w, stood_slots, m)
                elif state[m] == RUNNING and not moved[m]:
                    state[m] = FIXED
                running += state[m] == RUNNING
            if running == 0:
                break
        for m in range(members):
            if state[m] == DIVERGED:
                copy_member(stood_w, stood_slots, w, slots, m)

    return train


@called
def copy_member(w: Array, slots: Array, to_w: Array, to_slots: Array, m: int) -> None:
    """Copy the weights and slots of one of the members side by side."""
    for l in range(w.shape[0]):
        for i in range(w.shape[1]):
            for j in range(w.shape[2]):
                to_w[l, i, j, m] = w[l, i, j, m]
                for slot in range(slots.shape[0]):
                    to_slots[slot, l, i, j, m] = slots[slot, l, i, j, m]


def one_by_one(train: Any) -> Any:
    """Make the loop that trains members one after another, from the loop that trains one."""

    def train_each(
        w: Array, slots: Array, t: float, net: Any, task: Any, rates: Array, data: Any, held: Any, reports: Any,
        state: Array, room: Any,
    ) -> None:  # fmt: skip
        x, y, weight, orders = data
        held_x, held_y = held
        for k in range(w.shape[0]):
            if state[k] == RUNNING:
                own = x[k % x.shape[0]], y[k % y.shape[0]], weight, orders
                own_held = held_x[k % held_x.shape[0]], held_y[k % held_y.shape[0]]
                state[k], _ = train(w[k], slots[k], t, net, task, rates[:, k], own, own_held, reports[:, k], room)

    return train_each


# --- compiling -------------------------------------------------------------------------------------------------------


def keyed(function: Any, key: str) -> Any:
    """Give a function that was just made a name of its own.

    Machine code finds what it calls by name. numba tells functions of one name apart by counting them, in each process
    anew, so what is loaded from disk would be taken for what is compiled now. The name makes files of its own, too: in
    one index two processes that compile at the same time could take each other's kernels.
    """
    function.__qualname__ = f"{function.__qualname__}_{key[:20]}"
    return function


def compiled(function: Callable[..., Any], key: str) -> Any:
    """Compile a kernel, which is kept on disk."""
    kernel: Any = called(keyed(function, key))
    return cached(kernel, function, key)


@functools.lru_cache(maxsize=16)  # compiling takes seconds
def kernel_of(formulas: Formulas, side_by_side: bool, dtype: str, constants: int) -> Any:
    """Return the kernel of these formulas, for weights of a dtype and an optimizer with so many constants.

    These make the types of what it is called with, and of one kernel there is one file.
    """
    text = repr((formulas.key, SCALARS, side_by_side, dtype, constants)).encode()
    key = hashlib.sha256(text).hexdigest()
    if side_by_side:
        return compiled(together(formulas), key)
    return compiled(one_by_one(called(keyed(solo(formulas), key))), key)


#: What the numbers' functions are, for the caches.
SCALARS = hashlib.sha256(Path(scalars.__file__).read_bytes()).hexdigest()


#: What most runs take.
USUAL: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (ACTIVATIONS, ("sigmoid", "relu", "tanh", "leaky_relu", "none")),
    (LOSSES, ("half_sse", "mse")),
)


def chosen_records(plan: Plan, shapes: Shapes) -> tuple[tuple[Activation, ...], tuple[Loss, ...]]:
    """Return the activations and losses that a kernel for this plan has, in the order of their codes.

    The usual ones together, so that one kernel serves most runs; with any other, only what is used, since each function
    takes a while to compile.
    """
    acts = tuple(dict.fromkeys(map(activation, shapes.acts)))
    usual_acts, usual_losses = (tuple(table[name] for name in names) for table, names in USUAL)
    if {*acts} <= {*usual_acts} and plan.loss in usual_losses and in_tables(plan, shapes):
        return usual_acts, usual_losses
    return acts, (plan.loss,)


def formulas_of(plan: Plan, shapes: Shapes) -> Formulas:
    """Return what a kernel for this plan is made of.

    Raises
    ------
    UnsteadyError
        If a function of the user's hangs on what can change.
    """
    given = (*chosen_records(plan, shapes), plan.optimizer, plan.decision.kind == "largest")
    return _formulas_of_tables(*given) if in_tables(plan, shapes) else _formulas(*given)


def _formulas(acts: Any, all_losses: Any, rule: Optimizer, largest: bool) -> Formulas:
    pairs = tuple((act.apply, act.derivative) for act in acts)
    reports = [losses.report_of(one) for one in all_losses]
    of_losses = [(report.value, one.slope) for one, report in zip(all_losses, reports, strict=True)]
    by_row = [(report.row, one.row) for one, report in zip(all_losses, reports, strict=True)]
    updates_ = rules(rule)
    functions = [*(function for pair in (*pairs, *of_losses) for function in pair), *updates_]
    rows = tuple((row.term, row.finish) for row in ROWS.values())
    with_row = tuple(
        (value if value_row else _without_row(value), slope if slope_row else _without_row(slope))
        for (value, slope), (value_row, slope_row) in zip(of_losses, by_row, strict=True)
    )
    functions += [penalised, shrunk, *(function for pair in rows for function in pair)]
    key = repr(([definition(function) for function in functions], by_row, rule.slots, largest))
    return Formulas(key, pairs, with_row, rows, updates_, rule.slots, largest)


#: Of the tables alone they are the same in every run, and to look through them takes a while.
_formulas_of_tables = functools.lru_cache(maxsize=64)(_formulas)


def _without_row(function: Any) -> Any:
    return lambda y_hat, y, row: function(y_hat, y)


# --- what it cannot run ----------------------------------------------------------------------------------------------

#: Where functions of the user's are tried: compiled, on numbers, they must give what they give on these arrays.
PROBE = np.array([[-30.0, -2.5, -1.0, -0.3, 0.0, 0.2], [0.7, 1.0, 1.9, 4.0, 30.0, -0.01]])


def obstacle(plan: Plan, shapes: Shapes) -> str | None:
    """Say why the compiled engine cannot run this, or None where it can; see `Engine`."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return "numba is told to compile nothing (NUMBA_DISABLE_JIT)"
    report = losses.report_of(plan.loss)
    if len({plan.loss.row, report.row} - {None}) > 1:
        return f"the losses {plan.loss.name!r} and {report.name!r} reduce rows in two ways"
    functions: tuple[tuple[str, Any, Any, Any], ...] = (
        ("activation", ACTIVATIONS, _try_activation, map(activation, shapes.acts)),
        ("loss", LOSSES, _try_loss, (plan.loss, report)),
        ("optimizer", OPTIMIZERS, _try_optimizer, (plan.optimizer,)),
    )
    for kind, table, tried, used in functions:
        for one in dict.fromkeys(used):
            if not of_table(one, table):
                try:
                    reason = tried(one)
                except UnsteadyError as error:
                    reason = f"hangs on what can change: {error}"
                if reason:
                    return f"the {kind} {one.name!r} {reason}"
    if reason := memory.lacking(_bytes(plan, shapes)):
        return f"its arrays, as wide for all layers, {reason}"
    return _try_kernel(formulas_of(plan, shapes), *_least(plan, shapes))


def _bytes(plan: Plan, shapes: Shapes) -> int:
    """Return what the arrays of weights take that `prepare` makes: of all members, and those that loops work on."""
    members, (depth, fan_in, fan_out) = shapes.members or 1, _frame(shapes)
    held = (1 + plan.optimizer.slots) * members * (2 if side_by_side(plan, shapes) else 1)
    return (held + 2) * depth * fan_in * fan_out * np.dtype(shapes.dtype).itemsize


def _frame(shapes: Shapes) -> tuple[int, int, int]:
    """Return the shape of an array that has a place for each weight, and for a bias in each layer."""
    return len(shapes.sizes) - 1, max(shapes.sizes[:-1]) + 1, max(shapes.sizes[1:])


def _least(plan: Plan, shapes: Shapes) -> tuple[Plan, Shapes]:
    """Return the smallest run that has the kernel of this one."""
    members = TOGETHER if side_by_side(plan, shapes) else None
    least = attrs.evolve(shapes, sizes=(1,) * len(shapes.sizes), members=members, samples=1, held=0)
    return attrs.evolve(plan, batch_size=1, clip=None, l2=0.0), least


@functools.lru_cache(maxsize=64)
def _try_kernel(formulas: Formulas, plan: Plan, shapes: Shapes) -> str | None:
    """Say why a kernel cannot be compiled or loaded, or does not run, whatever goes wrong in numba."""
    lead = () if shapes.members is None else (shapes.members,)
    ones = np.ones((*lead, 1, 1), shapes.dtype)
    layers = [Layer(ones, ones if b else None, act) for b, act in zip(shapes.biased, shapes.acts, strict=True)]
    params = Params(layers)
    state = State(params, fresh_slots(plan.optimizer, params), running=np.ones(lead, bool))
    try:
        run = prepare(plan, shapes, Data(ones, ones), None)
        epochs(run, state, [None], np.zeros((1, *lead)))
    except Exception as error:
        return f"its loop does not come to run ({said(error)})"
    return None


def _try_activation(act: Activation) -> str | None:
    def given() -> tuple[Any, ...]:
        return PROBE, elementwise("activation", act.name, act.apply, PROBE)

    name = "derivative of activation"
    return _try(Trial(definition(act.apply), act.apply, act.name, "activation", lambda: (PROBE,))) or _try(
        Trial((definition(act.derivative), definition(act.apply)), act.derivative, act.name, name, given)
    )


def _try_loss(loss: Loss) -> str | None:
    row = (np.full(PROBE.shape, 31.0),) if loss.row else ()
    for function, kind in ((loss.value, "loss"), (loss.slope, "slope of loss")):
        trial = Trial((definition(function), loss.row), function, loss.name, kind, lambda: (PROBE, PROBE[::-1], *row))
        if reason := _try(trial):
            return reason
    return None


def _try_optimizer(rule: Optimizer) -> str | None:
    slots = tuple(PROBE[::-1] ** 2 + index for index in range(rule.slots))
    given = (PROBE, PROBE[::-1], slots, 3.0, 0.1, rule.hyper)
    for update in rules(rule):
        key = (definition(update), rule.slots, rule.hyper)
        if reason := _try(Trial(key, update, rule.name, "optimizer", lambda: given)):
            return reason
    return None


@attrs.frozen
class Trial:
    """A function of the user's, known by what it computes, and arrays to try it on."""

    key: Hashable
    function: Any = attrs.field(eq=False)
    name: str = attrs.field(eq=False)
    kind: str = attrs.field(eq=False)
    given: Callable[[], tuple[Any, ...]] = attrs.field(eq=False)


@functools.lru_cache(maxsize=64)
def _try(trial: Trial) -> str | None:
    """Say why a function of the user's is not to be compiled."""
    try:
        with np.errstate(all="ignore"):
            given = trial.given()
            expected = _flat(watched(trial.kind, trial.name, trial.function, *given))
            compiled = inlined(trial.function)
            ours = [_flat(compiled(*(_picked(one, index) for one in given))) for index in range(PROBE.size)]
    except Exception as error:  # whatever numba and a function of the user's raise
        return f"cannot be compiled: {said(error)}"
    if not all(isinstance(number, float | int) and not isinstance(number, bool) for one in ours for number in one):
        return "cannot be compiled: from numbers it does not make a number"
    theirs = [np.broadcast_to(array, PROBE.shape).ravel() for array in expected]
    if not np.allclose(ours, np.transpose(theirs), rtol=1e-9, atol=1e-300, equal_nan=True):
        return "is not elementwise: on numbers it gives others than on an array of them"
    return None


def _picked(given: Any, index: int) -> Any:
    """Return the numbers at one place of arrays."""
    if isinstance(given, tuple):
        return tuple(_picked(one, index) for one in given)
    return float(given.flat[index]) if isinstance(given, np.ndarray) else given


def _flat(result: Any) -> list[Any]:
    """Return what a function gave, tuples taken apart."""
    return [one for part in result for one in _flat(part)] if isinstance(result, tuple) else [result]


# --- running ---------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Prepared:
    """A run's kernel and buffers; ``w`` and ``slots`` are in the kernel's layout, the views lead with the member."""

    plan: Plan
    shapes: Shapes
    kernel: Any
    side_by_side: bool
    net: tuple[Array, Array, Array]
    codes: tuple[int, int]
    scales: tuple[float, float]
    data: tuple[Array, Array, Array]
    held: tuple[Array, Array]
    w: Array
    slots: Array
    views: tuple[Array, ...]  # (K, depth, fan_in, fan_out): of the weights, and of each slot
    room: tuple[Array, ...]


def prepare(plan: Plan, shapes: Shapes, data: Data, held: Data | None) -> Prepared:
    """Compile the kernel, where that has not been done, and make the buffers of a run."""
    members = shapes.members or 1
    abreast = side_by_side(plan, shapes)
    acts, all_losses = chosen_records(plan, shapes)
    report, sizes = losses.report_of(plan.loss), shapes.sizes

    def room(*shape: int) -> Array:
        return np.zeros((*shape, members) if abreast else shape, shapes.dtype)

    shape = _frame(shapes)
    of_members = () if abreast else (members,)
    w, slots = room(*of_members, *shape), room(*of_members, plan.optimizer.slots, *shape)
    slot_views = np.moveaxis(slots, -1, 1) if abreast else np.moveaxis(slots, 1, 0)
    row = plan.loss.row or report.row
    return Prepared(
        plan,
        shapes,
        kernel_of(formulas_of(plan, shapes), abreast, shapes.dtype, len(plan.optimizer.hyper)),
        abreast,
        (np.array(sizes), np.array(shapes.biased, int), np.array([acts.index(activation(a)) for a in shapes.acts])),
        (all_losses.index(plan.loss), list(ROWS).index(row) if row else -1),
        _scales(plan, shapes),
        (*_samples(data), np.ones(shapes.samples, shapes.dtype) if data.weight is None else np.array(data.weight)),
        _samples(held or Data(data.x[..., :0, :], data.y[..., :0, :])),
        w,
        slots,
        (np.moveaxis(w, -1, 0) if abreast else w, *slot_views),
        # Room for z, a and delta, for the gradient, and for the weights before an epoch.
        (*room(3, len(sizes), max(sizes) + 1), *room(2, *shape)),
    )


def _samples(data: Data) -> tuple[Array, Array]:
    """Return arrays that lead with the member: of one kind always, since numba compiles anew for another."""

    def leading(array: Array) -> Array:
        array = array if array.ndim > 2 else array[None]
        return read_only(np.ascontiguousarray(array if array.strides[0] else array[:1]).view())

    return leading(data.x), leading(data.y)


def _scales(plan: Plan, shapes: Shapes) -> tuple[float, float]:
    """Return what the slope of the loss is multiplied by in a whole batch, and in the last one of an epoch."""
    rows = plan.batch_size, shapes.samples % plan.batch_size or plan.batch_size
    whole, last = (1 / losses.count(plan.loss, count, shapes.sizes[-1]) for count in rows)
    return whole, last


def epochs(run: Prepared, state: State, orders: Orders, rates: Array) -> tuple[State, Reports]:
    """Train an epoch for each order; see `Engine`."""
    plan, shapes, members = run.plan, run.shapes, run.shapes.members or 1
    for views, params in zip(run.views, (state.params, *state.slots), strict=True):
        _load(views, params)
    status = np.where(np.ravel(state.running), RUNNING, DIVERGED)
    reports = np.full((4 if shapes.held else 2, members, len(orders)), np.nan)
    steady, fused = (
        reads_only_weights_and_data(plan, orders, rates),
        plan.batch_size == 1 and not plan.l2 and not plan.clip,
    )
    order = np.arange(shapes.samples)[None] if orders[0] is None else np.stack(orders)  # type: ignore[arg-type]
    decision = (plan.decision.threshold, plan.decision.low, plan.decision.high)
    task = (
        run.codes,
        decision,
        plan.optimizer.hyper,
        (plan.l2, plan.clip or 0.0, fused, steady),
        (plan.batch_size, *run.scales),
    )
    if constant(rates):  # to read the same rate again and again from memory would take long
        rates = rates[:1]
    rates = np.broadcast_to(rates.reshape(len(rates), -1), (len(rates), members)).astype(shapes.dtype, order="C")
    given = run.w, run.slots, state.t, run.net, task, rates, (*run.data, order), run.held, reports, status, run.room
    run.kernel(*given, (run.w.copy(), run.slots.copy())) if run.side_by_side else run.kernel(*given)
    ran = np.count_nonzero(~np.isnan(reports[1]), axis=1)
    for k in np.flatnonzero(status == FIXED):  # all its later epochs are the same
        reports[:, k, ran[k] :] = reports[:, k, ran[k] - 1, None]
    done = len(orders) if (status != DIVERGED).any() else int(ran.max())
    params, *slots = (_unloaded(views, state.params) for views in run.views)
    running = read_only((status != DIVERGED).reshape(np.shape(state.running)))
    t, epoch = state.t + done * updates(plan, shapes), state.epoch + done
    after = attrs.evolve(state, params=params, slots=tuple(slots), t=t, epoch=epoch, running=running)
    return after, _averaged(run, reports, np.shape(state.running))


def _averaged(run: Prepared, reports: Array, lead: tuple[int, ...]) -> Reports:
    """Return reports as means, (E,) or (E, K)."""
    report, outputs = losses.report_of(run.plan.loss), run.shapes.sizes[-1]
    samples = (run.shapes.samples, run.shapes.held)[: len(reports) // 2]
    counts = [count for n in samples for count in (losses.count(report, n, outputs), n)]
    means = (reports / np.reshape(counts, (-1, 1, 1))).transpose(0, 2, 1).reshape(len(reports), -1, *lead)
    return Reports(*map(read_only, means.astype(run.shapes.dtype)))


def _load(views: Array, params: Params) -> None:
    for index, layer in enumerate(params.layers):
        fan_in, fan_out = layer.w.shape[-2:]
        views[:, index, :fan_in, :fan_out] = layer.w
        if layer.b is not None:
            views[:, index, fan_in, :fan_out] = layer.b[..., 0, :]


def _unloaded(views: Array, like: Params) -> Params:
    def layer(index: int, one: Layer) -> Layer:
        fan_in, fan_out = one.w.shape[-2:]
        w = views[:, index, :fan_in, :fan_out].reshape(one.w.shape)
        b = None if one.b is None else views[:, index, fan_in, :fan_out].reshape(one.b.shape)
        return Layer(_own(w), None if b is None else _own(b), one.act)

    return Params(layer(index, one) for index, one in enumerate(like.layers))


def _own(array: Array) -> Array:
    return read_only(array.copy())
