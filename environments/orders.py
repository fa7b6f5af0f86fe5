"""Orders: which row every replica sees in every round.

Everything random comes from the replica's own stream "order", whatever its neighbours do.
"""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from neucb.errors import InputError, unknown_name
from neucb.streams import stream

OrderName = Literal["shuffled", "stored", "sorted", "weakest-class"]
Rows = NDArray[np.int64]

REACTING = ("weakest-class",)  # orders whose rows depend on what the agent plays
REACT_AFTER = 500  # rounds of `weakest-class` that are merely shuffled
REACT_SHARE = 0.5  # the chance that a later round shows a row of the weakest class


class Order(Protocol):
    """The rows of one replica."""

    def row(self, t: int) -> int:
        """Return the row of round t = 0, 1, ...; rounds are asked for in turn."""

    def saw(self, label: int, loss: float) -> None:
        """Take note of the expected loss of the round just played; the label is the table's, before drift."""


class Fixed:
    """Rows that are known beforehand.

    Args:
        rows: [T] the row of every round.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def row(self, t: int) -> int:
        """Return the row of round t."""
        return int(self.rows[t])

    def saw(self, label: int, loss: float) -> None:
        """Nothing that happens changes the rows."""


class WeakestClass:
    """Rows of the class on which the agent is worst become more likely; no row comes twice.

    The first 500 rounds are a shuffled order. From then on a round shows, with probability 1/2, a row
    of the class with the greatest mean loss so far that still has rows, otherwise the next row of
    the shuffled order. The former come from that order's end, so that what it still holds keeps the
    classes' shares for long. As we read Deb et al., ICLR 2024, whose sequences react to the agent.

    Args:
        rows: [N] a shuffled order of all rows.
        labels: [N] label of every row of the table.
        coins: [T] uniform numbers in [0, 1), one a round.
        arms: K.
    """

    def __init__(self, rows: Rows, labels: Rows, coins: NDArray[np.float64], arms: int) -> None:
        self.rows = rows
        self.coins = coins
        self._used = np.zeros(len(rows), dtype=np.bool_)
        self._next = 0
        self._queues = [rows[labels[rows] == label].tolist() for label in range(arms)]
        self._loss = np.zeros(arms)
        self._count = np.zeros(arms)

    def row(self, t: int) -> int:
        """Return the row of round t."""
        row = self._weakest() if t >= REACT_AFTER and self.coins[t] < REACT_SHARE else None
        if row is None:
            while self._used[self.rows[self._next]]:
                self._next += 1
            row = int(self.rows[self._next])
        self._used[row] = True
        return row

    def _weakest(self) -> int | None:
        """Return the next unused row of the weakest class that was met and has one left."""
        mean = np.divide(self._loss, self._count, out=np.full_like(self._loss, -1.0), where=self._count > 0)
        for label in np.argsort(-mean, kind="stable"):
            queue: list[int] = self._queues[label]
            while queue and self._used[queue[-1]]:
                queue.pop()
            if queue and mean[label] >= 0:
                return queue[-1]
        return None

    def saw(self, label: int, loss: float) -> None:
        """Count the loss of a class."""
        self._loss[label] += loss
        self._count[label] += 1


def make_order(name: str, labels: Rows, arms: int, horizon: int, seed: int) -> Order:
    """Return the order of one replica.

    shuffled: a permutation drawn from the seed; where the run is longer than the table, a new one
    each time the rows are used up. stored: as the table has them; sorted: by class, each class in
    stored order; both start again from the top. weakest-class: see `WeakestClass`.

    Args:
        name: of the order.
        labels: [N] labels of the table.
        arms: K.
        horizon: T.
        seed: of the replica.

    Raises:
        InputError: an unknown name, or `weakest-class` over more rounds than rows.
    """
    if name not in get_args(OrderName):
        raise unknown_name("order", name, get_args(OrderName))
    rows = len(labels)
    rng = stream(seed, "order")
    if name == "weakest-class":
        if horizon > rows:
            raise InputError(f"the order weakest-class shows no row twice: rounds must be at most {rows}")
        return WeakestClass(rng.permutation(rows), labels, rng.random(horizon), arms)
    passes = -(-horizon // rows)
    if name == "shuffled":
        drawn = [rng.permutation(rows) for _ in range(passes)]
        return Fixed((drawn[0] if passes == 1 else np.concatenate(drawn))[:horizon])
    once = np.arange(rows) if name == "stored" else np.argsort(labels, kind="stable")
    return Fixed(np.tile(once, passes)[:horizon])
