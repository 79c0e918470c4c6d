"""``funcnn predict`` and ``funcnn evaluate``: what a saved run says of a file, and how well."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from .edge import RUN_FILE, load_run, users_mistakes

#: The rows that a command takes.
ROWS = click.argument("table", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True))


@click.command()
@RUN_FILE
@ROWS
@click.option("--proba", is_flag=True, help="Give the probability of each class instead.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write them here instead of to stdout.")
def predict(file: Path, table: str, proba: bool, out: Path | None) -> None:
    """Predict the rows of FILE: a table with the columns that the run was trained on, in any order, or - for stdin."""
    with users_mistakes():
        from funcnn.storage import write_pieces

        run = _on_a_table(file)
        pieces = _pieces(run, table, proba)
        if out:
            write_pieces(out, (piece.encode() for piece in pieces))
            return
        for piece in pieces:
            click.echo(piece, nl=False)


def _on_a_table(file: Path) -> Any:
    from funcnn.runs import preparation_of

    run = load_run(file)
    if preparation_of(run).coding is None:
        raise click.UsageError(f"{file} is a run on {run.experiment.data}, not on a table: funcnn.predict takes arrays")
    return run


def _pieces(run: Any, table: str, proba: bool) -> Iterator[str]:
    """Yield predictions as CSV, some rows at a time, the header with the first."""
    from funcnn.prediction import predictions

    rows: list[Any] = [_header(run, proba)]
    for found in predictions(run, table, proba=proba):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, *found.reshape(len(found), -1).tolist()])
        yield text.getvalue()
        rows = []


def _header(run: Any, proba: bool) -> list[str]:
    """Return what the columns are called."""
    names = list(run.train.classes)
    if not proba or not names:
        return [column.name for column in run.preparation.coding.targets]
    return names if len(names) > 2 else names[1:]


@click.command()
@RUN_FILE
@ROWS
@click.option("--json", "as_json", is_flag=True, help="Print as JSON instead.")
def evaluate(file: Path, table: str, as_json: bool) -> None:
    """Say how well a run predicts the rows of FILE: a table with the columns and targets that it was trained on."""
    with users_mistakes():
        import funcnn

        from . import listing

        said = listing.evaluation(funcnn.evaluate(_on_a_table(file), table))
        text = listing.to_json(said) if as_json else "\n".join([*listing.evaluation_lines(said), ""])
        click.echo(text, nl=False)
