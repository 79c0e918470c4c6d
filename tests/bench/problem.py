"""What all contestants of a work are given, and what they give back."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

import funcnn

#: From the number of epochs: the final weights layer by layer, and the loss of each epoch, (T,) or (T, K).
Train = Callable[[int], tuple[list[np.ndarray], np.ndarray]]


@attrs.frozen(eq=False)
class Problem:
    """Train a network without bias on ½ Σ (ŷ − y)² by gradient descent, in the samples' order.

    ``weights`` are those to start from, (fan_in, fan_out) or (K, fan_in, fan_out); ``hidden`` and ``out`` name the
    activations.
    """

    weights: list[np.ndarray]
    x: np.ndarray
    y: np.ndarray
    batch: int
    lr: float = 0.1
    hidden: str = "sigmoid"
    out: str = "sigmoid"

    @property
    def params(self) -> funcnn.Params:
        """The start as funcnn's record."""
        last = len(self.weights) - 1
        return funcnn.Params(
            funcnn.Layer(w, act=self.out if index == last else self.hidden) for index, w in enumerate(self.weights)
        )

    @property
    def members(self) -> int:
        """How many networks there are."""
        return len(self.weights[0]) if self.weights[0].ndim == 3 else 1

    @property
    def updates(self) -> int:
        """How many updates an epoch makes."""
        return -(-len(self.x) // self.batch)

    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the batches of an epoch."""
        cuts = range(0, len(self.x), self.batch)
        return [(self.x[cut : cut + self.batch], self.y[cut : cut + self.batch]) for cut in cuts]


def lab(members: int | None = None, *, full: bool = False) -> Problem:
    """Return the lab's XOR with 2-3-3-1: one network or so many, sample by sample or all 21 at once."""
    data = funcnn.xor()
    params = funcnn.init((2, 3, 3, 1), seed=14 if members is None else range(members))
    return Problem([layer.w for layer in params.layers], data.x, data.y, len(data.x) if full else 1)


def digits(hidden: str) -> Problem:
    """Return 784-512-512-10 on made-up digits, float32, batches of 128."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(512, 784)).astype(np.float32)
    y = np.eye(10, dtype=np.float32)[rng.integers(10, size=512)]
    params = funcnn.init((784, 512, 512, 10), scheme="glorot", dtype=np.float32)
    return Problem([layer.w for layer in params.layers], x, y, 128, 1e-4, hidden, "none")


def train_funcnn(problem: Problem, engine: str) -> Train:
    """Return funcnn's training with an engine."""

    def train(epochs: int) -> Any:
        params, history = funcnn.train(
            problem.params,
            problem.x,
            problem.y,
            lr=problem.lr,
            epochs=epochs,
            batch_size=problem.batch,
            engine=engine,
        )
        return [layer.w for layer in params.layers], history.loss

    return train
