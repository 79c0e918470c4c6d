"""The experiments of the lab report."""

from types import MappingProxyType

from .. import arguments
from ..settings import Experiment

#: The experiments of the lab report, by the report's names.
SUITES = MappingProxyType(
    {
        "network": (Experiment(),),
        "base": (Experiment(data="linear"), Experiment(data="xor")),
        "learning-rate": tuple(Experiment(data=data, lr=lr) for lr in (0.01, 0.1, 1.0) for data in ("linear", "xor")),
        "hidden-units": tuple(Experiment(data=data, hidden=(h, h)) for h in (2, 3, 4) for data in ("linear", "xor")),
        "no-activation": tuple(
            Experiment(data=data, act=act) for act in ("sigmoid", "none") for data in ("linear", "xor")
        ),
        "relu": (Experiment(data="linear", act="relu"), Experiment(data="xor", act="relu")),
        "dead-relu": (Experiment(data="xor", act="relu"),),
    }
)


def chosen(*names: str) -> list[str]:
    """Return the suites of these names in the report's order, or all of them where none is named.

    Raises
    ------
    ValueError
        If a name is unknown; the message lists the known ones and suggests the nearest.
    """
    for name in names:
        arguments.known("experiment", name, SUITES)
    return [name for name in SUITES if name in names or not names]
