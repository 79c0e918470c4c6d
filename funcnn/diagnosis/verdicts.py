"""`diagnose`: what a run shows, put together."""

from typing import Any

import attrs
import numpy as np

from .. import metrics
from ..activations import activation
from ..experiments import Run
from ..network import predicted
from ..optimizers import optimizer_named
from ..records import Array
from ..runs import check_solo
from .causes import Found, cause_of_death, cause_of_stand, cause_of_swing, cause_of_unrest, movement, start_of
from .evidence import FEW, PLATEAU, SETTLED, Evidence, Trend, classes, diverged, evidence, slopes_on, trend
from .words import CAUSES, SHARED, Diagnosis, Remedy

#: A derivative below this, where the loss has settled too, is as good as 0.
FLAT = 1e-6
#: Verdicts on runs whose learning rate is not too high; others need a lower one, whatever else they need.
STEADY = ("dead", "plateau", "unfinished")
#: A loss that falls by less than this share over half of the epochs, though the weights have come far, needs too many.
SLOW = 1e-3


def diagnose(run: Run) -> Diagnosis | None:
    """Say why a solo run failed and what to try, or None where it learned its training set.

    Classes are learned where the final weights decide every training sample right, other targets where 95 % of their
    variance is explained. Else it is looked, in this order, whether weights are still finite; whether a gradient
    reaches what is not learned; and whether the loss rises, swings, falls or stands, by medians over many epochs.

    Parameters
    ----------
    run
        Of one network; `funcnn.member` picks one of an ensemble's.

    Raises
    ------
    ValueError, TypeError
        If ``run`` is no run, or one of an ensemble.

    Examples
    --------
    >>> import funcnn
    >>> print(funcnn.diagnose(funcnn.run(funcnn.Experiment(act="none", lr=30.0, engine="numpy"))).message)
    diverged at epoch 0: try a lower learning rate than 30
    """
    run = check_solo(run)
    with np.errstate(all="ignore"):  # large weights are what it is about
        if diverged(run.params):
            return _diverged(run)
        found, losses = evidence(run), trend(run.history.loss)
        if found.learned or _generalises(run):
            return None
        return _dead(run, found, losses) or _unruly(run, losses) or _standing(run, found, losses)


def _generalises(run: Run) -> bool:
    """Tell whether a run that holds samples back predicts these better than one answer to all of them does.

    Data that are not made up are seldom learned to the last sample, and trained no further than that is good for.
    """
    held = run.validation
    if held is None:
        return False
    y_hat = predicted(run.params, held.x)
    if classes(run):
        commonest = np.unique(metrics.labels(held.y, run.decision), return_counts=True)[1].max() / len(held.y)
        return bool(np.mean(metrics.right(y_hat, held.y, run.decision)) > commonest)
    return bool(np.mean((y_hat - held.y) ** 2) < np.mean((run.train.y.mean(axis=0) - held.y) ** 2))


def _diverged(run: Run) -> Diagnosis:
    """Say that weights are no longer finite, since the last epoch that was run."""
    epoch = run.history.epoch
    last = int(epoch[-1]) if len(epoch) else None
    return _told(run, Diagnosis("diverged", last, **_rate(run)), cause_of_swing(run), ("lower lr",))


def _told(run: Run, said: Diagnosis, cause: Found | None, remedies: tuple[Remedy, ...]) -> Diagnosis:
    """Return a diagnosis with its cause and with those remedies that are open to this run."""
    name, about = cause or (None, None)
    if name is not None:
        _, against = CAUSES[name]
        if against and said.kind in STEADY:
            remedies = remedies[:1] if name in SHARED else ()
        remedies = (*against, *remedies)
    e = run.experiment
    drawn = e.start_sha256 is None and e.scheme.partition(":")[0] not in ("zeros", "constant")
    seed: Remedy = "another seed" if drawn else "other weights"
    idle = {"lower lr", "higher lr"} if optimizer_named(e.optimizer).name == "rprop" else set()
    remedies = tuple(dict.fromkeys(seed if one == "another seed" else one for one in remedies if one not in idle))
    return attrs.evolve(said, cause=name, about=about, remedies=remedies or ("another optimizer",))


def _rate(run: Run) -> dict[str, Any]:
    """Return the facts about how fast a run went."""
    name = optimizer_named(run.experiment.optimizer).name
    return {"lr": float(run.experiment.lr), "optimizer": None if name == "sgd" else name}  # type: ignore[arg-type]


def _dead(run: Run, found: Evidence, losses: Trend) -> Diagnosis | None:
    """Say which layer lets no gradient through, or to which samples that are not learned none comes."""
    place = _flat_layer(found, losses)
    if place is None:
        return None
    layer, samples, bound = place
    rows = slice(None) if samples is None else found.missing
    acts = [activation(one.act) for one in run.params.layers]
    saturated = all(act.saturates for act in acts) if layer is None else acts[layer].saturates
    epoch, since = _dead_since(run, found, layer, samples, bound)
    start = start_of(run)
    born = start is not None and layer is not None and _is_flat(slopes_on(run, start)[layer][rows], bound)
    remedies: list[Remedy] = ["another seed"] if born else ["lower lr", "another seed"]
    remedies += [] if saturated else ["leaky_relu"]
    remedies += ["more epochs"] if losses.falling else []
    facts: dict[str, Any] = {"output": layer == len(acts) - 1, "saturated": saturated, "since": since}
    said = Diagnosis("dead", epoch, layer, samples=samples, **facts)
    return _told(run, said, cause_of_death(run, found.missing), tuple(remedies))


def _flat_layer(found: Evidence, losses: Trend) -> tuple[int | None, int | None, float] | None:
    """Return the lowest layer without slope, at how many samples not learned if not at all, and up to which slope."""
    missing = found.missing
    some = int(missing.sum())
    unreached = not found.reached[missing].any()
    for bound in (0.0, FLAT) if losses.settled else (0.0,):
        for rows, samples in ((slice(None), None), (missing, some)):
            flat = [_is_flat(slope[rows], bound) for slope in found.slopes]
            if any(flat) and (samples is None or unreached or bound):
                return flat.index(True), samples, bound
    return (None, some, 0.0) if unreached else None


def _is_flat(slope: Array, bound: float) -> bool:
    return bool(np.all(np.abs(slope) <= bound))


def _dead_since(
    run: Run, found: Evidence, layer: int | None, samples: int | None, bound: float
) -> tuple[int | None, bool]:
    """Return an epoch since which no gradient flows, or one by which it was found gone, and whether it is the former.

    Losses show it where they stand still; where others still learn, the norms that were logged.
    """
    loss, history = run.history.loss, run.history
    if not len(loss):
        return None, False
    still = _still_since(loss, SETTLED if bound else 1e4 * np.finfo(loss.dtype).eps)
    others = samples is not None and found.reached.any()
    if len(loss) - still < FEW and (bound or others):  # it has not stood for long enough to show that
        return None, False
    if samples is None and not bound:
        flowing = np.flatnonzero(history.grad_norm[:, layer] != 0)
        unseen = flowing[-1] + 1 if len(flowing) else 0
        if unseen < len(history.logged) and history.logged[unseen] < history.epoch[still]:
            return int(history.logged[unseen]), False
    return int(history.epoch[still]), not (bound or others)


def _still_since(loss: Array, share: float) -> int:
    """Return the place of the first loss since which all are the last one, but for a share of it."""
    moving = np.flatnonzero(np.abs(loss - loss[-1]) > share * abs(loss[-1]))
    return int(moving[-1]) + 1 if len(moving) else 0


def _unruly(run: Run, losses: Trend) -> Diagnosis | None:
    """Say that the loss rises, or that it swings."""
    loss, epoch = run.history.loss, run.history.epoch
    if losses.rises:
        before = np.where(np.isfinite(loss), loss, np.inf)[: -max(1, losses.epochs // 5)]
        lowest = int(before.argmin()) if np.isfinite(before).any() else None
        low, since = (None, None) if lowest is None else (float(before[lowest]), int(epoch[lowest]))
        said = Diagnosis("rising", since, loss=max(float(loss[-1]), losses.level), low=low, **_rate(run))
        return _told(run, said, cause_of_swing(run), ("lower lr",))
    if losses.swings:
        said = Diagnosis("unstable", loss=losses.high, low=losses.low, epochs=losses.epochs, **_rate(run))
        return _told(run, said, cause_of_unrest(run), ("lower lr", "another seed"))
    return None


def _standing(run: Run, found: Evidence, losses: Trend) -> Diagnosis:
    """Say that the loss falls, or that it stands."""
    cause, falling, moved = cause_of_stand(run, found.missing), losses.falling, movement(run)
    far = moved is None or moved >= 1  # weights that have come far will not soon come to more
    quick, few = falling is not None and falling.fall >= PLATEAU, len(run.history.loss) < FEW
    if cause == ("rate", None) and (quick or few):
        cause = None
    # What stands in the way of a slow fall matters more than the fall.
    if few or (falling and (quick or (cause in (None, ("rate", None)) and not (far and falling.fall < SLOW)))):
        fall, epochs = (falling.fall, falling.epochs) if falling else (None, losses.epochs)
        said = Diagnosis("unfinished", fall=fall, epochs=epochs)
        return _told(run, said, cause, ("more epochs",) if few or quick or far else ("more epochs", "higher lr"))
    settled = losses.settled and cause != ("rate", None)
    said = Diagnosis("plateau", loss=losses.level, settled=settled, constant=found.constant)
    others: tuple[Remedy, ...] = ("another seed", "more units") if len(run.params.layers) > 1 else ("another seed",)
    if losses.settled:
        return _told(run, said, cause, (*others, "lower lr"))
    if falling:
        return _told(run, said, cause, (*others, "lower lr", "more epochs"))
    return _told(run, said, cause, ("more epochs", *others))
