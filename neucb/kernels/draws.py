"""Draws of arms and checks of distributions on the CPU, for rounds played one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neucb.core.constants import LEAST_PROBABILITY, SUM_TOLERANCE
from neucb.kernels.jit import kernel

if TYPE_CHECKING:
    from neucb.kernels.types import Array


@kernel
def draw_arms(p: Array, dice: Array, action: Array, copy: Array) -> None:
    """Set action and copy [R] to arms drawn from p [R, K] with dice [R], as `block_record.draw`."""
    for r in range(len(p)):
        total = 0.0
        for a in range(p.shape[1]):
            total += p[r, a]
        end, arm = 0.0, 0
        for a in range(p.shape[1]):
            end += p[r, a]
            arm += end <= dice[r] and end < total
        action[r] = copy[r] = arm


@kernel
def is_valid(p: Array, mean: Array) -> bool:
    """Return whether p [R, K] are distributions, as `engines.checks.is_distribution`, and mean is finite."""
    for r in range(len(p)):
        total = 0.0
        for a in range(p.shape[1]):
            if not (p[r, a] >= LEAST_PROBABILITY and abs(mean[r, a]) < np.inf):
                return False
            total += p[r, a]
        if not abs(total - 1.0) <= SUM_TOLERANCE:
            return False
    return True


def load() -> None:
    """Compile the kernels, or load them from numba's cache."""
    p = np.ones((1, 1))
    draw_arms(p, np.zeros(1), *np.zeros((2, 1), np.int64))
    is_valid(p, p)
