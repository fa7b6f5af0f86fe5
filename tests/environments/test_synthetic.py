"""Synthetic worlds: documented h, losses with mean h, and learning."""

from __future__ import annotations

import numpy as np
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.environments.synthetic import WORLDS, SyntheticVectorEnv

FORMULAS = {
    "linear": lambda z: (1 + z) / 2,
    "quadratic": lambda z: z**2,
    "cosine": lambda z: (1 + np.cos(3 * z)) / 2,
    "logistic": lambda z: 1 / (1 + np.exp(-5 * z)),
}


@pytest.mark.parametrize("world", FORMULAS)
def test_h_is_the_documented_function_of_a_direction(world: str) -> None:
    """The direction is the first draw of the replica's stream "world"."""
    env = SyntheticVectorEnv(world, 2, horizon=5, arms=4, features=6)
    contexts, _ = env.reset(seed=[3, 4])
    _, _, _, _, info = env.step(np.array([0, 1]))
    for r, seed in enumerate((3, 4)):
        a = stream(seed, "world").standard_normal(6)
        z = contexts[r].astype(np.float64) @ (a / np.linalg.norm(a))
        np.testing.assert_allclose(info["mean_losses"][r], FORMULAS[world](z), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(contexts, axis=2), 1.0, rtol=1e-6)


@pytest.mark.parametrize("world", WORLDS)
def test_losses_have_mean_h(world: str) -> None:
    env = SyntheticVectorEnv(world, 40, horizon=50, arms=3, features=5)
    env.reset(seed=0)
    surplus = []
    for t in range(50):
        _, _, _, _, info = env.step(np.full(40, t % 3))
        surplus.append(info["loss"] - info["expected_loss"])
        assert set(np.unique(info["loss"])) <= {0.0, 1.0}
    assert abs(np.mean(surplus)) < 4 * 0.5 / 2000**0.5
    assert np.std(info["mean_losses"]) > 0.02


def test_contexts_of_the_orthogonal_world_are_orthogonal() -> None:
    env = SyntheticVectorEnv("orthogonal", 1, horizon=6, arms=3)
    contexts = []
    observation, _ = env.reset(seed=1)
    for _ in range(6):
        contexts.append(observation[0])
        observation, _, _, _, _ = env.step(np.array([0]))
    gram = np.concatenate(contexts) @ np.concatenate(contexts).T
    np.testing.assert_array_equal(gram, np.eye(18))


@pytest.mark.parametrize("agent", ["kl-perturbed", "sq", "squarecb", "fastcb", "sq-perturbed"])
def test_agents_learn_from_contexts_per_arm(agent: str) -> None:
    """Regret on the logistic world is well below that of uniform play."""
    settings = {"width": 32} if agent == "sq" or "kl" in agent or "perturbed" in agent else {}
    final = {
        name: neucb.run(name, "synthetic:logistic", 600, 3, settings=values, arms=4, features=6)
        .groupby("seed")
        .tail(1)["regret"]
        .mean()
        for name, values in ((agent, settings), ("uniform", {}))
    }
    assert final[agent] < 0.6 * final["uniform"]


@pytest.mark.parametrize("arguments", [{"world": "flat"}, {"horizon": 0}, {"arms": 1}, {"features": 1}])
def test_invalid_arguments_are_rejected(arguments: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SyntheticVectorEnv(**arguments)  # type: ignore[arg-type]
