"""What stands in the way of a run that failed, where that is plain, and what helps against it."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from .. import metrics
from ..activations import activation
from ..experiments import Run
from ..losses import loss_named
from ..network import forward, grads
from ..optimizers import optimizer_named
from ..records import Activation, Array, Loss, Params, arrays
from ..schedules import schedule_named
from ..validation import batch_rows
from .evidence import classes, progress, slopes_on, unexplained
from .words import Cause, Remedy

#: A schedule has ended where its factor is below this share of the largest that it had.
ENDED = 1e-3
#: Clipping holds a run up where most batches have a gradient so many times as long as what is let through.
CLIPPED = 10.0
#: Weight decay does where its pull is at least this share of the typical gradient's, or the largest weight is below it.
DECAYED = 0.1
#: From where to where the size of a feature, the root of its mean square, is one that networks are made for.
SCALE = 0.01, 10.0
#: A feature that varies by less than this share of its size is off its centre.
CENTRED = 0.05
#: A unit is saturated where its slope is below this share of that at 0.
SATURATED = 0.01
#: Weights that have moved by less than this share of themselves have hardly moved.
MOVED = 0.01
#: Optimizers whose steps grow with the gradient.
SCALED = ("sgd", "momentum", "nesterov")
#: Batches whose gradients are looked at.
BATCHES = 32
#: How often the nearest point is moved before it is left open whether rows can be separated, and for how many numbers.
PASSES, NUMBERS = 3000, 100_000

#: What helps against a cause.
AGAINST: Mapping[Cause, tuple[Remedy, ...]] = MappingProxyType(
    {
        "activation": ("activation",),
        "hidden layer": ("hidden layer",),
        "units": ("more units",),
        "bias": ("bias",),
        "symmetry": ("random weights",),
        "schedule": ("longer schedule", "another seed"),
        "clip": ("larger clip", "more epochs"),
        "decay": ("less decay",),
        "inputs": ("scaled inputs",),
        "batch": ("full batch",),
        "start": ("smaller weights", "another seed"),
        "tie": (),
        "rate": ("higher lr", "more epochs", "another seed"),
        "range": ("output activation",),
        "targets": ("scaled targets",),
        "labels": ("more features",),
    }
)
#: Causes beside whose remedies others would be idle.
ALONE: tuple[Cause, ...] = (
    "activation",
    "hidden layer",
    "units",
    "bias",
    "range",
    "labels",
    "targets",
    "symmetry",
    "schedule",
    "clip",
    "decay",
    "batch",
    "start",
    "rate",
)

#: A cause and what it is about.
Found = tuple[Cause, str | float | None]


def cause_of_stand(run: Run, missing: Array) -> Found | None:
    """Return what keeps the loss of a run, and its samples not learned (n,), from becoming better, the surest first."""
    for look in (
        _out_of_range,
        boundary,
        _alike,
        _ended,
        _clipped,
        _decayed,
        _unscaled,
        _large_targets,
        _saturated,
        _batches,
        _unmoved,
    ):
        if found := look(run):
            return found
    return _tied(run, missing) or _contradicted(run, missing)


def cause_of_swing(run: Run) -> Found | None:
    """Return what made a run diverge, rise or swing, beside its learning rate."""
    return _batches(run) or _unscaled(run) or _large_targets(run) or _decayed(run)


def cause_of_death(run: Run, missing: Array) -> Found | None:
    """Return what lets no gradient through to the samples that are not learned, (n,)."""
    if not run.train.x[missing].any() and not has_bias(run.params):
        return "bias", None
    for look in (_out_of_range, boundary, _alike, _decayed, _unscaled, _large_targets, _saturated):
        if found := look(run):
            return found
    return _tied(run, missing) or _contradicted(run, missing)


def start_of(run: Run) -> Params | None:
    """Return the weights that a run began with, where its history has them."""
    return next((params for epoch, params in run.history.snapshots if epoch == 0), None)


def movement(run: Run) -> float | None:
    """Return how far the weights have moved, as a share of the size that they began with."""
    start = start_of(run)
    if start is None:
        return None
    pairs = list(zip(arrays(run.params), arrays(start), strict=True))
    moved, size = (
        float(np.sqrt(sum(np.sum(one * one) for one in some)))
        for some in ([new - old for new, old in pairs], [old for _, old in pairs])
    )
    return moved / size if size else np.inf


def has_bias(params: Params) -> bool:
    """Tell whether any layer has a bias."""
    return any(layer.b is not None for layer in params.layers)


def boundary(run: Run) -> Found | None:
    """Tell what a network lacks whose boundary is a line, where a line does not do."""
    layers, loss = run.params.layers, loss_named(run.experiment.loss)
    hidden = [layer.w.shape[-1] for layer in layers[:-1]]
    bias = has_bias(run.params)
    if all(activation(layer.act).name == "none" for layer in layers):
        # Squares have one minimum, which can be computed; what else a linear output is trained by can separate at best.
        squares = loss.name in ("half_sse", "mse") or not (loss.logits or classes(run))
        if (_fitted(run, loss, bias) if squares else _separable(run, bias)) is not False:
            return None
        if not (bias or classes(run) or loss.logits) and _fitted(run, loss, True):
            return "bias", None
        return ("activation" if hidden or _separable(run, True) else "hidden layer"), None
    if not classes(run) or max(hidden, default=1) > 1 or not all(_monotone(activation(layer.act)) for layer in layers):
        return None
    if _separable(run, True) is False:
        return ("units" if hidden else "hidden layer"), None
    return ("bias", None) if not hidden and not bias and _separable(run, False) is False else None


def _monotone(act: Activation) -> bool:
    """Tell whether an activation never falls, on a probe."""
    return bool(np.all(np.diff(act.apply(np.linspace(-30.0, 30.0, 1201))) >= 0))


def _fitted(run: Run, loss: Loss, bias: bool) -> bool:
    """Tell whether the linear outputs of the least squares have learned the training set; Legendre 1805."""
    x, y = _features(run, bias), run.train.y
    return progress(run, loss, x @ np.linalg.lstsq(x, y)[0], y)[0]


def _features(run: Run, bias: bool) -> Array:
    """Return the inputs, with a column of ones where there is a bias, (n, d)."""
    x = run.train.x
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


def _alike(run: Run) -> Found | None:
    """Tell whether the units of a hidden layer have been alike from the start."""
    for params in (run.params, start_of(run) or run.params):
        columns = [layer.w if layer.b is None else np.vstack([layer.w, layer.b]) for layer in params.layers[:-1]]
        same = [w.shape[1] > 1 and np.ptp(w, axis=1).max() <= 1e-9 * np.abs(w).max() for w in columns]
        if not any(same):
            return None
    return "symmetry", None


def _saturated(run: Run) -> Found | None:
    """Tell whether the initial weights saturate most units of a hidden layer at most samples."""
    start = start_of(run)
    if start is None:
        return None
    for layer, slope in list(zip(start.layers, slopes_on(run, start), strict=True))[:-1]:
        act = activation(layer.act)
        steepest = np.abs(act.derivative(np.zeros(1), act.apply(np.zeros(1))))
        if act.saturates and np.mean(np.abs(slope) < SATURATED * steepest) > 0.5:
            return "start", None
    return None


def _tied(run: Run, missing: Array) -> Found | None:
    """Tell whether what is not learned is right, but on the very edge between classes."""
    x, y = run.train.x[missing], run.train.y[missing]
    return ("tie", None) if classes(run) and metrics.right(forward(run.params, x), y, run.decision).all() else None


def _ended(run: Run) -> Found | None:
    """Tell whether the schedule has brought the learning rate to (nearly) 0."""
    e, h = run.experiment, run.history
    n = len(run.train.x)
    done = h.state.t if h.state is not None else len(h.loss) * -(-n // batch_rows(e.batch_size, n))
    factors = np.abs(schedule_named(e.schedule)(np.linspace(1.0, max(1.0, done), 1000)))
    return ("schedule", e.schedule) if factors[-1] < ENDED * factors.max() else None


def _clipped(run: Run) -> Found | None:
    """Tell whether clipping leaves little of most gradients."""
    e = run.experiment
    if e.clip is None or optimizer_named(e.optimizer).name not in SCALED:
        return None
    return ("clip", float(e.clip)) if np.median(_batch_norms(run)) > CLIPPED * e.clip else None


def _decayed(run: Run) -> Found | None:
    """Tell whether weight decay holds the weights down."""
    e = run.experiment
    rule = optimizer_named(e.optimizer)
    own = dict(zip(rule.names, rule.hyper, strict=True)).get("decay", 0.0)
    if not (e.l2 or own):
        return None
    w = np.concatenate([layer.w.ravel() for layer in run.params.layers])
    size = float(np.linalg.norm(w))
    # A step of Adam's is at most 1, times the rate, which bounds the weights by 1/decay.
    if np.abs(w).max() < DECAYED or own > DECAYED or (e.l2 and e.l2 * size >= DECAYED * np.median(_batch_norms(run))):
        return "decay", float(e.l2 or own)
    return None


def _batch_norms(run: Run) -> Array:
    """Return the norms of the gradients of some batches."""
    e, (x, y) = run.experiment, (run.train.x, run.train.y)
    rows = batch_rows(e.batch_size, len(x))
    firsts = np.unique(np.linspace(0, (len(x) - 1) // rows, BATCHES).astype(int)) * rows
    found = [grads(run.params, x[at : at + rows], y[at : at + rows], loss=e.loss) for at in firsts]
    return np.array([np.sqrt(sum(np.sum(g * g) for g in arrays(one))) for one in found])


def _unscaled(run: Run) -> Found | None:
    """Tell whether the inputs are of another size than networks are made for, or hardly vary beside it."""
    size = _odd_size(run.train.x)
    return None if size is None else ("inputs", size)


def _large_targets(run: Run) -> Found | None:
    """Tell the same of targets that are no classes."""
    size = None if classes(run) else _odd_size(run.train.y)
    return None if size is None else ("targets", size)


def _odd_size(values: Array) -> float | None:
    """Return the size of columns where it is not one that networks are made for, or is so beside what they vary by."""
    size, spread = np.sqrt(np.mean(values**2, axis=0)), np.std(values, axis=0)
    flat = (spread > 0) & (spread < CENTRED * size) & (size > 1)
    if not SCALE[0] <= size.max() <= SCALE[1]:
        return float(size.max())
    return float(size[flat].max()) if flat.any() else None


def _out_of_range(run: Run) -> Found | None:
    """Tell whether the output activation cannot give what the targets ask for, on a probe."""
    act, how, y = activation(run.params.layers[-1].act), run.decision, run.train.y
    if act.name == "none" or how.kind == "largest":
        return None
    outputs = act.apply(np.linspace(-30.0, 30.0, 1201) * max(1.0, np.abs(y).max()))
    if classes(run):
        above, below = np.any(outputs > how.threshold), np.any(outputs <= how.threshold)
        able = bool((above or not np.any(y == how.high)) and (below or not np.any(y == how.low)))
    else:
        able = bool(np.mean(np.sum((np.clip(y, outputs.min(), outputs.max()) - y) ** 2, axis=-1)) <= unexplained(y))
    return None if able else ("range", act.name)


def _contradicted(run: Run, missing: Array) -> Found | None:
    """Tell whether what is not learned has samples of the same inputs and other targets beside it."""
    x, y = run.train.x, run.train.y
    if x.size > NUMBERS or not classes(run):
        return None
    _, which = np.unique(x, axis=0, return_inverse=True)
    _, both = np.unique(np.column_stack([which, y]), axis=0, return_index=True)
    several = np.bincount(which.ravel()[both]) > 1
    return ("labels", None) if several[which.ravel()[missing]].all() else None


def _batches(run: Run) -> Found | None:
    """Tell whether an optimizer that needs the gradient over all samples gets those of batches."""
    e, n = run.experiment, len(run.train.x)
    return (
        ("batch", "rprop") if optimizer_named(e.optimizer).name == "rprop" and batch_rows(e.batch_size, n) < n else None
    )


def _unmoved(run: Run) -> Found | None:
    """Tell whether the weights have hardly moved."""
    moved = movement(run)
    return ("rate", None) if moved is not None and moved < MOVED else None
