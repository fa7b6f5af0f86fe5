"""Bounds: shapes by hand, the inequalities for p made by the rules, the theorem on runs of a known h."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neucb.agents.prediction import Prediction, Round
from neucb.agents.rules.inverse_gap import FastInverseGap, InverseGap
from neucb.agents.rules.schedules import Power
from neucb.theory.bounds import (
    SHAPES,
    fit_shape,
    kl_star_shape,
    squarecb_bound,
    squarecb_gamma,
)


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


Floats = NDArray[np.float64]


def regret_of(p: Floats, h: Floats) -> Floats:
    return np.asarray((p * h).sum(-1) - h.min(-1), dtype=np.float64)


def square_inequality(p: Floats, yhat: Floats, h: Floats, gamma: Floats) -> tuple[Floats, Floats]:
    """Regret of rounds [...] under p [..., K], and 2 K / gamma + (gamma / 4) E_p (yhat - h)^2."""
    error = (p * np.square(yhat - h)).sum(-1)
    return regret_of(p, h), 2.0 * p.shape[-1] / gamma + gamma / 4.0 * error


def fast_inequality(p: Floats, yhat: Floats, h: Floats, gamma: Floats) -> tuple[Floats, Floats]:
    """Regret of rounds, and (5 K / gamma) p.h + 7 gamma E_p (yhat - h)^2 / (yhat + h)."""
    error = (p * np.square(yhat - h) / (yhat + h)).sum(-1)
    return regret_of(p, h), 5.0 * p.shape[-1] / gamma * (p * h).sum(-1) + 7.0 * gamma * error


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
