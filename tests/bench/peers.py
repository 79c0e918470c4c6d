"""The peers: each function takes a `Problem` and returns its training, or raises ImportError where it is missing.

All do the same arithmetic, the running loss of every epoch included; which peer's hand-written gradients are checked
against which automatic ones shows in the names. What a peer prepares once, compiling included, is not timed.
"""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from problem import Problem, Train

# --- NumPy as the textbooks write it ----------------------------------------------------------------------------------

APPLY: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
    "none": lambda z: z,
}
DERIVATIVE: dict[str, Callable[[Any, Any], Any]] = {
    "sigmoid": lambda z, a: a * (1.0 - a),
    "relu": lambda z, a: z > 0,
    "none": lambda z, a: 1,
}


def textbook(problem: Problem) -> Train:
    """NumPy, a list of weight matrices; an ensemble by broadcasting over its leading axis."""
    acts = [problem.hidden] * (len(problem.weights) - 1) + [problem.out]

    def train(epochs: int) -> Any:
        weights, losses = [w.copy() for w in problem.weights], []
        for _ in range(epochs):
            squares = 0.0
            for xb, yb in problem.batches():
                z, a = [], [xb]
                for w, act in zip(weights, acts, strict=True):
                    z.append(a[-1] @ w)
                    a.append(APPLY[act](z[-1]))
                error = a[-1] - yb
                squares = squares + np.sum(error * error, axis=(-2, -1))
                for index in reversed(range(len(weights))):
                    delta = error * DERIVATIVE[acts[index]](z[index], a[index + 1])
                    if index:
                        error = delta @ weights[index].swapaxes(-1, -2)
                    weights[index] -= problem.lr * (a[index].swapaxes(-1, -2) @ delta)
            losses.append(squares / problem.y.size)
        return weights, np.array(losses)

    return train


def matmuls(problem: Problem) -> Train:
    """Nothing but the matrix products of the updates, into buffers: what BLAS itself takes."""
    weights = problem.weights
    a = [np.ones((problem.batch, w.shape[0]), w.dtype) for w in weights]
    delta = [np.ones((problem.batch, w.shape[1]), w.dtype) for w in weights]
    z, error = [d.copy() for d in delta], [one.copy() for one in a]
    gradients = [w.copy() for w in weights]

    def train(epochs: int) -> Any:
        for _ in range(epochs):
            for xb, _ in problem.batches():
                for index, w in enumerate(weights):
                    np.matmul(a[index] if index else xb, w, z[index])
                for index in reversed(range(len(weights))):
                    np.matmul((a[index] if index else xb).T, delta[index], gradients[index])
                    if index:
                        np.matmul(delta[index], weights[index].T, error[index])
        return weights, np.zeros(epochs)

    return train


# --- C ----------------------------------------------------------------------------------------------------------------


@functools.cache
def _compiled_loop() -> Any:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise ImportError("no C compiler")
    source = Path(__file__).with_name("loop.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "loop.so"
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", source, "-o", library, "-lm"]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(library)).train


def c_loop(problem: Problem) -> Train:
    """loop.c with ``cc -O3 -march=native``, on one core."""
    loop = _compiled_loop()
    doubles = ctypes.POINTER(ctypes.c_double)
    x, y = np.ascontiguousarray(problem.x), np.ascontiguousarray(problem.y)
    members = problem.members

    def train(epochs: int) -> Any:
        flat = np.concatenate([w.reshape(members, -1) for w in problem.weights], axis=1)
        losses = np.empty((members, epochs))
        loop(
            flat.ctypes.data_as(doubles),
            ctypes.c_long(members),
            x.ctypes.data_as(doubles),
            y.ctypes.data_as(doubles),
            ctypes.c_long(len(x)),
            ctypes.c_long(problem.batch),
            ctypes.c_long(epochs),
            ctypes.c_double(problem.lr),
            losses.ctypes.data_as(doubles),
        )
        ends = np.cumsum([w[0].size if w.ndim == 3 else w.size for w in problem.weights])[:-1]
        pieces = np.split(flat, ends, axis=1)
        weights = [piece.reshape(w.shape) for piece, w in zip(pieces, problem.weights, strict=True)]
        return weights, losses.T if problem.weights[0].ndim == 3 else losses[0]

    return train


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def torch_eager(problem: Problem) -> Train:
    """PyTorch's eager mode with autograd and torch.optim.SGD, on as many threads as it takes."""
    import torch

    functions = {"sigmoid": torch.sigmoid, "relu": torch.relu, "none": lambda z: z}
    acts = [functions[problem.hidden]] * (len(problem.weights) - 1) + [functions[problem.out]]
    batches = [(torch.tensor(xb), torch.tensor(yb)) for xb, yb in problem.batches()]

    def train(epochs: int) -> Any:
        weights = [torch.tensor(w, requires_grad=True) for w in problem.weights]
        optimizer, losses = torch.optim.SGD(weights, lr=problem.lr), []
        for _ in range(epochs):
            total = 0.0
            for xb, yb in batches:
                a = xb
                for w, act in zip(weights, acts, strict=True):
                    a = act(a @ w)
                loss = ((a - yb) ** 2).sum() / 2
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item()
            losses.append(2 * total / problem.y.size)
        return [w.detach().numpy() for w in weights], np.array(losses)

    return train


# --- JAX --------------------------------------------------------------------------------------------------------------


def _jax(problem: Problem, automatic: bool) -> Train:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    functions = {
        "sigmoid": (lambda z: 1 / (1 + jnp.exp(-z)), lambda z, a: a * (1 - a)),
        "relu": (lambda z: jnp.maximum(z, 0), lambda z, a: (z > 0).astype(z.dtype)),
        "none": (lambda z: z, lambda z, a: jnp.ones_like(z)),
    }
    acts = [functions[problem.hidden]] * (len(problem.weights) - 1) + [functions[problem.out]]

    def predict(weights: Any, x: Any) -> Any:
        z, a = [], [x]
        for w, (act, _) in zip(weights, acts, strict=True):
            z.append(a[-1] @ w)
            a.append(act(z[-1]))
        return z, a

    def objective(weights: Any, x: Any, y: Any) -> Any:
        return ((predict(weights, x)[1][-1] - y) ** 2).sum() / 2

    def by_hand(weights: Any, x: Any, y: Any) -> Any:
        z, a = predict(weights, x)
        error, gradients = a[-1] - y, []
        value = (error**2).sum() / 2
        for index in reversed(range(len(weights))):
            delta = error * acts[index][1](z[index], a[index + 1])
            gradients.insert(0, a[index].T @ delta)
            error = delta @ weights[index].T
        return value, gradients

    value_and_grad = jax.value_and_grad(objective) if automatic else by_hand

    def update(weights: Any, batch: Any) -> Any:
        value, gradients = value_and_grad(weights, *batch)
        return [w - problem.lr * g for w, g in zip(weights, gradients, strict=True)], value

    xs, ys = (jnp.array(v).reshape(problem.updates, problem.batch, -1) for v in (problem.x, problem.y))

    @functools.partial(jax.jit, static_argnums=1)
    def run(weights: Any, epochs: int) -> Any:
        def epoch(weights: Any, _: None) -> Any:
            if problem.updates == 1:  # a scan over one batch costs more than none
                weights, value = update(weights, (xs[0], ys[0]))
                return weights, 2 * value / problem.y.size
            weights, values = jax.lax.scan(update, weights, (xs, ys))
            return weights, 2 * values.sum() / problem.y.size

        def network(weights: Any) -> Any:
            return jax.lax.scan(epoch, weights, None, length=epochs)

        if problem.weights[0].ndim == 2:
            return network(weights)
        weights, losses = jax.vmap(network)(weights)
        return weights, losses.T

    start = [jnp.array(w) for w in problem.weights]

    def train(epochs: int) -> Any:
        weights, losses = jax.block_until_ready(run(start, epochs))
        return [np.asarray(w) for w in weights], np.asarray(losses)

    return train


def jax_by_hand(problem: Problem) -> Train:
    """JAX, jit over scan (and vmap), with the textbook's gradients."""
    return _jax(problem, automatic=False)


def jax_grad(problem: Problem) -> Train:
    """JAX, jit over scan (and vmap), with jax.grad."""
    return _jax(problem, automatic=True)


# --- HIPS autograd ----------------------------------------------------------------------------------------------------


def hips_autograd(problem: Problem) -> Train:
    """HIPS autograd: value_and_grad of the objective in NumPy's terms."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    functions = {"sigmoid": lambda z: 1 / (1 + anp.exp(-z)), "relu": lambda z: anp.maximum(z, 0), "none": lambda z: z}
    acts = [functions[problem.hidden]] * (len(problem.weights) - 1) + [functions[problem.out]]

    def objective(weights: Any, x: Any, y: Any) -> Any:
        a = x
        for w, act in zip(weights, acts, strict=True):
            a = act(anp.dot(a, w))
        return anp.sum((a - y) ** 2) / 2

    step = value_and_grad(objective)

    def train(epochs: int) -> Any:
        weights, losses = list(problem.weights), []
        for _ in range(epochs):
            total = 0.0
            for xb, yb in problem.batches():
                value, gradients = step(weights, xb, yb)
                weights = [w - problem.lr * g for w, g in zip(weights, gradients, strict=True)]
                total += value
            losses.append(2 * total / problem.y.size)
        return weights, np.array(losses)

    return train


# --- scikit-learn -----------------------------------------------------------------------------------------------------


def fitted(
    make: Callable[..., Any], weights: list[np.ndarray], batch: int, epochs: int, x: Any, y: Any, **more: Any
) -> Any:
    """Train one of scikit-learn's networks, with layers like ``weights``, for so many epochs in the samples' order."""
    import warnings

    network = make(
        hidden_layer_sizes=tuple(w.shape[-1] for w in weights[:-1]),
        alpha=0.0,
        batch_size=batch,
        shuffle=False,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=epochs + 1,
        random_state=0,
        **more,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        network.fit(x, y)
    return network.coefs_, np.array(network.loss_curve_)


def scikit_learn(problem: Problem) -> Train:
    """scikit-learn's MLPRegressor, with sgd: always with bias, and with the identity at the output.

    So its numbers cannot be those of the others: it is timed and not checked.
    """
    from sklearn.neural_network import MLPRegressor

    y = problem.y.ravel() if problem.y.shape[1] == 1 else problem.y
    how = {
        "activation": {"sigmoid": "logistic"}.get(problem.hidden, problem.hidden),
        "solver": "sgd",
        "momentum": 0.0,
        "learning_rate_init": problem.lr,
    }
    return lambda epochs: fitted(MLPRegressor, problem.weights, problem.batch, epochs, problem.x, y, **how)
