"""The lab report's own XOR run, from initial weights recovered from its printed numbers: 39 numbers nobody made up."""

import json
from pathlib import Path

import numpy as np
import pytest

import funcnn
from funcnn import Experiment, Layer, Params

REPORT = json.loads((Path(__file__).parent / "data" / "report_xor.json").read_text())


@pytest.fixture(scope="module", params=["numpy", "compiled"])
def run(request):
    start = Params(Layer(np.array(w), None, "sigmoid") for w in REPORT["weights"])
    return funcnn.run(Experiment(engine=request.param), start=start)


def test_the_18_losses_of_its_log(run):
    epochs, losses = zip(*REPORT["training_log"], strict=True)
    assert epochs == tuple(range(0, 9000, 500))
    np.testing.assert_array_equal(run.history.logged, epochs)
    np.testing.assert_allclose(run.history.loss[list(epochs)], losses, rtol=REPORT["log_relative_error_bound"])


def test_its_21_predictions(run):
    expected = REPORT["training_predictions"]
    assert len(expected) == 21
    y_hat = funcnn.forward(run.params, run.train.x)[:, 0]
    # They were printed with eight decimals, so half a unit of the last is not the run's.
    bound = REPORT["prediction_absolute_error_bound"]
    np.testing.assert_allclose(y_hat, expected, rtol=0, atol=bound)


def test_its_test_loss_and_accuracy(run):
    loss, accuracy = funcnn.scores(run)
    assert round(float(loss), 5) == REPORT["test_loss"] == 0.00043
    assert round(100 * float(accuracy), 2) == REPORT["test_accuracy_percent"] == 100.0


def test_it_has_nothing_to_be_told(run):
    assert funcnn.diagnose(run) is None
