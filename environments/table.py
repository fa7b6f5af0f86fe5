"""Table: classification data set in memory, before any encoding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


LARGEST = 1e30  # largest number: beyond it float32 or the square of a row's norm may overflow


@dataclass(frozen=True)
class Column:
    """Column of features.

    Attributes:
        name: name in the source (percent-encoding decoded).
        values: values [N]; numeric: float32 or float64 with NaN for missing; nominal: integer codes into
            `levels`, -1 for missing.
        levels: declared categories of a nominal column in their declared order, some of which may
            never occur; None for a numeric column.
    """

    name: str
    values: NDArray[Any]
    levels: tuple[str, ...] | None = None

    @property
    def missing(self) -> int:
        """Number of missing values."""
        return int((self.values < 0).sum() if self.levels is not None else np.isnan(self.values).sum())


@dataclass(frozen=True)
class SparseColumns:
    """Columns of numbers that are 0 in most rows, none of them missing.

    Attributes:
        names: name of each of the d' columns.
        values: float32 values [N, d'] in compressed rows, indices ascending within a row.
    """

    names: Sequence[str]
    values: csr_array

    def of_rows(self, known: NDArray[np.bool_]) -> SparseColumns:
        """Return the columns of some rows, `known` [N]."""
        return self if known.all() else SparseColumns(self.names, self.values[known])

    def without(self, names: Collection[str]) -> SparseColumns:
        """Return the columns but those of some names."""
        left_out = set(names)
        return self.only([name for name in self.names if name not in left_out])

    def only(self, names: Collection[str]) -> SparseColumns:
        """Return the columns of some names."""
        wanted = set(names)
        kept = [j for j, name in enumerate(self.names) if name in wanted]
        if len(kept) == len(self.names):
            return self
        return SparseColumns([self.names[j] for j in kept], self.values[:, kept])

    def dense(self) -> list[Column]:
        """Return the columns one by one, for contexts that are kept dense."""
        values = self.values.toarray()
        return [Column(name, values[:, j]) for j, name in enumerate(self.names)]


def sparse_columns(values: Any, names: Sequence[str]) -> SparseColumns:
    """Return sparse columns of a matrix [N, d'] of any of SciPy's formats, entries that are 0 left out.

    Numbers beyond 1e30 are cut off there, as in dense columns.

    Raises:
        DataError: an infinite or missing number.
    """
    from scipy.sparse import csr_array

    exact = csr_array(values, dtype=np.float64)
    exact.sum_duplicates()
    exact.eliminate_zeros()
    bad = np.flatnonzero(~np.isfinite(exact.data))
    if len(bad):
        row = int(np.searchsorted(exact.indptr, bad[0], side="right"))
        kind = "a missing" if np.isnan(exact.data[bad[0]]) else "an infinite"
        raise DataError(
            f"column '{names[exact.indices[bad[0]]]}' holds {kind} number in row {row}; clean the table"
        )
    np.clip(exact.data, -LARGEST, LARGEST, out=exact.data)
    return SparseColumns(names, exact.astype(np.float32))


def joined(blocks: Sequence[SparseColumns | None]) -> SparseColumns | None:
    """Return several sparse columns side by side; None where there are none."""
    some = [block for block in blocks if block is not None]
    if len(some) < 2:
        return some[0] if some else None
    from scipy.sparse import csr_array, hstack

    names = [name for block in some for name in block.names]
    return SparseColumns(names, csr_array(hstack([block.values for block in some], format="csr")))


@dataclass(frozen=True)
class ColumnSummary:
    """Type of a column and the grounds for it, for listings.

    Attributes:
        name: name of the column.
        kind: type: "number", "date", "category" or "hashed text" for features; "label"; "id", "text", "skip"
            or "empty" for columns left out.
        missing: number of missing values.
        distinct: number of distinct values; None if not counted.
        detail: unusual number or date format: unit, decimal sign, date format.
        offending: first cell that keeps a nearly numeric column from being numeric, with its row.
    """

    name: str
    kind: str
    missing: int
    distinct: int | None = None
    detail: str = ""
    offending: str = ""


@dataclass(frozen=True)
class Table:
    """Classification data set: columns of features and one label per row.

    Attributes:
        name: name for users, for example "covertype".
        columns: features, without identifiers and ignored columns.
        labels: integer labels [N] in 0..K-1; every class occurs.
        classes: names of the K classes that occur, in declared order.
        source: origin of the rows: "openml", "bundled", "scikit-learn", "file" or "memory".
        provenance: origin of the data for manifests: id, version, licence, checksum, ...
        notes: one line per column, class or set of rows that was left out or read by a guess, with the
            reason; shown once per data set and kept in manifest, `frame.attrs` and report.
        summaries: summaries of all columns of the source in its order, those left out and the label
            included; () where the source declares its types.
        positions: row numbers in the source [N], from 0, where some rows were left out; else None.
        sparse: further features that are 0 in most rows, behind `columns`; None without.

    Raises:
        DataError: fewer than two classes, no rows, no columns, or lengths that differ.
    """

    name: str
    columns: tuple[Column, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    summaries: tuple[ColumnSummary, ...] = ()
    positions: NDArray[np.int64] | None = None
    sparse: SparseColumns | None = None

    def __post_init__(self) -> None:
        if not self.columns and self.sparse is None:
            raise DataError(f"{self.name}: the table has no feature columns")
        if len(self.labels) == 0:
            raise DataError(f"{self.name}: the table has no rows")
        if len(self.classes) < 2:
            raise DataError(
                f"{self.name}: only one class occurs ('{self.classes[0]}'); a bandit needs at least two arms"
            )
        lengths = {len(column.values) for column in self.columns}
        if self.sparse is not None:
            lengths.add(self.sparse.values.shape[0])
        if lengths != {len(self.labels)}:
            raise DataError(f"{self.name}: columns and labels differ in length")

    @property
    def rows(self) -> int:
        """Number of rows N."""
        return len(self.labels)

    @property
    def arms(self) -> int:
        """Number of classes that occur, K."""
        return len(self.classes)


def labelled(codes: NDArray[Any], levels: tuple[str, ...]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Drop the categories that never occur: return labels in 0..K-1 [N] and the K names.

    Args:
        codes: integer codes into `levels` [N], without missing ones.
        levels: declared categories.
    """
    occurring = np.flatnonzero(np.bincount(codes, minlength=len(levels)))
    number = np.zeros(len(levels), dtype=np.int64)
    number[occurring] = np.arange(len(occurring))
    return number[codes], tuple(levels[code] for code in occurring)


def announce(name: str, notes: Sequence[str], notify: Callable[[str], None], *, strict: bool = False) -> None:
    """Report the notes of a data set, one line each.

    Args:
        name: name of the data set.
        notes: notes on the table, see `Table.notes`.
        notify: function called once per note.
        strict: raise the first note instead.

    Raises:
        DataError: there is a note and `strict` is set.
    """
    for note in notes:
        if strict:
            raise DataError(f"{name}: {note} (an error since strict=True is set)")
        notify(f"{name}: {note}")


def unlabelled(rows: int, target: str) -> str:
    """Return the note on rows without a label."""
    words = "1 row has no label" if rows == 1 else f"{rows:,} rows have no label"
    return f"{words} in column '{target}' and {'is' if rows == 1 else 'are'} left out"
