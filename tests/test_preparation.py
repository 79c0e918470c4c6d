"""How rows become numbers, how parts are held back, and how columns are brought to one scale."""

import io
import math
import pickle
import warnings
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

import funcnn
from funcnn import Coding, Column, Dataset, Scaling
from funcnn.data import DataWarning, coding, encode, encode_x, features_of, prepared, read_table, read_tables

WHOLE = "size,color,ripe,weight\n1,red,true,9\n2,blue,false,8\n3,red,true,7\n4,blue,false,6\n"


def table(content):
    return read_table(io.StringIO(content))


def column(*cells):
    """Return a table whose target t is these cells, beside a column of numbers."""
    return table("t,n\n" + "".join(f"{cell},{place}.5\n" for place, cell in enumerate(cells)))


# --- coding -----------------------------------------------------------------------------------------------------------


def test_a_coding_names_the_columns_that_a_model_takes():
    code = coding(table(WHOLE), "weight")
    assert code == Coding((Column("size"), Column("color", ("blue", "red")), Column("ripe")), (Column("weight"),))
    assert coding(table(WHOLE), "weight", drop=["size", 3]).columns == (Column("color", ("blue", "red")),)
    assert pickle.loads(pickle.dumps(code)) == code
    assert hash(code) == hash(coding(table(WHOLE), 4))
    assert features_of(code) == ("size", "color=blue", "color=red", "ripe")


@pytest.mark.parametrize(
    ("cells", "levels"),
    [
        (["b", "a", "c"], ("a", "b", "c")),
        (["é", "z", "Z"], ("Z", "z", "é")),
        (["true", "False"], ("false", "true")),
        (["1", "x"] * 2, ("1", "x")),
        ([0, 1] * 5, ("0", "1")),
        ([10, 9, -1] * 5, ("-1", "9", "10")),  # sorted as numbers
        (["1.0", "2.00"] * 5, ("1", "2")),
        ([0, 1] * 4, ()),  # too few rows of each to say
        ([0, 1, 2.5] * 9, ()),
        (list(range(20)) * 5, tuple(map(str, range(20)))),
        (list(range(21)) * 50, ()),
        ([1e300, 2] * 5, ("2", str(int(1e300)))),
        ([1, 2, ""] * 5, ("1", "2")),
    ],
)
def test_whether_a_target_is_of_classes(cells, levels):
    assert coding(column(*cells), "t").targets == (Column("t", levels),)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["a", "a", ""], "target 't' is 'a' in every row; there is nothing to learn"),
        ([1, 1], "target 't' is '1' in every row"),
        ([0.5, 0.5], "target 't' is '0.5' in every row"),
        (["", ""], "target 't' has no value in any row"),
        (
            ['"1,5"', '"2,5"', '"3,5"'],
            r"3 different texts in 3 rows, too many for classes \(numbers with decimal=','\)",
        ),
        ([1, 2, "12 kg", 3], r"4 different texts in 4 rows, too many for classes \('12 kg' in line 4 is no number\)"),
        ([f"name {place}" for place in range(60)], "target 't' holds 60 different texts in 60 rows, too many"),
    ],
)
def test_targets_that_cannot_be_learnt_are_refused(cells, message):
    with pytest.raises(ValueError, match=message):
        coding(column(*cells), "t")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([f"name {place}" for place in range(51)] * 2, "column 't' holds 51 different texts in 102 rows, and is"),
        (["a", "b", "c", "a", "b"], "column 't' holds 3 different texts in 5 rows, and is left out"),
        ([1, 2, "", "12 kg", 3], r"4 different texts in 4 rows \('12 kg' in line 5 is no number\), and is left out"),
        (["", "", "NA"], "column 't' has no value in any row, and is left out"),
        (['"1,5"', '"2,5"', '"3,5"'], r"column 't' holds 3 different texts in 3 rows \(numbers with decimal=','\)"),
    ],
)  # fmt: skip
def test_columns_that_tell_rows_apart_are_left_out_with_a_warning(cells, message):
    rows = table("t,n,m\n" + "".join(f"{cell},{place}.5,1\n" for place, cell in enumerate(cells)))
    with pytest.warns(DataWarning, match=message) as said:
        found = coding(rows, "n")
    assert [one.name for one in found.columns] == ["m"]
    assert len(said) == 1
    assert said[0].filename == __file__


def test_50_texts_with_two_rows_each_are_taken():
    cells = [f"name {place:02d}" for place in range(50)] * 2
    assert coding(column(*cells), "n").columns == (Column("t", tuple(sorted(set(cells)))),)


def test_what_numbers_the_rows_is_left_out():
    with pytest.warns(DataWarning, match="column 1 has no name, as one that numbers the rows, and is left out"):
        found = coding(table(",a,y\n0,1,2.5\n1,3,4\n"), "y")
    assert found.columns == (Column("a"),)


def test_rows_are_coded_whichever_order_their_columns_are_in():
    code = coding(table(WHOLE), "weight")
    data = encode(code, table("other,ripe,weight,color,size\nx,TRUE,5,red,7\ny,false,6,blue,8\n"))
    assert data.x.tolist() == [[7, 0, 1, 1], [8, 1, 0, 0]]
    assert data.y.tolist() == [[5], [6]]
    assert data.features == features_of(code)
    assert not data.x.flags.writeable
    assert not data.y.flags.writeable
    again = encode_x(code, table("ripe,color,size\ntrue,red,7\nfalse,blue,8\n"))
    np.testing.assert_array_equal(again, data.x)
    assert not again.flags.writeable


def test_what_is_missing_is_nan_in_all_columns_of_its_one_hot():
    x = encode_x(coding(table(WHOLE), 4), table("size,color,ripe\n,red,true\n1,NA,\n"))
    np.testing.assert_array_equal(x, [[np.nan, 0, 1, 1], [1, np.nan, np.nan, np.nan]])


def test_targets_are_one_output_or_one_hot():
    rows = table("n,two,three,number\n1,b,x,0.5\n2,a,z,1.5\n3,b,y,2\n")
    assert encode(coding(rows, "two", drop=[3, 4]), rows).y.tolist() == [[1], [0], [1]]
    assert encode(coding(rows, "three", drop=[2, 4]), rows).y.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert encode(coding(rows, "three", drop=[2, 4]), rows).classes == ("x", "y", "z")
    code = coding(rows, ["number", "three", "two"])
    assert encode(code, rows).y.tolist() == [[0.5, 1, 0, 0, 1], [1.5, 0, 0, 1, 0], [2, 0, 1, 0, 1]]
    assert encode(code, rows).classes == ()


def test_the_classes_are_in_the_order_of_the_labels():
    for cells in (["b", "a", "b"], ["c", "a", "b"], ["true", "false", "true"], [3, 1, 2] * 5):
        data = encode(coding(column(*cells), "t"), column(*cells))
        labels = funcnn.metrics.labels(data.y, funcnn.decision("half_sse", data.y))
        assert [data.classes[label] for label in labels] == [str(cell) for cell in cells]


def test_rows_in_parts_are_coded_as_the_whole():
    """Whether a column is of texts or numbers is told for each part alone, and must not matter."""
    content = "a,b,t\n" + "".join(
        f"{a},{b},{t}\n" for a, b, t in zip("0120101x", [1, "", 3, 4, 5, 6, 7, 8], "1a1a1a1a", strict=True)
    )
    code = Coding((Column("a", ("0", "1", "2", "x")), Column("b")), (Column("t", ("1", "a")),))
    whole = encode(code, table(content))
    for rows in (1, 2, 3):
        parts = [encode(code, part) for part in read_tables(io.StringIO(content), rows=rows)]
        np.testing.assert_array_equal(np.concatenate([part.x for part in parts]), whole.x)
        np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), whole.y)
    truth = Coding((Column("a"),), (Column("t", ("false", "true")),))
    assert encode(truth, table("a,t\ntrue,1\nFALSE,0\n")).x.tolist() == [[1], [0]]
    assert encode(truth, table("a,t\n1,1\n0,false\n")).y.tolist() == [[1], [0]]
    numbers = Coding((Column("a"),), (Column("t", ("0", "1")),))
    assert encode(numbers, table("a,t\n1,1.0\n0,0.0\n")).y.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("size,ripe,weight\n1,true,2\n", r"the stream has no column 'color' \(columns: size, ripe, weight\)"),
        ("size,colour,ripe,weight\n1,red,true,2\n", r"no column 'color'; is it 'colour'\?"),
        (
            "size,color,ripe,weight\n1,red,true,2\n2,purple,true,3\n",
            r"line 3, column 'color': 'purple' is unknown \(kn",
        ),
        ("size,color,ripe,weight\n\n1,3,true,2\n", "line 3, column 'color': '3' is unknown"),
        ("size,color,ripe,weight\n1,red,maybe,2\n", "line 2, column 'ripe': 'maybe' is no number"),
        ("size,color,ripe,weight\n1,red,true,2\nbig,red,true,2\n", "line 3, column 'size': 'big' is no number"),
        ("size,color,ripe,weight\n1,red,true,2\n,red,true,\n", "line 3, column 'weight': the target is missing"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_their_place(content, message):
    code = coding(table(WHOLE), "weight")
    with pytest.raises(ValueError, match=message) as caught:
        encode(code, table(content))
    assert len(str(caught.value).splitlines()) == 1


def test_a_coding_without_targets_gives_none():
    with pytest.raises(ValueError, match="coding has no targets"):
        encode(Coding((Column("size"),)), table(WHOLE))


def test_long_lists_of_columns_are_cut():
    wide = table(",".join(f"pixel{place}" for place in range(100)) + "\n" + ",".join(["1"] * 100) + "\n")
    with pytest.raises(ValueError, match=r"pixel19, … \(100 in all\)"):
        coding(wide, "label")


def test_what_is_prepared_comes_with_its_coding():
    rows = table("a,b,t\n1,x,u\n2,,v\n,y,u\n4,x,v\n5,y,u\n6,x,\n7,y,v\n")
    code, data = prepared(rows, "t", missing="drop")
    assert code.columns == (Column("a"), Column("b", ("x", "y")))
    assert data.x.tolist() == [[1, 1, 0], [4, 1, 0], [5, 0, 1], [7, 0, 1]]
    assert data == encode(code, table("a,b,t\n1,x,u\n4,x,v\n5,y,u\n7,y,v\n"))


def test_a_column_that_is_left_out_stays_so_when_rows_are_dropped():
    names = [f"name {place}" for place in range(51)] * 2
    content = "a,b,t\n" + "".join(f"{a},{b},{b % 3 + 0.5}\n" for b, a in enumerate(["", "", *names[2:]]))
    gap = content + ",,0.5\n" + "name 1,,0.5\n"
    with pytest.warns(DataWarning, match="column 'a' holds 51 different texts in 101 rows") as said:
        code, data = prepared(table(gap), "t", missing="drop")
    assert (len(said), code.columns, data.x.shape) == (1, (Column("b"),), (102, 1))


# --- split ------------------------------------------------------------------------------------------------------------


def numbered(y):
    y = np.asarray(y, float)
    return Dataset(np.arange(float(len(y)))[:, None], y, "numbered", ("n",), ("a", "b"))


def largest_remainder(sizes, wanted):
    """Return the counts of the first part's complement, by exact fractions."""
    shares = [Fraction(size * wanted, sum(sizes)) for size in sizes]
    counts = [math.floor(share) for share in shares]
    for place in sorted(range(len(sizes)), key=lambda at: (counts[at] - shares[at], at))[: wanted - sum(counts)]:
        counts[place] += 1
    return counts


@given(st.lists(st.integers(2, 40), min_size=2, max_size=6), st.floats(0.05, 0.6), st.integers(0, 99), st.data())
def test_each_class_has_its_share(sizes, fraction, seed, data):
    k = len(sizes)
    labels = np.array(data.draw(st.permutations(np.repeat(range(k), sizes).tolist())))
    y = labels[:, None] if k == 2 else np.eye(k)[labels]
    whole = numbered(y)
    first, second = funcnn.split(whole, fraction, seed)
    wanted = max(1, round(fraction * len(labels)))
    held = labels[second.x[:, 0].astype(int)]
    counts = largest_remainder(sizes, wanted)
    assert len(held) == wanted
    if all(count < size for count, size in zip(counts, sizes, strict=True)):
        assert [Counter(held.tolist())[label] for label in range(k)] == counts
    assert set(range(k)) == set(labels[first.x[:, 0].astype(int)].tolist())
    rows = [part.x[:, 0].tolist() for part in (first, second)]
    assert sorted(rows[0] + rows[1]) == list(range(len(labels)))
    for part, kept in zip((first, second), rows, strict=True):
        assert kept == sorted(kept)
        np.testing.assert_array_equal(part.y, y[np.array(kept, int)])
        assert (part.name, part.features, part.classes) == ("numbered", ("n",), ("a", "b"))
        assert not part.x.flags.writeable
        assert not part.y.flags.writeable
    assert funcnn.split(whole, fraction, seed) == (first, second)


def test_targets_that_are_no_classes_are_drawn_from_at_large():
    for y in (np.linspace(0, 1, 10)[:, None], np.ones((10, 1)), np.tile([[1.0, 1.0], [0.0, 0.0]], (5, 1))):
        parts = {seed: funcnn.split(numbered(y), 0.3, seed) for seed in range(40)}
        assert {len(second.x) for _, second in parts.values()} == {3}
        assert set(np.concatenate([second.x[:, 0] for _, second in parts.values()])) == set(range(10))
    assert len({tuple(second.x[:, 0]) for _, second in parts.values()}) > 20


def test_a_class_of_one_stays_in_the_first_part():
    labels = np.array([0] * 50 + [1] + [2] * 3)
    for seed in range(30):
        first, second = funcnn.split(numbered(np.eye(3)[labels]), 0.5, seed)
        assert first.y.sum(axis=0).tolist()[1] == 1
        assert len(second.x) == 27
    first, second = funcnn.split(numbered(np.eye(3)[labels]), 0.99)
    assert first.y.sum(axis=0).tolist() == [1, 1, 1]


def test_signs_are_classes_too():
    _, second = funcnn.split(numbered(np.where(np.arange(40) < 30, -1.0, 1.0)[:, None]), 0.2)
    assert Counter(second.y.ravel().tolist()) == {-1: 6, 1: 2}


@pytest.mark.parametrize(
    ("y", "options", "error", "message"),
    [
        (np.ones((4, 1)), {"fraction": 0}, ValueError, "fraction must be positive"),
        (np.ones((4, 1)), {"fraction": 1}, ValueError, "fraction must be between 0 and 1, got 1"),
        (np.ones((4, 1)), {"fraction": "half"}, TypeError, "fraction must be a number, got 'half'"),
        (np.ones((4, 1)), {"fraction": math.nan}, ValueError, "fraction must be positive"),
        (np.ones((4, 1)), {"seed": -1}, ValueError, "seed must be a whole number of at least 0"),
        (np.ones((4, 1)), {"seed": 0.5}, TypeError, "seed must be a whole number"),
        (np.ones((1, 1)), {}, ValueError, "too small for two parts: 1 samples, 1 classes"),
        (np.eye(4), {}, ValueError, "too small for two parts: 4 samples, 4 classes"),
        (np.ones((2, 4, 1)), {}, ValueError, r"x \(n, d\) and y \(n, k\)"),
    ],
)
def test_what_cannot_be_split_is_refused(y, options, error, message):
    with pytest.raises(error, match=message):
        funcnn.split(numbered(y), **options)


# --- scaling ----------------------------------------------------------------------------------------------------------


@given(
    stnp.arrays(
        float, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.floats(-1e6, 1e6) | st.just(np.nan)
    )
)
def test_standardisation_is_mean_and_deviation_of_what_is_there(x):
    scaling = funcnn.standardisation(x)
    for mean, scale, values in zip(scaling.mean, scaling.scale, x.T, strict=True):
        values = values[~np.isnan(values)]
        if not len(values) or values.min() == values.max():
            assert (mean, scale) == (values[0] if len(values) else 0, 1)
            continue
        span = values.max() - values.min()
        assert mean == pytest.approx(math.fsum(values) / len(values), abs=1e-12 * span + 1e-15 * abs(values).max())
        deviation = math.sqrt(math.fsum((values - mean) ** 2) / len(values))
        assert scale == pytest.approx(deviation, rel=1e-6 if span < 1e-3 else 1e-10, abs=1e-300) or span < 1e-9
    z = funcnn.standardise(scaling, x)
    assert np.isfinite(z).all()
    np.testing.assert_array_equal(z[np.isnan(x)], 0)
    back = funcnn.unstandardise(scaling, z)
    np.testing.assert_allclose(back, np.where(np.isnan(x), scaling.mean, x), rtol=1e-9, atol=1e-9)
    assert not any(array.flags.writeable for array in (z, back, scaling.mean, scaling.scale))


@given(st.integers(-1060, 1020), st.integers(0, 99))
def test_numbers_of_any_size_are_standardised_alike(exponent, seed):
    unit = np.round(np.random.default_rng(seed).uniform(-1, 1, (20, 3)), 3)
    x = np.ldexp(unit, exponent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaling = funcnn.standardisation(x)
        z = funcnn.standardise(scaling, x)
        back = funcnn.unstandardise(scaling, z)
    assert np.isfinite(z).all()
    if exponent > -1000:
        np.testing.assert_allclose(z, (unit - unit.mean(axis=0)) / unit.std(axis=0), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.ldexp(back, -exponent), unit, rtol=1e-9, atol=1e-12)


def test_the_largest_and_the_least_numbers_do_not_overflow():
    most, least = np.finfo(float).max, 5e-324
    x = np.array([[most, least, most, 1e-310], [-most, 0, most, -1e-310], [0, least, most, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaling = funcnn.standardisation(x)
        z = funcnn.standardise(scaling, x)
    assert np.isfinite(scaling.mean).all()
    assert (np.isfinite(scaling.scale) & (scaling.scale > 0)).all()
    np.testing.assert_allclose(z[:, 0], [1.5**0.5, -(1.5**0.5), 0], atol=1e-12)
    np.testing.assert_array_equal(z[:, 2], 0)
    assert np.isfinite(z).all()


def test_constant_columns_become_0_and_keep_their_size():
    for value in (0.1, -3.7, 0.0, 1e300, 1e-300, 1 / 3):
        scaling = funcnn.standardisation(np.full((7, 1), value))
        assert (scaling.mean.tolist(), scaling.scale.tolist()) == ([value], [1])
        np.testing.assert_array_equal(funcnn.standardise(scaling, np.full((7, 1), value)), 0)


def test_values_that_differ_in_their_last_bits_are_not_taken_for_constant():
    x = np.array([[1.0], [np.nextafter(1, 2)]])
    z = funcnn.standardise(funcnn.standardisation(x), x)
    assert z[1, 0] > z[0, 0]


def test_standardisation_looks_at_some_rows_at_a_time(monkeypatch):
    x = np.random.default_rng(0).normal(3, 5, (1000, 3))
    x[::7, 1] = np.nan
    monkeypatch.setattr(funcnn.data.preparation, "ROWS", 64)
    scaling = funcnn.standardisation(x)
    np.testing.assert_allclose(scaling.mean, np.nanmean(x, axis=0), rtol=1e-13)
    np.testing.assert_allclose(scaling.scale, np.nanstd(x, axis=0), rtol=1e-13)


def test_float32_stays_so_and_whole_numbers_become_float64():
    x = np.array([[1, 2], [3, 5]], np.float32)
    scaling = funcnn.standardisation(x)
    assert scaling.mean.dtype == scaling.scale.dtype == np.float64
    assert funcnn.standardise(scaling, x).dtype == np.float32
    assert funcnn.unstandardise(scaling, x).dtype == np.float32
    assert funcnn.standardise(scaling, x.astype(int)).dtype == np.float64
    assert funcnn.standardise(scaling, np.stack([x, x])).shape == (2, 2, 2)  # members with points of their own


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: funcnn.standardisation([1.0]), ValueError, r"x must have shape \(n, d\), n at least 1, got \(1,\)"),
        (lambda: funcnn.standardisation(np.ones((0, 2))), ValueError, "n at least 1"),
        (lambda: funcnn.standardisation([["a"]]), TypeError, "x must hold real numbers"),
        (lambda: funcnn.standardisation([[1.0, 2], [1, -np.inf]]), ValueError, "x has -inf at row 1, column 1"),
        (lambda: funcnn.standardise(Scaling(np.ones(2), np.ones(2)), [[1.0]]), ValueError, r"must have shape \(n, 2\)"),
    ],
)  # fmt: skip
def test_what_has_no_scale_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
