"""ReportTable: sortable rows of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Cell:
    """Cell of a table.

    Attributes:
        text: displayed text.
        key: numeric sort key, or None to sort by text.
        strong: whether the cell is emphasised.
    """

    text: str
    key: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class ReportTable:
    """Table of a report.

    Attributes:
        caption: description in one or two sentences.
        columns: column names.
        rows: rows, one cell per column.
        long: whether the table is collapsed.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)
    long: bool = False


def text_cell(value: object) -> Cell:
    """Return a text cell."""
    return Cell(str(value))


def number(value: float, form: str = ",.1f", *, strong: bool = False) -> Cell:
    """Return a numeric cell, empty for NaN or infinity."""
    if not np.isfinite(value):
        return Cell("", float("inf"))
    return Cell(format(value, form), float(f"{value:.6g}"), strong)


def p_value(value: float) -> Cell:
    """Return a cell of a p-value, emphasised below 0.05."""
    if not np.isfinite(value):
        return Cell("", float("inf"))
    return Cell("< 0.0001" if value < 1e-4 else f"{value:.4f}", float(f"{value:.6g}"), value < 0.05)
