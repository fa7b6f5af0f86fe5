"""User-defined network and optimiser."""

from __future__ import annotations

import torch
from torch import nn

from neucb.core.spec import Spec


def network(spec: Spec) -> nn.Module:
    return nn.Sequential(
        nn.Linear(spec.features, 8), nn.Tanh(), nn.Linear(8, 1 if spec.per_arm else spec.arms)
    )


def adam(parameters: object) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.01)  # type: ignore[arg-type]
