"""The pictures: each function takes records and gives a matplotlib Figure.

Nothing goes through pyplot: no figure is kept anywhere, no window opens and no setting of matplotlib stays changed, so
these serve a notebook as they serve the command line. All are drawn in one style, and a class, a data set and a sign
have the same colour in every picture; ``matplotlib.style.use("funcnn.plotting.funcnn")`` gives it to any figure.
"""

from . import backend  # noqa: F401  before the others
from .curves import POINTS, SOLVED, gradient_norms, learning_band, learning_curve
from .networks import UNITS, activation, network
from .plane import CROWD, PICTURES, decision_surface, fitting, ground_truth
from .style import CLASSES, DATA_COLORS, LAYERS, METADATA, save

__all__ = [
    "CLASSES",
    "CROWD",
    "DATA_COLORS",
    "LAYERS",
    "METADATA",
    "PICTURES",
    "POINTS",
    "SOLVED",
    "UNITS",
    "activation",
    "decision_surface",
    "fitting",
    "gradient_norms",
    "ground_truth",
    "learning_band",
    "learning_curve",
    "network",
    "save",
]
