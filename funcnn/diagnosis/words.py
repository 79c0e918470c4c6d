"""What a diagnosis holds, and the sentences that are made of it: nowhere else."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import attrs

Kind = Literal["diverged", "dead", "rising", "unstable", "plateau", "unfinished"]
Cause = Literal[
    "activation",
    "hidden layer",
    "units",
    "bias",
    "symmetry",
    "tie",
    "start",
    "biases",
    "small",
    "schedule",
    "clip",
    "decay",
    "inputs",
    "batch",
    "rate",
    "range",
    "targets",
    "labels",
]
Remedy = Literal[
    "lower lr",
    "higher lr",
    "another seed",
    "other weights",
    "random weights",
    "more epochs",
    "more units",
    "leaky_relu",
    "activation",
    "hidden layer",
    "bias",
    "longer schedule",
    "larger clip",
    "less decay",
    "scaled inputs",
    "scaled targets",
    "output activation",
    "more features",
    "smaller weights",
    "smaller biases",
    "larger weights",
    "full batch",
    "another optimizer",
]

#: What stands in the way, ``about`` being the diagnosis's, and what helps against it.
CAUSES: Mapping[Cause, tuple[str, tuple[Remedy, ...]]] = MappingProxyType(
    {
        "activation": ("without activation the output is linear in x", ("activation",)),
        "hidden layer": ("without a hidden layer the boundary is a line", ("hidden layer",)),
        "units": ("with one unit in each hidden layer the boundary is a line", ("more units",)),
        "bias": ("without bias the output at x = 0 never changes", ("bias",)),
        "symmetry": ("the units of a hidden layer are all alike", ("random weights",)),
        "range": ("{about} never gives what the targets ask for", ("output activation",)),
        "labels": ("samples with the same inputs have other targets", ("more features",)),
        "targets": ("the targets, of size {about}, are not scaled", ("scaled targets",)),
        "tie": ("these are right by a tie alone", ()),
        "biases": ("the initial biases leave most units without slope", ("smaller biases",)),
        "small": ("the initial weights, of size {about}, are so small that nearly nothing passes", ("larger weights",)),
        "start": ("the initial weights saturate most units", ("smaller weights", "another seed")),
        "schedule": ("the schedule {about} has ended at a rate near 0", ("longer schedule",)),
        "clip": ("the gradients are clipped to {about}", ("larger clip", "more epochs")),
        "decay": ("the weight decay of {about} pulls at least as hard as the data", ("less decay",)),
        "inputs": ("the inputs, of size {about}, are not scaled", ("scaled inputs",)),
        "batch": ("{about} goes by the signs of the gradient, which change from batch to batch", ("full batch",)),
        "rate": ("the weights have hardly moved", ("higher lr", "more epochs", "another seed")),
    }
)
#: Causes beside whose remedies others help too.
SHARED: tuple[Cause, ...] = ("inputs", "tie")
#: What stands after "try".
REMEDIES: Mapping[Remedy, str] = MappingProxyType(
    {
        "lower lr": "a lower learning rate",
        "higher lr": "a higher learning rate",
        "another seed": "another seed",
        "other weights": "other initial weights",
        "random weights": "initial weights that differ from unit to unit",
        "more epochs": "more epochs",
        "more units": "more hidden units",
        "leaky_relu": "leaky_relu",
        "activation": "sigmoid, tanh or relu",
        "hidden layer": "one",
        "bias": "a bias",
        "longer schedule": "a longer schedule, or one that does not end",
        "larger clip": "a larger clip",
        "less decay": "less weight decay",
        "smaller weights": "smaller initial weights",
        "smaller biases": "smaller initial biases",
        "larger weights": "larger initial weights",
        "scaled targets": "targets of mean 0 and deviation 1",
        "output activation": "another activation of the output layer",
        "more features": "more features",
        "scaled inputs": "inputs of mean 0 and deviation 1",
        "full batch": "all samples in one batch",
        "another optimizer": "another optimizer",
    }
)


@attrs.frozen
class Diagnosis:
    """Why a run failed, as facts; `headline`, `when` and `explain` put them into words.

    Parameters
    ----------
    kind
        "diverged": weights are no longer finite. "dead": no gradient passes, through a layer or to any sample that is
        not learned. "rising": the loss rises. "unstable": it swings. "plateau": it stands, or nearly. "unfinished": it
        still falls.
    epoch
        When: of "diverged", of "dead" where that shows, and of "rising" that of the lowest loss.
    layer, output, saturated
        Of "dead": the lowest such layer, whether it is the output layer, and whether its activation saturates. Where
        different layers stop the gradients of different samples, there is no such layer.
    since
        Of "dead": whether it is so since just that epoch; else it was found so by then.
    samples
        Of "dead": how many samples are not learned, where no gradient reaches these; None where none passes the layer
        at any sample.
    loss
        Of "plateau": that of the last epochs. Of "rising": to where it rose. Of "unstable": the highest decile of the
        last epochs.
    low
        Of "rising": the lowest loss. Of "unstable": the lowest decile.
    fall, epochs
        Of "unfinished": by which share the loss fell over how many last epochs, from the median of their first fifth to
        that of their last; where they are too few to tell, how many there were. Of "unstable": how many epochs.
    settled
        Of "plateau": whether the loss falls no more, so that more epochs would not help.
    constant
        Of "plateau": whether the answer is nearly the same to every sample.
    cause, about
        What stands in the way, where that is plain, and what it is about: which schedule, how large the inputs are.
    lr, optimizer
        Of "diverged", "rising" and "unstable": the learning rate that was too high, and with which optimizer.
    remedies
        What to try.
    message
        The sentence that `explain` makes of all this; it is not given but made.
    """

    kind: Kind
    epoch: int | None = None
    layer: int | None = None
    output: bool = False
    saturated: bool = False
    since: bool = True
    samples: int | None = None
    loss: float | None = None
    low: float | None = None
    fall: float | None = None
    epochs: int | None = None
    settled: bool = False
    constant: bool = False
    cause: Cause | None = None
    about: str | float | None = None
    lr: float | None = None
    optimizer: str | None = None
    remedies: tuple[Remedy, ...] = ()
    message: str = attrs.field(init=False, eq=False, default=attrs.Factory(lambda d: explain(d), takes_self=True))


def when(diagnosis: Diagnosis) -> str:
    """Return what happened and when, but not where: "dead since epoch 402", "diverged at epoch 3", "plateau"."""
    d = diagnosis
    if d.kind == "dead":
        state = "no gradient" if d.layer is None else "saturated" if d.saturated else "dead"
        return state if d.epoch is None else f"{state} {'since' if d.since else 'by'} epoch {d.epoch}"
    if d.kind == "unfinished":
        if d.fall is not None or d.epochs is None:
            return "not learned yet"
        return f"not learned yet after {'one epoch' if d.epochs == 1 else f'{d.epochs} epochs'}"
    happened = {"diverged": "diverged", "rising": "rising", "unstable": "unstable", "plateau": "plateau"}[d.kind]
    if d.epoch is None:
        return happened
    return f"{happened} {'at' if d.kind == 'diverged' else 'since'} epoch {d.epoch}"


def headline(diagnosis: Diagnosis) -> str:
    """Return what happened, where and when: "all units of hidden layer 1 dead since epoch 402"."""
    d = diagnosis
    if d.kind != "dead":
        return when(d)
    where = "the output layer" if d.output else "" if d.layer is None else f"hidden layer {d.layer + 1}"
    what = f"all units of {where} {when(d)}" if where else when(d)
    if d.samples is None:
        return what
    return f"{what} at {'the one sample' if d.samples == 1 else f'the {d.samples} samples'} not learned"


def explain(diagnosis: Diagnosis) -> str:
    """Return the whole sentence: what happened, what shows it, what stands in the way, and what to try."""
    d = diagnosis
    said = headline(d) + _shown(d)
    if d.cause is None:
        return f"{said}{';' if d.kind == 'unfinished' else ':'} {_advice(d)}"
    about = f"{d.about:.3g}" if isinstance(d.about, float) else d.about
    return f"{said}: {CAUSES[d.cause][0].format(about=about)}; {_advice(d)}"


def _shown(d: Diagnosis) -> str:
    """Return what the losses show."""
    if d.kind == "rising":
        return f": the loss is {d.loss:g}" if d.low is None else f": the loss rose from {d.low:.4g} to {d.loss:.4g}"
    if d.kind == "unstable":
        return f": a fifth of the last {d.epochs} losses lies outside {d.low:.4g} to {d.loss:.4g}"
    if d.kind == "plateau":
        shown = f": the loss {'has settled' if d.settled and d.cause is None else 'stands'} near {d.loss:.4g}"
        shown += ", with nearly one answer to all samples" if d.constant else ""
        return shown if d.settled or d.cause else f"{shown}; the gradient is not 0"
    if d.fall is None:
        return ""
    share = f"{d.fall:.0%}" if d.fall >= 0.01 else f"{100 * d.fall:.1g}%"
    return f": the loss still fell by {share} over the last {d.epochs} epochs"


def _advice(d: Diagnosis) -> str:
    """Return "try a lower learning rate than 3 with adam or another seed"."""
    words = [REMEDIES[remedy] for remedy in d.remedies]
    if d.lr is not None and "lower lr" in d.remedies:
        rule = f" with {d.optimizer}" if d.optimizer else ""
        words[d.remedies.index("lower lr")] += f" than {d.lr:g}{rule}"
    return f"try {_choice(words)}"


def _choice(words: Sequence[str]) -> str:
    """Return "a", "a or b", "a, b, or c"."""
    return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])}, or {words[-1]}"
