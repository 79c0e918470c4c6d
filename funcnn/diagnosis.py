"""What went wrong in a run, said plainly."""

import attrs
import numpy as np

from .activations import activation
from .experiments import Run, check_solo, scores
from .network import backprop
from .records import Array, Params, arrays

#: A loss that fell by less than this share over the last tenth of the epochs stands on a plateau.
PLATEAU = 0.01
#: A mean squared error that is small enough where every sample is right.
NEAR = 0.05


@attrs.frozen
class Diagnosis:
    """Why a run failed: ``kind`` is "diverged", "dead", "plateau" or "unfinished"."""

    kind: str
    epoch: int | None
    layer: int | None
    message: str


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
    history, e = run.history, run.experiment
    loss = history.loss
    if diverged(run.params):
        epoch = min(int(np.isfinite(loss).sum()), len(loss) - 1)
        return Diagnosis("diverged", epoch, None, f"diverged at epoch {epoch}: try a lower learning rate than {e.lr:g}")
    dead = dead_layers(run.params, run.train.x, run.train.y)
    if dead.any():
        return _dead(run, int(dead.argmax()))
    tail = loss[-max(2, len(loss) // 10) :]
    fall = 1 - tail[-1] / tail[0] if tail[0] else 0.0
    right = history.accuracy[-1] == 1 or scores(run)[1] == 1
    if right and (fall >= PLATEAU or loss[-1] < NEAR):
        return None
    if len(loss) == 1:
        return Diagnosis("unfinished", None, None, "not learned yet after one epoch; try more epochs")
    if fall >= PLATEAU:
        message = (
            f"not learned yet: the loss still fell by {fall:.0%} over the last {len(tail)} epochs; try more epochs"
        )
        return Diagnosis("unfinished", None, None, message)
    if {layer.act for layer in run.params.layers} == {"none"}:
        advice = "without activation the output is linear in x; try sigmoid, tanh or relu"
    elif len(run.params.layers) == 1:
        advice = "without a hidden layer the boundary is a line; try one"
    else:
        advice = "try another seed, a higher learning rate, or more hidden units"
    return Diagnosis("plateau", None, None, f"plateau: the loss stands near {loss[-1]:.4g}: {advice}")


def _dead(run: Run, layer: int) -> Diagnosis:
    epoch, when = _dead_since(run, layer)
    last = layer == len(run.params.layers) - 1
    name = "the output layer" if last else f"hidden layer {layer + 1}"
    flat = activation(run.params.layers[layer].act).name in ("sigmoid", "tanh")
    state = "saturated" if flat else "dead"
    advice = "another seed or a lower learning rate" if flat else "another seed, a lower learning rate, or leaky_relu"
    return Diagnosis("dead", epoch, layer, f"all units of {name} {state} {when} epoch {epoch}: try {advice}")


def _dead_since(run: Run, layer: int) -> tuple[int, str]:
    """Return the first epoch since which the loss stands still, or else a logged one by which the gradient is gone."""
    loss, history = run.history.loss, run.history
    moving = np.flatnonzero(loss != loss[-1])
    still = int(moving[-1]) + 1 if len(moving) else 0
    flowing = np.flatnonzero(history.grad_norm[:, layer] != 0)
    unseen = flowing[-1] + 1 if len(flowing) else 0
    if unseen < len(history.logged) and history.logged[unseen] < still:  # biases above the layer still learn
        return int(history.logged[unseen]), "by"
    return still, "since"
