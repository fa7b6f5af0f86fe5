"""ARFF files: every legal notation is read, and everything else is rejected with its line."""

from __future__ import annotations

import gzip
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neucb.core.errors import DataError
from neucb.environments.arff.java_dates import DatePattern
from neucb.environments.arff.reader import Attribute, parse_arff, read_arff_frame
from neucb.environments.sources.catalogue import load_table
from tests.support.arff_files import VALID, fuzz, mutate, rejection, save, truth, write

HEAD = "@relation r\n@attribute a numeric\n@attribute y {no,yes}\n@data\n"


def columns(text: str) -> dict[str, Attribute]:
    return {attribute.name: attribute for attribute in parse_arff(text.encode()).attributes}


def values(text: str) -> list[list[Any]]:
    return [list(attribute.values) for attribute in columns(text).values()]


def declared(text: str) -> Attribute:
    """Return the attribute of a declaration."""
    (attribute,) = parse_arff(f"@relation r\n@attribute {text}\n@data\n".encode()).attributes
    return attribute


def test_every_type_of_attribute_is_read() -> None:
    relation = parse_arff(VALID)
    size, colour, when, note = relation.attributes
    assert [attribute.kind for attribute in relation.attributes] == ["numeric", "nominal", "date", "string"]
    assert [attribute.name for attribute in relation.attributes] == ["size", "the colour", "when", "note"]
    np.testing.assert_array_equal(size.values, [1.5, np.nan, -2000, 3])
    assert colour.levels == ("red", "dark blue", "o'clock", "50%")
    np.testing.assert_array_equal(colour.values, [0, 1, 3, 2])
    np.testing.assert_array_equal(when.values, [31 * 86400, np.nan, 32 * 86400 + 45_000, 0])
    assert list(note.values) == ["a, b", None, "plain text", "last"]
    assert relation.rows == 4
    assert relation.notes == ("weights of rows (the first in line 10) are left out",)


@pytest.mark.parametrize(
    ("text", "name", "kind", "levels"),
    [
        ("a numeric % comment", "a", "numeric", None),
        ("a\tREAL\t% comment", "a", "numeric", None),
        ("  a \t Integer", "a", "numeric", None),
        ("a integer [0, 10] % range", "a", "numeric", None),
        ("a real[0,1]", "a", "numeric", None),
        ("'a b'numeric", "a b", "numeric", None),
        ('"it\'s 5% of {x}" string', "it's 5% of {x}", "string", None),
        ("it's String", "it's", "string", None),
        ("x%20y numeric", "x%20y", "numeric", None),
        ("a{x,y}", "a", "nominal", ("x", "y")),
        ("a { x ,\ty,z }%x}", "a", "nominal", ("x", "y", "z")),
        ("a {x y z}", "a", "nominal", ("x", "y", "z")),
        ("a {'x y' \"z\"}", "a", "nominal", ("x y", "z")),
        ("a {New York, Paris}", "a", "nominal", ("New York", "Paris")),
        ("a {'x,y', \"}\", '%', '', ?, x, x, }", "a", "nominal", ("x,y", "}", "%", "", "x")),
        (r"a {'it\'s', '\\', 'a\tb', '\u00e9'}", "a", "nominal", ("it's", "\\", "a\tb", "é")),
        (r"a {'\101', '\%', '\q'}", "a", "nominal", ("A", "%", "q")),
        ("a {>50K,<=50K}", "a", "nominal", (">50K", "<=50K")),
        ("a {}", "a", "nominal", ()),
        ("a date", "a", "date", None),
        ("a DATE % comment", "a", "date", None),
    ],
)  # fmt: skip
def test_declarations_are_parsed(text: str, name: str, kind: str, levels: tuple[str, ...] | None) -> None:
    attribute = declared(text)
    assert (attribute.name, attribute.kind, attribute.levels) == (name, kind, levels)


def test_a_long_list_of_levels_is_parsed_fast() -> None:
    """A backtracking reader would take exponential time."""
    levels = [f"c{i}" for i in range(5000)]
    assert declared(f"a {{{','.join(levels)}}} % all of them").levels == tuple(levels)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("1,yes\n2,no", [[1, 2], [1, 0]]),
        ("  1 ,\tyes\n\n% 3,no\n2,'no' % comment", [[1, 2], [1, 0]]),
        ("1,yes,\n2,no , ", [[1, 2], [1, 0]]),
        ("1\tyes\n2\tno", [[1, 2], [1, 0]]),
        ("1 yes\n2   no", [[1, 2], [1, 0]]),
        ("'1',\"yes\"\n+.2e1,no", [[1, 2], [1, 0]]),
        ("1.9,yes\n,no\n?,?", [[1.9, np.nan, np.nan], [1, 0, -1]]),
        ("{0 1, 1 yes}\n{}\n{ 1 ? }\n{1 yes,}", [[1, 0, 0, 0], [1, 0, -1, 1]]),
        ("1,yes\n{0 2}\n3,no", [[1, 2, 3], [1, 0, 0]]),
        ("1,yes,{2}\n2,no, { 0.5 } % weights", [[1, 2], [1, 0]]),
        ("{0 1, 1 yes}, {3}\n{}", [[1, 0], [1, 0]]),
        ("", [[], []]),
    ],
)
def test_rows_are_parsed(rows: str, expected: list[list[float]]) -> None:
    for end in ("", "\n"):
        np.testing.assert_array_equal(values(HEAD + rows + end), expected)


def test_integers_are_not_truncated_and_large_ones_are_noted() -> None:
    head = "@relation r\n@attribute a integer\n@attribute b integer\n@data\n"
    text = head + "1.5,9007199254740993\n2,9007199254740992\n"
    a, b = columns(text).values()
    assert list(a.values) == [1.5, 2]
    assert (a.note, b.note) == ("", "holds numbers beyond 2^53, which are rounded to 53 bits")
    assert columns(text.replace("993", "992"))["b"].note == ""  # exactly 2^53
    assert columns(text.replace("9007199254740993", "1e300"))["b"].note == ""


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("yyyy-MM-dd'T'HH:mm:ss", "1970-01-02T00:00:01", datetime(1970, 1, 2, 0, 0, 1)),
        ("yyyy-MM-dd", "1969-12-31", datetime(1969, 12, 31)),
        ("dd/MM/yy", "03/02/71", datetime(1971, 2, 3)),
        ("dd/MM/yy", "03/02/1871", datetime(1871, 2, 3)),
        ("d. MMMM yyyy", "3. February 2001", datetime(2001, 2, 3)),
        ("MMM d yyyy", "FEB 3 2001", datetime(2001, 2, 3)),
        ("MMM d yyyy", "February 3 2001", datetime(2001, 2, 3)),
        ("EEE, d MMM yyyy hh:mm a", "Sat, 3 Feb 2001 11:30 PM", datetime(2001, 2, 3, 23, 30)),
        ("yyyyMMddHHmmss", "20010203040506", datetime(2001, 2, 3, 4, 5, 6)),
        ("yyyy-MM-dd HH:mm:ss.SSS", "2001-02-03 04:05:06.250", datetime(2001, 2, 3, 4, 5, 6, 250_000)),
        ("yyyy-MM-dd'T'HH:mmZ", "2001-02-03T04:05+0130", datetime(2001, 2, 3, 2, 35)),
        ("yyyy-MM-dd'T'HH:mmX", "2001-02-03T04:05Z", datetime(2001, 2, 3, 4, 5)),
        ("h 'o''clock' a", "2 o'clock PM", datetime(1970, 1, 1, 14)),
        ("'%Y' yyyy", "%Y 2001", datetime(2001, 1, 1)),
        ("d/M", "29/1", datetime(1970, 1, 29)),
    ],
)
def test_date_patterns_are_parsed(pattern: str, text: str, expected: datetime) -> None:
    assert DatePattern(pattern).seconds(text) == expected.replace(tzinfo=UTC).timestamp()
    assert DatePattern(pattern).seconds(DatePattern(pattern).epoch) == 0


@pytest.mark.parametrize(
    ("declaration", "cell"),
    [
        ("date", "1970-01-02T00:00:00"),
        ("DATE 'dd.MM.yyyy HH:mm' % comment", "02.01.1970 00:00"),
        ("date\tdd.MM.yyyy HH:mm % comment", "'02.01.1970 00:00'"),
        ("date \"yyyy-MM-dd'T'HH:mm\"", '"1970-01-02T00:00"'),
        (r"date 'yyyy-MM-dd\'T\'HH:mm'", "1970-01-02T00:00"),
    ],
)
def test_declared_dates_are_read(declaration: str, cell: str) -> None:
    text = f"@relation r\n@attribute a {declaration}\n@attribute b numeric\n@data\n{cell},1\n?,2\n{{1 3}}\n"
    np.testing.assert_array_equal(values(text), [[86400, np.nan, 0], [1, 2, 3]])


UTF16 = ("the encoding is taken to be UTF-16",)
GUESSES = {
    "utf-16-le": UTF16,
    "utf-16-be": UTF16,
    "latin-1": ("the encoding is taken to be Windows-1252, since line 3 is not UTF-8",),
}
LATIN = HEAD.replace("no", "né") + "1,né\n2,yes\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_read(encoding: str, end: str) -> None:
    text = LATIN.replace("\n", end)
    data = text.encode(encoding)
    for content in (data, gzip.compress(data, mtime=0), text.rstrip().encode(encoding)):
        a, y = parse_arff(content).attributes
        np.testing.assert_array_equal(a.values, [1, 2])
        np.testing.assert_array_equal(y.values, [0, 1])
        assert y.levels == ("né", "yes")
        assert parse_arff(content).notes == GUESSES.get(encoding, ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "1,yes\n\n1,yes,2\n", "line 7: 3 values in the row, where 2 attributes are declared"),
        (HEAD + "1,,yes\n", "line 5: 3 values"),
        (HEAD + "1\n", "line 5: 1 value in the row"),
        (HEAD + "1,yes\n2 no\n", "line 6: 1 value in the row"),
        (HEAD + "1,New York\n", "line 5: 'New York' is not among the declared values (attribute 'y')"),
        (HEAD + "1,Yes\n", "line 5: 'Yes' is not among"),
        (HEAD + "1,yes\n1.5m,no\n", "line 6: '1.5m' is no number (attribute 'a')"),
        (HEAD + "1_000,no\n", "line 5: '1_000' is no number"),
        (HEAD + "'',no\n", "line 5: '' is no number"),
        (HEAD + "1,'yes\n", "line 5: the quote before 'yes' is not closed"),
        (HEAD + "1,'yes'no\n", "line 5: 'no' is out of place"),
        (HEAD + "1,yes,{x}\n", "line 5: the weight 'x' is no number"),
        (HEAD + "1,{yes}\n", "line 5: the weight 'yes' is no number"),
        (HEAD + "{0 1,1 yes\n", "line 5: a brace is not closed"),
        (HEAD + "{0 1} 2\n", "line 5: '2' is out of place"),
        (HEAD + "{2 1}\n", "line 5: there is no attribute of index 2; the last is 1"),
        (HEAD + "{0 1, 0 2}\n", "line 5: two values for the attribute of index 0"),
        (HEAD + "{x 1}\n", "line 5: 'x 1}' is out of place"),
        (HEAD + "1,'\\ud800'\n", "line 5: \\ud800 is no character"),
        (HEAD.replace("@data", "@data 1,yes"), "line 4: '@data 1,yes' is no declaration"),
        (HEAD.replace("y {", "a {"), "line 3: a second attribute is called 'a'"),
        (HEAD.replace("numeric", "nombre"), "line 2: attribute 'a' has the unknown type 'nombre'"),
        (HEAD.replace("numeric", "numeric 5"), "line 2: attribute 'a' has the unknown type 'numeric 5'"),
        (HEAD.replace("numeric", "relational"), "line 2: attribute 'a' is relational"),
        (HEAD.replace("numeric", "date kk:mm"), "line 2: the date pattern kk:mm has the letter k"),
        (HEAD.replace("numeric", "date M LL"), "line 2: the date pattern M LL has the letter L in two"),
        (HEAD.replace("numeric", 'date "d\'"'), "line 2: the date pattern d' has a quote that is not closed"),
        (HEAD.replace("numeric", "date yyyy") + "99,yes\n", "line 5: '99' does not follow the date"),
        (HEAD.replace("numeric", "date dd.MM.yyyy") + "30.02.2001,no\n", "line 5: '30.02.2001' does not"),
        (HEAD.replace("no,yes}", "no,yes"), "line 3: a brace is not closed"),
        (HEAD.replace("yes}", "yes} x"), "line 3: 'x' stands behind the values of 'y'"),
        (HEAD.replace("@attribute y", "@attribute y,z"), "line 3: attribute 'y' has the unknown type ',z {n"),
        (HEAD.replace("@attribute y", "@attribute 'y"), "line 3: \"@attribute 'y {no,yes}\" does not name"),
        (HEAD.replace("@attribute y", "@attribute ,"), "line 3: '@attribute , {no,yes}' does not name"),
        (HEAD.replace("@attribute y {no,yes}", "hello"), "line 3: 'hello' is no declaration"),
        ("@relation r\n@data\n1\n", "line 2: no attribute is declared before @data"),
        ("@relation r\n@attribute a numeric\n", "line 2: the file ends before @data"),
        ("", "line 1: the file ends before @data"),
    ],
)  # fmt: skip
def test_errors_name_the_line(tmp_path: Path, text: str, reason: str) -> None:
    message = rejection(text.encode())
    assert message is not None
    assert message.startswith(reason)
    path = save(tmp_path, text)
    with pytest.raises(DataError) as caught:
        load_table(str(path))
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(VALID, mtime=0)[:-20], "the file is a damaged gzip file"),
        (gzip.compress(VALID, mtime=0)[:20] + b"nonsense" * 9, "the file is a damaged gzip file"),
        (HEAD.encode("utf-16") + b"\0", "the file begins like UTF-16-LE but is not: truncated data"),
        (HEAD.encode("utf-16-be") + b"\0", "the file begins like UTF-16-BE but is not: truncated data"),
        (HEAD.encode("utf-8-sig") + b"\xff", "the file begins like UTF-8 but is not: invalid start byte"),
        (HEAD.encode() + b"\0", "the file is not text: it holds NUL characters"),
    ],
)
def test_binary_data_are_rejected(data: bytes, reason: str) -> None:
    assert (rejection(data) or "").startswith(reason)


def test_errors_in_later_blocks_name_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neucb.environments.arff.reader.BLOCK", 8)
    rows = [f"{i},{'no' if i % 2 else 'yes'}" for i in range(50)]
    np.testing.assert_array_equal(values(HEAD + "\n".join(rows)), [range(50), [1, 0] * 25])
    rows[33] = "x,no"
    assert (rejection((HEAD + "\n".join(rows)).encode()) or "").startswith("line 38: 'x' is no number")


def test_a_file_is_read_as_a_dataframe(tmp_path: Path) -> None:
    for name in ("t.arff", "t.arff.gz"):
        path = save(tmp_path, gzip.compress(VALID, mtime=0) if name.endswith("gz") else VALID, name)
        frame, notes, sparse = read_arff_frame(path)
        assert sparse is None
        assert list(frame.columns) == ["size", "the colour", "when", "note"]
        assert frame["size"].dtype == np.float64
        assert list(frame["the colour"].cat.categories) == ["red", "dark blue", "o'clock", "50%"]
        assert list(frame["the colour"]) == ["red", "dark blue", "50%", "o'clock"]
        expected = pd.to_datetime(["1970-02-01 00:00", "1970-02-02 12:30", "1970-01-01 00:00"])
        assert list(frame["when"].dropna()) == list(expected)
        assert list(frame["when"].isna()) == [False, True, False, False]
        assert frame["note"].dtype == object
        assert list(frame["note"]) == ["a, b", None, "plain text", "last"]
        assert notes == ["weights of rows (the first in line 10) are left out"]


def test_declared_types_are_kept_in_tables(tmp_path: Path) -> None:
    text = (
        "\ufeff@relation r\r\n@attribute\tcode {7, 8,9} % a code, no number\r\n"
        "@attribute day date dd.MM.yyyy\r\n"
        "@attribute y {1,0}\r\n@data\r\n7,02.01.1970,0\r\n9,01.01.1970,1\r\n?,?,1"
    )
    table = load_table(str(save(tmp_path, text)))
    code, day = table.columns
    assert code.levels == ("7", "8", "9")
    np.testing.assert_array_equal(code.values, [0, 2, -1])
    np.testing.assert_array_equal(day.values, [86400, 0, np.nan])
    assert table.classes == ("1", "0")
    np.testing.assert_array_equal(table.labels, [1, 0, 0])


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8) | st.sampled_from(
    ["?", "", "50%", "a, b", "it's", '"', "\\", "{x}", "a\tb", "a\nb", "% c", "@data", "é"]
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, tuple[tuple[str, ...] | None, list[Any]]]:
    """Draw a table: name -> (levels, or None for numbers; values)."""
    rows = draw(st.integers(0, 6))
    drawn: dict[str, tuple[tuple[str, ...] | None, list[Any]]] = {}
    for name in draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True)):
        levels = None
        cells: st.SearchStrategy[Any] = st.floats(allow_nan=False) | st.integers(-(2**70), 2**70)
        if draw(st.booleans()):
            levels = tuple(draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True)))
            cells = st.sampled_from(levels)
        drawn[name] = (levels, draw(st.lists(st.none() | cells, min_size=rows, max_size=rows)))
    return drawn


@given(tables(), st.integers(0, 2**32), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
@settings(max_examples=150, deadline=None)
def test_random_tables_are_read_back(
    table: dict[str, tuple[tuple[str, ...] | None, list[Any]]], seed: int, encoding: str
) -> None:
    relation = parse_arff(write(table, seed).encode(encoding))
    assert [attribute.name for attribute in relation.attributes] == list(table)
    for attribute, (levels, cells) in zip(relation.attributes, table.values(), strict=True):
        assert attribute.levels == levels
        np.testing.assert_array_equal(attribute.values, truth(levels, cells))


@given(st.binary(max_size=200) | st.randoms(use_true_random=False).map(lambda chance: mutate(VALID, chance)))
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_read_or_rejected(data: bytes) -> None:
    message = rejection(data)
    assert message is None or message.startswith(("line ", "the file "))


def test_most_damaged_files_are_rejected() -> None:
    assert 150 < fuzz(300) < 300


LONG = 200_000


@pytest.mark.parametrize(
    "piece", [*" \t,'\"\\{}%[\0", "a ", "a,", "'a' ", "\\'", " %", "{1", "1 ,"]
)  # fmt: skip
def test_long_lines_are_parsed_fast(piece: str) -> None:
    run = piece * (LONG // len(piece))
    started = time.process_time()
    rows = (
        ("", ""),
        ("1,", ""),
        ("{", ""),
        ("{0 1", ""),
        ("1,'", ""),
        ("{}", "x"),
        ("1,no ", "{"),
        ("1,no", ""),
    )
    for start, end in rows:
        rejection(f"{HEAD}{start}{run}{end}".encode())
    for start in ("", "{", "{a,", "date ", "date '", "real ", "'"):
        for name in (" a ", ""):
            rejection(f"@attribute{name}{start}{run} x\n@data\n".encode())
    assert time.process_time() - started < 10


def test_mutations_are_repeatable() -> None:
    assert mutate(VALID, random.Random(3)) == mutate(VALID, random.Random(3)) != VALID
