"""funcnn: small neural networks as pure functions over frozen records.

>>> import funcnn
>>> data = funcnn.xor()
>>> params = funcnn.init((2, 3, 3, 1), seed=0)
>>> params, history = funcnn.train(params, data.x, data.y, lr=0.1, epochs=9000)
>>> y_hat = funcnn.forward(params, data.x)
"""

from .activations import ACTIVATIONS
from .data import DATASETS, DataWarning, dataset, linear, read, split, standardisation, standardise, unstandardise, xor
from .diagnosis import Diagnosis, diagnose
from .engines import EngineWarning
from .experiments import Run, run, weights_sha256
from .fold import fresh_state, scan, step
from .initializers import INITIALIZERS
from .losses import LOSSES
from .metrics import accuracy, decision, half_sse, mse
from .network import backprop, forward, grads, init, value_and_grads
from .optimizers import OPTIMIZERS, fresh_slots, optimizer_step, sgd_step
from .prediction import Evaluation, evaluate, predict
from .recipes import recipe
from .records import (
    Activation,
    Coding,
    Column,
    Dataset,
    Decision,
    Epoch,
    History,
    Layer,
    Loss,
    Optimizer,
    Params,
    Plan,
    Preparation,
    Scaling,
    State,
    Table,
    Trace,
)
from .runs import member, resume, scores
from .schedules import SCHEDULES
from .settings import DEFAULT_SEED, Experiment
from .storage import load, save
from .training import train

#: What ``scheme=`` takes; `INITIALIZERS` by its older name.
SCHEMES = INITIALIZERS

__all__ = [
    "ACTIVATIONS",
    "DATASETS",
    "DEFAULT_SEED",
    "INITIALIZERS",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "SCHEMES",
    "Activation",
    "Coding",
    "Column",
    "DataWarning",
    "Dataset",
    "Decision",
    "Diagnosis",
    "EngineWarning",
    "Epoch",
    "Evaluation",
    "Experiment",
    "History",
    "Layer",
    "Loss",
    "Optimizer",
    "Params",
    "Plan",
    "Preparation",
    "Run",
    "Scaling",
    "State",
    "Table",
    "Trace",
    "accuracy",
    "backprop",
    "dataset",
    "decision",
    "diagnose",
    "evaluate",
    "forward",
    "fresh_slots",
    "fresh_state",
    "grads",
    "half_sse",
    "init",
    "linear",
    "load",
    "member",
    "mse",
    "optimizer_step",
    "predict",
    "read",
    "recipe",
    "resume",
    "run",
    "save",
    "scan",
    "scores",
    "sgd_step",
    "split",
    "standardisation",
    "standardise",
    "step",
    "train",
    "unstandardise",
    "value_and_grads",
    "weights_sha256",
    "xor",
]
