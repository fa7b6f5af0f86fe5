"""Column types: number, date, category, identifier or text, decided once over a whole column.

The rules, in their order, for a feature column of text (`cells` says how cells are read):
    1. A column without any value is left out.
    2. Numbers: every cell is a number or a mark for a missing value.
    3. Dates and times: every cell has one and the same format.
    4. Booleans: true/false, yes/no, t/f or y/n in any case; a category of two.
    5. Text and identifiers: more than half as many different values as rows (from 21 rows on); left out,
       unless the type "text" is given, which hashes the words.
    6. Categories: everything else; only empty cells and "?" are missing.
Whole numbers that count 1, 2, 3, ... or are all different in a column without a name, or called index or
id, are a running index and left out. Columns of a declared type go through this last rule only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import DataError
from neucb.environments.table import Column, ColumnSummary, SparseColumns
from neucb.environments.tables.cells import (
    dates,
    grouped,
    is_missing,
    is_number,
    most_dates,
    most_numbers,
    readings,
)
from neucb.environments.tables.hashed_text import hash_text
from neucb.environments.tables.raw_table import TextColumn

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("number", "date", "category", "id", "text", "skip", "label")
LEFT_OUT = ("id", "text", "skip", "empty")
INDEX_NAME = re.compile(r"|unnamed: \d+(\.\d+)?|index|id|level_\d+", re.IGNORECASE)
GAPS = 0.05  # of a running index: at most this share of its steps is not 1, of its values occurs twice
COUNTING_ROWS = 10  # fewer rows count up by chance
EXACT = 2**53  # whole numbers beyond are rounded in float64
BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
SHOWN = 40  # characters of a cell in a message


@dataclass(frozen=True)
class Decided:
    """A column and its type.

    Attributes:
        column: the feature; None where it is left out or hashed.
        summary: for listings.
        notes: see `Table.notes`.
        sparse: hashed columns of text; else None.
    """

    column: Column | None
    summary: ColumnSummary
    notes: tuple[str, ...] = ()
    sparse: SparseColumns | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether the column is no feature."""
        return self.column is None and self.sparse is None


def decide(
    columns: Sequence[TextColumn | pd.Series[Any]],
    given: Mapping[str, str] | None = None,
    decimal: str | None = None,
) -> list[Decided]:
    """Return feature columns with their types.

    Args:
        columns: of one table.
        given: name -> type of `KINDS` but "label", in the place of the rules.
        decimal: decimal sign of all numbers in text, "." or ","; None to decide it column by column.

    Raises:
        DataError: a column of infinite numbers, or of neither numbers nor text.
    """
    given = given or {}
    texts = [column for column in columns if isinstance(column, TextColumn)]
    sign = decimal or decimal_sign([column for column in texts if str(column.name) not in given])
    found = []
    for column in columns:
        kind = given.get(str(column.name))
        if isinstance(column, TextColumn):
            found.append(_decide_text(column, kind, sign, certain=decimal is not None))
        else:
            found.append(_declared(column, kind))
    return found


def _decide_text(column: TextColumn, kind: str | None, decimal: str | None, *, certain: bool) -> Decided:
    if kind == "text":
        return _as_text(column)
    if kind in LEFT_OUT:
        return _left_out(column, kind)
    if kind == "date":
        return _as_date(column)
    if kind == "category":
        return _as_category(column)
    if kind == "number":
        return _as_number(column, decimal)
    plain = None if certain and decimal == "," else column.numbers
    if (
        plain is not None
        and not np.isnan(plain).all()
        and not (decimal == "," and grouped(column.encoded[1]))
    ):
        return _number(column, plain)
    codes, cells = column.encoded
    if all(map(is_missing, cells)) and sum(1 for cell in cells if cell) <= 1:  # "NA" and "None" are words
        return _left_out(column, "empty", f"column '{column.name}' is empty and is left out")
    return _decide_cells(column, codes, cells, decimal, certain=certain)


def _decide_cells(
    column: TextColumn,
    codes: NDArray[np.int64],
    cells: tuple[str, ...],
    decimal: str | None,
    *,
    certain: bool,
) -> Decided:
    """Decide over distinct cells that are not all plain numbers."""
    found = readings(cells, decimal if certain else None)
    doubtful = not certain and decimal == "," and "point" in found and grouped(cells)
    if len({one.values.tobytes() for one in found.values()}) > 1:
        found = readings(cells, decimal) if decimal else found
    if doubtful or len({one.values.tobytes() for one in found.values()}) > 1:
        return _ambiguous(column, "a decimal or a thousands separator", "say decimal=',' or decimal='.'")
    if found:
        best = next(iter(found.values()))
        return _number(column, best.values[codes], best.reading)
    times = dates(cells)
    if len({one.tobytes() for one in times.values()}) > 1:
        return _ambiguous(column, "the day or the month first", "write year-month-day")
    if times:
        name, seconds = next(iter(times.items()))
        values = seconds[codes]
        return Decided(Column(column.name, values), _summary(column, "date", values, name))
    words = {cell.casefold() for cell in cells if not is_missing(cell)}
    if words and any(words <= pair for pair in BOOLEANS):
        return _boolean(column, sorted(next(pair for pair in BOOLEANS if words <= pair)))
    return _category_or_text(column, decimal if certain else None)


def decimal_sign(columns: Sequence[TextColumn]) -> str | None:
    """Return the decimal sign that the numbers of a file agree on, None where no column is certain."""
    signs: set[str] = set()
    others = [column for column in columns if column.numbers is None]
    for column in others:
        fitting = {sign for sign in ".," if readings(column.encoded[1], sign)}
        written = (cell for cell in column.encoded[1] if not is_missing(cell))
        if len(fitting) == 1 and any("," in cell or "." in cell for cell in written):
            signs |= fitting
    if others and signs != {"."}:
        plain = (column for column in columns if column.numbers is not None)
        signs |= {"." for column in plain if _has_points(column)}
    return signs.pop() if len(signs) == 1 else None


def _has_points(column: TextColumn) -> bool:
    """Return whether some cells of a number column have a point that is certainly decimal."""
    cells = column.encoded[1]
    return any("." in cell for cell in cells) and not grouped(cells)


def _number(column: TextColumn, values: NDArray[np.float64], reading: str = "point") -> Decided:
    detail = "" if reading == "point" else reading
    largest = np.nanmax(np.abs(values))
    if np.isinf(largest):
        code = int(column.encoded[0][np.isinf(values).argmax()])
        raise _infinite(column.name, column.row(code), _shown(column.encoded[1][code]))
    large = bool(largest >= EXACT)
    if large and reading == "point":
        texts = column.encoded[1]
        exact = [int(cell) for cell in texts if re.fullmatch(r"[+-]?\d+", cell)]
        return _indexed(
            column.name,
            values,
            _summary(column, "number", values, detail),
            exact,
            all_whole=len(exact) == len(texts),
        )
    return _indexed(column.name, values, _summary(column, "number", values, detail))


def _indexed(
    name: str,
    values: NDArray[np.float64],
    summary: ColumnSummary,
    exact: Sequence[int] | None = None,
    *,
    all_whole: bool = False,
) -> Decided:
    """Return a number column, or leave it out where it is a running index.

    `exact` holds the distinct whole numbers in the order of their rows where float64 rounds them.
    """
    known = values[~np.isnan(values)]
    rows = len(known)
    indexed = bool(INDEX_NAME.fullmatch(name))
    if exact is None:
        steady = rows > 1 and bool(np.count_nonzero(np.diff(known) != 1.0) <= GAPS * rows)
        integral = (steady or indexed) and bool((known == np.round(known)).all())
        whole = integral and len(np.unique(known)) >= (1.0 - GAPS) * rows
        counts = steady and whole
    else:
        whole = all_whole and len(exact) >= (1.0 - GAPS) * rows
        counts = whole and sum(b - a != 1 for a, b in pairwise(exact)) <= GAPS * rows
    column = Column(name, values)
    if whole and rows > 1 and indexed:
        called = f"column '{name}'" if name else "a column without a name"
        how = "just counts the rows" if counts else "numbers the rows, each differently"
        note = f"{called} {how} and is left out; {override(name, 'number')} keeps it"
        return Decided(None, replace(summary, kind="id", distinct=rows), (note,))
    notes = []
    if counts and rows >= COUNTING_ROWS:
        notes.append(
            f"column '{name}' just counts the rows and is kept as a feature; "
            f"{override(name, 'skip')} leaves it out"
        )
    if exact is not None and any(abs(value) > EXACT for value in exact):
        notes.append(f"column '{name}' holds whole numbers beyond 2^53, which are rounded to 53 bits")
    return Decided(column, summary, tuple(notes))


def _boolean(column: TextColumn, words: Sequence[str]) -> Decided:
    """Return a category of two from words in any case."""
    codes, cells = column.encoded
    number = {word: code for code, word in enumerate(words)}
    table = np.array([number.get(cell.casefold(), -1) for cell in cells])
    levels = ("False", "True") if words == ["false", "true"] else tuple(words)
    values = table[codes]
    return Decided(Column(column.name, values, levels), _summary(column, "category", values, "boolean"))


def _as_category(column: TextColumn) -> Decided:
    codes, cells = column.encoded
    levels = sort_words([cell for cell in cells if cell not in ("", "?")])
    number = {word: code for code, word in enumerate(levels)}
    values = np.array([number.get(cell, -1) for cell in cells], dtype=np.int64)[codes]
    return Decided(Column(column.name, values, levels), _summary(column, "category", values))


def _category_or_text(column: TextColumn, decimal: str | None) -> Decided:
    """Return a category, or leave text out; a note names a column that is nearly one of numbers or dates."""
    codes, cells = column.encoded
    filled = [cell for cell in cells if not is_missing(cell)]
    if not filled:
        return _as_category(column)
    kind, values = "number", most_numbers(cells, decimal).values
    if 2 * np.isfinite(values).sum() < len(filled):
        kind, values = "date", _dates_or_nothing(cells)
    known = codes[np.array([cell != "" for cell in cells])[codes]]
    text = is_text(len([cell for cell in cells if cell]), len(known))
    if 2 * np.isfinite(values).sum() < len(filled):
        return _text(column) if text else _as_category(column)
    bad = next((j for j, cell in enumerate(cells) if np.isnan(values[j]) and not is_missing(cell)), None)
    position = cells.index(filled[0]) if bad is None else bad  # None: points, where commas are decimal
    where = f"row {column.row(position)} holds {_shown(cells[position])}"
    cure = f"{override(column.name, kind)} reads such cells as missing"
    if text:
        note = f"column '{column.name}' is left out: most of its values are {kind}s, but {where}; {cure}"
        return _left_out(column, "text", note, where)
    decided = _as_category(column)
    levels = sum(1 for cell in cells if cell not in ("", "?"))
    note = (
        f"column '{column.name}' is read as a category of {levels} values: most of them are {kind}s, but "
        f"{where}; {cure}"
    )
    return Decided(decided.column, replace(decided.summary, offending=where), (note,))


def _dates_or_nothing(cells: Sequence[str]) -> NDArray[np.float64]:
    """Return the seconds of cells that are dates, NaN for others, for all where the format is in doubt."""
    try:
        found = most_dates(cells)
    except ValueError:
        found = None
    return np.full(len(cells), np.nan) if found is None else found[1]


def _text(column: TextColumn) -> Decided:
    """Leave out a column of text or identifiers."""
    codes, cells = column.encoded
    filled = [cell for cell in cells if cell]
    unique = len(filled) == int((codes != (cells.index("") if "" in cells else -1)).sum())
    kind = "id" if unique and not any(" " in cell for cell in filled) else "text"
    noun = "an identifier" if kind == "id" else "text"
    example = f"row {column.row(cells.index(filled[0]))} holds {_shown(filled[0])}"
    note = (
        f"column '{column.name}' is {noun} ({len(filled):,} different values in {len(codes):,} rows; "
        f"{example}) and is left out; {override(column.name, 'category')} keeps it"
    )
    if kind == "text":
        note += f", {override(column.name, 'text')} hashes its words"
    return _left_out(column, kind, note)


def _as_text(column: TextColumn) -> Decided:
    """Hash the words of a column, whose type the user gave.

    Raises:
        DataError: no cell holds a word of two letters or digits.
    """
    sparse = hash_text(column)
    if not sparse.names:
        raise DataError(f"column '{column.name}' holds no words (row 1: {_shown(column.cells[0].as_py())})")
    summary = replace(_left_out(column, "text").summary, kind="hashed text")
    return Decided(None, replace(summary, detail=f"{len(sparse.names):,} columns"), (), sparse)


def _as_number(column: TextColumn, decimal: str | None) -> Decided:
    """Read a column as numbers, the type that the user gave; other cells are missing, with a note."""
    cells = column.encoded[1]
    read = most_numbers(cells, decimal)
    good = [cell for cell, value in zip(cells, read.values, strict=True) if not np.isnan(value)]
    if not good:
        raise DataError(f"column '{column.name}' holds no number (row {column.row(0)}: {_shown(cells[0])})")
    if len({one.values.tobytes() for one in readings(good, decimal).values()}) > 1:
        raise DataError(
            f"column '{column.name}': {_shown(good[0])} could have a decimal or a thousands separator; "
            "say decimal=',' or decimal='.'"
        )
    return _forced(column, read.values, "number", "" if read.reading == "point" else read.reading)


def _as_date(column: TextColumn) -> Decided:
    """Read a column as dates, the type that the user gave; other cells are missing, with a note."""
    cells = column.encoded[1]
    try:
        read = most_dates(cells)
    except ValueError as error:
        raise DataError(f"column '{column.name}' could be {error}; write year-month-day") from None
    if read is None:
        raise DataError(
            f"column '{column.name}' holds no date (row {column.row(0)}: {_shown(cells[0])}); "
            "write year-month-day"
        )
    return _forced(column, read[1], "date", read[0])


def _forced(column: TextColumn, values: NDArray[np.float64], kind: str, detail: str) -> Decided:
    """Return a column of a type that the user gave, cells of no value being missing."""
    codes, cells = column.encoded
    bad = [j for j, cell in enumerate(cells) if np.isnan(values[j]) and not is_missing(cell)]
    summary = _summary(column, kind, values[codes], detail)
    if not bad:
        return Decided(Column(column.name, values[codes]), summary)
    count = int(np.isin(codes, bad).sum())
    where = f"row {column.row(bad[0])} holds {_shown(cells[bad[0]])}"
    noun = "cells that are" if count > 1 else "cell that is"
    note = f"column '{column.name}': {count} {noun} no {kind}, read as missing ({where})"
    return Decided(Column(column.name, values[codes]), replace(summary, offending=where), (note,))


def _ambiguous(column: TextColumn, alternatives: str, cure: str) -> Decided:
    """Leave out a column whose cells have two readings."""
    cells = column.encoded[1]
    position = next(j for j, cell in enumerate(cells) if not is_missing(cell) and not cell.isdecimal())
    where = f"row {column.row(position)} holds {_shown(cells[position])}"
    note = f"column '{column.name}' is left out: {where}, which could have {alternatives}; {cure}"
    return _left_out(column, "text", note, where)


def _left_out(column: TextColumn, kind: str, note: str = "", offending_cell: str = "") -> Decided:
    values = np.array([-1 if cell == "" else 0 for cell in column.encoded[1]])[column.encoded[0]]
    summary = replace(_summary(column, kind, values), offending=offending_cell)
    return Decided(None, summary, (note,) if note else ())


def _summary(column: TextColumn, kind: str, values: NDArray[Any], detail: str = "") -> ColumnSummary:
    missing = int((values < 0).sum() if values.dtype.kind == "i" else np.isnan(values).sum())
    distinct = sum(1 for cell in column.encoded[1] if cell) if kind in LEFT_OUT else None
    return ColumnSummary(column.name, kind, missing, distinct, detail)


def _declared(series: pd.Series[Any], kind: str | None) -> Decided:
    """Return a column of a declared type."""
    name = str(series.name)
    if kind == "text":
        raise DataError(f"column '{name}' is declared {series.dtype} and cannot be read as text")
    if kind in LEFT_OUT:
        return Decided(None, ColumnSummary(name, str(kind), int(series.isna().sum())))
    column = declared_column(name, series if kind != "category" else series.astype("category"))
    missing = column.missing
    notes = (f"column '{name}' holds no value",) if missing == len(column.values) else ()
    if column.levels is not None:
        if kind in ("number", "date"):
            raise DataError(f"column '{name}' is declared {series.dtype} and cannot be read as {kind}")
        return Decided(column, ColumnSummary(name, "category", missing), notes)
    infinite = np.isinf(column.values)
    if infinite.any():
        position = int(infinite.argmax())
        raise _infinite(name, int(series.index[position]) + 1, str(column.values[position]))
    dated = series.dtype.kind in "mM"
    summary = ColumnSummary(name, "date" if dated else "number", missing)
    if kind == "number" or dated or notes:
        return Decided(column, summary, notes)
    exact = None
    if series.dtype.kind in "iu" and bool((np.abs(column.values[~np.isnan(column.values)]) >= EXACT).any()):
        exact = list(dict.fromkeys(int(value) for value in series.dropna()))
    return _indexed(name, column.values, summary, exact, all_whole=missing == 0)


def declared_column(name: str, series: pd.Series[Any]) -> Column:
    """Return a column of a declared type: numbers, dates (seconds since 1970), or categories and booleans.

    Raises:
        DataError: a dtype that is none of these.
    """
    import pandas as pd

    kind = series.dtype
    if isinstance(kind, pd.CategoricalDtype):
        texts = [str(level) for level in series.cat.categories]
        levels = tuple(dict.fromkeys(texts))  # 1 and "1" are one
        number = {level: code for code, level in enumerate(levels)}
        merged = np.array([*(number[text] for text in texts), -1], dtype=np.int64)
        return Column(name, merged[series.cat.codes.to_numpy()], levels)
    if isinstance(kind, pd.PeriodDtype):
        series = series.dt.to_timestamp()
        kind = series.dtype
    if kind.kind in "mM":
        return Column(name, _seconds(series))
    if pd.api.types.is_bool_dtype(kind):
        truth = series.astype("boolean").astype("Int64").fillna(-1)
        return Column(name, truth.to_numpy(dtype=np.int64), ("False", "True"))
    if pd.api.types.is_complex_dtype(kind) or not pd.api.types.is_numeric_dtype(kind):
        held = f"values of type {kind}, neither numbers nor words"
        if pd.api.types.is_complex_dtype(kind):
            held = "complex numbers"
        raise DataError(
            f"column '{name}' holds {held}; take it out of the table, or {override(name, 'skip')}"
        )
    return Column(name, series.to_numpy(dtype=np.float64, na_value=np.nan))


def _seconds(series: pd.Series[Any]) -> NDArray[np.float64]:
    """Return durations or dates [N] in seconds, of dates since 1970 (UTC); NaN for missing ones."""
    import pandas as pd

    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert(None)
    counts = series.to_numpy()  # of a unit of their own: 9999-12-31 is beyond nanoseconds
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[np.datetime_data(counts.dtype)[0]]
    return np.where(np.isnat(counts), np.nan, counts.astype(np.int64) / per_second)


def override(name: str, kind: str) -> str:
    """Return the option that gives a column a type, quoted for a shell."""
    return f"columns={{{name!r}: {kind!r}}}"


def _infinite(name: str, row: int, cell: str) -> DataError:
    return DataError(
        f"column '{name}' holds an infinite number (row {row}: {cell}); clean the table, or skip the column: "
        f"{override(name, 'skip')}"
    )


def is_text(values: int, rows: int) -> bool:
    """Return whether so many different values in so many rows are no categories."""
    return rows > 20 and values > rows // 2


def sort_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return words in order: by value where all are numbers, else by letters."""
    if all(map(is_number, words)):
        return tuple(sorted(words, key=lambda word: (float(word.replace("\u2212", "-")), word)))
    return tuple(sorted(words))


def _shown(cell: str) -> str:
    text = " ".join(cell.split())
    return f"'{text}'" if len(text) <= SHOWN else f"'{text[: SHOWN - 3]}...'"
