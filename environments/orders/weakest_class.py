"""Weakest-class order: rows of the class with the greatest mean loss become more likely."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.environments.orders.order import CompiledOrder, Rows

REACT_AFTER = 500  # shuffled rounds before the order adapts
REACT_SHARE = 0.5  # probability that a later round shows a row of the weakest class

Array = NDArray[Any]


class WeakestClassState(NamedTuple):
    """State of a `WeakestClass` order.

    Attributes:
        shuffled: permutation of all rows [N].
        coins: uniform numbers in [0, 1) [T], one per round.
        used: whether a row was shown [N].
        queue: rows grouped by label [N], each label's in the shuffled order.
        first, last: bounds in `queue` of each label's remaining rows [K].
        loss, met: sum of the losses of each label, and its number of rounds [K].
        next: position in `shuffled` [1].
    """

    shuffled: Array
    coins: Array
    used: Array
    queue: Array
    first: Array
    last: Array
    loss: Array
    met: Array
    next: Array

    def row(self, t: int) -> int:
        """Return the row of round t."""
        row, worst = -1, -1.0
        if t >= REACT_AFTER and self.coins[t] < REACT_SHARE:
            for label in range(len(self.last)):
                last = self.last[label]
                while last > self.first[label] and self.used[self.queue[last - 1]]:
                    last -= 1
                self.last[label] = last
                if last > self.first[label] and self.met[label] > 0.0:
                    mean = self.loss[label] / self.met[label]
                    if mean > worst:
                        row, worst = self.queue[last - 1], mean
        if row < 0:
            while self.used[self.shuffled[self.next[0]]]:
                self.next[0] += 1
            row = self.shuffled[self.next[0]]
        self.used[row] = True
        return row

    def observe(self, label: int, loss: float) -> None:
        """Add the loss of a round to its class."""
        self.loss[label] += loss
        self.met[label] += 1.0


class WeakestClass(CompiledOrder):
    """Adaptive order with more rows of the class on which the agent is worst; no row comes twice.

    The first 500 rounds are a shuffled order. From then on a round shows, with probability 1/2, a row
    of the class with the greatest mean loss so far that still has rows, otherwise the next row of
    the shuffled order. The former come from that order's end, so that the rest keeps the classes' shares
    for long. Our reading of the adaptive sequences of Deb et al., ICLR 2024.

    Raises:
        InputError: more rounds than rows.
    """

    def __init__(self, labels: Rows, arms: int, horizon: int, rng: np.random.Generator) -> None:
        rows = len(labels)
        if horizon > rows:
            raise InputError(f"the order weakest-class shows no row twice: rounds must be at most {rows}")
        shuffled, coins = rng.permutation(rows), rng.random(horizon)
        ranked = labels[shuffled]
        counts = np.bincount(ranked, minlength=arms)
        last = np.cumsum(counts)
        loss, met = np.zeros((2, arms))
        self.state = WeakestClassState(
            shuffled=shuffled,
            coins=coins,
            used=np.zeros(rows, np.bool_),
            queue=shuffled[np.argsort(ranked, kind="stable")],
            first=last - counts,
            last=last,
            loss=loss,
            met=met,
            next=np.zeros(1, np.int64),
        )
