"""What a network makes of data with two features: points, classes and outputs in the plane."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import arguments, metrics
from ..consistency import typed, whole_run
from ..data.preparation import restored
from ..experiments import Run
from ..network import forward
from ..records import Array, Decision
from ..runs import check_solo, preparation_of, scores
from .curves import learning_curve
from .labels import plain, shape_and_rate, title
from .style import CLASSES, DARK, GREY, PATCH, blank, color_map, settled, styled, tint

#: More samples than these are drawn as an image, in SVG and PDF too.
CROWD = 2000
#: Numbers of a layer that are computed at once.
AT_ONCE = 1 << 20
#: What stands in a legend after the classes.
BESIDE = ("not finite", "wrong")


def ground_truth(run: Run) -> Figure:
    """Draw the test set's classes beside the predicted ones; wrong predictions are crossed out.

    Parameters
    ----------
    run
        A solo run on data with two features.

    Raises
    ------
    ValueError, TypeError
        If ``run`` is no run or an ensemble, or the data have not two features.
    """
    run = _in_plane(run)
    x, y = run.test.x, run.test.y
    with np.errstate(all="ignore"):
        y_hat = forward(run.params, x)
    finite = np.isfinite(y_hat).all(axis=-1)
    wrong = ~metrics.right(y_hat, y, run.decision)
    loss, share = scores(run)
    with styled():
        figure, (left, right) = blank(5.6, 3.55, columns=2, sharex=True, sharey=True)
        figure.suptitle(title(run, f"loss {loss:.5f}", f"accuracy {100 * share:.2f} %"))
        x, (across, up) = in_units(run, x), axis_names(run)
        left.set(title="ground truth", xlabel=across, ylabel=up)
        right.set(title="prediction", xlabel=across)
        _draw_points(right, run, x[finite], metrics.labels(y_hat[finite], run.decision))
        _draw_points(left, run, x, metrics.labels(y, run.decision))
        look: dict[str, Any] = {"linestyle": "none", "clip_on": False, "rasterized": len(x) > CROWD}
        size = _scale(x)
        if not finite.all():
            look["markersize"] = 6.5 * size
            right.plot(*x[~finite].T, "o", markeredgecolor=GREY, markerfacecolor="white", label="not finite", **look)
        if wrong.any():
            look["markersize"] = 10 * size
            right.plot(*x[wrong].T, "x", markeredgecolor=DARK, markeredgewidth=2 * size, label="wrong", **look)
        _class_legend(figure, x)
        return settled(figure)


def decision_surface(run: Run) -> Figure:
    """Draw the network's output over the plane, the line between the classes, and the training points.

    With several outputs the plane is coloured by the class.

    Raises
    ------
    ValueError, TypeError
        If ``run`` is no run or an ensemble, or the data have not two features.
    """
    run = _in_plane(run)
    outputs, decision = run.train.y.shape[-1], run.decision
    sides, z = _over_plane(run, 51 if outputs == 1 else 151)
    sides, points, (across, up) = in_units(run, sides.T).T, in_units(run, run.train.x), axis_names(run)
    with styled():
        figure, (axes,) = blank(5.2, 4.8)
        axes.grid(False)
        if z.mask.all():
            axes.set_facecolor("#eeeeee")
            axes.text(0.5, 0.5, "output not finite", transform=axes.transAxes, ha="center", zorder=3, bbox=PATCH)
        elif outputs > 1:
            _draw_regions(axes, sides, z, decision)
        else:
            middle = decision.threshold
            reach = max(decision.high - middle, middle - decision.low)
            levels = np.linspace(middle - reach, middle + reach, 11)
            surface = axes.contourf(*sides, z[..., 0], levels, cmap=color_map(0.55, "#fafafa"), extend="both")
            surface.set_edgecolor("face")  # else a hairline shows between neighbours
            bar = figure.colorbar(surface, label="output $\\hat{y}$", ticks=levels[::5], shrink=0.8, aspect=25)
            bar.ax.axhline(middle, color=DARK)
            if z.min() < middle < z.max():
                axes.contour(*sides, z[..., 0], [middle], colors=DARK, linewidths=1.8)
        _draw_points(axes, run, points, metrics.labels(run.train.y, decision))
        axes.set(title=title(run, *shape_and_rate(run)), xlabel=across, ylabel=up)
        axes.set(xlim=sides[0, [0, -1]], ylim=sides[1, [0, -1]])
        _class_legend(figure, run.train.x)
        return settled(figure)


#: The pictures of a run on two-dimensional data, by the name of their file.
PICTURES: Mapping[str, Callable[[Run], Figure]] = MappingProxyType(
    {"ground_truth": ground_truth, "learning_curve": learning_curve, "decision_surface": decision_surface}
)
#: Those that need no plane.
ANYWHERE = ("learning_curve",)


def fitting(run: Run) -> dict[str, Callable[[Run], Figure]]:
    """Return those of the pictures that a run has: all of them of classes of two features.

    Examples
    --------
    >>> import funcnn
    >>> list(fitting(funcnn.run(funcnn.Experiment(data="parity:3", epochs=1))))
    ['learning_curve']
    """
    run = whole_run(run)
    plane = run.train.x.shape[-1] == 2 and preparation_of(run).targets is None
    return {name: picture for name, picture in PICTURES.items() if plane or name in ANYWHERE}


def in_units(run: Run, x: Array) -> Array:
    """Return inputs in the units of the file that they are from."""
    return restored(preparation_of(run).inputs, x)


def axis_names(run: Run) -> list[str]:
    """Return what the inputs are called."""
    return [plain(name) for name in run.train.features] or ["$x_1$", "$x_2$"]


def _in_plane(run: Run) -> Run:
    """Return a run of one network on data with two features."""
    data = typed(arguments.of_kind("run", run, Run), "run").train
    features = data.x.shape[-1] if data.x.ndim else 0
    if features != 2:
        raise arguments.ArgumentValueError(
            f"this draws data with 2 features in the plane, but {data.name[:99]} has {features}"
        )
    return check_solo(run)


def _over_plane(run: Run, steps: int) -> tuple[Array, Array]:
    """Return the sides of a grid around the training points, (2, n), and the outputs on it, (n, n, k)."""
    low, high = run.train.x.min(axis=0), run.train.x.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    sides = np.linspace(low - margin, high + margin, steps).T
    points = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    rows = max(1, AT_ONCE // max(layer.w.shape[-1] for layer in run.params.layers))
    with np.errstate(all="ignore"):
        z = [forward(run.params, points[begin : begin + rows]) for begin in range(0, len(points), rows)]
    return sides, np.ma.masked_invalid(np.concatenate(z).reshape(steps, steps, -1))


def _draw_regions(axes: Axes, sides: Array, z: Array, decision: Decision) -> None:
    """Colour each class's own region.

    A contour through the classes' numbers would pass those between on its way. So each class is drawn by how far its
    outputs are ahead, which is 0 at its border, with any other; the image beneath shows in the gaps where three meet.
    """
    finite = ~z.mask.any(axis=-1)
    classes = np.where(finite, metrics.labels(z.data, decision), -1)
    image = np.zeros((*classes.shape, 4))
    for c in np.unique(classes[finite]).tolist():
        color = tint(_look(c)[0], 0.3)
        image[classes == c] = *color, 1.0
        ahead = np.ma.array(_ahead(z.data, c, decision), mask=~finite)
        axes.contourf(*sides, ahead, [np.finfo(float).tiny, np.finfo(float).max], colors=[color])
    half = (sides[:, 1] - sides[:, 0]) / 2
    extent = (sides[0, 0] - half[0], sides[0, -1] + half[0], sides[1, 0] - half[1], sides[1, -1] + half[1])
    axes.imshow(image, extent=extent, origin="lower", interpolation="nearest", aspect="auto", zorder=-1)


def _ahead(z: Array, c: int, decision: Decision) -> Array:
    """Return how much class c would have to lose to be another, (n, n); below 0 where it is another."""
    if decision.kind == "largest":
        return z[..., c] - np.delete(z, c, axis=-1).max(axis=-1)
    signs = [1 if c >> output & 1 else -1 for output in range(z.shape[-1])]
    return (signs * (z - decision.threshold)).min(axis=-1)


def _look(c: int) -> tuple[str, str]:
    """Return colour and marker of a class."""
    return CLASSES[c % len(CLASSES)]


def _draw_points(axes: Axes, run: Run, x: Array, classes: Array) -> None:
    names = [plain(name) for name in run.train.classes]
    for c in np.unique(classes):
        color, marker = _look(c)
        some = classes == c
        look: dict[str, Any] = {
            "color": color,
            "marker": marker,
            "markeredgecolor": "white",
            "markeredgewidth": 0.8 * _scale(x),
        }
        look |= {"linestyle": "none", "clip_on": False, "rasterized": len(x) > CROWD, "markersize": 6.5 * _scale(x)}
        axes.plot(x[some, 0], x[some, 1], label=names[c] if names else f"class {c}", **look)


def _scale(x: Array) -> float:
    """Return how much smaller than usual so many samples are drawn."""
    return max(0.25, min(1.0, math.sqrt(150 / max(1, len(x)))))


def _class_legend(figure: Figure, x: Array) -> None:
    handles = {
        line.get_label(): line for axes in figure.axes for line in axes.get_lines() if line.get_marker() != "None"
    }
    order = sorted(handles, key=lambda label: (label in BESIDE, str(label)))
    shown = [handles[label] for label in order]
    figure.legend(handles=shown, loc="outside lower center", ncols=4, markerscale=1 / _scale(x))
