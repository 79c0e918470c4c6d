"""Training as the fold it is defined to be: the `numpy` engine against plain loops, and what a history records."""

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcnn
from funcnn import Activation, Params

SOFTPLUS = Activation("softplus", lambda z: np.log1p(np.exp(z)), lambda z, a: 1 - np.exp(-a))
SWISH = Activation("swish", lambda z: z / (1 + np.exp(-z)), lambda z, a: (1 + (z - a)) / (1 + np.exp(-z)))
ACTS = (*funcnn.ACTIVATIONS, SOFTPLUS, SWISH)
#: Those that take any output and any target.
LOSSES = [name for name, loss in funcnn.LOSSES.items() if not loss.logits and loss.targets is None]


def named(act):
    """Name a parameter of a test."""
    return "-".join(map(named, act)) if isinstance(act, tuple) else getattr(act, "name", act)


def batches(n, batch_size, order):
    size = n if batch_size == "full" else batch_size
    return [order[begin : begin + size] for begin in range(0, n, size)]


def orders(n, epochs, shuffle, seed):
    for epoch in range(epochs):
        yield np.random.default_rng([seed, epoch]).permutation(n) if shuffle else np.arange(n)


def plain_loop(params, x, y, *, lr, epochs, loss="half_sse", batch_size=1, shuffle=False, shuffle_seed=0):
    """Return the weights before each epoch and after the last: the definition that `train` must not depart from."""
    path = [params]
    for order in orders(x.shape[-2], epochs, shuffle, shuffle_seed):
        for rows in batches(x.shape[-2], batch_size, order):
            if shuffle:
                xb, yb = x[..., rows, :], y[..., rows, :]
            else:  # a view, as one would write it
                xb, yb = (array[..., rows[0] : rows[-1] + 1, :] for array in (x, y))
            params = funcnn.sgd_step(params, funcnn.grads(params, xb, yb, loss=loss), lr)
        path.append(params)
    return path


def data(sizes, n, members=None, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    lead = () if members is None else (members,)
    x, y = rng.normal(size=(*lead, n, sizes[0])), rng.integers(0, 2, (*lead, n, sizes[-1]))
    return x.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("act", [*ACTS, ("relu", "tanh", "sigmoid"), (SWISH, "leaky_relu", "none")], ids=named)
def test_numpy_engine_has_the_bits_of_the_plain_loop(act, bias, loss, dtype, bits):
    sizes = (3, 5, 4, 2)
    for seed in (3, range(3)):
        params = funcnn.init(sizes, seed=seed, act=act, bias=bias, scheme="glorot", dtype=dtype)
        x, y = data(sizes, 7, dtype=dtype)
        for batch_size in (1, 3):
            some = {"lr": 0.05, "epochs": 4, "loss": loss, "batch_size": batch_size}
            final, history = funcnn.train(params, x, y, engine="numpy", **some)
            assert bits(final) == bits(plain_loop(params, x, y, **some)[-1])
            assert {layer.w.dtype for layer in final.layers} == {history.loss.dtype} == {np.dtype(dtype)}


@settings(max_examples=150)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    n=st.integers(1, 9),
    batch_size=st.sampled_from([1, 2, 5, 9, 50, "full"]),
    shuffle=st.booleans(),
    shuffle_seed=st.integers(0, 99),
    loss=st.sampled_from(LOSSES),
    bias=st.booleans(),
    members=st.none() | st.integers(1, 4),
    own_data=st.booleans(),
    own_lr=st.booleans(),
    one_start=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float32]),
    acts=st.data(),
)
def test_numpy_engine_has_the_bits_of_the_plain_loop_however_it_is_called(
    sizes, n, batch_size, shuffle, shuffle_seed, loss, bias, members, own_data, own_lr, one_start, dtype, acts, bits
):
    chosen = [acts.draw(st.sampled_from(ACTS)) for _ in sizes[1:]]
    seed = 5 if members is None or (one_start and own_lr) else range(members)
    params = funcnn.init(sizes, seed=seed, act=chosen, bias=bias, scheme="glorot", dtype=dtype)
    x, y = data(sizes, n, members if own_data else None, dtype)
    lr = 0.05 if members is None or not own_lr else np.linspace(0.01, 0.2, members)
    some = {"loss": loss, "batch_size": batch_size, "shuffle": shuffle, "shuffle_seed": shuffle_seed, "epochs": 3}
    kept, threads = (0, 2, 3), 1 + n % 3
    final, history = funcnn.train(
        params, x, y, lr=lr, engine="numpy", snapshots=kept, log_every=2, threads=threads, **some
    )
    if np.ndim(lr) and one_start:  # the loop needs the members spelled out
        params = funcnn.init(sizes, seed=[5] * members, act=chosen, bias=bias, scheme="glorot", dtype=dtype)
    path = plain_loop(params, x, y, lr=lr, **some)
    if np.isfinite(history.loss).all():
        assert bits(final) == bits(path[-1])
        assert bits(history.snapshots) == bits([(epoch, path[epoch]) for epoch in kept])


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("loss", ["half_sse", "mse"])  # both report the mean square
@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize(("batch_size", "shuffle"), [(1, False), (2, False), (4, True), ("full", False), (99, True)])
def test_history_is_measured_just_before_each_update(batch_size, shuffle, members, loss, engine):
    sizes, n, epochs = (2, 4, 2), 7, 6
    params = funcnn.init(sizes, seed=1 if members is None else range(members), act="tanh", out_act="sigmoid")
    x, y = data(sizes, n)
    some = {"lr": 0.3, "loss": loss, "batch_size": batch_size, "shuffle": shuffle, "shuffle_seed": 4}
    final, history = funcnn.train(
        params, x, y, epochs=epochs, engine=engine, log_every=2, snapshots=(0, 3, epochs), **some
    )
    # Independently: predict each batch, look at it, and only then move.
    losses, accuracies, walking = [], [], params
    for order in orders(n, epochs, shuffle, 4):
        squares, right = [], []
        for rows in batches(n, batch_size, order):
            y_hat = funcnn.forward(walking, x[rows])
            squares.append((y_hat - y[rows]) ** 2)
            right.append(((y_hat > 0.5) == (y[rows] == 1)).all(axis=-1))
            walking = funcnn.sgd_step(walking, funcnn.grads(walking, x[rows], y[rows], loss=loss), 0.3)
        losses.append(np.concatenate(squares, axis=-2).mean(axis=(-2, -1)))
        accuracies.append(np.concatenate(right, axis=-1).mean(axis=-1))
    np.testing.assert_allclose(history.loss, losses, rtol=1e-12)
    np.testing.assert_allclose(history.accuracy, accuracies, rtol=1e-15)
    np.testing.assert_array_equal(history.epoch, range(epochs))
    assert history.loss.shape == history.accuracy.shape == (epochs,) + (() if members is None else (members,))
    assert history.engine == engine
    # Gradient norms, over all samples at once, with the weights that the logged epochs started from.
    np.testing.assert_array_equal(history.logged, [0, 2, 4])
    path = plain_loop(params, x, y, epochs=epochs, **some)
    for epoch, norms in zip(history.logged, history.grad_norm, strict=True):
        gradient = funcnn.grads(path[epoch], x, y, loss=loss)
        expected = [np.linalg.norm(layer.w, axis=(-2, -1)) for layer in gradient.layers]
        np.testing.assert_allclose(norms, expected, rtol=1e-10)
    assert [epoch for epoch, _ in history.snapshots] == [0, 3, epochs]
    for epoch, weights in history.snapshots:
        for mine, theirs in zip(weights.layers, path[epoch].layers, strict=True):
            np.testing.assert_allclose(mine.w, theirs.w, rtol=1e-12)
    assert history.snapshots[-1][1] == final


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", [0, range(2)])
def test_gradient_norm_of_many_rows_counts_each_of_them_and_the_bias(loss, seed):
    sizes = (2, 3, 1)
    params = funcnn.init(sizes, seed=seed, bias=True)
    x, y = data(sizes, 2500)
    _, history = funcnn.train(params, x, y, epochs=1, batch_size="full", lr=1e-3, loss=loss)
    gradient = funcnn.grads(params, x, y, loss=loss)
    squares = [(layer.w**2).sum(axis=(-2, -1)) + (layer.b**2).sum(axis=(-2, -1)) for layer in gradient.layers]
    np.testing.assert_allclose(history.grad_norm[0], np.sqrt(squares), rtol=1e-10)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(
    "experiment",
    [
        {"act": "sigmoid"},
        {"act": "relu", "lr": 1.0, "seed": (0, 9, 11, 14)},
        {"act": "leaky_relu", "lr": 3.0, "seed": (11, 13, 21, 0)},
        {"act": "tanh", "shuffle": True, "batch_size": 4, "seed": (1, 1, 2)},
    ],
)
def test_numbers_do_not_depend_on_what_is_recorded(experiment, engine, bits):
    some = {"epochs": 30, "engine": engine, **experiment}
    runs = [funcnn.run(funcnn.Experiment(log_every=every, **some)) for every in (1, 7, 500)]
    for other in runs[1:]:
        assert bits(other.params) == bits(runs[0].params)
        assert bits(other.history.loss) == bits(runs[0].history.loss)
        assert bits(other.history.accuracy) == bits(runs[0].history.accuracy)


def test_training_on_all_samples_at_once_is_gradient_descent_on_the_printed_objective():
    params, (x, y) = funcnn.init((2, 3, 1), seed=2), data((2, 3, 1), 6)
    _, history = funcnn.train(params, x, y, lr=0.01, epochs=50, batch_size="full")
    assert (np.diff(history.loss) < 0).all()
    assert history.loss[0] == pytest.approx(funcnn.mse(funcnn.forward(params, x), y))


def test_numbers_of_any_kind_are_taken_as_the_weights_dtype(bits):
    params = funcnn.init((2, 3, 1), seed=2, dtype=np.float32)
    x, y = [[0, 1], [1, 1], [1, 0]], [[1], [0], [1]]
    ours = funcnn.train(params, x, y, epochs=3, lr=1, engine="numpy")
    theirs = funcnn.train(params, np.array(x, np.float32), np.array(y, np.float32), epochs=3, lr=1.0, engine="numpy")
    assert bits(ours) == bits(theirs)


def test_progress_hears_of_the_epochs_done():
    heard = []
    params, (x, y) = funcnn.init((2, 3, 1)), data((2, 3, 1), 4)
    funcnn.train(params, x, y, epochs=25, log_every=10, progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 25


def test_progress_can_stop_a_run():
    def stop(done):
        raise KeyboardInterrupt

    params, (x, y) = funcnn.init((2, 3, 1), seed=range(4)), data((2, 3, 1), 4)
    with pytest.raises(KeyboardInterrupt):
        funcnn.train(params, x, y, epochs=25, threads=2, progress=stop)


# --- scan ------------------------------------------------------------------------------------------------------------


@given(st.integers(), st.lists(st.integers()))
def test_scan_is_a_fold_that_keeps_what_each_step_puts_out(carry, xs):
    total, seen = carry, []
    for x in xs:
        seen.append((total, x))
        total = 3 * total - x
    assert funcnn.scan(lambda total, x: (3 * total - x, (total, x)), carry, xs) == (total, tuple(seen))
    assert funcnn.scan(lambda total, x: (3 * total - x, (total, x)), carry, iter(xs)) == (total, tuple(seen))


# --- divergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("log_every", [1, 4, 500])
@pytest.mark.parametrize("seed", [11, 13, 21])
def test_a_run_that_diverges_stops_there(seed, log_every, engine, bits):
    e = funcnn.Experiment(act="leaky_relu", lr=3.0, seed=seed, epochs=300, log_every=log_every, engine=engine)
    run = funcnn.run(e)
    history = run.history
    stop = len(history.loss)
    assert 0 < stop < 300
    assert any(not np.isfinite(layer.w).all() for layer in run.params.layers)
    assert np.isfinite(history.loss[:-1]).all()
    np.testing.assert_array_equal(history.epoch, range(stop))
    assert len(history.accuracy) == stop
    assert np.isfinite(history.accuracy).all()
    # One epoch fewer, and all is finite still.
    if stop > 1:
        before = funcnn.run(attrs.evolve(e, epochs=stop - 1))
        assert all(np.isfinite(layer.w).all() for layer in before.params.layers)
        assert bits(before.history.loss) == bits(history.loss[:-1])
    # What is logged belongs to epochs that were run.
    np.testing.assert_array_equal(history.logged, range(0, stop, log_every))
    assert history.grad_norm.shape == (len(history.logged), 3)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_snapshots_of_a_run_that_diverged_are_of_epochs_that_were_run(engine):
    data = funcnn.xor()
    params = funcnn.init((2, 3, 3, 1), seed=13, act="leaky_relu")
    _, history = funcnn.train(
        params, data.x, data.y, lr=3.0, epochs=20, engine=engine, snapshots=range(21), log_every=500
    )
    assert [epoch for epoch, _ in history.snapshots] == history.epoch.tolist()


# --- purity ----------------------------------------------------------------------------------------------------------


def _own(params):
    """Return a copy of ``params`` whose arrays may be written to."""
    return Params(attrs.evolve(l, w=np.array(l.w), b=None if l.b is None else np.array(l.b)) for l in params.layers)


def _arrays(value):
    if isinstance(value, np.ndarray):
        return [value]
    if attrs.has(type(value)):
        return [a for field in attrs.fields(type(value)) for a in _arrays(getattr(value, field.name))]
    return [a for one in value for a in _arrays(one)] if isinstance(value, tuple | list) else []


CALLS = {
    "forward": lambda p, x, y, lr: funcnn.forward(p, x),
    "backprop": lambda p, x, y, lr: funcnn.backprop(p, x, y),
    "grads": lambda p, x, y, lr: funcnn.grads(p, x, y, loss="mse"),
    "value_and_grads": lambda p, x, y, lr: funcnn.value_and_grads(p, x, y),
    "sgd_step": lambda p, x, y, lr: funcnn.sgd_step(p, p, lr),
    "numpy": lambda p, x, y, lr: funcnn.train(
        p, x, y, lr=lr, epochs=3, engine="numpy", snapshots=(0, 2, 3), log_every=2, threads=2
    ),
    "numpy, shuffled": lambda p, x, y, lr: funcnn.train(
        p, x, y, lr=lr, epochs=3, engine="numpy", batch_size=2, shuffle=True
    ),
    "compiled": lambda p, x, y, lr: funcnn.train(
        p, x, y, lr=lr, epochs=3, engine="compiled", snapshots=(0, 2, 3), log_every=2, threads=2
    ),
    "mse": lambda p, x, y, lr: funcnn.mse(funcnn.forward(p, x), y),
    "half_sse": lambda p, x, y, lr: funcnn.half_sse(y, y),
    "accuracy": lambda p, x, y, lr: funcnn.accuracy(y, y),
}


@pytest.mark.parametrize("acts", [("relu", "none"), ("none", "none"), ("sigmoid", "sigmoid")])
@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("name", CALLS)
def test_functions_leave_their_arguments_alone_and_give_read_only_records(name, members, acts, bits):
    call, sizes = CALLS[name], (2, 3, 1)
    frozen = funcnn.init(sizes, seed=1 if members is None else range(members), act=acts, bias=True)
    x, y = data(sizes, 5, members)
    lr = 0.1 if members is None else np.full(members, 0.1)
    before = bits((frozen, x, y, lr))
    results = []
    for writeable in (True, False):
        for array in (x, y):
            array.flags.writeable = writeable
        params = _own(frozen) if writeable else frozen
        results += [call(params, x, y, lr), call(params, x, y, lr)]
        assert bits((params, x, y, lr)) == before
        assert x.flags.writeable == y.flags.writeable == writeable
        assert {a.flags.writeable for a in _arrays(params)} == {writeable}
        if not name.startswith("backprop"):  # whose trace shows the input itself as its first a
            for array in _arrays(results[-1]):
                assert not any(np.shares_memory(array, given) for given in (*_arrays(params), x, y))
    assert all(bits(other) == bits(results[0]) for other in results[1:])
    if isinstance(results[0], np.ndarray | np.generic):  # a bare array belongs to the caller
        return
    for array in _arrays(results[0]):
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("seed", [0, (0, 1)])
def test_runs_are_read_only_and_repeat_themselves(seed, bits):
    e = funcnn.Experiment(epochs=5, seed=seed, log_every=2)
    run = funcnn.run(e)
    assert bits(run) == bits(funcnn.run(e))
    assert run == funcnn.run(e)
    parts = [run] if seed == 0 else [run, funcnn.member(run, 1)]
    before = bits(run)
    for one in parts:
        assert not any(array.flags.writeable for array in _arrays(one))
        assert bits(funcnn.scores(one)) == bits(funcnn.scores(one))
        if one is not run or seed == 0:
            assert funcnn.diagnose(one) == funcnn.diagnose(one)
    assert bits(run) == before


# --- the defaults ----------------------------------------------------------------------------------------------------


def test_the_default_seed_is_the_first_with_which_the_whole_lab_works():
    def accuracies(**fields):
        return funcnn.scores(funcnn.run(funcnn.Experiment(seed=range(funcnn.DEFAULT_SEED + 1), **fields)))[1]

    works = (accuracies() == 1) & (accuracies(data="linear") == 1)
    works &= accuracies(act="relu") > 0.95  # 20 of the 21 points, as in the report
    assert np.flatnonzero(works).tolist() == [funcnn.DEFAULT_SEED]


def test_scores_are_those_of_the_final_weights_on_the_test_set():
    for seed in (3, (3, 4)):
        run = funcnn.run(funcnn.Experiment(data="linear", epochs=20, seed=seed))
        y_hat = funcnn.forward(run.params, run.test.x)
        loss, accuracy = funcnn.scores(run)
        np.testing.assert_array_equal(loss, ((y_hat - run.test.y) ** 2).mean(axis=(-2, -1)))
        np.testing.assert_array_equal(accuracy, ((y_hat > 0.5) == run.test.y).mean(axis=(-2, -1)))


def test_a_run_starts_from_its_seed_or_from_given_weights():
    e = funcnn.Experiment(epochs=4, seed=8)
    assert funcnn.run(e).history.snapshots == ((0, funcnn.init((2, 3, 3, 1), seed=8)),)
    start = funcnn.init((2, 3, 3, 1), seed=9)
    given = funcnn.run(e, start=start)
    assert given.history.snapshots == ((0, start),)
    assert given.params == funcnn.run(attrs.evolve(e, seed=9)).params


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden": (5,)},
        {"hidden": ()},
        {"act": ("relu", "tanh", "none")},
        {"act": "relu", "out_act": "sigmoid", "bias": True, "scheme": "he"},
        {"loss": "mse", "lr": 0.5, "batch_size": 4, "shuffle": True},
        {"data": "linear", "data_seed": 3, "batch_size": "full", "lr": 0.01},
        {"seed": (1, 2), "lr": (0.1, 0.2)},
    ],
)
def test_an_experiment_says_what_is_trained(fields, bits):
    e = funcnn.Experiment(epochs=3, **fields)
    run = funcnn.run(e)
    train, test = funcnn.dataset(e.data, e.data_seed)
    start = funcnn.init((2, *e.hidden, 1), seed=e.seed, act=e.act, out_act=e.out_act, bias=e.bias, scheme=e.scheme)
    params, history = funcnn.train(
        start, train.x, train.y, lr=e.lr, epochs=3, loss=e.loss, batch_size=e.batch_size, shuffle=e.shuffle
    )
    assert (run.experiment, run.train, run.test) == (e, train, test)
    assert bits(run.params) == bits(params)
    assert bits(run.history.loss) == bits(history.loss)


# --- wrong input -----------------------------------------------------------------------------------------------------


X, Y = np.zeros((4, 2)), np.zeros((4, 1))


def spoiled(row, column, value, shape=(4, 2)):
    array = np.zeros(shape)
    array[..., row, column] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": 0}, ValueError, r"lr must be positive and finite, got 0\.0"),
        ({"lr": -0.1}, ValueError, r"lr must be positive and finite, got -0\.1"),
        ({"lr": np.nan}, ValueError, "lr must be positive and finite, got nan"),
        ({"lr": np.inf}, ValueError, "lr must be positive and finite, got inf"),
        ({"lr": [0.1, -2.0]}, ValueError, r"lr must be positive and finite, got -2\.0"),
        ({"lr": np.ones((2, 2))}, ValueError, r"lr must.*shape \(K,\), got shape \(2, 2\)"),
        ({"lr": []}, ValueError, r"lr must.*got shape \(0,\)"),
        ({"lr": "fast"}, TypeError, "lr must be a number.*got 'fast'"),
        ({"lr": None}, TypeError, "lr must be a number.*got None"),
        ({"epochs": 0}, ValueError, "epochs must.*at least 1, got 0"),
        ({"epochs": -1}, ValueError, "epochs must.*at least 1, got -1"),
        ({"epochs": 1.5}, TypeError, r"epochs must be a whole number, got 1\.5"),
        ({"epochs": True}, ValueError, "epochs must be a whole number.*got True"),
        ({"batch_size": 0}, ValueError, "batch_size must.*at least 1, got 0"),
        ({"batch_size": -2}, ValueError, "batch_size must.*at least 1, got -2"),
        ({"batch_size": 1.5}, TypeError, r"batch_size must.*got 1\.5"),
        ({"batch_size": "fulll"}, (TypeError, ValueError), "batch_size must.*got 'fulll'"),
        ({"log_every": 0}, ValueError, "log_every must.*at least 1, got 0"),
        ({"threads": 0}, ValueError, "threads must.*at least 1, got 0"),
        ({"shuffle_seed": -1}, ValueError, "shuffle_seed must.*at least 0, got -1"),
        ({"snapshots": (0, 11)}, ValueError, "snapshot 11.*last epoch, 10"),
        ({"snapshots": (-1,)}, ValueError, "snapshot must.*at least 0, got -1"),
        ({"engine": "compild"}, ValueError, "unknown engine 'compild'; did you mean 'compiled'.*numpy"),
        ({"engine": "torch"}, ValueError, r"unknown engine 'torch' \(known: auto, numpy, compiled, jax\)"),
        ({"loss": "msee"}, ValueError, "unknown loss 'msee'; did you mean 'mse'"),
        ({"x": np.zeros((4, 3))}, ValueError, "x has 3 features, but the first layer takes 2"),
        ({"x": np.zeros(4)}, ValueError, r"x must have shape \(n, 2\), got \(4,\)"),
        ({"x": np.zeros((5, 2))}, ValueError, "x has 5 samples, but y has 4"),
        ({"y": np.zeros((4, 2))}, ValueError, "y has 2 features, but the last layer gives 1"),
        ({"y": np.zeros(4)}, ValueError, r"y must have shape \(n, 1\), got \(4,\)"),
        ({"x": np.zeros((0, 2)), "y": np.zeros((0, 1))}, ValueError, "number of samples.*at least 1, got 0"),
        ({"x": spoiled(2, 1, np.nan)}, ValueError, "x has nan at row 2, column 1"),
        ({"x": spoiled(0, 0, -np.inf)}, ValueError, "x has -inf at row 0, column 0"),
        ({"y": spoiled(3, 0, np.nan, (4, 1))}, ValueError, "y has nan at row 3, column 0"),
        ({"x": spoiled(1, 0, np.nan, (2, 4, 2))}, ValueError, "x has nan at member 0, row 1, column 0"),
        ({"x": np.full((4, 2), "high")}, (TypeError, ValueError), r"\bx\b.*(number|float|<U4)"),
        ({"x": np.full((4, 2), 1j)}, (TypeError, ValueError), r"\bx\b.*complex"),
        ({"params": funcnn.init((2, 1), seed=range(3)), "lr": [0.1, 0.2]}, ValueError, r"params \(3,\).*lr \(2,\)"),
        ({"x": np.zeros((3, 4, 2)), "y": np.zeros((2, 4, 1))}, ValueError, r"x \(3,\).*y \(2,\)"),
        ({"x": np.zeros((2, 2, 4, 2))}, ValueError, r"one leading axis.*x \(2, 2\)"),
    ],
)
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_train_refuses(engine, arguments, error, message):
    some = {"params": funcnn.init((2, 1)), "x": X, "y": Y, "epochs": 10, "engine": engine, **arguments}
    with pytest.raises(error, match=message):
        funcnn.train(some.pop("params"), some.pop("x"), some.pop("y"), **some)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_whole_number_weights_are_refused_and_not_left_untrained(engine):
    params = Params([funcnn.Layer(np.array([[1], [-1]]), None, "none")])
    with pytest.raises((TypeError, ValueError), match=r"float.*int|int.*float"):
        funcnn.train(params, X + 1, Y, epochs=2, engine=engine)


def test_layers_of_different_ensembles_are_refused():
    first, second = (funcnn.init((2, 3, 1), seed=range(k)).layers for k in (2, 3))
    with pytest.raises(ValueError, match=r"layer.*(2.*3|3.*2)|leading axis.*(2.*3|3.*2)"):
        funcnn.train(Params([first[0], second[1]]), X, Y, epochs=2)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"data": "xorr"}, ValueError, "unknown data set 'xorr'; did you mean 'xor'"),
        ({"act": "rellu"}, ValueError, "unknown activation 'rellu'; did you mean 'relu'"),
        ({"out_act": "tan"}, ValueError, "unknown activation 'tan'; did you mean 'tanh'"),
        ({"loss": "half"}, ValueError, "unknown loss 'half'"),
        ({"engine": "num"}, ValueError, "unknown engine 'num'; did you mean 'numpy'"),
        ({"scheme": "hee"}, ValueError, "unknown scheme 'hee'; did you mean 'he'"),
        ({"hidden": 3}, TypeError, r"hidden must list the widths.*got 3"),
        ({"hidden": (3, 0)}, ValueError, "hidden layer.*at least 1, got 0"),
        ({"lr": -1.0}, ValueError, r"lr must be positive and finite, got -1\.0"),
        ({"lr": (0.1, 0.2), "seed": (0, 1, 2)}, ValueError, r"params \(3,\).*lr \(2,\)"),
        ({"epochs": 0}, ValueError, "epochs must.*got 0"),
        ({"seed": -1}, ValueError, "seed must.*at least 0, got -1"),
        ({"seed": ()}, ValueError, "seed"),
        ({"data_seed": -1}, ValueError, "data_seed must.*at least 0, got -1"),
    ],
)
def test_run_refuses(fields, error, message):
    with pytest.raises(error, match=message):
        funcnn.run(funcnn.Experiment(**{"epochs": 2, **fields}))


@pytest.mark.parametrize(
    "start",
    [
        funcnn.init((2, 4, 3, 1)),
        funcnn.init((2, 3, 1)),
        funcnn.init((2, 3, 3, 1), bias=True),
        funcnn.init((2, 3, 3, 1), seed=(0, 1)),
    ],
)
def test_run_refuses_weights_that_do_not_fit_the_experiment(start):
    with pytest.raises(ValueError, match=r"start has.*shapes.*the experiment wants.*\(2, 3\)"):
        funcnn.run(funcnn.Experiment(epochs=2), start=start)
