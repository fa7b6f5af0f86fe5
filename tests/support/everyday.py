"""Random delimited files as users write them, with their expected content.

usage: python -m tests.support.everyday [EXAMPLES]    more examples than the tests read
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neucb.environments.preprocessing import encode
from neucb.environments.tables.table_file import Reading, read_file

MARKS = ["", "?", "-", "NA", "n.a.", "NaN", "null", "None", "#N/A", "."]
LEVELS = [
    "red",
    "Blue",
    "größe",
    "a b",
    'quo"te',
    "semi;colon",
    "com,ma",
    "two\nlines",
    "NA",
    "None",
    "x|y",
    "3+",
]
CLASSES = [["EU", "NA", "AP"], ["True", "False"], ["null", "nan", "None"], ["a b", "ä", "c,d"], ["yes", "no"]]
PAIRS = [("True", "False"), ("TRUE", "false"), ("yes", "no"), ("Y", "n"), ("t", "F")]
DATES = ["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%d %B %Y", "%Y-%m-%d %H:%M"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]


@dataclass
class Feature:
    """A feature column: the cells of the file and the expected values.

    Attributes:
        cells: text of every row [N].
        values: number of every row [N], NaN for missing; None for categories.
        categories: category of every row [N], None for missing; None for numbers.
        left_out: whether the reader leaves the column out.
    """

    cells: list[str]
    values: list[float] | None = None
    categories: list[str | None] | None = None
    left_out: bool = False

    @property
    def width(self) -> int:
        """Number of columns after the encoding `standard`."""
        if self.values is not None:
            known = {value for value in self.values if value == value}
            return int(len(known) > 1)
        levels = len(set(self.categories or []))
        return {1: 0, 2: 1}.get(levels, levels)


@dataclass
class WrittenFile:
    """A file and its expected content."""

    raw: bytes
    suffix: str
    reading: Reading
    features: dict[str, Feature]
    labels: list[str]
    names: list[str] = field(default_factory=list)


def _number(draw: Callable[..., Any], rows: int, comma: bool) -> Feature:
    values = [draw(st.integers(-99_999_999, 99_999_999)) / 100 for _ in range(rows)]
    values[:2] = [-1234567.25, 0.5]  # sign and decimals are unambiguous
    plus, minus = draw(st.sampled_from(["", "+"])), draw(st.sampled_from(["-", "\u2212"]))
    unit = draw(st.sampled_from(["", "", "", "%", " kg", " \u20ac"]))
    thousands = draw(st.sampled_from(["", "", "," if not comma else "."]))
    cells = []
    for value in values:
        text = (
            f"{abs(value):,.2f}".replace(",", "_").replace(".", "," if comma else ".").replace("_", thousands)
        )
        cells.append(f"{minus if value < 0 else plus}{text}{unit}")
    feature = Feature(cells, list(values))
    mark = draw(st.sampled_from(MARKS))
    for row in draw(st.sets(st.integers(2, rows - 1), max_size=4)):
        feature.cells[row] = mark
        values[row] = np.nan
    feature.values = values
    return feature


def _whole(draw: Callable[..., Any], rows: int, _: bool) -> Feature:
    base = draw(st.sampled_from([0, 7, 2**53, 10**18]))
    values = [base + draw(st.integers(0, 5)) for _ in range(rows)]
    values[:3] = [base, base, base + 3]  # never a running index
    return Feature(list(map(str, values)), list(map(float, values)))


def _truth(draw: Callable[..., Any], rows: int, _: bool) -> Feature:
    pair = draw(st.sampled_from(PAIRS))
    codes = [row % 2 if row < 2 else draw(st.integers(0, 1)) for row in range(rows)]
    categories: list[str | None] = [pair[code].casefold() for code in codes]
    cells = [pair[code] for code in codes]
    for row in draw(st.sets(st.integers(2, rows - 1), max_size=2)):
        cells[row], categories[row] = "", None
    return Feature(cells, categories=categories)


def _category(draw: Callable[..., Any], rows: int, _: bool) -> Feature:
    levels = draw(st.lists(st.sampled_from(LEVELS), min_size=2, max_size=6, unique=True))
    categories: list[str | None] = [
        levels[row % 2] if row < 2 else draw(st.sampled_from(levels)) for row in range(rows)
    ]
    cells = [str(level) for level in categories]
    for row in draw(st.sets(st.integers(2, rows - 1), max_size=3)):
        cells[row], categories[row] = draw(st.sampled_from(["", "?"])), None
    return Feature(cells, categories=categories)


def _date(draw: Callable[..., Any], rows: int, _: bool) -> Feature:
    form = draw(st.sampled_from(DATES))
    start = datetime.datetime(1970, 1, 1)
    days = [start + datetime.timedelta(days=draw(st.integers(-9000, 19000))) for _ in range(rows)]
    return Feature([day.strftime(form) for day in days], [(day - start).total_seconds() for day in days])


def _identifier(draw: Callable[..., Any], rows: int, _: bool) -> Feature:
    prefix = draw(st.sampled_from(["u", "some words ", "a-b-"]))
    return Feature([f"{prefix}{row:03}" for row in range(rows)], left_out=True)


KINDS = (_number, _number, _whole, _truth, _category, _date, _identifier)


def _labels(draw: Callable[..., Any], rows: int) -> list[str]:
    """Return the labels as text, "" for missing ones; at least two classes occur."""
    kind = draw(st.sampled_from(["text", "numbers", "large"]))
    if kind == "text":
        classes = draw(st.sampled_from(CLASSES))
    else:
        base = 2**53 if kind == "large" else draw(st.sampled_from([0, 1, -1]))
        classes = [str(base + k) for k in range(draw(st.integers(2, 5)))]
    labels = [classes[row % 2] if row < 2 else draw(st.sampled_from(classes)) for row in range(rows)]
    for row in draw(st.sets(st.integers(2, rows - 1), max_size=3)):
        labels[row] = ""
    return labels


@st.composite
def written_files(draw: Callable[..., Any]) -> WrittenFile:
    """Draw a file and its expected content."""
    rows = draw(st.integers(26, 44))  # more than 20 have a label: with fewer, every column is a category
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    comma = separator != "," and draw(st.booleans())
    column_types = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    columns = [_number(draw, rows, comma), *(column_type(draw, rows, comma) for column_type in column_types)]
    names = [f"{draw(st.sampled_from(['col', 'größe', 'a b', 'x;y']))}{j}" for j in range(len(columns))]
    if draw(st.booleans()):
        index = [str(row + draw(st.just(1))) for row in range(rows)]
        columns, names = [Feature(index, left_out=True), *columns], ["id", *names]
    labels = _labels(draw, rows)
    header = draw(st.sampled_from([None, True, False])) if names[0] != "id" else None
    table = [[*(column.cells[row] for column in columns), labels[row]] for row in range(rows)]
    if header is not False:
        table.insert(0, [*names, "target"])
    else:
        names = [f"column {j}" for j in range(1, len(columns) + 1)]
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    blanks = draw(st.sampled_from(["", " "]))  # outside the quotation marks
    quoted = [[_quoted(cell, separator, quoting) for cell in record] for record in table]
    content = "".join(
        separator.join(f"{blanks}{cell}{blanks}" for cell in record) + "\n" for record in quoted
    )
    if draw(st.booleans()) and not any("\n" in cell for record in table for cell in record):
        content = content.replace("\n", draw(st.sampled_from(["\r\n", "\r"])))
    encoding = draw(st.sampled_from(ENCODINGS))
    if encoding == "cp1252" and "\u2212" in content:
        encoding = "utf-8"
    raw = content.encode(encoding)
    compressed = draw(st.booleans())
    reading = Reading(header=header, separator=draw(st.sampled_from([None, separator])))
    if reading.separator is None and separator != "," and any(quoted in content for quoted in "\n,;|"):
        reading = Reading(header=header, separator=separator)  # guessed separators have their own tests
    suffix = (".tsv" if separator == "\t" else ".csv") + (".gz" if compressed else "")
    features = dict(zip(names, columns, strict=True))
    return WrittenFile(gzip.compress(raw) if compressed else raw, suffix, reading, features, labels, names)


def _quoted(cell: str, separator: str, quoting: Any) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n").writerow([cell])
    written = text.getvalue()[:-1]
    return "" if not cell and quoting == csv.QUOTE_MINIMAL else written


def check(written: WrittenFile) -> None:
    """Read a file and compare K, d, rows and values with the expected ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{written.suffix}"
        path.write_bytes(written.raw)
        table = read_file(path, written.reading)
    known = [row for row, label in enumerate(written.labels) if label]
    labels = [written.labels[row] for row in known]
    assert table.rows == len(known)
    assert len(table.classes) == len(set(labels))
    numbers = all(label.lstrip("-").isdecimal() for label in labels)
    assert list(table.classes) == sorted(set(labels), key=Decimal if numbers else str)
    assert [table.classes[code] for code in table.labels] == labels
    kept = {name: feature for name, feature in written.features.items() if not feature.left_out}
    assert [column.name for column in table.columns] == list(kept)
    for column, feature in zip(table.columns, kept.values(), strict=True):
        if feature.values is not None:
            assert column.levels is None, column.name
            expected = np.array(feature.values)[known]
            np.testing.assert_allclose(column.values, expected, rtol=1e-12, err_msg=column.name)
        else:
            assert column.levels is not None, column.name
            read = [None if code < 0 else column.levels[code] for code in column.values]
            truth = [feature.categories[row] for row in known] if feature.categories else []
            fold = {"False": "false", "True": "true"} if {*column.levels} <= {"False", "True"} else {}
            assert [fold.get(str(category), category) for category in read] == truth, column.name
    for name, feature in written.features.items():
        if feature.left_out:
            assert any(f"'{name}'" in note and "left out" in note for note in table.notes), name
    varying = {name: Feature([], *_of_rows(feature, known)).width for name, feature in kept.items()}
    assert encode(table).contexts.shape == (len(known), sum(varying.values()))


def _of_rows(feature: Feature, rows: list[int]) -> tuple[Any, Any]:
    values = None if feature.values is None else [feature.values[row] for row in rows]
    return values, None if feature.categories is None else [feature.categories[row] for row in rows]


def main(examples: int) -> None:
    """Read and check random files."""
    relaxed = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    relaxed(given(written_files())(check))()
    print(f"{examples:,} files were read correctly")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
