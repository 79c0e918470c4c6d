"""``python -m funcnn_cli``."""

from . import entry

entry()
