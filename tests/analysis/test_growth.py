"""Growth laws: fits against exact curves, the choice on simulated runs of known law."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.core.metrics import log_spaced
from neucb.theory.growth import growth, growth_of, winner
from neucb.theory.laws import Law, LawFit, fit

ROUNDS = log_spaced(10_000)
T = ROUNDS.astype(np.float64)
CURVES = {
    "log": lambda t: 3.0 + 40.0 * np.log(t),
    "sqrt": lambda t: 3.0 + 5.0 * np.sqrt(t),
    "t^0.25": lambda t: 30.0 * t**0.25,
    "t^0.75": lambda t: t**0.75,
    "t": lambda t: 0.1 * t,
}


@pytest.mark.parametrize(
    ("law", "curve", "alpha"),
    [("log", "log", 0.0), ("sqrt", "sqrt", 0.0), ("power", "t^0.75", 0.75), ("power", "log", 0.0)],
)
def test_a_fit_finds_the_constants_of_an_exact_curve(law: Law, curve: str, alpha: float) -> None:
    found = fit(law, T, CURVES[curve](T))
    assert found.alpha == pytest.approx(alpha, abs=2e-3)
    np.testing.assert_allclose(found.at(ROUNDS), CURVES[curve](T), rtol=2e-3, atol=0.05)
    later = np.array([20_000, 40_000])
    np.testing.assert_allclose(found.at(later), CURVES[curve](later.astype(float)), rtol=2e-3)


def test_the_power_law_has_the_logarithm_as_its_limit() -> None:
    near = LawFit("power", 1.0, 2.0, 1e-6).at(ROUNDS)
    np.testing.assert_allclose(LawFit("power", 1.0, 2.0, 0.0).at(ROUNDS), near, rtol=1e-4)
    np.testing.assert_allclose(LawFit("log", 1.0, 2.0, 0.0).at(ROUNDS), near, rtol=1e-4)


def simulated(name: str, seeds: int) -> NDArray[np.float64]:
    """Mistakes of seeds whose chance of one falls as the curve rises; each seed has a rate of its own."""
    rng = np.random.default_rng(3)
    rate = np.diff(CURVES[name](np.arange(10_001).clip(1).astype(np.float64)))
    own = np.exp(0.15 * rng.standard_normal(seeds))
    mistakes = rng.random((10_000, seeds)) < rate[:, None] * own
    return np.cumsum(mistakes, axis=0)[ROUNDS - 1].astype(np.float64)


@pytest.mark.parametrize(
    ("name", "law", "alpha"),
    [("log", "log", 0.1), ("t^0.25", "power", 0.27), ("t^0.75", "power", 0.75), ("t", "power", 1.0)],
)
def test_the_law_of_simulated_runs_is_found(name: str, law: str, alpha: float) -> None:
    found = growth(ROUNDS, simulated(name, 10), resamples=60)
    assert found.preferred == law
    assert found.alpha == pytest.approx(alpha, abs=0.06)
    assert found.interval is not None
    assert found.interval[0] <= found.alpha <= found.interval[1]
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.sentence.endswith(f"{'log t' if law == 'log' else 't^alpha'} preferred")


def test_sqrt_is_preferred_or_left_undecided_but_never_called_logarithmic() -> None:
    found = growth(ROUNDS, simulated("sqrt", 10), resamples=60)
    assert found.preferred in ("sqrt", "undecided")
    assert found.shares["log"] == 0.0
    assert found.alpha == pytest.approx(0.5, abs=0.05)


def test_seeds_that_disagree_are_undecided() -> None:
    curves = np.stack([CURVES["log"](T)] * 3 + [CURVES["t^0.75"](T)] * 3, axis=1)
    noise = np.cumsum(np.random.default_rng(0).normal(0.0, 4.0, curves.shape), axis=0)
    found = growth(ROUNDS, curves + noise, resamples=100)
    words = found.sentence
    assert found.preferred == "undecided"
    assert "undecided (" in words
    assert "of resamples)" in words


def test_one_seed_cannot_tell() -> None:
    found = growth(ROUNDS, CURVES["log"](T)[:, None], resamples=3)
    assert (found.preferred, found.interval) == ("undecided", None)
    assert "one seed" in found.sentence


def test_a_curve_that_no_longer_grows_has_no_shares_of_growth() -> None:
    with np.errstate(all="raise"):
        found = growth(ROUNDS, np.minimum(T[:, None], [[40.0, 41.0]]), resamples=5)
    assert np.isnan(list(found.errors.values())).all()
    assert found.fits["log"].b > 0.0


def test_the_law_with_more_constants_wins_by_a_margin_only() -> None:
    assert winner({"log": 0.2, "sqrt": 0.1, "power": 0.08}) == "sqrt"
    assert winner({"log": 0.2, "sqrt": 0.1, "power": 0.06}) == "power"
    assert winner({"log": 0.1, "sqrt": 0.2, "power": 0.1}) == "log"


def test_growth_reads_the_log_of_a_run() -> None:
    curves = simulated("log", 3)
    frame = pd.DataFrame(
        {"round": np.tile(ROUNDS, 3), "seed": np.repeat([4, 5, 6], len(ROUNDS)), "regret": curves.T.ravel()}
    )
    assert growth_of(frame).alpha == growth(ROUNDS, curves).alpha


@pytest.mark.parametrize("curves", [np.full((len(T), 2), np.nan), np.zeros(len(T)), np.zeros((3, 2))])
def test_curves_that_cannot_be_fitted_are_refused(curves: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="finite curves"):
        growth(ROUNDS, curves)


def test_a_run_that_is_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="play more rounds"):
        growth(np.arange(1, 6), np.ones((5, 2)))
