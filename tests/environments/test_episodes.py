"""User environments: episodes of any length under every autoreset mode, actions, masks, contexts."""

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
def test_episodes_of_any_length_are_played(
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
def test_episodes_in_other_processes_are_played(mode: AutoresetMode) -> None:
    env = vector((1, 3, 2), mode, AsyncVectorEnv)
    try:
        for _ in range(2):  # the second run is independent
            _, trace = traced("uniform", env, ROUNDS, SEEDS)
            assert_plays_as_simulated(trace, (1, 3, 2))
    finally:
        env.close()


def test_a_vector_that_resets_twice_is_rejected() -> None:
    env = AsyncVectorEnv([Bandit, Bandit], shared_memory=False)
    try:
        with pytest.raises(InputError, match=r"shared_memory=False resets once more.*SAME_STEP"):
            neucb.run("uniform", env, 10)
    finally:
        env.close()


@pytest.mark.parametrize("mode", MODES)
def test_expected_losses_are_those_of_the_played_round(mode: AutoresetMode) -> None:
    """Regret of uniform play equals a hand calculation; skylines have regret 0."""
    env = vector((1, 3, 2), mode, with_expected=True)
    frame = neucb.run("uniform", env, ROUNDS, SEEDS)
    last = frame[frame["round"] == ROUNDS]
    for seed, regret in zip(SEEDS, last["regret"], strict=True):
        arms = simulate(seed, 1)[0].astype(int)  # action draws do not depend on the length
        assert regret == pytest.approx((0.8 - MEANS[arms]).sum())
    np.testing.assert_allclose(last["L_star"], 0.2 * ROUNDS)
    best = neucb.run("best-fixed", vector((1, 3, 2), mode, with_expected=True), ROUNDS, SEEDS)
    np.testing.assert_allclose(best["regret"], 0.0, atol=1e-12)


@pytest.mark.parametrize("agent", ["kl-perturbed", "squarecb", "linucb", "supervised"])
def test_agents_learn_on_episodes_of_one_round(agent: str) -> None:
    env = vector((1, 1, 1), AutoresetMode.NEXT_STEP, with_expected=True, start=5)
    last = neucb.run(agent, env, 600, SEEDS).groupby("seed").tail(1)
    assert (last["regret"] < 0.6 * 0.3 * 600).all()  # uniform play has 0.3 per round


def test_actions_start_at_the_start_of_the_space_and_are_logged_from_0() -> None:
    for start in (5, -2):
        env = vector((2, 2, 2), AutoresetMode.SAME_STEP, start=start)
        _, trace = traced("uniform", env, ROUNDS, SEEDS)
        assert_plays_as_simulated(trace, (2, 2, 2))
        assert sorted(trace["action"].unique()) == [0, 1, 2]


class Own(VectorEnv[Any, Any, Any]):
    """User-defined vector environment that reuses its arrays.

    In sub-environment r only arm r modulo 3 has loss 1. The context holds the round of the episode.

    Args:
        lengths: rounds of an episode per sub-environment.
        mode: autoreset mode in the metadata, or None.
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
        self.contexts = np.zeros((n, 2), np.float32)
        self.mask = np.zeros((n, 3), np.int8)

    def _info(self) -> dict[str, Any]:
        self.mask[:] = self.contexts[:, :1] % 3 != np.arange(3)
        return {"action_mask": self.mask} if self.masks else {}

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        selected = (options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_))
        self.contexts[selected] = 0.0
        self.over = np.zeros(self.num_envs, np.bool_)
        return self.contexts, self._info()

    def step(self, actions: Any) -> Any:
        self.steps += 1
        idle = self.over.copy()
        self.contexts[:, 0] += 1.0
        self.contexts[idle] = 0.0
        self.over = (self.contexts[:, 0] == self.lengths) & ~idle
        reward = (actions != np.arange(self.num_envs) % 3) & ~idle
        return self.contexts, reward.astype(float), self.over, np.zeros_like(self.over), self._info()


class Recorder:
    """Agent that plays the first available arm and records the contexts and losses of its updates."""

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


def test_a_step_that_only_resets_is_not_a_round() -> None:
    """Episodes of 4 rounds take 5 steps; updates get the contexts that were shown."""
    env, agent = Own((4, 4)), Recorder()
    neucb.run(agent, env, 10, 2)
    assert agent.contexts == [[float(t % 4)] * 2 for t in range(10)]
    assert agent.losses == [[1.0, 0.0]] * 10
    assert env.steps == 12


@pytest.mark.parametrize(("lengths", "mode"), [((4, 4), "NextStep"), ((4, 2), AutoresetMode.DISABLED)])
def test_masks_belong_to_the_next_round(lengths: tuple[int, int], mode: Any) -> None:
    """Arm 0 is unavailable in the first and fourth rounds of an episode."""
    _, trace = traced(Recorder(), Own(lengths, mode, masks=True), 8, 2)
    for seed, length in enumerate(lengths):
        own = trace[trace["seed"] == seed]
        assert own["action"].tolist() == [int(t % length % 3 == 0) for t in range(8)]


def test_episodes_that_end_at_different_rounds_are_reset_separately() -> None:
    agent = Recorder()
    neucb.run(agent, Own((4, 3), "Disabled"), 12, 2)
    assert agent.contexts == [[float(t % 4), float(t % 3)] for t in range(12)]


def test_an_environment_that_never_ends_needs_no_autoreset() -> None:
    agent = Recorder()
    neucb.run(agent, Own((99, 99), None), 12, 2)
    assert agent.contexts == [[float(t)] * 2 for t in range(12)]


class ResetsAll(Own):
    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return super().reset(seed=seed)


class Flat(Own):
    """Environment with rewards [R, 1] instead of [R]."""

    def step(self, actions: Any) -> Any:
        observation, reward, *rest = super().step(actions)
        return observation, reward[:, None], *rest


class Narrow(Own):
    """Environment with contexts [R, 1] instead of [R, 2]."""

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        observation, info = super().reset(seed=seed, options=options)
        return observation[:, :1], info


class WithInfo(Own):
    """Environment whose info has additional entries."""

    entries: ClassVar[dict[str, Any]] = {}

    def step(self, actions: Any) -> Any:
        *rest, info = super().step(actions)
        return *rest, info | self.entries


def with_info(**entries: Any) -> Any:
    return type("WithInfo", (WithInfo,), {"entries": entries})


def next_step(wrapper: Any) -> Any:
    return lambda lengths: wrapper(vector(lengths, AutoresetMode.NEXT_STEP))


LOSS = "it must be a loss, a number in "
REJECTED: list[tuple[Any, str]] = [
    (lambda n: Own(n, None), "ended in round 3, and the environment does not say .*autoreset_mode"),
    (lambda n: Own(n, "sometimes"), "does not say how the next one starts"),
    (Own, "some sub-environments ended in round 3.*autoreset_mode SAME_STEP"),
    (lambda n: ResetsAll(n, "Disabled"), r"ended in round 3.* must heed options\['reset_mask'\]"),
    (next_step(wrappers.NormalizeObservation), "round 3, and the environment does not reset these alone"),
    (next_step(wrappers.DictInfoToList), "the environment's info must be a dict, not a list: leave Dict"),
    (Flat, r"round 1: rewards must be numbers \[R\], .* they are float64 of shape \(3, 1\)"),
    (Narrow, r"round 1: contexts must be numbers of shape \(3, 2\), .* of shape \(3, 1\)"),
    (with_info(best_loss=np.full(3, 1.5)), f"round 1, seed .*: the environment's best_loss is 1.5; {LOSS}"),
    (with_info(best_loss=np.full(3, np.nan)), f"best_loss is nan; {LOSS}"),
    (with_info(expected_loss=np.full(3, -1e-6)), f"expected_loss is -1.e-06; {LOSS}"),
    (with_info(expected_losses=np.full((3, 3), -3.0)), rf"expected_losses is \[-3. -3. -3.\]; {LOSS}"),
    (with_info(expected_losses=np.zeros((3, 2))), r"expected_losses must be numbers \[R, K\]"),
    (with_info(expected_loss=np.array(["a"] * 3)), r"expected_loss must be numbers \[R\]"),
    (with_info(action_mask=np.zeros((3, 3))), "round 2: action_mask must be .* available arm in every row"),
    (with_info(action_mask=np.ones((3, 2))), r"round 2: action_mask must be \[R, K\]"),
]


@pytest.mark.parametrize(("make", "message"), REJECTED)
def test_run_and_checker_reject_invalid_environments(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        neucb.run("uniform", make((4, 3, 4)), 20)
    assert "\n" not in str(caught.value)
    with pytest.raises(AssertionError, match=message):
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
    ("observations", "actions", "message"),
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
def test_unsupported_spaces_are_rejected(observations: Any, actions: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        neucb.run("uniform", spaced(observations, actions)(2), 5)
    assert "\n" not in str(caught.value)
    with pytest.raises(AssertionError, match=message):
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
def test_contexts_of_other_types_are_converted(observations: Any) -> None:
    class Counting(Bandit):
        def __init__(self) -> None:
            super().__init__(1000)
            self.observation_space = observations

        def _context(self) -> Any:
            return np.full(observations.shape, self.played % 2, observations.dtype)

    agent = Recorder()
    neucb.run(agent, SyncVectorEnv([Counting]), 4)
    first = np.ravel(agent.contexts[1])
    assert first.tolist() == [1.0] * (observations.shape[-1] if len(observations.shape) == 2 else 1)
    assert not np.ravel(agent.contexts[::2]).any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{}, {"start": 5, "with_expected": True}, {"truncated": True}])
def test_the_checker_accepts_valid_environments(mode: AutoresetMode, options: dict[str, Any]) -> None:
    for lengths in ((1, 1, 1), (3, 3, 3), (500, 500, 500)):
        check_environment(partial(_first, lengths, mode, **options))
    check_environment(lambda replicas: wrappers.RecordEpisodeStatistics(vector((3,) * replicas, mode)))


def _first(lengths: Sequence[int], mode: AutoresetMode, replicas: int, **options: Any) -> Any:
    return vector(lengths[:replicas], mode, **options)


def test_the_checker_accepts_rewards_in_a_given_range() -> None:
    def make(replicas: int) -> Any:
        return vector((1,) * replicas, AutoresetMode.NEXT_STEP, rewards=(-3.0, 7.0))

    check_environment(make, reward_range=(-3, 7), rounds=20)
    with pytest.raises(AssertionError, match=r"the reward is (7.0|-3.0), outside \[0, 1\]; reward_range="):
        check_environment(make)


def test_the_checker_finds_identical_replicas() -> None:
    class Copy(Bandit):
        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
            return super().reset(seed=None if seed is None else 0)

    with pytest.raises(
        AssertionError, match="another seed must give another run, or all replicas are copies"
    ):
        check_environment(lambda replicas: SyncVectorEnv([Copy] * replicas))


def test_a_wrapped_environment_keeps_its_rounds_and_name() -> None:
    plain = neucb.run("squarecb", ClassificationVectorEnv("iris", 2), engine="torch", dtype="float64")
    wrapped = wrappers.RecordEpisodeStatistics(ClassificationVectorEnv("iris", 2))
    frame, trace = traced("squarecb", wrapped, dtype="float64")
    pd.testing.assert_frame_equal(frame, plain, rtol=1e-9)
    assert frame.attrs["dataset"] == "iris"
    assert sorted(trace[trace["seed"] == 0]["row"]) == list(range(150))
    with pytest.raises(InputError, match="150 rounds, not 151"):
        neucb.run("uniform", wrapped, 151)


def test_single_forms_in_a_gymnasium_vector_are_reset() -> None:
    """150 rows of iris, 400 rounds: every row occurs once per episode."""
    env = gymnasium.make_vec("neucb/Classification-v0", 2, "sync", dataset="iris")
    frame, trace = traced("uniform", env, 400)
    assert set(frame["dataset"]) == {"neucb/Classification-v0"}
    labels = trace[trace["seed"] == 1]["class_label"]
    assert [labels[:150].value_counts().tolist(), labels[150:300].value_counts().tolist()] == [[50] * 3] * 2
    assert not frame["regret"].isna().any()


def test_a_single_environment_is_rejected_with_the_cure() -> None:
    with pytest.raises(InputError, match=r"a Bandit is one replica.*SyncVectorEnv\(\[make\] \* 5\)"):
        neucb.run("uniform", Bandit())  # type: ignore[arg-type]


class Masked(Bandit):
    """Environment with lists and a mask in its info: arm `played` is missing in the next round."""

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
def test_sub_environments_may_differ_in_their_info(mode: AutoresetMode) -> None:
    """The first has no expected losses, the second has lists, the third has no mask."""
    makers = [lambda: Masked(3), lambda: Masked(2, with_expected=True), lambda: Bandit(4, with_expected=True)]
    frame, trace = traced("uniform", SyncVectorEnv(makers, autoreset_mode=mode), ROUNDS, SEEDS)
    last = frame[frame["round"] == ROUNDS].reset_index(drop=True)
    assert np.isnan(last["regret"][0])
    assert np.isnan(last["L_star"][0])
    # Arm 2 is best: in episodes of two rounds, arms 0 and 1 are missing in turn.
    np.testing.assert_allclose(last["L_star"][1:], 0.2 * ROUNDS)
    for seed, length, missing in zip(SEEDS, (3, 2, 4), (True, True, False), strict=True):
        arms = trace[trace["seed"] == seed]["action"].to_numpy()
        first = arms[::length]
        assert set(first) == ({1, 2} if missing else {0, 1, 2})
    regret = (0.8 - MEANS[trace[trace["seed"] == SEEDS[1]]["action"]]).sum()
    assert last["regret"][1] == pytest.approx(regret)


def test_describe_names_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Own, "describe", lambda self: {"dataset": "lists", "price": 3}, raising=False)
    frame = neucb.run("uniform", Own((9,)), 5)
    assert set(frame["dataset"]) == {"lists"}
    assert (frame.attrs["source"], frame.attrs["price"]) == ("environment", 3)
    monkeypatch.setattr(Own, "describe", lambda self: "lists")
    with pytest.raises(InputError, match=r"Own.describe\(\) must return a dict, not a str"):
        neucb.run("uniform", Own((9,)), 5)
