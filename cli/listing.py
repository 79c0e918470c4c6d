"""A run as text: the lab's listing, CSV tables and a JSON summary."""

import csv
import io
import json
import math
from typing import Any

import attrs
import numpy as np

import funcnn
from funcnn import Run
from funcnn.data.preparation import restored
from funcnn.diagnosis import explain
from funcnn.prediction import interval, named, outputs
from funcnn.runs import preparation_of

#: Test samples of a file that are listed; predictions.csv has all.
SHOWN = 20


def log_lines(run: Run) -> list[str]:
    """Return ``epoch 500 loss : 0.25…`` for each logged epoch."""
    return [f"epoch {epoch} loss : {float(run.history.loss[epoch])!r}" for epoch in run.history.logged]


def test_lines(run: Run) -> list[str]:
    """Return ``Iter 0 | Ground truth: 0.0 | prediction: 0.02722`` for each test sample; of a file for some."""
    y, y_hat = targets(run, run.test), predictions(run, run.test)
    shown = slice(None if run.preparation is None else SHOWN)
    rows = zip(_worded(run, y[shown]), _worded(run, y_hat[shown], ".5f"), strict=True)
    lines = [f"Iter {i} | Ground truth: {truth} | prediction: {said}" for i, (truth, said) in enumerate(rows)]
    more = len(y) - len(lines)
    return [*lines, f"… and {more:,} more"] if more else lines


def _worded(run: Run, values: Any, spec: str = "") -> list[str]:
    """Return answers as text: names of classes where there are any."""
    return (
        [str(one) for one in named(run, values)]
        if run.train.classes
        else [_joined(row, spec) for row in values.tolist()]
    )


def result_line(run: Run) -> str:
    """Return ``loss=0.00043 accuracy=100.00%``, of the final weights on the test set; of numbers ``r2=``."""
    loss, accuracy = funcnn.scores(run)
    if preparation_of(run).targets is not None:
        r2: Any = funcnn.evaluate(run).r2
        return f"loss={loss:.5f} r2={_joined(r2.tolist(), '.4f')}"
    return f"loss={loss:.5f} accuracy={accuracy:.2%}"


def diagnosis_lines(run: Run) -> list[str]:
    """Return the one line that says why the run failed, or nothing."""
    diagnosis = funcnn.diagnose(run)
    return [f"diagnosis: {explain(diagnosis)}"] if diagnosis else []


def predictions(run: Run, data: funcnn.Dataset) -> Any:
    """Predict with the final weights, diverged or not: for runs on files in the file's own terms."""
    if run.preparation is not None:
        return outputs(run, data.x)
    with np.errstate(all="ignore"):
        return funcnn.forward(run.params, data.x)


def targets(run: Run, data: funcnn.Dataset) -> Any:
    """Return targets, those of a file in its own terms."""
    return restored(preparation_of(run).targets, data.y)


def summary(run: Run) -> dict[str, Any]:
    """Return what the run was and gave, ready for `to_json`."""
    history = run.history
    loss, accuracy = funcnn.scores(run)
    diagnosis = funcnn.diagnose(run)
    return {
        "experiment": attrs.asdict(run.experiment),
        "engine": history.engine,
        "epochs_run": len(history.loss),
        "log": [[int(epoch), float(history.loss[epoch])] for epoch in history.logged],
        "last_epoch": {"loss": float(history.loss[-1]), "accuracy": float(history.accuracy[-1])},
        "test": {
            "loss": float(loss),
            "accuracy": float(accuracy),
            "ground_truth": run.test.y.tolist(),
            "predictions": predictions(run, run.test).tolist(),
        },
        "diagnosis": _said(diagnosis) if diagnosis else None,
    }


def evaluation(found: funcnn.Evaluation) -> dict[str, Any]:
    """Return how well a run does, ready for `to_json`."""
    said: dict[str, Any] = {"samples": found.samples, "loss": found.loss}
    if found.confusion is None:
        return said | {name: getattr(found, name).tolist() for name in ("rmse", "mae", "r2")}
    right = int(np.trace(found.confusion))
    with np.errstate(invalid="ignore"):
        precision, recall = (np.diag(found.confusion) / found.confusion.sum(axis=axis) for axis in (0, 1))
    return said | {
        "accuracy": right / found.samples,
        "interval": list(interval(right, found.samples)),
        "log_loss": found.log_loss,
        "classes": list(found.classes),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "confusion": found.confusion.tolist(),
    }


def evaluation_lines(said: dict[str, Any]) -> list[str]:
    """Return an evaluation as a few lines and, of classes, a table."""
    lines = [f"samples    {said['samples']:,}", f"loss       {said['loss']:.5f}"]
    if "confusion" not in said:
        return lines + [f"{name:<10} {' '.join(f'{one:.5g}' for one in said[name])}" for name in ("rmse", "mae", "r2")]
    low, high = said["interval"]
    lines += [f"accuracy   {said['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%})"]
    lines += [] if said["log_loss"] is None else [f"log loss   {said['log_loss']:.5f}"]
    width = max(12, *map(len, said["classes"]))
    lines += ["", f"{'class':<{width}} precision  recall  taken for: {', '.join(said['classes'])}"]
    rows = zip(said["classes"], said["precision"], said["recall"], said["confusion"], strict=True)
    return lines + [f"{name:<{width}} {p:>9.3f} {r:>7.3f}  {' '.join(map(str, row))}" for name, p, r, row in rows]


def _said(diagnosis: funcnn.Diagnosis) -> dict[str, Any]:
    facts = {name: getattr(diagnosis, name) for name in ("kind", "epoch", "layer")}
    return {**facts, "message": explain(diagnosis)}


def to_json(value: Any) -> str:
    """Return JSON text, in ASCII, which any terminal takes; numbers that are not finite have no word in it: null."""
    return json.dumps(_plain(value), indent=1) + "\n"


def to_json_line(value: Any) -> str:
    """Return the same in one line."""
    return json.dumps(_plain(value)) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def history_csv(run: Run) -> str:
    """Return loss and accuracy of every epoch, and the gradient norms of the logged ones."""
    h = run.history
    norms = dict(zip(h.logged.tolist(), h.grad_norm.tolist(), strict=True))
    layers = len(run.params.layers)
    header = ["epoch", "loss", "accuracy", *[f"grad_norm_{layer + 1}" for layer in range(layers)]]
    columns = zip(h.epoch.tolist(), h.loss.tolist(), h.accuracy.tolist(), strict=True)
    return _csv(header, [[*row, *norms.get(row[0], [""] * layers)] for row in columns])


def predictions_csv(run: Run) -> str:
    """Return every sample of the training and the test set with its prediction."""
    d, k = run.train.x.shape[-1], run.train.y.shape[-1]
    names = [f"{name}{i + 1}" for name, count in (("x", d), ("y", k), ("prediction", k)) for i in range(count)]
    rows = [
        [kind, index, *x, *y, *y_hat]
        for kind, data in (("train", run.train), ("test", run.test))
        for index, (x, y, y_hat) in enumerate(
            zip(data.x.tolist(), data.y.tolist(), predictions(run, data).tolist(), strict=True)
        )
    ]
    return _csv(["set", "index", *names], rows)


def _csv(header: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _joined(values: list[float], spec: str = "") -> str:
    return " ".join(format(value, spec) for value in values)
