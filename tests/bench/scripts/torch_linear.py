"""The lab's linear run as a script in PyTorch's eager mode: 2-3-3-1, sigmoid, 100 points, sample by sample.

python torch_linear.py [EPOCHS]
"""

import sys

import numpy as np
import torch


def points(seed):
    x = np.random.default_rng(seed).uniform(size=(100, 2))
    return torch.tensor(x), torch.tensor(np.where(x[:, :1] > x[:, 1:], 0.0, 1.0))


def predict(weights, x):
    for w in weights:
        x = torch.sigmoid(x @ w)
    return x


epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
x, y = points(0)
rng = np.random.default_rng(14)
weights = [torch.tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 3), (3, 3), (3, 1))]
optimizer = torch.optim.SGD(weights, lr=0.1)
for _ in range(epochs):
    total = 0.0
    for i in range(len(x)):
        loss = ((predict(weights, x[i : i + 1]) - y[i : i + 1]) ** 2).sum() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    loss = 2 * total / len(x)

x, y = points((0, 1))
with torch.no_grad():
    y_hat = predict(weights, x)
    print(f"loss={((y_hat - y) ** 2).mean():.5f} accuracy={((y_hat > 0.5) == y).double().mean():.2%}")
