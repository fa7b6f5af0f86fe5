"""Prediction: what passes from an oracle to an exploration rule."""

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
        mean: [R, K] predicted losses; their true values lie in [0, 1], predictions need not.
        std: [R, K] standard deviations >= 0, or None where the oracle knows none.
        available: [R, K] bool, which arms may be played, or None for all.
        output: [R, K] what is compared beside `std` in the place of `mean`: outputs before the link, where
            `std` is theirs, or means that are bounded; None for the means. An increasing link leaves the
            order of the arms as it is.
        factor: [R, K, q] of the joint distribution: outputs + factor z, z standard normal in R^q, is a
            draw from it, and `std` the length of the factor's rows. None: arms are independent.
    """

    mean: Tensor
    std: Tensor | None = None
    available: Tensor | None = None
    output: Tensor | None = None
    factor: Tensor | None = None


@dataclass(frozen=True)
class Round:
    """What an exploration rule may know of the time.

    Attributes:
        number: t = 1, 2, ..., the round that is about to be played.
        observed_loss: [R] float64, cumulative loss that each replica has seen before it.
        horizon: T, the number of rounds of the run.
        noise: normal numbers for rules that draw, or None.
        pending: rounds played since round t whose losses have not arrived.
    """

    number: int
    observed_loss: Tensor
    horizon: int
    noise: Noise | None = None
    pending: int = 0

    def normal(self, count: int) -> Tensor:
        """Return this round's own normal numbers, float64 [R, count]."""
        assert self.noise is not None
        return self.noise.normal(self.number + self.pending, count)

    def further(self) -> list[np.random.Generator]:
        """Return a generator per replica for draws of this round that nothing is played by."""
        assert self.noise is not None
        return self.noise.further(self.number + self.pending)

    def after(self, loss: Tensor) -> Round:
        """Return the next round, `loss` [R] having been seen in this one."""
        seen = self.observed_loss + loss
        return Round(self.number + 1, seen, self.horizon, self.noise, self.pending)


def gaps(mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least prediction [R, 1] and the gaps to it [R, K], tied arms at exactly 0."""
    least = mean.amin(1, keepdim=True)
    gap = mean - least
    return least, gap.masked_fill_(gap <= TIE * least.abs(), 0.0)


def lowest(score: Tensor) -> Tensor:
    """Return probability 1 for the arm of least score [R, K], float64; the lowest index of tied ones."""
    best = gaps(score)[1].argmin(1, keepdim=True)
    return score.new_zeros(score.shape).scatter(1, best, 1.0)
