"""Played: the record of a block of rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.engines.lockstep.loop import is_distribution
from neucb.engines.log import GAUGES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from neucb.agents.propensity import Propensities
    from neucb.core.spec import Spec


class Played:
    """What came of a block, on the device: p, mean [B, R, K], action [B, R, 1]; gauges [B, R] here.

    `rounds` are complete, `asked` have a distribution. `told` holds the propensities of these where they are
    not p.
    """

    def __init__(self, rounds: int, spec: Spec) -> None:
        import torch

        shape = rounds, spec.replicas, spec.arms
        self.p = torch.empty(shape, dtype=torch.float64, device=spec.device)
        self.mean = torch.zeros_like(self.p)
        self.action = torch.empty(*shape[:2], 1, dtype=torch.int64, device=spec.device)
        self.gauges = {name: np.full(shape[:2], np.nan) for name in GAUGES}
        self.told: list[Propensities] = []
        self.asked = 0
        self.rounds = 0
        self.predicts = True
        self._kept = list(zip(self.p.unbind(), self.mean.unbind(), self.action.unbind(), strict=True))

    def add(self, p: Tensor, prediction: Any, action: Tensor) -> None:
        """Keep what was asked in a round."""
        own_p, own_mean, own_action = self._kept[self.asked]
        own_p.copy_(p)
        own_action.copy_(action)
        if prediction is None:
            self.predicts = False
        else:
            own_mean.copy_(prediction.mean.detach())
        self.asked += 1

    def tell(self, told: dict[str, NDArray[np.float64]]) -> None:
        """Keep what the agent tells of its state [R] after a round."""
        for name, kept in self.gauges.items():
            kept[self.rounds] = told.get(name, np.nan)

    def at_action(self, values: Tensor, n: int) -> NDArray[np.float64]:
        """Return the entries [n, R] of values [B, R, K] that belong to the arms of the first n rounds."""
        picked: NDArray[np.float64] = values[:n].gather(2, self.action[:n]).squeeze(2).cpu().numpy()
        return picked

    def good(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whether predictions are finite, and whether p is a distribution, [asked, R] each."""
        mean, p = self.mean[: self.asked], self.p[: self.asked]
        finite = mean.isfinite().all(2)
        return finite.cpu().numpy(), is_distribution(p).cpu().numpy()
