"""Columns of a data file: numbers, or codes into levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from neucb.environments.table import SparseColumns

WHOLE = 2**53  # from here on float64 does not hold every whole number
ROUNDED = "holds numbers beyond 2^53, which are rounded to 53 bits"


@dataclass(frozen=True)
class Raw:
    """Column of the file: numbers (levels None), or codes into levels, -1 for missing.

    The note names the precision that its numbers lost, or is empty; it follows "column 'x' " in messages.
    """

    name: str
    values: NDArray[Any]
    levels: tuple[str, ...] | None
    note: str = ""


@dataclass(frozen=True)
class Content:
    """Content of a data file.

    Attributes:
        columns: columns of numbers and codes, all with `rows` values.
        left_out: names of the other columns -> reason of the omission: "is text ...".
        rows: number of rows.
        notes: guesses and omissions that concern the whole file.
        sparse: numbers that are 0 in most rows; None without.
    """

    columns: list[Raw]
    left_out: dict[str, str]
    rows: int
    notes: tuple[str, ...] = ()
    sparse: SparseColumns | None = None
