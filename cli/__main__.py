"""``python -m funcnn_cli``."""

from . import main

main(prog_name="funcnn")
