"""The lab's linear run as a script in JAX: 2-3-3-1, sigmoid, 100 points, sample by sample; jit over two scans.

python jax_linear.py [EPOCHS]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def points(seed):
    x = np.random.default_rng(seed).uniform(size=(100, 2))
    return jnp.array(x), jnp.array(np.where(x[:, :1] > x[:, 1:], 0.0, 1.0))


def predict(weights, x):
    for w in weights:
        x = 1.0 / (1.0 + jnp.exp(-(x @ w)))
    return x


def objective(weights, x, y):
    return jnp.sum((predict(weights, x) - y) ** 2) / 2


def update(weights, sample):
    value, gradients = jax.value_and_grad(objective)(weights, *sample)
    return [w - 0.1 * g for w, g in zip(weights, gradients, strict=True)], value


def epoch(weights, _):
    weights, values = jax.lax.scan(update, weights, (x[:, None], y[:, None]))
    return weights, 2 * jnp.mean(values)


epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
x, y = points(0)
rng = np.random.default_rng(14)
weights = [jnp.array(rng.standard_normal(shape)) for shape in ((2, 3), (3, 3), (3, 1))]
weights, losses = jax.jit(lambda weights: jax.lax.scan(epoch, weights, None, length=epochs))(weights)
x, y = points((0, 1))
y_hat = np.asarray(predict(weights, x))
print(f"loss={np.mean((y_hat - y) ** 2):.5f} accuracy={np.mean((y_hat > 0.5) == y):.2%}")
