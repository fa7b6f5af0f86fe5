"""Trained agents are restored from files and continue their runs."""

from __future__ import annotations

import copy
import json
from collections import defaultdict, deque
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

import neucb
from neucb.agents.losses import KL
from neucb.agents.module.oracle import Module
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules.inverse_gap import FastInverseGap
from neucb.agents.rules.schedules import Power
from neucb.agents.state import give_state, take_state
from neucb.core.errors import DataError, InputError
from neucb.core.spec import Spec
from neucb.runs.api import prepare
from tests.support.command import neucb as command
from tests.support.networks import adam, network
from tests.support.recipes import one_quick_of_each
from tests.support.runs import with_agent
from tests.support.tables import toy

HALF = 40


def distributions(agent: Any, rounds: range) -> list[torch.Tensor]:
    """Return the distributions of an agent on unit-norm contexts, with fixed actions."""
    rng = np.random.default_rng(3)
    x = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((2 * HALF, 2, 4))).float(), dim=2)
    losses = torch.from_numpy(rng.integers(0, 2, (2 * HALF, 2))).float()
    p = []
    with torch.no_grad():
        for t in rounds:
            p.append(agent.distribution(x[t]).clone())
            agent.update(x[t], torch.tensor([t % 3, (t + 1) % 3]), losses[t])
    return p


def as_trained(name: str, agent: Any) -> neucb.Trained:
    return neucb.Trained(agent, name, {}, Spec((4, 9), 3, 4, 2 * HALF), HALF, {})


@pytest.mark.parametrize("name", one_quick_of_each())
def test_every_recipe_continues_from_a_file_as_uninterrupted(name: str, tmp_path: Path) -> None:
    """40 rounds, a file and 40 more equal 80 rounds; a prediction before saving changes nothing."""
    spec = Spec((4, 9), 3, 4, 2 * HALF)
    agent = make_agent(RECIPES[name])
    agent.reset(spec)
    distributions(agent, range(HALF))
    agent.distribution(torch.ones(2, 4))
    as_trained(name, agent).save(tmp_path / "agent.safetensors")
    loaded = neucb.load_agent(tmp_path / "agent.safetensors")
    uninterrupted = distributions(agent, range(HALF, 2 * HALF))
    for p, q in zip(distributions(loaded, range(HALF, 2 * HALF)), uninterrupted, strict=True):
        assert torch.equal(p, q)
    if RECIPES[name].learns:
        fresh = make_agent(RECIPES[name])
        fresh.reset(spec)
        untrained = distributions(fresh, range(HALF, 2 * HALF))
        assert any(not torch.equal(p, q) for p, q in zip(untrained, uninterrupted, strict=True))


def test_a_user_network_is_restored_with_its_optimiser(tmp_path: Path) -> None:
    def make() -> neucb.Reduction:
        return neucb.Reduction(Module(network, KL(), adam, updates_per_round=4), FastInverseGap(Power(30.0)))

    agent = make()
    agent.reset(Spec((4, 9), 3, 4, 2 * HALF))
    distributions(agent, range(HALF))
    as_trained("Reduction", agent).save(tmp_path / "own.safetensors")
    with pytest.raises(InputError, match="no named agent: give a new one"):
        neucb.load_agent(tmp_path / "own.safetensors")
    loaded = neucb.load_agent(tmp_path / "own.safetensors", make())
    expected = distributions(agent, range(HALF, 2 * HALF))
    for p, q in zip(distributions(loaded, range(HALF, 2 * HALF)), expected, strict=True):
        assert torch.equal(p, q)


def test_a_trained_agent_continues_its_run(tmp_path: Path) -> None:
    first, trained = with_agent("kl", toy(), 500, "3,7", engine="torch")
    assert trained.rounds == 500
    assert trained.oracle._round == 500
    trained.save(tmp_path / "agent.safetensors")
    continued = neucb.run(trained, toy(), 800)
    loaded = neucb.run(str(tmp_path / "agent.safetensors"), toy(), 800)
    np.testing.assert_array_equal(continued["loss"], loaded["loss"])  # the agent is not changed by a run
    assert set(continued["seed"]) == {3, 7}
    assert set(continued["gamma"]) == {RECIPES["kl"].settings({})["gamma"]}
    early, late = (frame[frame["round"] == 501 // 10]["loss"].mean() for frame in (continued, first))
    assert early < 0.5 * late  # the first 50 rounds use what was learnt
    _, longer = with_agent(trained, toy(), 100)
    assert longer.rounds == 600


def test_block_state_in_files_of_former_versions_is_ignored(tmp_path: Path) -> None:
    """Such files hold a position in the block and its step sizes."""
    _, trained = with_agent("kl", toy(), 200, "3,7", engine="torch")
    old = copy.deepcopy(trained)
    vars(old.agent.oracle).update(_place=42, _rates_ahead=torch.full((42, 2), 0.5))
    old.save(tmp_path / "old.safetensors")
    loaded = neucb.load_agent(tmp_path / "old.safetensors")
    x = torch.eye(4)[:2]
    for agent in (trained, loaded):
        agent.update(x, torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    assert torch.equal(trained.distribution(x), loaded.distribution(x))
    frames = [neucb.run(agent, toy(), 100) for agent in (trained, loaded)]
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=True)


def test_replay_continues_beyond_the_first_horizon() -> None:
    """The memory of past samples is enlarged."""
    _, trained = with_agent("kl", toy(), 50, 2, settings={"updates_per_round": 3})
    _, longer = with_agent(trained, toy(), 300)
    assert longer.oracle._memory._size == 350


def test_a_trained_agent_that_does_not_fit_is_rejected(tmp_path: Path) -> None:
    frame, trained = with_agent("squarecb", toy(), 50, 2)
    assert frame.attrs["engine"] == "torch"  # by default; without the agent, the run is compiled
    assert prepare("squarecb", toy(), 50, 2).engine == "compiled"
    with pytest.raises(InputError, match="trained with replicas = 2; it cannot play 3"):
        neucb.run(trained, toy(), 50, 3)
    with pytest.raises(InputError, match="trained with features = 4; it cannot play 13"):
        neucb.run(trained, "wine", 50)
    with pytest.raises(InputError, match="settings are for named agents"):
        neucb.run(trained, toy(), 50, settings={"gamma": 3})
    with pytest.raises(InputError, match="keeps no trained agent"):
        prepare("kl", toy(), 50, keep_agent=True, engine="compiled")
    with pytest.raises(DataError, match="there is no file"):
        neucb.load_agent(tmp_path / "none.safetensors")
    (tmp_path / "words.safetensors").write_text("words")
    with pytest.raises(DataError, match="is no safetensors file"):
        neucb.load_agent(tmp_path / "words.safetensors")
    trained.save(tmp_path / "agent.safetensors")
    with pytest.raises(InputError, match="the state does not fit Exp4"):
        neucb.load_agent(tmp_path / "agent.safetensors", make_agent(RECIPES["exp4"]))


def test_state_that_cannot_be_saved_is_named() -> None:
    class Odd:
        def __init__(self) -> None:
            self.lock = object()

    with pytest.raises(InputError, match=r"Odd.lock is a object and cannot be kept"):
        take_state(Odd())
    cyclic = Odd()
    cyclic.lock = cyclic
    with pytest.raises(InputError, match=r"Odd.lock is part of itself"):
        take_state(cyclic)
    with pytest.raises(InputError, match="does not fit Odd"):
        give_state(Odd(), {"object": {"lock": {"object": {"n": {"tensor": "n"}}}}}, {})


def test_the_command_line_saves_and_continues_an_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("run", "--dataset", "iris", "--json", "--out", "out")
    save_options = (
        "--agent",
        "neural-ts",
        "--seeds",
        "5,6",
        "--save-agent",
        "kept/ts.safetensors",
        "--trace",
    )
    assert command(monkeypatch, *arguments, *save_options) == 0
    assert command(monkeypatch, *arguments, "--agent", "kept/ts.safetensors") == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["seeds"] == second["seeds"] == [5, 6]
    assert first["agent"] == second["agent"] == "neural-ts"
    assert second["mean_regret"] < first["mean_regret"]
    manifests = [json.loads(path.read_text())["configuration"] for path in Path("out").glob("*.json")]
    (continued,) = (manifest for manifest in manifests if "trained" in manifest)
    checksum = neucb.load_agent("kept/ts.safetensors").checksum
    assert continued["trained"] == {"rounds": 150, "dataset": "iris", "sha256": checksum}
    assert len(list(Path("out").glob("*_trace.parquet"))) == 1
    two_sets = ("run", "--dataset", "iris,wine", "--save-agent", "x.safetensors")
    assert command(monkeypatch, *two_sets) == 2
    assert "--save-agent keeps the agent of one data set" in capsys.readouterr().err


class Point(NamedTuple):
    x: float
    y: float


class Tally:
    """Agent with containers of special kinds and views of one table, over arrays."""

    uses_numpy = True

    def reset(self, spec: Spec) -> None:
        self.table = np.zeros((2, spec.replicas, spec.arms))
        self.loss, self.count = self.table
        self.latest: deque[int] = deque(maxlen=3)
        self.seen: defaultdict[str, int] = defaultdict(int)
        self.point = Point(0.0, 0.0)
        self.reversed = np.arange(4.0)[::-1]

    def distribution(self, context: Any) -> Any:
        return np.full(self.loss.shape, 1.0 / self.loss.shape[1])

    def update(self, context: Any, action: Any, loss: Any) -> None:
        rows = np.arange(len(action))
        self.loss[rows, action] += loss
        self.count[rows, action] += 1
        self.latest.append(int(action[0]))
        self.seen[f"arm {action[0]}"] += 1
        self.point = Point(self.point.x + 1.0, float(loss[0]))


def test_special_containers_and_views_are_kept(tmp_path: Path) -> None:
    run = neucb.prepare(Tally(), "iris", rounds=30, seeds=2, keep_agent=True)
    run.play()
    assert run.agent is not None
    run.agent.save(tmp_path / "tally.safetensors")
    loaded: Any = neucb.load_agent(tmp_path / "tally.safetensors", Tally())
    inner, played = loaded.agent, run.agent.agent
    inner = getattr(inner, "agent", inner)
    played = getattr(played, "agent", played)
    np.testing.assert_array_equal(inner.table, played.table)
    assert inner.table.sum() > 0
    assert np.shares_memory(inner.table, inner.count)
    assert inner.latest == played.latest
    assert inner.latest.maxlen == 3
    assert inner.seen == played.seen
    assert inner.seen["never"] == 0
    assert inner.point == played.point
    assert inner.point.x == 30.0
    np.testing.assert_array_equal(inner.reversed, [3.0, 2.0, 1.0, 0.0])


def test_array_of_words_is_refused(tmp_path: Path) -> None:
    class Words(Tally):
        def reset(self, spec: Spec) -> None:
            super().reset(spec)
            self.words = np.array(["a", "b"])

    run = neucb.prepare(Words(), "iris", rounds=5, seeds=1, keep_agent=True)
    run.play()
    assert run.agent is not None
    with pytest.raises(InputError, match="words is an array of <U1, which cannot be saved"):
        run.agent.save(tmp_path / "words.safetensors")
