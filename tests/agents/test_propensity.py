"""Propensities: closed forms, Monte Carlo at fixed states, and frequencies of played arms over many seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import neucb
from neucb.agents.ensembles.bootstrap import Ensemble
from neucb.agents.ensembles.exp4 import Exp4
from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import Squared
from neucb.agents.noise import Noise
from neucb.agents.prediction import Prediction, Round
from neucb.agents.propensity import DRAWS, Propensities, kind_of, least_chances, propensities_of
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules.confidence import Thompson
from neucb.agents.rules.inverse_gap import EpsilonGreedy
from neucb.agents.wrappers.delay import Delayed
from neucb.core.spec import Spec
from tests.support.recipes import one_quick_of_each
from tests.support.runs import traced
from tests.support.tables import toy

ARMS = 3  # of the toy table
DECADES = ((0.1, 1.0), (0.01, 0.1), (0.001, 0.01))
Floats = NDArray[np.float64]


def now(replicas: int, number: int = 1) -> Round:
    spec = Spec(tuple(range(replicas)), 2, 1, 100)
    return Round(number, torch.zeros(replicas, dtype=torch.float64), 100, Noise(spec))


def standard_normal(x: float) -> float:
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))


def test_two_arms_equal_the_closed_form() -> None:
    """P(arm 0) = Phi((m_1 - m_0) / sqrt(s_0^2 + s_1^2)), deviations equal or 100-fold."""
    mean = np.array([[0.5, 0.6], [0.2, 0.1], [-3.0, -3.0], [1e3, 1e3 + 0.1], [0.0, 1e-9]])
    sd = np.array([[0.3, 0.4], [0.001, 0.1], [2.0, 0.01], [0.1, 1e-4], [1e-9, 1e-11]])
    expected = [standard_normal((m[1] - m[0]) / math.hypot(*s)) for m, s in zip(mean, sd, strict=True)]
    p = least_chances(mean, sd)
    np.testing.assert_allclose(p[:, 0], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(p.sum(1), 1.0, rtol=0, atol=1e-9)


def test_equal_arms_have_equal_chances() -> None:
    for arms in (2, 7, 100):
        p = least_chances(np.full((1, arms), 0.3), np.full((1, arms), 0.05))
        np.testing.assert_allclose(p, 1.0 / arms, rtol=1e-7)


def test_arms_without_deviation_are_point_masses_and_tie_by_index() -> None:
    """Closed forms by Phi; arms above the least point mass and later ties have probability 0."""
    mean = np.array([[0.5, 0.4, 0.4, 0.1], [0.3, 0.3, 0.3, 0.3], [0.0, 0.0, 0.0, 0.0]])
    sd = np.array([[0.0, 0.0, 0.0, 0.2], [0.0, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    below = standard_normal(1.5)
    expected = [[0.0, 1.0 - below, 0.0, below], [0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    np.testing.assert_allclose(least_chances(mean, sd), expected, rtol=0, atol=1e-9)
    mask = np.array([[True, False, False, True], [False, True, True, True], [False, False, True, True]])
    expected = [[1.0 - standard_normal(2.0), 0.0, 0.0, standard_normal(2.0)], [0.0, 0.5, 0.5, 0.0]]
    masked = least_chances(mean, sd, mask)
    np.testing.assert_allclose(masked[:2], expected, rtol=0, atol=1e-9)
    assert masked[2].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_chances_sum_to_one_at_all_scales() -> None:
    rng = np.random.default_rng(3)
    for arms in (2, 5, 30):
        for centre in (0.0, 1e-8, 0.5, 1e3):
            mean = centre + rng.standard_normal((50, arms)) * 10.0 ** rng.uniform(-14, 2, (50, 1))
            sd = 10.0 ** rng.uniform(-16, 1.5, (50, arms))
            sd[rng.random((50, arms)) < 0.2] = 0.0
            p = least_chances(mean, sd)
            assert (p >= 0.0).all()
            np.testing.assert_allclose(p.sum(1), 1.0, rtol=0, atol=1e-9)


def test_non_finite_predictions_give_nan() -> None:
    p = least_chances(np.array([[0.1, np.nan], [0.1, 0.2]]), np.array([[0.1, 0.1], [np.inf, 0.1]]))
    assert np.isnan(p).all()


STATES = Prediction(
    torch.tensor(
        [
            [0.1, 0.15, 0.2, 0.9],
            [0.5, 0.5, 0.5, 0.5],
            [0.3, 0.31, 0.32, 0.2],
            [0.2, 0.1, 0.4, 0.6],
            [1.0, 2.0, 0.5, 0.7],
        ],
        dtype=torch.float64,
    ),
    torch.tensor(
        [
            [0.1, 0.2, 0.05, 0.3],
            [0.01, 0.1, 1.0, 0.3],
            [0.001, 0.1, 0.0, 0.1],
            [0.0, 0.2, 0.3, 0.01],
            [5.0, 3.0, 0.5, 0.02],
        ],
        dtype=torch.float64,
    ),
    torch.tensor([[True] * 4, [True] * 4, [True] * 4, [True, True, True, False], [True, False, True, True]]),
)
NU = (1.0, 0.5, 2.0, 1.0, 0.1)


def simulated(draw: Any, mask: NDArray[np.bool_]) -> Floats:
    """Return the frequencies of the least arm in 10^6 draws; `draw(n)` returns [n, K]."""
    counts = np.zeros(len(mask))
    for _ in range(10):
        score = np.where(mask, draw(100_000), np.inf)
        counts += np.bincount(score.argmin(1), minlength=len(mask))
    return counts / 1e6


def test_thompson_propensities_equal_frequencies_of_draws() -> None:
    """A batch with different nu, deviations of 0 and 100-fold ones, and unavailable arms."""
    propensities = Thompson(NU).propensities(STATES, now(5))
    assert propensities.kind == "exact"
    rng = np.random.default_rng(0)
    assert STATES.std is not None
    assert STATES.available is not None
    for r, nu in enumerate(NU):
        mean, sd, mask = (values[r].numpy() for values in (STATES.mean, STATES.std, STATES.available))
        frequencies = simulated(lambda n, m=mean, s=nu * sd: m + s * rng.standard_normal((n, 4)), mask)
        p = propensities.p[r].numpy()
        assert (np.abs(frequencies - p) <= 4.0 * np.sqrt(p * (1.0 - p) / 1e6) + 1e-9).all()
        assert p.sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("factors", [2, 9])  # fewer and more factors than arms
def test_thompson_propensities_of_correlated_arms_equal_frequencies(factors: int) -> None:
    rng = np.random.default_rng(1)
    factor = 0.2 * rng.standard_normal((5, 4, factors))
    factor[1, 2] = factor[1, 1]  # equal arms: the first plays
    factor[2, 0] = 0.0
    factor[3] = factor[3, :1]  # all draws move together
    prediction = Prediction(
        STATES.mean,
        torch.from_numpy(np.linalg.norm(factor, axis=2)),
        STATES.available,
        factor=torch.from_numpy(factor),
    )
    propensities = Thompson(NU).propensities(prediction, now(5))
    assert propensities.kind == "estimated"
    repeated = Thompson(NU).propensities(prediction, now(5))
    assert torch.equal(propensities.p, repeated.p)
    assert not torch.equal(
        propensities.p, Thompson(NU).propensities(prediction, now(5, 2)).p
    )  # another round
    assert STATES.available is not None
    for r, nu in enumerate(NU):
        mean, mask = STATES.mean[r].numpy(), STATES.available[r].numpy()
        root = nu * factor[r]
        frequencies = simulated(lambda n, m=mean, f=root: m + rng.standard_normal((n, factors)) @ f.T, mask)
        p = propensities.p[r].numpy()
        if r != 1:  # ties: rounding decides in the plain simulation
            assert (
                np.abs(frequencies - p)
                <= 4.0 * np.sqrt(frequencies * (1.0 - frequencies) * (1 / DRAWS + 1e-6)) + 1e-9
            ).all()
        assert p.sum() == pytest.approx(1.0, abs=1e-9)
    assert propensities.p[1, 2] == 0.0


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("name", one_quick_of_each())
def test_arms_are_played_at_the_rate_of_their_propensities(name: str, engine: str) -> None:
    """50 seeds: |sum_t (1[a_t = a] - p_t(a))| within 4 deviations, overall and by decade of p.

    The bound includes the second term of Freedman's inequality, for few expected plays. A distribution given
    the agent's own draw, of 0 and 1, would pass too; hence the check that p lies between.
    """
    options: dict[str, Any] = {"engine": engine, "label_noise": 0.2}
    frame, trace = traced(name, toy(), 60, 50, trace="full", **options)
    pd.testing.assert_frame_equal(frame, neucb.run(name, toy(), 60, 50, **options), check_exact=True)
    p = trace[[f"p_{a}" for a in range(ARMS)]].to_numpy()
    played = trace["action"].to_numpy()[:, None] == np.arange(ARMS)
    np.testing.assert_allclose(p.sum(1), 1.0, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(trace["propensity"], p[played])
    for a in range(ARMS):
        for low, high in ((0.0, 1.0), *DECADES):
            selected = (p[:, a] >= low) & (p[:, a] <= high)
            variance = (p[selected, a] * (1.0 - p[selected, a])).sum()
            bound = 8.0 / 3.0 + math.sqrt(64.0 / 9.0 + 16.0 * variance) if variance > 1e-6 else 1e-9
            assert abs((played[selected, a] - p[selected, a]).sum()) <= bound, (a, low)
    (kind,) = trace["propensity_kind"].unique()
    if kind == "deterministic":
        assert (trace["propensity"] == 1.0).all()
    else:
        assert ((p > 1e-4) & (p < 0.9999)).any()


def test_only_deterministic_recipes_have_deterministic_propensities() -> None:
    kinds = {name: kind_of(make_agent(RECIPES[name])) for name in RECIPES}
    certain = {name for name, kind in kinds.items() if kind == "deterministic"}
    assert certain == {"linucb", "glm-ucb", "neural-ucb", "neural-greedy", "best-fixed", "supervised"}


def test_epsilon_0_is_deterministic_per_seed() -> None:
    for engine in ("compiled", "torch"):
        settings = {"epsilon": [0.0, 0.2]}
        _, trace = traced("epsilon-greedy", toy(), 50, 2, settings=settings, engine=engine)
        kinds = trace.groupby("seed")["propensity_kind"].unique()
        assert [list(kind) for kind in kinds] == [["deterministic"], ["exact"]]
    assert EpsilonGreedy(0.0).propensity_kind == "deterministic"
    assert Ensemble(Linear(Squared()), members=1).propensity_kind == "deterministic"


class Constant:
    """User-defined agent that plays arm 0 half of the time."""

    def reset(self, spec: Spec) -> None:
        self.p = torch.tensor([[0.5, 0.25, 0.25]] * spec.replicas)

    def distribution(self, context: Tensor) -> Tensor:
        return self.p

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        pass


class Own(Constant):
    """Agent that draws its actions itself."""

    draws = True

    def distribution(self, context: Tensor) -> Tensor:
        return torch.eye(3)[torch.zeros(len(context), dtype=torch.int64)]

    def propensities(self, distribution: Tensor) -> Propensities:
        return Propensities(self.p.double(), ("exact", "estimated"))


@pytest.mark.parametrize("delay", [0, 5])
def test_user_agents_may_state_propensities(delay: int) -> None:
    _, trace = traced(Constant(), toy(), 40, 2, delay=delay)
    assert trace["propensity_kind"].tolist() == ["exact"] * 80
    assert set(trace["propensity"]) == {0.5, 0.25}
    frame, trace = traced(Own(), toy(), 40, 2, delay=delay)
    assert trace["propensity_kind"].tolist() == ["exact"] * 40 + ["estimated"] * 40
    assert set(trace["propensity"]) == {0.5}
    assert set(frame["propensity"]) == {1.0}  # given the draw


@pytest.mark.parametrize("name", ["lints", "linucb", "neural-linear", "squarecb"])
def test_delay_and_further_training_keep_the_propensity_kind(name: str) -> None:
    kinds = {
        kind
        for options in ({"delay": 3, "feedback_batch": 2}, {"engine": "torch"})
        for kind in traced(name, toy(), 60, 2, **options)[1]["propensity_kind"]
    }
    run = neucb.prepare(name, toy(), 60, 2, trace=True, keep_agent=True)
    run.play()
    agent, before = run.agent, run.trace()
    _, after = traced(agent, toy(), 60, 2)
    assert kinds == {*before["propensity_kind"]} == {*after["propensity_kind"]}
    assert len(kinds) == 1
    if RECIPES[name].rule is Thompson:  # the trained agent continues, not from 1/3
        assert before["propensity"].iloc[0] == pytest.approx(1 / 3, abs=0.02)
        assert after.loc[after["round"] == 1, "propensity"].max() > 0.6


def test_exp4_mixes_the_propensities_of_drawing_experts() -> None:
    """Two untrained Thompson samplers: 1/3 per arm for the mixture, independently of their draws."""
    experts = [make_agent(RECIPES[name]) for name in ("lints", "neural-linear")]
    agent = Exp4(experts, mixing=0.1)
    agent.reset(Spec((0, 1), ARMS, 4, 60))
    drawn = agent.distribution(torch.ones(2, 4))
    propensities = propensities_of(agent, drawn)
    assert propensities.kind == ("estimated", "estimated")
    torch.testing.assert_close(
        propensities.p, torch.full((2, 3), 1 / 3, dtype=torch.float64), atol=0.01, rtol=0
    )
    assert float(drawn.amax()) > 0.45
    certain = Exp4([make_agent(RECIPES["lints"]), make_agent(RECIPES["linucb"])], mixing=0.0)
    certain.reset(Spec((0, 1), ARMS, 4, 60))
    propensities = propensities_of(Delayed(certain), certain.distribution(torch.ones(2, 4)))
    assert propensities.kind == ("exact", "exact")
    expected = torch.tensor([[2 / 3, 1 / 6, 1 / 6]] * 2, dtype=torch.float64)
    torch.testing.assert_close(propensities.p, expected, atol=1e-8, rtol=0)
