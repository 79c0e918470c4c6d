"""``funcnn plot``: draw the pictures of a run."""

from pathlib import Path
from typing import Any

import click

from .edge import RUN_FILE, in_a_line, load_run, users_mistakes
from .process import folder


@click.command()
@RUN_FILE
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to.  [default: beside RUN.npz]")
@click.option("--format", "form", type=click.Choice(["png", "svg", "pdf"]), default="png", show_default=True)
def plot(file: Path, out: Path | None, form: str) -> None:
    """Draw the pictures of a saved run again, from the file alone."""
    with users_mistakes():
        result = load_run(file)
        with folder(out or file.parent) as out:
            click.echo("\n".join(map(str, draw(result, out, form))))


def draw(result: Any, out: Path, form: str) -> list[Path]:
    """Draw the pictures of a run into a folder and return their paths; nothing is written unless all can be drawn."""
    plotting = pictures()
    figures = {out / f"{name}.{form}": picture(result) for name, picture in plotting.fitting(result).items()}
    for path, figure in figures.items():
        plotting.save(figure, path)
    return list(figures)


def pictures() -> Any:
    """Return funcnn's pictures, or say that matplotlib, which draws them, is not well."""
    try:
        from funcnn import plotting
    except Exception as error:  # whatever a damaged installation raises
        said = f"matplotlib, which draws the pictures, does not start ({in_a_line(error)})"
        raise click.ClickException(said) from error
    return plotting
