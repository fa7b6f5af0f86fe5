"""Small synthetic tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neucb.environments.table import Column, Table


def one_hot(rows: int = 1500) -> Table:
    """Return four classes, three nominal columns of 7 levels and a number: encoded rows are mostly 0."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, rows)
    levels = tuple("abcdefg")
    nominal = [
        Column(f"n{j}", np.where(rng.random(rows) < 0.6, labels + j, rng.integers(0, 7, rows)) % 7, levels)
        for j in range(3)
    ]
    number = Column("x", labels + rng.standard_normal(rows))
    return Table("one-hot", (*nominal, number), labels.astype(np.int64), tuple("wxyz"), "memory")


def toy(rows: int = 1500) -> Table:
    """Return three classes on three of four directions, linearly separable with a margin."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, rows)
    x = np.eye(4)[labels] + 0.2 * rng.standard_normal((rows, 4))
    columns = tuple(Column(f"x{j}", x[:, j]) for j in range(4))
    return Table("toy", columns, labels.astype(np.int64), ("a", "b", "c"), "memory")


def cyclic(rows: int = 60, arms: int = 3) -> Table:
    """Return a table whose label is a function of its columns."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows, dtype=np.int64) % arms
    signal = labels + 0.1 * rng.standard_normal(rows)
    columns = (Column("signal", signal), Column("noise", rng.standard_normal(rows)))
    return Table("toy", columns, labels, tuple("abc"[:arms]), "memory")


rng = np.random.default_rng(5)
RATED = pd.DataFrame(
    {
        "query": np.repeat(np.arange(12), [3, 5, 4, 2, 6, 3, 3, 4, 5, 2, 6, 5]),
        "a": rng.standard_normal(48),
        "b": rng.standard_normal(48),
    }
).assign(rating=lambda frame: frame["a"] + frame["b"])
