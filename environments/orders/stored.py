"""Stored order: the rows as the table has them."""

from __future__ import annotations

import numpy as np

from neucb.environments.orders.order import FixedOrder, Rows


class Stored(FixedOrder):
    """The table's own order; a longer run starts again from the top."""

    def draw(self, labels: Rows, horizon: int, rng: np.random.Generator) -> Rows:
        """Return the row of every round [T]."""
        return np.resize(np.arange(len(labels)), horizon)
