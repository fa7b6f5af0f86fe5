"""check_environment: what the runner relies on in a bandit environment, checked by playing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from neucb.errors import InputError

AnyVectorEnv = VectorEnv[Any, Any, Any]
SEEDS = (11, 12, 13)
FIGURES = ("loss", "expected_loss", "best_loss", "best_realised_loss")


def check_environment(environment: str | Callable[[int], AnyVectorEnv], **options: Any) -> None:
    """Play an environment and check what the runner relies on.

    Checked: spaces and dtypes; the same seed and actions give the same run, other seeds another one;
    a replica's run does not depend on its neighbours; exactly `horizon` rounds, `truncated` in the
    last one only, an error after it; reward = 1 - loss; losses in [0, 1]; best_loss is the least of
    the available arms' expected_losses, and expected_loss that of the arm played. Of a registered
    id also: Gymnasium's own checker passes on the single form, which plays the same run as a vector
    of one.

    Args:
        environment: an id for `gymnasium.make`, or a function from the number of replicas to the
            vector environment.
        options: for `gymnasium.make`.

    Raises:
        AssertionError: something is wrong; the message says what.
    """

    def make(replicas: int) -> AnyVectorEnv:
        if isinstance(environment, str):
            return gymnasium.make_vec(environment, num_envs=replicas, **options)
        return environment(replicas)

    together = _play(make(len(SEEDS)), SEEDS)
    _check_figures(together)
    _same(_play(make(len(SEEDS)), SEEDS), together, "the same seeds and actions must give the same run")
    for r, seed in enumerate(SEEDS):
        alone = _play(make(1), (seed,))
        _same(alone, together.replica(r), "a replica must not depend on its neighbours")
    differ = (one[:, 0] != one[:, 1] for one in (together.contexts, together.rewards))
    assert any(map(np.any, differ)), "another seed must give another run"
    if isinstance(environment, str):
        _check_single(environment, options, together.replica(0))


@dataclass(frozen=True)
class _Record:
    """A played run: contexts [T, R, ...], actions [T, R], rewards [T, R], infos of T steps."""

    contexts: NDArray[np.float32]
    masks: NDArray[np.bool_]
    actions: NDArray[np.int64]
    rewards: NDArray[Any]
    infos: dict[str, NDArray[Any]]

    def replica(self, r: int) -> _Record:
        """Return the run of one replica, its axis kept."""
        one = slice(r, r + 1)
        infos = {key: value[:, one] for key, value in self.infos.items()}
        return _Record(
            self.contexts[:, one],
            self.masks[:, one],
            self.actions[:, one],
            self.rewards[:, one],
            infos,
        )


def _play(env: AnyVectorEnv, seeds: tuple[int, ...]) -> _Record:
    """Play every round, the arms cycling through the available ones."""
    replicas, arms = env.num_envs, _arms(env)
    assert replicas == len(seeds), f"num_envs must be {len(seeds)}, not {replicas}"
    observation, info = env.reset(seed=list(seeds))  # type: ignore[arg-type]
    horizon = getattr(env, "horizon", None)
    assert isinstance(horizon, int), "the environment needs an attribute horizon, the number of rounds"
    contexts, masks, actions, rewards, infos = [], [], [], [], []
    for t in range(horizon):
        assert observation.dtype == np.float32, f"contexts must be float32, not {observation.dtype}"
        assert env.observation_space.contains(observation), "contexts must lie in observation_space"
        mask = np.asarray(info.get("action_mask", np.ones((replicas, arms), dtype=np.bool_)))
        assert mask.shape == (replicas, arms), f"action_mask must be [R, K], not {mask.shape}"
        assert mask.any(axis=1).all(), "an arm must be available in every round"
        action = np.array([np.flatnonzero(row)[(7 * t + 3) % row.sum()] for row in mask])
        contexts.append(observation.copy())
        masks.append(mask.copy())
        actions.append(action)
        observation, reward, terminated, truncated, info = env.step(action)
        assert not np.any(terminated), "a bandit never terminates; it is truncated"
        last = t + 1 == horizon
        assert np.all(np.asarray(truncated) == last), (
            f"truncated must be {last} in round {t + 1} of {horizon}"
        )
        rewards.append(np.array(reward))
        keep = {key: np.array(value) for key, value in info.items() if not key.startswith("_")}
        keep.pop("action_mask", None)
        infos.append(keep)
    _check_end(env, actions[-1])
    series = {key: np.stack([one[key] for one in infos]) for key in infos[0]}
    return _Record(np.stack(contexts), np.stack(masks), np.stack(actions), np.stack(rewards), series)


def _arms(env: AnyVectorEnv) -> int:
    box, action = env.single_observation_space, env.single_action_space
    assert isinstance(action, spaces.Discrete), f"single_action_space must be Discrete, not {action}"
    assert isinstance(box, spaces.Box), f"single_observation_space must be a Box, not {box}"
    assert box.dtype == np.float32, "contexts must be float32"
    K = int(action.n)
    assert len(box.shape) == 1 or (len(box.shape) == 2 and box.shape[0] == K), (
        f"contexts must be [d] or [K, d] with K = {K}, not {box.shape}"
    )
    return K


def _check_end(env: AnyVectorEnv, action: NDArray[np.int64]) -> None:
    try:
        env.step(action)
    except InputError:
        return
    raise AssertionError("a step after the last round must raise InputError")


def _check_figures(record: _Record) -> None:
    infos, played = record.infos, record.actions[:, :, None]
    missing = {*FIGURES, "expected_losses"} - set(infos)
    assert not missing, f"the step info lacks {sorted(missing)}"
    for name in FIGURES:
        value = infos[name]
        assert ((value >= 0.0) & (value <= 1.0)).all(), f"{name} must lie in [0, 1]"
    np.testing.assert_allclose(record.rewards, 1.0 - infos["loss"], err_msg="reward must be 1 - loss")
    expected = infos["expected_losses"]
    assert expected.shape == record.masks.shape, f"expected_losses must be [R, K], not {expected.shape[1:]}"
    assert ((expected >= 0.0) & (expected <= 1.0)).all(), "expected_losses must lie in [0, 1]"
    least = np.where(record.masks, expected, np.inf).min(axis=2)
    np.testing.assert_allclose(infos["best_loss"], least, err_msg="best_loss must be the least expected one")
    own = np.take_along_axis(expected, played, axis=2)[:, :, 0]
    np.testing.assert_allclose(infos["expected_loss"], own, err_msg="expected_loss must be the played arm's")


def _same(one: _Record, other: _Record, rule: str) -> None:
    for a, b in ((one.contexts, other.contexts), (one.rewards, other.rewards), (one.masks, other.masks)):
        assert np.array_equal(a, b), rule
    for key, value in one.infos.items():
        assert np.array_equal(value, other.infos[key], equal_nan=value.dtype.kind == "f"), f"{rule}: {key}"


def _check_single(name: str, options: dict[str, Any], record: _Record) -> None:
    env = gymnasium.make(name, **options)
    check_env(env.unwrapped, skip_render_check=True)
    observation, _ = env.reset(seed=SEEDS[0])
    for t, action in enumerate(record.actions[:, 0]):
        assert np.array_equal(observation, record.contexts[t, 0]), "the single form must play the same run"
        observation, reward, _, truncated, _ = env.step(action)
        assert reward == record.rewards[t, 0], "the single form must play the same run"
    assert truncated, "the single form must be truncated after the last round"
