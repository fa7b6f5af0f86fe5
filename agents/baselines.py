"""Skylines: reference agents with access to losses that a bandit does not observe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from neucb.agents.base import Reduction, gauges_of
from neucb.agents.prediction import lowest
from neucb.agents.protocols import autograd_of
from neucb.agents.rules.inverse_gap import EpsilonGreedy

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import CountingOracle
    from neucb.agents.prediction import Prediction
    from neucb.agents.propensity import Kinds
    from neucb.core.spec import Spec


class BestFixed:
    """The best fixed arm in hindsight, played in every round.

    The runner plays the environment once before the run, sums every arm's expected loss, and passes
    the sums to `foresee`. Where only some arms are available, the best of these is played. In an
    environment that reacts to the agent, the arms' losses are those of that first play.
    """

    uses_autograd = False
    propensity_kind: Kinds = "deterministic"

    def reset(self, spec: Spec) -> None:
        """Set the losses of all arms to 0 until `foresee`."""
        shape = (spec.replicas, spec.arms)
        self._losses = torch.zeros(shape, dtype=torch.float64, device=spec.device)

    def foresee(self, losses: Tensor) -> None:
        """Take the cumulative expected losses [R, K] of all arms over the run."""
        self._losses = losses

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return probability 1 for the best arm [R, K]."""
        if available is None:
            return lowest(self._losses)
        return lowest(self._losses.masked_fill(~available, torch.inf))

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Do nothing: the losses are fixed by `foresee`."""


class Supervised:
    """Greedy play of an oracle that sees the losses of all arms: online supervised learning.

    The runner passes every arm's expected loss to `learn_all` after each round. The oracle makes one
    update per arm, K per round. No exploring agent with the same oracle should have less regret.

    Args:
        oracle: regression oracle.
    """

    uses_autograd = autograd_of("oracle")
    propensity_kind: Kinds = "deterministic"

    def __init__(self, oracle: CountingOracle) -> None:
        self.oracle = oracle
        self._greedy = Reduction(oracle, EpsilonGreedy(0.0))

    @property
    def prediction(self) -> Prediction | None:
        """The last prediction, for the runner's log."""
        return self._greedy.prediction

    def gauges(self) -> Mapping[str, Tensor]:
        """Return the gauges of the oracle."""
        return gauges_of(self.oracle)

    def reset(self, spec: Spec) -> None:
        """Discard all state and prepare R = spec.replicas replicas."""
        self._greedy.reset(replace(spec, horizon=spec.arms * spec.horizon))

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return probability 1 for the arm of least predicted loss [R, K]."""
        return self._greedy.distribution(context, available)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Learn from the played arm only, where the other arms' losses are unavailable."""
        self._greedy.update(context, action, loss)

    def learn_all(self, context: Tensor, losses: Tensor, available: Tensor | None) -> None:
        """Learn from the losses [R, K] of all arms, or of those available."""
        count = torch.ones_like(losses) if available is None else available.to(losses.dtype)
        for arm in range(losses.shape[1]):
            action = torch.full((len(losses),), arm, device=losses.device)
            self.oracle.update(context, action, losses[:, arm], count[:, arm])
