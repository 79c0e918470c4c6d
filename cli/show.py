"""``funcnn show``: look at a saved run."""

from pathlib import Path

import click

from .edge import RUN_FILE, load_run, users_mistakes


@click.command()
@RUN_FILE
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def show(file: Path, as_json: bool) -> None:
    """Print what a saved run was and what came of it."""
    with users_mistakes():
        import attrs

        from . import listing

        result = load_run(file)
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
        facts = [
            f"{name:<12} {','.join(map(str, value)) if isinstance(value, tuple) else value}"
            for name, value in rows.items()
        ]
        lines = [*listing.log_lines(result), listing.result_line(result), *listing.diagnosis_lines(result)]
        click.echo("\n".join([*facts, *lines]))
