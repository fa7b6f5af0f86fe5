"""Orders: which row every replica sees in every round.

Everything random comes from the replica's own stream "order", whatever its neighbours do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError, unknown_name
from neucb.core.random import stream

Kernel = Literal["fixed", "weakest-class"]
Rows = NDArray[np.int64]

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


def _shuffled(labels: Rows, arms: int, horizon: int, rng: np.random.Generator) -> Order:
    drawn = [rng.permutation(len(labels)) for _ in range(_passes(labels, horizon))]
    return Fixed((drawn[0] if len(drawn) == 1 else np.concatenate(drawn))[:horizon])


def _stored(labels: Rows, arms: int, horizon: int, rng: np.random.Generator) -> Order:
    return Fixed(np.tile(np.arange(len(labels)), _passes(labels, horizon))[:horizon])


def _sorted(labels: Rows, arms: int, horizon: int, rng: np.random.Generator) -> Order:
    return Fixed(np.tile(np.argsort(labels, kind="stable"), _passes(labels, horizon))[:horizon])


def _weakest_class(labels: Rows, arms: int, horizon: int, rng: np.random.Generator) -> Order:
    rows = len(labels)
    if horizon > rows:
        raise InputError(f"the order weakest-class shows no row twice: rounds must be at most {rows}")
    return WeakestClass(rng.permutation(rows), labels, rng.random(horizon), arms)


def _passes(labels: Rows, horizon: int) -> int:
    return -(-horizon // len(labels))


@dataclass(frozen=True)
class OrderKind:
    """A named order.

    Attributes:
        make: from labels [N], K, T and a generator to the order of one replica.
        kernel: "fixed" where `make` gives a `Fixed` order; of an order that reacts to the agent its
            compiled form, see neucb/engines/kernels/orders.py, or None where it has none: the torch
            engine then plays it, step by step.
    """

    make: Callable[[Rows, int, int, np.random.Generator], Order]
    kernel: Kernel | None = None

    @property
    def reacts(self) -> bool:
        """Whether rows depend on what the agent plays."""
        return self.kernel != "fixed"


KERNELS: dict[Kernel, type[Order]] = {"fixed": Fixed, "weakest-class": WeakestClass}
ORDERS = {
    "shuffled": OrderKind(_shuffled, "fixed"),
    "stored": OrderKind(_stored, "fixed"),
    "sorted": OrderKind(_sorted, "fixed"),
    "weakest-class": OrderKind(_weakest_class, "weakest-class"),
}


def find_order(name: str) -> OrderKind:
    """Return the order of a name.

    Raises:
        InputError: there is none.
    """
    if name not in ORDERS:
        raise unknown_name("order", name, ORDERS)
    return ORDERS[name]


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
    kind = find_order(name)
    order = kind.make(labels, arms, horizon, stream(seed, "order"))
    if kind.kernel is not None and not isinstance(order, KERNELS[kind.kernel]):
        raise TypeError(f"the kernel '{kind.kernel}' does not play {type(order).__name__}, the order {name}")
    return order
