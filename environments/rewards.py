"""Check of rewards and their conversion to losses in [0, 1], for all of neucb."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.environments.step_info import clipped

if TYPE_CHECKING:
    from neucb.core.spec import Spec

UNIT = (0.0, 1.0)


def check_reward_range(given: Sequence[float]) -> tuple[float, float]:
    """Return the range (low, high) of an environment's rewards.

    Raises:
        InputError: the range is not two finite numbers, the lower one first.
    """
    try:
        low, high = (math.nan, math.nan) if isinstance(given, str) else (float(one) for one in given)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"reward_range must be two finite numbers, low < high, not {given!r}")
    return low, high


def losses_of(reward: Any, reward_range: tuple[float, float], spec: Spec, t: int) -> NDArray[np.float64]:
    """Return the losses [R] in [0, 1] of an environment's rewards [R]: (high - reward) / (high - low).

    Args:
        reward: rewards [R].
        reward_range: bounds (low, high) of rewards; those outside by a rounding error are clipped.
        spec: shape of the run.
        t: round, from 0.

    Raises:
        InputError: rewards that are no numbers [R], not finite, or outside the range.
    """
    low, high = reward_range
    raw = np.asarray(reward)
    if raw.shape != (spec.replicas,) or raw.dtype.kind not in "biuf":
        raise InputError(
            f"round {t + 1}: rewards must be numbers [R], one for each of {spec.replicas} sub-environments; "
            f"they are {raw.dtype} of shape {raw.shape}"
        )
    given = raw.astype(np.float64)
    scaled = given if reward_range == UNIT else (given - low) / (high - low)
    inside = clipped(scaled)
    if inside is not scaled and raw.dtype in (np.float16, np.float32):
        inside = clipped(scaled, 4.0 * float(np.finfo(raw.dtype).eps))
    if inside is not scaled and np.isnan(inside).any():
        r = int(np.isnan(inside).argmax())
        raise _bad_reward(float(given[r]), reward_range, f"round {t + 1}, seed {spec.seeds[r]}")
    return 1.0 - inside


def _bad_reward(reward: float, reward_range: tuple[float, float], where: str) -> InputError:
    if not math.isfinite(reward):
        return InputError(f"{where}: the reward is {reward!r}; it must be a finite number")
    if reward_range != UNIT:
        low, high = reward_range
        return InputError(
            f"{where}: the reward is {reward!r}, outside reward_range, {low!r} to {high!r}; state a wider one"
        )
    return InputError(
        f"{where}: the reward is {reward!r}, outside [0, 1]; reward_range=(low, high) "
        "maps rewards between these values to losses"
    )
