"""``funcnn plot``, ``funcnn show`` and ``funcnn list``: look at saved runs, and at what there is."""

from pathlib import Path
from typing import Any

import click

from .edge import users_mistakes
from .run import draw

RUN_FILE = click.argument("file", metavar="RUN.npz", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def _load_run(file: Path) -> Any:
    import funcnn
    from funcnn.experiments import check_solo

    result = funcnn.load(file)
    if not isinstance(result, funcnn.Run):
        raise ValueError(f"{file} holds {type(result).__name__}, not a run")
    check_solo(result)
    return result


@click.command()
@RUN_FILE
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to.  [default: beside RUN.npz]")
@click.option("--format", "form", type=click.Choice(["png", "svg", "pdf"]), default="png", show_default=True)
def plot(file: Path, out: Path | None, form: str) -> None:
    """Draw the pictures of a saved run again, from the file alone."""
    with users_mistakes():
        result = _load_run(file)
        out = out or file.parent
        out.mkdir(parents=True, exist_ok=True)
        for path in draw(result, out, form):
            click.echo(path)


@click.command()
@RUN_FILE
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def show(file: Path, as_json: bool) -> None:
    """Print what a saved run was and what came of it."""
    with users_mistakes():
        import attrs

        from . import listing

        result = _load_run(file)
        if as_json:
            click.echo(listing.to_json(listing.summary(result)), nl=False)
            return
        rows = attrs.asdict(result.experiment) | {
            "engine": result.history.engine,
            "epochs run": len(result.history.loss),
            "network": " → ".join(
                [
                    str(result.params.layers[0].w.shape[-2]),
                    *[f"{layer.w.shape[-1]} {layer.act}" for layer in result.params.layers],
                ]
            ),
        }
        for name, value in rows.items():
            click.echo(f"{name:<12} {','.join(map(str, value)) if isinstance(value, tuple) else value}")
        lines = [*listing.log_lines(result), listing.result_line(result), *listing.diagnosis_lines(result)]
        click.echo("\n".join(lines))


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_names(as_json: bool) -> None:
    """List the data sets, activations, losses, weight schemes, engines and experiments."""
    import funcnn
    from funcnn.engines import ENGINES
    from funcnn.experiments import SUITES

    from . import listing

    names = {
        "data sets": list(funcnn.DATASETS),
        "activations": list(funcnn.ACTIVATIONS),
        "losses": list(funcnn.LOSSES),
        "schemes": list(funcnn.SCHEMES),
        "engines": list(ENGINES),
        "experiments": list(SUITES),
    }
    if as_json:
        click.echo(listing.to_json(names), nl=False)
        return
    for kind, known in names.items():
        click.echo(f"{kind:<12} {', '.join(known)}")
