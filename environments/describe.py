"""Summary of a table, printed by `neucb datasets show`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neucb.environments.preprocessing import encode
from neucb.environments.table import Column, ColumnSummary, Table


@dataclass(frozen=True)
class TableSummary:
    """Summary of a table.

    Attributes:
        name, source, provenance: attributes of the table.
        rows: number of rows N.
        arms: number of classes that occur K.
        numeric, nominal: numbers of columns of each kind, before encoding.
        features_standard, features_paper: context dimension d after each preprocessing.
        missing: number of missing values in all columns.
        class_shares: share of the rows per class, in the order of the arms.
        columns: summaries of all columns of the source, those left out and the label included.
        notes: notes of the table, see `Table.notes`.
        best_fixed_arm: error rate of the arm of the largest class.
    """

    name: str
    source: str
    rows: int
    arms: int
    numeric: int
    nominal: int
    features_standard: int
    features_paper: int
    missing: int
    class_shares: dict[str, float]
    best_fixed_arm: float
    provenance: dict[str, Any]
    columns: tuple[ColumnSummary, ...]
    notes: tuple[str, ...]


def describe(table: Table) -> TableSummary:
    """Return the summary of a table."""
    counts = np.bincount(table.labels, minlength=table.arms)
    nominal = sum(column.levels is not None for column in table.columns)
    sparse = 0 if table.sparse is None else len(table.sparse.names)
    return TableSummary(
        name=table.name,
        source=table.source,
        rows=table.rows,
        arms=table.arms,
        numeric=len(table.columns) - nominal + sparse,
        nominal=nominal,
        features_standard=encode(table, "standard").contexts.shape[1],
        features_paper=len(table.columns) + sparse,
        missing=sum(column.missing for column in table.columns),
        class_shares=dict(zip(table.classes, (counts / table.rows).tolist(), strict=True)),
        best_fixed_arm=1.0 - float(counts.max()) / table.rows,
        provenance=table.provenance,
        columns=_summaries(table),
        notes=table.notes,
    )


def _summaries(table: Table) -> tuple[ColumnSummary, ...]:
    """Return the summaries of all columns, features with their numbers of distinct values."""
    distinct = {column.name: _distinct(column) for column in table.columns}
    if table.summaries:
        return tuple(replace(one, distinct=distinct.get(one.name, one.distinct)) for one in table.summaries)
    kinds = {column.name: "number" if column.levels is None else "category" for column in table.columns}
    return tuple(
        ColumnSummary(column.name, kinds[column.name], column.missing, distinct[column.name])
        for column in table.columns
    )


def _distinct(column: Column) -> int:
    known = column.values >= 0 if column.levels is not None else ~np.isnan(column.values)
    return len(np.unique(column.values[known]))
