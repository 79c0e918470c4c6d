"""What stands in the way of a run that failed, where that is plain, and what helps against it."""

from collections.abc import Callable

import attrs
import numpy as np

from .. import metrics
from ..activations import activation
from ..experiments import Run
from ..network import forward, grads
from ..optimizers import optimizer_named
from ..records import Array, Params, arrays
from ..schedules import factors_of, schedule_named
from ..validation import batch_rows, shapes
from .boundary import has_bias, line_lacks
from .evidence import classes, slopes_on, unexplained
from .words import Cause

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
#: Weights whose layers are all of less than this root mean square pass nearly nothing on.
SMALL = 0.1
#: Units and samples without slope of which so large a share is nearly all.
MOST_FLAT = 0.9
#: Weights that have moved by less than this share of themselves have hardly moved.
MOVED = 0.01
#: Optimizers whose steps grow with the gradient.
SCALED = ("sgd", "momentum", "nesterov")
#: Batches whose gradients are looked at.
BATCHES = 32
#: Numbers among which samples of the same inputs are searched.
NUMBERS = 1_000_000

#: A cause and what it is about.
Found = tuple[Cause, str | float | None]


def cause_of_stand(run: Run, missing: Array) -> Found | None:
    """Return what keeps the loss of a run, and its samples not learned (n,), from becoming better, the surest first."""
    sure = (_out_of_range, _boundary, _alike, _ended, _clipped, _shrunk, _outweighed, _small)
    return _first(run, *sure, _unscaled, _large_targets, _saturated, _batches, _unmoved) or _unlike(run, missing)


def cause_of_swing(run: Run) -> Found | None:
    """Return what made a run diverge, rise or swing, beside its learning rate."""
    return _first(run, _batches, _unscaled, _large_targets, _overshot, _clipped, _shrunk)


def cause_of_unrest(run: Run) -> Found | None:
    """Return what made a run swing, or why it would fail without that."""
    return cause_of_swing(run) or _boundary(run)


def cause_of_death(run: Run, missing: Array) -> Found | None:
    """Return what lets no gradient through to the samples that are not learned, (n,)."""
    if not run.train.x[missing].any() and not has_bias(run.params):
        return "bias", None
    sure = (_out_of_range, _boundary, _alike, _shrunk, _small)
    return _first(run, *sure, _unscaled, _large_targets, _saturated) or _unlike(run, missing)


def _first(run: Run, *looks: Callable[[Run], Found | None]) -> Found | None:
    """Return the first cause that is found."""
    return next((found for look in looks if (found := look(run))), None)


def _unlike(run: Run, missing: Array) -> Found | None:
    """Tell what is the matter with the samples that are not learned themselves."""
    return _tied(run, missing) or _contradicted(run, missing)


def start_of(run: Run) -> Params | None:
    """Return the weights that a run began with, where its history has them."""
    begun = (params for epoch, params in run.history.snapshots if epoch == 0)
    return next((params for params in begun if shapes(params) == shapes(run.params)), None)


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


def _boundary(run: Run) -> Found | None:
    """Tell what a network lacks whose boundary is a line, where a line does not do."""
    lack = line_lacks(run)
    return None if lack is None else (lack, None)


def _alike(run: Run) -> Found | None:
    """Tell whether the units of a hidden layer have been alike from the start."""
    for params in (run.params, start_of(run) or run.params):
        columns = [layer.w if layer.b is None else np.vstack([layer.w, layer.b]) for layer in params.layers[:-1]]
        same = [w.shape[1] > 1 and np.ptp(w, axis=1).max() <= 1e-9 * np.abs(w).max() for w in columns]
        if not any(same):
            return None
    return "symmetry", None


def _saturated(run: Run) -> Found | None:
    """Tell whether initial weights, or biases alone, leave most units of a hidden layer without slope."""
    start = start_of(run)
    if start is None:
        return None
    without = Params(attrs.evolve(layer, b=None) for layer in start.layers)
    if has_bias(start) and _share_flat(run, start) > MOST_FLAT >= _share_flat(run, without):
        return "biases", None
    return ("start", None) if _share_flat(run, start, saturated=True) > 0.5 else None


def _share_flat(run: Run, params: Params, *, saturated: bool = False) -> float:
    """Return at which share of units and samples a hidden layer has no slope, in the layer where that is largest.

    Of activations that saturate alone, or of all.
    """
    shares = [0.0]
    for layer, slope in list(zip(params.layers, slopes_on(run, params), strict=True))[:-1]:
        act = activation(layer.act)
        near = np.array([1e-3])
        steepest = np.abs(act.derivative(near, act.apply(near)))
        if act.saturates or not saturated:
            shares.append(float(np.mean(np.abs(slope) < SATURATED * steepest)))
    return max(shares)


def _small(run: Run) -> Found | None:
    """Tell whether weights began so small that no layer passes much on, and those of some still are."""
    start = start_of(run)
    if start is None or run.experiment.scheme.partition(":")[0] in ("zeros", "constant"):
        return None
    began = max(_size(layer.w) for layer in start.layers)
    is_so = min(_size(layer.w) for layer in run.params.layers)
    return ("small", began) if began < SMALL and is_so < SMALL else None


def _size(w: Array) -> float:
    return float(np.sqrt(np.mean(w * w)))


def _overshot(run: Run) -> Found | None:
    """Tell whether a step of weight decay alone is longer than the weights."""
    decay, own = _decays(run)
    return ("decay", decay) if decay and not own and decay * float(np.max(run.experiment.lr)) > 1 else None


def _tied(run: Run, missing: Array) -> Found | None:
    """Tell whether what is not learned is right, but on the very edge between classes."""
    x, y = run.train.x[missing], run.train.y[missing]
    return ("tie", None) if classes(run) and metrics.right(forward(run.params, x), y, run.decision).all() else None


def _ended(run: Run) -> Found | None:
    """Tell whether the schedule has brought the learning rate to (nearly) 0."""
    e, h = run.experiment, run.history
    n = len(run.train.x)
    done = h.state.t if h.state is not None else len(h.loss) * -(-n // batch_rows(e.batch_size, n))
    factors = factors_of(schedule_named(e.schedule), np.unique(np.linspace(1.0, max(1.0, done), 1000).round()))
    name = e.schedule if isinstance(e.schedule, str) else "given"
    return ("schedule", name) if factors[-1] < ENDED * factors.max() else None


def _clipped(run: Run) -> Found | None:
    """Tell whether clipping leaves little of most gradients."""
    e = run.experiment
    if e.clip is None or optimizer_named(e.optimizer).name not in SCALED:
        return None
    return ("clip", float(e.clip)) if np.median(_batch_norms(run)) > CLIPPED * e.clip else None


def _shrunk(run: Run) -> Found | None:
    """Tell whether weight decay has made the weights small, or lets none become large."""
    decay, own = _decays(run)
    largest = max(float(np.abs(layer.w).max()) for layer in run.params.layers)
    # A step of Adam's is at most 1, times the rate, so that its own decay bounds the weights by 1/decay.
    return ("decay", decay) if decay and (largest < DECAYED or own > DECAYED) else None


def _outweighed(run: Run) -> Found | None:
    """Tell whether weight decay pulls about as hard as the gradients of batches do."""
    decay, own = _decays(run)
    if not decay or own:
        return None
    size = np.sqrt(sum(np.sum(layer.w * layer.w) for layer in run.params.layers))
    return ("decay", decay) if decay * size >= DECAYED * np.median(_batch_norms(run)) else None


def _decays(run: Run) -> tuple[float, float]:
    """Return the weight decay of a run, and that of its optimizer alone."""
    rule = optimizer_named(run.experiment.optimizer)
    own = dict(zip(rule.names, rule.hyper, strict=True)).get("decay", 0.0)
    return float(run.experiment.l2 or own), own


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
    if not size.max():
        return None
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
    n = len(run.train.x)
    small = batch_rows(run.experiment.batch_size, n) < n
    return ("batch", "rprop") if small and optimizer_named(run.experiment.optimizer).name == "rprop" else None


def _unmoved(run: Run) -> Found | None:
    """Tell whether the weights have hardly moved."""
    moved = movement(run)
    return ("rate", None) if moved is not None and moved < MOVED else None
