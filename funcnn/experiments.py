"""Running experiments, and what that gives."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import numpy as np

from . import arguments, memory, training, validation
from .data import dataset
from .engines import Shapes
from .metrics import decision
from .network import init
from .optimizers import optimizer_named
from .records import Array, Dataset, Decision, Epoch, History, Params, Preparation, arrays
from .settings import Experiment, described
from .sources import Source, class_weights, is_toy, source
from .training import train


@attrs.frozen
class Run:
    """All that a run gave; every picture is drawn from this alone. ``history.snapshots`` has the initial weights.

    ``train`` and ``test`` have a leading axis where the members of an ensemble have data of their own. ``decision`` is
    how predictions are read as classes, as the training targets tell. ``validation`` was held back from training, and
    ``preparation`` says how rows of a file become what ``train`` and ``test`` have.
    """

    experiment: Experiment
    params: Params
    history: History
    train: Dataset
    test: Dataset
    decision: Decision = Decision()
    validation: Dataset | None = None
    preparation: Preparation | None = None


def run(
    experiment: Experiment,
    *,
    start: Params | None = None,
    start_name: str = "given weights",
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> Run:
    """Run an experiment.

    Parameters
    ----------
    experiment
        What to run.
    start
        Weights to start from, instead of those that the experiment's seed draws. Their shapes must be those that
        the experiment describes. The run's experiment records ``start_name`` and their SHA-256.
    start_name
        Where they are from, such as a file's name.
    threads, progress, on_epoch
        As for `train`.

    Raises
    ------
    ValueError, TypeError
        If a field of the experiment is out of range or unknown, or ``start`` does not fit it.
    MemoryError
        If it takes more memory than the machine has.
    """
    e = described(experiment)
    arguments.text("start_name", start_name)
    if is_toy(e.data):
        check_memory(e, members_of(e))  # before any is drawn
    hooks = {"threads": threads, "progress": progress, "on_epoch": on_epoch}
    return run_on(e, source(e), start=start, start_name=start_name, **hooks)


def members_of(e: Experiment) -> int | None:
    """Return how many members an experiment has by its seeds and rates; None of one network."""
    return max(len(drawn) if isinstance(drawn, tuple) else 0 for drawn in (e.seed, e.lr, e.data_seed)) or None


def run_on(e: Experiment, found: Source, *, start: Params | None, start_name: str, **hooks: Any) -> Run:
    """Run an experiment that has been checked on its data; the others are arguments of `run`."""
    if not is_toy(e.data):
        check_memory(e, members_of(e), found.train)
    e, train_set = attrs.evolve(e, data_sha256=found.sha256), found.train
    sizes = _sizes(e, train_set)
    drawn = init(sizes, seed=e.seed, act=e.act, out_act=e.out_act, bias=e.bias, scheme=e.scheme, bias_init=e.bias_init)
    e, start = _started(e, drawn, start, start_name)
    # Several data seeds ask for as many members, even where these share weights and points.
    lead = (len(e.data_seed),) if isinstance(e.data_seed, tuple) else ()
    x, y = (np.broadcast_to(array, (*lead, *array.shape[-2:])) for array in (train_set.x, train_set.y))
    how = decision(e.loss, train_set.y)
    settings = settings_of(e, how, train_set.y, found.held)
    params, history = train(start, x, y, epochs=e.epochs, engine=e.engine, snapshots=(0,), **settings, **hooks)
    best = params if history.best is None else history.best[1]
    return Run(e, best, history, train_set, found.test, how, found.held, found.preparation)


def settings_of(e: Experiment, how: Decision, y: Array, held: Dataset | None) -> dict[str, Any]:
    """Return the arguments of `train` that an experiment settles, however often it is gone on with."""
    names = ("loss", "optimizer", "lr", "schedule", "batch_size", "clip", "l2", "shuffle", "shuffle_seed", "log_every")
    return {
        **{name: getattr(e, name) for name in names},
        "decision": how,
        "weight": None if e.class_weight is None else class_weights(y, how),
        "validation": None if held is None else (held.x, held.y),
        "stop": None if e.patience is None else partial(impatient, patience=e.patience),
    }


def impatient(history: History, patience: int) -> bool:
    """Tell whether the lowest loss of the validation data is so many epochs ago; Prechelt 1998.

    Examples
    --------
    >>> import numpy as np, funcnn
    >>> losses = np.array([3.0, 1.0, 2.0, 2.0])
    >>> impatient(funcnn.History(np.arange(4), losses, val_loss=losses), 2)
    True
    """
    losses: Any = history.val_loss
    return bool(len(losses) - 1 - np.argmin(np.where(np.isnan(losses), np.inf, losses)) >= patience)


def weights_sha256(params: Params) -> str:
    """Return the SHA-256 of a network's weights and biases: of their dtypes, shapes and bytes, layer by layer.

    Raises
    ------
    ValueError, TypeError
        If ``params`` is no network.

    Examples
    --------
    >>> import funcnn
    >>> weights_sha256(funcnn.init((2, 1), seed=0))[:8]
    '5e26ddaa'
    """
    digest = hashlib.sha256()
    for array in arrays(validation.in_numpy(params)):
        digest.update(f"{array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _started(e: Experiment, drawn: Params, start: Params | None, name: str) -> tuple[Experiment, Params]:
    """Return the weights to start from, and the experiment that says which these are."""
    if start is None:
        if e.start_sha256 is not None:
            raise arguments.ArgumentValueError(
                f"this experiment started from {e.start} (SHA-256 {e.start_sha256[:12]}…), not from weights that its"
                " seed draws: hand them over as start"
            )
        return e, drawn
    start = _fitting(validation.network(start, "start"), drawn)
    found = weights_sha256(start)
    if e.start_sha256 not in (None, found):
        raise arguments.ArgumentValueError(
            f"this experiment started from {e.start} (SHA-256 {str(e.start_sha256)[:12]}…), but start has other weights"
            f" (SHA-256 {found[:12]}…)"
        )
    return attrs.evolve(e, start=e.start or name, start_sha256=found), start


def check_memory(e: Experiment, members: int | None, data: Dataset | None = None) -> None:
    """Refuse an experiment with so many members that the machine's memory does not hold, before any is drawn.

    Raises
    ------
    MemoryError
        Saying how many bytes it would take.
    """
    data = dataset(e.data)[0] if data is None else data
    sizes = _sizes(e, data)
    shapes = Shapes(sizes, (e.bias,) * (len(sizes) - 1), (), members, data.x.shape[-2])
    training.check_memory(shapes, optimizer_named(e.optimizer).slots, e.epochs, e.log_every, 1)
    if isinstance(e.data_seed, tuple) and members:  # of training and test set, drawn one by one
        size = 2 * (data.x.nbytes + data.y.nbytes + 2 * memory.ARRAY)
        memory.check(f"the data of {members:,} members", members * size)


def _sizes(e: Experiment, data: Dataset) -> tuple[int, ...]:
    return data.x.shape[-1], *e.hidden, data.y.shape[-1]


def _fitting(start: Params, drawn: Params) -> Params:
    """Return ``start`` with the activations of ``drawn``, whose shapes it must have."""
    if validation.shapes(start) != validation.shapes(drawn):
        got, expected = validation.shapes(start), validation.shapes(drawn)
        raise arguments.ArgumentValueError(f"start has layers (w, b) of shapes {got}, the experiment wants {expected}")
    return Params(attrs.evolve(mine, act=its.act) for mine, its in zip(start.layers, drawn.layers, strict=True))
