"""Uniform: the random baseline agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.core.spec import Spec


class Uniform:
    """Uniform distribution over the available arms in every round."""

    uses_autograd = False

    def reset(self, spec: Spec) -> None:
        """Prepare R = spec.replicas replicas."""
        shape = (spec.replicas, spec.arms)
        self._probability = torch.full(shape, 1.0 / spec.arms, dtype=torch.float64, device=spec.device)

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return uniform probabilities [R, K], float64, over the available arms."""
        if available is None:
            return self._probability
        return available.double() / available.sum(1, keepdim=True)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Do nothing: the distribution is fixed."""
