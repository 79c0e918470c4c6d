"""What the final weights show on the training set, and what the losses show."""

import attrs
import numpy as np

from .. import losses, metrics
from ..activations import activation
from ..experiments import Run
from ..losses import loss_named
from ..network import backprop
from ..records import Array, Loss, Params, Trace, arrays

#: The share of the targets' variance that is explained where targets that are no classes have been learned.
EXPLAINED = 0.95
#: Predictions that vary by less than this share of the targets' variance are nearly one answer to all samples.
ONE_ANSWER = 0.01
#: A loss that falls or rises by less than this share over the last epochs stands.
PLATEAU = 0.01
#: Epochs of which fewer are too few to say more than that; and the least that are called the last ones.
FEW = 10
#: A loss that falls on takes steps that have not become smaller than this share of what they were, over half a run.
LASTING = 0.1
#: Losses that only fall, or only rise, go as far from the first median of five to the last as from decile to decile.
ONWARDS = 0.7
#: A step that is more than this share of the way of five is a jump.
JUMP = 0.95
#: A loss that differs by no more than this share over half of the epochs has settled.
SETTLED = 1e-5
#: Epochs that show that a loss which only wanders has settled. Fewer do not: of such runs on the lab's data about half
#: had got well below after ten times 20 to 100 epochs, a quarter after ten times 500, and 4 % after ten times 2,000.
LONG = 1000
#: Quantiles between which most losses lie, and the share of their median that they are apart where the loss swings.
MOST, SWING = (0.1, 0.9), 0.2


def diverged(params: Params) -> Array:
    """Tell whether weights are no longer finite; (K,) for an ensemble."""
    return ~np.all([np.isfinite(array).all(axis=(-2, -1)) for array in arrays(params)], axis=0)


def dead_layers(params: Params, x: Array, y: Array) -> Array:
    """Tell for each layer whether the derivative of every unit is 0 at every sample; (L,) or (L, K).

    No gradient passes through such a layer, so it and the layers below it never move again.
    """
    with np.errstate(all="ignore"):
        slopes = _slopes(params, backprop(params, x, y))
    return np.array([np.all(slope == 0, axis=(-2, -1)) for slope in slopes])


def slopes_on(run: Run, params: Params) -> list[Array]:
    """Return the derivative of each layer's activation at every training sample of a run, (n, units)."""
    return _slopes(params, backprop(params, run.train.x, run.train.y))


def _slopes(params: Params, trace: Trace) -> list[Array]:
    return [
        activation(layer.act).derivative(z, a) for layer, z, a in zip(params.layers, trace.z, trace.a[1:], strict=True)
    ]


@attrs.frozen(eq=False)
class Evidence:
    """What weights show on the training set of n samples.

    Parameters
    ----------
    learned
        Whether the run has reached what it was for.
    missing
        (n,): which samples are not learned.
    reached
        (n,): which samples have a gradient that is not 0.
    slopes
        The derivative of each layer's activation, (n, units).
    constant
        Whether the answer is nearly the same to every sample.
    """

    learned: bool
    missing: Array
    reached: Array
    slopes: list[Array]
    constant: bool


def evidence(run: Run) -> Evidence:
    """Return what the final weights of a solo run show on its training set."""
    loss = loss_named(run.experiment.loss)
    trace = backprop(run.params, run.train.x, run.train.y, loss=loss)
    y_hat = trace.a[-1]
    y = np.asarray(run.train.y, dtype=y_hat.dtype)
    learned, missing = progress(run, loss, y_hat, y)
    answers = losses.answers(loss, y_hat)
    layers = zip(run.params.layers, trace.a[:-1], trace.delta, strict=True)
    return Evidence(
        learned,
        missing,
        np.any([_largest(d) * (_largest(a) if layer.b is None else 1) != 0 for layer, a, d in layers], axis=0),
        _slopes(run.params, trace),
        bool(np.var(answers, axis=0).sum() <= ONE_ANSWER * np.var(y, axis=0).sum()),
    )


def _largest(values: Array) -> Array:
    """Return the largest magnitude for each sample, (n,)."""
    return np.abs(values).max(axis=-1)


def progress(run: Run, loss: Loss, y_hat: Array, y: Array) -> tuple[bool, Array]:
    """Tell whether these predictions are what a run is for, and which samples are not learned, (n,).

    Classes are learned where every sample is decided right, unless a class owes that to a tie alone; other targets,
    where their variance is explained but for a small share.
    """
    how = run.decision
    if classes(run):
        missing = ~metrics.right(y_hat, y, how)
        labels, tied = metrics.labels(y, how), ~decided(run, y_hat)
        for label in np.unique(labels):
            if tied[labels == label].all():
                missing |= labels == label
        return not missing.any(), missing
    missed = np.sum((losses.answers(loss, y_hat) - y) ** 2, axis=-1)
    return bool(np.mean(missed) <= unexplained(y)), ~(missed <= unexplained(y))


def unexplained(y: Array) -> float:
    """Return which square may be missed of a sample's targets: a share of their variance, or of their size."""
    squares = np.var(y, axis=0) if np.ptp(y, axis=0).any() else np.mean(y * y, axis=0)
    return float((1 - EXPLAINED) * np.sum(squares))


def classes(run: Run) -> bool:
    """Tell whether the targets are classes: nothing but the two values that the run's decision is between."""
    return bool(np.isin(run.train.y, [run.decision.low, run.decision.high]).all())


def decided(run: Run, y_hat: Array) -> Array:
    """Tell for which samples predictions are not on the very edge between classes, (n,)."""
    if run.decision.kind == "threshold":
        return np.all(y_hat != run.decision.threshold, axis=-1)
    first, second = np.moveaxis(np.sort(y_hat, axis=-1)[..., [-1, -2]], -1, 0)
    return first > second


@attrs.frozen
class Course:
    """What becomes of losses over epochs, from the medians of five stretches, so that no single epoch decides.

    The last is by the share ``fall`` below the first (negative: above). ``onwards``: that is most of what the losses
    vary by. ``steady``: and each is below (or each above) the one before, with no step that is nearly all of the way.
    ``lasting``: the last step is not far smaller than the first, so that it will go on. ``one_way``: each is below (or
    each above) the one before, however much losses vary beside.
    """

    epochs: int
    fall: float = 0.0
    spread: float = np.inf
    onwards: bool = False
    steady: bool = False
    lasting: bool = False
    one_way: bool = False


def course(losses: Array) -> Course:
    """Return the course of the losses (T,) of a run, or of some of its epochs."""
    if len(losses) < 6 or not np.isfinite(losses).all():
        return Course(len(losses))
    # At the edge of stability every other epoch is the better one, so that pairs show where both go; Cohen et al. 2021.
    pairs = (losses[1:] + losses[:-1]) / 2
    levels = np.array([np.median(some) for some in np.array_split(pairs, 5)])
    steps, way = np.diff(levels), levels[-1] - levels[0]
    beyond = abs(way) > 1e4 * np.finfo(losses.dtype).eps * abs(levels[-1])  # what rounding makes of sums
    onwards = bool(beyond and abs(way) >= ONWARDS * np.ptp(np.quantile(pairs, MOST)))
    return Course(
        len(losses),
        fall=float(-way / abs(levels[0])) if levels[0] else 0.0,
        spread=float(np.ptp(levels)),
        onwards=onwards,
        steady=bool(onwards and np.all(steps * way > 0) and np.max(steps / way) < JUMP),
        one_way=bool(beyond and np.all(steps * way > 0)),
        lasting=bool(abs(steps[-1]) >= LASTING * abs(steps[0])),
    )


@attrs.frozen
class Trend:
    """Where the loss of a run goes.

    Parameters
    ----------
    rises, swings
        What it does over the last epochs, if it does not stand or fall.
    falling
        How it falls, over the last epochs or, slowly, over half of them; None where it does not.
    epochs
        How many the last ones are.
    low, level, high
        Their lowest decile, the median of their last fifth, and their highest decile; infinite where one of them is.
    settled
        Whether that it falls no more is sure.
    """

    rises: bool
    swings: bool
    falling: Course | None
    epochs: int
    low: float = np.inf
    level: float = np.inf
    high: float = np.inf
    settled: bool = False


def _best(before: Array, first: float) -> float:
    """Return the lowest median of twentieths of the losses before the last ones, or the first loss."""
    return float(min(first, *(np.median(some) for some in np.array_split(before, 20) if len(some)), np.inf))


def trend(loss: Array) -> Trend:
    """Return where the losses (T,) of a run go."""
    last, half = loss[-max(FEW, len(loss) // 10) :], loss[len(loss) // 2 :]
    if not np.isfinite(last).all():
        return Trend(True, False, None, len(last))
    if not len(last):
        return Trend(False, False, None, 0)
    now, then = course(last), course(half)
    low, high = np.quantile(last, MOST).tolist()
    level, best = float(np.median(last[-max(1, len(last) // 5) :])), _best(loss[: -len(last)], loss[0])
    leaps = now.onwards and level < (1 - SWING) * best  # down to what was never seen
    falls = now.fall >= PLATEAU and (now.steady or leaps)
    stands = (now.steady and now.fall < 0) or high - low < LASTING * then.fall * level / 4
    slowly = (one for one in ([] if stands else [then]) + [now] if one.steady and one.lasting and one.fall >= SETTLED)
    falling = now if falls else next(slowly, None)
    # A fair run does not come to be twice as bad as it was.
    rises = (now.steady and -now.fall >= PLATEAU) or bool(level > 2 * best and not falls)
    # A steady fall by more than losses vary makes them seem to swing, where they hardly do.
    outruns = then.steady and then.lasting and then.fall > 0 and high - low < min(then.spread, 1.25 * SWING * level)
    long = len(loss) >= FEW
    still = len(loss) >= LONG or then.spread <= SETTLED * abs(level)
    return Trend(
        rises,
        swings=bool(long and not falls and not outruns and high - low > SWING * abs(level)),
        falling=falling,
        epochs=len(last),
        low=low,
        level=level,
        high=high,
        settled=bool(long and still and falling is None and not (then.one_way and min(then.fall, now.fall) >= SETTLED)),
    )
