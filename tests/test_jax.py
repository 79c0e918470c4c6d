"""Under JAX: the records as pytrees, our gradients against its own, and the engine that scans over `step`."""

import importlib
import os
import subprocess
import sys

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn
import funcnn.jax
from funcnn import Activation, Layer, Loss, Optimizer, Params, Plan, engines
from funcnn.engines import traced
from trees import assert_near

SGD, HALF_SSE, XOR = funcnn.OPTIMIZERS["sgd"], funcnn.LOSSES["half_sse"], funcnn.xor()
#: A scope in which JAX's numbers may have 64 bits.
wide = (jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")).enable_x64


def arrays(params):
    return [array for layer in params.layers for array in (layer.w, layer.b) if array is not None]


def run(code, **environment):
    """Run code in a Python of its own, where warnings are errors, and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env={**os.environ, "JAX_PLATFORMS": "cpu", **environment}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


# --- pytrees ---------------------------------------------------------------------------------------------------------


def record(kind):
    params = funcnn.init((2, 3, 1), seed=range(2), act=("tanh", "none"), bias=True)
    final, history = funcnn.train(params, XOR.x, XOR.y, epochs=3, validation=(XOR.x, XOR.y), snapshots=(0,))
    trace = funcnn.backprop(params, XOR.x, XOR.y)
    return next(one for one in (params.layers[0], final, XOR, trace, history.state, history) if type(one) is kind)


@pytest.mark.parametrize("kind", funcnn.jax.PYTREES)
def test_records_are_pytrees_of_all_their_arrays_and_nothing_else(kind):
    one = record(kind)
    leaves, structure = jax.tree.flatten(one)
    assert all(isinstance(leaf, np.ndarray | np.generic | int | float) for leaf in leaves)
    assert jax.tree.unflatten(structure, leaves) == one
    traced_fields, static = funcnn.jax.PYTREES[kind]
    assert sorted([*traced_fields, *static]) == sorted(field.name for field in attrs.fields(kind))
    for name in static:
        assert jax.tree.structure(attrs.evolve(one, **{name: "other"})) != structure
    with wide(True):
        again = jax.jit(lambda one: one)(one)
    assert jax.tree.structure(again) == structure
    for array, before in zip(jax.tree.leaves(again), leaves, strict=True):
        np.testing.assert_array_equal(array, before)


def test_plans_are_static_so_that_step_is_compiled_as_it_is():
    plan = Plan(funcnn.LOSSES["mse"], funcnn.OPTIMIZERS["adam"], clip=0.1, l2=0.01)
    params = funcnn.init((2, 3, 1), seed=range(3), bias=True)
    state = attrs.evolve(funcnn.fresh_state(plan, params), running=np.array([True, False, True]))
    weight = np.linspace(0, 1, 21)
    with wide(True):
        theirs, y_hat = jax.jit(funcnn.step)(plan, state, XOR.x, XOR.y, 0.1, weight)
    assert jax.tree.leaves(plan) == []
    assert_near((theirs, y_hat), funcnn.step(plan, state, XOR.x, XOR.y, 0.1, weight))
    np.testing.assert_array_equal(theirs.params.layers[0].w[1], params.layers[0].w[1])


def test_samples_of_numpys_take_the_dtype_of_jaxs_weights():
    params = jax.tree.map(lambda w: jnp.asarray(w, jnp.float32), funcnn.init((2, 3, 1), seed=0))
    with wide(True):
        for y_hat in (funcnn.forward(params, XOR.x), funcnn.forward(params, XOR.x.tolist())):
            assert y_hat.dtype == jnp.float32
        assert {array.dtype for array in arrays(funcnn.grads(params, XOR.x, XOR.y))} == {np.dtype("float32")}
    with pytest.raises(ValueError, match=r"x has 1e\+300 at row 0, column 1, too large for float32"):
        funcnn.forward(params, [[0.0, 1e300]])


def test_what_functions_of_ones_own_give_has_the_dtype_and_shape_of_their_argument():
    act = Activation("mine", lambda z: np.float64(2.0) * z, lambda z, a: 2)
    loss = Loss("mine", lambda p, y: (p - y) ** 2, lambda p, y: np.float64(2.0) * (p - y))
    rule = Optimizer("mine", lambda w, g, slots, t, lr, hyper: (w - np.float64(1.0) * lr * g, slots))
    params, plan = funcnn.init((2, 3, 1), seed=0, act=act, dtype=np.float32), Plan(loss, rule)
    state = funcnn.fresh_state(plan, params)
    with wide(True):
        theirs, y_hat = jax.jit(funcnn.step)(plan, jax.tree.map(jnp.asarray, state), XOR.x, XOR.y, 0.001)
    assert y_hat.dtype == theirs.params.layers[0].w.dtype == np.float32
    ours, expected = funcnn.step(plan, state, XOR.x, XOR.y, 0.001)
    assert_near((theirs.params, y_hat), (ours.params, expected), 1e-5)
    wrong = funcnn.init((2, 3, 1), act=attrs.evolve(act, derivative=lambda z, a: a[..., :1]))
    with pytest.raises(ValueError, match="derivative of activation 'mine' must give a number for each"):
        jax.jit(funcnn.grads)(wrong, XOR.x, XOR.y)
    greedy = attrs.evolve(plan, optimizer=Optimizer("mine", lambda w, g, slots, t, lr, hyper: (w[0], slots)))
    with pytest.raises(ValueError, match="optimizer 'mine' must give weights and slots of the weights' shape"):
        jax.jit(funcnn.step)(greedy, state, XOR.x, XOR.y, 0.1)


# --- our gradients against JAX's -------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", funcnn.ACTIVATIONS)
def test_gradients_are_jaxs_for_every_activation_and_loss(act):
    rng = np.random.default_rng(2)
    x, classes = rng.normal(size=(7, 3)), np.eye(2)[rng.integers(2, size=7)]
    for name, loss in funcnn.LOSSES.items():
        out = "none" if loss.logits else act
        params = funcnn.init((3, 4, 2), seed=3, act=act, out_act=out, bias=True, bias_init="uniform:0.5", scheme="he")
        y = 2 * classes - 1 if loss.targets == "signs" else classes
        trace = funcnn.backprop(params, x, y, loss=loss)
        with wide(True):
            theirs = jax.grad(lambda params, y=y, name=name: funcnn.value_and_grads(params, x, y, loss=name)[0])(params)
        sizes = magnitudes(params, trace)
        for ours, its, size in zip(arrays(trace.grads), map(np.asarray, arrays(theirs)), arrays(sizes), strict=True):
            assert its.dtype == ours.dtype
            assert (abs(ours - its) <= 1e-14 * size).all(), (act, name, abs(ours - its) / size)


def magnitudes(params, trace):
    """Return the gradient with absolute values in all of its sums."""
    layers, delta = [], np.abs(trace.delta[-1])
    for index in reversed(range(len(params.layers))):
        layers.insert(0, Layer(np.abs(trace.a[index]).T @ delta, delta.sum(axis=0, keepdims=True)))
        if index:
            act = funcnn.ACTIVATIONS[params.layers[index - 1].act]
            slope = act.derivative(trace.z[index - 1], trace.a[index])
            delta = (delta @ np.abs(params.layers[index].w).T) * np.abs(slope)
    return Params(layers)


# --- the engine ------------------------------------------------------------------------------------------------------


@pytest.fixture
def compiled(monkeypatch):
    """List what the engine compiles."""
    seen = []
    trace = traced._epoch
    monkeypatch.setattr(traced, "_epoch", lambda fixed, *rest: (seen.append(fixed.known), trace(fixed, *rest))[1])
    jax.clear_caches()
    return seen


def train(params, engine="jax", **some):
    return funcnn.train(params, XOR.x, XOR.y, **{"engine": engine, "epochs": 100, "lr": 0.01, **some})


WAYS = {
    "plain": {},
    "ragged, shuffled": {"batch_size": 5, "shuffle": True, "optimizer": "adam"},
    "scheduled": {"schedule": lambda t: np.where(t > 1300, 0.5, 1.0), "batch_size": "full"},
}


@pytest.mark.parametrize(("way", "members"), [("plain", 3), ("ragged, shuffled", None), ("scheduled", 3)])
def test_60_and_40_epochs_have_the_bits_of_100_and_compile_nothing(way, members, compiled, bits):
    params = funcnn.init((2, 3, 1), seed=range(members) if members else 1, bias=True)
    some = {"lr": np.linspace(0.01, 0.03, members) if members else 0.01, **WAYS[way]}
    whole, history = train(params, **some)
    assert len(compiled) == 1
    _, begun = train(params, epochs=60, log_every=7, **some)
    final, rest = train(begun.state, epochs=40, **some)
    assert len(compiled) == 1
    assert bits(final) == bits(whole)
    assert bits(rest.state) == bits(history.state)
    assert bits(np.concatenate([begun.loss, rest.loss])) == bits(history.loss)


def test_another_constant_of_an_optimizer_compiles_nothing(compiled):
    params = funcnn.init((2, 3, 1), seed=1)
    for optimizer in ("adam", "adam:0.8", "adam:0.7,0.99"):
        assert_near(train(params, optimizer=optimizer)[0], train(params, "numpy", optimizer=optimizer)[0], 1e-11)
    assert len(compiled) == 1


def test_functions_of_ones_own_are_known_by_what_they_compute(compiled):
    params = funcnn.init((2, 3, 1), seed=1, scheme="glorot")

    def final(factor):
        act = Activation("mine", lambda z: factor * z, lambda z, a: factor)
        return train(Params(attrs.evolve(layer, act=act) for layer in params.layers))[0].layers[0].w

    once = final(0.5)
    np.testing.assert_array_equal(final(0.5), once)
    assert len(compiled) == 1
    assert (final(0.4) != once).any()
    assert len(compiled) == 2


def test_the_labs_9000_epochs_agree_with_numpys():
    (final, ours), (theirs, told) = (
        train(funcnn.init((2, 3, 3, 1), seed=14), engine, lr=0.1, epochs=9000) for engine in ("numpy", "jax")
    )
    assert_near((theirs, told.loss, told.grad_norm), (final, ours.loss, ours.grad_norm), 1e-10)
    np.testing.assert_array_equal(told.accuracy, ours.accuracy)


def test_members_stop_where_they_diverge_as_on_numpy():
    params = funcnn.init((2, 3, 3, 1), seed=(14, 14, 11, 9, 9, 2, 0), act="relu")
    some = {"lr": [0.1, 1e100, 1e100, 1.0, 0.1, 1e100, 0.1], "optimizer": "momentum", "log_every": 7, "epochs": 20}
    (_, ours), (_, theirs) = (train(params, engine, **some) for engine in ("numpy", "jax"))
    np.testing.assert_array_equal(theirs.state.running, ours.state.running)
    assert len(set(np.isfinite(ours.loss).sum(axis=0))) > 1  # at different epochs, and some not at all
    for name in ("loss", "accuracy", "grad_norm"):
        np.testing.assert_allclose(getattr(theirs, name), getattr(ours, name), rtol=1e-9)
    assert_near((theirs.state.params, theirs.state.slots), (ours.state.params, ours.state.slots), 1e-9)


@pytest.mark.parametrize("seed", [0, range(2)], ids=["solo", "members"])
def test_a_run_ends_when_nobody_is_running(seed):
    params = funcnn.init((2, 3, 1), seed=seed, act="none")
    (_, ours), (_, theirs) = (train(params, engine, lr=1e150) for engine in ("numpy", "jax"))
    assert (theirs.state.t, theirs.state.epoch) == (ours.state.t, ours.state.epoch)
    assert theirs.loss.shape == ours.loss.shape
    assert not np.any(theirs.state.running)


def test_members_that_were_best_in_different_spans_are_found_as_on_numpy(compiled):
    params, lr = funcnn.init((2, 4, 1), seed=range(5), act="tanh"), [0.01, 0.3, 0.9, 2.0, 0.1]
    some = {"lr": lr, "validation": (XOR.x[::2], XOR.y[::2]), "log_every": 5, "epochs": 40}
    (_, ours), (_, theirs) = (train(params, engine, **some) for engine in ("numpy", "jax"))
    assert len({epoch // 5 for epoch in ours.best[0].tolist()}) > 1
    np.testing.assert_array_equal(theirs.best[0], ours.best[0])
    assert_near(theirs.best[1], ours.best[1], 1e-9)
    assert len(compiled) == 1


def test_a_run_stops_and_keeps_snapshots_as_on_numpy():
    params = funcnn.init((2, 3, 1), seed=1)
    some = {"stop": lambda history: history.epoch[-1] == 12, "snapshots": (0, 5, 13), "log_every": 4}
    (_, ours), (_, theirs) = (train(params, engine, **some) for engine in ("numpy", "jax"))
    assert len(theirs.loss) == 13
    for (epoch, one), (other_epoch, other) in zip(ours.snapshots, theirs.snapshots, strict=True):
        assert epoch == other_epoch
        assert isinstance(other.layers[0].w, np.ndarray)
        assert_near(other, one)


# --- whose arrays ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["jax", "numpy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_are_of_the_library_that_the_weights_came_from(dtype, engine):
    with wide(dtype == "float64"):
        params = jax.tree.map(lambda w: jnp.asarray(w, dtype), funcnn.init((2, 3, 1), seed=1))
        x, y = jnp.asarray(XOR.x), jnp.asarray(XOR.y)
    some = {"epochs": 3, "snapshots": (1,), "validation": (x, y), "engine": engine}
    final, history = funcnn.train(params, x, y, **some)
    assert history.engine == engine
    assert all(isinstance(leaf, jax.Array | int | float) for leaf in jax.tree.leaves((final, history)))
    assert final.layers[0].w.dtype == history.loss.dtype == history.best[1].layers[0].w.dtype == dtype
    on, more = funcnn.train(history.state, x, y, epochs=2, engine=engine)
    assert isinstance(on.layers[0].w, jax.Array)
    assert (more.state.t, more.state.epoch) == (105.0, 5)
    theirs = jax.tree.leaves(funcnn.train(funcnn.init((2, 3, 1), seed=1), x, y, **some))
    assert all(isinstance(leaf, np.ndarray | int | float) for leaf in theirs)
    assert not any(leaf.flags.writeable for leaf in theirs if isinstance(leaf, np.ndarray))


def test_the_users_configuration_is_what_it_was_after_an_error_too(monkeypatch):
    def failing(*_):
        raise KeyboardInterrupt

    train(funcnn.init((2, 3, 1), seed=1), epochs=1)
    assert jnp.zeros(1).dtype == jnp.float32
    monkeypatch.setattr(traced, "_loop", failing)
    with pytest.raises(KeyboardInterrupt):
        train(funcnn.init((2, 3, 1), seed=1), epochs=1)
    assert jnp.zeros(1).dtype == jnp.float32


def test_auto_takes_jax_where_the_weights_are_jaxs():
    params = jax.tree.map(jnp.asarray, funcnn.init((2, 3, 1), seed=1, dtype=np.float32))
    assert train(params, "auto", epochs=2)[1].engine == "jax"
    assert train(funcnn.init((2, 3, 1), seed=1), "auto", epochs=2)[1].engine == "numpy"
    mine = Activation("mine", lambda z: np.vectorize(abs)(z), lambda z, a: np.sign(z))
    with pytest.warns(funcnn.EngineWarning, match="engine 'jax', which auto would take, .* 'mine' cannot be traced"):
        final, history = train(Params(attrs.evolve(layer, act=mine) for layer in params.layers), "auto", epochs=2)
    assert history.engine == "numpy"
    assert isinstance(final.layers[0].w, jax.Array)


@pytest.mark.parametrize(("accelerated", "engine"), [(False, "numpy"), (True, "jax")])
def test_auto_takes_jax_for_numpys_arrays_only_where_there_is_an_accelerator(accelerated, engine, monkeypatch):
    for name in ("_plugged_in", "_accelerated"):
        monkeypatch.setattr(engines, name, lambda: accelerated)
    shapes = engines.Shapes((784, 4096, 4096, 10), (True,) * 3, ("relu",) * 3, None, 60000, dtype="float32")
    assert engines.choose("auto", Plan(HALF_SSE, SGD, 1024), shapes, 100).name == engine


def test_constants_of_a_plan_can_be_traced():
    params = jax.tree.map(jnp.asarray, funcnn.init((2, 3, 1), seed=1))
    adam, plan = funcnn.OPTIMIZERS["adam"], Plan(HALF_SSE, SGD)
    gradient, slots = funcnn.grads(params, XOR.x, XOR.y), funcnn.fresh_slots(adam, params)

    def mean(beta):
        rule = attrs.evolve(adam, hyper=(beta, *adam.hyper[1:]))
        return funcnn.optimizer_step(rule, params, gradient, slots, 1.0, 0.1)[1][0].layers[0].w

    # Of (1 − β) g.
    np.testing.assert_allclose(jax.jacobian(mean)(0.9), -gradient.layers[0].w, rtol=1e-6)
    state = funcnn.fresh_state(plan, params)

    def by_clip(clip):
        return funcnn.step(attrs.evolve(plan, clip=clip), state, XOR.x, XOR.y, 0.1)[0].params

    assert_near(jax.jit(by_clip)(0.01), by_clip(0.01), 1e-5)


def test_training_itself_cannot_be_traced_and_says_so():
    with pytest.raises(TypeError, match="weights must be an array of real numbers, got"):
        jax.jit(lambda params: train(params, epochs=1)[0])(funcnn.init((2, 3, 1)))


# --- JAX that is not there, or not asked for -------------------------------------------------------------------------

UNASKED = """
import funcnn, sys
from funcnn import engines
plan = funcnn.Plan(funcnn.LOSSES["mse"], funcnn.OPTIMIZERS["adam"])
shapes = engines.Shapes((784, 512, 512, 10), (True,) * 3, ("relu",) * 3, None, 60000)
engines.absent()
engines.choose("auto", plan, shapes, 10**6)
print("jax" in sys.modules)
"""


def test_nobody_imports_jax_who_has_not_asked_for_it():
    assert run(UNASKED) == "False\n"


def test_without_jax_its_engine_and_its_pytrees_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ValueError, match=r"engine 'jax' cannot run this: it needs jax: pip install 'funcnn\[jax\]'"):
        train(funcnn.init((2, 3, 1)), epochs=1)
    assert engines.absent() == {}
    monkeypatch.delitem(sys.modules, "funcnn.jax")
    with pytest.raises(ImportError, match=r"funcnn\.jax needs JAX: pip install 'funcnn\[jax\]'"):
        importlib.import_module("funcnn.jax")


# --- records of one's own that cannot be traced ----------------------------------------------------------------------

FACTORS = [2.0]


def one(z, a):
    return 1.0


CANNOT = {
    "branches": (lambda z: z if z.sum() > 0 else -z, "cannot be traced.*boolean conversion"),
    "numpy": (np.tanh, "cannot be traced.*__array_namespace__"),
    "random": (lambda z: z + np.random.normal(), "gives other numbers each time"),
    "a list": (lambda z: z * FACTORS[0], "hangs on what can change: 'FACTORS' is list"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_traced_is_named(case):
    function, message = CANNOT[case]
    params = funcnn.init((2, 3, 1), act=Activation("mine", function, one))
    with pytest.raises(ValueError, match=f"engine 'jax' cannot run this: the activation 'mine' {message}.*; engine='"):
        train(params, epochs=1)


@pytest.mark.parametrize("function", [jnp.tanh, lambda z: z.__array_namespace__().tanh(z)], ids=["jax", "any library"])
def test_functions_of_jaxs_and_of_any_librarys_run(function):
    params = funcnn.init((2, 3, 1), act=Activation("mine", function, lambda z, a: 1 - a * a), seed=1)
    theirs, history = train(params, epochs=3)
    assert history.engine == "jax"
    tanh = Params(attrs.evolve(layer, act="tanh") for layer in params.layers)
    assert_near([layer.w for layer in theirs.layers], [layer.w for layer in train(tanh, "numpy", epochs=3)[0].layers])


# --- devices ---------------------------------------------------------------------------------------------------------

EIGHT = """
import jax, numpy as np, funcnn, funcnn.jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
jax.config.update("jax_enable_x64", True)
def same(ours, theirs):
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
def start(seed):
    return funcnn.init((3, 5, 2), seed=seed, bias=True, act="tanh")
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 3)), rng.integers(0, 2, (64, 2)).astype(float)
mesh = Mesh(np.array(jax.devices()), "d")
over, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (["d"], []))

# A batch over devices.
plan = funcnn.Plan(funcnn.LOSSES["mse"], funcnn.OPTIMIZERS["adam"], 64, clip=0.1)
state, spread = funcnn.fresh_state(plan, start(1)), jax.device_put((x, y), over)
assert len(spread[0].sharding.device_set) == 8
same(jax.jit(funcnn.step)(plan, jax.device_put(state, everywhere), *spread, 0.1), funcnn.step(plan, state, x, y, 0.1))
same(funcnn.grads(jax.device_put(start(1), everywhere), *spread), funcnn.grads(start(1), x, y))

# An ensemble over devices: a pure function, and the engine, which lays it out itself.
many = start(range(16))
same(jax.jit(funcnn.grads)(jax.device_put(many, over), x, y), funcnn.grads(many, x, y))
for members, devices in ((16, 8), (12, 6), (11, 1)):
    own, rates = rng.normal(size=(members, 64, 3)), np.linspace(0.01, 0.1, members)
    some = dict(epochs=5, batch_size=24, shuffle=True, validation=(x, y))
    many = jax.tree.map(jax.numpy.asarray, start(range(members)))
    final, history = funcnn.train(many, own, y, engine="jax", lr=rates, **some)
    assert len(final.layers[0].w.sharding.device_set) == devices
    for k in range(0, members, 5):
        alone, told = funcnn.train(start(k), own[k], y, engine="numpy", lr=rates[k], **some)
        same(jax.tree.map(lambda w: w[k], final), alone)
        same((history.loss[:, k], history.val_loss[:, k]), (told.loss, told.val_loss))
"""


def test_what_is_laid_out_over_devices_gives_the_same():
    run(EIGHT, XLA_FLAGS="--xla_force_host_platform_device_count=8")
