"""The jax engine: against JAX written by hand, compiling included, and against the other engines on this machine.

    python tests/bench/traced.py [--most MEMBERS] [--rounds N] [--json FILE]

The first table holds seconds of whole trainings, 9,000 epochs of the lab's network and fewer of others, each by a JAX
that has compiled nothing, and once more when it has; by hand means jit over scan (and vmap) with the textbook's
gradients, with losses and accuracies of the epochs, and with members that stop when they diverge. The second holds
milliseconds of an update by each engine, when all is compiled: ensembles of 2-3-3-1 on all of XOR at once, and
784-512-512-10 in float32. Contestants take turns, and are checked to give the same numbers. All runs on whatever
accelerator JAX finds, or on the processor.
"""

import functools
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
from problem import Problem, digits, lab
from timing import interleaved, seconds

import funcnn
from funcnn import engines

#: Activations and their derivatives, as the textbooks write them.
ACTS: dict[str, tuple[Any, Any]] = {
    "sigmoid": (lambda z: 1 / (1 + jnp.exp(-z)), lambda z, a: a * (1 - a)),
    "relu": (lambda z: jnp.maximum(z, 0), lambda z, a: (z > 0).astype(z.dtype)),
    "none": (lambda z: z, lambda z, a: jnp.ones_like(z)),
}
#: What is trained whole, and for how many epochs.
WHOLE: dict[str, tuple[Problem, int]] = {
    "2-3-3-1, one sample": (lab(), 9000),
    "2-3-3-1, all 21": (lab(full=True), 9000),
    "1,000 of them, one sample": (lab(1000), 500),
    "1,000 of them, all 21": (lab(1000, full=True), 500),
    "784-512-512-10, batch 128": (digits("relu"), 50),
}
#: Seconds that a timed call of the second table takes, at least.
TARGET = 0.5


def by_hand(problem: Problem) -> Callable[[int], Any]:
    """Return jit over scan, compiled anew for each number of epochs; and vmap over members."""
    functions = [ACTS[problem.hidden]] * (len(problem.weights) - 1) + [ACTS[problem.out]]

    def update(weights: Any, batch: Any) -> Any:
        (x, y), z, new = batch, [], list(weights)
        a = [x]
        for w, (act, _) in zip(weights, functions, strict=True):
            z.append(a[-1] @ w)
            a.append(act(z[-1]))
        error = a[-1] - y
        squares = jnp.sum(error * error)
        if y.shape[-1] > 1:
            hits = jnp.sum(jnp.argmax(a[-1], axis=-1) == jnp.argmax(y, axis=-1))
        else:
            hits = jnp.sum((a[-1] > 0.5) == (y > 0.5))
        for index in reversed(range(len(weights))):
            delta = error * functions[index][1](z[index], a[index + 1])
            new[index] = weights[index] - problem.lr * (a[index].T @ delta)
            error = delta @ weights[index].T
        return new, (squares, hits)

    @functools.partial(jax.jit, static_argnums=3)
    def run(weights: Any, xs: Any, ys: Any, epochs: int) -> Any:
        def epoch(carry: Any, _: None) -> Any:
            weights, running = carry
            if problem.updates == 1:
                new, (squares, hits) = update(weights, (xs[0], ys[0]))
            else:
                new, (squares, hits) = jax.lax.scan(update, weights, (xs, ys))
            new = [jnp.where(running, ours, theirs) for ours, theirs in zip(new, weights, strict=True)]
            finite = functools.reduce(jnp.logical_and, [jnp.isfinite(w).all() for w in new])
            figures = squares.sum() / problem.y.size, hits.sum() / len(problem.y)
            return (new, running & finite), tuple(jnp.where(running, figure, jnp.nan) for figure in figures)

        def network(weights: Any) -> Any:
            (weights, _), figures = jax.lax.scan(epoch, (weights, jnp.array(True)), None, length=epochs)
            return weights, figures

        if problem.weights[0].ndim == 2:
            return network(weights)
        weights, (losses, accuracies) = jax.vmap(network)(weights)
        return weights, (losses.T, accuracies.T)

    def train(epochs: int) -> Any:
        xs, ys = (v.reshape(problem.updates, problem.batch, -1) for v in (problem.x, problem.y))
        with jax.default_matmul_precision("highest"):
            weights, (losses, accuracies) = run(problem.weights, xs, ys, epochs)
        return [np.asarray(w) for w in weights], np.asarray(losses), np.asarray(accuracies)

    return train


def by_us(problem: Problem, engine: str) -> Callable[[int], Any]:
    """Return funcnn's training; gradient norms are measured once."""

    def train(epochs: int) -> Any:
        params, history = funcnn.train(
            problem.params, problem.x, problem.y,
            lr=problem.lr, epochs=epochs, batch_size=problem.batch, engine=engine, log_every=10**9,
        )  # fmt: skip
        assert history.engine == engine
        return [layer.w for layer in params.layers], history.loss, history.accuracy

    return train


def assert_same(ours: Any, theirs: Any) -> None:
    """Compare weights and losses, which chaos is not to have parted yet."""
    tolerance = 1e-9 if ours[1].dtype == np.float64 else 1e-3
    for one, other in zip([*ours[0], ours[1]], [*theirs[0], theirs[1]], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def whole_trainings(rounds: int) -> dict[str, Any]:
    """Time whole trainings by hand and by us, from an empty cache and again."""
    found: dict[str, Any] = {}
    for name, (problem, epochs) in WHOLE.items():
        contestants = {"by hand": by_hand(problem), "funcnn": by_us(problem, "jax")}
        assert_same(*(train(20) for train in contestants.values()))

        def first(train: Callable[[int], Any], epochs: int = epochs) -> None:
            jax.clear_caches()
            train(epochs)

        taken = interleaved({key: functools.partial(first, train) for key, train in contestants.items()}, rounds)
        for train in contestants.values():
            train(epochs)
        again = interleaved({key: functools.partial(train, epochs) for key, train in contestants.items()}, rounds)
        found[name] = {"compiling included": _ratio(taken), "again": _ratio(again)}
        cells = [f"{one[key]:8.3f}" for one in found[name].values() for key in ("by hand", "funcnn", "ratio")]
        click.echo(f"{name:28}{''.join(cells[:3])}    {''.join(cells[3:])}")
    return found


def _ratio(taken: dict[str, list[float]]) -> dict[str, float]:
    ratios = [ours / theirs for ours, theirs in zip(taken["funcnn"], taken["by hand"], strict=True)]
    return {name: statistics.median(times) for name, times in taken.items()} | {"ratio": statistics.median(ratios)}


def updates(most: int, rounds: int) -> dict[str, dict[str, float]]:
    """Time updates by each engine."""
    problems = {f"{members:,} members": lab(members, full=True) for members in (10**3, 10**4, 10**5, 10**6)}
    problems = {name: problem for name, problem in problems.items() if problem.members <= most}
    problems["784-512-512-10"] = digits("relu")
    found = {}
    for name, problem in problems.items():
        trains = {engine: by_us(problem, engine) for engine in engines.ENGINES}
        results = [train(2) for train in trains.values()]
        for other in results[1:]:
            assert_same(results[0], other)
        epochs = {}
        for engine, train in trains.items():
            one, few = (seconds(functools.partial(train, count)) for count in (1, 4))
            epochs[engine] = max(3, round(TARGET / max(1e-5, (few - one) / 3)))
        runs = {engine: functools.partial(train, 1 + epochs[engine]) for engine, train in trains.items()}
        few = interleaved({engine: functools.partial(train, 1) for engine, train in trains.items()}, rounds)
        many = interleaved(runs, rounds)
        found[name] = {
            engine: (min(many[engine]) - min(few[engine])) / epochs[engine] / problem.updates for engine in trains
        }
        click.echo(f"{name:28}" + "".join(f"{1e3 * value:12.4f}" for value in found[name].values()))
    return found


@click.command(help=__doc__)
@click.option("--most", default=10**6, help="Members of the largest ensemble.")
@click.option("--rounds", default=5)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Also write the numbers there.")
def main(most: int, rounds: int, file: Path | None) -> None:
    """Print both tables."""
    jax.config.update("jax_enable_x64", True)
    click.echo(f"JAX {jax.__version__} on {', '.join(sorted({device.device_kind for device in jax.devices()}))}\n")
    click.echo(f"{'seconds of a training':28} by hand  funcnn   ratio     by hand  funcnn   ratio")
    whole = whole_trainings(rounds)
    click.echo(f"\n{'ms of an update':28}" + "".join(f"{name:>12}" for name in engines.ENGINES))
    each = updates(most, rounds)
    if file:
        file.write_text(json.dumps({"trainings": whole, "updates": each}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
