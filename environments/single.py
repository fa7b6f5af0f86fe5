"""Single form of an environment: one replica with the interface of `gymnasium.Env`."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Env
from gymnasium.vector import VectorEnv

from neucb.core.errors import InputError
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.ranking import RankingVectorEnv
from neucb.environments.synthetic import SyntheticVectorEnv


class SingleEnv(Env[Any, np.int64]):
    """Vector environment of one replica without its replica axis.

    Observations, rewards and info entries lose their first axis; the episode is truncated after
    `horizon` rounds.

    Args:
        vector: vector environment with num_envs = 1.

    Raises:
        InputError: the environment has several replicas.
    """

    def __init__(self, vector: VectorEnv[Any, Any, Any]) -> None:
        if vector.num_envs != 1:
            raise InputError(f"the single form needs an environment of 1 replica, not {vector.num_envs}")
        self.vector = vector
        self.metadata = {"render_modes": []}
        self.observation_space = vector.single_observation_space
        self.action_space = vector.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a run: return the first context and the info."""
        super().reset(seed=seed)
        one = int(self.np_random.integers(2**31)) if seed is None else seed
        contexts, info = self.vector.reset(seed=one, options=options)
        return contexts[0], {key: value[0] for key, value in info.items()}

    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one arm: return the next context, the reward, terminated, truncated and the info."""
        contexts, rewards, _, truncated, info = self.vector.step(np.array([action]))
        alone = {key: value[0] for key, value in info.items()}
        return contexts[0], float(rewards[0]), False, bool(truncated[0]), alone


def classification(dataset: Any, **options: Any) -> SingleEnv:
    """Return the single form of `ClassificationVectorEnv`, made with the same arguments."""
    return SingleEnv(ClassificationVectorEnv(dataset, 1, **options))


def ranking(dataset: Any, **options: Any) -> SingleEnv:
    """Return the single form of `RankingVectorEnv`, made with the same arguments."""
    return SingleEnv(RankingVectorEnv(dataset, 1, **options))


def synthetic(world: str = "cosine", **options: Any) -> SingleEnv:
    """Return the single form of `SyntheticVectorEnv`, made with the same arguments."""
    return SingleEnv(SyntheticVectorEnv(world, 1, **options))
