"""Schedules: their formulas, written down once more here, their texts, and runs that follow them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import funcnn
from funcnn.schedules import schedule_named

#: Every built-in schedule, and another form of its formula for update t, counted from 1. Those of cosine and
#: warmup_cosine are optax's cosine_decay_schedule and warmup_cosine_decay_schedule at count t − 1, for peaks of 1.
ORACLES = {
    "constant": lambda t: 1.0,
    "step:7": lambda t: math.prod([0.1] * ((t - 1) // 7)),
    "step:2.5,0.5": lambda t: math.prod([0.5] * math.floor((t - 1) / 2.5)),
    "exponential:0.97": lambda t: math.exp((t - 1) * math.log(0.97)),
    "cosine:40": lambda t: 0.5 * (1 + math.cos(math.pi * min(t - 1, 40) / 40)),
    "cosine:40,0.1": lambda t: 0.9 * (0.5 * (1 + math.cos(math.pi * min(t - 1, 40) / 40))) + 0.1,
    "warmup_cosine:5,40": lambda t: (t - 1) / 5 if t - 1 < 5 else 0.5 * (1 + math.cos(math.pi * min(t - 6, 35) / 35)),
    "warmup_cosine:5,40,0.2": lambda t: (
        (t - 1) / 5 if t - 1 < 5 else 0.8 * (0.5 * (1 + math.cos(math.pi * min(t - 6, 35) / 35))) + 0.2
    ),
}


def test_every_schedule_has_an_oracle():
    assert {text.partition(":")[0] for text in ORACLES} == set(funcnn.SCHEDULES)


@pytest.mark.parametrize("text", ORACLES)
def test_the_factors_are_the_formulas(text):
    t = np.arange(1.0, 61.0)
    factors = schedule_named(text)(t)
    assert (factors.shape, factors.dtype) == (t.shape, t.dtype)
    np.testing.assert_allclose(factors, [ORACLES[text](int(one)) for one in t], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("text", ORACLES)
def test_factors_do_not_depend_on_how_updates_are_cut_into_spans(text, bits):
    t, schedule = np.arange(1.0, 61.0), schedule_named(text)
    assert bits(np.concatenate([schedule(some) for some in np.split(t, (1, 17, 40))])) == bits(schedule(t))


@given(horizon=st.integers(1, 10**6), floor=st.floats(0, 1))
def test_cosine_falls_from_1_to_its_floor_and_stays_there(horizon, floor):
    t = np.unique(np.linspace(1, 2 * horizon + 2, 200).round())
    factors = funcnn.schedules.cosine(t, horizon, floor)
    assert factors[0] == pytest.approx(1, rel=1e-15)
    assert (np.diff(factors) <= 1e-15).all()
    assert (factors >= floor).all()
    assert (factors <= 1 + 1e-15).all()
    assert (factors[t > horizon] == floor).all()


@given(warmup=st.integers(1, 1000), more=st.integers(1, 1000), floor=st.floats(0, 1))
def test_a_warm_up_rises_to_1_and_falls_as_cosine(warmup, more, floor):
    t = np.arange(1.0, warmup + more + 10)
    factors = funcnn.schedules.warmup_cosine(t, warmup, warmup + more, floor)
    np.testing.assert_array_equal(factors[:warmup], np.arange(warmup) / warmup)
    np.testing.assert_array_equal(factors[warmup:], funcnn.schedules.cosine(t[: more + 9], more, floor))
    assert (factors[warmup + more :] == floor).all()


@given(rate=st.floats(0.9, 1), every=st.integers(1, 50), factor=st.floats(0.1, 1))
def test_the_others_start_at_1_and_never_rise(rate, every, factor):
    t = np.arange(1.0, 200.0)
    for factors in (funcnn.schedules.exponential(t, rate), funcnn.schedules.step(t, every, factor)):
        assert factors[0] == 1
        assert (np.diff(factors) <= 0).all()
        assert (factors > 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin:5", r"unknown schedule 'cosin'; did you mean 'cosine'\? \(known: constant, step"),
        ("cosine", r"schedule 'cosine' gives no numbers, but cosine takes horizon, floor=0"),
        ("cosine:1,2,3", r"schedule 'cosine:1,2,3' gives 3 numbers, but cosine takes horizon, floor=0"),
        ("constant:1", r"schedule 'constant:1' gives 1 number, but constant takes none"),
        ("cosine:", r"schedule 'cosine:' must be a name, or a name and finite numbers as NAME:0\.5,2, got ''"),
        ("cosine:1,x", r"schedule 'cosine:1,x' must be .*, got 'x'"),
        ("cosine:nan", r"schedule 'cosine:nan' must be .*, got 'nan'"),
        ("cosine:1e999", r"schedule 'cosine:1e999' must be .*, got '1e999'"),
        ("cosine:0", r"horizon must be positive and finite, got 0\.0"),
        ("cosine:5,-0.1", r"floor must be at least 0 and finite, got -0\.1"),
        ("cosine:5,1.5", r"floor must be a share of the learning rate, 0 to 1, got 1\.5"),
        ("step:0", r"every must be positive and finite, got 0\.0"),
        ("step:5,-1", r"factor must be positive and finite, got -1\.0"),
        ("exponential:0", r"rate must be positive and finite, got 0\.0"),
        ("warmup_cosine:0,5", r"warmup must be positive and finite, got 0\.0"),
        ("warmup_cosine:5,5", r"horizon must be more than warmup, which it comprises, got 5 and 5"),
        (5, r"unknown schedule 5 \(known: constant"),
    ],
)
def test_other_texts_are_refused_before_anything_is_trained(text, message):
    data = funcnn.xor()
    with pytest.raises(ValueError, match=message):
        funcnn.train(funcnn.init((2, 3, 1)), data.x, data.y, epochs=2, schedule=text)


def test_a_rate_that_grows_beyond_all_numbers_is_refused_and_not_trained_with():
    data = funcnn.xor()
    with pytest.raises(
        ValueError, match=r"schedule must give a finite factor for each update, none below 0, got inf for update 1,025"
    ):
        funcnn.train(funcnn.init((2, 3, 1)), data.x, data.y, epochs=200, schedule="exponential:2")


@pytest.mark.parametrize("seed", [3, range(3)])
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_text_trains_as_its_function_does(engine, seed, bits):
    data, params = funcnn.xor(), funcnn.init((2, 3, 1), seed=seed)
    some = {"epochs": 9, "engine": engine, "lr": 0.5}
    texts = ("cosine:100,0.1", lambda t: funcnn.schedules.cosine(t, 100.0, 0.1), None)
    mine, theirs, plain = (funcnn.train(params, data.x, data.y, schedule=one, **some) for one in texts)
    assert bits(mine) == bits(theirs)
    assert bits(mine) != bits(plain)
    assert bits(funcnn.train(params, data.x, data.y, schedule="constant", **some)) == bits(plain)
    stepped = funcnn.train(params, data.x, data.y, schedule="step:63,0.5", **some)  # halved after every third epoch
    state, losses = params, []
    for lr in (0.5, 0.25, 0.125):
        state = funcnn.train(state, data.x, data.y, **{**some, "epochs": 3, "lr": lr})[1]
        losses, state = [*losses, state.loss], state.state
    assert bits(np.concatenate(losses)) == bits(stepped[1].loss)
