"""Preprocessing of a table of mixed columns to contexts of unit norm. Labels are never used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import DataError, unknown_name
from neucb.environments.contexts import pays
from neucb.environments.sparse_encoding import (
    SparseBuilder,
    columns_and_entries,
    normalise_rows,
    scaled_columns,
)
from neucb.environments.table import LARGEST, Column, Table
from neucb.environments.tables.column_types import override

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from neucb.environments.contexts import Contexts

Preprocessing = Literal["standard", "zscore", "centered", "paper"]
ENCODINGS: dict[Preprocessing, str] = {  # name -> summary
    "standard": "numbers standardised, a 0/1 column per category",
    "zscore": "all columns standardised",
    "centered": "all columns of mean 0, not scaled",
    "paper": "values unchanged, categories numbered",
}


@dataclass(frozen=True)
class Encoded:
    """Table encoded as contexts.

    Attributes:
        contexts: float32 contexts [N, d], every row of L2 norm 1 (or 0), entries in [-1, 1]; in compressed
            rows (CSR) where d is at least 1,000 and at most a tenth of the entries is nonzero.
        labels: int64 labels [N] in 0..K-1.
        table: source table.
        preprocessing: name of the encoding.
    """

    contexts: Contexts
    labels: NDArray[np.int64]
    table: Table
    preprocessing: Preprocessing

    @property
    def notes(self) -> tuple[str, ...]:
        """Deviations of the encoding from its name, one line each."""
        sparse = self.table.sparse
        if sparse is None or self.preprocessing != "standard":
            return ()
        count = f"{len(sparse.names):,} sparse columns"
        return (f"{count} are divided by their largest absolute value, not standardised",)


def check_preprocessing(name: str) -> Preprocessing:
    """Return the name of an encoding.

    Raises:
        InputError: an unknown name.
    """
    if name not in get_args(Preprocessing):
        raise unknown_name("preprocessing", name, get_args(Preprocessing))
    return cast("Preprocessing", name)


def encode(table: Table, preprocessing: str = "standard") -> Encoded:
    """Encode the features of a table and normalise every row to L2 norm 1.

    standard: a nominal column of two categories becomes one 0/1 column, one of more a column for
    each; a missing category is a category of its own; categories that never occur do not count;
    numbers are standardised over the whole table, missing ones imputed by the mean; constant
    columns are dropped. Sparse columns are divided by their largest absolute value, so that zeros stay.
    zscore: as standard, and the 0/1 columns are standardised too.
    centered: as standard, but no column is divided by its standard deviation and all have mean 0, the 0/1
    columns too: for columns of one unit, such as pixels.
    paper: nominal columns as ordinal codes 0, 1, ... in their declared order, numbers unchanged,
    missing values as -1.

    Raises:
        InputError: an unknown preprocessing.
        DataError: an infinite number in the table, no column that varies, more contexts than memory, or
            sparse columns under zscore or centered.
    """
    name = check_preprocessing(preprocessing)
    _check_numbers(table.columns, table.name)
    widths = [_width(column, name) for column in table.columns]
    counts = [_count(column, width, name) for column, width in zip(table.columns, widths, strict=True)]
    columns, entries = columns_and_entries(widths, counts, table.sparse)
    if table.sparse is None and not pays(table.rows, columns, entries):
        return Encoded(encode_columns(table.columns, name, table.name), table.labels, table, name)
    return Encoded(_encode_sparse(table, widths, name), table.labels, table, name)


def _encode_sparse(table: Table, widths: Sequence[int], preprocessing: Preprocessing) -> csr_array:
    """Return the contexts [N, d] of a table in compressed rows."""
    further = None
    if table.sparse is not None:
        if preprocessing in ("zscore", "centered"):
            raise DataError(
                f"{table.name}: {preprocessing} gives {table.sparse.values.shape[1]:,} sparse columns a mean "
                "of 0, which fills them; take preprocessing standard or paper"
            )
        values = table.sparse.values
        further = scaled_columns(table.sparse) if preprocessing == "standard" else values.copy()
    rows, expand = SparseBuilder(table.rows), EXPAND[preprocessing]
    for column, width in zip(table.columns, widths, strict=True):
        if width > 1:
            missing = column.values < 0  # their code -1 is the first in order, and their column the last
            codes = np.searchsorted(np.sort(_levels(column)), column.values) - int(missing.any())
            rows.add_codes(np.where(missing, width - 1, codes), width)
        elif width:
            out = np.empty((table.rows, 1), np.float32)
            expand(column, out)
            rows.add(out[:, 0])
    contexts = rows.finish(further)
    if contexts.shape[1] == 0:
        raise DataError(f"{table.name}: no feature column varies, there is nothing to learn from")
    normalise_rows(contexts)
    return contexts


def encode_columns(columns: Sequence[Column], preprocessing: str, name: str) -> NDArray[np.float32]:
    """Return the dense contexts [N, d] of at least one column, see `encode`; `name` is for messages."""
    expand = EXPAND[check_preprocessing(preprocessing)]
    _check_numbers(columns, name)
    widths = [_width(column, preprocessing) for column in columns]
    if sum(widths) == 0:
        raise DataError(f"{name}: no feature column varies, there is nothing to learn from")
    contexts = _allocate(columns, widths, name)
    start = 0
    for column, width in zip(columns, widths, strict=True):
        if width:
            expand(column, contexts[:, start : start + width])
            start += width
    _normalise(contexts)
    return contexts


def _check_numbers(columns: Sequence[Column], name: str) -> None:
    for column in columns:
        if column.levels is None and np.isinf(column.values).any():
            raise DataError(f"{name}: column '{column.name}' holds an infinite number; clean the table")


def _allocate(columns: Sequence[Column], widths: Sequence[int], name: str) -> NDArray[np.float32]:
    """Allocate the array of contexts [N, d].

    Raises:
        DataError: the array exceeds the machine's memory.
    """
    rows, features = len(columns[0].values), sum(widths)
    size = 4 * rows * features
    try:
        if size > _memory():
            raise MemoryError
        return np.empty((rows, features), dtype=np.float32)
    except MemoryError:
        widest = int(np.argmax(widths))
        cure = "take fewer rows or columns"
        if widths[widest] > 1:
            cure = (
                f"the category '{columns[widest].name}' takes {widths[widest]:,} of the columns; "
                f"{override(columns[widest].name, 'skip')} leaves it out"
            )
        raise DataError(
            f"{name}: contexts of {rows:,} rows and {features:,} columns take {size / 1e9:,.1f} GB, more "
            f"than there is memory; {cure}"
        ) from None


def _memory() -> int:
    """Return the size of main memory in bytes, 8 GB if unknown."""
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        size = 0
    return size if size > 0 else 8 * 10**9


def _levels(column: Column) -> NDArray[np.int64]:
    """Return the codes that occur, in declared order, missing (-1) last."""
    occurring = np.unique(column.values).astype(np.int64)
    return np.roll(occurring, -1) if len(occurring) and occurring[0] < 0 else occurring


def _width(column: Column, preprocessing: str) -> int:
    """Return the number of context columns of a column."""
    if preprocessing == "paper":
        return 1
    if column.levels is None:
        return int(np.nanmax(column.values) > np.nanmin(column.values)) if _some(column.values) else 0
    levels = len(_levels(column))
    return {1: 0, 2: 1}.get(levels, levels)


def _count(column: Column, width: int, preprocessing: str) -> int:
    """Return an upper bound on the nonzero entries of a column's contexts."""
    rows = len(column.values)
    one_hot = preprocessing == "standard" and column.levels is not None and width > 1
    return rows if one_hot else rows * width


def _some(values: NDArray[Any]) -> bool:
    return not bool(np.isnan(values).all())


def _standard(column: Column, out: NDArray[np.float32]) -> None:
    if column.levels is not None:
        _indicate(column, out)
    else:
        out[:, 0] = _deviations(column.values, scaled=True)


def _zscore(column: Column, out: NDArray[np.float32]) -> None:
    _standard(column, out)
    if column.levels is not None:
        share = np.mean(out, axis=0, dtype=np.float64)
        out -= share
        out /= np.sqrt(share * (1.0 - share))


def _centered(column: Column, out: NDArray[np.float32]) -> None:
    if column.levels is not None:
        _indicate(column, out)
        out -= np.mean(out, axis=0, dtype=np.float64)
    else:
        out[:, 0] = np.clip(_deviations(column.values, scaled=False), -LARGEST, LARGEST)


def _indicate(column: Column, out: NDArray[np.float32]) -> None:
    """Write a column of 0 and 1 for each category that occurs, or one where there are two."""
    levels = _levels(column)
    for j, code in enumerate(levels[-1:] if len(levels) == 2 else levels):
        out[:, j] = column.values == code


def _deviations(values: NDArray[Any], *, scaled: bool) -> NDArray[np.float64]:
    """Return numbers less their mean, missing ones as 0; divided by their standard deviation if `scaled`."""
    values = values.astype(np.float64)
    # Scaled first, so that the square of a huge number does not overflow.
    largest = np.nanmax(np.abs(values))
    values = values / largest
    centred = values - np.nanmean(values)
    deviations: NDArray[np.float64] = np.nan_to_num(
        centred / np.nanstd(values) if scaled else centred * largest
    )
    return deviations


def _paper(column: Column, out: NDArray[np.float32]) -> None:
    if column.levels is not None:
        out[:, 0] = column.values
    else:
        out[:, 0] = np.clip(np.where(np.isnan(column.values), -1.0, column.values), -LARGEST, LARGEST)


EXPAND: dict[Preprocessing, Callable[[Column, NDArray[np.float32]], None]] = {
    "standard": _standard,
    "zscore": _zscore,
    "centered": _centered,
    "paper": _paper,
}


def _normalise(contexts: NDArray[np.float32]) -> None:
    """Normalise rows to norm 1 in place, in slices so that a large table needs no second copy."""
    for start in range(0, len(contexts), 65536):
        rows = contexts[start : start + 65536]
        norm = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        norm[norm == 0.0] = 1.0
        rows /= norm[:, None].astype(np.float32)
        np.clip(rows, -1.0, 1.0, out=rows)
