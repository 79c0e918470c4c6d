"""``funcnn list``: look at what there is."""

import functools
import inspect
from typing import Any

import click

from .edge import users_mistakes

#: Which function of a table's record says in its docstring what the entry is; other entries are such functions.
SAYING = {"activations": "apply", "losses": "value", "optimizers": "update"}
#: How many arguments of a table's functions are not numbers that may follow the name.
LEADING = {"data sets": 1, "schedules": 1, "initialisers": 3}


@click.command("list")
@click.option("--long", is_flag=True, help="Add the formula and the source of each.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_names(long: bool, as_json: bool) -> None:
    """List data sets, activations, losses, optimizers, schedules, initialisers, engines and experiments.

    Numbers may follow the names of data sets, optimizers, schedules and initialisers: adam:0.9,0.99.
    """
    with users_mistakes():
        import funcnn
        from funcnn.engines import NAMES
        from funcnn.lab import SUITES

        from . import listing

        tables = {
            "data sets": funcnn.DATASETS,
            "activations": funcnn.ACTIVATIONS,
            "losses": funcnn.LOSSES,
            "optimizers": funcnn.OPTIMIZERS,
            "schedules": funcnn.SCHEDULES,
            "initialisers": funcnn.INITIALIZERS,
        }
        names = {
            **{kind: _described(kind, table) if long else list(table) for kind, table in tables.items()},
            "engines": list(NAMES),
            "experiments": list(SUITES),
        }
        click.echo(listing.to_json(names) if as_json else "".join(_lines(names)), nl=False)


def _described(kind: str, table: Any) -> dict[str, str]:
    return {name: _said(kind, entry) for name, entry in table.items()}


def _said(kind: str, entry: Any) -> str:
    """Return the first paragraph of what an entry's docstring says, in one line, and the numbers that it takes."""
    function = getattr(entry, SAYING[kind]) if kind in SAYING else entry
    if isinstance(function, functools.partial):  # whose own docstring is that of all partials
        function = function.func
    said = " ".join(inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0].split())
    numbers = ", ".join(_numbers(kind, entry))
    return f"{said} (numbers: {numbers})".lstrip() if numbers else said


def _numbers(kind: str, entry: Any) -> list[str]:
    from funcnn.arguments import numbers_taken
    from funcnn.optimizers import constants

    if kind == "optimizers":
        return constants(entry)
    return numbers_taken(entry, LEADING[kind]) if kind in LEADING else []


def _lines(names: dict[str, Any]) -> list[str]:
    lines = []
    for kind, known in names.items():
        if isinstance(known, dict):
            width = max(map(len, known))
            lines += [f"{kind}\n", *(f"  {name:<{width}}  {said}".rstrip() + "\n" for name, said in known.items())]
        else:
            lines.append(f"{kind:<12} {', '.join(known)}\n")
    return lines
