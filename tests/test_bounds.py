"""Bounds: shapes by hand, the inequalities for p made by the rules, the theorem on runs of a known h."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neucb.agents.agent import Reduction
from neucb.agents.exploration import FastInverseGap, InverseGap
from neucb.agents.linear import Linear
from neucb.agents.losses import Squared
from neucb.agents.prediction import Prediction, Round
from neucb.agents.schedules import Power, SquareTheory
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.synthetic import SyntheticVectorEnv
from neucb.runner import prepare
from neucb.spec import Spec
from neucb.theory.bounds import (
    SHAPES,
    fast_inequality,
    fit_shape,
    kl_star_shape,
    square_inequality,
    squarecb_bound,
    squarecb_gamma,
    squarecb_run_bound,
)
from neucb.theory.record import Played, record


def test_the_shape_of_k_l_star_by_hand() -> None:
    shape = kl_star_shape(np.array([1.0, np.e, np.e**4]), np.array([0.0, 3.0, 12.0]), 3)
    np.testing.assert_allclose(shape, [0.0, 3.0 + 3.0, 12.0 + 12.0])


@pytest.mark.parametrize("bounded", SHAPES)
def test_the_constant_of_an_exact_curve_is_found(bounded: str) -> None:
    t = np.array([1.0, 10.0, 100.0, 1000.0])
    true = {
        "regression": np.log(t),
        "neusquarecb": np.sqrt(7 * t * np.log(t)),
        "neufastcb": np.sqrt(7 * 0.1 * t * np.log(t)) + 7 * np.log(t),
        "unperturbed": math.sqrt(7) * t**0.75,
    }[bounded]
    shape = fit_shape(bounded, t, 2.5 * true, 7, 0.1 * t)  # type: ignore[arg-type]
    assert shape.constant == pytest.approx(2.5)
    assert shape.misfit == pytest.approx(0.0, abs=1e-12)
    assert "constant fitted" in shape.label


def test_the_least_squares_constant_by_hand() -> None:
    """Shape (0, 1, 2) against (1, 2, 2): 6 / 5; misfit sqrt((1 + 0.64 + 0.16) / 3) / (5 / 3)."""
    shape = fit_shape("regression", np.exp([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 2.0]), 3)
    assert shape.constant == pytest.approx(1.2)
    assert shape.misfit == pytest.approx(math.sqrt(0.6) / (5 / 3))


def test_without_noise_the_words_say_that_l_star_is_nought() -> None:
    t = np.array([1.0, 10.0])
    assert "L^* = 0" in fit_shape("neufastcb", t, t, 3, np.zeros(2)).words
    assert "L^* = 0" not in fit_shape("neufastcb", t, t, 3, np.ones(2)).words


def test_the_bound_of_squarecb_by_hand() -> None:
    """K T = 700, Reg = 7, log(2 / delta) = 2."""
    delta = 2 * math.exp(-2)
    assert squarecb_bound(7, 100, 7.0, delta) == pytest.approx(4 * 70 + 8 * math.sqrt(1400))
    assert squarecb_gamma(7, 100, 5.0, delta) == pytest.approx(10.0)


@pytest.mark.parametrize("rule", ["square", "fast"])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_inequalities_hold_for_any_h_and_any_prediction(rule: str, data: st.DataObject) -> None:
    """Two rounds with different rows and different gammas in one batch; K of 2 to 6."""
    arms = data.draw(st.integers(2, 6))
    losses = st.lists(
        st.lists(st.floats(0, 1), min_size=arms, max_size=arms).map(tuple), min_size=2, max_size=2
    )
    h, yhat = np.array(data.draw(losses)), np.array(data.draw(losses)).clip(1e-6)
    least = 2.0 * arms if rule == "fast" else 0.01
    gamma = tuple(least + data.draw(st.floats(0, 1e3)) for _ in range(2))
    now = Round(1, torch.zeros(2, dtype=torch.float64), 10)
    schedule = Power(gamma, 0.0)
    chosen = FastInverseGap(schedule) if rule == "fast" else InverseGap(schedule)
    inequality = fast_inequality if rule == "fast" else square_inequality
    p = chosen(Prediction(torch.from_numpy(yhat)), now).numpy()
    regret, most = inequality(p, yhat, h, np.array(gamma))
    assert regret.shape == most.shape == (2,)
    assert (regret <= most + 1e-9).all()


def test_the_inequality_of_squarecb_is_tight_to_a_factor() -> None:
    """At h = yhat with gaps far above K / gamma the regret is (K - 1) / gamma, half of 2 K / gamma."""
    yhat = np.array([[0.0, 1.0, 1.0]])
    now = Round(1, torch.zeros(1, dtype=torch.float64), 10)
    p = InverseGap(Power(1e4, 0.0))(Prediction(torch.from_numpy(yhat)), now).numpy()
    regret, most = square_inequality(p, yhat, yhat, np.array([1e4]))
    assert regret[0] == pytest.approx(2 / 1e4, rel=1e-3)
    assert most[0] == pytest.approx(6 / 1e4)


def squarecb(gamma: Power | SquareTheory) -> Reduction:
    return Reduction(Linear(Squared()), InverseGap(gamma))


def play(gamma: Power | SquareTheory, horizon: int = 150) -> Played:
    env = SyntheticVectorEnv("linear", 2, horizon=horizon, arms=3, features=4)
    return record(squarecb(gamma), env, Spec((3, 4), 3, 4, horizon, per_arm=True))


def regression_regret(played: Played, r: int) -> float:
    squared = np.square(played.at_action(played.predicted) - played.loss)
    return float((squared - np.square(played.at_action(played.h) - played.loss))[r].sum())


def test_a_run_that_followed_the_theorem_has_its_bound() -> None:
    played = play(SquareTheory(40.0))
    for r in range(2):
        found = squarecb_run_bound(
            played.p[r], played.predicted[r], played.h[r], played.gamma[r], regression_regret(played, r)
        )
        assert found.kind == "theorem"
        assert found.bound[-1] == pytest.approx(squarecb_bound(3, 150, 40.0, 0.05))
        assert np.isnan(found.bound[:-1]).all()
        assert found.regret[-1] <= found.bound[-1]


@pytest.mark.parametrize("gamma", [Power(10.0, 0.5), SquareTheory(0.01)])
def test_any_other_run_has_the_inequality_summed(gamma: Power | SquareTheory) -> None:
    """A gamma that grows; and gamma for a regression regret smaller than the run's own."""
    played = play(gamma)
    regret = regression_regret(played, 0)
    assert regret > 0.01
    found = squarecb_run_bound(played.p[0], played.predicted[0], played.h[0], played.gamma[0], regret)
    assert found.kind == "inequality"
    assert (found.regret <= found.bound).all()
    assert (np.diff(found.bound) >= 0).all()


def test_a_record_is_the_run() -> None:
    env = ClassificationVectorEnv("iris", 2, horizon=60, label_noise=0.2)
    played = record(squarecb(Power((10.0, 40.0), 0.5)), env, Spec((5, 6), 3, 4, 60))
    job = prepare(
        "squarecb",
        "iris",
        60,
        "5,6",
        label_noise=0.2,
        settings={"gamma": (10.0, 40.0), "regularization": 1.0},
        engine="torch",
    )
    job.play()
    assert played.p.shape == played.h.shape == played.predicted.shape == (2, 60, 3)
    np.testing.assert_array_equal(played.log.sums["regret"], job.log.sums["regret"])
    np.testing.assert_allclose(played.loss.sum(1), job.log.sums["loss"])
    regret = (played.at_action(played.h) - played.h.min(2)).sum(1)
    np.testing.assert_allclose(regret, job.log.sums["regret"])
    squared = np.square(played.at_action(played.predicted).clip(0, 1) - played.loss).sum(1)
    np.testing.assert_allclose(squared, job.log.sums["regression_loss"])
    np.testing.assert_allclose(played.gamma[:, 8], [30.0, 120.0])
    np.testing.assert_allclose(played.p.sum(2), 1.0)
    np.testing.assert_array_equal(played.context[1], env.encoded.contexts[env.script(6).rows])
