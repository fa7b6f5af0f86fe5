"""Prediction: what passes from an oracle to an exploration rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """Predicted losses of all arms of all replicas.

    Attributes:
        mean: [R, K] predicted losses; their true values lie in [0, 1], predictions need not.
        std: [R, K] standard deviations >= 0, or None where the oracle knows none.
        available: [R, K] bool, which arms may be played, or None for all.
    """

    mean: Tensor
    std: Tensor | None = None
    available: Tensor | None = None


@dataclass(frozen=True)
class Round:
    """What an exploration rule may know of the time.

    Attributes:
        number: t = 1, 2, ..., the round that is about to be played.
        observed_loss: [R] float64, cumulative loss that each replica has seen before it.
        horizon: T, the number of rounds of the run.
    """

    number: int
    observed_loss: Tensor
    horizon: int

    def after(self, loss: Tensor) -> Round:
        """Return the next round, `loss` [R] having been seen in this one."""
        return Round(self.number + 1, self.observed_loss + loss.double(), self.horizon)
