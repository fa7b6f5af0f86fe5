"""Checks of the header of delimited text: a first line of data, a second header, a repeated one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from neucb.core.errors import DataError
from neucb.environments.tables.cells import dates, is_missing, is_number, readings
from neucb.environments.tables.raw_table import TextColumn

NAMELESS = "Unnamed: "  # and a number: the name that pandas gives
SAMPLE = 100  # different cells that show the type of a column
FEW = 5  # rows up to which the first one says nothing about the others


def check_header(path: Path, columns: Sequence[TextColumn], header: bool | None, line: int) -> None:
    """Refuse a first line that looks like data, a second one that looks like a header, and equal names.

    Args:
        path: of the file.
        columns: named by the first line.
        header: True where the user says that the first line names the columns: equal names alone are
            refused then; None where it is not said.
        line: number of the line under the header.

    Raises:
        DataError: the first line is refused.
    """
    odd = None if header else _data_like(columns)
    twice = [name for name, count in Counter(column.name for column in columns).items() if count > 1]
    if twice and odd is None:  # pandas would rename the second
        raise DataError(
            f"{path}: two columns are called '{twice[0]}'; the first line must name the columns, each "
            "differently"
        )
    if odd is not None:
        other = "" if twice else ", or as names with header=True"
        raise DataError(
            f"{path}: the first line looks like data ('{odd}'), not like names of columns; read it as "
            f"data with header=False{other}"
        )
    word = None if header else _second_header(columns)
    if word is not None:
        raise DataError(
            f"{path}: line {line} looks like a second header under the first line ('{word}' above numbers); "
            f"take one of the two out, or read line {line} as data with header=True"
        )


def repeated_header(columns: Sequence[TextColumn]) -> int | None:
    """Return the first row, from 0, whose cells are the names of the columns, None for none."""
    import pyarrow.compute as pc

    rows = None
    words = [column for column in columns if not is_number(column.name)]
    for column in words and sorted(columns, key=lambda one: is_number(one.name)):
        equal = pc.equal(column.cells, "" if column.name.startswith(NAMELESS) else column.name)
        rows = equal if rows is None else pc.and_(rows, equal)
        if not pc.any(rows).as_py():
            return None
    return None if rows is None else int(pc.index(rows, True).as_py())


def _data_like(columns: Sequence[TextColumn]) -> str | None:
    """Return a cell of the first line that looks like data, None for none.

    A number above numbers is data, but for names n, n + 1, ...; so is a date above dates. A word that its
    column holds too is data, where no word stands above a column of numbers or dates.
    """
    named = [
        column for column in columns if not column.name.startswith(NAMELESS) and not is_missing(column.name)
    ]
    above = {j: alike for j, column in enumerate(named) if (alike := _alike(column)) is not None}
    words = not all(above.values())
    values = [named[j].name for j, alike in above.items() if alike]
    first = int(values[0]) if values and values[0].isdecimal() else -1
    run = values == [str(first + j) for j in range(len(values))] and (len(values) > 1 or words)
    repeated = [] if words else [column.name for column in named if column.name in column.encoded[1]]
    odd = repeated if run else values or repeated
    return odd[0] if odd else None


def _alike(column: TextColumn) -> bool | None:
    """Return whether the name is a number or date as the cells are, None where the cells are words."""
    if column.numbers is not None:
        return is_number(column.name)
    different = (cell for cell in column.encoded[1] if not is_missing(cell) and cell != column.name)
    cells = list(islice(different, SAMPLE))
    for read in (readings, dates):
        if cells and read(cells):
            return bool(read([column.name, *cells]))
    return None


def _second_header(columns: Sequence[TextColumn]) -> str | None:
    """Return a word of the first row that stands above numbers, None unless it is so in all such columns."""
    if not columns or len(columns[0]) <= FEW:
        return None
    words = []
    for column in columns:
        cell = column.cells[0].as_py()
        if is_missing(cell):
            continue
        if readings([cell]):
            return None
        if column.numbers is None and _numbers_below(column):
            words.append(cell)
    return words[0] if words else None


def _numbers_below(column: TextColumn) -> bool:
    """Return whether all cells but the first one are numbers."""
    codes, cells = column.encoded
    if not readings(cells[1 : SAMPLE + 1]) or (codes == 0).sum() > 1:  # the quick look first
        return False
    return bool(readings(cells[1:]))
