"""Whether a line does between the classes, for networks whose boundary is one."""

import numpy as np

from ..activations import activation
from ..experiments import Run
from ..losses import loss_named
from ..records import Activation, Array, Loss, Params
from .evidence import classes, progress
from .words import Cause

#: How often the nearest point is moved before it is left open whether rows can be separated, and for how many numbers.
PASSES, NUMBERS = 3000, 100_000
#: A share of the samples that training may have right though the least squares, near which it ends, have not.
MISSED = 0.05


def has_bias(params: Params) -> bool:
    """Tell whether any layer has a bias."""
    return any(layer.b is not None for layer in params.layers)


def line_lacks(run: Run) -> Cause | None:
    """Return what a network lacks whose boundary is a line, where a line does not do; None where it does, or may do."""
    acts = [activation(layer.act) for layer in run.params.layers]
    hidden = [layer.w.shape[-1] for layer in run.params.layers[:-1]]
    if all(act.name == "none" for act in acts):
        return _output_lacks(run, bool(hidden))
    if not classes(run) or max(hidden, default=1) > 1 or not all(map(_monotone, acts)):
        return None
    if _separable(run, True) is False:
        return "units" if hidden else "hidden layer"
    return "bias" if not hidden and not has_bias(run.params) and _separable(run, False) is False else None


def _output_lacks(run: Run, hidden: bool) -> Cause | None:
    """Return what a network of linear outputs lacks."""
    loss, bias, classed = loss_named(run.experiment.loss), has_bias(run.params), classes(run)
    if classed:
        line = _separable(run, True)
        if line is False or _separable(run, bias) is False:
            return "activation" if hidden or line else "hidden layer"
        # Squares draw a line where they are least, which is seldom the one between the classes.
        return "activation" if loss.name in ("half_sse", "mse") and not _fitted(run, loss, bias) else None
    if loss.logits or _fitted(run, loss, bias):
        return None
    return "bias" if not bias and _fitted(run, loss, True) else "activation"


def _monotone(act: Activation) -> bool:
    """Tell whether an activation never falls, on a probe."""
    return bool(np.all(np.diff(act.apply(np.linspace(-30.0, 30.0, 1201))) >= 0))


def _fitted(run: Run, loss: Loss, bias: bool) -> bool:
    """Tell whether the linear outputs of the least squares have nearly learned the training set; Legendre 1805."""
    x, y = _features(run, bias), run.train.y
    learned, missing = progress(run, loss, x @ np.linalg.lstsq(x, y)[0], y)
    return bool(np.mean(missing) <= MISSED) if classes(run) else learned


def _features(run: Run, bias: bool) -> Array:
    """Return the inputs, with a column of ones where there is a bias, (n, d).

    Columns are of one scale, and about 0 where there is a bias: neither changes what a line can part or fit, and
    nearly parallel rows would look as if nothing parted them.
    """
    x = run.train.x
    scale = np.sqrt(np.mean((x - x.mean(axis=0) * bias) ** 2, axis=0))
    x = (x - x.mean(axis=0) * bias) / np.where(scale > 0, scale, 1.0)
    return np.column_stack([x, np.ones(len(x))]) if bias else x


def _separable(run: Run, bias: bool) -> bool | None:
    """Tell whether some line is between the classes; None where that has not been found out."""
    x, y, how = _features(run, bias), run.train.y, run.decision
    if how.kind == "largest":  # Kesler's construction: the weights of all outputs in a row, Nilsson 1965
        (n, d), k = x.shape, y.shape[-1]
        if n * (k - 1) * k * d > NUMBERS:
            return None
        sample, other = np.nonzero(1 - y)
        rows, each = np.zeros((len(sample), k, d)), np.arange(len(sample))
        rows[each, np.argmax(y, axis=-1)[sample]] = x[sample]
        rows[each, other] = -x[sample]
        return separable(rows.reshape(len(rows), -1))
    found = [separable(_sided(run, x, signs, bias)) for signs in np.where(y == how.high, 1.0, -1.0).T]
    return False if False in found else None if None in found else True


def _sided(run: Run, x: Array, signs: Array, bias: bool) -> Array:
    """Return rows that weights are to be positive with, so that one output is above its threshold where signs are 1."""
    act = activation(run.params.layers[-1].act)
    side = 0.0 if bias else float(np.sign(run.decision.threshold - act.apply(np.zeros(1))[0]))
    if not side:
        return signs[:, None] * x
    # Without bias the threshold has a side of 0, and how far it is from there is a matter of the weights' size.
    rows = signs[:, None] * np.column_stack([x, np.full(len(x), -side)])
    return np.vstack([rows, np.eye(x.shape[1] + 1)[-1]])


def separable(rows: Array) -> bool | None:
    """Tell whether some w has ``rows @ w > 0``, or None where that takes long: by Kozinec's algorithm, 1964.

    The point w of the rows' hull that is nearest to 0 is approached, from row to row. Rows of length 1 that it
    brings within a millionth of 0 are not separated by any w.
    """
    size = np.linalg.norm(rows, axis=1)
    if rows.size > NUMBERS:
        return None
    if not size.all():
        return False
    rows = rows / size[:, None]
    w = rows[0]
    for _ in range(PASSES):
        products = rows @ w
        worst = products.argmin()
        if products[worst] > 0:
            return True
        way = rows[worst] - w
        w = w - (w @ way) / (way @ way) * way
        if w @ w < 1e-12:
            return False
    return None
