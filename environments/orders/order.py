"""Base classes of row orders: fixed before the run, adaptive, and adaptive with a compiled form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


class Order(ABC):
    """Sequence of rows of one replica.

    All random numbers come from `rng`, so that no replica depends on another. A direct subclass may react
    to the agent; the torch engine plays it.

    Args:
        labels: labels of the table's rows [N], in 0..K-1.
        arms: number of arms K.
        horizon: number of rounds T.
        rng: stream "order" of the replica.

    Raises:
        InputError: an order that cannot fill `horizon` rounds.
    """

    @abstractmethod
    def __init__(self, labels: Rows, arms: int, horizon: int, rng: np.random.Generator) -> None: ...

    @abstractmethod
    def row(self, t: int) -> int:
        """Return the row of round t = 0, 1, ...; called once per round, in turn."""

    @abstractmethod
    def observe(self, label: int, loss: float) -> None:
        """Observe the round just played.

        Args:
            label: label of the row in the table, before drift.
            loss: expected loss of the played arm.
        """


class FixedOrder(Order):
    """Order known before the run; both engines play it.

    Attributes:
        rows: row of every round [T].
    """

    def __init__(self, labels: Rows, arms: int, horizon: int, rng: np.random.Generator) -> None:
        self.rows = self.draw(labels, horizon, rng)

    @abstractmethod
    def draw(self, labels: Rows, horizon: int, rng: np.random.Generator) -> Rows:
        """Return the row of every round [T]; arguments as for `Order`."""

    def row(self, t: int) -> int:
        """Return the row of round t."""
        return int(self.rows[t])

    def observe(self, label: int, loss: float) -> None:
        """Ignore the round."""


class State(Protocol):
    """State of a `CompiledOrder`: a NamedTuple of arrays with the two methods of an order.

    The torch engine calls the methods, the compiled engine compiles their source. So they write to the arrays
    in place, call no function but numpy's and math's, and read constants of their own module only.
    """

    def row(self, t: int) -> int:
        """Return the row of round t, see `Order.row`."""

    def observe(self, label: int, loss: float) -> None:
        """Observe the round just played, see `Order.observe`."""


class CompiledOrder(Order):
    """Adaptive order that both engines play.

    Attributes:
        state: arrays and rules of the order, always of the same NamedTuple class.
    """

    state: State

    def row(self, t: int) -> int:
        """Return the row of round t."""
        return int(self.state.row(t))

    def observe(self, label: int, loss: float) -> None:
        """Observe the round just played."""
        self.state.observe(label, loss)
