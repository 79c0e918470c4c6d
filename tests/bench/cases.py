"""What two revisions are compared on: runs whose bits are compared, and works that are timed. Plain data, no funcnn."""

import itertools
from collections.abc import Iterator

import attrs

ENGINES = ("numpy", "compiled")
#: The plain loop over sgd_step and grads, which the numpy engine promises the bits of.
PLAIN = "plain loop"
SIZES = ((2, 3, 3, 1), (2, 1, 1), (3, 4, 2), (40, 32, 3))
ACTS = ("sigmoid", "relu", "tanh", "leaky_relu", "none")
#: The last of them stand at the output.
MIXES = (("relu", "tanh", "sigmoid"), ("leaky_relu", "relu", "none"))


@attrs.frozen
class Case:
    """A training run. ``act`` "own" is an activation of one's own; ``own`` names what each member has for itself.

    Ensembles take the seeds from ``seed`` on. Data are the lab's where they fit the network, else drawn at random.
    """

    sizes: tuple[int, ...] = (2, 3, 3, 1)
    act: str | tuple[str, ...] = "sigmoid"
    loss: str = "half_sse"
    batch: int | str = 1
    bias: bool = False
    shuffle: bool = False
    dtype: str = "float64"
    members: int | None = None
    seed: int = 14
    lr: float | tuple[float, ...] = 0.1
    own: str = ""
    data: str = "xor"
    samples: int = 23
    threads: int | None = None
    epochs: int = 24

    @property
    def name(self) -> str:
        """Sizes and activation, and what is not as by default."""
        acts = self.act if isinstance(self.act, str) else "/".join(self.act)
        words = ["-".join(map(str, self.sizes)), acts]
        for field in attrs.fields(Case)[2:]:
            value = getattr(self, field.name)
            if value != field.default:
                if isinstance(value, tuple):
                    value = f"{value[0]:g}…{value[-1]:g}"
                words.append(field.name if value is True else f"{field.name}={value}")
        return " ".join(words)


@attrs.frozen
class Work:
    """A timed training run; ``target`` bounds the ratio new ÷ old, ``peer`` that to the textbook's loop."""

    name: str
    engine: str
    target: float
    act: str = "sigmoid"
    members: int | None = None
    full: bool = False
    lr: float = 0.1
    large: bool = False
    peer: float | None = None


def cases(engine: str) -> list[Case]:
    """Return the cases for an engine."""
    if engine == PLAIN:
        return [attrs.evolve(case, epochs=3) for case in _grid() if not case.members and not case.shuffle]
    return [*_grid(), *_ensembles(), *_stopping(), *_large(engine), *_lab(engine)]


def _grid() -> Iterator[Case]:
    """Give every combination of the usual arguments."""
    flags = (False, True)
    for sizes, act, loss, batch in itertools.product(SIZES, (*ACTS, *MIXES), ("half_sse", "mse"), (1, 5, "full")):
        depth = len(sizes) - 1
        acts = act if isinstance(act, str) else act[-depth:]
        lr = 0.1 if loss == "mse" or batch == 1 else 0.02  # a sum over samples, which would diverge more often
        for bias, shuffle, dtype, members in itertools.product(flags, flags, ("float64", "float32"), (None, 3, 20)):
            yield Case(sizes, acts, loss, batch, bias, shuffle, dtype, members, lr=lr)


def _ensembles() -> Iterator[Case]:
    """Give ensembles whose members differ in data and rates, of other numbers of members, and own activations."""
    for members, batch, own, dtype, act in itertools.product(
        (1, 3, 7, 8, 20), (1, 5, "full"), ("", "x", "y", "xy"), ("float64", "float32"), ("sigmoid", "relu")
    ):
        case = Case(act=act, batch=batch, dtype=dtype, members=members, own=own, lr=0.05)
        yield case
        yield attrs.evolve(case, shuffle=True, bias=True, sizes=(3, 4, 2))
        yield attrs.evolve(case, lr=tuple(0.01 * (k + 1) for k in range(members)))
    for members, threads, batch in itertools.product((9, 64, 250), (None, 1, 3), (1, "full")):
        yield Case(act="tanh", batch=batch, members=members, threads=threads, lr=0.03)
    for members, batch, act in itertools.product((None, 3, 20), (1, 5), ("own", ("own", "tanh", "sigmoid"))):
        yield Case(act=act, batch=batch, members=members)


def _stopping() -> Iterator[Case]:
    """Give runs that diverge, die or stand still, alone and beside members that go on."""
    wide = tuple(10.0**k for k in range(-2, 18))
    for dtype, batch, bias, shuffle in itertools.product(("float64", "float32"), (1, 5, "full"), *[(False, True)] * 2):
        usual = Case(batch=batch, dtype=dtype, bias=bias, shuffle=shuffle, epochs=120)
        for members in (None, 3, 20):
            some = attrs.evolve(usual, members=members)
            yield attrs.evolve(some, act="leaky_relu", lr=3.0, seed=13)
            yield attrs.evolve(some, act="none", lr=1.0)
            yield attrs.evolve(some, act="relu", lr=1.0, seed=0)
            yield attrs.evolve(some, act="sigmoid", lr=1e30)
            if dtype == "float64":
                yield attrs.evolve(some, act="none", lr=1e100)
                yield attrs.evolve(some, act="sigmoid", lr=1e100)
        for act in ("leaky_relu", "sigmoid", "relu"):
            yield attrs.evolve(usual, act=act, members=20, lr=wide)


def _large(engine: str) -> Iterator[Case]:
    """Give more samples, more batches and more weights than an engine may hold at once."""
    for dtype, shuffle, batch in itertools.product(("float64", "float32"), (False, True), (32, 1000, "full")):
        yield Case((5, 6, 2), "tanh", "mse", batch, True, shuffle, dtype, samples=2500, epochs=3)
        yield Case((5, 6, 2), "relu", "mse", batch, True, shuffle, dtype, 3, own="xy", samples=2500, epochs=3)
        if batch != "full":
            yield Case(
                (64, 256, 10), "relu", "half_sse", batch, shuffle=shuffle, dtype=dtype, lr=1e-4, samples=256, epochs=4
            )
    for shuffle in (False, True):
        yield Case(shuffle=shuffle, data="linear", samples=9000, epochs=2)
        if engine == "compiled":  # the others would take long
            yield Case(shuffle=shuffle, data="linear", members=64, samples=9000, epochs=2)


def _lab(engine: str) -> Iterator[Case]:
    """Give the lab's own runs at their full length; only the shorter ones to the slower engine."""
    for act in ("sigmoid", "relu", "none"):
        yield Case(act=act, epochs=9000)
    yield Case(data="linear", samples=100, epochs=9000)
    if engine == "compiled":
        for data, act, lr in itertools.product(("xor", "linear"), ACTS, (0.01, 0.1, 1.0)):
            yield Case(act=act, data=data, samples=100, lr=lr, epochs=9000)
        for data, act in itertools.product(("xor", "linear"), ("sigmoid", "relu")):
            yield Case(act=act, data=data, samples=100, members=20, seed=0, epochs=2000)


def works() -> list[Work]:
    """Return what is timed. Rates are so low where runs would else stand still that they move to the end."""
    solo = [
        Work(f"lab, {act}", "compiled", 1.05 if act == "sigmoid" else 1.10, act, lr=0.1 if act == "sigmoid" else 1e-5)
        for act in ACTS
    ]
    many = [
        Work(f"{members} networks, {'full batch' if full else 'one sample'}", engine, 1.0, members=members, full=full)
        for engine, members in (("compiled", 64), ("compiled", 1000), ("numpy", 1000))
        for full in (False, True)
    ]
    lab = [Work("lab, one sample", "numpy", 1.4), Work("lab, full batch", "numpy", 1.4, full=True)]
    large = Work("784-512-512-10, relu, float32, batch 128", "numpy", 1.0, "relu", large=True, peer=1.0)
    return [*solo, *many, *lab, large]
