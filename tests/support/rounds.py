"""Rounds for oracles and rules: contexts, actions and losses."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neucb.agents.prediction import Round


def now(number: int = 1, loss: tuple[float, ...] = (0.0, 0.0), horizon: int = 100) -> Round:
    return Round(number, torch.tensor(loss, dtype=torch.float64), horizon)


ARMS, FEATURES = 3, 4


def rounds(
    replicas: int, count: int, seed: int = 0, *, per_arm: bool = False
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return (context [R, d] or [R, K, d] of norm 1, action [R], loss [R]) of some rounds, float64."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        x = rng.standard_normal((replicas, *((ARMS,) if per_arm else ()), FEATURES))
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
        action = rng.integers(0, ARMS, replicas)
        samples.append((torch.tensor(x), torch.tensor(action), torch.tensor(rng.random(replicas))))
    return samples
