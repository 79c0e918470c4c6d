"""The toy data sets are what their sources say."""

import itertools
import math

import numpy as np
import pytest

import funcnn
from funcnn.data import blobs, circles, encoder, moons, parity, sine, spirals, symmetry

DRAWN = ["linear", "moons", "circles", "spirals", "blobs", "sine"]
FIXED = ["xor", "parity", "symmetry", "encoder"]


def test_the_table_has_them_all():
    assert list(funcnn.DATASETS) == ["xor", *DRAWN, *FIXED[1:]]


@pytest.mark.parametrize("name", [*DRAWN, *FIXED, "blobs:5", "parity:3", "encoder:4", "moons:10,0.2", "linear:7"])
def test_they_are_read_only_floats_under_their_names(name):
    for data in funcnn.dataset(name, seed=3):
        assert data.name == name.partition(":")[0]
        assert data.x.dtype == data.y.dtype == np.float64
        assert data.x.ndim == data.y.ndim == 2
        assert len(data.x) == len(data.y)
        assert not data.x.flags.writeable
        assert not data.y.flags.writeable
        assert len(data.classes) in (0, max(2, data.y.shape[1]))


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_is_tested_on_a_fresh_draw_of_its_seed(name):
    train, test = funcnn.dataset(name, seed=3)
    assert train != test
    assert train.x.shape == test.x.shape
    assert funcnn.dataset(name, seed=3) == (train, test)
    assert funcnn.dataset(name, seed=4)[0] != train
    several = funcnn.dataset(name, seed=(3, 5))
    assert several[0].x.shape == (2, *train.x.shape)
    np.testing.assert_array_equal(several[0].x[0], train.x)
    np.testing.assert_array_equal(several[1].y[0], test.y)
    assert several[0].classes == train.classes


@pytest.mark.parametrize("name", FIXED)
def test_what_is_not_drawn_is_tested_on_itself(name):
    train, test = funcnn.dataset(name, seed=3)
    assert train == test == funcnn.dataset(name, seed=(1, 2))[0]


def test_moons_lie_on_half_circles():
    data = moons(101, 0.0)
    y = data.y[:, 0]
    assert (len(y), y.sum()) == (101, 50)
    up, down = data.x[y == 0], data.x[y == 1]
    np.testing.assert_allclose(np.hypot(*up.T), 1, rtol=1e-12)
    np.testing.assert_allclose(np.hypot(*(down - [1, 0.5]).T), 1, rtol=1e-12)
    assert up[:, 1].min() > -1e-9
    assert down[:, 1].max() < 0.5 + 1e-9
    np.testing.assert_allclose([*up[[0, -1]], *down[[0, -1]]], [[1, 0], [-1, 0], [0, 0.5], [2, 0.5]], atol=1e-12)


def test_circles_lie_on_circles_evenly():
    data = circles(200, 0.0, 0.3)
    radius = np.hypot(*data.x.T)
    np.testing.assert_allclose(radius, np.where(data.y[:, 0] == 0, 1, 0.3), rtol=1e-12)
    np.testing.assert_allclose(data.x[:100].mean(axis=0), 0, atol=1e-12)
    assert len(np.unique(data.x.round(9), axis=0)) == 200


def test_spirals_without_noise_are_the_194_points_of_the_source():
    data = spirals(noise=0)
    assert data.x.shape == (194, 2)
    ones, zeros = [], []
    for i in range(97):
        angle, radius = i * math.pi / 16, 6.5 * (104 - i) / 104
        ones.append((radius * math.sin(angle), radius * math.cos(angle)))
        zeros.append((-radius * math.sin(angle), -radius * math.cos(angle)))
    np.testing.assert_allclose(data.x[data.y[:, 0] == 1], ones, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(data.x[data.y[:, 0] == 0], zeros, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("toy", [moons, circles, spirals])
def test_noise_is_normal_and_of_its_size(toy):
    moved = toy(4000, 0.3, seed=1).x - toy(4000, 0.0).x
    assert moved.std() == pytest.approx(0.3, rel=0.05)
    assert abs(moved.mean()) < 0.02
    np.testing.assert_array_equal(moved.shape, (4000, 2))


@pytest.mark.parametrize("k", [2, 3, 7])
def test_blobs_are_around_places_on_the_unit_circle(k):
    data = blobs(k, 2000, 0.05, seed=2)
    labels = data.y[:, 0].astype(int) if k == 2 else data.y.argmax(axis=1)
    assert data.y.shape == (2000, 1 if k == 2 else k)
    assert data.classes == tuple(map(str, range(k)))
    assert max(np.bincount(labels)) - min(np.bincount(labels)) <= 1
    for c in range(k):
        mean = data.x[labels == c].mean(axis=0)
        np.testing.assert_allclose(mean, [math.cos(2 * math.pi * c / k), math.sin(2 * math.pi * c / k)], atol=0.02)
        np.testing.assert_allclose(data.x[labels == c].std(axis=0), 0.05, rtol=0.2)


def test_sine_is_a_sine_with_noise():
    data = sine(3000, 0.1, seed=1)
    assert ((data.x >= 0) & (data.x < 1)).all()
    noise = data.y - np.sin(2 * np.pi * data.x)
    assert noise.std() == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(sine(50, 0, 4).y, np.sin(2 * np.pi * sine(50, 0, 4).x))


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_parity_counts_the_bits(bits):
    data = parity(bits)
    assert data.x.tolist() == [list(map(float, pattern)) for pattern in itertools.product((0, 1), repeat=bits)]
    assert data.y[:, 0].tolist() == [sum(pattern) % 2 for pattern in data.x.tolist()]
    assert data.classes == ("even", "odd")


@pytest.mark.parametrize(("bits", "count"), [(2, 2), (3, 4), (6, 8)])
def test_symmetry_reads_the_same_backwards(bits, count):
    data = symmetry(bits)
    assert data.y[:, 0].tolist() == [float(pattern == pattern[::-1]) for pattern in data.x.tolist()]
    assert data.y.sum() == count
    assert len(data.x) == 2**bits


def test_encoder_gives_out_what_comes_in():
    data = encoder(5)
    assert data.x.tolist() == data.y.tolist() == np.eye(5).tolist()
    assert encoder().x.shape == (8, 8)


def test_numbers_follow_the_name():
    assert funcnn.dataset("blobs:4,40,0.1", 3)[0] == blobs(4, 40, 0.1, 3)
    assert funcnn.dataset("moons:50", 3)[0] == moons(50, seed=3)
    assert funcnn.dataset("linear:7", 3)[1] == funcnn.linear(7, (3, 1))
    assert funcnn.dataset("parity:3")[0] == parity(3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("moon", r"unknown data set 'moon'; did you mean 'moons'\?"),
        ("moon:3", r"unknown data set 'moon'; did you mean 'moons'\?"),
        ("xor:3", "data set 'xor:3' gives 1 number, but xor takes none"),
        ("parity:2,3", "data set 'parity:2,3' gives 2 numbers, but parity takes bits=4"),
        ("parity:", "data set 'parity:' must be a name, or a name and finite numbers"),
        ("parity:2.5", r"data set 'parity:2\.5': bits must be a whole number, got 2\.5"),
        ("parity:0", "data set 'parity:0': bits must be a whole number of at least 1"),
        ("parity:21", "bits must be at most 20, got 21"),
        ("symmetry:1", "bits must be at least 2"),
        ("blobs:1", "k must be a whole number of at least 2"),
        ("blobs:5,4", "n must be a whole number of at least 5"),
        ("blobs:3,9,-1", "noise must be at least 0"),
        ("moons:1", "n must be a whole number of at least 2"),
        ("circles:9,0,0", "factor must be positive"),
        ("encoder:1", "n must be a whole number of at least 2"),
        ("sine:0", "n must be a whole number of at least 1"),
    ],
)
def test_names_and_numbers_that_are_wrong_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        funcnn.dataset(name)


def test_what_memory_does_not_hold_is_refused_beforehand():
    for name in ("moons:1e14", "blobs:3,1e14", "sine:1e14", "encoder:1e8"):
        with pytest.raises(MemoryError, match="would take"):
            funcnn.dataset(name)
