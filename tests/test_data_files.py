"""Tables, arrays and images from files: what was written is read, and what is broken is named with its place."""

import codecs
import contextlib
import csv
import gzip
import io
import math
import pickle
import struct
import sys
import tracemalloc
import types
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funcnn
from funcnn.data import DataWarning, as_table, from_frame, read_table, read_tables, tables, text
from funcnn.data.tables import MISSING

HERE = Path(__file__).parent / "data"


def table(content, **options):
    return read_table(io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content), **options)


def cells(content, **options):
    return [column.tolist() for column in table(content, **options).columns]


# --- what is written is read ------------------------------------------------------------------------------------------


def is_number(cell):
    try:
        return "_" not in cell and float(cell) is not None
    except ValueError:
        return False


def expected(column):
    """Return what a column of cells is to become, said another way."""
    bare = [cell.strip() for cell in column]
    there = [cell for cell in bare if cell not in MISSING]
    if all(is_number(cell) for cell in there):
        return [math.nan if cell in MISSING else float(cell) for cell in bare]
    if all(cell.lower() in ("true", "false") for cell in there):
        bare = [cell if cell in MISSING else cell.lower() for cell in bare]
    return ["" if cell in MISSING else cell for cell in bare]


letters = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\r\n"), max_size=6)
finite = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.integers(-(10**20), 10**20).map(str)
gaps = st.sampled_from(sorted(MISSING))
kinds = [
    finite,
    finite | gaps,
    st.sampled_from(["true", "False", "TRUE"]),
    st.sampled_from(["true", "FALSE", "", "NA"]),
    letters.filter(lambda cell: not cell.strip().lower().lstrip("+-").startswith(("inf", "nan"))),
    st.sampled_from(["red", " green ", 'said "no"', "a,b;c|d\te", "two\nlines", "?", "1_0", "ünï"]),
]


@st.composite
def written(draw):
    width, height = draw(st.integers(2, 5)), draw(st.integers(1, 8))
    columns = [draw(st.lists(draw(st.sampled_from(kinds)), min_size=height, max_size=height)) for _ in range(width)]
    form = {
        "delimiter": draw(st.sampled_from(",;\t|")),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    }
    return columns, form, draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])), draw(st.booleans())


@settings(max_examples=100)
@given(written())
def test_what_csv_writes_is_read_back(case):
    columns, form, encoding, packed = case
    names = [f"name {place}" for place in range(len(columns))]
    stream = io.StringIO(newline="")
    if form["lineterminator"] == "\r":  # or it would leave a cell with \n unquoted
        form["quoting"] = csv.QUOTE_ALL
    writer = csv.writer(stream, **form)
    writer.writerows([names, *zip(*columns, strict=True)])
    content = stream.getvalue().encode(encoding)
    found = table(gzip.compress(content) if packed else content, delimiter=form["delimiter"])
    assert found.names == tuple(names)
    for column, cell in zip(found.columns, columns, strict=True):
        np.testing.assert_array_equal(column.tolist(), expected(cell))
        assert not column.flags.writeable
    begins, line = [], 1
    for row in zip(*columns, strict=True):
        begins.append(line + 1)
        line += 1 + sum(cell.count("\n") for cell in row)
    assert found.lines.tolist() == begins


@pytest.mark.parametrize("rows", [1, 2, 7, 100])
@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (40, 3), (3, 500)])
def test_numbers_are_those_of_loadtxt_whole_or_in_parts(tmp_path, monkeypatch, shape, rows):
    monkeypatch.setattr(tables, "CELLS", 8)  # so that small files are read in parts
    path = tmp_path / "numbers.csv"
    np.savetxt(path, np.random.default_rng(0).normal(size=shape) * 1e5, delimiter=",")
    wanted = np.loadtxt(path, delimiter=",", ndmin=2)
    found = read_table(path)
    np.testing.assert_array_equal(np.column_stack(found.columns), wanted)
    assert found.name == str(path)
    parts = list(read_tables(path, rows=rows))
    assert [len(part.lines) for part in parts[:-1]] == [rows] * (len(parts) - 1)
    np.testing.assert_array_equal(np.concatenate([np.column_stack(part.columns) for part in parts]), wanted)
    assert np.concatenate([part.lines for part in parts]).tolist() == found.lines.tolist()


def test_a_column_whose_last_cell_is_a_text_has_the_texts_that_were_written(monkeypatch):
    monkeypatch.setattr(tables, "CELLS", 2)
    assert cells("a,b\n01,1\n1.50,2\n 2 ,3\nA7,4\n") == [["01", "1.50", "2", "A7"], [1, 2, 3, 4]]
    assert cells("a;b\n01;1\n1,50;2\nA7;4\n", decimal=",") == [["01", "1,50", "A7"], [1, 2, 4]]


@pytest.mark.parametrize(
    ("content", "names", "columns"),
    [
        ("a,b\n1,2\n", ("a", "b"), [[1], [2]]),
        ("1,2\n3,4\n", ("x1", "x2"), [[1, 3], [2, 4]]),
        ("a\n1\n\n2\n", ("a",), [[1, 2]]),
        ("\n  \na,b\n\n1,2\n   \n3,4\n\n", ("a", "b"), [[1, 3], [2, 4]]),
        ('a\n""\n1\n', ("a",), [[math.nan, 1]]),
        ("a,b\n,\n1,2\n", ("a", "b"), [[math.nan, 1], [math.nan, 2]]),
        (",a\n0,5\n1,6\n", ("", "a"), [[0, 1], [5, 6]]),  # as pandas writes its index, and R its row names
        ("a,b,\n1,2,\n", ("a", "b", ""), [[1], [2], [math.nan]]),
        ("a,b,,\n1,2\n3,4\n", ("a", "b"), [[1, 3], [2, 4]]),
        ("x,x\ny,y\n", ("x1", "x2"), [["x", "y"], ["x", "y"]]),
        ("2019,2020\n1,2\n", ("x1", "x2"), [[2019, 1], [2020, 2]]),
        ("a;b\n1,5;2\n", ("a", "b"), [["1,5"], [2]]),
        ("a|b\n1|2\n", ("a", "b"), [[1], [2]]),
        ('"a,b"\t"c"\n"x, y"\t2\n', ("a,b", "c"), [["x, y"], [2]]),
        ('a, b\n1, "x, y"\n', ("a", "b"), [[1], ["x, y"]]),
        ('size 5",b\n1,2\n', ('size 5"', "b"), [[1], [2]]),
        ("a,b\nTRUE,1\nfalse,0\nNA,1\n", ("a", "b"), [["true", "false", ""], [1, 0, 1]]),
        ("a,b\nTRUE,1\nmaybe,0\n", ("a", "b"), [["TRUE", "maybe"], [1, 0]]),
        ("a,b\n1e3,-.5\n+2.,1E-2\n", ("a", "b"), [[1000, 2], [-0.5, 0.01]]),
        ("a,b\n1_000,2\n", ("a", "b"), [["1_000"], [2]]),
        ("name,b\nInfinity,1\nNaN,2\nx,3\n", ("name", "b"), [["Infinity", "", "x"], [1, 2, 3]]),
        ("Na,Mg\n1,2\n", ("Na", "Mg"), [[1], [2]]),
        ("\ufeffa,b\n1,2", ("a", "b"), [[1], [2]]),
    ],
)
def test_forms_of_tables(content, names, columns):
    for found in (table(content), table(content.encode()), table(gzip.compress(content.encode()))):
        assert found.names == names
        for column, wanted in zip(found.columns, columns, strict=True):
            np.testing.assert_array_equal(column.tolist(), wanted)


@pytest.mark.parametrize(
    ("content", "options", "columns"),
    [
        ("a;b\n1,5;2\n", {"decimal": ","}, [[1.5], [2]]),
        ("a;b\n1.5;2,5\n", {"decimal": ","}, [["1.5"], [2.5]]),  # where , is the decimal sign, . is none
        ("a;b\n1.234,5;2\n", {"decimal": ","}, [["1.234,5"], [2]]),
        ("a:b\n1:2\n", {"delimiter": ":"}, [[1], [2]]),
        ("a;b\nc;d\n", {"header": False}, [["a", "c"], ["b", "d"]]),
        ("1;2\n3;4\n", {"header": True}, [[3], [4]]),
        ("a,b\n1,é\n".encode("latin-1"), {"encoding": "latin-1"}, [[1], ["é"]]),
        ("a,b\n1,é\n".encode("utf-16-be"), {"encoding": "utf-16-be"}, [[1], ["é"]]),
        (codecs.BOM_UTF8 + "a,b\n1,é\n".encode(), {"encoding": "latin-1"}, [[1], ["é"]]),
        ("a,b\n1,é\n".encode("utf-32"), {}, [[1], ["é"]]),
    ],
)
def test_options(content, options, columns):
    assert cells(content, **options) == columns


def test_the_delimiter_is_found_beyond_the_lines_that_are_looked_at_and_in_their_midst():
    many = "\n".join(["a;b", *[f'"{place}, and\n so on";{place}' for place in range(200)]])
    assert [len(column) for column in table(many).columns] == [200, 200]


def test_standard_input_and_streams_stay_open(monkeypatch, tmp_path):
    for content in (b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n")):
        stream = io.BytesIO(content)
        assert read_table(stream).names == ("a", "b")
        assert not stream.closed
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert read_table("-").name == "standard input"
        assert not sys.stdin.closed
    monkeypatch.setattr(sys, "stdin", io.StringIO("a,b\n1,x\n2,y\n"))
    assert funcnn.read("-", "b").name == "standard input"
    (tmp_path / "table.csv").write_bytes(b"a,b\n1,2\n")
    with (tmp_path / "table.csv").open("rb", buffering=0) as file:  # which has no peek
        assert read_table(file).columns[1].tolist() == [2]
        assert not file.closed


def test_a_table_is_read_as_far_as_it_is_asked_for():
    def endless():
        yield "a,b\n"
        for place in range(10**9):
            yield f"{place},2\n"

    class Stream(io.TextIOBase):
        lines = endless()

        def read(self, size=-1):
            return ""

        def readline(self, size=-1):
            return next(self.lines)

    parts = read_tables(Stream(), rows=5)
    assert next(parts).columns[0].tolist() == [0, 1, 2, 3, 4]
    assert next(parts).columns[0].tolist() == [5, 6, 7, 8, 9]


def test_tables_with_texts_are_copied_and_compared():
    found = table("a,b\n1,x\n,\n")
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert again != table("a,b\n1,x\n,y\n")
    assert not any(column.flags.writeable for column in again.columns)


# --- what is broken ---------------------------------------------------------------------------------------------------

ROWS = "a,b\n" + "1,2\n" * 150
PACKED = gzip.compress(ROWS.encode())
FLIPPED = bytes(byte ^ (place == 60) * 255 for place, byte in enumerate(gzip.compress(bytes(range(1, 256)) * 9)))
BROKEN = [
    ("", "table.csv is empty"),
    ("\n\r\n  \n", "table.csv is empty"),
    (gzip.compress(b""), "table.csv is empty"),
    (codecs.BOM_UTF8, "table.csv is empty"),
    ("a,b\n", "line 1: names columns, but no row follows"),
    ("\n\na,b", "line 3: names columns, but no row follows"),
    (ROWS + "1\n", "line 152: 1 cell, but line 1 has 2: column 'b' is missing"),
    (ROWS + "1,2,3\n", "line 152: 3 cells, but line 1 has 2: column 3 is one too many"),
    ('a,b\n1,"x\ny"\n1,2,3\n', "line 4: 3 cells"),
    ('a,b\n1,2\n1,"2\n3,4\n', "line 3, column 2: a quote is opened, but not closed"),
    ('a,b\n"1,2\n3,4\n', "line 2, column 1: a quote is opened, but not closed"),
    ('a,"b\n1,2\n3,4\n', "line 1, column 2: a quote is opened, but not closed"),
    ('a,b,c\n1,2,3\n1,"x"y,3\n', "line 3, column 2: a quote is closed, but the cell goes on"),
    ('a,b\n"x"y,3\n', "line 2, column 1: a quote is closed, but the cell goes on"),
    ("a,b\n1," + "9" * 140_000 + "\n", "line 2, column 2: a cell of more than 131,072 characters"),
    ('a,b\n1,"' + "9,9\n" * 50_000, "line 2, column 2: a cell of more than 131,072 characters"),
    ("a,a\n1,2\n", "line 1: columns 1 and 2 are both 'a'; header=False"),
    ("b,a,c,a\n1,x,2,3\n", "line 1: columns 2 and 4 are both 'a'"),
    ("a,b\n1,2\n\n3,inf\n", "line 4, column 'b': 'inf' is not finite"),
    ("a,b\n1,2\n-Infinity,3\n", "line 3, column 'a': '-Infinity' is not finite"),
    ("a,b\n1e999,2\n", "line 2, column 'a': '1e999' is not finite"),
    ("1,2\n3,1e400\n", "line 2, column 'x2': '1e400' is not finite"),
    ("a,b\n1,2\n1,\0\n", "line 3, byte 3 is NUL"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 3, byte 1 is NUL"),
    (ROWS * 200 + "1,\0\n", "line 30201, character 3 is NUL"),
    ("a,b\r1,2\r1,\0\r", "line 3, byte 3 is NUL"),
    (b"a,b\r1,2\r1,\xff\r", "line 3: byte 0xff"),
    ("a,b\n1,\0\n".encode("utf-16"), "line 2, character 3 is NUL"),
    ("a,b\n1,é\n".encode("utf-16-le"), "line 1, byte 2 is NUL.*'utf-16-le'"),
    ("a,b\n1,é\n".encode("latin-1"), "line 2: byte 0xe9 is not of the encoding 'utf-8'.*latin-1"),
    (ROWS.encode() * 200 + b"1,\xff\n", "line 30201: byte 0xff"),
    (codecs.BOM_UTF16_LE + b"a\0,\0b\0\n", "line 1: .*truncated|line 1: byte"),
    (PACKED[:-9], "packed, but damaged"),
    (PACKED[:12], "line 1: packed, but damaged"),
    (b"\x1f\x8b\x08", "line 1: packed, but damaged"),
    (b"\x1f\x8b\x01" + b"junk" * 9, "line 1: packed, but damaged"),
    (FLIPPED, "packed, but damaged|encoding|NUL"),
    (PACKED[:-8] + b"\1" * 8, "packed, but damaged: CRC"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN, ids=range(len(BROKEN)))
def test_broken_files_are_refused_in_one_line_that_says_where(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (read_table, lambda path: list(read_tables(path)), lambda path: funcnn.read(path, 1)):
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text('a1,;"\n\r\t |.', max_size=40).map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_refused(content):
    said = None
    try:
        found = table(content)
    except ValueError as error:
        said = str(error)
    if said is not None:
        assert "the stream" in said
        assert len(said.splitlines()) == 1
    else:
        assert {len(column) for column in found.columns} == {len(found.lines)}
        assert len(found.names) == len(found.columns)


def test_a_line_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(text, "LONGEST", 100)
    with pytest.raises(ValueError, match="line 2: longer than 100 characters"):
        table("a,b\n1," + "2" * 200)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"header": "yes"}, TypeError, "header must be True, False or None, got 'yes'"),
        ({"delimiter": ";;"}, ValueError, "delimiter must be one character"),
        ({"delimiter": '"'}, ValueError, "delimiter must be one character, and no quote"),
        ({"decimal": ";"}, ValueError, "decimal must be '.' or ',', got ';'"),
        ({"decimal": ",", "delimiter": ","}, ValueError, "both ','"),
        ({"encoding": "utf-9"}, ValueError, "encoding must be one that Python knows.*'utf-9'"),
        ({"encoding": "rot13"}, ValueError, "encoding must be one that Python knows.*'rot13'"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        table(b"a,b\n1,2\n", **options)
    with pytest.raises(error, match=message):
        list(read_tables(io.BytesIO(b"a,b\n1,2\n"), **options))


def test_what_is_no_file_is_refused(tmp_path):
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "none.csv", FileNotFoundError), (3, TypeError)):
        with pytest.raises(error):
            funcnn.read(path, 1)
    with pytest.raises(ValueError, match="rows must be a whole number of at least 1, got 0"):
        read_tables(io.StringIO("1,2"), rows=0)
    with pytest.raises(ValueError, match="a line ends with CR alone"):
        table("a,b\r1,2\r")


# --- data sets --------------------------------------------------------------------------------------------------------


def test_a_small_table_of_all_kinds():
    with pytest.warns(DataWarning) as said:
        data = funcnn.read(HERE / "fruit.csv", "weight", missing="mean")
    assert (data.name, data.features, data.classes) == (
        "fruit.csv",
        ("size", "color=green", "color=red", "color=yellow", "ripe"),
        (),
    )
    assert [str(one.message).removeprefix(f"{HERE / 'fruit.csv'}: ") for one in said] == [
        "1 row without a target left out",
        "column 'note' holds 6 different texts in 6 rows, and is left out",
    ]
    assert said[0].filename == __file__
    size = [3.5, 4.0, (3.5 + 4.0 + 4.2 + 3.1 + 3.3) / 5, 4.2, 3.1, 3.3]
    hot = [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    np.testing.assert_allclose(data.x, np.column_stack([size, hot, [1, 0, 1, 1, 0, 1]]), rtol=1e-15)
    assert data.y.ravel().tolist() == [110, 130, 120, 141, 99, 104.5]
    assert not data.x.flags.writeable
    assert not data.y.flags.writeable


def test_a_table_as_spreadsheets_of_many_countries_write_it():
    data = funcnn.read(HERE / "blumen.csv", "Sorte", decimal=",", encoding="latin-1")
    assert data.x.tolist() == [[5.1, 3.5], [4.9, 3.0], [6.2, 2.9], [5.9, 3.0]]
    assert (data.y.ravel().tolist(), data.classes) == ([1, 1, 0, 0], ("Aster", "Flieder"))
    assert data.features == ("Länge", "Breite")


KINDS = "age,pet,kind\n1,cat,x\n2,dog,y\n,cat,x\n4,,y\n5,dog,z\n6,cat,x\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "target must name a column of the stream: age, pet, kind"),
        ({"target": ()}, "target must name a column of the stream: age, pet, kind"),
        (
            {"target": "knd"},
            r"target is 'knd', but no column is called that; did you mean 'kind'\? \(columns: age, pet",
        ),
        ({"target": "KIND"}, "did you mean 'kind'"),
        ({"target": 4}, "target is column 4, but the columns are age, pet, kind"),
        ({"target": "0"}, "target is column 0, but"),
        ({"target": ["kind", 3]}, "target names a column twice"),
        ({"target": "kind", "drop": "pt"}, "drop is 'pt', but no column is called that; did you mean 'pet'"),
        ({"target": "kind", "drop": "kind"}, "'kind' is both target and dropped"),
        ({"target": "kind", "drop": [1, 2]}, "no column to learn the target from"),
        ({"target": "kind"}, r"line 4, column 'age': the value is missing \(2 rows lack a value\).*'drop'.*'mean'"),
        ({"target": "age", "drop": "pet"}, "line 4, column 'age': the target is missing; missing='drop'"),
        ({"target": "kind", "missing": "median"}, "missing must be one of 'refuse', 'drop', 'mean', got 'median'"),
    ],
)
def test_what_a_table_lacks_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        funcnn.read(io.StringIO(KINDS), **options)


@pytest.mark.parametrize("target", [True, 1.5, None, [None], b"kind"])
def test_what_is_no_column_is_refused(target):
    with pytest.raises((TypeError, ValueError), match="target"):
        funcnn.read(io.StringIO(KINDS), target)


def test_rows_with_gaps_are_dropped_or_filled_with_means():
    dropped = funcnn.read(io.StringIO(KINDS), "kind", missing="drop")
    assert dropped.x.tolist() == [[1, 1, 0], [2, 0, 1], [5, 0, 1], [6, 1, 0]]
    assert dropped.y.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    filled = funcnn.read(io.StringIO(KINDS), "3", missing="mean")
    assert filled.x[2].tolist() == [(1 + 2 + 4 + 5 + 6) / 5, 1, 0]
    np.testing.assert_allclose(filled.x[3], [4, 3 / 5, 2 / 5])
    assert filled.classes == ("x", "y", "z")
    with pytest.warns(DataWarning, match="1 row without a target left out"):
        fewer = funcnn.read(io.StringIO(KINDS), "age", missing="mean", drop=["kind"])
    assert fewer.y.ravel().tolist() == [1, 2, 4, 5, 6]
    with pytest.raises(ValueError, match="no row in which nothing is missing"):
        funcnn.read(io.StringIO("a,b,y\n1,,1\n,2,2\n"), "y", missing="drop")


def test_what_is_missing_where_nothing_is_taken_does_no_harm():
    kept = funcnn.read(io.StringIO("a,b,y\n1,,1\n2,5,2\n"), "y", drop="b")
    assert kept.x.tolist() == [[1], [2]]


def test_several_targets():
    data = funcnn.read(io.StringIO("a,size,kind,ripe\n1,2.5,x,true\n2,3,y,false\n3,4,z,true\n"), ["size", "kind", 4])
    assert data.y.tolist() == [[2.5, 1, 0, 0, 1], [3, 0, 1, 0, 0], [4, 0, 0, 1, 1]]
    assert data.classes == ()
    assert data.x.tolist() == [[1], [2], [3]]


def test_frames_are_tables():
    frame = pd.DataFrame(
        {
            "a": [1, 2, 3, 4],
            "b": ["x", "y", " x", "y"],
            "c": pd.Categorical(["u", "v", "u", "v"]),
            "d": pd.array([True, False, None, True], dtype="boolean"),
            "e": pd.array([1, None, 3, 4], dtype="Int64"),
            "f": [True, False, True, True],
            "g": np.array([0.5, np.nan, 1, 2], dtype=np.float32),
            3: [1, "x", None, np.nan],
            "when": pd.to_datetime(["2020-01-01", None, "2020-01-01", "2020-01-01"]),
        }
    )
    found = from_frame(frame)
    assert found.names == ("a", "b", "c", "d", "e", "f", "g", "3", "when")
    nan = math.nan
    wanted = [
        [1, 2, 3, 4], ["x", "y", "x", "y"], ["u", "v", "u", "v"], ["true", "false", "", "true"], [1, nan, 3, 4],
        ["true", "false", "true", "true"], [0.5, nan, 1, 2], ["1", "x", "", ""],
    ]  # fmt: skip
    for column, values in zip(found.columns, wanted, strict=False):
        np.testing.assert_array_equal(column.tolist(), values)
    assert [bool(value) for value in found.columns[-1].tolist()] == [True, False, True, True]
    data = funcnn.read(frame[["a", "b", "f"]], "f")
    assert (data.x.tolist(), data.classes) == ([[1, 1, 0], [2, 0, 1], [3, 1, 0], [4, 0, 1]], ("false", "true"))
    for broken, message in (
        (frame[["a", "a"]], "more than one column 'a'"),
        (frame.iloc[:0], "the frame has no rows"),
        (pd.DataFrame(index=[1]), "the frame has no columns"),
        (pd.DataFrame({"a": [1.0, np.inf]}), "column 'a', row 1: inf is not finite"),
        (frame, "the frame, row 1, column 'e': the value is missing"),
    ):
        with pytest.raises(ValueError, match=message):
            funcnn.read(broken, "a", drop=[one for one in ("d", "g", "3", "when") if one in map(str, broken.columns)])


def test_parquet_is_read_by_polars_or_the_extra_is_named(monkeypatch, tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "y": ["u", "v"]})
    monkeypatch.setitem(sys.modules, "polars", types.SimpleNamespace(read_parquet=lambda path: frame))
    assert funcnn.read(tmp_path / "data.parquet", "y").classes == ("u", "v")
    assert as_table(tmp_path / "data.parquet").name == str(tmp_path / "data.parquet")

    def fails(path):
        raise RuntimeError("out of\nspecification")

    monkeypatch.setitem(sys.modules, "polars", types.SimpleNamespace(read_parquet=fails))
    with pytest.raises(ValueError, match=r"data\.parquet is no Parquet file, or is damaged: out of specification"):
        funcnn.read(tmp_path / "data.parquet", "y")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ValueError, match=r"Parquet is read by polars, which pip install 'funcnn\[tables\]' brings"):
        funcnn.read(tmp_path / "data.parquet", "y")


# --- arrays -----------------------------------------------------------------------------------------------------------

X = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("y", "wanted", "classes"),
    [
        (np.array([3, 5, 3, 3]), [[0], [1], [0], [0]], ("3", "5")),
        (np.array([2, 0, 1, 10], np.uint8), np.eye(4)[[2, 0, 1, 3]].tolist(), ("0", "1", "2", "10")),
        (np.array([["u"], ["v"], ["u"], ["u"]]), [[0], [1], [0], [0]], ("u", "v")),
        (np.array([b"u", b"v", b"u", b"u"]), [[0], [1], [0], [0]], ("u", "v")),
        (np.array([True, False, False, True]), [[1], [0], [0], [1]], ("false", "true")),
        (np.array([0.5, 1, 2, 3], np.float32), [[0.5], [1], [2], [3]], ()),
        (np.eye(4, dtype=int), np.eye(4).tolist(), ()),
    ],
)  # fmt: skip
def test_arrays_of_an_npz(tmp_path, y, wanted, classes):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "data.npz", x=X, y=y)
        data = funcnn.read(tmp_path / "data.npz")
        assert (data.x.tolist(), data.y.tolist(), data.classes) == (X.tolist(), wanted, classes)
        assert data.name == "data.npz"
        assert data.x.dtype == data.y.dtype == np.float64
        assert not data.x.flags.writeable
        assert not data.y.flags.writeable


def test_images_of_an_npz_are_rows(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.arange(24, dtype=np.uint8).reshape(2, 3, 4), y=[0, 1])
    assert funcnn.read(tmp_path / "data.npz").x.tolist() == np.arange(24.0).reshape(2, 12).tolist()


class Trap:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "no array 'y', but x"),
        ({"y": X}, "no array 'x', but y"),
        ({"x": X, "y": np.zeros(3)}, r"y must have shape \(4,\) or \(4, k\), as x has samples, got \(3,\)"),
        ({"x": X, "y": np.zeros((4, 1, 1))}, "y must have shape"),
        ({"x": np.zeros(4), "y": np.zeros(4)}, r"x must have shape \(n, d\)"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, r"x must have shape \(n, d\)"),
        ({"x": X.astype(str), "y": np.zeros(4)}, "x must hold real numbers"),
        ({"x": X + 1j, "y": np.zeros(4)}, "x must hold real numbers"),
        ({"x": X, "y": np.array([1, 1, 1, 1])}, "y has 1 different labels"),
        ({"x": np.zeros((2000, 1)), "y": np.arange(2000)}, "y has 2,000 different labels.*saved as floats"),
        ({"x": X, "y": np.array([Trap()] * 4, dtype=object)}, "allow_pickle|Object arrays"),
        ({"x": np.where(X == 5, np.nan, X), "y": np.zeros(4)}, "x, row 2, column 1: the value is missing"),
        ({"x": np.where(X == 5, np.inf, X), "y": np.zeros(4)}, "x, row 2, column 1: inf is not finite"),
        ({"x": X, "y": np.array([0, 1, np.nan, 2])}, "y, row 2, column 0: the target is missing"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        funcnn.read(tmp_path / "data.npz")
    assert "data.npz" in str(caught.value)


def test_gaps_in_arrays_are_dropped_or_filled(tmp_path):
    x, y = X.copy(), np.arange(4.0)
    x[1, 0], y[3] = np.nan, np.nan
    np.savez(tmp_path / "data.npz", x=x, y=y)
    assert funcnn.read(tmp_path / "data.npz", missing="drop").x.tolist() == [[0, 1], [4, 5]]
    with pytest.warns(DataWarning, match="1 row without a target"):
        assert funcnn.read(tmp_path / "data.npz", missing="mean").x.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_damaged_npz_is_refused_wherever_it_is_cut(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=X, y=np.arange(4))
    content = path.read_bytes()
    for end in [0, 1, 30, *range(50, len(content), 37)]:
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"data\.npz is no NPZ file, or is damaged"):
            funcnn.read(path)
    rng = np.random.default_rng(0)
    for _ in range(150):
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ValueError, TypeError, MemoryError):
                funcnn.read(path)
    for options in ({"target": "y"}, {"drop": 1}):
        with pytest.raises(ValueError, match="target and drop are for tables"):
            funcnn.read(path, **options)


def test_an_npy_is_mapped_and_its_targets_are_given_by_number(tmp_path):
    path = tmp_path / "data.npy"
    values = np.random.default_rng(0).normal(size=(50, 4))
    values[:, 3] = np.arange(50) % 2
    np.save(path, values)
    data = funcnn.read(path, 4)
    assert isinstance(data.x, np.memmap)
    np.testing.assert_array_equal(data.x, values[:, :3])
    np.testing.assert_array_equal(data.y, values[:, 3:])
    assert (data.features, data.classes) == (("x1", "x2", "x3"), ("0", "1"))
    assert not data.x.flags.writeable
    several = funcnn.read(path, [2, "x1"], drop=4)
    np.testing.assert_array_equal(several.y, values[:, [1, 0]])
    np.testing.assert_array_equal(several.x, values[:, [2]])
    np.testing.assert_array_equal(funcnn.read(path, 2, drop=4).x, values[:, [0, 2]])
    np.save(path, np.arange(12, dtype=">i2").reshape(4, 3))
    assert funcnn.read(path, 1).x.tolist() == [[1, 2], [4, 5], [7, 8], [10, 11]]


def test_a_mapped_npy_is_not_held_in_memory(tmp_path):
    np.save(tmp_path / "data.npy", np.random.default_rng(0).normal(size=(40_000, 50)))  # 16 MB
    tracemalloc.start()
    try:
        data = funcnn.read(tmp_path / "data.npy", 1)
        funcnn.standardisation(data.x)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 8e6


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (X, {}, "target must be the number of a column of .*data.npy, 1 to 2"),
        (X, {"target": 3}, "target is column 3, but the columns are x1, x2"),
        (X, {"target": [1, 2]}, "no column to learn the target from"),
        (np.zeros(3), {"target": 1}, r"must hold numbers of shape \(n, columns\), got float64 of shape \(3,\)"),
        (np.array([["a"]]), {"target": 1}, "must hold numbers"),
        (np.array([[None]]), {"target": 1}, "data.npy is no NPY file, or is damaged"),
        (np.where(X == 4, np.nan, X), {"target": 2}, "x, row 2, column 0: the value is missing"),
        (np.where(X == 5, np.inf, X), {"target": 2}, "y, row 2, column 0: inf is not finite"),
        (np.ones((9, 2)), {"target": 2}, "target 'x2' is '1' in every row"),
    ],
)
def test_an_npy_that_is_no_table_is_refused(tmp_path, values, options, message):
    np.save(tmp_path / "data.npy", values)
    with pytest.raises(ValueError, match=message):
        funcnn.read(tmp_path / "data.npy", **options)


def test_a_damaged_npy_is_refused(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, X)
    content = path.read_bytes()
    for cut in (b"", b"junk", content[:20], content[:-1], content.replace(b"<f8", b"<f9")):
        path.write_bytes(cut)
        with pytest.raises(ValueError, match=r"data\.npy is no NPY file, or is damaged"):
            funcnn.read(path, 1)


# --- images -----------------------------------------------------------------------------------------------------------

IMAGES = np.arange(48, dtype=np.uint8).reshape(4, 3, 4) * 5


def idx(array, kind=8):
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("images", ["train-images-idx3-ubyte", "t10k-images.idx3-ubyte"])
@pytest.mark.parametrize("packed", [(False, False), (True, True), (False, True), (True, False)])
def test_images_are_read_with_the_labels_beside_them(tmp_path, images, packed):
    names = images, images.replace("images", "labels").replace("idx3", "idx1")
    arrays = IMAGES, np.array([7, 0, 7, 3], np.uint8)
    for name, array, pack in zip(names, arrays, packed, strict=True):
        content = gzip.compress(idx(array)) if pack else idx(array)
        (tmp_path / (name + ".gz" * pack)).write_bytes(content)
    data = funcnn.read(tmp_path / (images + ".gz" * packed[0]))
    np.testing.assert_array_equal(data.x, IMAGES.reshape(4, 12) / 255)
    assert data.y.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert data.classes == ("0", "3", "7")
    assert data.x.dtype == np.float64


def test_other_numbers_of_idx_files_are_as_they_are(tmp_path):
    (tmp_path / "a-images-idx2-ubyte").write_bytes(idx(np.array([[1.5, 2], [3, 4]], ">f4"), 0x0D))
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(idx(np.array([-1, 300], ">i2"), 0x0B))
    data = funcnn.read(tmp_path / "a-images-idx2-ubyte")
    assert (data.x.tolist(), data.classes) == ([[1.5, 2], [3, 4]], ("-1", "300"))


GOOD = idx(IMAGES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"\0\0\x08", "begins with 00 00 08, not with"),
        (b"\1" + GOOD[1:], "begins with 01 00 08 03"),
        (b"\0\0\x0a" + GOOD[3:], "begins with 00 00 0a 03"),
        (b"\0\0\x08\x00" + GOOD[4:], "begins with 00 00 08 00"),
        (b"\0\0\x08\xff" + GOOD[4:], "begins with 00 00 08 ff"),
        (GOOD[:10], "ends within its head"),
        (GOOD[:-1], "holds 47 bytes, expected 48 for uint8 of shape"),
        (GOOD + b"\0", "holds more than 48 bytes"),
        (b"\0\0\x08\x03" + b"\0" * 12, "holds nothing, shape"),
        (gzip.compress(GOOD)[:-12], "damaged"),
        (gzip.compress(GOOD)[:20], "damaged"),
        (idx(np.zeros(4, np.uint8)), "expected a label an image"),
        (idx(IMAGES[:3]), "expected a label an image"),
    ],
)
def test_damaged_images_are_refused(tmp_path, content, message):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.array([7, 0, 7, 3], np.uint8)))
    with pytest.raises(ValueError, match=message):
        funcnn.read(tmp_path / "train-images-idx3-ubyte")


def test_images_without_labels_or_larger_than_memory_are_refused(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(GOOD)
    with pytest.raises(FileNotFoundError, match="train-labels-idx1-ubyte"):
        funcnn.read(path)
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"few")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.array([1, 2], np.uint8)))
    with pytest.raises(MemoryError, match="would take"):
        funcnn.read(path)
    with pytest.raises(ValueError, match="path must be the file of images"):
        funcnn.read(tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(ValueError, match="target and drop are for tables"):
        funcnn.read(path, "label")
