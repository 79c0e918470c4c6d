"""``funcnn reproduce``: every experiment of the lab report, over many seeds, as tables, pictures and a page."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .edge import progress, users_mistakes


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--seeds", type=click.IntRange(min=1), default=100, show_default=True, help="Seeds 0 to N − 1.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("figures"),
    show_default=True,
    help="Where page and pictures go.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Threads.  [default: one per core]")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def reproduce(ids: tuple[str, ...], seeds: int, out: Path, jobs: int | None, as_json: bool) -> None:
    """Reproduce the lab report: all of it, or the experiments named by ID (see: funcnn list).

    Prints a table and writes the pictures and a page: README.md for the whole report, ID.md for some of it.
    """
    with users_mistakes():
        from funcnn import plotting, validation
        from funcnn.experiments import SUITES
        from funcnn.storage import write_file

        from . import listing, page
        from . import results as lab

        for name in ids:
            validation.known("experiment", name, SUITES)
        chosen = [name for name in SUITES if name in ids or not ids]
        out.mkdir(parents=True, exist_ok=True)
        ran = _collect(lab.ensembles(chosen), seeds, jobs)
        results = {experiment: result for (experiment, drawn), result in ran.items() if drawn == "both"}
        parts = {drawn: result for (experiment, drawn), result in ran.items() if experiment == lab.APART}
        spread = lab.spread_rows(parts) if "base" in chosen else []
        command = " ".join(["funcnn reproduce", *(chosen if ids else []), f"--seeds {seeds}"])
        text, figures = page.render(chosen, results, spread, seeds, command)
        for name, figure in figures.items():
            plotting.save(figure, out / name)
        write_file(out / ("-".join(chosen) + ".md" if ids else "README.md"), text.encode())
        click.echo(f"wrote {len(figures)} pictures and a page to {out}", err=True)
        report = lab.report_accuracies()
        rows = [
            (name, lab.accuracy_row(results[e], report.get(name, {}).get(e))) for name in chosen for e in SUITES[name]
        ]
        if as_json:
            click.echo(listing.to_json(_numbers(lab, chosen, rows, results, spread)), nl=False)
        else:
            click.echo(_table(rows, seeds))
            for conclusion in lab.conclusions(results):
                click.echo(f"\n{conclusion.said}\n  {conclusion.verdict}. {conclusion.found}")


def _collect(ensembles: list[tuple[Any, str]], seeds: int, jobs: int | None) -> dict[tuple[Any, str], Any]:
    """Run each experiment over all seeds, under one progress bar for the whole."""
    from . import results as lab

    _forewarn(ensembles, seeds, jobs)
    results = {}
    with progress(sum(e.epochs for e, _ in ensembles), "training") as done:

        def after(base: int) -> Callable[[int], Any]:
            return lambda epoch: done(base + epoch)

        before = 0
        for experiment, drawn in ensembles:
            results[experiment, drawn] = lab.collect(experiment, drawn, seeds, jobs, after(before))
            before += experiment.epochs
            done(before)  # even if all members diverged early
    return results


def _forewarn(ensembles: list[tuple[Any, str]], seeds: int, jobs: int | None) -> None:
    """Without numba, measure a few epochs and say how long the whole will take and what would make it faster."""
    import attrs

    from funcnn.engines import absent

    from . import results as lab

    if not absent():
        return
    probe = 3
    begin = time.perf_counter()
    for experiment, drawn in ensembles:
        lab.collect(attrs.evolve(experiment, epochs=probe), drawn, seeds, jobs, lambda epoch: None)
    minutes = (time.perf_counter() - begin) / probe * max(e.epochs for e, _ in ensembles) / 60
    click.echo(
        f"numba is not installed: this will take about {minutes:.1f} minutes. pip install 'funcnn[fast]' makes it many"
        " times faster.",
        err=True,
    )


def _table(rows: list[tuple[str, dict[str, Any]]], seeds: int) -> str:
    """Return the accuracies as text: report, default run, and the distribution over the seeds."""
    from .page import percent

    head = f"{'experiment':<14} {'data':<7} {'act':<8} {'lr':>5} {'units':>5} {'report':>7} {'ours':>7} {'median':>7}"
    lines = [f"{head} {'10–90 %':>13}  {'100 %':>6} {'dead':>5} {'div.':>5}   accuracy in %, over {seeds} seeds"]
    for name, row in rows:
        cells = f"{name:<14} {row['data']:<7} {row['act']:<8} {row['lr']:>5g} {row['hidden'][0]:>5}"
        cells += "".join(f" {percent(row[key]):>7}" for key in ("report", "ours", "median"))
        cells += f" {percent(row['low']) + '–' + percent(row['high']):>13}"
        lines.append(cells + f"  {row['learned']:>6.0%} {row['dead']:>5.0%} {row['diverged']:>5.0%}")
    return "\n".join(lines)


def _numbers(
    lab: Any, chosen: list[str], rows: list[Any], results: dict[Any, Any], spread: list[Any]
) -> dict[str, Any]:
    """Return everything that the page says in numbers."""
    from funcnn.experiments import SUITES

    report = lab.report_numbers()
    numbers: dict[str, Any] = {
        "accuracies": [{"experiment": name, **row} for name, row in rows],
        "conclusions": [
            {"said": one.said, "found": one.found, "verdict": one.verdict} for one in lab.conclusions(results)
        ],
    }
    if "base" in chosen:
        numbers["logs"] = {
            e.data: lab.log_rows(results[e], report["base"][e.data]["training_log"]) for e in SUITES["base"]
        }
        numbers["spread"] = spread
        _, log, predictions = lab.replay()
        numbers["replay"] = {"log": log, "predictions": predictions}
    return numbers
