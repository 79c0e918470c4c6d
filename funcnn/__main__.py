"""``python -m funcnn``: the command line."""

from funcnn_cli import entry

entry()
