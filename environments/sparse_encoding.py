"""Encoding of a table to sparse contexts: rows of unit norm in compressed form, never densified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from neucb.environments.table import SparseColumns


class SparseBuilder:
    """Entries of sparse contexts, collected column by column.

    Args:
        rows: number of rows N.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns = 0
        self._row: list[NDArray[np.int32]] = []
        self._column: list[NDArray[np.int32]] = []
        self._value: list[NDArray[np.float32]] = []

    def add(self, values: NDArray[np.float32]) -> None:
        """Add a column of values [N]."""
        row = np.flatnonzero(values).astype(np.int32)
        self._row.append(row)
        self._column.append(np.full(len(row), self._columns, np.int32))
        self._value.append(values[row])
        self._columns += 1

    def add_codes(self, codes: NDArray[np.int64], width: int) -> None:
        """Add `width` columns of 0 and 1, one per code; codes [N] in -1..width-1, -1 for a row of zeros."""
        row = np.flatnonzero(codes >= 0).astype(np.int32)
        self._row.append(row)
        self._column.append((codes[row] + self._columns).astype(np.int32))
        self._value.append(np.ones(len(row), np.float32))
        self._columns += width

    def finish(self, further: csr_array | None) -> csr_array:
        """Return the contexts [N, d], with the columns of `further` [N, d'] last."""
        from scipy.sparse import coo_array, csr_array, hstack

        parts: list[Any] = [] if further is None else [further]
        if self._columns:
            row, column = np.concatenate(self._row), np.concatenate(self._column)
            shape = (self._rows, self._columns)
            parts.insert(0, coo_array((np.concatenate(self._value), (row, column)), shape=shape).tocsr())
        made = csr_array(hstack(parts, format="csr") if len(parts) > 1 else parts[0])
        made.sort_indices()
        return made


def scaled_columns(sparse: SparseColumns) -> csr_array:
    """Return the sparse columns that vary, each divided by its largest absolute value.

    Zeros stay zeros; a mean would have to be subtracted from them.
    """
    from scipy.sparse import csr_array

    values = sparse.values
    rows, columns = values.shape
    varies = _varying(values)
    position = np.cumsum(varies, dtype=np.int32) - 1
    keep = varies[values.indices]
    starts = np.concatenate([[0], np.cumsum(keep)])[values.indptr]
    indices, data = position[values.indices[keep]], values.data[keep].astype(np.float32)
    largest = np.zeros(columns, np.float32)
    np.maximum.at(largest, values.indices, np.abs(values.data))
    data /= largest[varies][indices]
    return csr_array((data, indices, starts), shape=(rows, int(varies.sum())))


def _varying(values: csr_array) -> NDArray[np.bool_]:
    """Return whether each column holds two different values, zeros counted."""
    rows, columns = values.shape
    nonzero = values.data != 0.0
    count = np.bincount(values.indices[nonzero], minlength=columns)
    varies: NDArray[np.bool_] = (count > 0) & (count < rows)
    for j in np.flatnonzero(count == rows):  # a column without zeros is rare
        column = values.data[values.indices == j]
        varies[j] = bool((column != column[0]).any())
    return varies


def normalise_rows(contexts: csr_array) -> None:
    """Normalise rows to L2 norm 1 in place; rows of zeros stay."""
    square = np.zeros(contexts.shape[0])
    filled = np.flatnonzero(np.diff(contexts.indptr))
    if len(filled):
        squares = contexts.data.astype(np.float64) ** 2
        square[filled] = np.add.reduceat(squares, contexts.indptr[filled])
    norm = np.sqrt(square)
    norm[norm == 0.0] = 1.0
    contexts.data /= np.repeat(norm, np.diff(contexts.indptr)).astype(np.float32)
    np.clip(contexts.data, -1.0, 1.0, out=contexts.data)


def columns_and_entries(
    widths: Sequence[int], counts: Sequence[int], sparse: SparseColumns | None
) -> tuple[int, int]:
    """Return the number of columns and of nonzero entries of a table's contexts.

    Args:
        widths: number of context columns of each column.
        counts: number of nonzero entries of each column's context columns.
        sparse: sparse columns of the table.
    """
    columns, entries = sum(widths), sum(counts)
    if sparse is not None:
        columns += sparse.values.shape[1]
        entries += sparse.values.nnz
    return columns, entries
