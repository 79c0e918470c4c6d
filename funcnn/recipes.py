"""What to train on a table about which nothing else is said."""

from typing import Any

from . import arguments, validation
from .metrics import decision
from .records import Dataset
from .sources import classed

#: Widths of the two hidden layers, and from how many samples on they are twice that.
WIDTHS, MANY = (64, 32), 10_000
#: What does not depend on the data: rectifiers from He's start with biases, Adam in shuffled batches, a little weight
#: decay, inputs of mean 0 and deviation 1, and the weights that were best on a part held back.
ALWAYS: dict[str, Any] = {
    "act": "relu",
    "out_act": "none",
    "bias": True,
    "scheme": "he",
    "optimizer": "adam",
    "lr": 0.001,
    "epochs": 500,
    "batch_size": 32,
    "l2": 0.003,
    "shuffle": True,
    "log_every": 10,
    "test": 0.2,
    "validation": 0.1,
    "standardize": True,
    "patience": 30,
}
#: What a recipe says.
FIELDS = frozenset({*ALWAYS, "hidden", "loss"})


def recipe(data: Dataset) -> dict[str, Any]:
    """Return the fields of an `Experiment` that does well on most tables, as a first try.

    Two hidden layers of 64 and 32 units, from 10,000 samples on of 128 and 64. Classes get the cross-entropy of their
    logits, softmax for one-hot targets and sigmoid for a 0 or 1 in each column; numbers the mean squared error. All
    else is the same for all tables.

    Parameters
    ----------
    data
        As `read` gives it.

    Raises
    ------
    ValueError, TypeError
        If ``data`` is no `Dataset` of numbers.

    Examples
    --------
    >>> import funcnn
    >>> fields = recipe(funcnn.xor())
    >>> fields["loss"], fields["hidden"], fields["optimizer"]
    ('sigmoid_binary_cross_entropy', (64, 32), 'adam')
    """
    y = validation.table("y of data", arguments.of_kind("data", data, Dataset).y)
    loss = "sigmoid_binary_cross_entropy" if classed(data) else "mse"
    loss = "softmax_cross_entropy" if decision("mse", y).kind == "largest" else loss
    widths = tuple(width * (2 if len(y) >= MANY else 1) for width in WIDTHS)
    return {**ALWAYS, "hidden": widths, "loss": loss}
