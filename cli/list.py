"""``funcnn list``: look at what there is."""

import click


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_names(as_json: bool) -> None:
    """List the data sets, activations, losses, weight schemes, engines and experiments."""
    import funcnn
    from funcnn.engines import NAMES
    from funcnn.lab import SUITES

    from . import listing

    names = {
        "data sets": list(funcnn.DATASETS),
        "activations": list(funcnn.ACTIVATIONS),
        "losses": list(funcnn.LOSSES),
        "schemes": list(funcnn.SCHEMES),
        "engines": list(NAMES),
        "experiments": list(SUITES),
    }
    if as_json:
        click.echo(listing.to_json(names), nl=False)
        return
    for kind, known in names.items():
        click.echo(f"{kind:<12} {', '.join(known)}")
