"""Which engine is faster where: both, timed over a grid of sizes and optimizers, against what "auto" chooses.

    python tests/bench/grid.py [--json FILE]

Networks are 2-width-width-1, sigmoid, float64. A time is that of one update of all members, the smallest of some
rounds, without what a run costs once: the clock starts when ``progress`` is told that the first epoch is over.
"""

import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

import funcnn
from funcnn import Plan, engines

OPTIMIZERS, BATCHES, WIDTHS, MEMBERS = ("sgd", "adam"), (1, 8, 32, 128, 512), (2, 8, 32, 128, 512), (1, 10, 100, 1000)
ENGINES = ("numpy", "compiled")
#: Samples of an epoch, at least; where that would take long, some batches, so that what an epoch costs does not show.
SAMPLES, FEW_BATCHES = 64, 4
#: Multiplications of one update and bytes of weights beyond which a point is left out.
MOST_WORK, MOST_BYTES = 8e8, 1 << 28
#: Seconds that a timed run should take, and how many times it is run.
TARGET, ROUNDS = 0.2, 2
#: Epochs of a timed run, at least.
FEWEST = 2
#: What "auto" is asked about: a run long enough for start-up not to matter.
LONG = 10_000_000


def problem(optimizer: str, batch: int, width: int, members: int) -> tuple[funcnn.Params, dict[str, Any], float]:
    """Return the network, the arguments of ``train`` and the multiplications of an update."""
    seed = 0 if members == 1 else range(members)
    weights = 2 * width + width * width + width
    work = 3.0 * batch * weights * members
    n = batch * max(1, SAMPLES // batch) if work * SAMPLES / batch < MOST_WORK / 4 else batch * FEW_BATCHES
    params = funcnn.init((2, width, width, 1), seed=seed, scheme="glorot")
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(n, 2)), rng.uniform(size=(n, 1))
    return params, {"x": x, "y": y, "lr": 1e-3, "batch_size": batch, "optimizer": optimizer}, work


def too_large(batch: int, width: int, members: int) -> bool:
    """Tell whether a point would take more than some seconds or more room than a small machine has."""
    weights = 3 * width + width * width
    return 3.0 * batch * weights * members > MOST_WORK or 8 * weights * members > MOST_BYTES


def times(optimizer: str, batch: int, width: int, members: int) -> dict[str, float]:
    """Return seconds per update of both engines."""
    params, given, _ = problem(optimizer, batch, width, members)
    updates = given["x"].shape[0] // batch

    def took(engine: str, epochs: int) -> float:
        stamps: list[float] = []
        funcnn.train(
            params,
            **given,
            engine=engine,
            epochs=1 + epochs,
            log_every=LONG,
            snapshots=(1,),
            progress=lambda done: stamps.append(time.perf_counter()),
        )
        return stamps[-1] - stamps[0]

    epochs = {}
    for engine in ENGINES:
        count, once = 1, took(engine, 1)
        while once < TARGET / 4:
            count *= 8
            once = took(engine, count)
        epochs[engine] = max(FEWEST, round(count * TARGET / once))
    best = dict.fromkeys(ENGINES, math.inf)
    for _ in range(ROUNDS):
        for engine in ENGINES:
            best[engine] = min(best[engine], took(engine, epochs[engine]) / (epochs[engine] * updates))
    return best


def chosen(optimizer: str, batch: int, width: int, members: int) -> str:
    """Return what ``engine="auto"`` means there."""
    params, given, _ = problem(optimizer, batch, width, members)
    plan = Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS[optimizer], batch)
    return engines.choose("auto", plan, engines.shapes_of(params, given["x"].shape[0]), LONG).name


def point(optimizer: str, batch: int, width: int, members: int) -> dict[str, Any]:
    """Measure one point of the grid."""
    where = {"optimizer": optimizer, "batch": batch, "width": width, "members": members}
    measured, auto = times(**where), chosen(**where)
    best = min(measured, key=measured.__getitem__)
    ratio = measured[auto] / measured[best]
    return {**where, **measured, "best": best, "auto": auto, "ratio": ratio}


@click.command(help=__doc__)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Also write the points there.")
def main(file: Path | None) -> None:
    """Print the grid."""
    points = []
    click.echo(
        f"{'':9} {'batch':>5} {'width':>5} {'members':>7} {'numpy µs':>12} {'compiled µs':>12}"
        "  best      auto      auto/best"
    )
    for optimizer, batch, width, members in itertools.product(OPTIMIZERS, BATCHES, WIDTHS, MEMBERS):
        where = f"{optimizer:9} {batch:5d} {width:5d} {members:7d}"
        if too_large(batch, width, members):
            likely = chosen(optimizer, batch, width, 2)
            click.echo(f"{where}  left out: more than some seconds or too many bytes; auto: {likely}")
            continue
        p = point(optimizer, batch, width, members)
        points.append(p)
        cells = (
            f"{p['numpy'] * 1e6:12.2f} {p['compiled'] * 1e6:12.2f}  {p['best']:8s}  {p['auto']:8s}  {p['ratio']:9.2f}"
        )
        click.echo(f"{where} {cells}")
    worst = max(points, key=lambda p: p["ratio"])
    near = sum(p["ratio"] <= 1.2 for p in points)
    click.echo(
        f"worst auto/best: {worst['ratio']:.2f} with {worst['optimizer']} at batch {worst['batch']}, "
        f"width {worst['width']}, members {worst['members']}; {near} of {len(points)} points within 1.2"
    )
    if file:
        file.write_text(json.dumps(points, indent=1))


if __name__ == "__main__":
    main()
