"""Arm losses: the expected losses of all arms, for the skylines of agents/baselines.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError

if TYPE_CHECKING:
    from neucb.environments.episodes import Episodes


def expected_losses(info: dict[str, Any]) -> NDArray[np.float64]:
    """Return the expected losses [R, K] of all arms from the step info of a round.

    Raises:
        InputError: the environment gives no expected losses.
    """
    losses: NDArray[np.float64] = np.asarray(info.get("expected_losses", np.nan), dtype=np.float64)
    if np.isnan(losses).any():
        raise InputError("this agent needs an environment that tells the expected losses of all arms")
    return losses


def arm_losses(episodes: Episodes) -> NDArray[np.float64]:
    """Play the first available arm in every round; return the summed expected losses of all arms [R, K].

    Raises:
        InputError: the environment gives no expected losses, or as for `Episodes`.
    """
    spec = episodes.spec
    total = np.zeros((spec.replicas, spec.arms))
    episodes.reset()
    for _ in range(spec.horizon):
        available = episodes.look()[1]
        first = np.zeros(spec.replicas, dtype=np.int64) if available is None else available.argmax(1)
        total += expected_losses(episodes.step(first)[1])
    return total
