"""``funcnn reproduce``: every experiment of the lab report, over many seeds, as tables, pictures and a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .edge import progress, users_mistakes
from .plot import pictures
from .process import folder, note


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
        pictures()
        from funcnn import lab
        from funcnn.lab import page

        from . import listing

        names = lab.chosen(*ids)
        with folder(out):
            _forewarn(names, seeds, jobs)
            with progress(sum(experiment.epochs for experiment, _ in lab.ensembles(names)), "training") as done:
                reproduction = lab.reproduce(*names, seeds=seeds, threads=jobs, progress=done)
            command = " ".join(["funcnn reproduce", *(names if ids else []), f"--seeds {seeds}"])
            text, figures = page.render(reproduction, command)
            _write(out, "-".join(names) if ids else "README", text, figures)
        if as_json:
            click.echo(listing.to_json(lab.summary(reproduction)), nl=False)
            return
        click.echo(_table(lab.accuracy_rows(reproduction), seeds))
        for conclusion in lab.judge(reproduction.results):
            click.echo(f"\n{conclusion.said}\n  {conclusion.verdict}. {conclusion.found}")


def _forewarn(names: list[str], seeds: int, jobs: int | None) -> None:
    """Where a faster engine is missing, measure a few epochs, and say how long all will take and what would help."""
    from funcnn import lab
    from funcnn.engines import absent

    missing = absent()
    if not missing:
        return
    package, extra = next(iter(missing.values()))
    minutes = lab.seconds(*names, seeds=seeds, threads=jobs) / 60
    note(
        f"{package} is not installed: this will take about {minutes:.1f} minutes. pip install 'funcnn[{extra}]' makes"
        " it many times faster."
    )


def _write(out: Path, name: str, text: str, figures: Mapping[str, Any]) -> None:
    """Write the pictures and then the page that shows them, each file whole or not at all."""
    from funcnn import plotting
    from funcnn.storage import write_file

    for file, figure in figures.items():
        plotting.save(figure, out / file)
    write_file(out / f"{name}.md", text.encode())
    note(f"wrote {len(figures)} pictures and a page to {out}")


def _table(rows: list[dict[str, Any]], seeds: int) -> str:
    """Return the accuracies as text: report, default run, and the distribution over the seeds."""
    from funcnn.lab.texts import percent

    head = f"{'experiment':<14} {'data':<7} {'act':<8} {'lr':>5} {'units':>5} {'report':>7} {'ours':>7} {'median':>7}"
    lines = [f"{head} {'10–90 %':>13}  {'100 %':>6} {'dead':>5} {'div.':>5}   accuracy in %, over {seeds} seeds"]
    for row in rows:
        cells = f"{row['experiment']:<14} {row['data']:<7} {row['act']:<8} {row['lr']:>5g} {row['hidden'][0]:>5}"
        cells += "".join(f" {percent(row[key]):>7}" for key in ("report", "ours", "median"))
        cells += f" {percent(row['low']) + '–' + percent(row['high']):>13}"
        lines.append(cells + f"  {row['learned']:>6.0%} {row['dead']:>5.0%} {row['diverged']:>5.0%}")
    return "\n".join(lines)
