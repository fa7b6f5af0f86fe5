"""Every registered environment passes the public checker and runs in a plain Gymnasium loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.orders.registry import ORDERS
from neucb.environments.registration import ENVIRONMENTS
from neucb.environments.synthetic import WORLDS
from neucb.testing import check_environment
from tests.support.tables import RATED
from tests.support.tables import cyclic as toy

CASES: list[tuple[str, dict[str, Any]]] = [
    ("neucb/Classification-v0", {"dataset": "iris"}),
    ("neucb/Classification-v0", {"dataset": toy(), "label_noise": 0.2, "drift": (20, 40)}),
    ("neucb/Classification-v0", {"dataset": toy(), "cost": [[0, 0.2, 1], [0.5, 0.1, 0.9], [1, 1, 0]]}),
    ("neucb/Classification-v0", {"dataset": toy(), "horizon": 150, "recycle": True}),
    ("neucb/Classification-v0", {"dataset": toy(), "order": "weakest-class"}),
    ("neucb/Ranking-v0", {"dataset": RATED, "group": "query"}),
    ("neucb/Ranking-v0", {"dataset": RATED.drop(columns="query"), "arms": 5}),
    *(("neucb/Synthetic-v0", {"world": world, "horizon": 40, "arms": 3, "features": 5}) for world in WORLDS),
]


def test_every_environment_is_checked() -> None:
    assert {name for name, _ in CASES} == set(ENVIRONMENTS)


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.filterwarnings("error")
def test_every_environment_passes_the_checker(name: str, options: dict[str, Any]) -> None:
    check_environment(name, **options)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_plain_gymnasium_loop_runs(name: str, options: dict[str, Any]) -> None:
    """As a Stable-Baselines3 agent does: act, reset when done, use only spaces and rewards."""
    env = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make(name, **options))
    env.action_space.seed(0)
    observation, info = env.reset(seed=0)
    episodes = 0
    while episodes < 2:
        assert env.observation_space.contains(observation)
        mask = info.get("action_mask")
        action = env.action_space.sample(None if mask is None else mask.astype(np.int8))
        observation, reward, terminated, truncated, info = env.step(action)
        assert 0.0 <= float(reward) <= 1.0
        if terminated or truncated:
            episodes += 1
            assert info["episode"]["l"] == env.get_wrapper_attr("vector").horizon
            observation, info = env.reset()


class Wrong(ClassificationVectorEnv):
    """Environment with one fault."""

    fault = ""

    def step(self, actions: Any) -> Any:
        contexts, reward, terminated, truncated, info = super().step(actions)
        if self.fault == "reward":
            reward = -info["loss"]
        if self.fault == "best":
            info["best_loss"] = info["best_loss"] + 0.5
        if self.fault == "played":
            info["expected_loss"] = info["best_loss"]
        if self.fault == "losses":
            info["expected_losses"] = -info["expected_losses"]
        if self.fault == "neighbours":
            reward = np.full_like(reward, reward.mean())
        if self.fault == "dtype":
            contexts = contexts.astype(np.float64)
        return contexts, reward, terminated, truncated, info

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=None if self.fault == "seed" else seed, options=options)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("reward", r"round \d+, seed 1\d: the reward is -1.0, outside \[0, 1\]; reward_range="),
        ("best", "best_loss must be the least"),
        ("played", "expected_loss must be that of the arm played"),
        ("losses", r"the environment's expected_losses is .*; it must be a loss, a number in \[0, 1\]"),
        ("neighbours", "neighbours"),
        ("dtype", "float32"),
        ("seed", "the same seeds"),
    ],
)
def test_the_checker_finds_faults(fault: str, message: str) -> None:
    make: Callable[[int], Any] = lambda replicas: type("Faulty", (Wrong,), {"fault": fault})(toy(), replicas)  # noqa: E731
    with pytest.raises(AssertionError, match=message):
        check_environment(make)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_environments_end_at_the_horizon_with_loss_one_minus_reward(
    name: str, options: dict[str, Any]
) -> None:
    env: Any = gymnasium.make_vec(name, num_envs=2, **options)
    _, info = env.reset(seed=[3, 8])
    for t in range(env.horizon):
        mask = info.get("action_mask", np.ones((2, env.single_action_space.n)))
        _, reward, terminated, truncated, info = env.step(np.asarray(mask).argmax(1))
        assert not terminated.any()
        assert (truncated == (t + 1 == env.horizon)).all()
        np.testing.assert_array_equal(reward, 1.0 - info["loss"])
        assert ((info["best_realised_loss"] >= 0.0) & (info["best_realised_loss"] <= 1.0)).all()
    with pytest.raises(InputError, match="reset"):
        env.step(np.zeros(2, np.int64))


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_plays(order: str) -> None:
    frame = neucb.run("uniform", toy(), seeds=2, order=order)
    assert frame["round"].max() == 60


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gymnasium_vectors_of_single_forms_play_the_same(name: str, options: dict[str, Any]) -> None:
    """Seeds s, s + 1, ... as in Gymnasium; at the end sub-environments are reset by their mode."""
    wrapped = gymnasium.make_vec(name, num_envs=2, vectorization_mode="sync", **options)
    vector = gymnasium.make_vec(name, num_envs=2, **options)
    assert wrapped.observation_space == vector.observation_space
    assert wrapped.action_space == vector.action_space
    wrapped_contexts, _ = wrapped.reset(seed=3)
    contexts, info = vector.reset(seed=3)
    for t in range(vector.horizon):  # type: ignore[attr-defined]
        np.testing.assert_array_equal(wrapped_contexts, contexts)
        arms = vector.single_action_space.n  # type: ignore[attr-defined]
        mask = info.get("action_mask", np.ones((2, arms), dtype=np.bool_))
        action = np.array([np.flatnonzero(row)[t % row.sum()] for row in mask])
        wrapped_contexts, reward, terminated, truncated, _ = wrapped.step(action)
        contexts, expected, own_terminated, own_truncated, info = vector.step(action)
        np.testing.assert_array_equal(reward, expected)
        assert not terminated.any()
        assert not own_terminated.any()
        np.testing.assert_array_equal(truncated, own_truncated)
    assert truncated.all()
    wrapped_contexts, reward, _, truncated, _ = wrapped.step(action)  # the wrapper only resets here
    assert not truncated.any()
    assert wrapped.observation_space.contains(wrapped_contexts)
    wrapped.close()
