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
from funcnn.diagnosis import explain


def log_lines(run: Run) -> list[str]:
    """Return ``epoch 500 loss : 0.25…`` for each logged epoch."""
    return [f"epoch {epoch} loss : {float(run.history.loss[epoch])!r}" for epoch in run.history.logged]


def test_lines(run: Run) -> list[str]:
    """Return ``Iter 0 | Ground truth: 0.0 | prediction: 0.02722`` for each test sample."""
    y_hat = predictions(run, run.test)
    rows = zip(run.test.y.tolist(), y_hat.tolist(), strict=True)
    return [f"Iter {i} | Ground truth: {_joined(y)} | prediction: {_joined(p, '.5f')}" for i, (y, p) in enumerate(rows)]


def result_line(run: Run) -> str:
    """Return ``loss=0.00043 accuracy=100.00%``, of the final weights on the test set."""
    loss, accuracy = funcnn.scores(run)
    return f"loss={loss:.5f} accuracy={accuracy:.2%}"


def diagnosis_lines(run: Run) -> list[str]:
    """Return the one line that says why the run failed, or nothing."""
    diagnosis = funcnn.diagnose(run)
    return [f"diagnosis: {explain(diagnosis)}"] if diagnosis else []


def predictions(run: Run, data: funcnn.Dataset) -> Any:
    """Predict with the final weights, diverged or not."""
    with np.errstate(all="ignore"):
        return funcnn.forward(run.params, data.x)


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


def _said(diagnosis: funcnn.Diagnosis) -> dict[str, Any]:
    facts = {name: getattr(diagnosis, name) for name in ("kind", "epoch", "layer")}
    return {**facts, "message": explain(diagnosis)}


def to_json(value: Any) -> str:
    """Return JSON text, in ASCII, which any terminal takes; numbers that are not finite have no word in it: null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(plain(value), indent=1) + "\n"


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
