"""Rewards of user environments: outside [0, 1], not finite, mapped from a range."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

import neucb
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.rewards import losses_of
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import local
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.sweep import sweep
from tests.support.command import neucb as command
from tests.support.episodes import ROUNDS, SEEDS, assert_plays_as_simulated, vector
from tests.support.runs import traced
from tests.support.tables import RATED, toy

SPEC = Spec((4, 7), 3, 2, 10)

CODE = """
import numpy as np
import pandas as pd
from gymnasium.vector import SyncVectorEnv
from tests.support.episodes import Bandit

def bandits(num_envs):
    return SyncVectorEnv([lambda: Bandit(rewards=(-3.0, 7.0), start=5)] * num_envs)

class Worse(Bandit):
    def step(self, action):
        if self.np_random.random() < 0.02:
            raise KeyError("shelf")
        return super().step(action)

def worse(num_envs):
    return SyncVectorEnv([Worse] * num_envs)

def single():
    return Bandit()

def table():
    return pd.DataFrame({"x": np.arange(60.0) % 7, "y": ["a", "b", "c"] * 20})
"""


def test_losses_equal_hand_computed_numbers() -> None:
    reward = np.array([-3.0, 4.5])
    assert losses_of(reward, (-3.0, 7.0), SPEC, 0).tolist() == [1.0, 0.25]
    assert losses_of(np.array([0.25, 1.0]), (0.0, 1.0), SPEC, 0).tolist() == [0.75, 0.0]
    assert losses_of(np.array([True, False]), (0.0, 1.0), SPEC, 0).tolist() == [0.0, 1.0]
    assert losses_of([0, 1], (0.0, 1.0), SPEC, 0).tolist() == [1.0, 0.0]


def test_rounding_errors_of_rewards_are_accepted() -> None:
    assert losses_of(np.array([-1e-10, 1 + 1e-10]), (0.0, 1.0), SPEC, 0).tolist() == [1.0, 0.0]
    tenth = np.array([np.nextafter(np.float32(1), np.float32(2)), 0], np.float32)
    assert losses_of(tenth, (0.0, 1.0), SPEC, 0).tolist() == [0.0, 1.0]
    for reward in (-1e-8, 1 + 1e-8):
        with pytest.raises(InputError, match="outside"):
            losses_of(np.array([0.5, reward]), (0.0, 1.0), SPEC, 0)


@pytest.mark.parametrize(
    ("reward", "reward_range", "message"),
    [
        (
            1730.0,
            (0.0, 1.0),
            r"round 4, seed 7: the reward is 1730.0, outside \[0, 1\]; reward_range=\(low, high\) maps",
        ),
        (-0.5, (0.0, 1.0), r"the reward is -0.5, outside \[0, 1\]"),
        (np.nan, (0.0, 1.0), "round 4, seed 7: the reward is nan; it must be a finite number"),
        (np.inf, (0.0, 1.0), "the reward is inf; it must be a finite number"),
        (-np.inf, (-3.0, 7.0), "the reward is -inf; it must be a finite number"),
        (7.5, (-3.0, 7.0), "the reward is 7.5, outside reward_range, -3.0 to 7.0; state a wider one"),
    ],
)
def test_invalid_rewards_are_rejected_with_round_and_seed(
    reward: float, reward_range: tuple[float, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        losses_of(np.array([0.5, reward]), reward_range, SPEC, 3)


@pytest.mark.parametrize(
    "reward_range",
    [(1.0, 0.0), (1.0, 1.0), (0.0, np.inf), (np.nan, 1.0), (0.0,), (0, 1, 2), "01", 3, ("a", "b")],
)
def test_invalid_reward_ranges_are_rejected(reward_range: Any) -> None:
    with pytest.raises(InputError, match="reward_range must be two finite numbers, low < high, not "):
        neucb.run("uniform", vector((1,), AutoresetMode.SAME_STEP), 5, reward_range=reward_range)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_rewards_in_a_range_are_mapped_to_losses(mode: AutoresetMode) -> None:
    env = vector((1, 3, 2), mode, rewards=(-3.0, 7.0), with_expected=True)
    frame, trace = traced("uniform", env, ROUNDS, SEEDS, reward_range=(-3, 7))
    assert_plays_as_simulated(trace, (1, 3, 2))
    assert frame.attrs["reward_range"] == [-3.0, 7.0]
    np.testing.assert_allclose(frame["L_star"], 0.2 * frame["round"])  # losses in [0, 1]


def test_an_invalid_reward_is_an_error_of_the_environment() -> None:
    with pytest.raises(InputError, match=r"round \d+, seed [479]: the reward is nan"):
        neucb.run("kl", vector((1, 1, 1), AutoresetMode.SAME_STEP, rewards=(0.0, np.nan)), 50, SEEDS)


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        ("iris", {}, "reward_range is for environments of your own"),
        (toy(), {}, "reward_range is for environments of your own"),
        ("synthetic:linear", {}, "reward_range is for environments of your own"),
        (RATED, {"group": "query"}, "reward_range is for environments of your own"),
        (ClassificationVectorEnv(toy(), 2), {}, "leave out reward_range: ClassificationVectorEnv has"),
        (vector((1,), AutoresetMode.SAME_STEP), {"order": "stored"}, "own options; leave out order$"),
    ],
)
def test_reward_range_is_for_user_environments_only(dataset: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        neucb.run("uniform", dataset, 5, reward_range=(0, 2), **options)


class Changing(VectorEnv[Any, Any, Any]):
    """Environment with reward 1 until round 19, then 2."""

    def __init__(self) -> None:
        self.num_envs = 1
        self.single_observation_space = self.observation_space = spaces.Box(-1, 1, (1,))
        self.single_action_space = spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.round = 0
        return np.zeros((1, 1)), {}

    def step(self, actions: Any) -> Any:
        self.round += 1
        reward = np.array([1.0 if self.round < 20 else 2.0])
        return np.zeros((1, 1)), reward, np.array([False]), np.array([False]), {}


def test_rounds_before_an_invalid_reward_are_kept() -> None:
    from neucb.runs.api import prepare

    run = prepare("uniform", Changing(), 50)
    with pytest.raises(InputError, match=r"round 20, seed 0: the reward is 2\.0, outside"):
        run.play()
    assert run.log.round == 19
    assert run.frame()["round"].max() == 19


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CODE)
    return tmp_path


RUN = ("run", "--agent", "uniform", "--rounds", "200", "--seeds", "4,7,9", "--out", "out", "--quiet")


def test_the_command_line_plays_a_user_environment_without_expected_losses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*RUN, "--dataset", "mine.py:bandits", "--reward-range", "-3,7", "--trace")
    assert command(monkeypatch, *arguments) == 0
    capsys.readouterr()
    assert_plays_as_simulated(pd.read_parquet(next(Path("out").glob("*_trace.parquet"))), (1, 1, 1))
    manifest = json.loads(next(Path("out").glob("*.json")).read_text())
    assert manifest["configuration"]["environment"]["reward_range"] == [-3.0, 7.0]
    assert manifest["summary"]["mean_regret"] is None  # unknown
    for command_line in (("plot", "out", "-o", "plot.png"), ("report", "out", "-o", "report.html")):
        assert command(monkeypatch, *command_line) == 0
    assert (folder / "report.html").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--dataset", "mine.py:bandits"),
            r"the reward is 7.0, outside [0, 1]; --reward-range LOW,HIGH maps",
        ),
        (("--dataset", "mine.py:bandits", "--reward-range", "7,-3"), "--reward-range takes LOW,HIGH, like"),
        (("--dataset", "mine.py:bandits", "--reward-range", "a"), "--reward-range takes LOW,HIGH, like"),
        (("--dataset", "mine.py:table", "--reward-range", "0,2"), "reward_range is for environments of your"),
        (("--dataset", "iris", "--reward-range", "0,2"), "reward_range is for environments of your own"),
        (("--dataset", "mine.py:single"), "a Bandit is one replica"),
        (("--dataset", "mine.py:worse"), "KeyError: 'shelf'; the"),
    ],
)
def test_errors_of_user_environments_are_one_line(
    options: tuple[str, ...],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(monkeypatch, *RUN, *options) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


TOML = """\
[experiment]
name = "own"
rounds = 200
reporting_seeds = [4, 7, 9]
datasets = [{ name = "mine.py:NAME", reward_range = RANGE }]
[[agents]]
name = "uniform"
"""


def test_a_sweep_supports_reward_range(folder: Path) -> None:
    def play(name: str, values: str) -> Any:
        spec = parse_spec(TOML.replace("NAME", name).replace("RANGE", values))
        return sweep(spec, folder, lambda tasks: local(tasks, 1), Data())

    assert play("bandits", "[-3, 7]").failures == []
    expected = neucb.run("uniform", vector((1, 1, 1), AutoresetMode.SAME_STEP), ROUNDS, SEEDS)
    frame = neucb.load_results(folder)
    assert frame["loss"].tolist() == expected["loss"].tolist()
    assert play("bandits", "[-3, 7]").played == 0
    assert "outside reward_range, -3.0 to 6.0" in play("bandits", "[-3, 6]").failures[0].reason
    assert "reward_range is for environments of your own" in play("table", "[-3, 6]").failures[0].reason
    with pytest.raises(InputError, match=r"line 5: reward_range must be two finite numbers, low < high"):
        play("bandits", "[7, -3]")
    with pytest.raises(InputError, match="iris has no option 'reward_range'; it has cost"):
        parse_spec(TOML.replace("mine.py:NAME", "iris").replace("RANGE", "[0, 1]"))
