"""Exp4: exponential weights over a few agents that are all updated in every round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from neucb.agents.base import CountsPending, ask
from neucb.agents.per_replica import Number, per_replica
from neucb.agents.propensity import Propensities, draws, each_kind, propensities_of
from neucb.core.errors import DivergedError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import Agent
    from neucb.core.spec import Spec


def expert_diverged(t: int, replica: int, seed: int, name: str) -> DivergedError:
    """Return the error for an expert whose predictions are not finite; t counts from 0."""
    return DivergedError(
        f"round {t + 1}, seed {seed}: the predictions of its expert {name} are no longer finite, the expert "
        f"diverged; leave this seed out, or play {name} alone with a lower step size",
        t,
        replica,
    )


class Exp4(CountsPending):
    """Mixture p_a = (1 - mixing) sum_i w_i xi_i(a) + mixing / K, xi_i the distribution of expert i.

    After each round w_i is multiplied by exp(-eta_t xi_i(a) y / p_a), an unbiased estimate of the
    loss of expert i, with eta_t = eta sqrt(log N / (K t)). Auer, Cesa-Bianchi, Freund, Schapire,
    "The Nonstochastic Multiarmed Bandit Problem", SIAM Journal on Computing 2002, section 7, with a
    rate that does not depend on the horizon. All experts are updated in every round.

    Args:
        experts: N >= 2 agents.
        names: names of the experts for the error of a diverged one; their numbers by default.
        eta: scale > 0 of the rate; one number or one per replica.
        mixing: share of uniform play in [0, 1]; one number or one per replica.
    """

    def __init__(
        self,
        experts: Sequence[Agent],
        *,
        eta: Number = 1.0,
        mixing: Number = 0.01,
        names: Sequence[str] | None = None,
    ) -> None:
        self.experts = tuple(experts)
        self.names = tuple(names or (str(i + 1) for i in range(len(self.experts))))
        self.eta = eta
        self.mixing = mixing

    def reset(self, spec: Spec) -> None:
        """Reset the state to R = spec.replicas untrained replicas."""
        for expert in self.experts:
            expert.reset(spec)
        N, R = len(self.experts), spec.replicas
        scale = math.sqrt(math.log(N) / spec.arms)
        self._eta = per_replica(self.eta, R, device=spec.device) * scale
        self._mixing = per_replica(self.mixing, R, device=spec.device).unsqueeze(1)
        self._log_weight = self._eta.new_zeros(R, N)
        self._seeds = spec.seeds
        self._round = self.pending = 0
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def weights(self) -> Tensor:
        """Weights of the experts [R, N], float64; they sum to 1."""
        shifted = (self._log_weight - self._log_weight.amax(1, keepdim=True)).exp()
        return shifted / shifted.sum(1, keepdim=True)

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return the mixture of the experts' distributions [R, K].

        Raises:
            DivergedError: an expert's distribution holds NaN.
        """
        distributions = [ask(expert, context, available).double() for expert in self.experts]
        advice = torch.stack(distributions, 1)  # [R, N, K]
        diverged = advice.isnan().any(2)
        if bool(diverged.any()):
            r, i = diverged.nonzero()[0].tolist()
            raise expert_diverged(self._round + self.pending, r, self._seeds[r], self.names[i])
        mixture = (self.weights.unsqueeze(2) * advice).sum(1)
        even = torch.ones_like(mixture) if available is None else available.double()
        p = (1.0 - self._mixing) * mixture + self._mixing * even / even.sum(1, keepdim=True)
        self._last = (context, advice, p)
        return p

    @property
    def draws(self) -> bool:
        """Whether an expert draws random numbers, see `neucb.agents.propensity`."""
        return any(draws(expert) for expert in self.experts)

    def propensities(self, given: Tensor) -> Propensities:
        """Return the mixture [R, K] of the experts' propensities; the weights do not depend on the draws."""
        assert self._last is not None
        advice = self._last[1]
        parts = [propensities_of(expert, advice[:, i]) for i, expert in enumerate(self.experts)]
        marginal = torch.stack([part.p.to(advice.device) for part in parts], 1)
        shift = (self.weights.unsqueeze(2) * (marginal - advice)).sum(1)
        p = (given + (1.0 - self._mixing) * shift).clamp(0.0, 1.0)
        kinds = zip(*(each_kind(part.kind, len(p)) for part in parts), strict=True)
        return Propensities(p, tuple("estimated" if "estimated" in row else "exact" for row in kinds))

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Update the weights by the experts' estimated losses, then update all experts."""
        if self._last is None or self._last[0] is not context:
            self.distribution(context)
        assert self._last is not None
        _, advice, p = self._last
        self._last = None
        self._round += 1
        index = action.view(-1, 1, 1).expand(-1, len(self.experts), 1)
        chance = p.gather(1, action.unsqueeze(1))  # [R, 1]
        estimate = advice.gather(2, index).squeeze(2) * loss.double().unsqueeze(1) / chance  # [R, N]
        self._log_weight = self._log_weight - (self._eta / math.sqrt(self._round)).unsqueeze(1) * estimate
        for expert in self.experts:
            expert.update(context, action, loss)
