"""Time funcnn beside its peers, on the same arithmetic, in one run.

python tests/bench [WORK ...] [--rounds N] [--json FILE]
"""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import classes
import click
import growth
import numpy as np
import peers
import processes
from problem import Problem, Train, digits, lab, train_funcnn
from timing import interleaved, repeats, spread

#: Seconds of one timed run of one contestant; ensembles get more, so that what a run costs once does not show.
TARGET = 0.15
#: Epochs after which the contestants' weights and losses are compared.
CHECKED = 3


def _ours(engine: str) -> Callable[[Problem], Train]:
    return lambda problem: train_funcnn(problem, engine)


OURS = {"funcnn compiled": _ours("compiled"), "funcnn numpy": _ours("numpy")}
JAX = {"JAX, by hand": peers.jax_by_hand, "JAX, jax.grad": peers.jax_grad}
SOLO = {
    **OURS,
    "C loop": peers.c_loop,
    **JAX,
    "textbook NumPy": peers.textbook,
    "HIPS autograd": peers.hips_autograd,
    "PyTorch eager": peers.torch_eager,
    "scikit-learn *": peers.scikit_learn,
}
ENSEMBLE = {**OURS, "C loop, one core": peers.c_loop, **JAX, "textbook NumPy": peers.textbook}
LARGE = {
    "funcnn numpy": _ours("numpy"),
    "its products alone *": peers.matmuls,
    "PyTorch eager": peers.torch_eager,
    **JAX,
    "textbook NumPy": peers.textbook,
}


@attrs.frozen
class Work:
    """A work: a problem, who does it, and the unit in which its time is given.

    ``per`` tells how many of those units an epoch holds. The contestants are checked against ``reference``, but for one
    whose name ends in *, which does other arithmetic.
    """

    title: str
    unit: str
    scale: float
    problem: Callable[[], Any]
    per: Callable[[Any], int]
    contestants: dict[str, Callable[[Any], Train]]
    tolerance: float = 1e-9
    target: float = TARGET
    reference: Callable[[Any], Train] = peers.textbook


def _works() -> dict[str, Work]:
    works = {}
    for kind, full in (("sample", False), ("full", True)):
        how = "all 21 samples at once" if full else "sample by sample"
        works[f"solo-{kind}"] = Work(
            f"XOR, 2-3-3-1, {how}", "µs per update", 1e6, lambda full=full: lab(full=full), lambda p: p.updates, SOLO
        )
        for members in (10, 100, 1000, 10000):
            works[f"ensemble-{members}-{kind}"] = Work(
                f"{members} networks, XOR, 2-3-3-1, {how}",
                "µs per network and update",
                1e6,
                lambda members=members, full=full: lab(members, full=full),
                lambda p: p.updates * p.members,
                ENSEMBLE,
                target=TARGET if members < 1000 else 4 * TARGET,
            )
    for hidden in ("relu", "sigmoid"):
        works[f"large-{hidden}"] = Work(
            f"784-512-512-10, {hidden}, float32, batch 128",
            "ms per update",
            1e3,
            lambda hidden=hidden: digits(hidden),
            lambda p: p.updates,
            LARGE,
            1e-3,
            8 * TARGET,
        )
    for sizes, samples in (((13, 32, 3), 178), ((64, 100, 10), 1797)):
        layers = "-".join(map(str, sizes))
        works[f"adam-{layers}"] = Work(
            f"{layers}, relu, softmax, Adam, batch 32",
            "µs per update",
            1e6,
            lambda sizes=sizes, samples=samples: classes.classes(sizes, samples),
            lambda p: p.updates,
            classes.CONTESTANTS,
            1e-8,
            reference=classes.public_loop,
        )
    return works


WORKS = _works()
NAMES = (*WORKS, "processes", "growth")


def _agree(name: str, given: Any, expected: Any, tolerance: float) -> None:
    """Refuse a contestant that does not compute what the others do."""
    (weights, losses), (right_weights, right_losses) = given, expected
    for value, right in zip([*weights, losses], [*right_weights, right_losses], strict=True):
        np.testing.assert_allclose(value, right, rtol=tolerance, atol=tolerance, err_msg=name)


def _timed(work: Work, rounds: int) -> tuple[dict[str, list[float]], list[str]]:
    """Check the contestants against each other, then time them; return times per unit and what was skipped."""
    problem, trains, notes = work.problem(), {}, []
    expected = work.reference(problem)(CHECKED)
    for name, prepare in work.contestants.items():
        try:
            trains[name] = prepare(problem)
            given = trains[name](CHECKED)
        except (ImportError, subprocess.CalledProcessError) as error:
            trains.pop(name, None)
            notes.append(f"{name}: skipped, {error}")
            continue
        except ValueError as error:  # an engine that this machine does not have
            if "engine 'compiled'" not in str(error):
                raise
            trains.pop(name)
            notes.append(f"{name}: skipped, {error}")
            continue
        if not name.endswith("*"):
            _agree(name, given, expected, work.tolerance)
    epochs = {name: repeats(train, work.target) for name, train in trains.items()}
    runs = {name: lambda name=name: trains[name](epochs[name]) for name in trains}
    for run in runs.values():
        run()  # compiled for these epochs
    taken = interleaved(runs, rounds)
    units = {name: epochs[name] * work.per(problem) / work.scale for name in trains}
    return {name: [t / units[name] for t in times] for name, times in taken.items()}, notes


def _processes(rounds: int) -> tuple[dict[str, list[float]], list[str]]:
    """Time whole processes, few rounds since they take long."""
    commands, notes = processes.contestants()
    runs = {name: lambda command=command: processes.result(command) for name, (command, _) in commands.items()}
    taken = interleaved(runs, min(rounds, 3))
    return {name: [t * commands[name][1] for t in times] for name, times in taken.items()}, notes


def _table(name: str, title: str, unit: str, times: dict[str, list[float]], notes: list[str]) -> list[dict[str, Any]]:
    """Print one work; the ratios are those of each round's neighbours, their median and range."""
    ours = [one for one in times if one.startswith("funcnn")]
    click.echo(f"\n{name}: {title}")
    heads = "".join(f"{one + ' ÷ it':>28}" for one in ours)
    click.echo(f"  {'':28} {unit:>26}{heads}")
    rows = []
    for contestant, taken in times.items():
        ratios = {one: [a / b for a, b in zip(times[one], taken, strict=True)] for one in ours}
        cells = "".join(f"{'' if one == contestant else spread(ratios[one]):>28}" for one in ours)
        click.echo(f"  {contestant:28} {statistics.median(taken):26.4g}{cells}")
        rows.append({"work": name, "contestant": contestant, "unit": unit, "times": taken, "ratios": ratios})
    for note in notes:
        click.echo(f"  {note}")
    return rows


def _growth(rounds: int) -> list[dict[str, Any]]:
    """Print how cost grows."""
    click.echo("\ngrowth: time from doubling to doubling, and bytes at the peak beyond parameters and history")
    rows = []
    for line in growth.lines(rounds):
        ratios = "  ".join(f"× {ratio:.2f}" for ratio in line["ratios"])
        held = "  ".join(f"{size / 1024:.0f} KiB" for size in line["bytes"])
        click.echo(f"  {line['axis']:8} {line['engine']:9} {line['seconds'][0] * 1e3:7.1f} ms  {ratios}   {held}")
        rows.append({"work": "growth", **line})
    return rows


def _chosen(works: tuple[str, ...]) -> list[str]:
    """Return the works whose names begin as given, all of them if none is given."""
    for one in works:
        if not any(name.startswith(one) for name in NAMES):
            raise click.UsageError(f"no work begins with {one!r}; there are {', '.join(NAMES)}")
    return [name for name in NAMES if not works or any(name.startswith(one) for one in works)]


@click.command()
@click.argument("works", metavar="[WORK ...]", nargs=-1)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Times each contestant runs.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Also write all times there.")
def main(works: tuple[str, ...], rounds: int, file: Path | None) -> None:
    """Time funcnn beside its peers.

    WORK is the beginning of a work's name, such as solo, ensemble-1000, large, processes or growth; without any, all
    are run, in some minutes. Contestants run interleaved, after a check that they come to the same numbers. Times are
    medians; a ratio is given as median (smallest – largest) over the rounds, and below 1 funcnn is the faster one.
    """
    names = _chosen(works)
    click.echo(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"
    )
    rows = []
    for name in names:
        if name == "growth":
            rows += _growth(rounds)
        elif name == "processes":
            times, notes = _processes(rounds)
            title = "funcnn run linear --no-plots --quiet, 900,000 updates"
            rows += _table(name, title, "seconds", times, notes)
        else:
            work = WORKS[name]
            rows += _table(name, work.title, work.unit, *_timed(work, rounds))
    if any(row.get("contestant", "").endswith("*") for row in rows):
        click.echo(
            "\n* other arithmetic, not checked: scikit-learn begins with weights of its own, has biases, and in"
            " regression no activation at the output"
        )
    if file:
        file.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
