"""Environments of others: episodes of any length under every autoreset mode, actions, masks, contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import vector as wrappers

import neucb
from neucb.core.errors import InputError
from neucb.environments.classification import ClassificationVectorEnv
from neucb.testing import check_environment
from tests.support.episodes import MEANS, ROUNDS, SEEDS, Bandit, assert_plays_as_simulated, simulate, vector
from tests.support.runs import traced

MODES = tuple(AutoresetMode)


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("lengths", [(1, 1, 1), (5, 5, 5), (200, 200, 200), (1, 3, 7), (1000, 2, 1)])
@pytest.mark.parametrize("mode", MODES)
def test_episodes_of_any_length_are_played_round_by_round(
    mode: AutoresetMode, lengths: tuple[int, ...], truncated: bool
) -> None:
    env = vector(lengths, mode, truncated=truncated)
    frame, trace = traced("uniform", env, ROUNDS, SEEDS)
    assert_plays_as_simulated(trace, lengths)
    last = frame[frame["round"] == ROUNDS]
    assert last["loss"].tolist() == [
        simulate(seed, n)[1].sum() for seed, n in zip(SEEDS, lengths, strict=True)
    ]
    assert last["regret"].isna().all()  # unknown


@pytest.mark.parametrize("mode", MODES)
def test_episodes_in_other_processes(mode: AutoresetMode) -> None:
    env = vector((1, 3, 2), mode, AsyncVectorEnv)
    try:
        for _ in range(2):  # the second run starts afresh
            _, trace = traced("uniform", env, ROUNDS, SEEDS)
            assert_plays_as_simulated(trace, (1, 3, 2))
    finally:
        env.close()


def test_a_vector_that_resets_once_more_after_a_reset_is_refused() -> None:
    env = AsyncVectorEnv([Bandit, Bandit], shared_memory=False)
    try:
        with pytest.raises(InputError, match=r"shared_memory=False resets once more.*SAME_STEP"):
            neucb.run("uniform", env, 10)
    finally:
        env.close()


@pytest.mark.parametrize("mode", MODES)
def test_figures_are_those_of_the_round_that_ended_the_episode(mode: AutoresetMode) -> None:
    """Regret of uniform play by hand, and L* = 0.2 a round; of skylines too, which play the rounds twice."""
    env = vector((1, 3, 2), mode, with_expected=True)
    frame = neucb.run("uniform", env, ROUNDS, SEEDS)
    last = frame[frame["round"] == ROUNDS]
    for seed, regret in zip(SEEDS, last["regret"], strict=True):
        arms = simulate(seed, 1)[0].astype(int)  # the dice do not depend on the length
        assert regret == pytest.approx((0.8 - MEANS[arms]).sum())
    np.testing.assert_allclose(last["L_star"], 0.2 * ROUNDS)
    best = neucb.run("best-fixed", vector((1, 3, 2), mode, with_expected=True), ROUNDS, SEEDS)
    np.testing.assert_allclose(best["regret"], 0.0, atol=1e-12)


@pytest.mark.parametrize("agent", ["kl-perturbed", "squarecb", "linucb", "supervised"])
def test_agents_learn_on_bandits_of_one_step(agent: str) -> None:
    env = vector((1, 1, 1), AutoresetMode.NEXT_STEP, with_expected=True, start=5)
    last = neucb.run(agent, env, 600, SEEDS).groupby("seed").tail(1)
    assert (last["regret"] < 0.6 * 0.3 * 600).all()  # 0.3 a round is uniform play


def test_arms_are_sent_as_the_action_space_counts_them_and_logged_from_zero() -> None:
    for start in (5, -2):
        env = vector((2, 2, 2), AutoresetMode.SAME_STEP, start=start)
        _, trace = traced("uniform", env, ROUNDS, SEEDS)
        assert_plays_as_simulated(trace, (2, 2, 2))
        assert sorted(trace["action"].unique()) == [0, 1, 2]


class Own(VectorEnv[Any, Any, Any]):
    """A vector environment as people write them: its arrays are used again, its info is its own.

    Sub-environment r loses with arm r modulo 3 only. The context holds the round of the episode.

    Args:
        lengths: rounds of an episode, of every sub-environment.
        mode: of the metadata; None for none.
        masks: whether arm t modulo 3 is missing in round t of an episode.
    """

    def __init__(self, lengths: Sequence[int], mode: Any = "NextStep", *, masks: bool = False) -> None:
        self.num_envs = n = len(lengths)
        self.metadata = {} if mode is None else {"autoreset_mode": mode}
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.single_action_space = spaces.Discrete(3)
        self.observation_space = spaces.Box(-np.inf, np.inf, (n, 2), np.float32)
        self.action_space = spaces.MultiDiscrete([3] * n)
        self.lengths, self.masks, self.steps = lengths, masks, 0
        self.shown = np.zeros((n, 2), np.float32)
        self.mask = np.zeros((n, 3), np.int8)

    def _info(self) -> dict[str, Any]:
        self.mask[:] = self.shown[:, :1] % 3 != np.arange(3)
        return {"action_mask": self.mask} if self.masks else {}

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        wanted = (options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_))
        self.shown[wanted] = 0.0
        self.over = np.zeros(self.num_envs, np.bool_)
        return self.shown, self._info()

    def step(self, actions: Any) -> Any:
        self.steps += 1
        idle = self.over.copy()
        self.shown[:, 0] += 1.0
        self.shown[idle] = 0.0
        self.over = (self.shown[:, 0] == self.lengths) & ~idle
        reward = (actions != np.arange(self.num_envs) % 3) & ~idle
        return self.shown, reward.astype(float), self.over, np.zeros_like(self.over), self._info()


class Noting:
    """An agent that plays the first arm available, and keeps the contexts and losses it learns from."""

    def reset(self, spec: Any) -> None:
        self.spec = spec
        self.contexts: list[list[float]] = []
        self.losses: list[list[float]] = []

    def distribution(self, context: Any, available: Any = None) -> Any:
        p = np.zeros((self.spec.replicas, self.spec.arms))
        first = np.zeros(len(p), np.int64) if available is None else available.numpy().argmax(1)
        p[np.arange(len(p)), first] = 1.0
        return p

    def update(self, context: Any, action: Any, loss: Any) -> None:
        self.contexts.append(context[:, 0].tolist())
        self.losses.append(loss.tolist())


def test_the_step_that_only_resets_is_no_round() -> None:
    """Episodes of 4 rounds end together: 5 steps for 4 rounds; the context learnt from is the one shown."""
    env, agent = Own((4, 4)), Noting()
    neucb.run(agent, env, 10, 2)
    assert agent.contexts == [[float(t % 4)] * 2 for t in range(10)]
    assert agent.losses == [[1.0, 0.0]] * 10
    assert env.steps == 12


@pytest.mark.parametrize(("lengths", "mode"), [((4, 4), "NextStep"), ((4, 2), AutoresetMode.DISABLED)])
def test_masks_are_those_of_the_next_episode(lengths: tuple[int, int], mode: Any) -> None:
    """Arm 0 is not available in the first round of an episode, nor in the fourth."""
    _, trace = traced(Noting(), Own(lengths, mode, masks=True), 8, 2)
    for seed, length in enumerate(lengths):
        own = trace[trace["seed"] == seed]
        assert own["action"].tolist() == [int(t % length % 3 == 0) for t in range(8)]


def test_episodes_that_end_in_different_rounds_are_started_alone() -> None:
    agent = Noting()
    neucb.run(agent, Own((4, 3), "Disabled"), 12, 2)
    assert agent.contexts == [[float(t % 4), float(t % 3)] for t in range(12)]


def test_an_environment_that_never_ends_needs_no_autoreset() -> None:
    agent = Noting()
    neucb.run(agent, Own((99, 99), None), 12, 2)
    assert agent.contexts == [[float(t)] * 2 for t in range(12)]


class ResetsAll(Own):
    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return super().reset(seed=seed)


class Flat(Own):
    """Rewards [R, 1] instead of [R]."""

    def step(self, actions: Any) -> Any:
        observation, reward, *rest = super().step(actions)
        return observation, reward[:, None], *rest


class Narrow(Own):
    """Contexts [R, 1] instead of [R, 2]."""

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        observation, info = super().reset(seed=seed, options=options)
        return observation[:, :1], info


class Telling(Own):
    """Figures that are no losses in [0, 1], or of another shape."""

    figures: ClassVar[dict[str, Any]] = {}

    def step(self, actions: Any) -> Any:
        *rest, info = super().step(actions)
        return *rest, info | self.figures


def telling(**figures: Any) -> Any:
    return type("Telling", (Telling,), {"figures": figures})


def next_step(wrapper: Any) -> Any:
    return lambda lengths: wrapper(vector(lengths, AutoresetMode.NEXT_STEP))


LOSS = "it must be a loss, a number in "
REFUSED: list[tuple[Any, str]] = [
    (lambda n: Own(n, None), "ended in round 3, and the environment does not say .*autoreset_mode"),
    (lambda n: Own(n, "sometimes"), "does not say how the next one starts"),
    (Own, "some sub-environments ended in round 3.*autoreset_mode SAME_STEP"),
    (lambda n: ResetsAll(n, "Disabled"), r"ended in round 3.* must heed options\['reset_mask'\]"),
    (next_step(wrappers.NormalizeObservation), "round 3, and the environment does not reset these alone"),
    (next_step(wrappers.DictInfoToList), "the environment's info must be a dict, not a list: leave Dict"),
    (Flat, r"round 1: rewards must be numbers \[R\], .* they are float64 of shape \(3, 1\)"),
    (Narrow, r"round 1: contexts must be numbers of shape \(3, 2\), .* of shape \(3, 1\)"),
    (telling(best_loss=np.full(3, 1.5)), f"round 1, seed .*: the environment's best_loss is 1.5; {LOSS}"),
    (telling(best_loss=np.full(3, np.nan)), f"best_loss is nan; {LOSS}"),
    (telling(expected_loss=np.full(3, -1e-6)), f"expected_loss is -1.e-06; {LOSS}"),
    (telling(expected_losses=np.full((3, 3), -3.0)), rf"expected_losses is \[-3. -3. -3.\]; {LOSS}"),
    (telling(expected_losses=np.zeros((3, 2))), r"expected_losses must be numbers \[R, K\]"),
    (telling(expected_loss=np.array(["a"] * 3)), r"expected_loss must be numbers \[R\]"),
    (telling(action_mask=np.zeros((3, 3))), "round 2: action_mask must be .* available arm in every row"),
    (telling(action_mask=np.ones((3, 2))), r"round 2: action_mask must be \[R, K\]"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_what_cannot_be_played_is_refused_in_one_line_by_run_and_checker(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        neucb.run("uniform", make((4, 3, 4)), 20)
    assert "\n" not in str(caught.value)
    with pytest.raises(AssertionError, match=words):
        check_environment(lambda replicas: make((4, 3, 4)[:replicas]))


def spaced(observations: Any, actions: Any = None) -> Callable[[int], Any]:
    class Spaced(Bandit):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = observations
            self.action_space = actions or self.action_space

        def _context(self) -> Any:
            return self.observation_space.sample()

    return lambda replicas: SyncVectorEnv([Spaced] * replicas)


BOX = spaces.Box(-1.0, 1.0, (4,), np.float32)


@pytest.mark.parametrize(
    ("observations", "actions", "words"),
    [
        (
            spaces.Dict(a=BOX, b=BOX),
            None,
            r"must be contexts, \[d\].* not Dict.*FlattenObservation makes them",
        ),
        (spaces.Tuple([BOX]), None, "not Tuple"),
        (spaces.Discrete(4), None, r"not Discrete\(4\)"),
        (spaces.Text(4), None, "not Text"),
        (spaces.Box(0, 255, (8, 8, 3), np.uint8), None, r"not Box\(0, 255, \(8, 8, 3\), uint8\)"),
        (BOX, spaces.MultiDiscrete([2, 3]), r"actions must be Discrete\(K\), one per arm, not MultiDiscrete"),
        (BOX, spaces.MultiBinary(3), "not MultiBinary"),
        (BOX, spaces.Box(0.0, 1.0, (3,)), "not Box"),
        (BOX, spaces.Discrete(1), "at least 2 arms"),
    ],
)
def test_other_spaces_are_refused_in_one_line(observations: Any, actions: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        neucb.run("uniform", spaced(observations, actions)(2), 5)
    assert "\n" not in str(caught.value)
    with pytest.raises(AssertionError, match=words):
        check_environment(spaced(observations, actions))


@pytest.mark.parametrize(
    "observations",
    [
        spaces.Box(-1.0, 1.0, (4,), np.float64),
        spaces.Box(0, 255, (4,), np.uint8),
        spaces.Box(0, 255, (3, 5), np.uint8),
        spaces.MultiBinary(4),
        spaces.MultiDiscrete([3, 4]),
    ],
)
def test_contexts_of_other_types_are_the_numbers_they_are(observations: Any) -> None:
    class Counting(Bandit):
        def __init__(self) -> None:
            super().__init__(1000)
            self.observation_space = observations

        def _context(self) -> Any:
            return np.full(observations.shape, self.played % 2, observations.dtype)

    agent = Noting()
    neucb.run(agent, SyncVectorEnv([Counting]), 4)
    first = np.ravel(agent.contexts[1])
    assert first.tolist() == [1.0] * (observations.shape[-1] if len(observations.shape) == 2 else 1)
    assert not np.ravel(agent.contexts[::2]).any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{}, {"start": 5, "tells": True}, {"truncated": True}])
def test_the_checker_accepts_what_is_played_right(mode: AutoresetMode, options: dict[str, Any]) -> None:
    for lengths in ((1, 1, 1), (3, 3, 3), (500, 500, 500)):
        check_environment(partial(_first, lengths, mode, **options))
    check_environment(lambda replicas: wrappers.RecordEpisodeStatistics(vector((3,) * replicas, mode)))


def _first(lengths: Sequence[int], mode: AutoresetMode, replicas: int, **options: Any) -> Any:
    return vector(lengths[:replicas], mode, **options)


def test_the_checker_accepts_rewards_in_a_range_that_is_said() -> None:
    def make(replicas: int) -> Any:
        return vector((1,) * replicas, AutoresetMode.NEXT_STEP, rewards=(-3.0, 7.0))

    check_environment(make, reward_range=(-3, 7), rounds=20)
    with pytest.raises(AssertionError, match=r"the reward is (7.0|-3.0), outside \[0, 1\]; reward_range="):
        check_environment(make)


def test_replicas_that_are_copies_are_found() -> None:
    class Copy(Bandit):
        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
            return super().reset(seed=None if seed is None else 0)

    with pytest.raises(
        AssertionError, match="another seed must give another run, or all replicas are copies"
    ):
        check_environment(lambda replicas: SyncVectorEnv([Copy] * replicas))


def test_a_wrapped_environment_of_ours_keeps_its_rounds_and_its_name() -> None:
    plain = neucb.run("squarecb", ClassificationVectorEnv("iris", 2), engine="torch", dtype="float64")
    wrapped = wrappers.RecordEpisodeStatistics(ClassificationVectorEnv("iris", 2))
    frame, trace = traced("squarecb", wrapped, dtype="float64")
    pd.testing.assert_frame_equal(frame, plain, rtol=1e-9)
    assert frame.attrs["dataset"] == "iris"
    assert sorted(trace[trace["seed"] == 0]["row"]) == list(range(150))
    with pytest.raises(InputError, match="150 rounds, not 151"):
        neucb.run("uniform", wrapped, 151)


def test_our_single_forms_in_gymnasiums_vector_start_anew() -> None:
    """150 rows of iris, 400 rounds: two whole episodes and 100 rounds, each row once in an episode."""
    env = gymnasium.make_vec("neucb/Classification-v0", 2, "sync", dataset="iris")
    frame, trace = traced("uniform", env, 400)
    assert set(frame["dataset"]) == {"neucb/Classification-v0"}
    labels = trace[trace["seed"] == 1]["class_label"]
    assert [labels[:150].value_counts().tolist(), labels[150:300].value_counts().tolist()] == [[50] * 3] * 2
    assert not frame["regret"].isna().any()


def test_a_single_environment_is_refused_with_what_to_write() -> None:
    with pytest.raises(InputError, match=r"a Bandit is one replica.*SyncVectorEnv\(\[make\] \* 5\)"):
        neucb.run("uniform", Bandit())  # type: ignore[arg-type]


class Masked(Bandit):
    """Tells lists, and a mask of the space's dtype for the round to come: arm `played` is missing."""

    def _mask(self) -> Any:
        return (np.arange(3) != self.played).astype(np.int8)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        observation, info = super().reset(seed=seed)
        return observation, info | {"action_mask": self._mask()}

    def step(self, action: Any) -> Any:
        assert self._mask()[int(action) - self.start], "an arm that is not available"
        *rest, info = super().step(action)
        if "expected_losses" in info:
            info["expected_losses"] = info["expected_losses"].tolist()
        return *rest, info | {"action_mask": self._mask()}


@pytest.mark.parametrize("mode", MODES)
def test_sub_environments_that_give_masks_and_lists_and_some_that_give_nothing(mode: AutoresetMode) -> None:
    """Of the first two, one tells no losses and the other lists; the third has all arms in every round."""
    made = [lambda: Masked(3), lambda: Masked(2, with_expected=True), lambda: Bandit(4, with_expected=True)]
    frame, trace = traced("uniform", SyncVectorEnv(made, autoreset_mode=mode), ROUNDS, SEEDS)
    last = frame[frame["round"] == ROUNDS].reset_index(drop=True)
    assert np.isnan(last["regret"][0])
    assert np.isnan(last["L_star"][0])
    # Best of episodes of two rounds: arm 2, as arms 0 and 1 are missing in turn; so is it of all others.
    np.testing.assert_allclose(last["L_star"][1:], 0.2 * ROUNDS)
    for seed, length, missing in zip(SEEDS, (3, 2, 4), (True, True, False), strict=True):
        arms = trace[trace["seed"] == seed]["action"].to_numpy()
        first = arms[::length]
        assert set(first) == ({1, 2} if missing else {0, 1, 2})
    regret = (0.8 - MEANS[trace[trace["seed"] == SEEDS[1]]["action"]]).sum()
    assert last["regret"][1] == pytest.approx(regret)


def test_an_environment_that_describes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Own, "describe", lambda self: {"dataset": "lists", "price": 3}, raising=False)
    frame = neucb.run("uniform", Own((9,)), 5)
    assert set(frame["dataset"]) == {"lists"}
    assert (frame.attrs["source"], frame.attrs["price"]) == ("environment", 3)
    monkeypatch.setattr(Own, "describe", lambda self: "lists")
    with pytest.raises(InputError, match=r"Own.describe\(\) must return a dict, not a str"):
        neucb.run("uniform", Own((9,)), 5)
