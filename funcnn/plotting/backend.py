"""matplotlib, imported first by all that draws."""

import contextlib
import importlib
import os
import sys
from typing import Any


def start() -> None:
    """Import matplotlib, also where MPLBACKEND names a backend that it does not know: nothing here is drawn by one.

    So it is in each process that a notebook starts, where matplotlib is installed without the notebook's own backend.
    One that is known is set, as matplotlib does itself.
    """
    backend = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend


start()
