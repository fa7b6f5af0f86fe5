"""The benchmark: the yardstick computes what the agents compute, and the tables hold what was measured."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from neucb.agents.recipes.registry import RECIPES
from neucb.benchmarks import bench
from neucb.benchmarks.measure import Clock, Entrant, EntrantGroup, measure
from neucb.benchmarks.plain import PlainLoop, supports
from neucb.benchmarks.shapes import SHAPES, find_shapes, rows_of, stand_in
from neucb.cli import main
from neucb.core.errors import InputError
from neucb.engines.engine import Lockstep
from neucb.environments.classification import ClassificationVectorEnv
from neucb.runs.api import prepare
from tests.support.readme import BENCH
from tests.support.tables import one_hot

ROUNDS = 300


def actions_of(name: str, settings: dict[str, Any], env: ClassificationVectorEnv, seed: int) -> list[int]:
    """Play a recipe on the torch engine, one seed, and return its arms."""
    job = prepare(name, env, ROUNDS, [seed], settings=settings, engine="torch", dtype="float64")
    played: list[int] = []
    agent = cast("Lockstep", job.player).agent
    update = agent.update

    def record(context: Any, action: torch.Tensor, loss: torch.Tensor) -> None:
        played.append(int(action[0]))
        update(context, action, loss)

    agent.update = record  # type: ignore[method-assign]
    job.play()
    return played


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kl", {}),
        ("sq", {"input_scaling": 0.0, "lr_power": 0.0, "lr": 0.2}),
        ("kl-perturbed", {"c_p": 0.5}),
        ("sq-perturbed", {"c_p": 0.5}),
        ("kl-perturbed", {"perturbations": 3, "c_p": 0.05}),
        ("sq-perturbed", {"perturbations": 10, "c_p": 0.03}),
        ("kl", {"updates_per_round": 4, "lr": 0.4}),
        ("neural-ucb", {"alpha": 0.3}),
    ],
)
def test_the_plain_loop_plays_the_same_arms(name: str, settings: dict[str, Any]) -> None:
    settings = {"width": 20, "gamma": 30.0, **settings}
    if name == "neural-ucb":
        del settings["gamma"]
    env = ClassificationVectorEnv(one_hot(), horizon=ROUNDS, label_noise=0.1)
    own = RECIPES[name].settings(settings)
    plain = PlainLoop(RECIPES[name], own, env, 5, torch.float64).play(ROUNDS)
    assert plain == actions_of(name, settings, env, 5)
    assert len(np.unique(plain)) == 4


def test_the_plain_loop_refuses_what_it_does_not_know() -> None:
    env = ClassificationVectorEnv(one_hot())
    for name, settings in (("squarecb", {}), ("neural-ts", {}), ("kl", {"radius": 1.0})):
        own = RECIPES[name].settings(settings)
        assert not supports(RECIPES[name], own)
        with pytest.raises(InputError, match="no plain loop"):
            PlainLoop(RECIPES[name], own, env, 0)


def test_figures_are_medians_and_ratios_of_medians() -> None:
    def contender(name: str, cpu: list[float], replicas: int) -> Entrant:
        left = iter(cpu)

        def play(rounds: int) -> tuple[int, Clock]:
            seconds = next(left) * rounds
            return rounds * replicas, (seconds, 2 * seconds)

        return Entrant(name, play, least=10, most=1000, replicas=replicas)

    heard: list[str] = []
    slow = contender("slow", [1e-3, 2e-3, 9e-3, 3e-3], 1)
    fast = contender("fast", [1e-5, 6e-5, 1e-5, 2e-5], 4)
    first, second = measure(EntrantGroup("speed", "toy", [slow, fast]), 0.2, 3, heard.append)
    assert (first["cpu_us"], first["cpu_us_min"], first["wall_us"]) == pytest.approx((3000, 2000, 6000))
    assert second["cpu_us"] == pytest.approx(5.0)
    assert (first["ratio"], second["ratio"]) == pytest.approx((1.0, 600.0))
    assert (first["rounds"], second["rounds"]) == (200, 4000)
    assert heard == ["toy: slow", "toy: fast"] * 4


def test_stand_ins_have_the_shape_of_the_data() -> None:
    for name in ("mushroom", "letter", "plants"):
        shape = SHAPES[name]
        encoded = stand_in(shape)
        assert encoded.contexts.shape[1] == shape.features
        assert encoded.table.arms == shape.arms == len(np.unique(encoded.labels))
        assert (np.count_nonzero(encoded.contexts, axis=1) == shape.active).all()
        np.testing.assert_allclose(np.linalg.norm(encoded.contexts, axis=1), 1.0, atol=1e-6)
    real = rows_of(SHAPES["covertype"])
    assert real.table.source == "bundled"
    assert (real.contexts.shape[1], real.table.arms) == (54, 7)
    assert np.count_nonzero(real.contexts, axis=1).mean() == pytest.approx(12.0, abs=0.1)
    with pytest.raises(InputError, match="did you mean 'magic'"):
        find_shapes("covertype,magik")


@pytest.mark.slow
def test_the_command_prints_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "QUICK_SECONDS", 0.01)
    monkeypatch.setattr(bench, "QUICK_REPETITIONS", 1)
    monkeypatch.setattr(sys, "argv", [*shlex.split(BENCH), "--json", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "bench.json").read_text()) == found
    assert "against the plain loop" in (tmp_path / "README.md").read_text()
    assert found["sources"] == {"covertype": "bundled"}
    rows = {row["contender"]: row for row in found["rows"] if row["table"] == "speed"}
    ours, *peers = (
        row for row in found["peers"] if row["peer"] in ("neucb: kl", "vowpalwabbit: vw-squarecb")
    )
    assert 0 < ours["mistakes"] < ours["rounds"] == 2000
    assert all("note" in one or 0 < one["mistakes"] < 2000 for one in peers)
    weights = 4 * 100 * (55 * 7 + 1)  # bytes of one set
    sizes = {row["task"]: row for row in found["memory"]}
    assert 2 * weights <= sizes["kl"]["torch"] < 2.2 * weights
    assert weights < sizes["kl"]["compiled"] < sizes["kl, S = inf"]["compiled"]
    assert rows["compiled"]["ratio"] > rows["torch R=32"]["ratio"] > 1.0 == rows["plain loop"]["ratio"]
