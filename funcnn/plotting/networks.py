"""What a network is: its units and weights, and its activations."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from .. import activations, arguments, validation
from ..network import applied, slope_of
from ..records import Activation, Array, Params
from .labels import drawable, plain
from .style import DARK, GREY, LAYERS, blank, color_map, settled, styled

#: The most units of a layer that are drawn.
UNITS = 8


def network(params: Params, title: str | None = None) -> Figure:
    """Draw a network: units in columns, weights as lines, wider the larger, coloured by value; biases as rings.

    Of a layer with more than eight units the first few are drawn, and an ellipsis.

    Raises
    ------
    ValueError, TypeError
        If ``params`` are no network or an ensemble's, or ``title`` is no text.
    """
    layers = validation.in_numpy(params).layers
    if lead := validation.leading(Params(layers)):
        raise arguments.ArgumentValueError(f"network draws one network, these are {' × '.join(map(str, lead))}")
    title = "" if title is None else drawable(arguments.text("title", title))
    widths = [layers[0].w.shape[0], *(layer.w.shape[1] for layer in layers)]
    heights = [_heights(width) for width in widths]
    values = np.concatenate([array.ravel() for layer in layers for array in (layer.w, layer.b) if array is not None])
    scale = np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max() or 1.0
    tallest = max(min(width, UNITS) for width in widths)
    with styled():
        figure, (axes,) = blank(5.5, 1.1 + 0.55 * max(tallest, 2.5))
        colors, norm = color_map(1.0, "#d8d8d8").with_extremes(bad=DARK), Normalize(-scale, scale)
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
            for height, text in [*texts, (-tallest / 2 - 0.25, plain(names[index]))]:
                axes.text(index, height, text, ha="center", va="center", zorder=3)
        axes.set(xlim=(-0.4, len(layers) + 0.4), ylim=(-tallest / 2 - 0.5, tallest / 2 + 0.2), title=title)
        axes.set_axis_off()
        label = "weight" if all(b is None for b in biases) else "weight (ring: bias)"
        bar = figure.colorbar(lines, label=label, shrink=0.75, aspect=22, pad=0.02)
        bar.set_ticks([-scale, 0, scale], labels=[f"−{scale:.2g}", "0", f"{scale:.2g}"])
        return settled(figure)


def activation(*acts: str | Activation) -> Figure:
    """Draw activations, by name or `Activation`, beside their derivatives.

    Raises
    ------
    ValueError, TypeError
        If a name is unknown, none is given, or one's own is not what `Activation` says.
    """
    if not acts:
        raise arguments.ArgumentValueError(
            'activation takes at least one, by name or as an Activation: activation("sigmoid")'
        )
    z = np.linspace(-6, 6, 481)
    with styled():
        figure, (left, right) = blank(5.6, 3.3 if len(acts) > 1 else 2.9, columns=2)
        for index, act in enumerate(map(activations.activation, acts)):
            around, color = index // len(LAYERS), LAYERS[index % len(LAYERS)][0]
            dashes = LAYERS[(index + around) % len(LAYERS)][1]  # others the next time around
            a = applied(act, z)
            left.plot(z, a, color=color, linestyle=dashes, label=plain(act.name))
            right.plot(z, slope_of(act, z, a), color=color, linestyle=dashes)
        name = plain(act.name) if len(acts) == 1 else "activation"
        left.set(title=f"{name} $f(z)$", xlabel="$z$", xticks=(-6, -3, 0, 3, 6))
        right.set(title="derivative $f\\,'(z)$", xlabel="$z$", xticks=(-6, -3, 0, 3, 6))
        if len(acts) > 1:
            figure.legend(loc="outside lower center", ncols=4)
        return settled(figure)


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
