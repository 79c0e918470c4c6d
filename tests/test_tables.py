"""Every entry of every table, and records of one's own: all engines train alike, or say that they cannot.

`numpy` has the bits of the plain loop of `step`, which is the definition; the others are within 1e-12 of it.
"""

import itertools

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Activation, Loss, Optimizer, Plan, engines

OTHERS = [name for name in engines.ENGINES if name != "numpy"]

BUMP = Activation("bump", lambda z: z / (1 + z * z), lambda z, a: (1 - z * z) / ((1 + z * z) * (1 + z * z)))
QUARTIC = Loss("quartic", lambda p, y: (p - y) ** 4 / 4, lambda p, y: (p - y) ** 3, "mean_samples")
SOFTMAX = Loss(
    "softmax cross-entropy",
    lambda z, y, row: y * (row - z),
    lambda z, y, row: z.__array_namespace__().exp(z - row) - y,
    "mean_samples",
    row="logsumexp",
)


def _with_friction(w, g, slots, t, lr, hyper):
    velocity = hyper[0] * slots[0] + g
    return w - lr * (1 - 0.1 / t) * velocity, (velocity,)


FRICTION = Optimizer("friction", _with_friction, 1, (0.9,))

#: How a run may go, whatever is trained.
WAYS = {
    "members": [None, 3, 9],
    "batch_size": [1, 5, "full"],
    "bias": [False, True],
    "clip": [None, 0.05],
    "l2": [0.0, 0.03],
    "weighted": [False, True],
    "shuffle": [False, True],
    "held": [False, True],
}
#: Entries that share a kernel in the compiled engine are tried in every way, ...
TABLES = {
    "act": ["sigmoid", "relu", "tanh", "leaky_relu", "none"],
    "loss": ["half_sse", "mse"],
    "optimizer": ["sgd"],
    "outputs": [1, 3],
}
#: ... and records of one's own too. Each other set of functions is compiled for seconds, so there are few of them.
OWN = {"act": [BUMP], "loss": [QUARTIC], "optimizer": [FRICTION], "outputs": [1]}
PLAIN = {name: values[0] for name, values in (WAYS | TABLES).items()}


def pairwise(choices):
    """Return cases in which every two choices of different kinds occur together."""
    pairs = {
        ((one, i), (other, j))
        for one, other in itertools.combinations(choices, 2)
        for i in range(len(choices[one]))
        for j in range(len(choices[other]))
    }
    cases = []
    while pairs:
        picked = dict(min(pairs))  # begin with a pair that is still open, and choose the rest for what it adds
        for kind in [kind for kind in choices if kind not in picked]:
            gains = [
                sum(len({*pair} & {(kind, i), *picked.items()}) == 2 for pair in pairs)
                for i in range(len(choices[kind]))
            ]
            picked[kind] = gains.index(max(gains))
        pairs -= {pair for pair in pairs if {*pair} <= {*picked.items()}}
        cases.append({kind: choices[kind][picked[kind]] for kind in choices})
    return cases


def named(case):
    return "-".join(str(getattr(value, "name", value)) for value in case.values())


def in_turn():
    """Return cases in which every other entry of every table occurs, each case in another way."""
    tables = {
        "act": [name for name in funcnn.ACTIVATIONS if name not in TABLES["act"]],
        "loss": [name for name in funcnn.LOSSES if name not in TABLES["loss"]],
        "optimizer": [name for name in funcnn.OPTIMIZERS if name not in TABLES["optimizer"]],
    }
    for index in range(max(map(len, tables.values()))):
        entries = {kind: names[index % len(names)] for kind, names in tables.items()}
        ways = {kind: values[(index + 1 + index // len(values)) % len(values)] for kind, values in WAYS.items()}
        yield {**PLAIN, **ways, "members": (None, 9)[index % 2], **entries}


CASES = {
    named(case): case
    for case in (
        *pairwise(TABLES | WAYS),
        *in_turn(),
        *pairwise(OWN | WAYS),
        {**PLAIN, "act": BUMP, "loss": SOFTMAX, "outputs": 3},
    )
}
#: JAX traces `step` whatever functions it calls, so some of the ways are enough for those of one's own.
FEW = {name for name, case in CASES.items() if case["act"] is BUMP and case["batch_size"] != 5}


def made(case):
    """Return parameters, data, and the arguments of `train` for a case."""
    loss = funcnn.LOSSES.get(case["loss"], case["loss"])
    n, outputs = 12, 3 if loss.row else case["outputs"]
    sizes, out_act = (2, 4, outputs), "none" if loss.logits or loss.targets == "signs" else None
    seed = 3 if case["members"] is None else range(case["members"])
    act, bias = case["act"], case["bias"]
    params = funcnn.init(sizes, seed=seed, act=act, out_act=out_act, bias=bias, scheme="glorot")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 2))
    y = np.eye(outputs)[rng.integers(outputs, size=n)] if outputs > 1 else rng.integers(0, 2, (n, 1)).astype(float)
    if loss.targets == "signs":
        y = 2 * y - 1
    some = {name: case[name] for name in ("loss", "optimizer", "batch_size", "clip", "l2", "shuffle")}
    rate = 0.01 if case["optimizer"] in list(funcnn.OPTIMIZERS)[1:] else 0.05  # longer steps soon part any two engines
    some["lr"] = rate if case["members"] is None else np.linspace(0.4, 1, case["members"]) * rate
    some["weight"] = rng.uniform(size=n) if case["weighted"] else None
    some["validation"] = (x[:7] + 0.1, y[:7]) if case["held"] else None
    return params, x, y, some


def plain_loop(params, x, y, some, epochs):
    """Return the state after the fold of `step`, written out."""
    n = len(x)
    rows = n if some["batch_size"] == "full" else some["batch_size"]
    loss = funcnn.LOSSES.get(some["loss"], some["loss"])
    optimizer = funcnn.OPTIMIZERS.get(some["optimizer"], some["optimizer"])
    plan = Plan(loss, optimizer, rows, some["clip"], some["l2"])
    state = funcnn.fresh_state(plan, params)
    for epoch in range(epochs):
        order = np.random.default_rng([0, epoch]).permutation(n) if some["shuffle"] else np.arange(n)
        for begin in range(0, n, rows):
            batch = order[begin : begin + rows]
            weight = None if some["weight"] is None else some["weight"][batch]
            state, _ = funcnn.step(plan, state, x[batch], y[batch], some["lr"], weight)
    return state


def assert_near(ours, theirs, tolerance=1e-12):
    for mine, its in zip(ours.layers, theirs.layers, strict=True):
        for name in ("w", "b"):
            if getattr(mine, name) is not None:
                scale = np.abs(getattr(mine, name)).max()
                np.testing.assert_allclose(
                    getattr(its, name), getattr(mine, name), rtol=tolerance, atol=tolerance * scale
                )


@pytest.mark.parametrize("name", CASES)
def test_engines_train_alike(name, bits):
    params, x, y, some = made(CASES[name])
    final, history = funcnn.train(params, x, y, epochs=20, engine="numpy", log_every=7, **some)
    assert any((a.w != b.w).any() for a, b in zip(final.layers, params.layers, strict=True))
    state = plain_loop(params, x, y, some, 20)
    assert bits(final) == bits(state.params)
    assert bits(history.state.slots) == bits(state.slots)
    assert (history.state.t, history.state.epoch) == (state.t, 20)
    for engine in OTHERS:
        if engine == "jax" and name in FEW:
            continue
        theirs, told = funcnn.train(params, x, y, epochs=20, engine=engine, log_every=7, **some)
        assert told.engine == engine
        assert_near(final, theirs)
        for slot, its in zip(history.state.slots, told.state.slots, strict=True):
            assert_near(slot, its, 1e-11)
        np.testing.assert_allclose(told.loss, history.loss, rtol=1e-11)
        np.testing.assert_array_equal(told.accuracy, history.accuracy)
        if some["validation"]:
            np.testing.assert_allclose(told.val_loss, history.val_loss, rtol=1e-11)
            np.testing.assert_array_equal(told.val_accuracy, history.val_accuracy)
            np.testing.assert_array_equal(told.best[0], history.best[0])
            assert_near(history.best[1], told.best[1])


@pytest.mark.parametrize(
    ("act", "loss", "optimizer"),
    [
        *((act, loss, "sgd") for act in TABLES["act"] for loss in TABLES["loss"]),
        *((case["act"], case["loss"], case["optimizer"]) for case in in_turn()),
    ],
)
def test_every_entry_trains_alike_in_float32(act, loss, optimizer):
    case = {**PLAIN, "act": act, "loss": loss, "optimizer": optimizer, "batch_size": 5, "bias": True}
    params, x, y, some = made(case)
    small = funcnn.Params(attrs.evolve(l, w=l.w.astype(np.float32), b=l.b.astype(np.float32)) for l in params.layers)
    final, _ = funcnn.train(small, x, y, epochs=20, engine="numpy", **some)
    for engine in OTHERS:
        if engine == "jax" and optimizer == "sgd":  # which the others are enough for, since JAX traces the same `step`
            continue
        assert_near(final, funcnn.train(small, x, y, epochs=20, engine=engine, **some)[0], 1e-5)


class Counter:
    """An update that counts its calls: no engine but `numpy` can know what it does."""

    calls = 0


def _counting(w, g, slots, t, lr, hyper):
    Counter.calls += 1
    return w - lr * g, slots


CANNOT = {
    "act": Activation("looked up", lambda z: np.vectorize(abs)(z), lambda z, a: np.sign(z)),
    "loss": Loss("one by one", lambda p, y: (p - y) ** 2 / 2, lambda p, y: np.vectorize(float)(p - y)),
    "optimizer": Optimizer("counting", _counting),
}


def one(z, a):
    return 1.0


#: Mistakes in what is one's own, whatever engine is to run it.
MISTAKES = {
    "two arguments": (Activation("mine", lambda z, w: z, one), "'mine' must be a function of 1 argument"),
    "in place": (Activation("mine", lambda z: np.tanh(z, out=z), one), "'mine' changes its argument in place"),
    "another shape": (Activation("mine", lambda z: z[:, :1], one), "'mine' must give a number for each"),
    "nothing": (Activation("mine", lambda z: None, one), "activation 'mine'"),
    "a text": (Activation("mine", lambda z: "a", one), "activation 'mine'"),
    "no slots": (
        Optimizer("mine", lambda w, g, slots, t, lr, hyper: (w - lr * g, (w,))),
        "'mine' must give .* 0 slots",
    ),
    "a scalar slot": (
        Optimizer("mine", lambda w, g, slots, t, lr, hyper: (w - lr * g, (0.5,)), slots=1),
        "'mine' must give weights and slots of the weights' shape",
    ),
    "five arguments": (
        Optimizer("mine", lambda w, g, slots, t, lr: (w, ())),
        "'mine' must be a function of 6 arguments",
    ),
    "a loss": (Loss("mine", lambda y_hat, y: y_hat[0], lambda y_hat, y: y_hat - y), "loss 'mine' must give a number"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_alike_whatever_engine_is_to_run_it(mistake):
    record, message = MISTAKES[mistake]
    data, act = funcnn.xor(), record if isinstance(record, Activation) else "tanh"
    names = {Optimizer: "optimizer", Loss: "loss"}
    some = {names[type(record)]: record} if type(record) in names else {}
    said = set()
    for engine in ("numpy", *OTHERS):
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            funcnn.train(funcnn.init((2, 3, 1), act=act), data.x, data.y, epochs=2, engine=engine, **some)
        said.add(str(caught.value))
    assert len(said) == 1


@pytest.mark.parametrize("kind", CANNOT)
def test_an_engine_that_cannot_run_a_record_says_so_and_auto_takes_another(kind):
    params, x, y, some = made({**PLAIN, kind: CANNOT[kind]})
    for engine in OTHERS:
        message = rf"engine '{engine}' cannot run this: the \w+ '{CANNOT[kind].name}' .*; engine='numpy' can"
        with pytest.raises(ValueError, match=message):
            funcnn.train(params, x, y, epochs=2, engine=engine, **some)
    # Long enough that another engine would be asked, but for an obstacle; it is not run that long.
    said = f"engine 'compiled', which auto would take, cannot run this: .* '{CANNOT[kind].name}' .*; 'numpy' does"
    with pytest.warns(funcnn.EngineWarning, match=said):
        _, history = funcnn.train(params, x, y, epochs=10**6, stop=lambda history: True, **some)
    assert history.engine == "numpy"
