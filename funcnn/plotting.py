"""The pictures: each function takes records and gives a matplotlib Figure.

Nothing goes through pyplot: no figure is kept anywhere, no window opens and no setting of matplotlib stays changed, so
these serve a notebook as they serve the command line. All are drawn in one style, ``funcnn/funcnn.mplstyle``; a class,
a data set and a sign have the same colour in every picture.
"""

import io
import math
import os
import textwrap
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from . import activations
from .diagnosis import diagnose
from .experiments import Run, check_solo, member, scores
from .losses import loss_named, report_of
from .network import forward
from .records import Activation, Array, Params
from .storage import write_file
from .validation import whole

#: Colour and marker of each class; more classes than these begin again.
CLASSES = (("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#E69F00", "v"), ("#56B4E9", "P"))
#: Colour of each data set's curves; any other has the last.
DATA_COLORS = MappingProxyType({"xor": "#6A51A3", "linear": "#00855F", "": "#A6611A"})
#: Colour, dashes and marker of each layer's curve.
LAYERS: tuple[tuple[str, Any, str], ...] = (
    ("#0072B2", "-", "o"),
    ("#D55E00", (0, (6, 2)), "s"),
    ("#009E73", (0, (2, 1.5)), "^"),
    ("#CC79A7", (0, (6, 2, 1, 2)), "D"),
    ("#222222", (0, (1, 2.5)), "v"),
    ("#E69F00", (0, (10, 3)), "P"),
)
DARK, GREY = "#222222", "#888888"
#: What keeps a text readable over data.
PATCH = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}

#: A curve is drawn with at most so many points, the extremes among them: a picture has no room for more.
POINTS = 600
#: Losses up to this are drawn as solved, at the bottom of a logarithmic axis, lest they squeeze all others.
SOLVED = 1e-12
#: More samples than these are drawn as an image, in SVG and PDF too.
CROWD = 2000
#: The most units of a layer that are drawn.
UNITS = 8
#: Per format, what keeps dates and versions out of the file.
METADATA = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def ground_truth(run: Run) -> Figure:
    """Draw the test set's classes beside the predicted ones; wrong predictions are crossed out.

    Parameters
    ----------
    run
        A solo run on data with two features.

    Raises
    ------
    ValueError
        If the data have not two features, or the run is an ensemble.
    """
    check_solo(run)
    _check_plane(run)
    x, y = run.test.x, run.test.y
    with np.errstate(all="ignore"):
        y_hat = forward(run.params, x)
    finite = np.isfinite(y_hat).all(axis=-1)
    wrong = ~(finite & ((y_hat > 0.5) == y).all(axis=-1))
    loss, share = scores(run)
    with _style():
        figure, (left, right) = _axes(5.6, 3.55, columns=2, sharex=True, sharey=True)
        figure.suptitle(_title(run, f"loss {loss:.5f}", f"accuracy {100 * share:.2f} %"))
        left.set(title="ground truth", xlabel="$x_1$", ylabel="$x_2$")
        right.set(title="prediction", xlabel="$x_1$")
        _draw_points(right, x[finite], _classes(y_hat[finite]))
        _draw_points(left, x, _classes(y))
        look: dict[str, Any] = {"linestyle": "none", "clip_on": False, "rasterized": len(x) > CROWD}
        size = _scale(x)
        if not finite.all():
            look["markersize"] = 6.5 * size
            right.plot(*x[~finite].T, "o", markeredgecolor=GREY, markerfacecolor="white", label="not finite", **look)
        if wrong.any():
            look["markersize"] = 10 * size
            right.plot(*x[wrong].T, "x", markeredgecolor=DARK, markeredgewidth=2 * size, label="wrong", **look)
        _class_legend(figure, x)
        return _settled(figure)


def learning_curve(run: Run) -> Figure:
    """Draw loss and accuracy on the training set over epochs, and where the run diverged or died.

    Raises
    ------
    ValueError
        If the run is an ensemble; `learning_band` draws those.
    """
    check_solo(run)
    history, trouble = run.history, diagnose(run)
    with _style():
        figure, (top, bottom) = _axes(5.5, 4.4, rows=2, sharex=True, height_ratios=(3, 2))
        look = {"color": _data_color(run)}
        _draw_curve(top, history.epoch, _on_log_axis(top, history.loss, least=SOLVED)[0], **look)
        _draw_curve(bottom, history.epoch, 100 * history.accuracy, **look)
        top.set(title=_title(run, *_shape_and_rate(run)), ylabel=_loss_label(run))
        bottom.set(ylabel="accuracy (%)", ylim=(-5, 105), yticks=(0, 50, 100))
        _epoch_axis(bottom, history.epoch)
        figure.align_ylabels()
        if trouble and trouble.epoch is not None:
            words = trouble.message.split(":")[0].split()[-4:]  # "diverged at epoch 3", "dead since epoch 402"
            _mark_epoch(top, trouble.epoch, " ".join(words))
            _mark_epoch(bottom, trouble.epoch)
        return _settled(figure)


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
    ValueError
        If the run is a solo one, or has no member ``k``.
    """
    if run.history.loss.ndim != 2:
        raise ValueError("learning_band draws an ensemble, this is a solo run: draw it with learning_curve")
    members = run.history.loss.shape[1]
    if whole("k", k, least=0) >= members:
        raise ValueError(f"k must be below {members}, the number of members, got {k}")
    one, losses = member(run, k), run.history.loss[:, among]
    some = np.unique(np.linspace(0, len(run.history.epoch) - 1, POINTS // 2).astype(int))
    some = some[np.isfinite(losses[some]).any(axis=1)]
    finite = np.where(np.isfinite(losses[some]), losses[some], np.nan)
    band = np.nanquantile(finite, (0.1, 0.5, 0.9), axis=1) if len(some) else np.empty((3, 0))
    points = np.array([*(reference or ())], dtype=float).reshape(-1, 2)
    lost = int((~np.isfinite(losses[-1])).sum())
    with _style():
        figure, (axes,) = _axes(5.5, 3.9)
        (low, median, high), own, given = _on_log_axis(axes, band, one.history.loss, points[:, 1], least=SOLVED)
        epoch, color = run.history.epoch[some], _data_color(run)
        counted = f"{losses.shape[1] - lost}, {lost} diverged" if lost else f"{losses.shape[1]}"
        axes.fill_between(epoch, low, high, color=color, alpha=0.25, linewidth=0, label=f"10–90 % of {counted}")
        _draw_curve(axes, epoch, median, color=color, linestyle=(0, (4, 1.5)), linewidth=1.4, label="median")
        name = _member_label(run, k) + ("" if np.isfinite(own).all() else ", diverged")
        _draw_curve(axes, one.history.epoch, own, color=DARK, linewidth=2, label=name)
        if len(points):
            axes.plot(points[:, 0], given, "o", markerfacecolor="white", markeredgecolor=DARK, label="report")
        axes.set(title=_title(run, *_shape_and_rate(run)), ylabel=_loss_label(run))
        _epoch_axis(axes, run.history.epoch)
        figure.legend(loc="outside lower center", ncols=2 if "," in counted + name else 4)  # the long ones wide
        return _settled(figure)


def decision_surface(run: Run) -> Figure:
    """Draw the network's output over the plane, the line where it is 0.5, and the training points.

    With several outputs the plane is coloured by the largest.

    Raises
    ------
    ValueError
        If the data have not two features, or the run is an ensemble.
    """
    check_solo(run)
    _check_plane(run)
    sides, z = _over_plane(run)
    outputs = z.shape[-1]
    with _style():
        figure, (axes,) = _axes(5.2, 4.8)
        axes.grid(False)
        if z.mask.all():
            axes.set_facecolor("#eeeeee")
            axes.text(0.5, 0.5, "output not finite", transform=axes.transAxes, ha="center", zorder=3, bbox=PATCH)
        elif outputs > 1:
            tints = [_tint(CLASSES[c % len(CLASSES)][0], 0.3) for c in range(outputs)]
            axes.contourf(*sides, z.argmax(axis=-1), np.arange(outputs + 1) - 0.5, colors=tints)
        else:
            levels = np.linspace(0, 1, 11)
            surface = axes.contourf(*sides, z[..., 0], levels, cmap=_color_map(0.55, "#fafafa"), extend="both")
            surface.set_edgecolor("face")  # else a hairline shows between neighbours
            bar = figure.colorbar(surface, label="output $\\hat{y}$", ticks=[0, 0.5, 1], shrink=0.8, aspect=25)
            bar.ax.axhline(0.5, color=DARK)
            if z.min() < 0.5 < z.max():
                axes.contour(*sides, z[..., 0], [0.5], colors=DARK, linewidths=1.8)
        _draw_points(axes, run.train.x, _classes(run.train.y))
        axes.set(title=_title(run, *_shape_and_rate(run)), xlabel="$x_1$", ylabel="$x_2$")
        axes.set(xlim=sides[0, [0, -1]], ylim=sides[1, [0, -1]])
        _class_legend(figure, run.train.x)
        return _settled(figure)


def network(params: Params, title: str | None = None) -> Figure:
    """Draw a network: units in columns, weights as lines, wider the larger, coloured by value; biases as rings.

    Of a layer with more than eight units the first few are drawn, and an ellipsis.

    Raises
    ------
    ValueError
        If ``params`` are an ensemble's.
    """
    layers = params.layers
    if layers[0].w.ndim != 2:
        raise ValueError(f"network draws one network, these are {len(layers[0].w)}")
    widths = [layers[0].w.shape[0], *(layer.w.shape[1] for layer in layers)]
    heights = [_heights(width) for width in widths]
    values = np.concatenate([array.ravel() for layer in layers for array in (layer.w, layer.b) if array is not None])
    scale = np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max() or 1.0
    tallest = max(min(width, UNITS) for width in widths)
    with _style():
        figure, (axes,) = _axes(5.5, 1.1 + 0.55 * max(tallest, 2.5))
        colors, norm = _color_map(1.0, "#d8d8d8").with_extremes(bad=DARK), Normalize(-scale, scale)
        for index, (layer, (left, right)) in enumerate(zip(layers, pairwise(heights), strict=True)):
            ends = [((index, here), (index + 1, there)) for here in left for there in right]
            lines = _draw_weights(axes, ends, layer.w[: len(left), : len(right)].ravel(), colors, norm)
        names = ["input", *(activations.activation(layer.act).name for layer in layers)]
        biases = [None, *(layer.b for layer in layers)]
        for index, (width, ys, b) in enumerate(zip(widths, heights, biases, strict=True)):
            rings: dict[str, Any] = {"edgecolors": GREY, "linewidths": 1.2}
            if b is not None:
                rings = {"edgecolors": colors(norm(np.ma.masked_invalid(b[0, : len(ys)]))), "linewidths": 4}
            axes.scatter([index] * len(ys), ys, s=560, facecolors="white", zorder=2, **rings)
            texts = [(height, _unit_label(index, unit, widths)) for unit, height in enumerate(ys)]
            texts += [(ys[-1] - 1, f"⋮ {width} units")] if len(ys) < width else []
            for height, text in [*texts, (-tallest / 2 - 0.25, _plain(names[index]))]:
                axes.text(index, height, text, ha="center", va="center", zorder=3)
        axes.set(xlim=(-0.4, len(layers) + 0.4), ylim=(-tallest / 2 - 0.5, tallest / 2 + 0.2), title=title or "")
        axes.set_axis_off()
        label = "weight" if all(b is None for b in biases) else "weight (ring: bias)"
        bar = figure.colorbar(lines, label=label, shrink=0.75, aspect=22, pad=0.02)
        bar.set_ticks([-scale, 0, scale], labels=[f"−{scale:.2g}", "0", f"{scale:.2g}"])
        return _settled(figure)


def activation(*acts: str | Activation) -> Figure:
    """Draw activations, by name or `Activation`, beside their derivatives.

    Raises
    ------
    ValueError
        If a name is unknown, or none is given.
    """
    if not acts:
        raise ValueError('activation takes at least one, by name or as an Activation: activation("sigmoid")')
    z = np.linspace(-6, 6, 481)
    with _style():
        figure, (left, right) = _axes(5.6, 3.3 if len(acts) > 1 else 2.9, columns=2)
        for index, act in enumerate(map(activations.activation, acts)):
            color, dashes, _ = LAYERS[index % len(LAYERS)]
            a = act.apply(z)
            left.plot(z, a, color=color, linestyle=dashes, label=_plain(act.name))
            right.plot(z, act.derivative(z, a), color=color, linestyle=dashes)
        name = _plain(act.name) if len(acts) == 1 else "activation"
        left.set(title=f"{name} $f(z)$", xlabel="$z$", xticks=(-6, -3, 0, 3, 6))
        right.set(title="derivative $f\\,'(z)$", xlabel="$z$", xticks=(-6, -3, 0, 3, 6))
        if len(acts) > 1:
            figure.legend(loc="outside lower center", ncols=4)
        return _settled(figure)


def gradient_norms(run: Run) -> Figure:
    """Draw the norm of each layer's gradient over the logged epochs; hollow where it is exactly 0.

    Raises
    ------
    ValueError
        If the run is an ensemble.
    """
    check_solo(run)
    some = np.unique(np.linspace(0, len(run.history.logged) - 1, POINTS // 10).astype(int))
    epoch, norms = run.history.logged[some], run.history.grad_norm[some].T
    with _style():
        figure, (axes,) = _axes(5.5, 4.0)
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
        axes.set(title=_title(run, *_shape_and_rate(run)), ylabel="norm of a layer's gradient")
        _epoch_axis(axes, run.history.epoch)
        figure.legend(loc="outside lower center", ncols=4)
        return _settled(figure)


#: The pictures of a run on two-dimensional data, by the name of their file.
PICTURES: Mapping[str, Callable[[Run], Figure]] = MappingProxyType(
    {"ground_truth": ground_truth, "learning_curve": learning_curve, "decision_surface": decision_surface}
)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, SVG or PDF, by the path's suffix: whole or not at all, the same picture as the same bytes.

    Raises
    ------
    ValueError
        If the suffix is none of these.
    OSError
        If the file cannot be written; one that was there before is as it was.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in METADATA:
        raise ValueError(f"a picture is saved as {', '.join(METADATA)}, got {os.fspath(path)!r}")
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format=suffix[1:], metadata=METADATA[suffix])
    write_file(path, buffer.getvalue())


def _style() -> AbstractContextManager[None]:
    """Return the context in which all is drawn: matplotlib's defaults and our style sheet, whatever was set before."""
    return style.context(["default", "funcnn.funcnn"])


def _axes(width: float, height: float, *, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a new figure, its size in inches, and its axes row by row."""
    figure = Figure(figsize=(width, height))
    axes: Any = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, axes.ravel().tolist()


def _settled(figure: Figure) -> Figure:
    """Return a figure whose layout and ticks are made, in our style, and stay, however often and where it is drawn."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _check_plane(run: Run) -> None:
    features = run.train.x.shape[-1]
    if features != 2:
        raise ValueError(f"this draws data with 2 features in the plane, but {run.train.name} has {features}")


def _plain(name: str) -> str:
    """Return a name of the user's such that matplotlib does not read formulas in it."""
    return name.replace("$", r"\$")


def _title(run: Run, *facts: str) -> str:
    names = [activations.activation(layer.act).name for layer in run.params.layers]
    name = names[0] if len(set(names)) == 1 else "/".join(names)
    words = [word.replace(" ", "\N{NO-BREAK SPACE}") for word in (_plain(run.train.name), _plain(name), *facts)]
    return textwrap.fill(", ".join(words), 52)


def _shape_and_rate(run: Run) -> list[str]:
    """Return the network's shape and, unless members differ in it, the learning rate."""
    widths = [run.params.layers[0].w.shape[-2], *(layer.w.shape[-1] for layer in run.params.layers)]
    rate = run.experiment.lr
    return ["-".join(map(str, widths))] + ([] if isinstance(rate, tuple) else [f"lr {rate:g}"])


def _member_label(run: Run, k: int) -> str:
    e, own = run.experiment, member(run, k).experiment
    parts = [f"seed {own.seed}"] if isinstance(e.seed, tuple) else []
    if run.train.x.ndim == 3 and parts != [f"seed {own.data_seed}"]:  # where both are the same, one says it all
        parts.append(f"data seed {own.data_seed}")
    if isinstance(e.lr, tuple) and not parts:
        parts.append(f"lr {own.lr:g}")
    return ", ".join(parts) or f"member {k}"


def _loss_label(run: Run) -> str:
    report = report_of(loss_named(run.experiment.loss)).name
    return "loss (mean squared error)" if report == "mse" else f"loss ({report})"


def _heights(width: int) -> list[float]:
    """Return where a layer's units stand, around 0; of a wide layer those that are drawn, above the ellipsis."""
    places = min(width, UNITS)
    return [(places - 1) / 2 - unit for unit in range(width if width <= UNITS else UNITS - 1)]


def _draw_weights(axes: Axes, ends: list[Any], w: Array, colors: Colormap, norm: Normalize) -> LineCollection:
    order = np.argsort(np.abs(w))  # the largest are drawn last, over the others
    share = np.nan_to_num(np.abs(w[order]) / norm.vmax, nan=0, posinf=0)
    lines = LineCollection([ends[i] for i in order], cmap=colors, norm=norm, linewidths=0.6 + 4.4 * share)
    lines.set_array(np.ma.masked_invalid(w[order]))
    axes.add_collection(lines)
    return lines


def _unit_label(column: int, unit: int, widths: list[int]) -> str:
    if column == 0:
        return f"$x_{{{unit + 1}}}$"
    if column == len(widths) - 1:
        return "$\\hat{y}$" if widths[-1] == 1 else f"$\\hat{{y}}_{{{unit + 1}}}$"
    return ""


def _data_color(run: Run) -> str:
    return DATA_COLORS.get(run.train.name, DATA_COLORS[""])


def _tint(color: str, strength: float) -> tuple[float, float, float]:
    """Mix a colour with white."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(color))
    return red, green, blue


def _color_map(strength: float, middle: str) -> LinearSegmentedColormap:
    """Return the diverging map from class 0 (or negative) to class 1 (or positive)."""
    ends = [_tint(color, strength) for color, _ in CLASSES[:2]]
    return LinearSegmentedColormap.from_list("funcnn", [ends[0], to_rgb(middle), ends[1]])


def _over_plane(run: Run) -> tuple[Array, Array]:
    """Return the sides of a grid around the training points, (2, n), and the outputs on it, (n, n, k)."""
    low, high = run.train.x.min(axis=0), run.train.x.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    sides = np.linspace(low - margin, high + margin, 51).T
    plane = np.stack(np.meshgrid(*sides), axis=-1)
    with np.errstate(all="ignore"):
        z = forward(run.params, plane.reshape(-1, 2))
    return sides, np.ma.masked_invalid(z.reshape(*plane.shape[:2], -1))


def _classes(y: Array) -> Array:
    """Return the class of each row: of one output whether it is above 0.5, of several which is largest."""
    return (y[:, 0] > 0.5).astype(int) if y.shape[-1] == 1 else y.argmax(axis=-1)


def _draw_points(axes: Axes, x: Array, classes: Array) -> None:
    for c in np.unique(classes):
        color, marker = CLASSES[c % len(CLASSES)]
        some = classes == c
        look: dict[str, Any] = {
            "color": color,
            "marker": marker,
            "markeredgecolor": "white",
            "markeredgewidth": 0.8 * _scale(x),
        }
        look |= {"linestyle": "none", "clip_on": False, "rasterized": len(x) > CROWD, "markersize": 6.5 * _scale(x)}
        axes.plot(x[some, 0], x[some, 1], label=f"class {c}", **look)


def _scale(x: Array) -> float:
    """Return how much smaller than usual so many samples are drawn."""
    return max(0.25, min(1.0, math.sqrt(150 / max(1, len(x)))))


def _class_legend(figure: Figure, x: Array) -> None:
    handles = {
        line.get_label(): line for axes in figure.axes for line in axes.get_lines() if line.get_marker() != "None"
    }
    order = sorted(handles, key=lambda label: (not str(label).startswith("class"), str(label)))
    shown = [handles[label] for label in order]
    figure.legend(handles=shown, loc="outside lower center", ncols=4, markerscale=1 / _scale(x))


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
