"""Contexts of a table: a dense array, or a sparse one in compressed rows (CSR)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Contexts: TypeAlias = "NDArray[np.float32] | csr_array"  # [N, d]

WIDE = 1000  # columns from which contexts may be sparse
SPARSE_BELOW = 0.1  # largest share of nonzero entries of sparse contexts
CHUNK = 256  # rows made dense at once
SAMPLE = 1000  # approximate number of rows in the sample for the density


def pays(rows: int, columns: int, entries: int) -> bool:
    """Return whether contexts of this shape and number of nonzero entries are kept sparse."""
    return columns >= WIDE and entries <= SPARSE_BELOW * rows * columns


def is_sparse(contexts: Contexts) -> TypeGuard[csr_array]:
    """Return whether contexts are in compressed rows."""
    return not isinstance(contexts, np.ndarray)


def dense_rows(contexts: Contexts, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return rows [...] of contexts as a dense array [..., d]."""
    if not is_sparse(contexts):
        found: NDArray[np.float32] = contexts[rows]
        return found
    dense: NDArray[np.float32] = contexts[np.ravel(rows)].toarray()
    return dense.reshape(*np.shape(rows), contexts.shape[1])


def differ_from_first(contexts: Contexts, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the contexts of rows [n] differ from those of the first of them [n]."""
    distinct, place = np.unique(rows, return_inverse=True)
    first = dense_rows(contexts, rows[:1])
    chunks = np.array_split(distinct, -(-len(distinct) // CHUNK))
    differs = np.concatenate([(dense_rows(contexts, some) != first).any(axis=1) for some in chunks])
    return np.asarray(differs[place])


def finite_rows(contexts: Contexts) -> NDArray[np.bool_]:
    """Return whether the entries of each row are finite [N]."""
    if not is_sparse(contexts):
        return np.asarray(np.isfinite(contexts).all(axis=1))
    finite = np.ones(contexts.shape[0], np.bool_)
    entries = np.flatnonzero(~np.isfinite(contexts.data))
    finite[np.searchsorted(contexts.indptr, entries, side="right") - 1] = False
    return finite


def density(contexts: Contexts) -> float:
    """Return the share of nonzero entries, in a sample of the rows where contexts are dense."""
    if is_sparse(contexts):
        return float(contexts.nnz / (contexts.shape[0] * contexts.shape[1]))
    some = contexts[:: max(1, len(contexts) // SAMPLE)]
    return float(np.count_nonzero(some) / some.size)


def is_read_only(contexts: Contexts) -> bool:
    """Return whether the entries cannot be written."""
    entries = contexts.data if is_sparse(contexts) else contexts
    return not entries.flags.writeable


def size(contexts: Contexts) -> int:
    """Return the memory of contexts in bytes."""
    if is_sparse(contexts):
        return int(contexts.data.nbytes + contexts.indices.nbytes + contexts.indptr.nbytes)
    return contexts.nbytes
