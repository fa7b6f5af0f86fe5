"""BlockRecord: an agent's distributions and predictions in a block of rounds, and the arms played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neucb.core.columns import FORMER_COLUMNS
from neucb.engines.checks import is_distribution
from neucb.engines.log import GAUGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from neucb.agents.propensity import Propensities
    from neucb.core.spec import Spec


class BlockRecord:
    """Buffer of B rounds, on the device of the run.

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

    def __init__(self, rounds: int, spec: Spec) -> None:
        shape = rounds, spec.replicas, spec.arms
        self.p = torch.empty(shape, dtype=torch.float64, device=spec.device)
        self.mean = torch.zeros_like(self.p)
        self.action = torch.empty(*shape[:2], 1, dtype=torch.int64, device=spec.device)
        self.masks: dict[int, Tensor] = {}
        self.gauges = {name: np.full(shape[:2], np.nan) for name in GAUGES}
        self.propensities: list[Propensities] = []
        self.asked = 0
        self.rounds = 0
        self.predicts = True
        self._rows = list(zip(self.p.unbind(), self.mean.unbind(), self.action.unbind(), strict=True))

    def add(self, p: Tensor, prediction: Any, action: Tensor, available: Tensor | None) -> None:
        """Add the distribution and prediction of a round."""
        own_p, own_mean, own_action = self._rows[self.asked]
        own_p.copy_(p)
        own_action.copy_(action)
        if prediction is None:
            self.predicts = False
        else:
            own_mean.copy_(prediction.mean.detach())
        if available is not None:
            self.masks[self.asked] = available
        self.asked += 1

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
