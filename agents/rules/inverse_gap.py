"""Exploration rules: from predicted losses to a probability for every arm.

All compute in float64 and elementwise over [R, K]. The best arm b is the argmin of the predicted
losses; arms within a relative 1e-12 of it are tied, and the lowest index wins. Arms that are not
available have probability 0, and K counts those that are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neucb.agents.per_replica import Number, per_replica
from neucb.agents.prediction import gaps
from neucb.agents.rules.schedules import Schedule
from neucb.core.constants import FLOOR

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.prediction import Prediction, Round
    from neucb.agents.propensity import Kinds


def _losses(prediction: Prediction) -> tuple[Tensor, Tensor | int]:
    """Return predicted losses [R, K], infinite for arms not available, and how many are, one or [R, 1]."""
    mean = prediction.mean.double()
    if prediction.available is None:
        return mean, mean.shape[1]
    return mean.masked_fill(~prediction.available, math.inf), prediction.available.sum(1, keepdim=True)


def _rest_to_best(probability: Tensor, gap: Tensor, available: Tensor | None) -> Tensor:
    """Give what the available arms leave of 1 to the best arm, the first whose gap is 0, on top; in place."""
    if available is not None:
        probability.masked_fill_(~available, 0.0)
    rest = 1.0 - probability.sum(1, keepdim=True)
    return probability.scatter_add_(1, gap.argmin(1, keepdim=True), rest)


@dataclass(frozen=True)
class InverseGap:
    """Inverse gap weighting, the rule of SquareCB.

    p_a = 1 / (K + gamma (yhat_a - yhat_b)) for a != b; b has the rest.
    Abe and Long, ICML 1999; Foster and Rakhlin, ICML 2020 (arXiv 2002.04926), Algorithm 1.
    """

    uses_autograd = False
    gamma: Schedule

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K]."""
        mean, arms = _losses(prediction)
        _, gap = gaps(mean)
        gamma = self.gamma(now, mean.shape[1]).unsqueeze(1)
        return _rest_to_best((gamma * gap).add_(arms).reciprocal_(), gap, prediction.available)


@dataclass(frozen=True)
class FastInverseGap:
    """Reweighted inverse gap weighting, the rule of FastCB.

    p_a = yhat_b / (K yhat_b + gamma (yhat_a - yhat_b)) for a != b; b has the rest. Predicted losses
    are raised to at least 1e-6 first. Foster and Krishnamurthy, NeurIPS 2021 (arXiv 2107.02237).
    """

    uses_autograd = False
    gamma: Schedule

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K]."""
        mean, arms = _losses(prediction)
        least, gap = gaps(mean.clamp_min(FLOOR))
        gamma = self.gamma(now, mean.shape[1]).unsqueeze(1)
        return _rest_to_best(least / (gamma * gap).add_(arms * least), gap, prediction.available)


@dataclass(frozen=True)
class EpsilonGreedy:
    """p_b = 1 - epsilon_t + epsilon_t / K; every other arm epsilon_t / K.

    epsilon_t = min(1, epsilon / t^power); power 0 is a constant epsilon, epsilon 0 is greedy.
    """

    uses_autograd = False
    epsilon: Number = 0.05
    power: Number = 0.0

    @property
    def propensity_kind(self) -> Kinds:
        """See `neucb.agents.propensity`: with epsilon 0 one arm is played for certain."""
        if isinstance(self.epsilon, Sequence):
            return tuple("exact" if one else "deterministic" for one in self.epsilon)
        return "exact" if self.epsilon else "deterministic"

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K]."""
        mean, arms = _losses(prediction)
        _, gap = gaps(mean)
        R, device = len(mean), str(mean.device)
        decay = now.number ** per_replica(self.power, R, device=device)
        epsilon = (per_replica(self.epsilon, R, device=device) / decay).clamp_max(1.0).unsqueeze(1)
        return _rest_to_best((epsilon / arms).expand_as(mean).clone(), gap, prediction.available)


@dataclass(frozen=True)
class Softmax:
    """Boltzmann exploration: p_a proportional to exp(-gamma (yhat_a - yhat_b)).

    gamma is the inverse temperature. Cesa-Bianchi, Gentile, Lugosi, Neu, "Boltzmann Exploration Done
    Right", NeurIPS 2017 (arXiv 1705.10257), equation 1.
    """

    uses_autograd = False
    gamma: Schedule

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K]."""
        mean, _ = _losses(prediction)
        _, gap = gaps(mean)
        gamma = self.gamma(now, mean.shape[1]).unsqueeze(1)
        weight = (-gamma * gap).exp().masked_fill(gap.isinf(), 0.0)
        return weight / weight.sum(1, keepdim=True)
