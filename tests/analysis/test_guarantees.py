"""Guarantees of runs: the inequality of every round by hand and held, the theorem where gamma followed it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from neucb.environments.synthetic import SyntheticVectorEnv
from neucb.runs.api import prepare
from neucb.theory.bounds import squarecb_bound
from neucb.theory.guarantees import guarantee


def log_of(agent: str, settings: dict[str, Any], every_round: bool = False, seeds: int = 3) -> pd.DataFrame:
    job = prepare(agent, "iris", 100, seeds, settings=settings, label_noise=0.2)
    if every_round:
        job.log.keep(range(1, 101))
    job.play()
    return job.frame()


def steps(frame: pd.DataFrame, name: str) -> np.ndarray:
    """What each round [T, R] added to a sum."""
    return np.diff(frame.pivot(index="round", columns="seed", values=name).to_numpy(), axis=0, prepend=0.0)


def test_squarecbs_inequality_by_hand() -> None:
    """gamma_t = c sqrt t, another c for every replica."""
    frame = log_of("sq", {"gamma": (10.0, 40.0, 90.0)}, every_round=True)
    found = guarantee(frame, 3)
    assert found is not None
    gamma = np.sqrt(np.arange(1, 101))[:, None] * [10.0, 40.0, 90.0]
    by_hand = (6.0 / gamma + gamma / 4.0 * steps(frame, "squared_error")).cumsum(0).mean(1)
    assert found.kind == "inequality"
    np.testing.assert_allclose(found.bound, by_hand)
    last = frame.groupby("seed").tail(1)
    assert found.regression_regret == pytest.approx(last["squared_regression_regret"].mean())


def test_fastcbs_inequality_by_hand() -> None:
    """gamma_t = 50 (1 + own loss before t)^0.3."""
    settings = {"gamma": 50.0, "gamma_power": 0.3, "gamma_schedule": "loss"}
    frame = log_of("kl-perturbed", settings, every_round=True)
    found = guarantee(frame, 3)
    assert found is not None
    loss = steps(frame, "loss")
    before, after = (50.0 * (1.0 + one) ** 0.3 for one in (loss.cumsum(0) - loss, loss.cumsum(0)))
    expected = steps(frame, "regret") + steps(frame, "L_star")
    by_hand = 15.0 / before * expected + 7.0 * after * steps(frame, "triangular_error")
    np.testing.assert_allclose(found.bound, by_hand.cumsum(0).mean(1))


@pytest.mark.parametrize(("agent", "gamma"), [("sq", 3.0), ("squarecb", 30.0), ("kl-perturbed", 20.0)])
def test_regret_keeps_to_the_inequality_also_between_kept_rounds(agent: str, gamma: float) -> None:
    frame, every = (log_of(agent, {"gamma": gamma}, every_round=one, seeds=20) for one in (False, True))
    coarse, fine = guarantee(frame, 3), guarantee(every, 3)
    assert coarse is not None
    assert fine is not None
    exact = fine.bound[coarse.rounds - 1]
    assert (coarse.bound >= exact * (1 - 1e-12)).all()
    assert (coarse.bound <= 1.3 * exact).all()
    regret = frame.groupby("round")["regret"].mean().to_numpy()
    assert (regret[-10:] <= exact[-10:]).all()


@pytest.mark.parametrize("kept", [(1, 2, 5, 30, 100), (2, 5, 30, 100), (40, 100)])
@pytest.mark.parametrize("gamma", [0.1, 0.4, 3.0])
def test_gamma_of_epochs_may_fall_after_the_first_epoch(gamma: float, kept: tuple[int, ...]) -> None:
    """Gamma is 1 in rounds 1 and 2, scale sqrt 6 in round 3: the bound covers the true gammas."""
    job = prepare(
        "sq", "iris", 100, 20, settings={"gamma": gamma, "gamma_schedule": "epochs"}, label_noise=0.2
    )
    job.log.keep(kept)
    job.play()
    every = log_of("sq", {"gamma": gamma, "gamma_schedule": "epochs"}, every_round=True, seeds=20)
    t = np.arange(1, 101)
    ended = 2 ** np.floor(np.log2(np.maximum(t - 1, 1)))  # the last round of the epoch before
    true = np.where(t <= 2, 1.0, gamma * np.sqrt(3.0 * ended))[:, None]
    exact = (6.0 / true + true / 4.0 * steps(every, "squared_error")).cumsum(0).mean(1)
    found, fine = guarantee(job.frame(), 3), guarantee(every, 3)
    assert found is not None
    assert fine is not None
    np.testing.assert_allclose(fine.bound, exact)
    assert (found.bound >= exact[np.array(kept) - 1] * (1 - 1e-12)).all()


def theory(regression_regret: float) -> pd.DataFrame:
    env = SyntheticVectorEnv("linear", 2, horizon=150, arms=3, features=4)
    settings = {"gamma_schedule": "theory", "regression_regret": regression_regret, "regularization": 1.0}
    job = prepare("squarecb", env, seeds=2, settings=settings)
    job.play()
    return job.frame()


def test_a_run_that_followed_the_theorem_has_its_bound() -> None:
    frame = theory(40.0)
    found = guarantee(frame, 3)
    assert found is not None
    assert (found.kind, found.rounds.tolist()) == ("theorem", [150])
    assert found.bound.tolist() == [pytest.approx(squarecb_bound(3, 150, 40.0, 0.05))]
    assert frame["regret"].max() <= found.bound[0]


def test_a_run_that_did_not_keep_to_its_regression_regret_has_the_inequality() -> None:
    frame = theory(0.01)
    assert frame.groupby("seed").tail(1)["squared_regression_regret"].min() > 0.01
    found = guarantee(frame, 3)
    assert found is not None
    assert found.kind == "inequality"
    assert found.rounds[-1] == 150


def test_what_has_no_guarantee() -> None:
    assert guarantee(log_of("linucb", {}), 3) is None
    assert guarantee(log_of("kl", {"gamma": 3.0}), 3) is None  # below 2 K in the first rounds
    frame = log_of("sq", {})
    assert guarantee(frame, 3) is not None
    assert guarantee(frame.assign(world="delay 5"), 3) is None
    assert guarantee(frame.drop(columns="squared_error"), 3) is None
