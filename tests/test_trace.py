"""The trace: what it holds, that it agrees with the log, and that it is fit for off-policy evaluation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neucb
from neucb.environments.classification import ClassificationVectorEnv
from tests.test_run import toy


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("agent", ["kl", "uniform", "linucb", "neural-falcon"])
def test_the_trace_agrees_with_the_log(agent: str, engine: str) -> None:
    arguments = {"label_noise": 0.2, "drift": (100,), "engine": engine}
    frame, trace = neucb.run(agent, toy(), 300, "3,8", trace=True, **arguments)  # type: ignore[call-overload]
    assert trace.columns.tolist() == ["seed", "round", "context", "action", "propensity", "loss", "label"]
    assert len(trace) == 600
    for seed in (3, 8):
        one = trace[trace["seed"] == seed]
        mine = frame[frame["seed"] == seed]
        np.testing.assert_allclose(one["loss"].cumsum().to_numpy()[mine["round"] - 1], mine["loss"])
        assert one["round"].tolist() == list(range(1, 301))
        assert one["propensity"].between(0.0, 1.0, inclusive="right").all()
        script = ClassificationVectorEnv(toy(), 1, horizon=300, label_noise=0.2, drift=(100,)).script(
            int(seed)
        )
        assert one["context"].tolist() == script.rows.tolist()
        assert one["label"].tolist() == script.label.tolist()
        assert one["loss"].tolist() == (one["action"].to_numpy() != script.seen).astype(float).tolist()


@pytest.mark.parametrize("order", ["shuffled", "weakest-class"])
@pytest.mark.parametrize("agent", ["kl-perturbed", "softmax", "uniform", "best-fixed", "neural-ts"])
def test_both_engines_trace_the_same(agent: str, order: str) -> None:
    compiled, defined = (
        neucb.run(agent, toy(), 800, 2, engine=engine, dtype="float64", order=order, trace=True)[1]
        for engine in ("compiled", "torch")
    )
    pd.testing.assert_frame_equal(compiled, defined, check_exact=False, rtol=1e-8)


def test_worlds_without_a_table_have_no_contexts_and_labels() -> None:
    _, trace = neucb.run("uniform", "synthetic:linear", 50, 2, trace=True)
    assert trace.columns.tolist() == ["seed", "round", "action", "propensity", "loss"]


@pytest.mark.parametrize("agent", ["uniform", "softmax"])
def test_inverse_propensities_are_unbiased(agent: str) -> None:
    """The value of the policy that plays arm (row mod 3), estimated from 40 runs of another policy.

    Its true mean loss is known from the labels; the mean of the 40 estimates is within 4 of their
    standard errors, and these are small. Without the propensities it would be far away.
    """
    settings = {"gamma": 1.0, "gamma_power": 0.0} if agent == "softmax" else {}
    _, trace = neucb.run(agent, toy(), 600, 40, trace=True, settings=settings)
    target = trace["context"] % 3
    truth = (target != trace["label"]).groupby(trace["seed"]).mean()
    weighed = (trace["action"] == target) / trace["propensity"] * trace["loss"]
    error = weighed.groupby(trace["seed"]).mean() - truth
    standard = error.std(ddof=1) / np.sqrt(len(error))
    assert abs(error.mean()) < 4 * standard < 0.05
    unweighed = ((trace["action"] == target) * trace["loss"]).groupby(trace["seed"]).mean() - truth
    assert abs(unweighed.mean()) > 20 * standard
