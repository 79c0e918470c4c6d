"""What happened over the epochs: losses, accuracies and gradients."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from ..arguments import ArgumentTypeError, ArgumentValueError, listed, of_kind, shown, whole
from ..consistency import whole_run
from ..diagnosis import diagnose, when
from ..experiments import Run
from ..records import Array, History
from ..runs import check_solo, member, preparation_of
from ..validation import numbers
from .labels import loss_label, member_label, shape_and_rate, title
from .style import DARK, LAYERS, PATCH, blank, data_color, settled, styled

#: A curve is drawn with at most so many points, the extremes among them: a picture has no room for more.
POINTS = 600
#: Losses up to this are drawn as solved, at the bottom of a logarithmic axis, lest they squeeze all others.
SOLVED = 1e-12


def learning_curve(run: Run) -> Figure:
    """Draw loss and accuracy on the training set over epochs, and where the run diverged or died.

    Those of a validation part are drawn beside them, with the epoch of its lowest loss, whose weights are kept. Targets
    that are numbers have no accuracy.

    Raises
    ------
    ValueError, TypeError
        If ``run`` is no run, or an ensemble; `learning_band` draws those.
    """
    run = _recorded(check_solo(run), "loss")
    history, trouble, look = run.history, diagnose(run), {"color": data_color(run)}
    panels = 2 if preparation_of(run).targets is None else 1
    with styled():
        figure, axes = blank(5.5, 2.2 + 1.1 * panels, rows=panels, sharex=True, height_ratios=(3, 2)[:panels])
        top, bottom = axes[0], axes[1:]
        several = [history.loss] if history.val_loss is None else [history.loss, history.val_loss]
        own, *held = _on_log_axis(top, *several, least=SOLVED)
        _draw_curve(top, history.epoch, own, label="training", **look)
        top.set(title=title(run, *shape_and_rate(run)), ylabel=loss_label(run))
        for panel in bottom:
            _draw_curve(panel, history.epoch, 100 * history.accuracy, **look)
            panel.set(ylabel="accuracy (%)", ylim=(-5, 105), yticks=(0, 50, 100))
        for loss in held:
            _draw_held(axes, history, loss)
            figure.legend(*top.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        _epoch_axis(axes[-1], history.epoch)
        figure.align_ylabels()
        if trouble and trouble.epoch is not None:
            _mark_epoch(top, trouble.epoch, when(trouble))
            for panel in bottom:
                _mark_epoch(panel, trouble.epoch)
        return settled(figure)


def _draw_held(axes: list[Axes], history: History, loss: Array) -> None:
    """Draw the curves of the validation part, and where its loss was lowest."""
    look: dict[str, Any] = {"color": DARK, "linestyle": (0, (4, 1.5)), "linewidth": 1.2}
    _draw_curve(axes[0], history.epoch, loss, label="validation", **look)
    for panel in axes[1:]:
        _draw_curve(panel, history.epoch, 100 * np.asarray(history.val_accuracy), **look)
    best = 0 if history.best is None else int(history.best[0])
    if best:
        epoch = int(history.epoch[best - 1])
        look |= {"linestyle": "none", "marker": "o", "markerfacecolor": "white", "label": f"kept: after epoch {epoch}"}
        axes[0].plot(epoch, loss[best - 1], **look)


def _recorded(run: Run, name: str) -> Run:
    """Return a run whose history has a figure; one that went on where no weights were finite has none."""
    if not len(getattr(run.history, name)):
        raise ArgumentValueError(f"run has nothing to draw: {name} of its history is empty")
    return run


def learning_band(
    run: Run, k: int = 0, reference: Iterable[tuple[float, float]] | None = None, among: slice = slice(None)
) -> Figure:
    """Draw one member's loss over the band of the members of an ensemble.

    Parameters
    ----------
    run
        An ensemble. The band goes from the 10 % to the 90 % quantile of those members whose loss is finite.
    k
        Which member.
    reference
        Pairs (epoch, loss) from elsewhere, drawn as points.
    among
        The members that the band is of; by default all.

    Raises
    ------
    ValueError, TypeError
        If ``run`` is no run or a solo one, has no member ``k`` or none ``among``, or ``reference`` is no such pairs.
    """
    run = _recorded(whole_run(run), "loss")
    if run.history.loss.ndim != 2:
        raise ArgumentValueError("learning_band draws an ensemble, this is a solo run: draw it with learning_curve")
    members = run.history.loss.shape[1]
    if whole("k", k, least=0) >= members:
        raise ArgumentValueError(f"k must be below {members}, the number of members, got {k}")
    points = _points(reference)
    one, losses = member(run, k), run.history.loss[:, _some(among, members)]
    some = np.unique(np.linspace(0, len(run.history.epoch) - 1, POINTS // 2).astype(int))
    some = some[np.isfinite(losses[some]).any(axis=1)]
    finite = np.where(np.isfinite(losses[some]), losses[some], np.nan)
    band = np.nanquantile(finite, (0.1, 0.5, 0.9), axis=1) if len(some) else np.empty((3, 0))
    lost = int((~np.isfinite(losses[-1])).sum())
    with styled():
        figure, (axes,) = blank(5.5, 3.9)
        (low, median, high), own, given = _on_log_axis(axes, band, one.history.loss, points[:, 1], least=SOLVED)
        epoch, color = run.history.epoch[some], data_color(run)
        counted = f"{losses.shape[1] - lost}, {lost} diverged" if lost else f"{losses.shape[1]}"
        axes.fill_between(epoch, low, high, color=color, alpha=0.25, linewidth=0, label=f"10–90 % of {counted}")
        _draw_curve(axes, epoch, median, color=color, linestyle=(0, (4, 1.5)), linewidth=1.4, label="median")
        name = member_label(run, k) + ("" if np.isfinite(own).all() else ", diverged")
        _draw_curve(axes, one.history.epoch, own, color=DARK, linewidth=2, label=name)
        if len(points):
            axes.plot(points[:, 0], given, "o", markerfacecolor="white", markeredgecolor=DARK, label="report")
        axes.set(title=title(run, *shape_and_rate(run)), ylabel=loss_label(run))
        _epoch_axis(axes, run.history.epoch)
        figure.legend(loc="outside lower center", ncols=2 if "," in counted + name else 4)  # the long ones wide
        return settled(figure)


def gradient_norms(run: Run) -> Figure:
    """Draw the norm of each layer's gradient over the logged epochs; hollow where it is exactly 0.

    Raises
    ------
    ValueError, TypeError
        If ``run`` is no run, or an ensemble.
    """
    run = _recorded(check_solo(run), "grad_norm")
    some = np.unique(np.linspace(0, len(run.history.logged) - 1, POINTS // 10).astype(int))
    epoch, norms = run.history.logged[some], run.history.grad_norm[some].T
    with styled():
        figure, (axes,) = blank(5.5, 4.0)
        for index, (norm, lifted) in enumerate(zip(norms, _on_log_axis(axes, norms)[0], strict=True)):
            color, dashes, marker = LAYERS[index % len(LAYERS)]
            name = "output" if index == len(norms) - 1 else f"hidden {index + 1}"
            look: dict[str, Any] = {"color": color, "marker": marker}
            filled = np.flatnonzero(norm != 0).tolist()
            axes.plot(
                epoch,
                lifted,
                linestyle=dashes,
                markersize=5 if len(some) <= 30 else 3,
                markevery=filled,
                label=name,
                **look,
            )
            if (norm == 0).any():  # hollow marks of several sizes: layers that are all at 0 are seen inside each other
                look |= {"markerfacecolor": "none", "markersize": 13 - 3.5 * (index % 3), "clip_on": False}
                axes.plot(epoch[norm == 0], lifted[norm == 0], linestyle="none", **look)
        axes.set(title=title(run, *shape_and_rate(run)), ylabel="norm of a layer's gradient")
        _epoch_axis(axes, run.history.epoch)
        figure.legend(loc="outside lower center", ncols=4)
        return settled(figure)


def _points(reference: Any) -> Array:
    """Return pairs (epoch, loss) as an array (n, 2)."""
    pairs = () if reference is None else listed("reference", reference, "be pairs (epoch, loss)", axes=2)
    points = numbers("reference", pairs) if pairs else np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ArgumentValueError(f"reference must be pairs (epoch, loss), got an array of shape {points.shape}")
    return points.astype(float)


def _some(among: Any, members: int) -> slice:
    """Return a slice of the members, which must not be empty."""
    of_kind("among", among, slice)
    try:
        none = not range(members)[among]
    except TypeError as error:
        raise ArgumentTypeError(f"among must be a slice of whole numbers, got {shown(among)}") from error
    if none:
        raise ArgumentValueError(f"among must leave some of {members} members, got {shown(among)}")
    some: slice = among
    return some


def _draw_curve(axes: Axes, epoch: Array, values: Array, **look: Any) -> None:
    """Draw a curve, thinned to what a picture can show; the lowest and highest of each stretch stay."""
    finite = np.isfinite(values)
    epoch, values = epoch[finite], values[finite]
    if len(values) > POINTS:
        stretches = np.array_split(np.arange(len(values)), POINTS // 2 - 1)
        extremes = [stretch[pick(values[stretch])] for stretch in stretches for pick in (np.argmin, np.argmax)]
        some = np.unique([0, *extremes, len(values) - 1])
        epoch, values = epoch[some], values[some]
    axes.plot(epoch, values, marker="o" if len(values) == 1 else "", **look)  # a line of one point would not be seen


def _epoch_axis(axes: Axes, epoch: Array) -> None:
    last = int(epoch[-1])
    axes.set(xlabel="epoch", xlim=(-0.02 * last, 1.02 * last) if last else (-0.5, 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(min(6, last), integer=True) if last else FixedLocator([0]))


def _mark_epoch(axes: Axes, epoch: int, text: str = "") -> None:
    axes.axvline(epoch, color=DARK, linestyle=":", linewidth=1.5)
    side, shift = ("right", -6) if epoch > sum(axes.get_xlim()) / 2 else ("left", 6)
    there: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": side, "va": "top"}
    if text:
        axes.annotate(text, (epoch, 0.95), (shift, 0), bbox=PATCH, **there)


def _on_log_axis(axes: Axes, *series: Array, least: float = 0.0) -> list[Array]:
    """Make the y axis logarithmic for all of ``series``, and return them as they are to be drawn on it.

    What is not above ``least`` is lifted to the bottom, which is then labelled as such.
    """
    values = np.concatenate([one.ravel() for one in series])
    values = values[np.isfinite(values)]
    shown = values[values > max(least, 1e-300)]
    low, high = np.log10([shown.min(), shown.max()]) if len(shown) else (-1, 0)
    low = math.floor(low + 1e-9)
    high = max(low + 1, math.ceil(high - 1e-9))
    decades = np.arange(low, high + 1, math.ceil((high - low) / 5))
    plain = low >= -4 and high <= 4
    ticks = {10.0**d: f"{10.0**d:g}" if plain else f"$10^{{{d}}}$" for d in decades.tolist()}
    pad, bottom = 0.04 * (high - low), float(low)
    if len(shown) < len(values):
        if not least or low > math.log10(least):
            bottom -= 0.15 * (high - low)
        ticks[10.0**bottom] = f"≤$10^{{{math.log10(least):.0f}}}$" if least else "0"
    axes.set_yscale("log")
    axes.set_ylim(10.0 ** (bottom - pad), 10.0 ** min(high + pad, 308.0))
    axes.set_yticks(sorted(ticks), [ticks[tick] for tick in sorted(ticks)])
    axes.minorticks_off()
    return [np.where(one <= max(least, 1e-300), 10.0**bottom, one) for one in series]
