"""Record PyTorch's activations and losses, with their derivatives, for tests/test_formulas.py.

python record_formulas.py > tests/golden/formulas.json
"""

import json

import torch
from torch.nn import functional

Z = torch.tensor([-1e4, -50.0, -7.5, -3.25, -1.0, -0.3, -1e-6, 1e-6, 0.2, 1.0, 2.9, 3.1, 7.5, 50.0, 1e4]).double()
ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": lambda z: functional.gelu(z, approximate="tanh"),
    "silu": functional.silu,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "sine": torch.sin,
    "hard_sigmoid": functional.hardsigmoid,
    "none": lambda z: z,
}
#: Predictions of 6 samples and 3 outputs, the last ones extreme; and targets of each kind.
Y_HAT = torch.tensor(
    [[0.3, -1.2, 2.5], [0.0, 0.7, -0.4], [1.5, 1.5, -3.0], [8.0, -9.0, 0.1], [1e4, -1e4, 0.0], [-1e4, 1e4, 1e4 - 3]]
).double()
CLASSES = torch.tensor([2, 0, 1, 0, 1, 2])
ONE_HOT = functional.one_hot(CLASSES, 3).double()
SOFT = 0.8 * ONE_HOT + 0.2 / 3
REAL = torch.tensor([[0.1, -1.0, 0.5]]).double() * torch.arange(1, 7)[:, None]
LOSSES = [
    ("half_sse", REAL, lambda p, y: functional.mse_loss(p, y, reduction="sum") / 2),
    ("mse", REAL, functional.mse_loss),
    ("mae", REAL, functional.l1_loss),
    ("huber", REAL, functional.huber_loss),
    ("hinge", 2 * ONE_HOT - 1, lambda p, y: torch.clamp(1 - y * p, min=0).mean()),
    ("softmax_cross_entropy", ONE_HOT, lambda p, y: functional.cross_entropy(p, CLASSES)),
    ("softmax_cross_entropy", SOFT, functional.cross_entropy),
    ("sigmoid_binary_cross_entropy", ONE_HOT, functional.binary_cross_entropy_with_logits),
    ("sigmoid_binary_cross_entropy", SOFT, functional.binary_cross_entropy_with_logits),
]


def with_slopes(function, x):
    """Return values of a function, and the derivatives of their sum."""
    x = x.clone().requires_grad_()
    values = function(x)
    values.sum().backward()
    return {"value": values.tolist(), "slope": x.grad.tolist()}


acts = {name: with_slopes(function, Z) for name, function in ACTIVATIONS.items()}
losses = [
    {"loss": name, "y": y.tolist(), **with_slopes(lambda p, f=function, y=y: f(p, y), Y_HAT)}
    for name, y, function in LOSSES
]
record = {"torch": torch.__version__, "z": Z.tolist(), "activations": acts, "y_hat": Y_HAT.tolist(), "losses": losses}
print(json.dumps(record))
