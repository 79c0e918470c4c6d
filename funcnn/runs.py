"""What is done with runs: going on with one, its scores, the members of an ensemble."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from . import arguments, engines, losses
from .arguments import MOST
from .consistency import whole, whole_run
from .experiments import Run, settings_of, weights_sha256
from .losses import loss_named, report_of
from .metrics import accuracy
from .network import forward
from .optimizers import with_arrays
from .records import Array, Epoch, History, Params, Preparation, State, arrays, map_arrays, read_only
from .training import train


def resume(
    run: Run,
    epochs: int,
    *,
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> Run:
    """Go on with a run, on the engine that it ran on: the run of so many epochs more, to the bit.

    Parameters
    ----------
    run
        Of one network or of an ensemble.
    epochs
        How many more.
    threads, progress, on_epoch
        As for `train`.

    Raises
    ------
    ValueError, TypeError
        If ``epochs`` is not a whole number of at least 1, or the run's history does not say how it stands.

    Examples
    --------
    >>> import funcnn
    >>> first = funcnn.run(funcnn.Experiment(epochs=60))
    >>> longer = funcnn.resume(first, 40)
    >>> longer.params == funcnn.run(funcnn.Experiment(epochs=100)).params
    True
    """
    run, epochs = whole(arguments.of_kind("run", run, Run)), arguments.whole("epochs", epochs, least=1)
    e = attrs.evolve(run.experiment, epochs=run.experiment.epochs + epochs)
    settings = settings_of(e, run.decision, run.train.y, run.validation)
    state: Any = run.history.state
    if state is None:
        raise arguments.ArgumentValueError("run cannot go on: its history has no state")
    lead = np.shape(state.running)
    x, y = (np.broadcast_to(array, (*lead, *array.shape[-2:])) for array in (run.train.x, run.train.y))
    hooks: dict[str, Any] = {"threads": threads, "progress": progress, "on_epoch": on_epoch}
    params, more = train(state, x, y, epochs=epochs, engine=run.history.engine, **settings, **hooks)
    history = _continued(run.history, more)
    best = params if history.best is None else history.best[1]
    return attrs.evolve(run, experiment=e, params=best, history=history)


def _continued(first: History, more: History) -> History:
    """Return the history of a run that went on."""
    names = ["epoch", "loss", "accuracy", "logged", "grad_norm"]
    names += ["val_loss", "val_accuracy"] if first.val_loss is not None else []
    joined = {name: read_only(np.concatenate([getattr(first, name), getattr(more, name)])) for name in names}
    best = more.best if first.best is None or first.val_loss is None else _better(first, more)
    return attrs.evolve(more, snapshots=(*first.snapshots, *more.snapshots), best=best, **joined)


def _better(first: History, more: History) -> Any:
    """Return the best of both parts of a history, member by member: the first one's unless the other's is lower."""
    lower = _lowest(more.val_loss) < _lowest(first.val_loss)
    (before, old), (after, new) = first.best, more.best  # type: ignore[misc]

    def chosen(one: Array, other: Array) -> Array:
        wide = np.reshape(lower, (*lower.shape, *[1] * (other.ndim - lower.ndim)))
        return read_only(np.where(wide, other, one))

    pairs = zip(arrays(old), arrays(new), strict=True)
    return chosen(np.asarray(before), np.asarray(after)), with_arrays(old, [chosen(*pair) for pair in pairs])


def _lowest(losses: Any) -> Array:
    return np.asarray(np.where(np.isfinite(losses), losses, np.inf).min(axis=0))


def preparation_of(run: Run) -> Preparation:
    """Return how rows became what a run has, which is nothing for toy sets as they are."""
    return run.preparation or Preparation()


def scores(run: Run) -> tuple[Array, Array]:
    """Return loss and accuracy of the final weights on the test set; arrays (K,) for an ensemble.

    Raises
    ------
    ValueError, TypeError
        If ``run`` is no `Run`, or its parts are none or do not fit each other.
    """
    run = whole_run(run)
    with np.errstate(all="ignore"):
        y_hat = forward(run.params, run.test.x)
        loss = losses.value(report_of(loss_named(run.experiment.loss)), y_hat, run.test.y)
        return loss, accuracy(y_hat, run.test.y, run.decision)


def check_solo(run: Run, name: str = "run") -> Run:
    """Return a run of one network; refuse an ensemble where one is meant."""
    run = whole_run(run, name)
    if run.history.loss.ndim != 1:
        members = run.history.loss.shape[1]
        raise arguments.ArgumentValueError(
            f"this is for one network, but the run is an ensemble of {members}: pick one, funcnn.member(run, k)"
        )
    return run


def member(run: Run, k: int) -> Run:
    """Return the run of member ``k`` of an ensemble, as its solo run would have given it.

    Parameters
    ----------
    run
        Of an ensemble.
    k
        Which member; from the last one backwards where it is negative.

    Raises
    ------
    ValueError, TypeError
        If the run is of one network, or has no such member.

    Examples
    --------
    >>> import funcnn
    >>> many = funcnn.run(funcnn.Experiment(epochs=2, seed=(3, 4)))
    >>> funcnn.member(many, 1).experiment.seed
    4
    """
    run = whole_run(run)
    h = run.history
    members = h.loss.shape[1] if h.loss.ndim == 2 else 0
    if not -members <= (k := arguments.whole("k", k, least=-MOST)) < members:
        raise arguments.ArgumentValueError(
            f"k must be one of the run's members, got {k!r}: it has {members or 'no'} members"
        )
    return picked(run, k)


def picked(run: Run, k: int) -> Run:
    """Return what `member` does, of an ensemble that has been checked and has the member."""
    e, h = run.experiment, run.history
    drawn = {name: getattr(e, name) for name in ("seed", "lr", "data_seed")}
    # The modulo is for a tuple of one, which every member shares, as it shares arrays of length 1.
    one = attrs.evolve(
        e, **{name: value[k % len(value)] if isinstance(value, tuple) else value for name, value in drawn.items()}
    )
    if e.start_sha256 is not None and h.snapshots:
        one = attrs.evolve(one, start_sha256=weights_sha256(_member_params(h.snapshots[0][1], k)))
    sets: dict[str, Any] = {
        part: attrs.evolve(data, **{side: _own_part(getattr(data, side), k) for side in ("x", "y")})
        for part, data in (("train", run.train), ("test", run.test))
    }
    history = _member_history(h, k)
    return attrs.evolve(run, experiment=one, params=_member_params(run.params, k), history=history, **sets)


def _own_part(array: Array, k: int) -> Array:
    """Return what a member has of samples or targets, which all may share."""
    return array[k] if array.ndim == 3 else array


def _member_params(params: Params, k: int) -> Params:
    return map_arrays(lambda array: read_only(array[k]), params)


def _member_history(h: History, k: int) -> History:
    ran = ~np.isnan(h.accuracy[:, k])
    logged = h.logged[h.logged < ran.sum()]
    return History(
        epoch=read_only(h.epoch[ran]),
        loss=read_only(h.loss[ran, k]),
        accuracy=read_only(h.accuracy[ran, k]),
        logged=read_only(logged),
        grad_norm=read_only(h.grad_norm[: len(logged), :, k]),
        val_loss=None if h.val_loss is None else read_only(h.val_loss[ran, k]),
        val_accuracy=None if h.val_accuracy is None else read_only(h.val_accuracy[ran, k]),
        best=None if h.best is None else (read_only(np.array(h.best[0][k])), _member_params(h.best[1], k)),
        snapshots=tuple(
            (epoch, _member_params(params, k)) for epoch, params in h.snapshots if epoch < ran.sum() or ran.all()
        ),
        state=None if h.state is None else _member_state(h.state, k, int(ran.sum())),
        engine=h.engine,
    )


def _member_state(state: State, k: int, ran: int) -> State:
    """Return how a member stands that ran so many epochs."""
    one = engines.cut(state, k)
    running = read_only(np.array(one.running))
    return attrs.evolve(one, running=running, epoch=ran, t=state.t / state.epoch * ran)
