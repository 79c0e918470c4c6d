"""funcnn: small neural networks as pure functions over frozen records.

>>> import funcnn
>>> data = funcnn.xor()
>>> params = funcnn.init((2, 3, 3, 1), seed=0)
>>> params, history = funcnn.train(params, data.x, data.y, lr=0.1, epochs=9000)
>>> y_hat = funcnn.forward(params, data.x)
"""

from .activations import ACTIVATIONS
from .data import DATASETS, dataset, linear, xor
from .diagnosis import Diagnosis, diagnose
from .experiments import DEFAULT_SEED, Experiment, Run, member, run, scores
from .losses import LOSSES, accuracy, half_sse, mse
from .network import SCHEMES, backprop, forward, grads, init, value_and_grads
from .optimizers import sgd_step
from .records import Activation, Dataset, History, Layer, Loss, Params, Trace
from .storage import load, save
from .training import scan, train

__all__ = [
    "ACTIVATIONS",
    "DATASETS",
    "DEFAULT_SEED",
    "LOSSES",
    "SCHEMES",
    "Activation",
    "Dataset",
    "Diagnosis",
    "Experiment",
    "History",
    "Layer",
    "Loss",
    "Params",
    "Run",
    "Trace",
    "accuracy",
    "backprop",
    "dataset",
    "diagnose",
    "forward",
    "grads",
    "half_sse",
    "init",
    "linear",
    "load",
    "member",
    "mse",
    "run",
    "save",
    "scan",
    "scores",
    "sgd_step",
    "train",
    "value_and_grads",
    "xor",
]
