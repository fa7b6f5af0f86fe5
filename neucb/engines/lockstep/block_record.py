"""BlockRecord: distributions and predictions of an agent in a block of rounds, and the arms drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neucb.core.columns import FORMER_COLUMNS
from neucb.engines.checks import is_distribution
from neucb.engines.log import GAUGES
from neucb.kernels.draws import draw_arms, is_valid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from neucb.agents.propensity import Propensities
    from neucb.core.spec import Spec


class BlockRecord:
    """Buffer of B rounds, on the device of the run.

    Args:
        dice: uniform numbers [B, R] of the draws.
        spec: shape of the run.

    Attributes:
        p: probabilities [B, R, K].
        mean: predicted losses [B, R, K], 0 where there are none.
        action: arms played [B, R, 1].
        masks: index of a round in the block -> arms available [R, K], for rounds without all arms.
        propensities: propensities of every round, for agents with random draws.
        gauges: name -> gauges [B, R], NaN in rounds that are not logged.
        asked: number of rounds with a distribution.
        rounds: number of complete rounds.
        predicts: whether the agent predicts losses.
    """

    def __init__(self, dice: NDArray[np.float64], spec: Spec) -> None:
        shape = len(dice), spec.replicas, spec.arms
        self.p = torch.empty(shape, dtype=torch.float64, device=spec.device)
        self.mean = torch.zeros_like(self.p)
        self.action = torch.empty(*shape[:2], 1, dtype=torch.int64, device=spec.device)
        self.masks: dict[int, Tensor] = {}
        self.gauges = {name: np.full(shape[:2], np.nan) for name in GAUGES}
        self.propensities: list[Propensities] = []
        self.asked = 0
        self.rounds = 0
        self.predicts = True
        given = torch.empty_like(self.action[:, :, 0])  # for the agent, which may change it
        self._rows = list(zip(self.p.unbind(), self.mean.unbind(), given.unbind(), strict=True))
        self._dice: Any = dice
        self._arrays: list[tuple[NDArray[Any], ...]] = []
        if spec.device == "cpu":
            arrays = (values.numpy() for values in (self.p, self.mean, self.action[:, :, 0], given))
            self._arrays = [*zip(*arrays, strict=True)]
        else:
            self._dice = torch.as_tensor(dice, device=spec.device).unsqueeze(2)

    def add(self, p: Tensor, prediction: Any, available: Tensor | None) -> Tensor:
        """Add the distribution and prediction of a round; return the arms [R] drawn from it."""
        own_p, own_mean, action = self._rows[self.asked]
        own_p.copy_(p)
        if prediction is None:
            self.predicts = False
        else:
            own_mean.copy_(prediction.mean.detach())
        if available is not None:
            self.masks[self.asked] = available
        dice = self._dice[self.asked]
        if self._arrays:
            own, _, arms, given = self._arrays[self.asked]
            draw_arms(own, dice, arms, given)
        else:
            self.action[self.asked] = draw(own_p, dice)
            action.copy_(self.action[self.asked, :, 0])
        self.asked += 1
        return action

    def is_valid(self) -> bool:
        """Return whether the distribution and the prediction of the newest round are valid."""
        if self._arrays and self.asked - 1 not in self.masks:
            p, mean, *_ = self._arrays[self.asked - 1]
            return bool(is_valid(p, mean))
        return all(bool(good.all()) for good in self.checked(self.asked - 1))

    def add_gauges(self, gauges: Mapping[str, Tensor]) -> None:
        """Add the agent's gauges [R] after a round."""
        for given, value in gauges.items():
            name = FORMER_COLUMNS.get(given, given)
            if name in self.gauges:
                self.gauges[name][self.rounds] = value.detach().to("cpu", torch.float64).numpy()

    def at_action(self, values: Tensor, n: int) -> NDArray[np.float64]:
        """Return the entries [n, R] of values [B, R, K] at the arms played in the first n rounds."""
        picked: NDArray[np.float64] = values[:n].gather(2, self.action[:n]).squeeze(2).cpu().numpy()
        return picked

    def checked(self, start: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whether predictions are finite and whether p is a distribution, in rounds from `start` on.

        Both masks are [asked - start, R].
        """
        p = self.p[start : self.asked]
        finite = self.mean[start : self.asked].isfinite().all(2)
        good = is_distribution(p)
        for place, available in self.masks.items():
            if place >= start:
                good[place - start] &= ~((p[place - start] > 0.0) & ~available).any(1)
        return finite.cpu().numpy(), good.cpu().numpy()


def draw(p: Tensor, dice: Tensor) -> Tensor:
    """Return arms [R, 1] drawn by inversion of the cumulative distribution, without a host synchronisation.

    The cumulative sums of p are taken from left to right in float64, so that the same numbers give the
    same arm on any machine and in any batch. An arm of probability 0 is never returned.

    Args:
        p: probabilities [R, K], float64.
        dice: uniform numbers [R, 1] in [0, 1).
    """
    end = p.cumsum(1)
    return (end <= dice).logical_and_(end < end[:, -1:]).sum(1, keepdim=True)
