"""Entries of the numeric attributes of sparse rows, for wide files: memory grows with the entries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import DataError
from neucb.environments.arff.columns import Builder
from neucb.environments.arff.header import Declaration
from neucb.environments.contexts import pays
from neucb.environments.table import SparseColumns, sparse_columns

BLOCK = 2**18  # entries converted at once, so that few are Python objects at a time


class ArffEntries:
    """Collector of entries.

    Args:
        declared: index -> declaration of the numeric attributes.
    """

    def __init__(self, declared: Mapping[int, Declaration]) -> None:
        self.note = ""
        self._declared = declared
        self._lines: list[int] = []  # these four of the entries that are not converted yet
        self._row: list[int] = []
        self._index: list[int] = []
        self._cell: list[str | None] = []
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []

    def add(self, line: int, row: int, given: Mapping[int, str | None]) -> None:
        """Add the entries of a row by the index of their attribute; None for a missing value."""
        for index, cell in given.items():
            if index in self._declared:
                self._lines.append(line)
                self._row.append(row)
                self._index.append(index)
                self._cell.append(cell)

    @property
    def is_full(self) -> bool:
        """Whether a block is complete."""
        return len(self._cell) >= BLOCK

    def convert(self) -> int | None:
        """Convert the entries of a block; return the line of the first one that is no number, else None."""
        builder = Builder(next(iter(self._declared.values())))
        try:
            builder.add(self._cell)
        except DataError:
            return self._lines[builder.offender(self._cell)]
        self.note = self.note or builder.note
        self._parts.append((np.array(self._row, np.int64), np.array(self._index, np.int64), builder.values()))
        self._lines, self._row, self._index, self._cell = [], [], [], []
        return None

    def refuse(self, line: int) -> None:
        """Raise the error of the first entry of a line that is no number."""
        for at, index, cell in zip(self._lines, self._index, self._cell, strict=True):
            if at == line:
                Builder(self._declared[index]).add((cell,))

    def finish(self, rows: int) -> tuple[dict[int, NDArray[np.float64]], SparseColumns | None]:
        """Return dense columns [N] by index, and the others in compressed rows.

        Columns with missing values are dense, and all where compressed rows do not pay.

        Args:
            rows: number of rows N.
        """
        row, index, value = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        holes = set(np.unique(index[np.isnan(value)]).tolist())
        sparse = [one for one in self._declared if one not in holes]
        if not pays(rows, len(sparse), len(value)):
            sparse, holes = [], set(self._declared)
        dense = {one: np.zeros(rows) for one in sorted(holes)}
        order = np.argsort(index, kind="stable")
        starts = np.searchsorted(index[order], sorted(holes), side="left")
        ends = np.searchsorted(index[order], sorted(holes), side="right")
        for one, start, end in zip(sorted(holes), starts, ends, strict=True):
            some = order[start:end]
            dense[one][row[some]] = value[some]
        if not sparse:
            return dense, None
        place = np.full(max(self._declared) + 1, -1)
        place[sparse] = np.arange(len(sparse))
        kept = place[index] >= 0
        from scipy.sparse import coo_array

        entries = coo_array((value[kept], (row[kept], place[index[kept]])), shape=(rows, len(sparse)))
        return dense, sparse_columns(entries, [self._declared[one].name for one in sparse])
