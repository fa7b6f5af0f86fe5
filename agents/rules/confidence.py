"""Rules for oracles with standard deviations: lower confidence bounds and Thompson sampling.

Losses are minimised, so that optimism is the LOWER confidence bound. Both rules play one arm with
probability 1: in Thompson sampling the arm of least draw in this round. The probability of an arm before
the draw, its propensity, comes from an integral or from further draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from neucb.agents.parameter import Parameter
from neucb.agents.per_replica import Number, per_replica
from neucb.agents.prediction import lowest
from neucb.agents.propensity import Kinds, Propensities, estimated_chances, least_chances
from neucb.agents.rules.rule import Rule
from neucb.agents.rules.schedules import Power, Schedule
from neucb.core.errors import InputError
from neucb.kernels import types

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.prediction import Prediction, Round


def _parts(prediction: Prediction) -> tuple[Tensor, Tensor]:
    """Return centres and standard deviations [R, K], float64.

    Raises:
        InputError: the oracle gives no standard deviations.
    """
    if prediction.std is None:
        raise InputError("this rule needs an oracle with standard deviations (Prediction.std)")
    centre = prediction.mean if prediction.output is None else prediction.output
    return centre.double(), prediction.std.double()


def _certain(score: Tensor, prediction: Prediction) -> Tensor:
    """Return probability 1 for the available arm of least score; NaN for replicas with a NaN score."""
    bad = score.isnan().any(1, keepdim=True)
    if prediction.available is not None:
        score = score.masked_fill(~prediction.available, math.inf)
    return lowest(score).masked_fill(bad, math.nan)


@dataclass(frozen=True)
class LowerConfidence(Rule):
    """p_a = 1 for the arm of least yhat_a - alpha std_a.

    With ridge regressions the rule is LinUCB: Li, Chu, Langford, Schapire, WWW 2010 (arXiv
    1003.0146), Algorithm 1. Where the oracle has a link, output and std before the link are compared, as in
    UCB-GLM: Li, Lu, Zhou, ICML 2017 (arXiv 1703.00048), Algorithm 1.

    Attributes:
        alpha: factor of the standard deviation, `nu` in NeuralUCB; one number or one per replica.
    """

    alpha: Number

    uses_autograd = False
    name = "lower-confidence"
    parameters = (
        Parameter(
            "alpha",
            0.1,
            "factor of the standard deviation in the lower bound; larger explores more",
            aliases=("nu",),
        ),
    )
    formula = "plays argmin (mean_a - alpha std_a), means before the link"
    needs_std = True
    kernel_kind = types.LOWER_CONFIDENCE
    propensity_kind: ClassVar[Kinds] = "deterministic"

    @property
    def schedule(self) -> Schedule:
        """Schedule of alpha, which is constant."""
        return Power(self.alpha, 0.0)

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K], one of them 1."""
        centre, std = _parts(prediction)
        alpha = per_replica(self.alpha, len(centre), device=str(centre.device)).unsqueeze(1)
        return _certain(centre - alpha * std, prediction)


@dataclass(frozen=True)
class Thompson(Rule):
    """p_a = 1 for the arm of least draw from N(yhat_a, nu^2 std_a^2).

    Arms are drawn together where the oracle gives a factor of their covariance, and independently
    where it does not. Agrawal and Goyal, ICML 2013 (arXiv 1209.3352), Algorithm 1.

    Attributes:
        nu: factor of the standard deviation; one number or one per replica.
    """

    nu: Number

    uses_autograd = False
    name = "thompson"
    parameters = (
        Parameter("nu", 0.1, "factor of the standard deviation of the draws; larger explores more"),
    )
    needs_std = True
    formula = "plays argmin of draws from N(mean_a, nu^2 std_a^2), means before the link"
    kernel_kind = types.THOMPSON

    @property
    def schedule(self) -> Schedule:
        """Schedule of nu, which is constant."""
        return Power(self.nu, 0.0)

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K], one of them 1."""
        centre, std = _parts(prediction)
        nu = per_replica(self.nu, len(centre), device=str(centre.device)).unsqueeze(1)
        if prediction.factor is None:
            deviation = std * now.normal(std.shape[1])
        else:
            factor = prediction.factor.double()
            deviation = (factor * now.normal(factor.shape[2]).unsqueeze(1)).sum(2)
        return _certain(centre + nu * deviation, prediction)

    def propensities(self, prediction: Prediction, now: Round) -> Propensities:
        """Return the probabilities [R, K] of the arms before the draw.

        Exact where arms are drawn independently, estimated by 10,000 further draws where together.
        """
        import torch

        centre, std = _parts(prediction)
        mask = None if prediction.available is None else prediction.available.cpu().numpy()
        nu, mean = per_replica(self.nu, len(centre)).abs(), centre.detach().cpu().numpy()
        if prediction.factor is None:
            sd = nu.unsqueeze(1) * std.detach().cpu()
            return Propensities(torch.from_numpy(least_chances(mean, sd.numpy(), mask)), "exact")
        factor = nu.view(-1, 1, 1) * prediction.factor.detach().cpu().double()
        p = estimated_chances(mean, factor.numpy(), now.further(), mask)
        return Propensities(torch.from_numpy(p), "estimated")
