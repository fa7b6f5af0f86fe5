"""Uniform: the agent that learns nothing, against which every other one is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.core.spec import Spec


class Uniform:
    """p_a = 1 / K over the available arms, always."""

    uses_autograd = False

    def reset(self, spec: Spec) -> None:
        """Prepare R = spec.replicas replicas."""
        shape = (spec.replicas, spec.arms)
        self._probability = torch.full(shape, 1.0 / spec.arms, dtype=torch.float64, device=spec.device)

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return 1 / K for every arm [R, K]."""
        if available is None:
            return self._probability
        return available.double() / available.sum(1, keepdim=True)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Learn nothing."""
