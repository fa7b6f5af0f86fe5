"""Columns of a data file: numbers, or codes into levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

WHOLE = 2**53  # from here on float64 does not hold every whole number
ROUNDED = "holds numbers beyond 2^53, which are rounded to 53 bits"


@dataclass(frozen=True)
class Raw:
    """A column of the file: numbers (levels None), or codes into levels, -1 for missing.

    The note names the precision that its numbers lost, or is empty; it follows "column 'x' ".
    """

    name: str
    values: NDArray[Any]
    levels: tuple[str, ...] | None
    note: str = ""


@dataclass(frozen=True)
class Content:
    """What a data file holds.

    Attributes:
        columns: of numbers and codes, all of `rows` values.
        left_out: the names of the other columns, and why they are neither: "is text ...".
        rows: number of rows.
        notes: guesses and omissions that concern the whole file.
    """

    columns: list[Raw]
    left_out: dict[str, str]
    rows: int
    notes: tuple[str, ...] = ()
