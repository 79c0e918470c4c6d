"""The one style of all pictures: its colours, a figure drawn in it, and the files it becomes.

For figures of one's own it is ``matplotlib.style.use("funcnn.plotting.funcnn")``.
"""

import io
import os
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from ..arguments import ArgumentTypeError, ArgumentValueError, of_kind, shown
from ..experiments import Run
from ..storage import write_file

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
#: Per format, what keeps dates and versions out of the file.
METADATA = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def styled() -> AbstractContextManager[None]:
    """Return the context in which all is drawn: matplotlib's defaults and our style sheet, whatever was set before."""
    return style.context(["default", "funcnn.plotting.funcnn"])


def blank(width: float, height: float, *, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a new figure, its size in inches, and its axes row by row."""
    figure = Figure(figsize=(width, height))
    axes: Any = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, axes.ravel().tolist()


def settled(figure: Figure) -> Figure:
    """Return a figure whose layout and ticks are made, in our style, and stay, however often and where it is drawn."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, SVG or PDF, by the path's suffix: whole or not at all, the same picture as the same bytes.

    Raises
    ------
    ValueError, TypeError
        If the suffix is none of these, ``figure`` no figure or ``path`` no path.
    OSError
        If the file cannot be written; one that was there before is as it was.
    """
    of_kind("figure", figure, Figure)
    if not isinstance(path, str | os.PathLike):
        raise ArgumentTypeError(f"path must be a path, got {shown(path)}")
    suffix = Path(path).suffix.lower()
    if suffix not in METADATA:
        raise ArgumentValueError(f"path of a picture must end in {', '.join(METADATA)}, got {shown(os.fspath(path))}")
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=suffix[1:], metadata=METADATA[suffix])
    write_file(path, buffer.getvalue())


def data_color(run: Run) -> str:
    """Return the colour of the curves of a run on these data."""
    return DATA_COLORS.get(run.train.name, DATA_COLORS[""])


def tint(color: str, strength: float) -> tuple[float, float, float]:
    """Mix a colour with white."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(color))
    return red, green, blue


def color_map(strength: float, middle: str) -> LinearSegmentedColormap:
    """Return the diverging map from class 0 (or negative) to class 1 (or positive)."""
    ends = [tint(color, strength) for color, _ in CLASSES[:2]]
    return LinearSegmentedColormap.from_list("funcnn", [ends[0], to_rgb(middle), ends[1]])
