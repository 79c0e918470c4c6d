"""Record how PyTorch trains 2-4-2 with tanh, 4 of 12 samples at an update, for tests/test_optimizers.py.

python record_optimizers.py > tests/golden/optimizers.json
"""

import json

import numpy as np
import torch

UPDATES, EVERY, LR = 200, 20, 0.01
ROWS = 4
OPTIM = torch.optim
#: Name, the rule's constants in funcnn's order, PyTorch's optimizer with these, and the largest norm of a gradient.
CASES = [
    ("sgd", (), lambda w: OPTIM.SGD(w, lr=LR), None),
    ("sgd", (), lambda w: OPTIM.SGD(w, lr=LR), 0.02),
    ("momentum", (0.9,), lambda w: OPTIM.SGD(w, lr=LR, momentum=0.9), None),
    ("momentum", (0.9,), lambda w: OPTIM.SGD(w, lr=LR, momentum=0.9), 0.02),
    ("nesterov", (0.9,), lambda w: OPTIM.SGD(w, lr=LR, momentum=0.9, nesterov=True), None),
    ("rmsprop", (0.9, 1e-8), lambda w: OPTIM.RMSprop(w, lr=LR, alpha=0.9, eps=1e-8), None),
    ("adam", (0.9, 0.999, 1e-8), lambda w: OPTIM.Adam(w, lr=LR, betas=(0.9, 0.999), eps=1e-8), None),
    ("adam", (0.8, 0.95, 1e-3), lambda w: OPTIM.Adam(w, lr=LR, betas=(0.8, 0.95), eps=1e-3), 0.2),
    (
        "adamw",
        (0.9, 0.999, 1e-8, 0.01),
        lambda w: OPTIM.AdamW(w, lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
        None,
    ),
    (
        "adamw_weights",
        (0.9, 0.999, 1e-8, 0.01),
        lambda w: OPTIM.AdamW([{"params": w[::2]}, {"params": w[1::2], "weight_decay": 0}], lr=LR, weight_decay=0.01),
        None,
    ),
    ("rprop", (0.5, 1.2, 1e-6, 50.0), lambda w: OPTIM.Rprop(w, lr=LR, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0)), None),
]


def as_lists(weights):
    return [array.tolist() for array in weights]


def trained(start, x, y, make, clip):
    """Return the weights after every so many updates."""
    weights = [torch.tensor(array, requires_grad=True) for array in start]
    w1, b1, w2, b2 = weights
    optimizer, seen = make(weights), []
    for update in range(1, UPDATES + 1):
        optimizer.zero_grad()
        begin = (update - 1) * ROWS % len(x)
        some = slice(begin, begin + ROWS)
        ((torch.tanh(x[some] @ w1 + b1) @ w2 + b2 - y[some]) ** 2).mean().backward()
        if clip is not None:
            norm = torch.sqrt(sum((w.grad**2).sum() for w in weights))
            for w in weights:  # clip_grad_norm_ adds 1e-6 to the norm
                w.grad *= min(1.0, clip / norm)
        optimizer.step()
        if update % EVERY == 0:
            seen.append(as_lists(weights))
    return seen


rng = np.random.default_rng(5)
x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 2))
shapes = (2, 4), (1, 4), (4, 2), (1, 2)
start = [rng.normal(size=shape) for shape in shapes]
cases = [
    {"optimizer": name, "hyper": hyper, "clip": clip, "weights": trained(start, *map(torch.tensor, (x, y)), make, clip)}
    for name, hyper, make, clip in CASES
]
record = {"torch": torch.__version__, "lr": LR, "every": EVERY, "rows": ROWS, "x": x.tolist(), "y": y.tolist()}
print(json.dumps(record | {"start": as_lists(start), "cases": cases}))
