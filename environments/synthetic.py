"""Synthetic worlds with features per arm and a known mean loss h: regret, L*, regression regret are exact."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from neucb.core.errors import InputError, unknown_name
from neucb.core.random import stream
from neucb.environments.replica_seeds import replica_seeds

Contexts = NDArray[np.float64]
Truth = Callable[[Contexts], NDArray[np.float64]]


def _direction(rng: np.random.Generator, features: int) -> Contexts:
    a = rng.standard_normal(features)
    return a / np.linalg.norm(a)


def _linear(rng: np.random.Generator, features: int) -> Truth:
    a = _direction(rng, features)
    return lambda x: 0.5 * (1.0 + x @ a)


def _quadratic(rng: np.random.Generator, features: int) -> Truth:
    a = _direction(rng, features)
    return lambda x: np.square(x @ a)


def _cosine(rng: np.random.Generator, features: int) -> Truth:
    a = _direction(rng, features)
    return lambda x: 0.5 * (1.0 + np.cos(3.0 * (x @ a)))


def _logistic(rng: np.random.Generator, features: int) -> Truth:
    a = _direction(rng, features)
    return lambda x: 1.0 / (1.0 + np.exp(-5.0 * (x @ a)))


def _teacher(rng: np.random.Generator, features: int) -> Truth:
    first = rng.standard_normal((features, TEACHER_WIDTH))
    head = rng.standard_normal(TEACHER_WIDTH) * math.sqrt(8.0 / TEACHER_WIDTH)
    return lambda x: 1.0 / (1.0 + np.exp(-(np.maximum(x @ first, 0.0) @ head)))


TEACHER_WIDTH = 32
WORLDS: dict[str, Callable[[np.random.Generator, int], Truth]] = {
    "linear": _linear,
    "quadratic": _quadratic,
    "cosine": _cosine,
    "logistic": _logistic,
    "teacher": _teacher,
    "orthogonal": _linear,
}


class WorldSequence:
    """Rounds of one replica of a world, drawn in order; they do not depend on the arms played.

    Args:
        env: environment of the world.
        seed: seed of the replica.

    Attributes:
        coins: uniform numbers [T] in [0, 1); loss_a = 1 in the rounds in which it is below h(x_a).
    """

    def __init__(self, env: SyntheticVectorEnv, seed: int) -> None:
        self._world, self._arms, self._features = env.world, env.arms, env.features
        self._rng = stream(seed, "world")
        self._truth = WORLDS[env.world](self._rng, env.features)
        self.coins = stream(seed, "noise").random(env.horizon)
        self._round = 0

    def draw(self, rounds: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return contexts [B, K, d] and mean losses [B, K] of the next B = `rounds` rounds.

        The numbers do not depend on the division of the rounds into calls.
        """
        contexts = self._contexts(rounds).astype(np.float32)
        exact = contexts.astype(np.float64)  # h of the float32 contexts that the agent observes
        means = np.stack([self._truth(x) for x in exact])  # one by one: a larger product may round otherwise
        self._round += rounds
        return contexts, np.clip(means, 0.0, 1.0)

    def _contexts(self, rounds: int) -> Contexts:
        shape = (rounds, self._arms, self._features)
        if self._world == "orthogonal":
            x = np.zeros(shape)
            start = np.arange(self._round, self._round + rounds)[:, None] * self._arms
            each = np.arange(self._arms)
            x[np.arange(rounds)[:, None], each, start + each] = 1.0
            return x
        x = self._rng.standard_normal(shape)
        return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


class SyntheticVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]):
    """Vector environment of R replicas of a world whose mean losses h(x) in [0, 1] are known.

    Observation: a context per arm [R, K, d], float32, of L2 norm 1, drawn uniformly on the sphere
    from the replica's stream "world", which also draws h. Losses are Bernoulli with mean h(x_a).

    Worlds, with a random unit vector a: linear (1 + a.x) / 2; quadratic (a.x)^2; cosine
    (1 + cos 3 a.x) / 2, the three of Zhou, Li, Gu, "Neural Contextual Bandits with UCB-based
    Exploration", ICML 2020, brought into [0, 1]; logistic sigmoid(5 a.x); teacher, the sigmoid of a
    random two-layer ReLU network of width 32. orthogonal: the linear h on an oblivious sequence in
    which every context of every arm is a unit vector of its own, e_0, e_1, ... (d = T K), so that
    the kernel matrix of NeuralUCB's bound has full effective dimension and the bound grows like T.

    Step info is that of `ClassificationVectorEnv` without `label`, and `mean_losses` [R, K] = h.

    Args:
        world: key of `WORLDS`.
        num_envs: number of replicas R >= 1.
        horizon: rounds T >= 1.
        arms: number of arms K >= 2.
        features: number of features d >= 2; always T K for orthogonal.

    Raises:
        InputError: an unknown world or a value out of its range.
    """

    trusted = True  # `check_environment` checks it in the tests

    def __init__(
        self,
        world: str = "cosine",
        num_envs: int = 1,
        *,
        horizon: int = 1000,
        arms: int = 4,
        features: int = 20,
    ) -> None:
        if world not in WORLDS:
            raise unknown_name("world", world, WORLDS)
        if num_envs < 1 or horizon < 1 or arms < 2 or features < 2:
            raise InputError("a world needs num_envs and horizon >= 1, arms and features >= 2")
        self.world = world
        self.num_envs = num_envs
        self.horizon = horizon
        self.arms = arms
        self.features = horizon * arms if world == "orthogonal" else features
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = spaces.Box(-1.0, 1.0, (arms, self.features), np.float32)
        self.single_action_space = spaces.Discrete(arms)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._round = -1

    def describe(self) -> dict[str, Any]:
        """Return the description of the environment for manifests."""
        return {
            "dataset": f"synthetic-{self.world}",
            "source": "synthetic",
            "arms": self.arms,
            "features": self.features,
        }

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start a run: return the first contexts [R, K, d] and an empty info; seeds as elsewhere."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = replica_seeds(seed, self.num_envs, self.np_random)
        self._sequences = [WorldSequence(self, one) for one in seeds]
        self._round = 0
        self._show()
        return self._observation, {}

    def _show(self) -> None:
        drawn = [sequence.draw(1) for sequence in self._sequences]
        self._observation = np.concatenate([contexts for contexts, _ in drawn])  # [R, K, d]
        self._mean = np.concatenate([means for _, means in drawn])  # [R, K]

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one arm per replica [R]: return next contexts, rewards, terminated, truncated, info.

        One uniform number per round decides the losses of all arms: loss_a = 1 where it is below h(x_a).

        Raises:
            InputError: an arm that does not exist, or a step before `reset` or after the last round.
        """
        if not 0 <= self._round < self.horizon:
            raise InputError("no round to play: call reset first, and again after the last round")
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.min() < 0 or actions.max() >= self.arms:
            raise InputError(f"actions must be {self.num_envs} arms in 0..{self.arms - 1}")
        each = np.arange(self.num_envs)
        mean = self._mean
        coins = np.array([sequence.coins[self._round] for sequence in self._sequences])
        drawn = (coins[:, None] < mean).astype(np.float64)
        best = mean.argmin(1)
        info = {
            "loss": drawn[each, actions],
            "expected_losses": mean,
            "mean_losses": mean,
            "expected_loss": mean[each, actions],
            "best_loss": mean[each, best],
            "best_realised_loss": drawn[each, best],
        }
        self._round += 1
        if self._round < self.horizon:
            self._show()
        truncated = np.full(self.num_envs, self._round == self.horizon)
        never = np.zeros(self.num_envs, dtype=np.bool_)
        return self._observation, 1.0 - info["loss"], never, truncated, info
