"""Columns of an ARFF file, converted from text block by block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.environments.arff.header import Declaration
from neucb.environments.arff.values import ArffSyntaxError, shown
from neucb.environments.raw_columns import ROUNDED, WHOLE

Cells = Sequence[str | None]  # cells of one column, None for missing
LONG = re.compile(r"[+-]?[0-9]{16,309}")  # a whole number that float64 may not hold


class Builder:
    """Collector of the values of an attribute.

    Attributes:
        note: precision that its numbers lost, see `Attribute`.
    """

    def __init__(self, declared: Declaration) -> None:
        self.note = ""
        self._declared = declared
        self._codes = {level: code for code, level in enumerate(declared.levels or ())}
        self._parts: list[NDArray[Any]] = [self._convert(())]

    def add(self, cells: Cells) -> None:
        """Convert further values.

        Raises:
            ArffSyntaxError: a value is not of the declared type.
        """
        self._parts.append(self._convert(cells))

    def offender(self, cells: Cells) -> int:
        """Return the position of the first value that `add` refuses."""
        for position, cell in enumerate(cells):
            try:
                self._convert((cell,))
            except ArffSyntaxError:
                return position
        raise AssertionError("every value can be converted")

    def values(self) -> NDArray[Any]:
        """Return all values, as `Attribute` has them."""
        return np.concatenate(self._parts)

    def _convert(self, cells: Cells) -> NDArray[Any]:
        if self._declared.kind == "numeric":
            return self._numbers(cells)
        if self._declared.kind == "nominal":
            return np.array([-1 if cell is None else self._code(cell) for cell in cells], dtype=np.int32)
        if self._declared.kind == "date":
            seconds = {cell: self._seconds(cell) for cell in dict.fromkeys(cells)}
            return np.array([seconds[cell] for cell in cells], dtype=np.float64)
        return np.array(cells, dtype=object)

    def _numbers(self, cells: Cells) -> NDArray[np.float64]:
        import pyarrow as pa

        numbers: NDArray[np.float64]
        try:  # ten times as fast as float()
            numbers = pa.array(cells, pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            numbers = np.array([self._number(cell) for cell in cells], dtype=np.float64)
        if not self.note:
            suspects = [cells[i] or "" for i in np.flatnonzero(np.abs(numbers) >= WHOLE).tolist()]
            if any(LONG.fullmatch(cell) and int(cell) != float(cell) for cell in suspects):
                self.note = ROUNDED
        return numbers

    def _number(self, cell: str | None) -> float:
        if cell is None:
            return np.nan
        try:
            if "_" not in cell:  # Python's own
                return float(cell)
        except ValueError:
            pass
        raise self._mistake(cell, "is no number")

    def _code(self, cell: str) -> int:
        if cell not in self._codes:
            raise self._mistake(cell, "is not among the declared values")
        return self._codes[cell]

    def _seconds(self, cell: str | None) -> float:
        assert self._declared.pattern is not None
        try:
            return np.nan if cell is None else self._declared.pattern.seconds(cell)
        except ValueError:
            pattern = self._declared.pattern.pattern
            raise self._mistake(cell or "", f"does not follow the date pattern {pattern}") from None

    def _mistake(self, cell: str, words: str) -> ArffSyntaxError:
        return ArffSyntaxError(f"{shown(cell)} {words} (attribute {shown(self._declared.name)})")
