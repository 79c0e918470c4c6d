"""A run that goes on is the run that was never interrupted; and what else the fold over spans promises."""

import attrs
import numpy as np
import pytest

import funcnn
from funcnn import Experiment, Params
from own_records import ADAM, LATE, LOOKING_BACK, MOMENTUM, SOFTMAX_CROSS_ENTROPY

ENGINES = ["numpy", "compiled"]
XOR = funcnn.xor()
RNG = np.random.default_rng(0)
HELD = RNG.uniform(size=(8, 2)), RNG.integers(0, 2, (8, 1)).astype(float)
WEIGHT = np.linspace(0.5, 1.5, 21)


def decaying(t):
    """Fall with every update, so that going on from the first of them again gives other weights."""
    return 1 / (1 + 0.01 * t)


def waving(t):
    return 0.5 + np.cos(t / 7) ** 2


def start(members, act="sigmoid", seeds=None, **fields):
    """Return one network, or as many as members; ``seeds`` are of the first."""
    seeds = [*(seeds or ()), *range(14, 30)]
    chosen = seeds[0] if members is None else seeds[:members]
    return funcnn.init((2, 3, 3, 1), seed=chosen, act=act, **fields)


def train(params, epochs, given=(XOR.x, XOR.y), **some):
    return funcnn.train(params, *given, epochs=epochs, **some)


def arrays(value):
    """Return all arrays in a record."""
    if isinstance(value, np.ndarray):
        return [value]
    if attrs.has(type(value)):
        return [array for field in attrs.fields(type(value)) for array in arrays(getattr(value, field.name))]
    return [array for one in value for array in arrays(one)] if isinstance(value, tuple | list) else []


def picked(params, k):
    """Return the weights of a member; of one network all are."""
    return [layer.w if k is None else layer.w[k] for layer in params.layers]


# --- going on --------------------------------------------------------------------------------------------------------

#: How a network starts, and how it is trained.
TASKS = {
    "plain": ({}, {}),
    "shuffled": ({}, {"shuffle": True, "shuffle_seed": 3}),
    "batches": ({}, {"batch_size": 5, "shuffle": True}),
    "batches in order": ({"act": "tanh"}, {"batch_size": 5}),
    "all at once": ({"act": "tanh"}, {"batch_size": "full", "lr": 0.05}),
    "biased": ({"bias": True, "act": ("relu", "tanh", "sigmoid")}, {"loss": "mse", "lr": 0.5, "batch_size": 4}),
    "dying": ({"act": "relu"}, {"lr": 1.0}),
    "momentum": ({}, {"optimizer": MOMENTUM, "lr": 0.05, "shuffle": True}),
    "adam": ({"bias": True}, {"optimizer": ADAM, "lr": 0.01, "batch_size": 5}),
    "late": ({}, {"optimizer": LATE}),
    "late, in the second part": ({}, {"optimizer": attrs.evolve(LATE, hyper=(70.5 * 21,))}),
    "clipped": ({"act": "tanh"}, {"clip": 0.1, "batch_size": 5}),
    "decaying weights": ({"bias": True}, {"l2": 0.01}),
    "weighted": ({}, {"weight": WEIGHT, "batch_size": 4}),
    "validated": ({}, {"validation": HELD, "lr": 0.5, "shuffle": True}),
    "validated in order": ({"act": "tanh"}, {"validation": HELD, "lr": 0.5}),
    "scheduled": ({}, {"schedule": decaying, "lr": 1.0}),
    "everything": (
        {"bias": True, "act": "tanh"},
        {"optimizer": MOMENTUM, "lr": 0.02, "batch_size": 5, "shuffle": True, "clip": 0.5, "l2": 0.001}
        | {"weight": WEIGHT, "validation": HELD, "schedule": waving},
    ),
}


def assert_one_run(bits, first, second, whole):
    """Compare a run in two parts with the run that was never interrupted."""
    assert bits(second[0]) == bits(whole[0])
    parts, history = (first[1], second[1]), whole[1]
    for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "logged", "grad_norm"):
        expected, got = getattr(history, name), [getattr(part, name) for part in parts]
        joined = None if expected is None else np.concatenate(got)
        assert bits(joined) == bits(expected), name
        assert expected is not None or got == [None, None], name
    assert bits(parts[0].snapshots + parts[1].snapshots) == bits(history.snapshots)
    assert bits(parts[1].state) == bits(history.state)
    assert parts[1].engine == history.engine


def in_two_parts(params, cut, epochs, **some):
    """Return both parts of a run, and the run of all epochs; members are side by side in some of them."""
    some = {"log_every": 7, **some}
    marks = sorted({0, 1, cut - 1, cut, cut + 1, (cut + epochs) // 2, epochs})
    first = train(params, cut, snapshots=[mark for mark in marks if mark < cut], **some)
    began = first[1].state.epoch  # earlier than the cut where all had diverged
    later = [mark for mark in marks if cut <= mark <= began + epochs - cut]
    second = train(first[1].state, epochs - cut, snapshots=later, threads=1, **some)
    return first, second, train(params, epochs, snapshots=marks, threads=1, **some)


def own(task):
    return any(isinstance(value, funcnn.Optimizer | funcnn.Loss) for value in task[1].values())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("task", "members"),
    # Side by side, each optimizer of one's own is a kernel that takes long to compile: one of them is enough.
    [
        (task, members)
        for task in TASKS
        for members in (None, 3, 9)
        if members != 9 or not own(TASKS[task]) or task == "momentum"
    ],
)
def test_60_epochs_and_40_more_have_the_bits_of_100(task, members, engine, bits):
    how, some = TASKS[task]
    first, second, whole = in_two_parts(start(members, **how), 60, 100, engine=engine, **some)
    assert_one_run(bits, first, second, whole)
    assert second[1].epoch.tolist() == list(range(60, 100))
    assert (whole[1].state.epoch, whole[1].state.t) == (100, 100 * -(-21 // (some_rows(some))))
    if task != "dying":  # and there was something to go on with
        assert bits(whole[0]) != bits(first[0])


def some_rows(some):
    rows = some.get("batch_size", 1)
    return 21 if rows == "full" else rows


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3, 9])
@pytest.mark.parametrize("seeds", [(13, 21, 11), (21, 13, 11), (11, 21, 13)])
@pytest.mark.parametrize(("cut", "epochs"), [(2, 30), (4, 30), (1, 5), (5, 30), (240, 260)])
def test_members_that_diverge_before_or_after_the_cut_are_where_they_would_have_been(
    cut, epochs, seeds, members, engine, bits
):
    params = start(members, "leaky_relu", seeds)
    first, second, whole = in_two_parts(params, cut, epochs, engine=engine, lr=3.0, validation=HELD)
    assert_one_run(bits, first, second, whole)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_runs_above_diverge_and_die_on_both_sides_of_the_cut(engine):
    _, history = train(start(9, "leaky_relu", (13, 21, 11)), 260, lr=3.0, engine=engine)
    assert (~np.isnan(history.accuracy)).sum(axis=0).tolist() == [4, 1, 245, 260, 260, 4, 260, 260, 260]
    _, history = train(start(9, "relu"), 100, lr=1.0, engine=engine)
    assert (np.diff(history.loss[-40:], axis=0) == 0).all(axis=0).tolist() == [True, False, *[True] * 7]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("task", ["shuffled", "momentum", "adam", "late, in the second part", "scheduled"])
def test_what_a_state_carries_beside_weights_matters(task, members, engine, bits):
    how, some = TASKS[task]
    params = start(members, **how)
    first, history = train(params, 60, engine=engine, **some)
    whole, _ = train(params, 100, engine=engine, **some)
    assert bits(train(history.state, 40, engine=engine, **some)[0]) == bits(whole)
    assert bits(train(first, 40, engine=engine, **some)[0]) != bits(whole)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_may_go_on_as_often_as_one_likes(engine, bits):
    some = {"optimizer": MOMENTUM, "lr": 0.05, "shuffle": True, "batch_size": 4, "engine": engine}
    state = start(3)
    for epochs in (1, 1, 5, 2, 11):
        _, history = train(state, epochs, **some)
        assert len(history.loss) == epochs
        state = history.state
    assert bits(state) == bits(train(start(3), 20, **some)[1].state)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_state_gives_the_same_bits_however_often_it_is_gone_on_from(engine, bits):
    some = {"optimizer": MOMENTUM, "lr": 0.05, "engine": engine}
    _, history = train(start(3), 10, **some)
    before = bits(history)
    again = [bits(train(history.state, 10, **some)) for _ in range(2)]
    assert again[0] == again[1]
    assert bits(history) == before


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3, 9])
def test_members_with_rates_and_points_of_their_own_go_on(members, engine, bits):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(members or 1, 12, 2)), rng.integers(0, 2, (members or 1, 12, 1)).astype(float)
    given = (x[0], y[0]) if members is None else (x, y)
    lr = 0.1 if members is None else np.linspace(0.05, 0.5, members)
    some = {"lr": lr, "engine": engine, "given": given, "validation": given, "schedule": waving, "batch_size": 5}
    assert_one_run(bits, *in_two_parts(start(members), 11, 20, **some))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 2, 9])
def test_where_no_member_is_running_nothing_happens(members, engine, bits):
    params = start(members, "leaky_relu", (21,) * 9)
    final, history = train(params, 5, lr=3.0, engine=engine, validation=HELD)
    assert not history.state.running.any()
    asked = []
    after, more = train(
        history.state, 5, lr=3.0, engine=engine, validation=HELD, snapshots=(1, 3, 6), stop=asked.append, log_every=1
    )
    assert bits(after) == bits(final)
    assert bits(more.state) == bits(history.state)
    lead = () if members is None else (members,)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        figure = getattr(more, name)
        assert (figure.shape, figure.dtype) == ((0, *lead), np.float64), name
    assert (more.epoch.shape, more.logged.shape, more.grad_norm.shape) == ((0,), (0,), (0, 3, *lead))
    assert asked == []


def bent(params, change):
    return Params(attrs.evolve(layer, w=change(layer.w)) for layer in params.layers)


SLOTS = {
    "none": lambda slots: (),
    "too many": lambda slots: slots * 2,
    "of other layers": lambda slots: (funcnn.init((2, 4, 3, 1)),),
    "of fewer layers": lambda slots: (Params(slots[0].layers[:-1]),),
    "with biases": lambda slots: (funcnn.init((2, 3, 3, 1), bias=True),),
    "of an ensemble": lambda slots: (funcnn.init((2, 3, 3, 1), seed=range(3)),),
    "that would broadcast": lambda slots: (bent(slots[0], lambda w: w[:1]),),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SLOTS)
def test_a_state_whose_slots_do_not_fit_is_refused(name, engine):
    _, history = train(start(None), 2, optimizer=MOMENTUM, engine="numpy")
    state = attrs.evolve(history.state, slots=SLOTS[name](history.state.slots))
    with pytest.raises(ValueError, match="slot"):
        train(state, 2, optimizer=MOMENTUM, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_of_another_optimizer_is_refused(engine):
    _, history = train(start(None), 2, engine="numpy")
    with pytest.raises(ValueError, match=r"the state is one of optimizer 'sgd', got 'momentum'"):
        train(history.state, 2, optimizer=MOMENTUM, engine=engine)
    _, history = train(start(None), 2, optimizer=MOMENTUM, engine="numpy")
    with pytest.raises(ValueError, match=r"the state is one of optimizer 'momentum', got 'sgd'"):
        train(history.state, 2, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("running", [[True, True], [True] * 4, [[True]] * 3])
def test_a_state_that_says_of_other_members_whether_they_run_is_refused(running, engine):
    _, history = train(start(3), 2, engine="numpy")
    with pytest.raises(ValueError, match="running"):
        train(attrs.evolve(history.state, running=np.array(running)), 2, engine=engine)


def test_snapshots_of_epochs_that_are_past_are_refused():
    _, history = train(start(None), 5, engine="numpy")
    with pytest.raises(ValueError, match="snapshot 4 lies before the first epoch, 5"):
        train(history.state, 5, engine="numpy", snapshots=(4,))
    with pytest.raises(ValueError, match="snapshot 11 lies beyond the last epoch, 10"):
        train(history.state, 5, engine="numpy", snapshots=(11,))
    assert [epoch for epoch, _ in train(history.state, 5, engine="numpy", snapshots=(5, 10))[1].snapshots] == [5, 10]


# --- runs ------------------------------------------------------------------------------------------------------------

EXPERIMENTS = {
    "the lab's": {},
    "shuffled": {"shuffle": True, "shuffle_seed": 2, "batch_size": 5, "bias": True},
    "linear": {"data": "linear", "act": "tanh", "batch_size": "full", "lr": 0.01, "loss": "mse"},
    "diverged": {"act": "leaky_relu", "lr": 3.0, "seed": 13},
    "dying": {"act": "relu", "lr": 1.0, "seed": 9},
    "ensemble": {"seed": range(3), "lr": (0.1, 0.5, 1.0)},
    "ensemble that diverges": {"act": "leaky_relu", "lr": 3.0, "seed": (13, 21, 11, 0, 14)},
    "ensemble all of which diverges": {"act": "leaky_relu", "lr": 3.0, "seed": (21, 13)},
    "side by side": {"act": "relu", "lr": 1.0, "seed": range(16)},
    "points": {"data": "linear", "data_seed": (3, 4, 5), "shuffle": True},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fields", EXPERIMENTS)
def test_a_run_that_is_resumed_is_the_run_of_all_epochs_in_every_field(fields, engine, tmp_path, bits):
    e = Experiment(epochs=60, engine=engine, log_every=25, **EXPERIMENTS[fields])
    first, whole = funcnn.run(e), funcnn.run(attrs.evolve(e, epochs=100))
    funcnn.save(tmp_path / "run.npz", first)
    loaded = funcnn.load(tmp_path / "run.npz")
    for resumed in (funcnn.resume(first, 40), funcnn.resume(loaded, 40), funcnn.resume(funcnn.resume(first, 1), 39)):
        assert bits(resumed) == bits(whole)
        assert resumed == whole
    for k in range(whole.history.loss.shape[1] if whole.history.loss.ndim > 1 else 0):
        mine = funcnn.resume(funcnn.member(loaded, k), 40)
        assert bits(mine) == bits(funcnn.member(whole, k))
        assert bits(funcnn.member(funcnn.resume(loaded, 40), k)) == bits(mine)
        assert bits(mine) == bits(funcnn.run(mine.experiment))


@pytest.mark.parametrize("epochs", [0, -1, 1.5, True, "40"])
def test_resume_refuses_what_is_no_number_of_epochs(epochs):
    run = funcnn.run(Experiment(epochs=2, engine="numpy"))
    with pytest.raises((TypeError, ValueError), match="epochs must be a whole number"):
        funcnn.resume(run, epochs)


# --- validation, and the best epoch ----------------------------------------------------------------------------------

#: Tasks in which validation's loss does not simply fall, so that the best epoch lies somewhere inside.
VALIDATED = {
    "in order": ({"act": "tanh"}, {"lr": 0.5}),
    "shuffled": ({"act": "tanh"}, {"lr": 0.5, "shuffle": True, "batch_size": 4}),
    "momentum": ({"act": "tanh"}, {"lr": 0.05, "optimizer": MOMENTUM, "shuffle": True, "batch_size": 4}),
    "scheduled": ({"act": "tanh"}, {"lr": 0.5, "schedule": waving, "clip": 0.3, "l2": 0.001}),
    "diverging": ({"act": "leaky_relu", "seeds": (13, 0, 21, 11)}, {"lr": 3.0}),
    "dying": ({"act": "relu"}, {"lr": 1.0}),
}
EPOCHS = 40


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3, 9])
@pytest.mark.parametrize("task", VALIDATED)
def test_validation_is_measured_with_the_weights_that_an_epoch_ends_with(task, members, engine):
    how, some = VALIDATED[task]
    _, history = train(
        start(members, **how), EPOCHS, engine=engine, validation=HELD, snapshots=range(EPOCHS + 1), threads=1, **some
    )
    ends = [params for _, params in history.snapshots[1:]]
    if len(ends) < len(history.loss):  # it diverged in the last epoch, whose end is no snapshot
        ends.append(history.state.params)
    assert history.val_loss.shape == history.val_accuracy.shape == history.loss.shape
    with np.errstate(all="ignore"):
        predictions = np.array([funcnn.forward(params, HELD[0]) for params in ends])
        loss = ((predictions - HELD[1]) ** 2).mean(axis=(-2, -1))
        accuracy = (((predictions > 0.5) == HELD[1]) & np.isfinite(predictions)).mean(axis=(-2, -1))
    ran = ~np.isnan(history.accuracy)
    assert ran.any()
    finite = ran & np.isfinite(loss)
    np.testing.assert_allclose(history.val_loss[finite], loss[finite], rtol=1e-12)
    np.testing.assert_array_equal(history.val_accuracy[ran], accuracy[ran])
    assert np.isnan(history.val_accuracy[~ran]).all()
    assert np.isnan(history.val_loss[~ran]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3, 9])
@pytest.mark.parametrize("task", VALIDATED)
def test_the_best_weights_are_those_at_the_end_of_the_epoch_with_the_lowest_validation_loss(
    task, members, engine, bits
):
    how, some = VALIDATED[task]
    params = start(members, **how)
    some = {"engine": engine, "validation": HELD, "threads": 1, **some}
    _, history = train(params, EPOCHS, snapshots=range(EPOCHS + 1), log_every=3, **some)
    epochs, best = history.best
    assert np.shape(epochs) == (() if members is None else (members,))
    kept = dict(history.snapshots)
    for k in [None] if members is None else range(members):
        losses = history.val_loss if k is None else history.val_loss[:, k]
        if np.isfinite(
            losses
        ).any():  # `best` and `snapshots` count alike: epochs done, so that 1 is the first one's end
            expected = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf))) + 1
            assert int(epochs if k is None else epochs[k]) == expected
            assert bits(picked(best, k)) == bits(picked(kept[expected], k))
    for other in ({"log_every": 500}, {"log_every": 1}, {"snapshots": (2, 17)}, {"threads": 2}):
        assert bits(train(params, EPOCHS, **{**some, **other})[1].best) == bits(history.best)


def test_the_best_epochs_above_lie_inside_the_run_and_apart():
    inside = set()
    for how, some in VALIDATED.values():
        _, history = train(start(9, **how), EPOCHS, engine="numpy", validation=HELD, **some)
        inside |= set(history.best[0].tolist())
    assert len(inside - {1, EPOCHS}) > 8


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3])
def test_of_equally_good_epochs_the_first_is_the_best(members, engine):
    # Nothing moves at all, so that every epoch is as good as the first.
    _, history = train(start(members), 30, engine=engine, validation=HELD, optimizer=attrs.evolve(LATE, hyper=(1e9,)))
    assert (np.diff(history.val_loss, axis=0) == 0).all()
    assert np.all(np.equal(history.best[0], 1))


@pytest.mark.parametrize("members", [None, 3, 9])
def test_members_in_single_precision_keep_the_bits_of_their_best_epoch(members, bits):
    # Those whose best epoch is reached again are fewer than trained side by side.
    params = start(members, "tanh", dtype=np.float32)
    some = {"loss": "mse", "batch_size": 5, "lr": 1.5, "engine": "compiled", "validation": HELD, "threads": 1}
    _, history = train(params, EPOCHS, snapshots=range(EPOCHS + 1), **some)
    epochs, best = history.best
    kept = dict(history.snapshots)
    for k in [None] if members is None else range(members):
        epoch = int(epochs if k is None else epochs[k])
        assert bits(picked(best, k)) == bits(picked(kept[epoch], k))


@pytest.mark.parametrize("engine", ENGINES)
def test_without_validation_there_is_no_best_epoch(engine):
    _, history = train(start(3), 3, engine=engine)
    assert (history.best, history.val_loss, history.val_accuracy) == (None, None, None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 9])
def test_validation_changes_nothing_else(members, engine, bits):
    params = start(members, "tanh")
    final, history = train(params, 20, engine=engine, threads=1)
    other, told = train(params, 20, engine=engine, threads=1, validation=HELD)
    assert bits(final) == bits(other)
    fields = {"val_loss": None, "val_accuracy": None, "best": None}
    assert bits(attrs.evolve(told, **fields)) == bits(history)


@pytest.mark.parametrize(
    ("validation", "error", "message"),
    [
        (HELD[0], TypeError, r"validation must be a pair \(x, y\)"),
        ((HELD[0], HELD[1][:3]), ValueError, "validation x has 8 samples, but validation y has 3"),
        ((HELD[0][:, :1], HELD[1]), ValueError, "validation x has 1 features"),
        ((HELD[0][:0], HELD[1][:0]), ValueError, "number of validation samples.*got 0"),
        ((HELD[0] + np.nan, HELD[1]), ValueError, "validation x has nan at row 0"),
        ((HELD[0], HELD[1] + np.inf), ValueError, "validation y has inf at row 0"),
    ],
)
def test_validation_data_is_checked_as_samples_are(validation, error, message):
    with pytest.raises(error, match=message):
        train(start(None), 2, engine="numpy", validation=validation)


# --- stop ------------------------------------------------------------------------------------------------------------

MARKS = [{}, {"log_every": 1}, {"log_every": 7}, {"snapshots": (0, 3, 20)}, {"log_every": 3, "snapshots": (10,)}]


def unmarked(history):
    """Return what a history says whatever was logged and kept."""
    return [getattr(history, name) for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "state")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("some", [{}, {"optimizer": MOMENTUM, "lr": 0.02, "shuffle": True, "batch_size": 4}])
def test_a_run_stops_at_the_end_of_the_first_epoch_for_which_stop_is_true(some, marks, engine, bits):
    some = {"lr": 0.5, **some, "engine": engine, "validation": HELD}
    params = start(None, "tanh")
    longest = train(params, 100, **some)[1].loss
    limit = np.sort(longest)[50]
    expected = int(np.argmax(longest < limit)) + 1
    assert 1 < expected < 100
    final, history = train(params, 100, stop=lambda h: h.loss[-1] < limit, **some, **marks)
    other, told = train(params, expected, **some)
    assert bits(final) == bits(other)
    assert bits(unmarked(history)) == bits(unmarked(told))
    assert bits(history.best) == bits(told.best)
    assert all(epoch <= expected for epoch in (*history.logged, *(epoch for epoch, _ in history.snapshots)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("marks", MARKS)
def test_an_ensemble_stops_as_a_whole(marks, engine, bits):
    params = start(9, "leaky_relu", (13, 0, 21))
    some = {"lr": 3.0, "engine": engine, "threads": 1}
    final, history = train(params, 60, stop=lambda h: np.isnan(h.accuracy[-1]).sum() >= 2, **some, **marks)
    assert len(history.loss) == 5  # seed 21 ran 1 epoch, seed 13 ran 4
    other, told = train(params, 5, **some)
    assert bits((final, unmarked(history))) == bits((other, unmarked(told)))


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("never", [None, False, np.False_])
def test_a_run_that_is_never_told_to_stop_runs_to_the_end(never, marks, bits):
    params = start(3)
    heard, plain = train(params, 20, engine="numpy", stop=lambda h: never), train(params, 20, engine="numpy")
    assert bits(heard) == bits(plain)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("marks", MARKS)
def test_stop_is_shown_every_epoch_once_and_nothing_that_came_after_it(marks, engine, bits):
    seen = []
    params = start(None, "tanh")
    some = {"engine": engine, "validation": HELD, "lr": 0.5}
    _, history = train(params, 100, stop=seen.append, **some, **marks)
    assert [len(shown.loss) for shown in seen] == list(range(1, 101))
    for done, shown in enumerate(seen, start=1):
        for name in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy"):
            assert bits(getattr(shown, name)) == bits(getattr(history, name)[:done])
        assert all(epoch < done for epoch in shown.logged)
        assert len(shown.grad_norm) == len(shown.logged)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("marks", MARKS)
def test_stop_is_shown_no_weights_of_later_epochs(marks, engine, bits):
    seen = []
    params = start(None, "tanh")
    train(params, 30, stop=seen.append, engine=engine, **{**marks, "snapshots": (0, 5, 20)})
    for done, shown in enumerate(seen, start=1):
        assert [epoch for epoch, _ in shown.snapshots] == [epoch for epoch in (0, 5, 20) if epoch < done]
        assert shown.state is None or shown.state.epoch == done


@pytest.mark.parametrize(
    "nonsense",
    ["yes", 12, 0, 1.5, np.nan, [], np.array([True, False]), object()],
    ids=lambda value: type(value).__name__,
)
def test_stop_may_not_give_what_is_neither_true_nor_false(nonsense):
    with pytest.raises(TypeError, match="stop must give True"):
        train(start(None), 10, engine="numpy", stop=lambda h: nonsense)


def test_a_run_that_goes_on_may_stop_and_counts_its_epochs_on(bits):
    params = start(None, "tanh")
    _, history = train(params, 10, engine="numpy")
    first_shown = []

    def stop(h):
        first_shown.append(h.epoch.tolist())
        return len(h.loss) == 7

    final, more = train(history.state, 30, engine="numpy", stop=stop)
    assert first_shown[0] == [10]
    assert more.epoch.tolist() == list(range(10, 17))
    assert bits(final) == bits(train(params, 17, engine="numpy")[0])
    # And from where it stopped it goes on.
    assert bits(train(more.state, 3, engine="numpy")[0]) == bits(train(params, 20, engine="numpy")[0])


# --- schedules -------------------------------------------------------------------------------------------------------


def test_a_schedule_is_asked_for_each_update_by_its_number():
    asked = []

    def schedule(t):
        asked.append(t)
        return np.ones(len(t))

    train(start(None), 10, engine="numpy", batch_size=5, schedule=schedule, log_every=3)
    np.testing.assert_array_equal(np.concatenate(asked), np.arange(1.0, 51.0))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 9])
def test_a_schedule_of_ones_changes_nothing_and_one_of_numbers_is_another_rate(members, engine, bits):
    params = start(members)
    plain = train(params, 20, engine=engine, lr=0.5)
    assert bits(train(params, 20, engine=engine, lr=0.5, schedule=np.ones_like)) == bits(plain)
    assert bits(train(params, 20, engine=engine, lr=1.0, schedule=lambda t: np.full(len(t), 0.5))) == bits(plain)


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_that_a_schedule_held_still_move_again(engine, bits):
    # A span in which nothing moves tells nothing of later ones.
    params = start(None)
    held, _ = train(params, 20, engine=engine, schedule=lambda t: np.where(t > 10 * 21, 1.0, 0.0))
    assert bits(held) == bits(train(params, 10, engine=engine)[0])


@pytest.mark.parametrize(
    "factors",
    [
        lambda t: 0.5,
        lambda t: np.ones(len(t) - 1),
        lambda t: np.ones((len(t), 1)),
        lambda t: np.full(len(t), np.nan),
        lambda t: np.full(len(t), np.inf),
        lambda t: np.where(t > 100, np.nan, 1.0),
    ],
)
@pytest.mark.parametrize("members", [None, 3])
def test_a_schedule_of_another_shape_or_not_finite_is_refused(factors, members):
    with pytest.raises(ValueError, match="schedule must give a finite factor for each"):
        train(start(members), 10, engine="numpy", schedule=factors)


# --- where a run started ---------------------------------------------------------------------------------------------

GIVEN = funcnn.init((2, 3, 3, 1), seed=99)
OTHER = funcnn.init((2, 3, 3, 1), seed=98)


def test_a_run_from_given_weights_says_which_they_were(bits):
    e = Experiment(epochs=5, engine="numpy")
    run = funcnn.run(e, start=GIVEN, start_name="w.json")
    assert run.experiment == attrs.evolve(e, start="w.json", start_sha256=funcnn.weights_sha256(GIVEN))
    assert bits(run.params) == bits(funcnn.run(attrs.evolve(e, seed=99)).params)
    assert bits(funcnn.run(run.experiment, start=GIVEN)) == bits(run)
    assert bits(funcnn.run(run.experiment, start=GIVEN, start_name="moved.json")) == bits(run)
    assert funcnn.run(e).experiment == e


@pytest.mark.parametrize("seed", [14, (1, 2)])
def test_an_experiment_that_started_from_given_weights_runs_from_no_others(seed):
    given = funcnn.init((2, 3, 3, 1), seed=99 if seed == 14 else (98, 99))
    other = funcnn.init((2, 3, 3, 1), seed=98 if seed == 14 else (99, 98))
    e = funcnn.run(Experiment(epochs=2, seed=seed, engine="numpy"), start=given, start_name="w.json").experiment
    with pytest.raises(ValueError, match=r"started from w\.json \(SHA-256 [0-9a-f]{12}….*hand them over as start"):
        funcnn.run(e)
    with pytest.raises(ValueError, match=r"started from w\.json.*but start has other weights"):
        funcnn.run(e, start=other)
    assert funcnn.run(e, start=given).experiment == e


def test_a_run_from_given_weights_is_resumed_and_saved_as_any_other(tmp_path, bits):
    e = Experiment(epochs=6, engine="numpy", shuffle=True)
    first = funcnn.run(e, start=GIVEN, start_name="w.json")
    funcnn.save(tmp_path / "run.npz", first)
    whole = funcnn.run(attrs.evolve(e, epochs=10), start=GIVEN, start_name="w.json")
    assert bits(funcnn.resume(funcnn.load(tmp_path / "run.npz"), 4)) == bits(whole)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_member_of_a_run_from_given_weights_is_the_run_from_its_own(engine, bits):
    e = Experiment(epochs=5, seed=(1, 2), engine=engine)
    run = funcnn.run(e, start=funcnn.init((2, 3, 3, 1), seed=(98, 99)), start_name="w.json")
    member = funcnn.member(run, 1)
    assert bits(funcnn.run(attrs.evolve(e, seed=2), start=GIVEN, start_name="w.json")) == bits(member)
    assert bits(funcnn.run(member.experiment, start=GIVEN)) == bits(member)


def test_the_hash_of_weights_is_of_their_numbers_and_shapes_and_of_nothing_else():
    params = funcnn.init((2, 3, 1), seed=1, bias=True)
    said = funcnn.weights_sha256(params)
    assert len(said) == 64
    assert int(said, 16) >= 0
    layers = params.layers
    fortran = [attrs.evolve(layer, w=np.asfortranarray(layer.w), act="relu") for layer in layers]
    swapped = [attrs.evolve(layer, w=layer.w.astype(">f8"), b=layer.b.astype(">f8")) for layer in layers]
    assert {funcnn.weights_sha256(Params(same)) for same in (fortran, swapped)} == {said}
    others = [
        funcnn.init((2, 3, 1), seed=1, bias=True, dtype=np.float32),
        funcnn.init((2, 3, 1), seed=1),
        funcnn.init((2, 3, 1), seed=(1,), bias=True),
        Params([attrs.evolve(layers[0], w=np.nextafter(layers[0].w, 9)), layers[1]]),
    ]
    others += [Params([funcnn.Layer(layers[0].w.reshape(shape))]) for shape in ((2, 3), (3, 2))]
    assert len({said, *map(funcnn.weights_sha256, others)}) == 7


# --- whose memory it is ----------------------------------------------------------------------------------------------


def writable(params):
    return Params(attrs.evolve(l, w=np.array(l.w), b=None if l.b is None else np.array(l.b)) for l in params.layers)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("members", [None, 3, 9])
@pytest.mark.parametrize("optimizer", [MOMENTUM, LATE], ids=["momentum", "late"])
def test_what_a_run_keeps_is_its_own_and_read_only(optimizer, members, engine, bits):
    given = [writable(start(members, bias=True)), *map(np.array, (XOR.x, XOR.y, *HELD, WEIGHT))]

    def trained(params, epochs, snapshots):
        return funcnn.train(
            params, *given[1:3], epochs=epochs, engine=engine, optimizer=optimizer, validation=tuple(given[3:5]),
            weight=given[5], snapshots=snapshots, threads=1,
        )  # fmt: skip

    first = trained(given[0], 3, (0, 1, 3))
    state = attrs.evolve(first[1].state, params=writable(first[0]), slots=tuple(map(writable, first[1].state.slots)))
    second = trained(state, 3, (3, 4, 6))
    before = bits((first, second))
    mine = arrays((first, second))
    assert not any(array.flags.writeable for array in mine)
    theirs = arrays((given, state.params, state.slots))
    assert not any(np.shares_memory(array, its) for array in mine for its in theirs)
    for array in theirs:
        array[...] = 7.0
    assert bits((first, second)) == before


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [14, range(3)])
def test_all_arrays_of_a_resumed_run_are_read_only(seed, engine, tmp_path):
    run = funcnn.resume(funcnn.run(Experiment(epochs=3, seed=seed, engine=engine)), 2)
    funcnn.save(tmp_path / "run.npz", run)
    records = [run, funcnn.resume(funcnn.load(tmp_path / "run.npz"), 2)]
    if seed != 14:
        records += [funcnn.member(one, 1) for one in records]
    assert len(arrays(records)) > 20
    assert not any(array.flags.writeable for array in arrays(records))


def test_a_state_at_the_start_has_slots_of_its_own_that_are_read_only():
    params = start(3, bias=True)
    state = funcnn.fresh_state(funcnn.Plan(funcnn.LOSSES["mse"], ADAM), params)
    assert len(state.slots) == 2
    assert state.running.tolist() == [True] * 3
    assert not any(array.any() or array.flags.writeable for array in arrays(state.slots))


# --- slots that are made of one another ------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [None, 3])
def test_slots_may_be_made_of_other_slots_and_of_the_weights(members, bits):
    params = start(members)
    plan = funcnn.Plan(funcnn.LOSSES["half_sse"], LOOKING_BACK, 4)
    state = funcnn.fresh_state(plan, params)
    for _ in range(3):
        for begin in range(0, 21, 4):
            state, _ = funcnn.step(plan, state, XOR.x[begin : begin + 4], XOR.y[begin : begin + 4], 0.1)
    final, history = train(params, 3, optimizer=LOOKING_BACK, batch_size=4, engine="numpy")
    assert bits(history.state.slots) == bits(state.slots)
    assert bits(final) == bits(state.params)


@pytest.mark.parametrize(
    ("some", "dtype"),
    [
        ({"loss": "mse", "batch_size": 4}, np.float64),
        ({"loss": "mse", "batch_size": 5, "lr": 1.5}, np.float32),
        ({"weight": WEIGHT, "lr": 1.0}, np.float32),
        ({"clip": 0.1, "l2": 0.01, "batch_size": 4, "weight": WEIGHT}, np.float64),
        ({"clip": 0.1, "l2": 0.01, "batch_size": 4}, np.float32),
        ({"optimizer": MOMENTUM}, np.float64),
        ({"loss": SOFTMAX_CROSS_ENTROPY, "batch_size": 4}, np.float32),
    ],
)
def test_a_member_side_by_side_has_the_bits_of_its_solo_run_whatever_the_plan(some, dtype, bits):
    outputs = 3 if some.get("loss") is SOFTMAX_CROSS_ENTROPY else 1
    y = np.eye(3)[np.arange(21) % 3] if outputs == 3 else XOR.y
    some = {"engine": "compiled", "threads": 1, "given": (XOR.x, y), **some}

    def begin(seed):
        return funcnn.init((2, 3, outputs), seed=seed, act=("tanh", "none" if outputs == 3 else "sigmoid"), dtype=dtype)

    final, history = train(begin(range(9)), 10, **some)
    for k in range(9):
        alone, told = train(begin(k), 10, **some)
        assert bits(picked(final, k)) == bits(picked(alone, None))
        assert bits(history.loss[:, k]) == bits(told.loss)


@pytest.mark.parametrize(
    ("begun", "other"), [("momentum", "rmsprop"), ("adam", "rprop"), ("adam", "sgd"), ("sgd", "adam")]
)
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_state_goes_on_under_its_own_optimizer_only(begun, other, engine):
    # The square root of a velocity is no number.
    params, data = funcnn.init((2, 2, 1), seed=0), funcnn.xor()
    _, history = funcnn.train(params, data.x, data.y, epochs=2, optimizer=begun, engine="numpy")
    with pytest.raises(ValueError, match=f"the state is one of optimizer '{begun}', got '{other}'"):
        funcnn.train(history.state, data.x, data.y, epochs=2, optimizer=other, engine=engine)
    plan = funcnn.Plan(funcnn.LOSSES["half_sse"], funcnn.OPTIMIZERS[other])
    with pytest.raises(ValueError, match=f"got '{other}'"):
        funcnn.step(plan, history.state, data.x, data.y, 0.1)
    funcnn.train(history.state.params, data.x, data.y, epochs=2, optimizer=other, engine="numpy")
