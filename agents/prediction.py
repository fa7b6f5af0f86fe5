"""Prediction and Round: the inputs of an exploration rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neucb.core.constants import TIE

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from neucb.agents.noise import Noise


@dataclass(frozen=True)
class Prediction:
    """Predicted losses of all arms of all replicas.

    Attributes:
        mean: [R, K] predicted losses; losses lie in [0, 1], predictions need not.
        std: [R, K] standard deviations >= 0, or None for an oracle without uncertainty.
        available: [R, K] bool mask of the arms that may be played, or None for all.
        output: [R, K] values compared with `std` instead of `mean`: outputs before the link, where `std`
            is their deviation, or clipped means; None for the means. An increasing link preserves the order
            of the arms.
        factor: [R, K, q] factor of the joint covariance: outputs + factor z with z standard normal in R^q
            is a posterior draw, and `std` the norm of the factor's rows. None for independent arms.
    """

    mean: Tensor
    std: Tensor | None = None
    available: Tensor | None = None
    output: Tensor | None = None
    factor: Tensor | None = None


@dataclass(frozen=True)
class Round:
    """Round information for an exploration rule.

    Attributes:
        number: t = 1, 2, ..., the round to be played.
        observed_loss: [R] float64, cumulative loss of each replica before round t.
        horizon: T, the number of rounds of the run.
        noise: normal draws for randomised rules, or None.
        pending: number of rounds played since round t whose losses have not arrived.
    """

    number: int
    observed_loss: Tensor
    horizon: int
    noise: Noise | None = None
    pending: int = 0

    def normal(self, count: int) -> Tensor:
        """Return this round's normal draws, float64 [R, count]."""
        assert self.noise is not None
        return self.noise.normal(self.number + self.pending, count)

    def further(self) -> list[np.random.Generator]:
        """Return a generator per replica for draws of this round that do not choose the arm."""
        assert self.noise is not None
        return self.noise.further(self.number + self.pending)

    def after(self, loss: Tensor) -> Round:
        """Return the next round, with the loss [R] of this round observed."""
        observed = self.observed_loss + loss
        return Round(self.number + 1, observed, self.horizon, self.noise, self.pending)


def gaps(mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least prediction [R, 1] and the gaps to it [R, K], tied arms at exactly 0."""
    least = mean.amin(1, keepdim=True)
    gap = mean - least
    return least, gap.masked_fill_(gap <= TIE * least.abs(), 0.0)


def lowest(score: Tensor) -> Tensor:
    """Return probability 1 for the arm of least score [R, K], float64; ties go to the lowest index."""
    best = gaps(score)[1].argmin(1, keepdim=True)
    return score.new_zeros(score.shape).scatter(1, best, 1.0)
