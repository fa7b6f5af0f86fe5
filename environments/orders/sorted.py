"""Sorted order: the rows class by class."""

from __future__ import annotations

import numpy as np

from neucb.environments.orders.order import FixedOrder, Rows


class Sorted(FixedOrder):
    """Rows by class, each class in stored order; a longer run starts again at the first row."""

    def draw(self, labels: Rows, horizon: int, rng: np.random.Generator) -> Rows:
        """Return the row of every round [T]."""
        return np.resize(np.argsort(labels, kind="stable"), horizon)
