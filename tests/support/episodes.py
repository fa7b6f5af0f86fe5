"""Gymnasium environments with known outcomes: Bernoulli arms in episodes, and the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gymnasium
import numpy as np
import pandas as pd
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from neucb.core.random import stream
from neucb.environments.classification import ClassificationVectorEnv


def played_rows(env: ClassificationVectorEnv, seeds: list[int] | None = None) -> np.ndarray:
    """Play arm 0 in all rounds; return the rows of the table [T, R]."""
    env.reset(seed=seeds)
    rows = []
    for _ in range(env.horizon):
        rows.append(env.rows)
        env.step(np.zeros(env.num_envs, dtype=np.int64))
    return np.stack(rows)


MEANS = np.array([0.2, 0.5, 0.8])  # mean rewards of the arms
ROUNDS = 200
SEEDS = (4, 7, 9)


class Bandit(gymnasium.Env[Any, Any]):
    """Three arms with Bernoulli rewards and uninformative contexts; a step after an episode's end fails.

    Args:
        length: rounds of an episode.
        start: first action of the action space.
        rewards: rewards of the two outcomes.
        with_expected: whether the info holds the expected losses.
        truncated: whether episodes end by truncation instead of termination.
    """

    def __init__(
        self,
        length: int = 1,
        *,
        start: int = 0,
        rewards: tuple[float, float] = (0.0, 1.0),
        with_expected: bool = False,
        truncated: bool = False,
    ) -> None:
        self.observation_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self.action_space = spaces.Discrete(3, start=start)
        self.length, self.start, self.rewards = length, start, rewards
        self.with_expected, self.truncated = with_expected, truncated

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.played = 0
        return self._context(), {}

    def _context(self) -> Any:
        return self.np_random.uniform(-1.0, 1.0, 4).astype(np.float32)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(np.int64(action))
        assert self.played < self.length, "a step after the episode's end"
        self.played += 1
        won = int(self.np_random.random() < MEANS[int(action) - self.start])
        over = self.played == self.length
        info = {"expected_losses": 1.0 - MEANS} if self.with_expected else {}
        return self._context(), self.rewards[won], over and not self.truncated, over and self.truncated, info


def vector(
    lengths: Sequence[int], mode: AutoresetMode, kind: Any = SyncVectorEnv, **options: Any
) -> VectorEnv[Any, Any, Any]:
    environments = [lambda length=length: Bandit(length, **options) for length in lengths]
    return cast("VectorEnv[Any, Any, Any]", kind(environments, autoreset_mode=mode))


def simulate(seed: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return arms and losses [T] of uniform play over consecutive episodes, without neucb."""
    env, uniforms = Bandit(length), stream(seed, "action").random(ROUNDS)
    env.reset(seed=seed)
    arms, losses = np.empty((2, ROUNDS))
    for t, uniform in enumerate(uniforms):
        arms[t] = np.searchsorted(np.cumsum(np.full(3, 1 / 3)), uniform, side="right")
        _, reward, terminated, truncated, _ = env.step(int(arms[t]))
        losses[t] = 1.0 - reward
        if terminated or truncated:
            env.reset()
    return arms, losses


def assert_plays_as_simulated(trace: pd.DataFrame, lengths: tuple[int, ...]) -> None:
    for seed, length in zip(SEEDS, lengths, strict=True):
        own = trace[trace["seed"] == seed]
        arms, losses = simulate(seed, length)
        np.testing.assert_array_equal(own["action"], arms)
        np.testing.assert_array_equal(own["loss"], losses)
