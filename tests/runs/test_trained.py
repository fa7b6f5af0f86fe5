"""Trained agents: they come back from a file as they were, and go on where they were."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

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
    """Let an agent play unit-norm contexts, the arm of greatest probability or that of the round."""
    rng = np.random.default_rng(3)
    x = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((2 * HALF, 2, 4))).float(), dim=2)
    losses = torch.from_numpy(rng.integers(0, 2, (2 * HALF, 2))).float()
    kept = []
    with torch.no_grad():
        for t in rounds:
            kept.append(agent.distribution(x[t]).clone())
            agent.update(x[t], torch.tensor([t % 3, (t + 1) % 3]), losses[t])
    return kept


def as_trained(name: str, agent: Any) -> neucb.Trained:
    return neucb.Trained(agent, name, {}, Spec((4, 9), 3, 4, 2 * HALF), HALF, {})


@pytest.mark.parametrize("name", one_quick_of_each())
def test_every_recipe_comes_back_and_goes_on_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    """40 rounds, a file, 40 more: the same bits as 80 rounds; asking before saving changes nothing."""
    spec = Spec((4, 9), 3, 4, 2 * HALF)
    agent = make_agent(RECIPES[name])
    agent.reset(spec)
    distributions(agent, range(HALF))
    agent.distribution(torch.ones(2, 4))
    as_trained(name, agent).save(tmp_path / "agent.safetensors")
    loaded = neucb.load_agent(tmp_path / "agent.safetensors")
    through = distributions(agent, range(HALF, 2 * HALF))
    for ours, theirs in zip(distributions(loaded, range(HALF, 2 * HALF)), through, strict=True):
        assert torch.equal(ours, theirs)
    if RECIPES[name].learns:
        fresh = make_agent(RECIPES[name])
        fresh.reset(spec)
        forgetful = distributions(fresh, range(HALF, 2 * HALF))
        assert any(not torch.equal(ours, theirs) for ours, theirs in zip(forgetful, through, strict=True))


def test_a_network_of_ones_own_comes_back_with_its_optimiser(tmp_path: Path) -> None:
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
    for ours, theirs in zip(distributions(loaded, range(HALF, 2 * HALF)), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_run_returns_the_agent_and_goes_on_with_it(tmp_path: Path) -> None:
    first, trained = with_agent("kl", toy(), 500, "3,7", engine="torch")
    assert trained.rounds == 500
    assert trained.oracle._round == 500
    trained.save(tmp_path / "agent.safetensors")
    again = neucb.run(trained, toy(), 800)
    loaded = neucb.run(str(tmp_path / "agent.safetensors"), toy(), 800)
    np.testing.assert_array_equal(again["loss"], loaded["loss"])  # and the first go changed nothing
    assert set(again["seed"]) == {3, 7}
    assert set(again["gamma"]) == {RECIPES["kl"].settings({})["gamma"]}
    early, late = (frame[frame["round"] == 501 // 10]["loss"].mean() for frame in (again, first))
    assert early < 0.5 * late  # in the first 50 rounds it plays what it learnt
    _, longer = with_agent(trained, toy(), 100)
    assert longer.rounds == 600


def test_what_earlier_versions_kept_of_a_block_that_is_over_does_no_harm(tmp_path: Path) -> None:
    """Files of theirs hold a place in it, and its step sizes."""
    _, trained = with_agent("kl", toy(), 200, "3,7", engine="torch")
    old = copy.deepcopy(trained)
    vars(old.agent.oracle).update(_place=42, _rates_ahead=torch.full((42, 2), 0.5))
    old.save(tmp_path / "old.safetensors")
    loaded = neucb.load_agent(tmp_path / "old.safetensors")
    x = torch.eye(4)[:2]
    for agent in (trained, loaded):
        agent.update(x, torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    assert torch.equal(trained.distribution(x), loaded.distribution(x))
    frames = [neucb.run(one, toy(), 100) for one in (trained, loaded)]
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=True)


def test_replay_goes_on_beyond_its_first_horizon() -> None:
    """The memory of past samples grows."""
    _, trained = with_agent("kl", toy(), 50, 2, settings={"updates_per_round": 3})
    _, longer = with_agent(trained, toy(), 300)
    assert longer.oracle._memory._size == 350


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    frame, trained = with_agent("squarecb", toy(), 50, 2)
    assert frame.attrs["engine"] == "torch"  # by itself: without the agent, this run is compiled
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


def test_what_cannot_be_kept_is_named() -> None:
    class Odd:
        def __init__(self) -> None:
            self.lock = object()

    with pytest.raises(InputError, match=r"Odd.lock is a object and cannot be kept"):
        take_state(Odd())
    one = Odd()
    one.lock = one
    with pytest.raises(InputError, match=r"Odd.lock is part of itself"):
        take_state(one)
    with pytest.raises(InputError, match="does not fit Odd"):
        give_state(Odd(), {"object": {"lock": {"object": {"n": {"tensor": "n"}}}}}, {})


def test_the_command_line_saves_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("run", "--dataset", "iris", "--json", "--out", "out")
    first = ("--agent", "neural-ts", "--seeds", "5,6", "--save-agent", "kept/ts.safetensors", "--trace")
    assert command(monkeypatch, *words, *first) == 0
    assert command(monkeypatch, *words, "--agent", "kept/ts.safetensors") == 0
    one, two = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert one["seeds"] == two["seeds"] == [5, 6]
    assert one["agent"] == two["agent"] == "neural-ts"
    assert two["mean_regret"] < one["mean_regret"]
    manifests = [json.loads(path.read_text())["configuration"] for path in Path("out").glob("*.json")]
    (went_on,) = (one for one in manifests if "trained" in one)
    before = neucb.load_agent("kept/ts.safetensors").checksum
    assert went_on["trained"] == {"rounds": 150, "dataset": "iris", "sha256": before}
    assert len(list(Path("out").glob("*_trace.parquet"))) == 1
    several = ("run", "--dataset", "iris,wine", "--save-agent", "x.safetensors")
    assert command(monkeypatch, *several) == 2
    assert "--save-agent keeps the agent of one data set" in capsys.readouterr().err
