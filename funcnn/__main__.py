"""``python -m funcnn``: the command line."""

from funcnn_cli import main

main(prog_name="funcnn")
