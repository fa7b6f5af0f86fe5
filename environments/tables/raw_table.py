"""Raw table: columns of text, not typed yet, beside columns whose type the source declares."""

from __future__ import annotations

import datetime
import decimal
import fractions
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from neucb.environments.table import SparseColumns

BLANKS = " \t\r\n\xa0\u2007\u202f\u3000\ufeff"  # do not count round names and cells


@dataclass(frozen=True)
class TextColumn:
    """Column of cells as they are written, without surrounding blanks.

    Attributes:
        name: of the column.
        cells: [N] strings, "" for empty ones.
        positions: [N] numbers of the rows in the source, from 1, where some were left out; else None.
    """

    name: str
    cells: pa.Array
    positions: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def encoded(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Codes [N] into the distinct cells, and these, in the order of their first rows."""
        encoded = self.cells.dictionary_encode()
        return encoded.indices.to_numpy().astype(np.int64), tuple(encoded.dictionary.to_pylist())

    @cached_property
    def numbers(self) -> NDArray[np.float64] | None:
        """Values [N], NaN for empty cells, where every other cell is a plain number; None otherwise.

        The fast way of `cells.readings`, which decides where this is None.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        cells = pc.if_else(pc.equal(self.cells, ""), None, self.cells)
        if cells.null_count == len(cells):
            return None
        try:
            values: NDArray[np.float64] = pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            return None
        return None if np.isnan(values).all() else values

    def row(self, code: int) -> int:
        """Return the first row, from 1, of a distinct cell."""
        position = int(np.argmax(self.encoded[0] == code))
        return position + 1 if self.positions is None else int(self.positions[position])

    def of_rows(self, known: NDArray[np.bool_]) -> TextColumn:
        """Return the column of some rows, `known` [N]."""
        return TextColumn(self.name, self.cells.filter(known), np.flatnonzero(known) + 1)


@dataclass(frozen=True)
class RawTable:
    """Columns of a source.

    Attributes:
        name: of the table.
        columns: text to be typed, and pandas Series of a declared type, named by text.
        notes: see `Table.notes`.
        sparse: further columns that are 0 in most rows; None without.
    """

    name: str
    columns: Sequence[TextColumn | pd.Series[Any]]
    notes: list[str] = field(default_factory=list)
    sparse: SparseColumns | None = None

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [str(column.name) for column in self.columns]


def text_column(name: str, cells: pa.Array | pa.ChunkedArray) -> TextColumn:
    """Return a column of an Arrow array of strings, null for empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    trimmed = pc.utf8_trim(cells.cast(pa.string()), BLANKS)
    return TextColumn(name, pc.fill_null(trimmed, ""))


def column_name(label: object, position: int = 0) -> str:
    """Return the name of a column as text, blanks round it taken off, whole floats without a point.

    Args:
        label: of a pandas column: text, a number, a tuple, or none.
        position: of the column, from 0, which names one without a label as pandas' CSV reader does.
    """
    if isinstance(label, np.generic):
        label = label.item()
    if label is None or type(label).__name__ == "NAType" or label != label:
        return f"Unnamed: {position}"
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label).strip(BLANKS)


def text_of(value: Any) -> str | None:
    """Return an object as the text of a cell, "" for missing ones, None for one that is not a scalar."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    for kinds, write in WRITERS:
        if isinstance(value, kinds):
            return write(value)
    return "" if value is None or type(value).__name__ in ("NAType", "NaTType") else None


def _write_float(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if abs(value) < 2**53 and value == int(value) else repr(value)


def _write_decimal(value: decimal.Decimal) -> str:
    return "" if value.is_nan() else f"{value:f}"


def _write_time(value: Any) -> str:
    return "" if value != value else str(value.isoformat())  # NaT differs from itself


def _write_delta(value: datetime.timedelta) -> str:
    if value != value:
        return ""
    seconds = value.seconds + value.microseconds / 1e6
    return f"{value.days} days {int(seconds // 3600):02}:{int(seconds // 60 % 60):02}:{seconds % 60:09.6f}"


WRITERS: tuple[tuple[tuple[type, ...], Callable[[Any], str]], ...] = (
    ((bool, int, uuid.UUID), str),
    ((float,), _write_float),
    ((decimal.Decimal,), _write_decimal),
    ((fractions.Fraction,), lambda value: repr(float(value))),
    ((datetime.timedelta,), _write_delta),
    ((datetime.date, datetime.time), _write_time),
)
