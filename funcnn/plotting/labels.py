"""The words on the pictures."""

import textwrap

from ..activations import activation
from ..experiments import Run
from ..losses import loss_named, report_of
from ..runs import member

#: Letters of a loss's name that stand beside it.
LONG = 20
#: The most lines of a title, above which a picture still has its place.
LINES = 8


def title(run: Run, *facts: str) -> str:
    """Return data, activations and further facts, broken into lines between them."""
    names = [activation(layer.act).name for layer in run.params.layers]
    name = names[0] if len(set(names)) == 1 else "/".join(names)
    words = [word.replace(" ", "\N{NO-BREAK SPACE}") for word in (plain(run.train.name), plain(name), *facts)]
    return textwrap.fill(", ".join(words), 52, max_lines=LINES, placeholder="…")


def shape_and_rate(run: Run) -> list[str]:
    """Return the network's shape and, unless members differ in it, the learning rate."""
    widths = [run.params.layers[0].w.shape[-2], *(layer.w.shape[-1] for layer in run.params.layers)]
    rate = run.experiment.lr
    return ["-".join(map(str, widths))] + ([] if isinstance(rate, tuple) else [f"lr {rate:g}"])


def member_label(run: Run, k: int) -> str:
    """Return what tells a member of an ensemble from the others: its seed, that of its points, or its rate."""
    e, own = run.experiment, member(run, k).experiment
    parts = [f"seed {own.seed}"] if isinstance(e.seed, tuple) else []
    if run.train.x.ndim == 3 and parts != [f"seed {own.data_seed}"]:  # where both are the same, one says it all
        parts.append(f"data seed {own.data_seed}")
    if isinstance(e.lr, tuple) and not parts:
        parts.append(f"lr {own.lr:g}")
    return ", ".join(parts) or f"member {k}"


def loss_label(run: Run) -> str:
    """Return which loss the history of a run holds."""
    report = report_of(loss_named(run.experiment.loss)).name
    words = "mean squared error" if report == "mse" else plain(report).replace("_", " ")
    return f"loss ({words})" if len(words) < LONG else f"loss\n({textwrap.fill(words, LONG)})"


def plain(name: str) -> str:
    """Return a name of the user's such that matplotlib does not read formulas in it."""
    return drawable(name).replace("$", r"\$")


def drawable(text: str) -> str:
    """Return a text with what no font has, half a letter of a file's name perhaps, as its number."""
    return text.encode("utf-8", "backslashreplace").decode()
