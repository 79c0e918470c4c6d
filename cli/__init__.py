"""The command line of funcnn.

Only Click is imported here; what a command needs, it imports when it runs, so that ``funcnn --help`` answers at once.
"""

from typing import NoReturn

import click

from . import process
from .list import list_names
from .plot import plot
from .predict import evaluate, predict
from .reproduce import reproduce
from .run import run
from .show import show

EXAMPLES = """\b
Examples:
  funcnn run xor --act relu        train, and print the loss and the predictions
  funcnn run xor --out x           also write the run, its tables and its pictures into x/
  funcnn reproduce                 run every experiment of the lab report over 100 seeds
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EXAMPLES)
@click.version_option(package_name="funcnn")
@click.pass_context
def main(context: click.Context) -> None:
    """Train, show and trust small neural networks."""
    context.with_resource(process.warnings_in_a_line())


for command in (run, predict, evaluate, plot, show, list_names, reproduce):
    main.add_command(command)


def entry() -> NoReturn:
    """Be the program ``funcnn``."""
    process.survive_any_encoding()
    process.leave(process.ended_well(main))
