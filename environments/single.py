"""The single form of an environment: one replica, for loops written for `gymnasium.Env`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Env

from neucb.environments.classification import ClassificationVectorEnv, Observations
from neucb.environments.preprocessing import Encoded
from neucb.environments.table import Table


class ClassificationEnv(Env[Observations, np.int64]):
    """`ClassificationVectorEnv` with one replica and without the replica axis.

    Args and errors as there. The episode is truncated after `horizon` rounds.
    """

    def __init__(
        self,
        dataset: str | Table | Encoded,
        *,
        horizon: int | None = None,
        preprocessing: str = "standard",
        label_noise: float = 0.0,
        source: str = "auto",
        cache: str | Path | None = None,
    ) -> None:
        self._vector = ClassificationVectorEnv(
            dataset,
            horizon=horizon,
            preprocessing=preprocessing,
            label_noise=label_noise,
            source=source,
            cache=cache,
        )
        self.metadata = {"render_modes": []}
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start a run: return the first context [d] and an empty info."""
        super().reset(seed=seed)
        one = int(self.np_random.integers(2**31)) if seed is None else seed
        contexts, info = self._vector.reset(seed=one, options=options)
        return contexts[0], info

    def step(self, action: np.int64) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Play one arm: return the next context [d], the reward, terminated, truncated and the info."""
        contexts, rewards, _, truncated, info = self._vector.step(np.array([action]))
        alone = {key: value[0] for key, value in info.items()}
        return contexts[0], float(rewards[0]), False, bool(truncated[0]), alone
