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


@dataclass(frozen=True)
class TextColumn:
    """A column of cells as they are written, blanks round them taken off.

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
        return values

    def row(self, code: int) -> int:
        """Return the first row, from 1, of a distinct cell."""
        position = int(np.argmax(self.encoded[0] == code))
        return position + 1 if self.positions is None else int(self.positions[position])

    def of_rows(self, known: NDArray[np.bool_]) -> TextColumn:
        """Return the column of some rows, `known` [N]."""
        return TextColumn(self.name, self.cells.filter(known), np.flatnonzero(known) + 1)


@dataclass(frozen=True)
class RawTable:
    """The columns of a source.

    Attributes:
        name: of the table.
        columns: text to be typed, and pandas Series of a declared type, named by text.
        notes: see `Table.notes`.
    """

    name: str
    columns: Sequence[TextColumn | pd.Series[Any]]
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [str(column.name) for column in self.columns]


def text_column(name: str, cells: pa.Array | pa.ChunkedArray) -> TextColumn:
    """Return a column of an Arrow array of strings, null for empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    trimmed = pc.utf8_trim(cells.cast(pa.string()), " \t\r\n\xa0\u2007\u202f\u3000\ufeff")
    return TextColumn(name, pc.fill_null(trimmed, ""))


def raw_series(name: str, series: pd.Series[Any]) -> TextColumn | pd.Series[Any]:
    """Return a column of a DataFrame: text where its dtype is object or string.

    A column of objects that are no scalars, such as lists, stays as it is.
    """
    import pandas as pd
    import pyarrow as pa

    if pd.api.types.is_object_dtype(series.dtype):
        cells = [_text(value) for value in series]
        return series.rename(name) if None in cells else text_column(name, pa.array(cells, pa.string()))
    if isinstance(series.dtype, pd.StringDtype):
        return text_column(name, pa.array(series, pa.string(), from_pandas=True))
    return series.rename(name)


def _text(value: Any) -> str | None:
    """Return an object as the text of a cell, "" for missing ones, None for one that is not a scalar."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value
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
