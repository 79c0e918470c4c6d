"""The engines against one another: `compiled` against `numpy`, members of ensembles against their solo runs."""

import os
import subprocess
import sys

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcnn
from funcnn import Activation, Experiment, Loss, Plan, engines
from funcnn.engines import scalars

ENGINES = ["numpy", "compiled"]
CUBE = Activation("cube", lambda z: z * z * z, lambda z, a: 3.0 * z * z)
SQUARE = Activation("square", lambda z: z * z, lambda z, a: 2.0 * z)
UNCOMPILABLE = Activation("looked_up", lambda z: np.asarray(list(map(abs, z.flat))).reshape(z.shape), lambda z, a: a)
MADE_ON_THE_SPOT = Loss("quartic", lambda p, y: (p - y) ** 4 / 4, lambda p, y: (p - y) ** 3, report="mse")


def data(sizes, n, members=None, seed=0):
    rng = np.random.default_rng(seed)
    lead = () if members is None else (members,)
    return rng.normal(size=(*lead, n, sizes[0])), rng.integers(0, 2, (*lead, n, sizes[-1])).astype(float)


#: Those that share a kernel. Any others are compiled for seconds in each mixture, so test_tables.py has them in turn.
ACTS, LOSSES = ["sigmoid", "relu", "tanh", "leaky_relu", "none"], ["half_sse", "mse"]


def assert_close(ours, theirs, tolerance):
    (params, history), (other_params, other_history) = ours, theirs
    scale = max(np.abs(layer.w).max() for layer in params.layers)
    for mine, its in zip(params.layers, other_params.layers, strict=True):
        assert mine.w.dtype == its.w.dtype
        np.testing.assert_allclose(its.w, mine.w, rtol=tolerance, atol=tolerance * scale)
        assert (mine.b is None) == (its.b is None)
        if mine.b is not None:
            np.testing.assert_allclose(its.b, mine.b, rtol=tolerance, atol=tolerance * scale)
    assert history.loss.dtype == other_history.loss.dtype == history.accuracy.dtype == other_history.accuracy.dtype
    np.testing.assert_allclose(other_history.loss, history.loss, rtol=100 * tolerance, atol=tolerance)
    np.testing.assert_array_equal(other_history.epoch, history.epoch)
    np.testing.assert_array_equal(other_history.logged, history.logged)
    np.testing.assert_allclose(other_history.grad_norm, history.grad_norm, rtol=1000 * tolerance, atol=100 * tolerance)
    assert [epoch for epoch, _ in history.snapshots] == [epoch for epoch, _ in other_history.snapshots]


# --- compiled against numpy ------------------------------------------------------------------------------------------


@settings(max_examples=120)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    n=st.integers(1, 9),
    batch_size=st.sampled_from([1, 2, 5, 9, 50, "full"]),
    shuffle=st.booleans(),
    loss=st.sampled_from(LOSSES),
    bias=st.booleans(),
    members=st.none() | st.integers(1, 4),
    own_data=st.booleans(),
    own_lr=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float64, np.float32]),
    acts=st.data(),
)
def test_compiled_agrees_with_numpy(sizes, n, batch_size, shuffle, loss, bias, members, own_data, own_lr, dtype, acts):
    chosen = [acts.draw(st.sampled_from(ACTS)) for _ in sizes[1:]]
    seed = 5 if members is None else range(members)
    params = funcnn.init(sizes, seed=seed, act=chosen, bias=bias, scheme="glorot", dtype=dtype)
    x, y = data(sizes, n, members if own_data else None)
    lr = 0.05 if members is None or not own_lr else np.linspace(0.01, 0.1, members)
    some = {"lr": lr, "loss": loss, "batch_size": batch_size, "shuffle": shuffle, "epochs": 5, "snapshots": (0, 3, 5)}
    ours, theirs = (funcnn.train(params, x, y, engine=engine, log_every=2, **some) for engine in ENGINES)
    assert [history.engine for _, history in (ours, theirs)] == ENGINES
    assert_close(ours, theirs, 1e-12 if dtype == np.float64 else 1e-5)
    if dtype == np.float64:
        np.testing.assert_array_equal(ours[1].accuracy, theirs[1].accuracy)


@pytest.mark.parametrize("act", list(funcnn.ACTIVATIONS))
def test_compiled_agrees_with_numpy_over_some_hundred_epochs_of_xor(act):
    lr = {"none": 0.01, "gelu": 0.03}.get(act, 0.1)  # with 0.1 gelu's run is chaotic: 1e-16 becomes 1e-8 in it
    runs = [funcnn.run(Experiment(act=act, lr=lr, epochs=300, log_every=100, engine=engine)) for engine in ENGINES]
    assert_close(*[(run.params, run.history) for run in runs], 1e-11)


def test_auto_is_compiled_for_the_lab_but_not_for_what_is_over_before_the_kernel_is_loaded():
    assert funcnn.run(Experiment()).history.engine == "compiled"
    assert funcnn.run(Experiment(epochs=2)).history.engine == "numpy"


@pytest.mark.parametrize(
    ("sizes", "members", "batch_size", "engine"),
    [
        ((2, 3, 3, 1), 1, 1, "compiled"),
        ((2, 3, 3, 1), 1, 21, "compiled"),
        ((2, 3, 3, 1), 1000, 512, "compiled"),
        ((2, 32, 32, 1), 100, 64, "numpy"),
        ((2, 128, 128, 1), 1, 1, "compiled"),
        ((2, 8, 8, 1), 10, 64, "compiled"),
        ((2, 128, 128, 1), 1, 64, "numpy"),
        ((2, 128, 128, 1), 10, 64, "numpy"),
        ((784, 512, 512, 10), 1, 128, "numpy"),
    ],
)
def test_auto_weighs_calls_against_arithmetic(sizes, members, batch_size, engine):
    params = funcnn.init(sizes, seed=range(members) if members > 1 else 0)
    plan = Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS["sgd"], batch_size)
    assert engines.choose("auto", plan, engines.shapes_of(params, 1000), 10**6).name == engine


# --- activations and losses of one's own -----------------------------------------------------------------------------


def test_compiled_takes_activations_of_ones_own(bits):
    sizes, acts = (2, 3, 3, 2, 1), (SQUARE, CUBE, "tanh", SQUARE)
    params = funcnn.init(sizes, seed=range(3), act=acts, bias=True, scheme="glorot")
    x, y = data(sizes, 6)
    some = {"lr": 0.02, "epochs": 6, "batch_size": 4, "log_every": 2}
    ours, theirs = (funcnn.train(params, x, y, engine=engine, **some) for engine in ENGINES)
    assert_close(ours, theirs, 1e-12)
    assert tuple(layer.act for layer in theirs[0].layers) == acts
    alone, history = funcnn.train(
        funcnn.init(sizes, seed=1, act=acts, bias=True, scheme="glorot"), x, y, engine="compiled", **some
    )
    assert history.engine == "compiled"
    for mine, its in zip(theirs[0].layers, alone.layers, strict=True):
        assert bits(mine.w[1]) == bits(its.w)


def test_an_activation_that_numba_cannot_compile_runs_on_numpy():
    params, (x, y) = funcnn.init((2, 3, 1), act=(UNCOMPILABLE, "sigmoid")), data((2, 3, 1), 4)
    with pytest.raises(ValueError, match=r"compile.*'looked_up'.*engine='numpy'"):
        funcnn.train(params, x, y, epochs=2, engine="compiled")
    final, history = funcnn.train(params, x, y, epochs=2, engine="auto")
    assert history.engine == "numpy"
    assert final == funcnn.train(params, x, y, epochs=2, engine="numpy")[0]


@pytest.mark.parametrize("name", ["quartic", "mse"], ids=["own name", "name of a built-in one"])
def test_a_loss_of_ones_own_is_trained_as_what_it_is(name):
    loss = attrs.evolve(MADE_ON_THE_SPOT, name=name)
    params, (x, y) = funcnn.init((2, 3, 1), seed=1), data((2, 3, 1), 4)
    expected = params
    for _ in range(2):
        expected = funcnn.sgd_step(expected, funcnn.grads(expected, x, y, loss=loss), 0.5)
    for engine in ENGINES:
        final, history = funcnn.train(params, x, y, epochs=2, engine=engine, loss=loss, batch_size="full", lr=0.5)
        assert history.engine == engine
        for ours, theirs in zip(final.layers, expected.layers, strict=True):
            np.testing.assert_allclose(ours.w, theirs.w, rtol=1e-13)
    assert funcnn.train(params, x, y, epochs=2, loss=loss)[1].engine == "numpy"  # before anything could be compiled


# Functions of a user's that a compiled kernel would take for others than they are.
STEEPNESS = 1.0
FACTORS = [1.0]


def steep(z):
    return STEEPNESS * np.tanh(z)


def steep_slope(z, a):
    return STEEPNESS - a * a / STEEPNESS


def stretched(z):
    return FACTORS[0] * z


def counted():
    calls = 0

    def apply(z):
        nonlocal calls
        calls += 1
        return z + 0.0 * calls

    return apply


class Settings:
    slope = 2.0


def sloped(z):
    return Settings.slope * z


def one(z, a):
    return 1.0 + 0.0 * z


OTHERWISE = {
    "not elementwise": (
        lambda z: np.exp(z) / np.sum(np.exp(z)),
        lambda z, a: a * (1 - a),
        "cannot be compiled|not elementwise",
    ),
    "of the largest": (lambda z: z / (1.0 + np.max(np.abs(z))), one, "cannot be compiled|not elementwise"),
    "slope not elementwise": (np.tanh, lambda z, a: (1 - a * a) / np.sum(a * a), "cannot be compiled|not elementwise"),
    "reads a list": (stretched, one, "hangs on what can change: 'FACTORS' is list"),
    "reads an object": (sloped, one, "hangs on what can change: 'Settings' is type"),
    "counts its calls": (counted(), one, "hangs on what can change: it sets 'calls'"),
    "an object": (np.vectorize(abs), one, "can change|cannot be compiled"),
    "random": (lambda z: z + 0.001 * np.random.normal(), one, "not elementwise"),
    "gives no number": (lambda z: z > 0, one, "does not make a number|cannot be compiled"),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_compiling_would_make_another_function_of_is_not_compiled(name):
    apply, derivative, reason = OTHERWISE[name]
    act = Activation("mine", apply, derivative)
    params, (x, y) = funcnn.init((2, 3, 1), act=(act, "sigmoid")), data((2, 3, 1), 4)
    with pytest.raises(ValueError, match=f"engine 'compiled' cannot run this: the activation 'mine'.*({reason})"):
        funcnn.train(params, x, y, epochs=2, engine="compiled")
    assert funcnn.train(params, x, y, epochs=20_000, lr=1e-9)[1].engine == "numpy"  # long enough for "auto" to ask


def test_a_global_that_changes_between_runs_is_seen_to_have_changed(monkeypatch):
    act = Activation("steep", steep, steep_slope)
    params, (x, y) = funcnn.init((2, 3, 1), act=act, seed=3), data((2, 3, 1), 4)
    losses = []
    for steepness in (1.0, 0.5, 1.0):
        monkeypatch.setattr(sys.modules[__name__], "STEEPNESS", steepness)
        ours, theirs = (funcnn.train(params, x, y, epochs=5, engine=engine) for engine in ENGINES)
        assert_close(ours, theirs, 1e-12)
        losses.append(theirs[1].loss[-1])
    assert losses[0] == losses[2] != losses[1]


def in_place(z):
    z *= 2.0
    return z


def in_place_slope(z, a):
    a *= a
    return a


def part_of_it(z):
    z[z < 0] = 0
    return z


CHANGING = {
    "activation": Activation("mine", in_place, one),
    "derivative": Activation("mine", np.tanh, in_place_slope),
    "indexed": Activation("mine", part_of_it, one),
    "out": Activation("mine", lambda z: np.tanh(z, out=z), one),
    "slope": Loss("mine", lambda p, y: (p - y) ** 2, lambda p, y: np.subtract(p, y, out=y)),
    "value": Loss("mine", lambda p, y: np.subtract(p, y, out=p), lambda p, y: p - y),
    "report": Loss(
        "other", lambda p, y: p - y, lambda p, y: p - y, report=Loss("mine", lambda p, y: np.add(p, y, out=p), None)
    ),
}


@pytest.mark.parametrize("name", CHANGING)
def test_functions_of_ones_own_that_change_their_argument_are_refused_by_all(name):
    mine, (x, y) = CHANGING[name], data((2, 3, 1), 4)
    loss = mine if isinstance(mine, Loss) else "half_sse"
    params = funcnn.init((2, 3, 1), act="sigmoid" if isinstance(mine, Loss) else mine, scheme="glorot")
    before = y.copy()
    calls = [lambda engine=engine: funcnn.train(params, x, y, epochs=2, loss=loss, engine=engine) for engine in ENGINES]
    if name not in ("report", "optimizer"):
        calls.append(lambda: funcnn.value_and_grads(params, x, y, loss=loss))
    for call in calls[:: 1 if name != "value" else -2]:  # train never asks for the value
        with pytest.raises(ValueError, match="'mine' changes its argument in place"):
            call()
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("shape", [lambda z: z.sum(axis=-1, keepdims=True), lambda z: z[..., :1], lambda z: z[0]])
def test_functions_of_ones_own_that_only_broadcast_are_refused(shape):
    params, (x, y) = (
        funcnn.init((2, 3, 2), act=(Activation("mine", np.tanh, lambda z, a: shape(a)), "none")),
        data((2, 3, 2), 4),
    )
    for call in (lambda: funcnn.grads(params, x, y), lambda: funcnn.train(params, x, y, epochs=1, batch_size=4)):
        with pytest.raises(ValueError, match=r"derivative of activation 'mine' must give a number for each.*\(4, 3\)"):
            call()


def without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setitem(sys.modules, "funcnn.engines.compiled", None)
    monkeypatch.delattr(funcnn.engines, "compiled", raising=False)


def test_without_numba_all_works_on_numpy(monkeypatch):
    without_numba(monkeypatch)
    run = funcnn.run(Experiment(epochs=2))
    assert run.history.engine == "numpy"
    assert run.params == funcnn.run(Experiment(epochs=2, engine="numpy")).params
    with pytest.raises(ValueError, match=r"needs numba: pip install 'funcnn\[fast\]'.*engine='numpy'"):
        funcnn.run(Experiment(epochs=2, engine="compiled"))


@pytest.mark.parametrize(
    ("what", "absent"),
    [
        ("import funcnn", "matplotlib click numba jax"),
        ("import funcnn; funcnn.run(funcnn.Experiment(epochs=1, engine='numpy'))", "matplotlib click numba jax"),
        ("import funcnn; funcnn.run(funcnn.Experiment(epochs=1))", "matplotlib click jax"),
    ],
)
def test_importing_the_library_imports_nothing_heavy(what, absent):
    code = f"{what}; import sys; print(*[name for name in {absent.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# --- ensembles -------------------------------------------------------------------------------------------------------


#: Ensembles in which some members learn, some diverge at different epochs and some die.
FATES = {
    "sigmoid": {"seed": tuple(range(7))},
    "diverging": {"act": "leaky_relu", "lr": 3.0, "seed": (11, 13, 0, 16, 21, 1, 2)},
    "dying": {"act": "relu", "lr": 1.0, "seed": (0, 2, 9, 11, 14, 24, 39)},
    "both": {"act": "relu", "seed": (14, 14, 11, 9, 9, 2, 0), "lr": (0.1, 1e100, 1e100, 1.0, 0.1, 1e100, 0.1)},
    "batches": {
        "act": ("tanh", "relu", "none"),
        "bias": True,
        "batch_size": 5,
        "shuffle": True,
        "seed": tuple(range(7)),
    },
    "rates": {"loss": "mse", "lr": (0.1, 0.5, 1.0, 0.1, 2.0, 3.0, 4.0), "hidden": (4,), "batch_size": "full"},
    "one start": {"act": "leaky_relu", "seed": 13, "lr": (0.1, 3.0, 1.0, 1e100, 3.0, 0.5, 2.0)},
    "twins": {"act": "tanh", "seed": (3, 3, 3, 4, 4, 3, 3)},
    "points": {"data": "linear", "seed": tuple(range(7)), "data_seed": (0, 1, 2, 3, 4, 5, 5)},
    "points alone": {"data": "linear", "act": "relu", "data_seed": tuple(range(7)), "batch_size": 30, "shuffle": True},
    "points and rates": {"data": "linear", "data_seed": tuple(range(7)), "lr": (0.1, 1e100, 0.5, 1.0, 2.0, 3.0, 9.0)},
    "points that all share": {"seed": tuple(range(7)), "data_seed": tuple(range(7))},
    "nothing but the number": {"data_seed": tuple(range(7))},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("log_every", [1, 7, 500])
@pytest.mark.parametrize("fate", FATES)
def test_a_member_has_the_bits_of_its_solo_run(fate, log_every, engine, bits):
    fields = {"epochs": 20, "log_every": log_every, "engine": engine, **FATES[fate]}
    together = [funcnn.run(Experiment(**fields), threads=threads) for threads in (1, 2, 3)]
    assert bits(together[1]) == bits(together[2]) == bits(together[0])
    for k in range(7):
        one = {
            name: value[k] if name in ("seed", "lr", "data_seed") and isinstance(value, tuple) else value
            for name, value in fields.items()
        }
        solo, member = funcnn.run(Experiment(**one)), funcnn.member(together[0], k)
        assert bits([figure[k] for figure in funcnn.scores(together[0])]) == bits(list(funcnn.scores(solo)))
        assert member.experiment == solo.experiment
        assert bits(member.params) == bits(solo.params)
        for name in ("epoch", "loss", "accuracy", "logged", "grad_norm", "snapshots"):
            assert bits(getattr(member.history, name)) == bits(getattr(solo.history, name)), name
        assert bits(member) == bits(solo)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_ensembles_above_hold_what_they_promise(engine):
    def kinds(fate):
        run = funcnn.run(Experiment(epochs=300, engine=engine, **FATES[fate]))
        said = [funcnn.diagnose(funcnn.member(run, k)) for k in range(7)]
        return {one.kind for one in said if one}

    assert {"diverged", "plateau"} <= kinds("diverging")
    assert {"dead"} <= kinds("dying")
    assert {"diverged", "dead"} <= kinds("both")


@pytest.mark.parametrize("engine", ENGINES)
def test_records_of_a_member_that_diverged_equal_those_of_its_solo_run(engine):
    fields = {"epochs": 20, "engine": engine, "act": "leaky_relu", "lr": 3.0}
    run = funcnn.run(Experiment(seed=(13, 0), **fields))
    assert funcnn.member(run, 0) == funcnn.run(Experiment(seed=13, **fields))
    assert funcnn.member(run, 1) == funcnn.run(Experiment(seed=0, **fields))
    assert funcnn.member(run, 0) != funcnn.member(run, 1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sizes", [(2, 3, 1), (40, 32, 3)])
def test_members_keep_their_bits_where_the_ensemble_is_cut_into_parts(sizes, dtype, engine, bits):
    # Members this wide, in batches this long, are worked on a few at a time, whatever the number of threads.
    members, n = 9, 60
    x, y = data(sizes, n, members)
    params = funcnn.init(sizes, seed=range(members), act="tanh", bias=True, scheme="glorot", dtype=dtype)
    rates = np.linspace(0.01, 0.1, members)
    some = {"epochs": 2, "batch_size": 50, "log_every": 1, "snapshots": (0, 1, 2), "engine": engine}
    results = [funcnn.train(params, x, y, lr=rates, threads=threads, **some) for threads in (1, 2, 3, 9, 20)]
    assert all(bits(other) == bits(results[0]) for other in results[1:])
    final, history = results[0]
    for k in range(members):
        start = funcnn.init(sizes, seed=k, act="tanh", bias=True, scheme="glorot", dtype=dtype)
        solo, told = funcnn.train(start, x[k], y[k], lr=float(rates[k]), **some)
        for mine, its in zip(final.layers, solo.layers, strict=True):
            assert bits((mine.w[k], mine.b[k])) == bits((its.w, its.b))
        assert bits(history.loss[:, k]) == bits(told.loss)
        assert bits(history.accuracy[:, k]) == bits(told.accuracy)
        assert bits(history.grad_norm[..., k]) == bits(told.grad_norm)
        for (epoch, mine), (its_epoch, its) in zip(history.snapshots, told.snapshots, strict=True):
            assert epoch == its_epoch
            assert bits(mine.layers[0].w[k]) == bits(its.layers[0].w)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_ensemble_of_one_is_an_ensemble(engine, bits):
    run = funcnn.run(Experiment(epochs=5, seed=(3,), engine=engine))
    assert run.history.loss.shape == (5, 1)
    assert run.params.layers[0].w.shape == (1, 2, 3)
    assert bits(funcnn.member(run, 0)) == bits(funcnn.run(Experiment(epochs=5, seed=3, engine=engine)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("data", ["linear", "xor"])
@pytest.mark.parametrize("data_seed", [(3,), (3, 3)])
def test_as_many_members_as_data_seeds_whether_their_points_differ_or_not(data, data_seed, engine, bits):
    e = Experiment(data=data, epochs=5, data_seed=data_seed, engine=engine)
    run, solo = funcnn.run(e), funcnn.run(attrs.evolve(e, data_seed=3))
    assert run.history.loss.shape == (5, len(data_seed))
    assert run.params.layers[0].w.shape == (len(data_seed), 2, 3)
    for k in range(len(data_seed)):
        assert bits(funcnn.member(run, k)) == bits(solo)
    started = funcnn.run(e, start=funcnn.init((2, 3, 3, 1), seed=14))
    assert bits(attrs.evolve(started, experiment=e)) == bits(run)  # but that it says so


def test_what_a_tuple_of_one_names_is_every_members():
    run = funcnn.run(Experiment(data="linear", epochs=5, seed=(4,), lr=(0.1, 0.3), data_seed=(6,)))
    for k, lr in enumerate((0.1, 0.3)):
        assert funcnn.member(run, k) == funcnn.run(Experiment(data="linear", epochs=5, seed=4, lr=lr, data_seed=6))


@pytest.mark.parametrize("data", ["linear", "xor"])
@pytest.mark.parametrize("fields", [{"seed": (0, 1)}, {"lr": (0.1, 0.2)}, {"seed": (0, 1), "lr": (0.1, 0.2)}])
def test_ensembles_of_different_sizes_are_refused(data, fields):
    with pytest.raises(ValueError, match=r"an ensemble has one leading axis.* \(2,\).* x \(3,\)|.* x \(3,\).* \(2,\)"):
        funcnn.run(Experiment(data=data, epochs=2, data_seed=(0, 1, 2), **fields))


def test_an_ensemble_without_a_member_is_refused():
    with pytest.raises(ValueError, match="data_seed names no member"):
        funcnn.run(Experiment(data="linear", epochs=2, data_seed=()))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shared", ["x", "y", "params"])
def test_an_ensemble_may_share_what_it_has_in_common(shared, engine, bits):
    sizes, members = (2, 3, 1), 3
    x, y = data(sizes, 5, members)
    params = funcnn.init(sizes, seed=range(members))
    given = {"x": x, "y": y, "params": params}
    spelled = dict(given)
    if shared == "params":
        given["params"], spelled["params"] = funcnn.init(sizes, seed=8), funcnn.init(sizes, seed=[8] * members)
    else:
        given[shared] = given[shared][0]
        spelled[shared] = np.repeat(given[shared][None], members, axis=0)
    ours, theirs = (
        funcnn.train(some["params"], some["x"], some["y"], epochs=4, log_every=2, engine=engine)
        for some in (given, spelled)
    )
    assert ours[1].loss.shape == (4, members)
    assert bits(ours) == bits(theirs)


@pytest.mark.parametrize("engine", ENGINES)
def test_members_that_have_stopped_are_not_a_number_from_then_on(engine):
    run = funcnn.run(Experiment(act="leaky_relu", lr=3.0, seed=(13, 0, 21), epochs=20, engine=engine))
    history = run.history
    assert history.loss.shape == history.accuracy.shape == (20, 3)
    for k, ran in enumerate((4, 20, 1)):
        assert np.isfinite(history.accuracy[:ran, k]).all()
        assert np.isnan(history.accuracy[ran:, k]).all()
        assert np.isnan(history.loss[ran:, k]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("log_every", [1, 500])
def test_an_ensemble_whose_members_all_diverge_stops_with_the_last_of_them(log_every, engine):
    e = Experiment(act="leaky_relu", lr=3.0, seed=(21, 13), epochs=20, engine=engine, log_every=log_every)
    history = funcnn.run(e).history
    assert history.loss.shape == (4, 2)
    np.testing.assert_array_equal(history.epoch, range(4))
    np.testing.assert_array_equal(history.logged, range(0, 4, log_every))


def test_the_kernels_exponential_is_right_to_an_ulp_or_two():
    x = np.concatenate([np.linspace(-708, 708, 100_001), np.random.default_rng(0).normal(size=10_000)])
    ours = np.array([scalars.exp(value) for value in x])
    assert np.max(np.abs(ours - np.exp(x)) / np.spacing(np.exp(x))) <= 2
    assert np.isnan(scalars.exp(np.nan))
    assert scalars.exp(-1e9) < 1e-300
    assert scalars.exp(1e9) > 1e300


def test_a_cache_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    code = "import funcnn; print(funcnn.run(funcnn.Experiment(epochs=1, engine='compiled')).history.engine)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file" / "folder")}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "compiled\n"


# --- the same numbers, whoever runs along, however arrays lie in memory ----------------------------------------------


@settings(max_examples=80)
@given(
    sizes=st.lists(st.sampled_from([1, 2, 5, 8]), min_size=2, max_size=4),
    n=st.sampled_from([33, 7, 1]),
    batch_size=st.sampled_from([5, 1, 2, 16, "full"]),
    shuffle=st.booleans(),
    bias=st.booleans(),
    own_data=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float32]),
    engine=st.sampled_from(ENGINES),
    members=st.sampled_from([2, 3, 9]),
    loss=st.sampled_from(LOSSES),
)
def test_a_member_with_data_of_its_own_has_the_bits_of_its_solo_run(
    sizes, n, batch_size, shuffle, bias, own_data, dtype, engine, members, loss, bits
):
    x, y = data(sizes, n, members)
    if not own_data:
        x, y = x[0], y[0]
    some = {"epochs": 5, "batch_size": batch_size, "shuffle": shuffle, "engine": engine, "log_every": 1, "lr": 0.01}
    some["loss"] = loss
    start = {"act": "tanh", "bias": bias, "scheme": "glorot", "dtype": dtype}
    params, history = funcnn.train(funcnn.init(sizes, seed=range(members), **start), x, y, **some)
    for k in range(members):
        xk, yk = (x[k], y[k]) if own_data else (x, y)
        alone, told = funcnn.train(funcnn.init(sizes, seed=k, **start), xk, yk, **some)
        for mine, its in zip(params.layers, alone.layers, strict=True):
            assert bits(mine.w[k]) == bits(its.w)
            assert not bias or bits(mine.b[k]) == bits(its.b)
        assert bits(history.loss[:, k]) == bits(told.loss)
        assert bits(history.grad_norm[..., k]) == bits(told.grad_norm)


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.mT).mT,
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "odd strides": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]],
    "backwards": lambda a: np.ascontiguousarray(a[..., ::-1, :])[..., ::-1, :],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", [(2, 3, 1), (1, 1, 1), (17, 20, 2), (40, 1, 33)])
@pytest.mark.parametrize("members", [None, 3])
def test_numbers_do_not_depend_on_how_arrays_lie_in_memory(layout, sizes, members, bits):
    seed = 0 if members is None else range(members)
    params = funcnn.init(sizes, seed=seed, act="tanh", bias=True)
    x, y = data(sizes, 20)
    moved = funcnn.Params(attrs.evolve(l, w=LAYOUTS[layout](l.w), b=LAYOUTS[layout](l.b)) for l in params.layers)
    given = moved, LAYOUTS[layout](x), LAYOUTS[layout](y)
    assert bits(funcnn.forward(*given[:2])) == bits(funcnn.forward(params, x))
    assert bits(funcnn.backprop(*given)) == bits(funcnn.backprop(params, x, y))
    step = funcnn.sgd_step(moved, funcnn.grads(*given), 0.1)
    assert bits(step) == bits(funcnn.sgd_step(params, funcnn.grads(params, x, y), 0.1))
    for engine in ENGINES:
        some = {"epochs": 2, "batch_size": 7, "shuffle": True, "engine": engine}
        assert bits(funcnn.train(*given, **some)) == bits(funcnn.train(params, x, y, **some))
    # The plain loop, with weights laid out so before every step.
    walking, expected = moved, funcnn.train(params, x, y, epochs=1, engine="numpy", batch_size=7)[0]
    for rows in (slice(0, 7), slice(7, 14), slice(14, 20)):
        walking = funcnn.sgd_step(walking, funcnn.grads(walking, given[1][rows], given[2][rows]), 0.1)
        walking = funcnn.Params(attrs.evolve(l, w=LAYOUTS[layout](l.w), b=LAYOUTS[layout](l.b)) for l in walking.layers)
    assert bits(walking) == bits(expected)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1), (2, 1, 3), (1, 4, 1), (3, 2)])
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning", "ignore:overflow:RuntimeWarning")
def test_numbers_that_become_infinite_do_so_as_in_the_plain_loop(sizes, batch_size, bits):
    # Weights so large that z, a or an error is infinite where another factor is 0.
    rng = np.random.default_rng(0)
    for lr in (1e160, 1e300):
        params = funcnn.init(sizes, seed=1, act="relu", out_act="none")
        x, y = rng.integers(-1, 2, (4, sizes[0])).astype(float), rng.integers(0, 2, (4, sizes[-1])).astype(float)
        walking = params
        for epoch in range(1, 6):
            for begin in range(0, 4, batch_size):
                rows = slice(begin, begin + batch_size)
                walking = funcnn.sgd_step(walking, funcnn.grads(walking, x[rows], y[rows]), lr)
            final, history = funcnn.train(params, x, y, lr=lr, epochs=epoch, batch_size=batch_size, engine="numpy")
            if len(history.loss) < epoch:
                break
            assert bits(final) == bits(walking)


@pytest.mark.parametrize(
    ("hidden", "engines"),
    [((3, 3), ("numpy", "compiled")), ((64, 64), ("numpy", "compiled")), ((220, 220), ("compiled",))],
)
def test_the_number_of_cores_changes_nothing_that_readme_says_it_does_not(hidden, engines):
    code = f"""
import funcnn, hashlib
for engine in {engines!r}:
    for seed in (0, (0, 1, 2)):
        run = funcnn.run(funcnn.Experiment(hidden={hidden}, seed=seed, epochs=4, scheme="glorot", engine=engine))
        print(*[hashlib.md5(a.tobytes()).hexdigest() for l in run.params.layers for a in (l.w, run.history.loss)])
"""
    said = set()
    for cores in (1, 2, 8):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(cores), "MKL_NUM_THREADS": str(cores)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1


def test_kernels_on_disk_do_not_meet(tmp_path):
    # In one file two processes that compile at the same time would take each other's, and of kernels loaded into one
    # process the loops that these call have the same name, so that one's would be called by the other.
    code = """
import funcnn, sys
data, params = funcnn.xor(), funcnn.init((2, 2, 1), seed=1)
for optimizer in sys.argv[1:]:
    ours, theirs = (
        funcnn.train(params, data.x, data.y, epochs=3, optimizer=optimizer, engine=engine)[0]
        for engine in ("numpy", "compiled")
    )
    print(max(abs(a.w - b.w).max() for a, b in zip(ours.layers, theirs.layers)))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    rules = ["momentum", "nesterov"]
    compiling = [subprocess.Popen([sys.executable, "-c", code, rule], env=environment) for rule in rules]
    assert [process.wait() for process in compiling] == [0, 0]
    assert len(list(tmp_path.rglob("*train_each*.nbi"))) == 2
    loading = [sys.executable, "-c", code, *rules]
    done = subprocess.run(loading, env=environment, check=True, capture_output=True, text=True)
    assert all(float(difference) < 1e-12 for difference in done.stdout.split())
