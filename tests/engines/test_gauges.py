"""Propensity, parameter distance and perturbation in the log: hand calculation, networks, both engines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from neucb.agents.losses import KL, Squared
from neucb.agents.network.expected_perturbation import ExpectedPerturbation
from neucb.agents.network.oracle import Neural
from neucb.agents.network.sign_perturbation import SignPerturbation
from neucb.agents.network.weights import PlainWeights
from neucb.agents.recipes.kinds import ENSEMBLE
from neucb.agents.recipes.oracles import NEURAL
from neucb.agents.recipes.registry import RECIPES
from neucb.core.spec import Spec
from neucb.engines.log import RunLog
from neucb.runs.api import prepare, run


def test_the_log_keeps_mean_propensities_and_current_gauges() -> None:
    """The last of three rounds holds the mean propensity and the gauges of that round."""
    log = RunLog(Spec((1, 2), 2, 3, 3))
    names = ("loss", "expected_loss", "best_loss", "best_realised_loss")
    metrics = {name: np.zeros((2, 1)) for name in names}
    for t in range(3):
        assert log.due_until(t + 1) == [t + 1]
        gauges = {
            "parameter_distance": np.array([[t], [2.0 * t]]),
            "perturbation_rms": np.array([[0.1 * t], [0.0]]),
        }
        propensity = np.array([[0.5], [0.2 * (t + 1)]])
        log.add(metrics, np.full((2, 1, 2), np.nan), None, propensity, gauges)
    last = log.frame({}).groupby("seed").tail(1)
    assert last["propensity"].tolist() == pytest.approx([0.5, 0.4])
    assert last["parameter_distance"].tolist() == [2.0, 4.0]
    assert last["perturbation_rms"].tolist() == pytest.approx([0.2, 0.0])


def test_missing_gauges_are_nan() -> None:
    frame = run("uniform", "iris", 20, 2, engine="torch")
    assert frame["propensity"].to_numpy() == pytest.approx(1 / 3)
    assert frame[["parameter_distance", "perturbation_rms"]].isna().all().all()


@pytest.mark.parametrize("agent", RECIPES)
def test_both_engines_log_the_same_columns(agent: str) -> None:
    """Columns are equal, NaN included; only perturbed networks have a distance and a positive offset."""
    recipe = RECIPES[agent]
    if prepare(agent, "iris", 10, 1).engine == "torch":
        return  # see test_engines.py
    compiled, defined = (
        run(agent, "iris", 100, 2, engine=engine, dtype="float64") for engine in ("compiled", "torch")
    )
    pd.testing.assert_frame_equal(compiled, defined, check_exact=False, rtol=1e-6)
    network = recipe.oracle == NEURAL and recipe.kind != ENSEMBLE
    assert defined["perturbation_rms"].notna().all() == network
    for column in ("parameter_distance", "perturbation_rms"):
        assert (defined[column] > 0.0).any() == recipe.perturbed
    assert defined["parameter_distance"].notna().all() == recipe.perturbed


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"radius": (5.0, math.inf)}, {"perturbations": 3}, {"radius": 0.1}])
@pytest.mark.parametrize("agent", ["kl", "sq-perturbed"])
def test_both_engines_log_the_same_distances(agent: str, settings: dict[str, Any]) -> None:
    if "perturbations" in settings and agent == "kl":
        return
    compiled, defined = (
        run(agent, "iris", 100, 2, engine=engine, dtype="float64", settings=settings)
        for engine in ("compiled", "torch")
    )
    pd.testing.assert_frame_equal(compiled, defined, check_exact=False, rtol=1e-6)
    has_distance = defined.groupby("seed")["parameter_distance"].apply(lambda column: column.notna().all())
    if agent == "kl":
        assert has_distance.tolist() == [True, settings["radius"] == 0.1]


@pytest.mark.parametrize("count", [1, 4, None])
def test_perturbation_rms_is_that_of_the_offsets(count: int | None) -> None:
    """Root mean square offsets are c |u| for infinite S; for few signs they bound the mean offset."""
    weights = ExpectedPerturbation((0.2, 0.5)) if count is None else SignPerturbation((0.02, 0.05), count)
    oracle = Neural(Squared(), weights, width=16, lr=0.1)
    oracle.reset(Spec((3, 4), 2, 3, 50, dtype="float64"))
    torch.manual_seed(0)
    for _ in range(20):
        oracle.update(torch.randn(2, 3), torch.tensor([0, 1]), torch.rand(2))
    gauges = oracle.gauges()
    assert (oracle.weights.distance() > 0.01).all()
    assert ("parameter_distance" in gauges) == (count is None)
    c = torch.tensor([0.2, 0.5] if count is None else [0.02, 0.05], dtype=torch.float64) / 2  # 16^(1/4) = 2
    if count is None:
        torch.testing.assert_close(gauges["perturbation_rms"], c * gauges["parameter_distance"])
    else:
        assert isinstance(weights, SignPerturbation)
        mean = weights.predict(torch.zeros(2, 1, dtype=torch.float64))[:, 0]  # mean offset
        assert (gauges["perturbation_rms"] >= mean.abs() - 1e-12).all()
        if count == 1:
            torch.testing.assert_close(gauges["perturbation_rms"], mean.abs())


def test_a_plain_network_has_perturbation_rms_0() -> None:
    oracle = Neural(KL(), PlainWeights(), width=8)
    oracle.reset(Spec((3,), 2, 3, 10))
    assert oracle.gauges()["perturbation_rms"].tolist() == [0.0]
    assert "parameter_distance" not in oracle.gauges()


def test_a_delayed_agent_has_gauges() -> None:
    frame: pd.DataFrame = run("kl-perturbed", "iris", 30, 1, delay=5)
    assert (frame["parameter_distance"].iloc[:4] == 0.0).all()  # before the first update
    assert frame["parameter_distance"].iloc[-1] > 0.0
