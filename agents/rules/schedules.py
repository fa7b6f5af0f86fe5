"""Schedules of gamma, the exploration parameter of inverse gap weighting: larger is greedier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from neucb.agents.per_replica import Number, per_replica
from neucb.core.constants import DELTA

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.prediction import Round


def epoch_start(number: int) -> int:
    """Return tau_{m-1}, the last round of the epoch before that of round `number` >= 1.

    Epochs end at tau_m = 2^m: 2, 4, 8, ...; tau_0 = 0.
    """
    return 0 if number <= 2 else 1 << ((number - 1).bit_length() - 1)


class Schedule(Protocol):
    """A frozen value that gives gamma for a round."""

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R], float64, > 0 or 0 for uniform play."""


def _numbers(value: Number, now: Round) -> Tensor:
    loss = now.observed_loss
    return per_replica(value, loss.shape[0], device=str(loss.device))


def _power(now: Round, exponent: Number) -> Tensor | float:
    """Return t^exponent, one number or [R], by the same arithmetic as the compiled engine."""
    if not isinstance(exponent, Sequence):
        return float(now.number**exponent)
    import torch

    powers = torch.tensor([now.number**one for one in exponent], dtype=torch.float64)
    return powers.to(now.observed_loss.device)


@dataclass(frozen=True)
class Power:
    """gamma_t = scale * t^exponent; exponent 0 is a constant gamma."""

    scale: Number = 10.0
    exponent: Number = 0.5

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        return _numbers(self.scale, now) * _power(now, self.exponent)


@dataclass(frozen=True)
class ObservedLoss:
    """gamma_t = scale * (1 + observed cumulative loss)^exponent: greedier as long as little is lost.

    The data-driven form of the theory's gamma ~ sqrt(K L*): the learner's own loss stands in for L*.
    """

    scale: Number = 10.0
    exponent: Number = 0.5

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        return _numbers(self.scale, now) * (1.0 + now.observed_loss) ** _numbers(self.exponent, now)


@dataclass(frozen=True)
class SquareTheory:
    """gamma = sqrt(K T / (Reg + log(2 / delta))), constant over the run.

    Foster and Rakhlin, ICML 2020, Theorem 1. Reg is the oracle's regression regret over T rounds.
    """

    regression_regret: Number
    delta: float = DELTA

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        regret = _numbers(self.regression_regret, now)
        return (arms * now.horizon / (regret + math.log(2.0 / self.delta))).sqrt()


@dataclass(frozen=True)
class FastTheory:
    """gamma = max(sqrt(K L* / (3 Reg)), 10 K), constant over the run.

    Foster and Krishnamurthy, "Efficient First-Order Contextual Bandits", NeurIPS 2021
    (arXiv 2107.02237), as we read it. L* is the best policy's loss over T rounds.
    """

    best_loss: Number
    regression_regret: Number

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        best, regret = _numbers(self.best_loss, now), _numbers(self.regression_regret, now)
        return (arms * best / (3.0 * regret)).sqrt().clamp_min(10.0 * arms)


@dataclass(frozen=True)
class Doubling:
    """FALCON's gamma_m = scale * sqrt(K tau_{m-1}) within epoch m, tau_m = 2^m, and gamma_1 = 1.

    Simchi-Levi and Xu (arXiv 2003.12699), Algorithm 1, has scale = (1/30) / sqrt(log(|F| tau / delta))
    for a finite class F of regressors; here the logarithm is left to the scale.
    """

    scale: Number = 1.0

    def __call__(self, now: Round, arms: int) -> Tensor:
        """Return gamma [R]."""
        start = epoch_start(now.number)
        scale = _numbers(self.scale, now)
        return scale * math.sqrt(arms * start) if start else scale.new_ones(len(scale))
