"""A classifier as the peers train it: ReLU, biases, softmax with cross-entropy, Adam, batches of 32."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from peers import fitted
from problem import Train

import funcnn

LR = 1e-3


@attrs.frozen(eq=False)
class Classes:
    """Train ``params`` on these samples and one-hot targets by Adam, in batches and in order."""

    params: funcnn.Params
    x: np.ndarray
    y: np.ndarray
    batch: int = 32

    @property
    def updates(self) -> int:
        """How many updates an epoch makes."""
        return -(-len(self.x) // self.batch)


def classes(sizes: tuple[int, ...], samples: int) -> Classes:
    """Return made data of so many samples, and a network for them."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(samples, sizes[0])), np.eye(sizes[-1])[rng.integers(sizes[-1], size=samples)]
    return Classes(funcnn.init(sizes, act="relu", out_act="none", bias=True, scheme="he"), x, y)


def _arrays(params: funcnn.Params) -> list[np.ndarray]:
    return [array for layer in params.layers for array in (layer.w, layer.b)]


def ours(engine: str) -> Callable[[Classes], Train]:
    """Return funcnn's training with an engine."""

    def prepare(problem: Classes) -> Train:
        def train(epochs: int) -> Any:
            params, history = funcnn.train(
                problem.params,
                problem.x,
                problem.y,
                lr=LR,
                epochs=epochs,
                batch_size=problem.batch,
                loss="softmax_cross_entropy",
                optimizer="adam",
                engine=engine,
            )
            return _arrays(params), history.loss

        return train

    return prepare


def public_loop(problem: Classes) -> Train:
    """Train by a plain loop over funcnn's public functions."""
    loss, n = "softmax_cross_entropy", len(problem.x)

    def train(epochs: int) -> Any:
        params, losses, t = problem.params, [], 0.0
        slots = funcnn.fresh_slots(funcnn.OPTIMIZERS["adam"], params)
        for _ in range(epochs):
            total = 0.0
            for begin in range(0, n, problem.batch):
                x, y = (array[begin : begin + problem.batch] for array in (problem.x, problem.y))
                value, gradient = funcnn.value_and_grads(params, x, y, loss=loss)
                t += 1.0
                params, slots = funcnn.optimizer_step("adam", params, gradient, slots, t, LR)
                total += value * len(x)
            losses.append(total / n)
        return _arrays(params), np.array(losses)

    return train


def torch_eager(problem: Classes) -> Train:
    """PyTorch's eager mode: nn.Linear, CrossEntropyLoss and torch.optim.Adam."""
    import torch

    x, y = torch.tensor(problem.x), torch.tensor(problem.y)
    batches = list(zip(x.split(problem.batch), y.split(problem.batch), strict=True))
    objective = torch.nn.CrossEntropyLoss()

    def train(epochs: int) -> Any:
        layers: list[Any] = []
        for layer in problem.params.layers:
            linear = torch.nn.Linear(*layer.w.shape, dtype=torch.float64)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(layer.w.T.copy()))
                linear.bias.copy_(torch.tensor(layer.b[0].copy()))
            layers += [linear, torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers[:-1])
        optimizer, losses = torch.optim.Adam(network.parameters(), lr=LR), []
        for _ in range(epochs):
            total = 0.0
            for xb, yb in batches:
                loss = objective(network(xb), yb)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(xb)
            losses.append(total / len(x))
        found = [parameter.detach().numpy() for parameter in network.parameters()]
        return [array.T if array.ndim > 1 else array[None] for array in found], np.array(losses)

    return train


def scikit_learn(problem: Classes) -> Train:
    """scikit-learn's MLPClassifier with adam, from weights of its own and with its ε elsewhere: not checked."""
    from sklearn.neural_network import MLPClassifier

    weights, labels = [layer.w for layer in problem.params.layers], problem.y.argmax(axis=1)
    how = {"learning_rate_init": LR}
    return lambda epochs: fitted(MLPClassifier, weights, problem.batch, epochs, problem.x, labels, **how)


CONTESTANTS: dict[str, Callable[[Classes], Train]] = {
    "funcnn compiled": ours("compiled"),
    "funcnn numpy": ours("numpy"),
    "plain loop": public_loop,
    "PyTorch eager": torch_eager,
    "scikit-learn *": scikit_learn,
}
