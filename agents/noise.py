"""Noise: normal draws of Thompson sampling, keyed by the replica's seed and the round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neucb.agents.initialisation import NOISE_ROUNDS, draw_normal
from neucb.core.random import stream

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.core.spec import Spec


class Noise:
    """Standard normal draws of every round, from the replicas' streams "posterior".

    The draws of a round do not depend on the order or number of calls; calls change only a cache.

    Args:
        spec: the shape of the run.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._kept: tuple[tuple[int, int], Tensor] | None = None

    def normal(self, number: int, count: int) -> Tensor:
        """Return `count` numbers per replica for round `number` >= 1, float64 [R, count]."""
        block, row = divmod(number - 1, NOISE_ROUNDS)
        if self._kept is None or self._kept[0] != (block, count):
            drawn = [draw_normal(seed, block, count) for seed in self._spec.seeds]
            numbers = torch.from_numpy(np.stack(drawn, axis=1)).to(self._spec.device)
            self._kept = ((block, count), numbers)
        return self._kept[1][row]

    def further(self, number: int) -> list[np.random.Generator]:
        """Return a generator per replica for round `number` >= 1, for draws that do not choose the arm."""
        return [stream(seed, "propensity", number) for seed in self._spec.seeds]
