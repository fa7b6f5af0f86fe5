"""Classification environment: Gymnasium interface, losses, noise, seeds."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from neucb.core.errors import DataError, InputError
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.single import classification
from neucb.environments.table import Column, Table
from tests.support.episodes import played_rows
from tests.support.tables import cyclic as toy


def test_gymnasium_makes_both_forms() -> None:
    single = gymnasium.make("neucb/Classification-v0", dataset="iris")
    context, info = single.reset(seed=0)
    assert context.shape == (4,)
    assert info == {}
    many = gymnasium.make_vec("neucb/Classification-v0", num_envs=3, dataset="iris", horizon=10)
    contexts, _ = many.reset(seed=0)
    assert contexts.shape == (3, 4)
    assert isinstance(many, ClassificationVectorEnv)


def test_the_gymnasium_checker_passes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(classification(toy()), skip_render_check=True)


def test_single_form_is_the_first_replica() -> None:
    single, many = classification(toy()), ClassificationVectorEnv(toy(), 2)
    context, _ = single.reset(seed=4)
    contexts, _ = many.reset(seed=4)
    for t in range(60):
        np.testing.assert_array_equal(context, contexts[0])
        context, reward, terminated, truncated, info = single.step(np.int64(t % 3))
        contexts, rewards, _, truncations, infos = many.step(np.array([t % 3, 0]))
        assert (reward, terminated, truncated) == (rewards[0], False, truncations[0])
        assert info["label"] == infos["label"][0]
    assert truncated


def test_an_episode_has_exactly_horizon_rounds() -> None:
    env = ClassificationVectorEnv(toy(), 2, horizon=7)
    env.reset(seed=0)
    for t in range(7):
        _, _, terminated, truncated, _ = env.step(np.zeros(2, dtype=np.int64))
        assert not terminated.any()
        assert (truncated == (t == 6)).all()
    with pytest.raises(InputError, match="reset"):
        env.step(np.zeros(2, dtype=np.int64))
    env.reset(seed=0)
    env.step(np.zeros(2, dtype=np.int64))


def test_rows_are_a_permutation_per_seed_and_independent_of_neighbours() -> None:
    together, alone = ClassificationVectorEnv(toy(), 3), ClassificationVectorEnv(toy(), 1)
    batch, single = played_rows(together, [1, 2, 3]), played_rows(alone, [2])
    np.testing.assert_array_equal(batch[:, 1], single[:, 0])
    assert sorted(single[:, 0]) == list(range(60))
    assert not np.array_equal(batch[:, 0], batch[:, 2])


def test_losses_without_noise_are_0_or_1() -> None:
    env = ClassificationVectorEnv(toy(), 3)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.array([0, 1, 2]))
    right = info["label"] == np.array([0, 1, 2])
    np.testing.assert_array_equal(reward, right.astype(float))
    np.testing.assert_array_equal(info["expected_loss"], 1.0 - reward)
    np.testing.assert_array_equal(info["best_loss"], 0.0)


def test_label_noise_flips_to_the_other_classes_uniformly() -> None:
    """Loss of the clean label's arm is q on average, of the others 1 - q / (K - 1)."""
    rounds, q = 30_000, 0.3
    env = ClassificationVectorEnv(toy(), 1, horizon=rounds, label_noise=q, recycle=True)
    env.reset(seed=0)
    losses = np.zeros((rounds, 2))
    for t in range(rounds):
        clean = int(env.encoded.labels[env.rows][0])
        arm = (clean + t % 3) % 3  # the arm of the clean label, and each other arm
        _, reward, _, _, info = env.step(np.array([arm]))
        losses[t] = 1.0 - reward[0], info["best_realised_loss"][0]
        expected = np.full(3, 1 - q / 2)
        expected[clean] = q
        np.testing.assert_allclose(info["expected_losses"][0], expected)
        assert info["best_loss"][0] == q
        if arm == clean:
            assert info["best_realised_loss"][0] == losses[t, 0]
    means = [losses[k::3, 0].mean() for k in range(3)]
    np.testing.assert_allclose(means, [q, 1 - q / 2, 1 - q / 2], atol=4 * 0.5 / (rounds / 3) ** 0.5)
    assert abs(losses[:, 1].mean() - q) < 4 * 0.5 / rounds**0.5


@pytest.mark.parametrize(
    "arguments", [{"horizon": 0}, {"horizon": 61}, {"label_noise": 0.67}, {"num_envs": 0}]
)
def test_invalid_arguments_are_rejected(arguments: dict[str, float]) -> None:
    with pytest.raises(InputError):
        ClassificationVectorEnv(toy(), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("actions", [[3, 0], [-1, 0], [0]])
def test_invalid_actions_are_rejected(actions: list[int]) -> None:
    env = ClassificationVectorEnv(toy(), 2)
    env.reset(seed=0)
    with pytest.raises(InputError, match="actions"):
        env.step(np.array(actions))


def test_reset_without_a_seed_draws_another_order() -> None:
    env = ClassificationVectorEnv(toy(), 1)
    first = played_rows(env, [3])
    assert not np.array_equal(first, played_rows(env))


def test_a_table_of_one_class_is_rejected() -> None:
    with pytest.raises(DataError, match="only one class"):
        Table("t", (Column("x", np.zeros(3)),), np.zeros(3, dtype=np.int64), ("a",), "memory")
