"""ReportTable: rows of cells that a reader can sort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Cell:
    """What is shown and what it is sorted by.

    Attributes:
        text: shown.
        key: a number, sorted as one, or None: sorted by its text.
        strong: set off from the others.
    """

    text: str
    key: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class ReportTable:
    """A table.

    Attributes:
        caption: what it shows, in a sentence or two.
        columns: their names.
        rows: of as many cells.
        long: shown folded.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)
    long: bool = False


def words(value: object) -> Cell:
    """Return a cell of text."""
    return Cell(str(value))


def number(value: float, form: str = ",.1f", *, strong: bool = False) -> Cell:
    """Return a cell of a number, empty for NaN."""
    if not np.isfinite(value):
        return Cell("", float("inf"))
    return Cell(format(value, form), float(f"{value:.6g}"), strong)


def p_value(value: float) -> Cell:
    """Return a cell of a p-value; set off where it is below 0.05."""
    if not np.isfinite(value):
        return Cell("", float("inf"))
    return Cell("< 0.0001" if value < 1e-4 else f"{value:.4f}", float(f"{value:.6g}"), value < 0.05)
