"""Hindsight: what the runner tells agents that know more than a bandit may, see agents/skylines.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.errors import InputError

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from neucb.spec import Spec

    AnyVectorEnv = VectorEnv[Any, Any, Any]


def expected_losses(info: dict[str, Any]) -> NDArray[np.float64]:
    """Return the expected losses [R, K] of all arms in a step's info.

    Raises:
        InputError: the environment does not tell them.
    """
    if "expected_losses" not in info:
        raise InputError("this agent needs an environment that tells the expected losses of all arms")
    losses: NDArray[np.float64] = np.asarray(info["expected_losses"], dtype=np.float64)
    return losses


def arm_losses(env: AnyVectorEnv, spec: Spec) -> NDArray[np.float64]:
    """Play a run, in each round the first arm available: return every arm's expected losses, summed [R, K].

    Raises:
        InputError: the environment does not tell them.
    """
    total = np.zeros((spec.replicas, spec.arms))
    _, info = env.reset(seed=list(spec.seeds))  # type: ignore[arg-type]  # Gymnasium takes lists too
    for _ in range(spec.horizon):
        mask = info.get("action_mask")
        action = np.zeros(spec.replicas, dtype=np.int64) if mask is None else np.asarray(mask).argmax(1)
        info = env.step(action)[4]
        total += expected_losses(info)
    return total
