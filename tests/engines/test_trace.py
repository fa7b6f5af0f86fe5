"""Trace: content, agreement with the log, and use for off-policy evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neucb
from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import InputError
from neucb.engines.trace import CLASS_NAMES
from neucb.environments.classification import ClassificationVectorEnv
from neucb.runs.api import prepare
from neucb.runs.summary import why_not_compiled
from tests.support.command import neucb as command
from tests.support.recipes import one_quick_of_each
from tests.support.runs import traced
from tests.support.tables import toy

COLUMNS = ["seed", "round", "row", "action", "action_class", "propensity", "propensity_kind", "loss"]
COLUMNS += ["class_label", "label_class"]


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("agent", ["kl", "uniform", "linucb", "neural-falcon"])
def test_the_trace_agrees_with_the_log(agent: str, engine: str) -> None:
    arguments = {"label_noise": 0.2, "drift": (100,), "engine": engine}
    frame, trace = traced(agent, toy(), 300, "3,8", **arguments)
    assert trace.columns.tolist() == COLUMNS
    assert trace.attrs == {"classes": ["a", "b", "c"]}
    for name, class_column in CLASS_NAMES.items():
        assert trace[class_column].tolist() == ["abc"[a] for a in trace[name]]
        assert trace[class_column].cat.categories.tolist() == ["a", "b", "c"]
    assert len(trace) == 600
    for seed in (3, 8):
        own = trace[trace["seed"] == seed]
        logged = frame[frame["seed"] == seed]
        np.testing.assert_allclose(own["loss"].cumsum().to_numpy()[logged["round"] - 1], logged["loss"])
        assert own["round"].tolist() == list(range(1, 301))
        assert own["propensity"].between(0.0, 1.0, inclusive="right").all()
        script = ClassificationVectorEnv(toy(), 1, horizon=300, label_noise=0.2, drift=(100,)).script(
            int(seed)
        )
        assert own["row"].tolist() == script.rows.tolist()
        assert own["class_label"].tolist() == script.label.tolist()
        assert own["loss"].tolist() == (own["action"].to_numpy() != script.seen).astype(float).tolist()


@pytest.mark.parametrize("order", ["shuffled", "weakest-class"])
@pytest.mark.parametrize("agent", one_quick_of_each())
def test_both_engines_have_the_same_trace(agent: str, order: str) -> None:
    """Probabilities of all arms in every round are equal, estimated propensities too."""
    chosen = prepare(agent, toy(), 10, 1, order=order)
    if chosen.engine == "torch":
        assert why_not_compiled(chosen)
        return
    compiled, defined = (
        traced(agent, toy(), 300, 2, engine=engine, dtype="float64", order=order, trace="full")[1]
        for engine in ("compiled", "torch")
    )
    assert [f"p_{a}" for a in range(3)] == [name for name in compiled.columns if str(name).startswith("p_")]
    assert ("predicted_loss_2" in compiled) == (RECIPES[agent].oracle is not None)
    pd.testing.assert_frame_equal(compiled, defined, check_exact=False, rtol=1e-7, atol=1e-12)


def test_predicted_losses_agree_with_the_log() -> None:
    """The sum of squared errors of clipped predictions before the update is the logged regression loss."""
    for engine in ("compiled", "torch"):
        frame, trace = traced("squarecb", toy(), 200, 2, engine=engine, trace="full")
        arms = trace[[f"predicted_loss_{a}" for a in range(3)]].to_numpy()
        predicted = np.clip(arms[np.arange(len(trace)), trace["action"]], 0.0, 1.0)
        sums = ((predicted - trace["loss"]) ** 2).groupby(trace["seed"]).sum()
        last = frame.groupby("seed").tail(1).set_index("seed")
        np.testing.assert_allclose(sums, last["regression_loss"])


@pytest.mark.parametrize("agent", ["lints", "neural-linear", "linucb"])
def test_unavailable_arms_have_propensity_0_and_rows_are_those_played(agent: str) -> None:
    """Ranking of queries with 2 to 4 rows: losses are those of the row in the trace."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"query": np.repeat(np.arange(60), rng.integers(2, 5, 60))})
    frame["x"], frame["z"] = rng.random((2, len(frame)))
    frame["reward"] = rng.random(len(frame))
    _, trace = traced(agent, frame, 60, 2, trace="full", target="reward", group="query")
    span = frame["reward"].max() - frame["reward"].min()
    losses = (frame["reward"].max() - frame["reward"]) / span
    np.testing.assert_allclose(trace["loss"], losses[trace["action_row"]])
    p = trace[[f"p_{a}" for a in range(4)]].to_numpy()
    sizes = frame["query"].value_counts()[frame["query"][trace["action_row"]]]
    assert (p[np.arange(4) >= sizes.to_numpy()[:, None]] == 0.0).all()
    np.testing.assert_allclose(p.sum(1), 1.0, atol=1e-9)
    kind = "deterministic" if agent == "linucb" else "estimated"
    assert set(trace["propensity_kind"]) == {kind}
    assert "row" not in trace
    assert not trace.attrs


def test_an_interrupted_run_has_a_trace_of_its_rounds() -> None:
    def stop(rounds: int) -> None:
        if rounds >= 600:
            raise KeyboardInterrupt

    for engine in ("compiled", "torch"):
        options: dict[str, Any] = {"engine": engine, "trace": "full"}
        run = prepare("lints", toy(), 1500, 2, **options)
        with pytest.raises(KeyboardInterrupt):
            run.play(stop)
        assert run.log.trace is not None
        assert 600 <= run.log.round < 1500
        whole = traced("lints", toy(), 1500, 2, **options)[1]
        expected = whole[whole["round"] <= run.log.round].reset_index(drop=True)
        pd.testing.assert_frame_equal(run.log.trace.frame(run.log.round), expected, check_exact=True)


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_long_run_has_a_complete_trace(engine: str) -> None:
    """A run longer than a chunk of the compiled engine."""
    frame, trace = traced("lints", toy(), 1400, 2, engine=engine, trace="full")
    assert frame.equals(neucb.run("lints", toy(), 1400, 2, engine=engine))
    p = trace[["p_0", "p_1", "p_2"]].to_numpy()
    assert np.isfinite(p).all()
    best = trace[["predicted_loss_0", "predicted_loss_1", "predicted_loss_2"]].to_numpy().argmin(1)
    sure = p.max(1) > 0.9
    assert (p.argmax(1) == best)[sure].all()
    assert sure.mean() > 0.9


def test_an_unknown_value_of_trace_is_rejected() -> None:
    with pytest.raises(InputError, match="trace must be True, False or 'full', not 'half'"):
        traced("uniform", toy(), 10, 1, trace="half")


def test_trace_files_store_class_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For --trace without value, before another option, and with the value full in both spellings."""
    arguments = ("run", "--agent", "lints", "--dataset", "iris", "--rounds", "50", "--quiet", "--out")
    for name, options in {
        "alone": ("--trace",),
        "followed": ("--trace", "--seeds", "2"),
        "full": ("--trace", "full", "--seeds", "2"),
        "equals": ("--trace=full", "--set", "nu=1", "regularization=1"),
    }.items():
        folder = tmp_path / name
        assert command(monkeypatch, *arguments, str(folder), *options) == 0
        (path,) = folder.glob("*_trace.parquet")
        trace = pd.read_parquet(path)
        assert ("p_2" in trace) == ("predicted_loss_0" in trace) == (name in ("full", "equals"))
        classes = ["setosa", "versicolor", "virginica"]
        assert trace.attrs["classes"] == trace["action_class"].cat.categories.tolist() == classes
        (manifest,) = folder.glob("*.json")
        environment = json.loads(manifest.read_text())["configuration"]["environment"]
        assert environment["classes"] == classes
    assert command(monkeypatch, *arguments, str(tmp_path), "--trace=half") == 2
    assert not [*tmp_path.glob("*.json")]


def test_traces_of_synthetic_data_have_no_rows_and_labels() -> None:
    _, trace = traced("uniform", "synthetic:linear", 50, 2)
    assert trace.columns.tolist() == ["seed", "round", "action", "propensity", "propensity_kind", "loss"]


SETTINGS = {
    "uniform": {},
    "softmax": {"gamma": 1.0, "gamma_power": 0.0},
    "epsilon-greedy": {"epsilon": 0.6},
    "lints": {"nu": 10.0, "regularization": 0.3},
}


@pytest.mark.parametrize("agent", SETTINGS)
def test_inverse_propensity_estimates_are_unbiased(agent: str) -> None:
    """Estimate the value of the policy that plays arm (row mod 3) from 40 runs of another policy.

    The mean of the 40 estimates is within 4 standard errors of the true mean loss, known from the labels;
    without the propensities it is far off.
    """
    _, trace = traced(agent, toy(), 600, 40, settings=SETTINGS[agent])
    target = trace["row"] % 3
    truth = (target != trace["class_label"]).groupby(trace["seed"]).mean()
    weighted = (trace["action"] == target) / trace["propensity"] * trace["loss"]
    error = weighted.groupby(trace["seed"]).mean() - truth
    standard_error = error.std(ddof=1) / np.sqrt(len(error))
    assert abs(error.mean()) < 4 * standard_error < 0.05
    unweighted = ((trace["action"] == target) * trace["loss"]).groupby(trace["seed"]).mean() - truth
    assert abs(unweighted.mean()) > 20 * standard_error
