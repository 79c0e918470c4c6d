"""What a trained run says of rows that it has not seen, and how well."""

import functools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from . import arguments, losses, metrics, validation
from .data import as_table, encode, encode_x, read_tables
from .data.files import is_text, refuse_gaps
from .data.preparation import restored, scaled
from .diagnosis.evidence import classes
from .experiments import Run
from .losses import loss_named
from .network import predicted
from .records import Array, Coding, Table, read_only
from .runs import check_solo, preparation_of
from .sources import reading


def tables(run: Run, rows: Any) -> Iterator[Table]:
    """Yield rows as they stand in a file, some at a time, read as the run's own file was."""
    if isinstance(rows, Table):
        yield rows
        return
    if is_text(rows):
        yield from read_tables(rows, **reading(run.experiment))
    else:
        yield as_table(rows)


def inputs(run: Run, rows: Any) -> Iterator[Array]:
    """Yield rows as they stand in a file as the network takes them, (n, d), some at a time."""
    prepared = preparation_of(run)
    if prepared.coding is None:
        yield scaled(prepared.inputs, _array(run, "rows", rows))
        return
    for table in tables(run, rows):
        x = encode_x(prepared.coding, table)
        _refuse_gaps(run, prepared.coding, table)
        yield scaled(prepared.inputs, x)


def _refuse_gaps(run: Run, coding: Coding, table: Table) -> None:
    """Refuse missing values, unless the run has means to take for them."""
    if run.experiment.missing != "mean":
        refuse_gaps(table, coding.columns)


def _array(run: Run, name: str, values: Any, like: Array | None = None) -> Array:
    columns = (run.train.x if like is None else like).shape[-1]
    array = validation.table(name, values)
    if array.ndim != 2 or array.shape[1] != columns:
        raise arguments.ArgumentValueError(f"{name} must have shape (n, {columns}), got {array.shape}")
    return array.astype(run.train.x.dtype, copy=False)


def outputs(run: Run, x: Array) -> Array:
    """Return what the network says, (n, k): probabilities of classes, or numbers in the targets' own units."""
    with np.errstate(all="ignore"):
        return _answers(run, predicted(run.params, x))


def _answers(run: Run, y_hat: Array) -> Array:
    return restored(preparation_of(run).targets, losses.answers(loss_named(run.experiment.loss), y_hat))


def predict(run: Run, rows: Any, *, proba: bool = False) -> Array:
    r"""Predict rows as they stand in a file: by their names where targets are classes of a table, else as numbers.

    Parameters
    ----------
    run
        Of one network.
    rows
        What `read` takes as a table (columns are found by name, in any order, and no target is needed); for a run on
        arrays, an array (n, d) of what these were.
    proba
        Return the outputs instead, (n, k): of classes the probabilities.

    Returns
    -------
    Array
        (n,) of texts or numbers; (n, k) of several targets.

    Raises
    ------
    ValueError, TypeError
        If the run is an ensemble, or a column or a class is missing or unknown.

    Examples
    --------
    >>> import io, funcnn
    >>> table = "a,kind\n" + "".join(f"{i},{'low' if i < 10 else 'high'}\n" for i in range(20))
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "table.csv")
    ...     _ = path.write_text(table)
    ...     fields = funcnn.recipe(funcnn.read(path, "kind"))
    ...     run = funcnn.run(funcnn.Experiment(data=str(path), target=("kind",), **fields))
    >>> predict(run, io.StringIO("a\n-5\n25\n")).tolist()
    ['low', 'high']
    """
    arguments.flag("proba", proba)
    run = check_solo(run)
    return read_only(np.concatenate(list(predictions(run, rows, proba=proba))))


def predictions(run: Run, rows: Any, *, proba: bool = False) -> Iterator[Array]:
    """Yield what `predict` returns, some rows at a time: a file may be larger than memory."""
    for x in inputs(run, rows):
        found = outputs(run, x)
        yield found if proba else named(run, found)


def named(run: Run, found: Array) -> Array:
    """Return outputs as answers: names of classes where there are any, else numbers."""
    if run.train.classes:
        return np.array(run.train.classes)[metrics.labels(found, _of_outputs(run))]
    return found[:, 0] if found.shape[1] == 1 else found


def _of_outputs(run: Run) -> Any:
    """Return how probabilities are read as classes, where the run's decision is about logits."""
    how = run.decision
    logits = loss_named(run.experiment.loss).logits
    return attrs.evolve(how, threshold=(how.low + how.high) / 2) if logits else how


@attrs.frozen(eq=False)
class Evaluation:
    """How well a run does on samples.

    Parameters
    ----------
    samples
        How many.
    loss
        What the run's loss reports, in the units in which it was trained.
    classes
        Their names, or numbers as text where they have none; () where targets are numbers.
    confusion
        (c, c): how many samples of the class of the row were taken for that of the column; None of numbers.
    log_loss
        The mean of −log of the probability of the right class, in nats; None where outputs are no probabilities.
    rmse, mae, r2
        Of numbers, (k,), in the targets' own units: the root of the mean squared error, the mean absolute error, and
        which share of the variance is explained; else None.
    """

    samples: int
    loss: float
    classes: tuple[str, ...] = ()
    confusion: Array | None = None
    log_loss: float | None = None
    rmse: Array | None = None
    mae: Array | None = None
    r2: Array | None = None


def evaluate(run: Run, rows: Any = None) -> Evaluation:
    """Evaluate a run on rows as they stand in a file, targets included, or on its own test set.

    Parameters
    ----------
    run
        Of one network.
    rows
        What `read` takes as a table; for a run on arrays, a pair (x, y) of arrays of what these were; None for the
        run's test set.

    Raises
    ------
    ValueError, TypeError
        If the run is an ensemble, or a column or a class is missing or unknown.

    Examples
    --------
    >>> import funcnn
    >>> found = evaluate(funcnn.run(funcnn.Experiment()))
    >>> found.samples, found.confusion.tolist()
    (21, [[11, 0], [0, 10]])
    """
    run = check_solo(run)
    parts = [(run.test.x, run.test.y)] if rows is None else _samples(run, rows)
    with np.errstate(all="ignore"):
        return _evaluation(run, functools.reduce(_joined, (_tally(run, x, y) for x, y in parts)))


def _samples(run: Run, rows: Any) -> Iterator[tuple[Array, Array]]:
    """Yield inputs and targets as the network has them, some rows at a time."""
    prepared = preparation_of(run)
    if prepared.coding is None:
        pair = arguments.listed("rows", rows, "be a pair (x, y)")
        if len(pair) != 2:
            raise arguments.ArgumentValueError(f"rows must be a pair (x, y), got {arguments.shown(rows)}")
        x, y = pair
        x, y = _array(run, "x of rows", x), _array(run, "y of rows", y, run.train.y)
        if len(x) != len(y):
            raise arguments.ArgumentValueError(f"x of rows has {len(x)} samples, but y of rows {len(y)}")
        yield scaled(prepared.inputs, x), scaled(prepared.targets, y)
        return
    for table in tables(run, rows):
        data = encode(prepared.coding, table)
        _refuse_gaps(run, prepared.coding, table)
        yield scaled(prepared.inputs, data.x), scaled(prepared.targets, data.y)


@attrs.frozen(eq=False)
class Tally:
    """What an evaluation is made of, of some samples: sums, and for numbers mean and sum of squares about it."""

    samples: int
    loss: float
    confusion: Array
    log_loss: float
    squares: Array
    absolute: Array
    mean: Array
    spread: Array


def _tally(run: Run, x: Array, y: Array) -> Tally:
    n, loss = len(y), loss_named(run.experiment.loss)
    y_hat = predicted(run.params, x)
    value, found = float(losses.value(losses.report_of(loss), y_hat, y)), _answers(run, y_hat)
    confusion, log_loss = _of_classes(run, y, found) if _classed(run) else (np.zeros((0, 0), int), 0.0)
    y = restored(preparation_of(run).targets, y)
    missed, mean = found - y, np.mean(y, axis=0)
    spread = np.sum((y - mean) ** 2, axis=0)
    return Tally(n, n * value, confusion, log_loss, np.sum(missed**2, axis=0), np.abs(missed).sum(axis=0), mean, spread)


def _joined(one: Tally, other: Tally) -> Tally:
    """Return the tally of both; Chan, Golub & LeVeque 1979."""
    n, way = one.samples + other.samples, other.mean - one.mean
    sums = ("samples", "loss", "confusion", "log_loss", "squares", "absolute")
    added = {name: getattr(one, name) + getattr(other, name) for name in sums}
    mean = one.mean + way * (other.samples / n)
    return Tally(**added, mean=mean, spread=one.spread + other.spread + way**2 * (one.samples * other.samples / n))


def _evaluation(run: Run, tally: Tally) -> Evaluation:
    n, loss = tally.samples, tally.loss / tally.samples
    if _classed(run):
        names = run.train.classes or tuple(map(str, range(len(tally.confusion))))
        log_loss = tally.log_loss / n if loss_named(run.experiment.loss).logits else None
        return Evaluation(n, loss, names, read_only(tally.confusion), log_loss)
    r2 = np.where(tally.spread > 0, 1 - tally.squares / tally.spread, np.nan)
    rmse, mae = np.sqrt(tally.squares / n), tally.absolute / n
    return Evaluation(n, loss, rmse=read_only(rmse), mae=read_only(mae), r2=read_only(r2))


def _classed(run: Run) -> bool:
    """Tell whether targets are one class for each sample."""
    return classes(run) and (run.decision.kind == "largest" or run.train.y.shape[-1] == 1)


def _of_classes(run: Run, y: Array, found: Array) -> tuple[Array, float]:
    """Return the confusion of classes, and the sum of −log of what the right class got."""
    right, said = metrics.labels(y, run.decision), metrics.labels(found, _of_outputs(run))
    count = max(2, y.shape[-1])
    confusion = np.bincount(right * count + said, minlength=count * count).reshape(count, count)
    each = np.column_stack([1 - found, found]) if found.shape[1] == 1 else found
    of_right = each[np.arange(len(right)), right]
    return confusion, float(-np.sum(np.log(np.maximum(of_right, np.finfo(float).tiny))))


def interval(right: int, samples: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share; Wilson 1927.

    Examples
    --------
    >>> [round(one, 4) for one in interval(29, 30)]
    [0.8333, 0.9941]
    """
    share, spread = right / samples, z * z / samples
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / samples + spread / (4 * samples)))
    return max(0.0, middle - half), min(1.0, middle + half)
