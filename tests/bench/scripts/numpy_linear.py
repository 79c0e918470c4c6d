"""The lab's linear run as a script in textbook NumPy: 2-3-3-1, sigmoid, 100 points, sample by sample.

python numpy_linear.py [EPOCHS]
"""

import sys

import numpy as np


def points(seed):
    x = np.random.default_rng(seed).uniform(size=(100, 2))
    return x, np.where(x[:, :1] > x[:, 1:], 0.0, 1.0)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def forward(weights, x):
    a = [x]
    for w in weights:
        a.append(sigmoid(a[-1] @ w))
    return a


epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
x, y = points(0)
rng = np.random.default_rng(14)
weights = [rng.standard_normal(shape) for shape in ((2, 3), (3, 3), (3, 1))]
for _ in range(epochs):
    squares = 0.0
    for i in range(len(x)):
        a = forward(weights, x[i : i + 1])
        error = a[3] - y[i : i + 1]
        squares += np.sum(error**2)
        delta3 = error * a[3] * (1.0 - a[3])
        delta2 = (delta3 @ weights[2].T) * a[2] * (1.0 - a[2])
        delta1 = (delta2 @ weights[1].T) * a[1] * (1.0 - a[1])
        weights[2] -= 0.1 * (a[2].T @ delta3)
        weights[1] -= 0.1 * (a[1].T @ delta2)
        weights[0] -= 0.1 * (a[0].T @ delta1)
    loss = squares / len(x)

x, y = points((0, 1))
y_hat = forward(weights, x)[3]
print(f"loss={np.mean((y_hat - y) ** 2):.5f} accuracy={np.mean((y_hat > 0.5) == y):.2%}")
