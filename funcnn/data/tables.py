"""Tables of text, as CSV and TSV files hold them.

Parsing is that of the standard library's ``csv``. What is found out here is which character parts the cells, whether
the first line names the columns, and which columns are numbers.
"""

import contextlib
import csv
import io
import itertools
import math
import reprlib
from collections.abc import Iterable, Iterator, Sequence

import attrs
import numpy as np
from numpy.dtypes import StringDType

from .. import arguments
from ..arguments import ArgumentTypeError, ArgumentValueError
from ..records import Array, Table, read_only
from .text import Source, name_of, opened

#: Cells that are missing, spaces around them aside.
MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "<NA>", "nan", "NaN", "NAN", "null", "NULL", "Null", "None", "NONE", "none", "?")
)
#: What may part the cells of a line, where nothing else says so.
DELIMITERS = (",", ";", "\t", "|")
#: What a number with a decimal comma becomes; a point in it makes it none.
COMMA = str.maketrans(",.", ".,")
#: Lines that are looked at to find out what parts the cells.
SAMPLE = 100
#: Cells that are converted together: more take longer, since they leave the processor's cache.
CELLS = 2**14


def read_table(
    path: Source,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
) -> Table:
    r"""Read a table of text: CSV, TSV and the like, packed by gzip or not.

    A column is of numbers where all its cells that are there are numbers; else it is of texts, without the spaces
    around them. Truth values, true and false in any case, are texts. Missing are ``""``, NA, N/A, <NA>, nan, null, None
    and ?. Lines that are empty are passed over.

    Parameters
    ----------
    path
        A file's name, ``-`` for standard input, or a stream of text or bytes, which stays open.
    header
        Whether the first line names the columns. By default it does where none of its cells is a number and those that
        are not empty all differ. Columns without it are x1, x2, …
    delimiter
        The character between cells; by default whichever of ``, ; tab |`` parts the first lines into equally many
        cells, and into the most.
    decimal
        ``.``, or ``,`` as in 3,14, which then parts no cells.
    encoding
        Of a file that does not begin with a mark of its own.

    Raises
    ------
    ValueError
        If the file is no such table; in one line with its name, the line, and where there is one, the column.
    TypeError
        If an argument is of another type.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import io
    >>> table = read_table(io.StringIO("age;pet\n3,5;cat\n;dog\n"), decimal=",")
    >>> table.names, table.columns[0].tolist(), table.columns[1].tolist()
    (('age', 'pet'), [3.5, nan], ['cat', 'dog'])
    """
    form = _form(header, delimiter, decimal)
    with opened(path, encoding) as lines:
        sheet = _sheet(name_of(path), lines, form)
        table = _table(sheet, None)
    if table is None:
        raise ArgumentValueError(f"{sheet.name}, line {sheet.header}: names columns, but no row follows")
    return table


def read_tables(
    path: Source,
    *,
    rows: int = 10_000,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
) -> Iterator[Table]:
    r"""Read a table as `read_table` does, at most so many rows at a time, so that it may be larger than memory.

    Whether a column is of numbers is told for each of the tables by itself; `encode` takes them as its coding says.

    Raises
    ------
    ValueError, TypeError, OSError
        As for `read_table`, when the rows that it is about are asked for.

    Examples
    --------
    >>> import io
    >>> [len(table.lines) for table in read_tables(io.StringIO("1,2\n3,4\n5,6\n"), rows=2)]
    [2, 1]
    """
    form, rows = _form(header, delimiter, decimal), arguments.whole("rows", rows, least=1)

    def tables() -> Iterator[Table]:
        with opened(path, encoding) as lines:
            sheet = _sheet(name_of(path), lines, form)
            if (table := _table(sheet, rows)) is None:
                raise ArgumentValueError(f"{sheet.name}, line {sheet.header}: names columns, but no row follows")
            while table is not None:
                yield table
                table = _table(sheet, rows)

    return tables()


@attrs.frozen
class Form:
    """How a table is written; None is found out."""

    header: bool | None
    delimiter: str | None
    decimal: str


@attrs.frozen
class Sheet:
    """A table of which the head has been read: its rows come as they are asked for, each with the line it begins in."""

    name: str
    names: tuple[str, ...]
    header: int
    rows: Iterator[tuple[int, list[str]]]
    decimal: str


def _form(header: object, delimiter: object, decimal: object) -> Form:
    if header not in (None, True, False):
        raise ArgumentTypeError(f"header must be True, False or None, got {header!r}")
    if decimal not in (".", ","):
        raise ArgumentValueError(f"decimal must be '.' or ',', got {decimal!r}")
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'):
        raise ArgumentValueError(f"delimiter must be one character, and no quote, got {delimiter!r}")
    if delimiter == decimal:
        raise ArgumentValueError(f"delimiter and decimal are both {decimal!r}")
    return Form(None if header is None else bool(header), delimiter, str(decimal))


def _sheet(name: str, lines: Iterator[str], form: Form) -> Sheet:
    """Read the head of a table."""
    head = list(itertools.islice(lines, SAMPLE))
    delimiter = form.delimiter or _delimiter(head, form.decimal)
    rows = _rows(name, itertools.chain(head, lines), delimiter)
    first = next(rows, None)
    if first is None:
        raise ArgumentValueError(f"{name} is empty: expected a table, a row a line")
    second = next(rows, None)
    line, cells = first[0], [cell.strip() for cell in first[1]]
    named = form.header
    if named is None:
        named = _names_columns(cells, [] if second is None else second[1], form.decimal)
    while named and second is not None and len(cells) > len(second[1]) and not cells[-1]:
        cells.pop()  # names end in a delimiter, but rows do not
    if named:
        twice = {cell: place for place, cell in enumerate(cells) if cell}
        for place, cell in enumerate(cells):
            if cell and twice[cell] != place:
                both = f"columns {place + 1} and {twice[cell] + 1}"
                raise ArgumentValueError(
                    f"{name}, line {line}: {both} are both {cell!r}; header=False takes it as a row"
                )
    names = tuple(cells) if named else tuple(f"x{place}" for place in range(1, len(cells) + 1))
    begun = [row for row in ((first, second)[1:] if named else (first, second)) if row is not None]
    return Sheet(name, names, line, itertools.chain(begun, rows), form.decimal)


def _names_columns(first: list[str], second: list[str], decimal: str) -> bool:
    """Tell whether a first row, without spaces around its cells, names the columns."""
    given = [cell for cell in first if cell]
    if not given or any(_is_number(cell, decimal) for cell in given):
        return False
    # Names that are given twice are a mistake to be told, where numbers below them show that they are names.
    return len(set(given)) == len(given) or any(_is_number(cell.strip(), decimal) for cell in second)


def _is_number(cell: str, decimal: str) -> bool:
    value = number(_pointed(cell, decimal))
    return value is not None and not math.isnan(value)


def _delimiter(head: list[str], decimal: str) -> str:
    """Return what parts the cells of the first lines."""
    candidates = [one for one in DELIMITERS if one != decimal]
    whole = len(head) < SAMPLE

    def fitness(candidate: str) -> tuple[bool, int]:
        try:
            widths = [len(row) for row in csv.reader(head, delimiter=candidate, skipinitialspace=True) if row]
        except csv.Error:
            widths = []
        widths = widths if whole or len(widths) < 2 else widths[:-1]  # the last may end in the midst of a quote
        return len(set(widths)) == 1, max(widths[:1], default=0)

    found = {one: fitness(one) for one in candidates}
    several = {one: fit for one, fit in found.items() if fit[1] > 1}
    return max(several, key=lambda one: several[one], default=candidates[0])


def _rows(name: str, lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the line that it begins in."""
    recent: list[str] = []

    def kept() -> Iterator[str]:
        for line in lines:
            recent.append(line)
            yield line

    begin, width = 1, 0
    reader = csv.reader(kept(), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and (width == 1 or cells[0].strip())):
                width = width or len(cells)
                yield begin, cells
            begin = reader.line_num + 1
            recent.clear()
    except csv.Error as error:
        raise ArgumentValueError(_torn(name, begin, "".join(recent), delimiter, str(error))) from error


def _torn(name: str, line: int, text: str, delimiter: str, said: str) -> str:
    """Say of a text that begins with a row that cannot be parsed where it cannot."""

    def parsed(length: int, strict: bool) -> list[str]:
        return next(csv.reader(io.StringIO(text[:length], newline=""), delimiter=delimiter, strict=strict), [])

    def fails(length: int) -> bool:
        try:
            parsed(length, True)
        except csv.Error as error:
            return str(error) == said
        return False

    low, high = 0, len(text)
    unclosed = "unexpected end" in said
    while not unclosed and high - low > 1:  # the shortest beginning that fails ends in the cell that does
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    if unclosed:
        said = "a quote is opened, but not closed"
    elif "field limit" in said:
        said = f"a cell of more than {csv.field_size_limit():,} characters, as where a quote is not closed"
    elif "expected after" in said:
        said = "a quote is closed, but the cell goes on; a quote within quotes is written twice"
    elif "new-line" in said:
        said = "a line ends with CR alone, which a stream of text passes on where it is opened with newline=''"
    try:
        place = f", column {max(1, len(parsed(high - (not unclosed), False)))}"
    except csv.Error:
        place = ""
    return f"{name}, line {line}{place}: {said}"


def _table(sheet: Sheet, limit: int | None) -> Table | None:
    """Return a table of the next rows, at most so many; None where there are none left."""
    lines: list[int] = []
    texts: list[list[str]] = [[] for _ in sheet.names]
    numbers: list[list[Array]] = [[] for _ in sheet.names]
    for begins, rows in _batches(sheet, limit):
        lines.extend(begins)
        for place, cells in enumerate(zip(*rows, strict=True)):
            text = "\0".join(cells)  # as small as the file: the cells, should the column turn out to be of texts
            if len(numbers[place]) == len(texts[place]) and (part := _numbers(text, cells, sheet.decimal)) is not None:
                numbers[place].append(part)
            texts[place].append(text)
    if not lines:
        return None
    where = read_only(np.array(lines, dtype=np.int64))
    columns = []
    for name, own, parts in zip(sheet.names, texts, numbers, strict=True):
        if len(parts) < len(own):
            column = _texts("\0".join(own).split("\0"))
        else:
            column = np.concatenate(parts)
            _check_finite(sheet, name, where, column, own)
        columns.append(read_only(column))
        own.clear()
    return Table(sheet.names, tuple(columns), where, sheet.name)


def _batches(sheet: Sheet, limit: int | None) -> Iterator[tuple[tuple[int, ...], tuple[list[str], ...]]]:
    """Yield the lines and the cells of the next rows, some at a time, all as wide as the first."""
    width, left = len(sheet.names), limit
    most = max(1, CELLS // width)
    while batch := list(itertools.islice(sheet.rows, most if left is None else min(most, left))):
        lines, rows = zip(*batch, strict=True)
        widths = list(map(len, rows))
        if widths.count(width) < len(widths):
            wrong = next(place for place, one in enumerate(widths) if one != width)
            raise ArgumentValueError(_ragged(sheet, lines[wrong], widths[wrong]))
        left = None if left is None else left - len(rows)
        yield lines, rows


def _ragged(sheet: Sheet, line: int, count: int) -> str:
    names, width = sheet.names, len(sheet.names)
    beside = f"column {width + 1} is one too many" if count > width else f"column {names[count]!r} is missing"
    cells = f"{count} cell{'s' * (count != 1)}"
    return f"{sheet.name}, line {line}: {cells}, but line {sheet.header} has {width}: {beside}"


def _check_finite(sheet: Sheet, name: str, lines: Array, column: Array, texts: list[str]) -> None:
    wrong = np.flatnonzero(np.isinf(column))
    if len(wrong):
        cell = "\0".join(texts).split("\0")[wrong[0]].strip()
        where = f"{sheet.name}, line {lines[wrong[0]]}, column {name!r}"
        raise ArgumentValueError(f"{where}: {reprlib.repr(cell)} is not finite in float64; every number must be")


def _pointed(text: str, decimal: str) -> str:
    """Return a text with a decimal point where it has what is one here, and none elsewhere."""
    return text if decimal == "." else text.translate(COMMA)


def _numbers(text: str, cells: Sequence[str], decimal: str) -> Array | None:
    """Return cells as numbers, NaN where they are missing; None where one is neither. ``text`` are all of them."""
    if decimal != ".":
        cells = _pointed(text, decimal).split("\0")
    if "_" not in text:  # which Python takes within numbers
        with contextlib.suppress(ValueError):
            return np.fromiter(map(float, cells), float, len(cells))
    values = {cell: number(cell) for cell in set(cells)}
    if None in values.values():
        return None
    return np.fromiter(map(values.__getitem__, cells), float, len(cells))


def number(cell: str) -> float | None:
    """Return the number that a cell is, NaN if it is missing, None if it is neither.

    Examples
    --------
    >>> number(" 1e3 "), number("NA"), number("1_000"), number("cat")
    (1000.0, nan, None, None)
    """
    cell = cell.strip()
    if cell in MISSING:
        return math.nan
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _texts(cells: list[str]) -> Array:
    """Return cells as texts, "" where they are missing; truth values alike whichever their case."""
    kept = {cell: "" if (bare := cell.strip()) in MISSING else bare for cell in set(cells)}
    if {text.lower() for text in kept.values() if text} <= {"true", "false"}:
        kept = {cell: text.lower() for cell, text in kept.items()}
    return np.array(list(map(kept.__getitem__, cells)), dtype=StringDType())
