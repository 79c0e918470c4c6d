"""Judge the working tree against a revision: the same bits, the same time, and what it promises.

    python tests/bench/against.py REV [--only bits|time|contract] [--json FILE] [--rounds N]

The revision's funcnn is taken out of git into a temporary folder. Each side has a process of its own, which imports
that side's funcnn (this is checked) and uses its public functions alone, so that modules may be moved and renamed. The
exit code does not depend on what comes out: read it.

bits: some 5,000 runs with each engine and 700 of the plain loop of sgd_step and grads, on both sides. Weights,
snapshots, gradient norms, accuracies and the number of epochs are compared bit for bit, NaN being equal to NaN, losses
to a relative 1e-14. Every run that differs is listed with its largest relative differences; these are absolute where
the old number is 0, 0 where only the sign of a zero differs, and infinite where only one is a number or shape or dtype
differ. Of the old side's runs the table says how many diverged, stood still at the end, or were refused.

time: what an update takes, old, new, old, new in turns, compiling and loading left out. The ratio new ÷ old is given as
the median over the rounds (smallest – largest), beside its bound: for the compiled engine 1.05 on the lab with
sigmoid, 1.10 with the other activations and 1.00 on ensembles; for the numpy engine 1.40 on the lab and 1.00 on an
ensemble and on large matrices, these also against the textbook's loop of peers.py, which measures no gradient norm;
1.00 for a whole process. A network that stands still costs next to nothing, so it is said if any does.

contract: of the new side only, what a span of its own costs an epoch, and the bytes that training needs at its peak
beyond parameters, data and history.

How far to trust the ratios: of 52 medians of code compared with itself, on two cores that had other work as well, 46
lay within 0.97 – 1.03 and the others within 0.91 – 1.05; single rounds went from 0.6 to 1.7, and whole processes, in 7
rounds, had medians of 0.86 – 0.99. So where the bound is 1.00, a median up to 1.05 says nothing by itself. Large
matrices are another matter: the threads of BLAS wait for each other whenever a core is busy, which makes rounds ten
times slower (0.3 – 4). If the machine is not idle, set OPENBLAS_NUM_THREADS=1, or what else NumPy's BLAS listens to:
then medians were 1.00 and 1.02 (0.82 – 1.35).

All of it takes about four minutes: bits two, time two, contract half a minute.
"""

import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import click
import numpy as np
from cases import ENGINES, PLAIN, Case, Work, cases, works
from sides import Side, pair, revision
from timing import interleaved, repeats, spread

#: Seconds of a timed run; of one on large matrices, so that the gradient norm measured at its start does not show.
TARGET, LARGE_TARGET = 0.2, 0.5
#: What a run's outcome consists of.
FIELDS = ("weights", "loss", "accuracy", "epochs", "snapshots", "grad_norm")
#: Relative difference up to which losses count as equal.
LOSS_BOUND = 1e-14
PROCESS = "import funcnn; funcnn.run(funcnn.Experiment())"

# --- bits -------------------------------------------------------------------------------------------------------------


def _apart(old: np.ndarray, new: np.ndarray) -> float | None:
    """Return None for equal bits, NaN being equal to NaN, else the largest relative difference.

    Where the old number is 0 it is the absolute one; 0 where only the sign of a zero differs; infinite where shape or
    dtype differ or only one is a number.
    """
    old, new = np.asarray(old), np.asarray(new)
    if old.shape != new.shape or old.dtype != new.dtype:
        return math.inf
    if old.tobytes() == new.tobytes():
        return None
    with np.errstate(all="ignore"):
        gap = np.abs(new - old) / np.where(old == 0, 1, np.abs(old))
    gap = np.where(old == new, 0, np.where(np.isfinite(gap), gap, np.inf))
    if old.dtype.kind == "f":
        both = np.isnan(old) & np.isnan(new)
        if np.all(both | ((old == new) & (np.signbit(old) == np.signbit(new)))):
            return None
        gap = np.where(both, 0, gap)
    return float(gap.max())


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, float]:
    """Return by field how far two outcomes lie apart, the equal ones left out."""
    if "error" in old or "error" in new:
        return {} if old == new else {"weights": math.inf}
    apart = {}
    for field in old:
        gaps = [math.inf] if len(old[field]) != len(new[field]) else map(_apart, old[field], new[field])
        gaps = [gap for gap in gaps if gap is not None]
        if gaps:
            apart[field] = max(gaps)
    return apart


@attrs.frozen
class Compared:
    """A case, what differs by how much, and what the old side's run was: "error", "diverged", "still" or ""."""

    engine: str
    case: Case
    apart: dict[str, float]
    kind: str
    notes: str

    @property
    def listed(self) -> bool:
        """Whether there is a difference that is to be shown."""
        return any(field != "loss" or not gap <= LOSS_BOUND for field, gap in self.apart.items())


def _kind(case: Case, outcome: dict[str, Any]) -> str:
    if "error" in outcome:
        return "error"
    if not all(np.all(np.isfinite(array)) for array in outcome["weights"]):
        return "diverged"
    loss = outcome["loss"][0] if "loss" in outcome else []
    return "still" if len(loss) > 1 and np.all(loss[-1] == loss[-2]) else ""


def _compare(sides: tuple[Side, Side], engine: str, case: Case) -> Compared:
    """Run a case on both sides at once."""
    for side in sides:
        side.send(*(("plain", case) if engine == PLAIN else ("trained", case, engine)))
    old, new = (side.receive() for side in sides)
    errors = [
        f"{side.name}: {outcome['error']}"
        for side, outcome in zip(sides, (old, new), strict=True)
        if "error" in outcome
    ]
    return Compared(engine, case, _differences(old, new), _kind(case, old), "; ".join(errors))


def _summary(engine: str, dtype: str, compared: list[Compared]) -> str:
    """Write how many of the cases are equal, and how far apart the others are at most."""
    counts = [sum(one.kind == kind for one in compared) for kind in ("diverged", "still", "error")]
    cells = []
    for field in FIELDS:
        gaps = [one.apart[field] for one in compared if field in one.apart]
        bound = LOSS_BOUND if field == "loss" else -1.0
        equal = len(compared) - sum(not gap <= bound for gap in gaps)
        cells.append(f"{equal} {f'({max(gaps):.1e})' if gaps else ''}")
    if engine == PLAIN:
        cells[1:] = ["–"] * (len(FIELDS) - 1)
    numbers = " ".join(f"{count:8}" for count in counts)
    return f"  {engine:10} {dtype:7} {len(compared):6} {numbers} " + " ".join(f"{cell:>15}" for cell in cells)


def bits(sides: tuple[Side, Side], engines: Iterable[str]) -> list[dict[str, Any]]:
    """Print in which cases the two sides come to the same bits, and how far apart the others lie."""
    todo = [(engine, case) for engine in engines for case in cases(engine)]
    with click.progressbar(todo, label="bits", file=sys.stderr) as bar:
        compared = [_compare(sides, *one) for one in bar]
    click.echo("\nbits: cases in which both sides are equal (and the largest relative difference in the others)")
    heads = " ".join(f"{f'{field} ≤ {LOSS_BOUND:g}' if field == 'loss' else field:>15}" for field in FIELDS)
    click.echo(f"  {'engine':10} {'dtype':7} {'cases':>6} {'diverged':>8} {'still':>8} {'error':>8} {heads}")
    for engine in dict.fromkeys(one.engine for one in compared):
        for dtype in ("float64", "float32"):
            some = [one for one in compared if one.engine == engine and one.case.dtype == dtype]
            click.echo(_summary(engine, dtype, some))
    differing = [one for one in compared if one.listed]
    click.echo(f"  {len(differing)} of {len(compared)} cases differ{':' if differing else ''}")
    for one in differing:
        gaps = "  ".join(f"{field} {gap:.1e}" for field, gap in one.apart.items())
        click.echo(f"  {one.engine:10} {one.case.name}: {gaps}  {one.notes}".rstrip())
    return [
        {
            "part": "bits",
            "engine": one.engine,
            "case": one.case.name,
            "apart": {field: gap if gap < math.inf else "inf" for field, gap in one.apart.items()},
            "kind": one.kind,
            "notes": one.notes,
        }
        for one in compared
    ]


# --- time -------------------------------------------------------------------------------------------------------------


def _row(name: str, unit: str, taken: dict[str, list[float]], bounds: dict[str, float]) -> dict[str, Any]:
    """Print one work: medians, and for every contestant that new is compared with the ratio and its bound."""
    for other, bound in bounds.items():
        ratios = [new / old for new, old in zip(taken["new"], taken[other], strict=True)]
        median = statistics.median(ratios)
        times = " ".join(f"{statistics.median(taken[one]):11.4g}" for one in (other, "new"))
        over = sum(ratio > bound for ratio in ratios)
        verdict = f"≤ {bound:.2f}  {f'over, in {over} of {len(ratios)} rounds' if median > bound else ''}"
        click.echo(f"  {name:50} {other:8} {times} {unit:4} {spread(ratios):>22}   {verdict}".rstrip())
    return {"part": "time", "work": name, "unit": unit, "times": taken, "bounds": bounds}


def _timed(sides: tuple[Side, Side], work: Work, rounds: int) -> dict[str, Any]:
    """Time one work on both sides in turns, for as many epochs as take the old one about the usual time."""
    old, new = sides
    updates, _ = (side.call("updates", work) for side in sides)
    epochs = max(2, repeats(lambda count: old.call("train", work, count), LARGE_TARGET if work.large else TARGET))
    for side in sides:  # warm, and worth timing
        share = side.call("train", work, epochs)
        if share < 1:
            click.echo(f"  {work.name}: on the {side.name} side {1 - share:.1%} of the networks stand still")
    runs = {side.name: lambda side=side: side.call("train", work, epochs) for side in sides}
    bounds = {"old": work.target}
    if work.peer:
        runs["textbook"], bounds["textbook"] = lambda: new.call("textbook", work, epochs), work.peer
        runs["textbook"]()
    taken = interleaved(runs, rounds)
    per = {name: [1e6 * one / (epochs * updates) for one in times] for name, times in taken.items()}
    return _row(f"{work.engine:8}  {work.name}", "µs", per, bounds)


def time(sides: tuple[Side, Side], engines: Iterable[str], rounds: int) -> list[dict[str, Any]]:
    """Print what an update takes on both sides."""
    click.echo("\ntime: per update, of all networks, and for a whole process; ratios new ÷ the other, round by round")
    click.echo(f"  {'work':50} {'other':8} {'other':>11} {'new':>11} {'':4} {'new ÷ other':>22}   bound")
    rows = [_timed(sides, work, rounds) for work in works() if work.engine in engines]
    runs = {side.name: lambda side=side: side.run(PROCESS) for side in sides}
    for run in runs.values():  # compiled, and on the disk's cache
        run()
    return [*rows, _row("a whole process: the lab's XOR", "s", interleaved(runs, min(rounds, 7)), {"old": 1.0})]


# --- contract ---------------------------------------------------------------------------------------------------------


def contract(new: Side, engines: Iterable[str]) -> list[dict[str, Any]]:
    """Print what the new side takes where bounds are absolute."""
    click.echo("\ncontract, new side only")
    rows: list[dict[str, Any]] = []
    for engine in engines:
        kept, plain = new.call("spans", engine, 1000)
        click.echo(
            f"  {engine:8}  XOR, 1,000 epochs with a snapshot each: {kept:.3f} s (≤ 1), {kept * 1e3:.0f} µs per epoch, "
            f"{(kept - plain) * 1e3:.0f} µs of them for its being a span of its own (≤ 100)"
        )
        rows.append({"part": "contract", "engine": engine, "snapshots": kept, "without": plain})
    for engine in engines:
        beyond, returned = new.call("memory_lab", engine, 20_000)
        click.echo(
            f"  {engine:8}  XOR, 20,000 epochs: {beyond:,} bytes at the peak beyond parameters, data and history; "
            f"parameters and history are {returned:,}"
        )
        rows.append({"part": "contract", "engine": engine, "beyond": beyond, "returned": returned})
    for epochs in (1, 3):
        sizes = new.call("memory_many", epochs)
        others = ", ".join(f"{name} {size:,}" for name, size in sizes.items() if name != "beyond")
        click.echo(
            f"  numpy     20,000 × 20 → 10, batch 32, shuffled, epochs: {epochs}; {sizes['beyond']:,} bytes beyond "
            f"(about a batch); {others}"
        )
        rows.append({"part": "contract", "engine": "numpy", "epochs": epochs, **sizes})
    return rows


def _engines(sides: tuple[Side, Side]) -> list[str]:
    """Check that each side is what it should be; return the engines that both have."""
    reasons = {side.name: side.without() for side in sides}
    for name, reason in reasons.items():
        if reason:
            click.echo(f"the {name} side has no compiled engine: {reason}")
    return ["numpy"] if any(reasons.values()) else list(ENGINES)


@click.command(help=__doc__)
@click.argument("rev")
@click.option("--only", type=click.Choice(("bits", "time", "contract")), help="Only this part.")
@click.option("--rounds", type=click.IntRange(1), default=11, show_default=True, help="Times each side is timed.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Also write all results there.")
def main(rev: str, only: str | None, rounds: int, file: Path | None) -> None:
    """Compare, and print."""
    commit = revision(rev)
    click.echo(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"load {os.getloadavg()[0]:.1f}; old: {rev}, {commit[:10]}; new: the working tree"
    )
    rows: list[dict[str, Any]] = []
    with pair(commit) as sides:
        engines = _engines(sides)
        if only in (None, "bits"):
            rows += bits(sides, [PLAIN, *engines])
        if only in (None, "time"):
            rows += time(sides, engines, rounds)
        if only in (None, "contract"):
            rows += contract(sides[1], engines)
    if file:
        file.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
