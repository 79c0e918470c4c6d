"""One side of a comparison: answers calls with the funcnn that it finds, through funcnn's public face alone.

``python worker.py`` reads pickled ``(command, arguments)`` from stdin and writes pickled ``(fine, answer)`` to stdout.
"""

import functools
import os
import pickle
import signal
import statistics
import sys
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import growth
import numpy as np
import peers
from cases import Case, Work
from problem import Problem, digits, lab, train_funcnn
from timing import seconds

import funcnn

#: Samples, features, outputs and batch of the data set whose training should need no more room than a batch.
SAMPLES, FEATURES, OUTPUTS, BATCH = 20_000, 20, 10, 32


def _softsign(z: Any) -> Any:
    return z / (1.0 + abs(z))


def _softsign_derivative(z: Any, a: Any) -> Any:
    return (1.0 - abs(a)) * (1.0 - abs(a))


OWN = funcnn.Activation("softsign", _softsign, _softsign_derivative)


def about() -> tuple[str, str]:
    """Return which funcnn this is, and why it has no compiled engine, if it has none."""
    data = funcnn.xor()
    try:
        funcnn.train(funcnn.init((2, 1)), data.x, data.y, epochs=1, engine="compiled")
    except ValueError as error:
        return funcnn.__file__, str(error)
    return funcnn.__file__, ""


# --- bits -------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and targets; a member's own ones are noise around them."""
    rng = np.random.default_rng(5)
    if (case.sizes[0], case.sizes[-1]) == (2, 1):
        data = funcnn.xor() if case.data == "xor" else funcnn.linear(case.samples)
        x, y = data.x, data.y
    else:
        x = rng.uniform(size=(case.samples, case.sizes[0]))
        y = rng.integers(2, size=(case.samples, case.sizes[-1])).astype(float)
    if "x" in case.own:
        x = x + 0.1 * rng.standard_normal((case.members or 1, *x.shape))
    if "y" in case.own:
        y = np.where(rng.uniform(size=(case.members or 1, *y.shape)) < 0.1, 1 - y, y)
    return x, y


def _start(case: Case) -> funcnn.Params:
    acts = [case.act] * (len(case.sizes) - 1) if isinstance(case.act, str) else case.act
    return funcnn.init(
        case.sizes,
        seed=case.seed if case.members is None else range(case.seed, case.seed + case.members),
        act=[OWN if act == "own" else act for act in acts],
        bias=case.bias,
        scheme="normal" if case.sizes[0] < 10 else "glorot",
        dtype=np.dtype(case.dtype),
    )


def _arrays(params: funcnn.Params) -> list[np.ndarray]:
    return [array for layer in params.layers for array in (layer.w, layer.b) if array is not None]


def trained(case: Case, engine: str) -> dict[str, Any]:
    """Train a case; return the weights and what the history holds, or what was raised."""
    x, y = _data(case)
    try:
        params, history = funcnn.train(
            _start(case),
            x,
            y,
            lr=case.lr,
            epochs=case.epochs,
            loss=case.loss,
            batch_size=case.batch,
            shuffle=case.shuffle,
            shuffle_seed=3,
            engine=engine,
            log_every=max(1, case.epochs // 3),
            snapshots=(0, case.epochs // 4, case.epochs),
            threads=case.threads,
        )
    except Exception as error:  # a side that refuses is a difference, not the end of the comparison
        return {"error": f"{type(error).__name__}: {error}"}
    snapshots = [(epoch, _arrays(kept)) for epoch, kept in history.snapshots]
    return {
        "weights": _arrays(params),
        "loss": [history.loss],
        "accuracy": [history.accuracy],
        "epochs": [history.epoch],
        "snapshots": [np.array([epoch for epoch, _ in snapshots]), *(one for _, kept in snapshots for one in kept)],
        "grad_norm": [history.logged, history.grad_norm],
    }


def plain(case: Case) -> dict[str, Any]:
    """Train a case by the loop that the README defines training as."""
    params, (x, y) = _start(case), _data(case)
    x, y = x.astype(case.dtype), y.astype(case.dtype)
    rows = len(x) if case.batch == "full" else case.batch
    with np.errstate(all="ignore"):  # divergence is a result
        for begin in list(range(0, len(x), rows)) * case.epochs:
            xb, yb = x[begin : begin + rows], y[begin : begin + rows]
            params = funcnn.sgd_step(params, funcnn.grads(params, xb, yb, loss=case.loss), lr=case.lr)
    return {"weights": _arrays(params)}


# --- time -------------------------------------------------------------------------------------------------------------


@functools.cache
def _problem(work: Work) -> Problem:
    if work.large:
        return digits(work.act)
    return attrs.evolve(lab(work.members, full=work.full), hidden=work.act, out=work.act, lr=work.lr)


def updates(work: Work) -> int:
    """Return how many updates an epoch makes, and make what the work needs."""
    return _problem(work).updates


def train(work: Work, epochs: int) -> float:
    """Train; return the share of members whose last two losses differ: one that stands still costs nothing."""
    _, loss = train_funcnn(_problem(work), work.engine)(epochs)
    return float(np.mean(loss[-1] != loss[-2])) if len(loss) > 1 else 1.0


def textbook(work: Work, epochs: int) -> None:
    """Train by the textbook's NumPy loop."""
    peers.textbook(_problem(work))(epochs)


# --- contract ---------------------------------------------------------------------------------------------------------


def spans(engine: str, epochs: int) -> tuple[float, float]:
    """Return the seconds for so many epochs of the lab, each with a snapshot, and for the same without."""
    data, params = funcnn.xor(), funcnn.init((2, 3, 3, 1), seed=14)

    def took(kept: range) -> float:
        def run() -> None:
            funcnn.train(params, data.x, data.y, epochs=epochs, engine=engine, snapshots=kept)

        run()
        return statistics.median(seconds(run) for _ in range(5))

    return took(range(epochs)), took(range(0))


def _bytes(run: Callable[[int], tuple[Any, Any]], epochs: int) -> tuple[int, int]:
    """Return the bytes a run needs at its peak beyond what it returns, and those of what it returns."""
    params, history = run(epochs)
    kept = [*_arrays(params), history.epoch, history.loss, history.accuracy, history.logged, history.grad_norm]
    return growth.beyond(run, epochs), sum(array.nbytes for array in kept)


def memory_lab(engine: str, epochs: int) -> tuple[int, int]:
    """Return what `_bytes` does for the lab's XOR."""
    data, params = funcnn.xor(), funcnn.init((2, 3, 3, 1), seed=14)
    return _bytes(lambda count: funcnn.train(params, data.x, data.y, epochs=count, engine=engine), epochs)


def memory_many(epochs: int) -> dict[str, int]:
    """Return the bytes of training on many samples, shuffled, and those of what they may be compared with."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(SAMPLES, FEATURES)), rng.integers(2, size=(SAMPLES, OUTPUTS)).astype(float)
    params = funcnn.init((FEATURES, 16, OUTPUTS), scheme="glorot")

    def run(count: int) -> Any:
        return funcnn.train(
            params, x, y, lr=1e-3, epochs=count, loss="mse", batch_size=BATCH, shuffle=True, engine="numpy"
        )

    beyond, returned = _bytes(run, epochs)
    sizes = {"data": x.nbytes + y.nbytes, "predictions of an epoch": y.nbytes, "order of an epoch": 8 * SAMPLES}
    return {"beyond": beyond, "returned": returned, **sizes, "batch": (x.nbytes + y.nbytes) * BATCH // SAMPLES}


COMMANDS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (about, trained, plain, updates, train, textbook, spans, memory_lab, memory_many)
}


def main() -> None:
    """Answer calls until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends this
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that prints is to get between the answers
    while True:
        try:
            command, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = True, COMMANDS[command](*arguments)
        except Exception:
            answer = False, traceback.format_exc()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
