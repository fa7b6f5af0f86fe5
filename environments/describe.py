"""Describe a table: what `neucb datasets show` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neucb.environments.preprocessing import encode
from neucb.environments.table import Table


@dataclass(frozen=True)
class TableSummary:
    """The figures of a table.

    Attributes:
        name, source, provenance: those of the table.
        rows: N.
        arms: K, the classes that occur.
        numeric, nominal: columns of each kind, before encoding.
        features_standard, features_paper: context dimension d after each preprocessing.
        missing: missing values in all columns.
        class_shares: share of the rows per class, largest first.
        best_fixed_arm: share of rounds that the arm of the largest class loses.
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


def describe(table: Table) -> TableSummary:
    """Return the figures of a table."""
    counts = np.bincount(table.labels, minlength=table.arms)
    order = np.argsort(-counts, kind="stable")
    nominal = sum(column.levels is not None for column in table.columns)
    return TableSummary(
        name=table.name,
        source=table.source,
        rows=table.rows,
        arms=table.arms,
        numeric=len(table.columns) - nominal,
        nominal=nominal,
        features_standard=encode(table, "standard").contexts.shape[1],
        features_paper=len(table.columns),
        missing=sum(column.missing for column in table.columns),
        class_shares={table.classes[k]: float(counts[k]) / table.rows for k in order},
        best_fixed_arm=1.0 - float(counts.max()) / table.rows,
        provenance=table.provenance,
    )
