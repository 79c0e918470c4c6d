"""What went wrong in a run: the facts, and the words for them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import attrs
import numpy as np

from .activations import activation
from .experiments import Run, check_solo, scores
from .network import backprop
from .records import Array, Params, arrays

#: A loss that fell by less than this share over the last tenth of the epochs stands on a plateau.
PLATEAU = 0.01
#: A mean squared error that is small enough where every sample is right, for classes that are 1 apart.
NEAR = 0.05

Kind = Literal["diverged", "dead", "plateau", "unfinished"]
Lack = Literal["activation", "hidden layer"]
Remedy = Literal[
    "lower lr", "higher lr", "another seed", "more epochs", "more units", "leaky_relu", "activation", "hidden layer"
]

#: What comes of a network without.
LACKS: Mapping[Lack, str] = MappingProxyType(
    {
        "activation": "without activation the output is linear in x",
        "hidden layer": "without a hidden layer the boundary is a line",
    }
)
#: What stands after "try".
REMEDIES: Mapping[Remedy, str] = MappingProxyType(
    {
        "lower lr": "a lower learning rate",
        "higher lr": "a higher learning rate",
        "another seed": "another seed",
        "more epochs": "more epochs",
        "more units": "more hidden units",
        "leaky_relu": "leaky_relu",
        "activation": "sigmoid, tanh or relu",
        "hidden layer": "one",
    }
)


@attrs.frozen
class Diagnosis:
    """Why a run failed, as facts; `headline`, `when` and `explain` put them into words.

    Parameters
    ----------
    kind
        "diverged": weights are no longer finite. "dead": all units of a layer have derivative 0 at every sample.
        "plateau": the loss stands still. "unfinished": it still falls.
    epoch
        Of "diverged" and "dead": when.
    layer, output, saturated
        Of "dead": the lowest such layer, whether it is the output layer, and whether its activation saturates.
    since
        Of "dead": whether it is so since just that epoch; else it was found so by then.
    loss, lacks
        Of "plateau": the loss of the last epoch, and what the network would need to do better, where that is plain.
    fall, epochs
        Of "unfinished": by which share the loss fell over how many last epochs.
    lr
        Of "diverged": the learning rate that was too high.
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
    loss: float | None = None
    lacks: Lack | None = None
    fall: float | None = None
    epochs: int | None = None
    lr: float | None = None
    remedies: tuple[Remedy, ...] = ()
    message: str = attrs.field(init=False, eq=False, default=attrs.Factory(lambda d: explain(d), takes_self=True))


def when(diagnosis: Diagnosis) -> str:
    """Return what happened and when, but not where: "dead since epoch 402", "diverged at epoch 3", "plateau"."""
    d = diagnosis
    if d.kind == "diverged":
        return f"diverged at epoch {d.epoch}"
    if d.kind == "dead":
        return f"{'saturated' if d.saturated else 'dead'} {'since' if d.since else 'by'} epoch {d.epoch}"
    if d.kind == "plateau":
        return "plateau"
    return "not learned yet after one epoch" if d.epochs == 1 else "not learned yet"


def headline(diagnosis: Diagnosis) -> str:
    """Return what happened, where and when: "all units of hidden layer 1 dead since epoch 402"."""
    d = diagnosis
    if d.layer is None:
        return when(d)
    layer = "the output layer" if d.output else f"hidden layer {d.layer + 1}"
    return f"all units of {layer} {when(d)}"


def explain(diagnosis: Diagnosis) -> str:
    """Return the whole sentence: what happened, what shows it, and what to try."""
    d = diagnosis
    advice = f"try {_choice([REMEDIES[remedy] for remedy in d.remedies])}"
    if d.kind == "diverged":
        return f"{headline(d)}: {advice} than {d.lr:g}"
    if d.kind == "dead":
        return f"{headline(d)}: {advice}"
    if d.kind == "plateau":
        return f"{headline(d)}: the loss stands near {d.loss:.4g}: {LACKS[d.lacks] + '; ' if d.lacks else ''}{advice}"
    shown = "" if d.fall is None else f": the loss still fell by {d.fall:.0%} over the last {d.epochs} epochs"
    return f"{headline(d)}{shown}; {advice}"


def _choice(words: Sequence[str]) -> str:
    """Return "a", "a or b", "a, b, or c"."""
    return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])}, or {words[-1]}"


def diverged(params: Params) -> Array:
    """Tell whether weights are no longer finite; (K,) for an ensemble."""
    return ~np.all([np.isfinite(array).all(axis=(-2, -1)) for array in arrays(params)], axis=0)


def dead_layers(params: Params, x: Array, y: Array) -> Array:
    """Tell for each layer whether the derivative of every unit is 0 at every sample; (L,) or (L, K).

    No gradient passes through such a layer, so it and the layers below it never move again.
    """
    with np.errstate(all="ignore"):
        trace = backprop(params, x, y)
        slopes = [
            activation(layer.act).derivative(z, a)
            for layer, z, a in zip(params.layers, trace.z, trace.a[1:], strict=True)
        ]
    return np.array([np.all(slope == 0, axis=(-2, -1)) for slope in slopes])


def diagnose(run: Run) -> Diagnosis | None:
    """Say why a solo run failed and what to try, or None where it learned its training set."""
    check_solo(run)
    history = run.history
    loss = history.loss
    if diverged(run.params):
        epoch = min(int(np.isfinite(loss).sum()), len(loss) - 1)
        lr = float(run.experiment.lr)  # type: ignore[arg-type]  # one network has one rate
        return Diagnosis("diverged", epoch, lr=lr, remedies=("lower lr",))
    dead = dead_layers(run.params, run.train.x, run.train.y)
    if dead.any():
        return _dead(run, int(dead.argmax()))
    tail = loss[-max(2, len(loss) // 10) :]
    fall = float(1 - tail[-1] / tail[0]) if tail[0] else 0.0
    right = history.accuracy[-1] == 1 or scores(run)[1] == 1
    near = NEAR * (run.decision.high - run.decision.low) ** 2
    if right and (fall >= PLATEAU or loss[-1] < near):
        return None
    if len(loss) == 1:
        return Diagnosis("unfinished", epochs=1, remedies=("more epochs",))
    if fall >= PLATEAU:
        return Diagnosis("unfinished", fall=fall, epochs=len(tail), remedies=("more epochs",))
    return _plateau(run)


def _plateau(run: Run) -> Diagnosis:
    layers, loss = run.params.layers, float(run.history.loss[-1])
    if {layer.act for layer in layers} == {"none"}:
        return Diagnosis("plateau", loss=loss, lacks="activation", remedies=("activation",))
    if len(layers) == 1:
        return Diagnosis("plateau", loss=loss, lacks="hidden layer", remedies=("hidden layer",))
    return Diagnosis("plateau", loss=loss, remedies=("another seed", "higher lr", "more units"))


def _dead(run: Run, layer: int) -> Diagnosis:
    epoch, since = _dead_since(run, layer)
    saturated = activation(run.params.layers[layer].act).saturates
    remedies: tuple[Remedy, ...] = ("another seed", "lower lr")
    return Diagnosis(
        "dead",
        epoch,
        layer,
        output=layer == len(run.params.layers) - 1,
        saturated=saturated,
        since=since,
        remedies=remedies if saturated else (*remedies, "leaky_relu"),
    )


def _dead_since(run: Run, layer: int) -> tuple[int, bool]:
    """Return the first epoch since which the loss stands still, or else one logged by which the gradient is gone.

    And whether it is the former.
    """
    loss, history = run.history.loss, run.history
    moving = np.flatnonzero(loss != loss[-1])
    still = int(moving[-1]) + 1 if len(moving) else 0
    flowing = np.flatnonzero(history.grad_norm[:, layer] != 0)
    unseen = flowing[-1] + 1 if len(flowing) else 0
    if unseen < len(history.logged) and history.logged[unseen] < still:  # biases above the layer still learn
        return int(history.logged[unseen]), False
    return still, True
