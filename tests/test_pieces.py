"""Runs of more than is looked at or updated at once: the numpy engine with small pieces, against a loop of `step`."""

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Layer, Loss, Optimizer, Params, Plan, engines
from funcnn.engines import plain
from funcnn.records import arrays

MSE = funcnn.LOSSES["mse"]


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(plain, "PIECE", 8)
    monkeypatch.setattr(plain, "KEPT", 8)


def walked(plan, params, x, y, held, epochs, order):
    """Return the state after so many epochs of `step`, and for each the losses and accuracies of training and held."""
    state, figures = funcnn.fresh_state(plan, params), []
    for epoch in range(epochs):
        seen, where = [], order(epoch)
        for begin in range(0, len(where), plan.batch_size):
            rows = where[begin : begin + plan.batch_size]
            state, y_hat = funcnn.step(plan, state, x[..., rows, :], y[..., rows, :], 0.05)
            seen.append(y_hat)
        pairs = (np.concatenate(seen, axis=-2), y[..., where, :]), (funcnn.forward(state.params, held[0]), held[1])
        figures.append(
            [figure for p, t in pairs for figure in (funcnn.mse(p, t), funcnn.accuracy(p, t, plan.decision))]
        )
    return state, np.moveaxis(np.array(figures), 1, 0)


@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 4, 7, 50])
@pytest.mark.parametrize("optimizer", ["momentum", "adamw_weights", "rprop"])
def test_every_piece_is_trained_and_measured(small_pieces, members, shuffle, batch_size, optimizer):
    rng = np.random.default_rng(3)
    lead = () if members is None else (members,)
    x, y = rng.normal(size=(*lead, 23, 3)), rng.integers(0, 2, (*lead, 23, 2)).astype(float)
    held = rng.normal(size=(19, 3)), rng.integers(0, 2, (19, 2)).astype(float)
    seed = 1 if members is None else range(members)
    params = funcnn.init((3, 5, 2), seed=seed, act="tanh", bias=True, scheme="glorot")
    rule = funcnn.OPTIMIZERS[optimizer]
    plan = Plan(MSE, rule, min(batch_size, 23), decision=funcnn.decision(MSE, y))
    drawn = {"shuffle": True, "shuffle_seed": 4} if shuffle else {}
    _, history = funcnn.train(
        params, x, y, lr=0.05, epochs=3, loss="mse", optimizer=rule, batch_size=batch_size, validation=held,
        engine="numpy", **drawn,
    )  # fmt: skip

    def order(epoch):
        return np.random.default_rng([4, epoch]).permutation(23) if shuffle else np.arange(23)

    state, figures = walked(plan, params, x, y, held, 3, order)
    ours = [array for one in (history.state.params, *history.state.slots) for array in arrays(one)]
    theirs = [array for one in (state.params, *state.slots) for array in arrays(one)]
    assert [array.tobytes() for array in ours] == [array.tobytes() for array in theirs]  # −0 is not 0 here
    found = history.loss, history.accuracy, history.val_loss, history.val_accuracy
    for mine, its in zip(found, figures, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-12)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_weights_that_come_back_every_second_epoch_do_not_stand_still(engine):
    params, n = Params([Layer(np.array([[0.375]]), None, "none")]), 512
    x, y = np.ones((n, 1)), np.zeros((n, 1))
    for epochs, expected in ((8, 0.375), (9, -0.375)):  # w → −w
        final, _ = funcnn.train(params, x, y, epochs=epochs, lr=2 / n, batch_size="full", engine=engine)
        assert final.layers[0].w == expected


@pytest.mark.parametrize("members", [None, 9])
def test_several_classes_in_one_sample_are_right_where_all_outputs_are(members):
    # Targets that no network can hit whose decision is the largest output.
    params = funcnn.init((3, 3), seed=1 if members is None else range(members))
    x, y = np.eye(3), np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1.0]])
    for engine in ("numpy", "compiled"):
        final, history = funcnn.train(params, x, x, epochs=1, validation=(x, y), engine=engine)
        expected = funcnn.accuracy(funcnn.forward(final, x), y, funcnn.decision("half_sse", x))
        np.testing.assert_array_equal(history.val_accuracy[-1], expected)
        assert np.all(expected == 0)


def halving(w, g, slots, t, lr, hyper):
    lr *= 0.5
    return w - lr * g, slots


def counting(w, g, slots, t, lr, hyper):
    t += 1
    return w - lr * g / t, slots


@pytest.mark.parametrize("update", [halving, counting])
@pytest.mark.parametrize("members", [None, 2])
def test_a_rule_that_changes_rate_or_number_in_place_is_refused(update, members):
    data, seed = funcnn.xor(), 0 if members is None else range(members)
    with pytest.raises(ValueError, match="optimizer 'mine' changes its argument in place"):
        funcnn.train(
            funcnn.init((2, 2, 1), seed=seed), data.x, data.y, optimizer=Optimizer("mine", update), engine="numpy"
        )


@pytest.mark.parametrize("members", [None, 2])
def test_a_rule_that_looks_at_an_array_whole_gets_it_whole_from_numpy_and_from_no_other(members):
    normed = Optimizer("normed", lambda w, g, s, t, lr, h: (w - lr * g / np.sqrt((g * g).sum()), s))
    data, params = funcnn.xor(), funcnn.init((2, 3, 1), seed=0 if members is None else range(members), bias=True)
    plan = Plan(funcnn.LOSSES["half_sse"], normed, 21)
    state, _ = funcnn.step(plan, funcnn.fresh_state(plan, params), data.x, data.y, 0.1)
    final, history = funcnn.train(params, data.x, data.y, epochs=1, batch_size="full", optimizer=normed)
    assert history.engine == "numpy"
    assert final == state.params
    with pytest.raises(ValueError, match="'normed'"):
        funcnn.train(params, data.x, data.y, epochs=1, optimizer=normed, engine="compiled")


def test_a_loss_that_sums_is_refused_and_not_summed_over_what_is_looked_at_at_once():
    whole = Loss("whole", lambda p, y: np.sum((p - y) ** 2) / 2, lambda p, y: p - y)
    data = funcnn.xor()
    with pytest.raises(ValueError, match="loss 'whole' must give a number for each"):
        funcnn.train(funcnn.init((2, 2, 1), seed=0), data.x, data.y, epochs=2, loss=whole, engine="numpy")


def test_a_rule_of_biases_that_alone_reads_the_number_of_the_update_is_given_it():
    late = Optimizer(
        "late", lambda w, g, s, t, lr, h: (w - lr * g, s), biases=lambda w, g, s, t, lr, h: (w - lr * g / t, s)
    )
    data, params = funcnn.xor(), funcnn.init((2, 2, 1), seed=0, bias=True)
    state = funcnn.fresh_state(Plan(funcnn.LOSSES["half_sse"], late, 21), params)
    for _ in range(3):
        state, _ = funcnn.step(Plan(funcnn.LOSSES["half_sse"], late, 21), state, data.x, data.y, 0.1)
    final, _ = funcnn.train(params, data.x, data.y, epochs=3, batch_size="full", optimizer=late, engine="numpy")
    assert final == state.params


def test_kernels_of_other_dtypes_and_constants_have_other_names():
    # One index on disk for two of them may be left naming one and holding the other.
    compiled = pytest.importorskip("funcnn.engines.compiled")
    plan, params = Plan(MSE, funcnn.OPTIMIZERS["sgd"], 1), funcnn.init((2, 2, 1), seed=0)
    shapes = engines.shapes_of(params, 4)
    formulas = compiled.formulas_of(plan, shapes)
    kernels = [
        compiled.kernel_of(formulas, abreast, dtype, constants)
        for abreast in (False, True) for dtype in ("float64", "float32") for constants in (0, 1)
    ]  # fmt: skip
    assert len({kernel.py_func.__qualname__ for kernel in kernels}) == 8
    assert attrs.evolve(shapes, dtype="float32") != shapes
