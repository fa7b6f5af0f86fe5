"""Exploration rules that weight arms by the gap of their predicted loss to the least one.

All rules compute in float64 and elementwise over [R, K]. The best arm b is the argmin of the predicted
losses; arms within a relative 1e-12 of it are tied, and the lowest index wins. Unavailable
arms have probability 0, and K is the number of available arms.

To add a rule of this kind, write a class derived from `GammaRule` with `name`, `formula` and `weight`, and
name it in the row of a recipe: the kernels compile its `weight`, the very function that the torch engine
calls. A rule whose strength is not gamma derives from `GapRule` and has a `schedule` too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from neucb.agents.parameter import Parameter
from neucb.agents.per_replica import Number
from neucb.agents.prediction import gaps
from neucb.agents.rules import formulas
from neucb.agents.rules.rule import Rule
from neucb.agents.rules.schedules import (
    GAMMA,
    SCHEDULE,
    Decay,
    Doubling,
    FastTheory,
    Schedule,
    SquareTheory,
    gamma_of,
)
from neucb.core.constants import FLOOR
from neucb.kernels import types

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.prediction import Prediction, Round
    from neucb.agents.propensity import Kinds

THEORY = (
    *GAMMA,
    replace(
        SCHEDULE,
        help="schedule of gamma_t, rho = gamma_power: gamma t^rho (time), gamma (1 + own loss)^rho (loss), "
        "FALCON's gamma sqrt(K tau), tau the end of the last doubling epoch (epochs), or the constant of "
        "the rule's theorem, from regression_regret and best_loss (theory)",
        choices=("time", "loss", "epochs", "theory"),
    ),
    Parameter(
        "regression_regret",
        10.0,
        "regression regret Reg of gamma_schedule theory: loss beyond the best network's, over the run",
        above_low=True,
    ),
    Parameter(
        "best_loss", 0.0, "loss L* of the best policy over the run, for FastCB's gamma_schedule theory"
    ),
)


def _rest_to_best(probability: Tensor, gap: Tensor) -> Tensor:
    """Add 1 - sum(p) to the probability of the best arm, the first whose gap is 0, in place."""
    rest = 1.0 - probability.sum(1, keepdim=True)
    return probability.scatter_add_(1, gap.argmin(1, keepdim=True), rest)


class GapRule(Rule):
    """Base of rules that weigh every arm by the gap of its predicted loss to the least one.

    Attributes:
        weight: function of the weight of an arm, see `neucb.agents.rules.formulas`, for both engines.
        floor: lower bound to which predicted losses are clipped first.
        proportional: whether probabilities are proportional to the weights; otherwise they are the weights,
            and the best arm has the remainder of 1.
    """

    weight: ClassVar[Any]
    uses_autograd: ClassVar[bool]
    kernel_kind = types.BY_GAP

    def __init_subclass__(cls) -> None:
        """Declare that a rule made of a weight alone needs no gradients."""
        super().__init_subclass__()
        if "__call__" not in vars(cls) and "uses_autograd" not in vars(cls):
            cls.uses_autograd = False

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K]."""
        mean, available, arms = prediction.mean.double(), prediction.available, prediction.mean.shape[1]
        strength = self.schedule(now, arms).unsqueeze(1)
        among: Tensor | int = arms
        if available is not None:
            mean, among = mean.masked_fill(~available, math.inf), available.sum(1, keepdim=True)
        least, gap = gaps(mean if math.isinf(self.floor) else mean.clamp_min(self.floor))
        weight: Tensor = self.weight(gap, least, strength, among, type(gap).exp)
        if weight.shape != gap.shape:
            weight = weight.expand_as(gap).clone()
        if available is not None:
            weight = weight.masked_fill(~available, 0.0)
        if self.proportional:
            return weight / weight.sum(1, keepdim=True)
        return _rest_to_best(weight, gap)


@dataclass(frozen=True)
class GammaRule(GapRule):
    """Base of gap rules whose exploration strength is gamma.

    Attributes:
        gamma: schedule of gamma.
    """

    gamma: Schedule

    parameters: ClassVar[tuple[Parameter, ...]] = (*GAMMA, SCHEDULE)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule of these hyper-parameters."""
        return cls(gamma_of(settings))

    @property
    def schedule(self) -> Schedule:
        """Schedule of gamma."""
        return self.gamma


class InverseGap(GammaRule):
    """Inverse gap weighting, the rule of SquareCB.

    p_a = 1 / (K + gamma (yhat_a - yhat_b)) for a != b; b has the remainder of 1.
    Abe and Long, ICML 1999; Foster and Rakhlin, ICML 2020 (arXiv 2002.04926), Algorithm 1.
    """

    name = "inverse-gap"
    parameters: ClassVar[tuple[Parameter, ...]] = THEORY
    formula = "p_a = 1 / (K + gamma_t (yhat_a - yhat_b)) for a != b = argmin yhat, p_b the rest"
    weight = staticmethod(formulas.inverse_gap)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule of these hyper-parameters."""
        return cls(gamma_of(settings, SquareTheory(settings["regression_regret"])))


class Falcon(InverseGap):
    """Inverse gap weighting, gamma constant within an epoch, see `neucb.agents.wrappers.epochs`."""

    name = "falcon"
    parameters = (
        Parameter(
            "gamma",
            10.0,
            "scale c of gamma_m = c sqrt(K tau), tau the last round before epoch m; larger is greedier",
        ),
    )
    formula = (
        "p_a = 1 / (K + gamma_m (yhat_a - yhat_b)) for a != b = argmin yhat, p_b the rest, "
        "gamma_m constant within epoch m"
    )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule of these hyper-parameters."""
        return cls(Doubling(settings["gamma"]))


class FastInverseGap(GammaRule):
    """Reweighted inverse gap weighting, the rule of FastCB.

    p_a = yhat_b / (K yhat_b + gamma (yhat_a - yhat_b)) for a != b; b has the remainder. Predicted losses
    are clipped to at least 1e-6 first. Foster and Krishnamurthy, NeurIPS 2021 (arXiv 2107.02237).
    """

    name = "fast-inverse-gap"
    parameters: ClassVar[tuple[Parameter, ...]] = THEORY
    formula = "p_a = yhat_b / (K yhat_b + gamma_t (yhat_a - yhat_b)) for a != b = argmin yhat, p_b the rest"
    weight = staticmethod(formulas.fast_inverse_gap)
    floor = FLOOR

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule of these hyper-parameters."""
        return cls(gamma_of(settings, FastTheory(settings["best_loss"], settings["regression_regret"])))


@dataclass(frozen=True)
class EpsilonGreedy(GapRule):
    """Epsilon-greedy: p_b = 1 - epsilon_t + epsilon_t / K, every other arm epsilon_t / K.

    epsilon_t = min(1, epsilon / t^power); power 0 is a constant epsilon, epsilon 0 is greedy.
    """

    epsilon: Number = 0.05
    power: Number = 0.0

    name = "epsilon-greedy"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("epsilon", 0.05, "probability epsilon of a uniformly drawn arm", high=1.0),
        Parameter(
            "epsilon_power",
            0.0,
            "exponent of the decay epsilon_t = epsilon / t^epsilon_power; 0 for a constant epsilon",
            high=1.0,
        ),
    )
    formula = "p_b = 1 - epsilon_t + epsilon_t / K for b = argmin yhat, epsilon_t / K for the others"
    weight = staticmethod(formulas.even_share)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule of these hyper-parameters."""
        return cls(settings["epsilon"], settings["epsilon_power"])

    @property
    def schedule(self) -> Schedule:
        """Schedule of epsilon."""
        return Decay(self.epsilon, self.power)

    @property
    def propensity_kind(self) -> Kinds:
        """Propensity kind, see `neucb.agents.propensity`: "deterministic" where epsilon is 0."""
        if isinstance(self.epsilon, Sequence):
            return tuple("exact" if one else "deterministic" for one in self.epsilon)
        return "exact" if self.epsilon else "deterministic"


class Greedy(EpsilonGreedy):
    """Greedy play: p_b = 1 for the best arm b."""

    name = "greedy"
    parameters = ()
    formula = "p_b = 1, b = argmin yhat"

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule, which has no hyper-parameters."""
        return cls(0.0)


class Softmax(GammaRule):
    """Boltzmann exploration: p_a proportional to exp(-gamma (yhat_a - yhat_b)).

    gamma is the inverse temperature. Cesa-Bianchi, Gentile, Lugosi, Neu, "Boltzmann Exploration Done
    Right", NeurIPS 2017 (arXiv 1705.10257), equation 1.
    """

    name = "softmax"
    formula = "p_a proportional to exp(-gamma_t yhat_a)"
    weight = staticmethod(formulas.boltzmann)
    proportional = True
