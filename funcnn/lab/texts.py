"""Numbers and experiments as texts and tables."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..settings import Experiment


def percent(value: float | None) -> str:
    """Return a share as a percentage with the report's two digits."""
    return "–" if value is None else f"{100 * value:.2f}"


def share(value: float | None) -> str:
    """Return a share of seeds as text."""
    return "–" if value is None else f"{100 * value:.0f} %"


def number(value: float) -> str:
    """Return a loss with six significant digits, or the word for one that is not finite."""
    return f"{value:.6g}" if np.isfinite(value) else "diverged"


def epochs_text(value: float) -> str:
    """Return a number of epochs as text, infinity as a word."""
    return f"{value:,.0f}" if np.isfinite(value) else "never"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are to the right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def label(e: Experiment) -> str:
    """Return in words what tells an experiment from the others."""
    parts = [e.data, "no activation" if e.act == "none" else str(e.act)]
    parts += [f"lr {e.lr:g}"] if e.lr != Experiment().lr else []
    parts += [f"{e.hidden[0]} units"] if e.hidden != Experiment().hidden else []
    return ", ".join(parts)
