"""Shuffled order: a random permutation of the rows."""

from __future__ import annotations

import numpy as np

from neucb.environments.orders.order import FixedOrder, Rows


class Shuffled(FixedOrder):
    """Permutation of the rows, a new one for every pass where the run is longer than the table."""

    def draw(self, labels: Rows, horizon: int, rng: np.random.Generator) -> Rows:
        """Return the row of every round [T]."""
        rows = len(labels)
        return np.concatenate([rng.permutation(rows) for _ in range(-(-horizon // rows))])[:horizon]
