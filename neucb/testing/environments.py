"""check_environment: test, by playing it, the properties of an environment that the runner relies on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.core.spec import AnyVectorEnv, attribute, read_spec
from neucb.environments.episodes import Episodes
from neucb.environments.rewards import UNIT, check_reward_range
from neucb.environments.step_info import FIGURES

SEEDS = (11, 12, 13)
ROUNDS = 50  # default for environments without a horizon
ROUNDING = 1e-6  # tolerance of losses in [0, 1]


def check_environment(
    environment: str | Callable[[int], AnyVectorEnv],
    *,
    rounds: int | None = None,
    reward_range: Sequence[float] = UNIT,
    **options: Any,
) -> None:
    """Play an environment and check the properties that the runner relies on.

    Checked: the spaces; contexts are finite numbers within the observation space; every arm of
    `Discrete(K, start)` can be played; rewards are finite and within `reward_range`; where episodes end,
    the next ones start according to the autoreset mode (see `Episodes`); the same seed and actions give
    the same run, other seeds another one; a replica's run does not depend on its neighbours. In the step
    info, where present: expected losses lie in [0, 1], best_loss is the least of the available arms'
    expected_losses, and expected_loss that of the arm played. For a registered id also: Gymnasium's own
    checker passes on the single form, which plays the same run as a vector of one. Everything that
    `neucb.run` rejects is rejected, and in addition contexts outside the observation space and replicas
    that are copies.

    Args:
        environment: id for `gymnasium.make`, or a function from the number of replicas to the
            vector environment.
        rounds: number of rounds to play; by default the environment's horizon, or 50 without one.
        reward_range: bounds (low, high) of the rewards, as for `neucb.run`.
        options: keyword arguments of `gymnasium.make`.

    Raises:
        AssertionError: a check fails; the message names the violated property.
    """
    play = _Play(rounds, check_reward_range(reward_range))

    def make(replicas: int) -> AnyVectorEnv:
        if isinstance(environment, str):
            return gymnasium.make_vec(environment, num_envs=replicas, **options)
        return environment(replicas)

    together = play(make(len(SEEDS)), SEEDS)
    _check_metrics(together)
    _same(play(make(len(SEEDS)), SEEDS), together, "the same seeds and actions must give the same run")
    for r, seed in enumerate(SEEDS):
        alone = play(make(1), (seed,))
        _same(alone, together.replica(r), "a replica must not depend on its neighbours")
    differ = (values[:, 0] != values[:, 1] for values in (together.contexts, together.losses))
    assert any(map(np.any, differ)), "another seed must give another run, or all replicas are copies"
    if isinstance(environment, str):
        check_env(gymnasium.make(environment, **options).unwrapped, skip_render_check=True)
        single = SyncVectorEnv([lambda: gymnasium.make(environment, **options)])
        alone = play(single, SEEDS[:1], len(together.losses))
        _same(alone, together.replica(0), "the single form must play the same run")


@dataclass(frozen=True)
class _Record:
    """A run: contexts [T, R, ...], masks [T, R, K], actions, losses [T, R], metrics [T, R] or [T, R, K]."""

    contexts: NDArray[Any]
    masks: NDArray[np.bool_]
    actions: NDArray[np.int64]
    losses: NDArray[np.float64]
    metrics: dict[str, NDArray[Any]]

    def replica(self, r: int) -> _Record:
        """Return the run of one replica, its axis kept."""
        own = slice(r, r + 1)
        metrics = {name: value[:, own] for name, value in self.metrics.items()}
        return _Record(
            self.contexts[:, own], self.masks[:, own], self.actions[:, own], self.losses[:, own], metrics
        )


@dataclass(frozen=True)
class _Play:
    """Player of random available arms; errors of the runner become failed checks."""

    rounds: int | None
    reward_range: tuple[float, float]

    def __call__(self, env: AnyVectorEnv, seeds: tuple[int, ...], rounds: int | None = None) -> _Record:
        """Play rounds, by default those of the check, and close the environment."""
        assert env.num_envs == len(seeds), f"num_envs must be {len(seeds)}, not {env.num_envs}"
        wanted = rounds or self.rounds
        if wanted is None and attribute(env, "horizon") is None:
            wanted = ROUNDS
        try:
            return self._play(env, seeds, wanted)
        except InputError as error:
            raise AssertionError(str(error)) from error
        finally:
            env.close()

    def _play(self, env: AnyVectorEnv, seeds: tuple[int, ...], rounds: int | None) -> _Record:
        spec = read_spec(env, seeds, rounds)
        episodes = Episodes(env, spec, self.reward_range)
        episodes.trusted = False
        episodes.reset()
        shape = spec.replicas, spec.arms
        metrics = {name: np.full((spec.horizon, *shape[: _dimensions(name)]), np.nan) for name in FIGURES}
        masks = np.ones((spec.horizon, *shape), np.bool_)
        contexts, actions, losses = [], [], []
        for t, uniform in enumerate(np.random.default_rng(0).random(spec.horizon)):
            context, available = episodes.look()
            assert env.observation_space.contains(context), (
                f"round {t + 1}: contexts must lie in the observation space, {env.single_observation_space}; "
                f"they are {context.dtype} in {context.min():g}..{context.max():g}"
            )
            if available is not None:
                masks[t] = available
            action = np.array([np.flatnonzero(row)[int(uniform * row.sum())] for row in masks[t]])
            loss, info = episodes.step(action)
            contexts.append(context)
            actions.append(action)
            losses.append(loss)
            for name in metrics.keys() & info.keys():
                metrics[name][t] = info[name]
        return _Record(np.stack(contexts), masks, np.stack(actions), np.stack(losses), metrics)


def _dimensions(metric: str) -> int:
    return 2 if metric == "expected_losses" else 1


def _check_metrics(record: _Record) -> None:
    metrics = record.metrics
    expected = metrics["expected_losses"]
    played = np.take_along_axis(expected, record.actions[:, :, None], axis=2)[:, :, 0]
    least = np.where(record.masks, expected, np.inf).min(axis=2)
    for name, value, rule in (
        ("best_loss", least, "the least expected one of the available arms"),
        ("expected_loss", played, "that of the arm played"),
    ):
        wrong = np.abs(metrics[name] - value) > ROUNDING
        assert not wrong.any(), f"round {int(wrong.any(axis=1).argmax()) + 1}: {name} must be {rule}"


def _same(first: _Record, second: _Record, rule: str) -> None:
    for a, b in (
        (first.contexts, second.contexts),
        (first.losses, second.losses),
        (first.masks, second.masks),
    ):
        assert np.array_equal(a, b), rule
    for name, value in first.metrics.items():
        assert np.array_equal(value, second.metrics[name], equal_nan=True), f"{rule}: {name}"
