"""Perturbation: infinite S against Monte Carlo, convergence in S, and limits of stability."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neucb.agents.losses import KL, Squared
from neucb.agents.network.expected_perturbation import ExpectedPerturbation
from neucb.agents.network.oracle import Neural
from neucb.agents.network.sign_perturbation import SignPerturbation
from neucb.agents.network.weights import PlainWeights
from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.core.spec import Spec


def signs(rng: np.random.Generator, count: int, p: int) -> NDArray[np.float64]:
    return np.asarray(rng.integers(0, 2, (count, p)) * 2 - 1, dtype=np.float64)


def test_expected_squared_loss_is_exact_for_signs() -> None:
    """E (f + c<u,eps> - y)^2 / 2 = (f - y)^2 / 2 + c^2 |u|^2 / 2, for any number of coordinates."""
    rng = np.random.default_rng(0)
    u, f, y, c = np.array([2.0, 0.1, -0.3]), 0.4, 1.0, 0.7
    draws = 0.5 * (f + c * signs(rng, 200_000, 3) @ u - y) ** 2
    closed = 0.5 * (f - y) ** 2 + 0.5 * c**2 * (u @ u)
    assert draws.mean() == pytest.approx(closed, abs=4 * draws.std() / 200_000**0.5)


@pytest.mark.parametrize("f", [-2.0, 0.3, 4.0])
def test_expected_kl_gradient_equals_monte_carlo_over_gaussians(f: float) -> None:
    """Derivatives along u and f by Monte Carlo over Gaussian vectors, for concentrated u."""
    rng = np.random.default_rng(1)
    u, y, c = np.array([3.0, 0.2, -0.1, 0.05]), 1.0, 0.6
    eps = rng.standard_normal((400_000, 4))
    residual = 1 / (1 + np.exp(-(f + c * eps @ u))) - y
    tau = torch.tensor([c * np.linalg.norm(u)])
    yhat, kappa = (float(value) for value in KL().smoothed(torch.tensor([f], dtype=torch.float64), tau))
    assert yhat - y == pytest.approx(residual.mean(), abs=4 * residual.std() / 400_000**0.5)
    along = c * residual[:, None] * eps  # Monte Carlo of the second part of the gradient, [draws, p]
    error = 4 * along.std(0) / 400_000**0.5
    assert (np.abs(along.mean(0) - kappa * c**2 * u) <= error).all()


def test_expected_kl_approximates_signs_for_spread_out_u() -> None:
    rng = np.random.default_rng(2)
    p, f, c = 2000, -0.5, 0.05
    u = rng.standard_normal(p)
    offset = np.concatenate([c * signs(rng, 5_000, p) @ u for _ in range(10)])
    predicted = 1 / (1 + np.exp(-(f + offset)))
    tau = torch.tensor([c * np.linalg.norm(u)])
    yhat = float(KL().smoothed(torch.tensor([f], dtype=torch.float64), tau)[0])
    assert yhat == pytest.approx(predicted.mean(), abs=4 * predicted.std() / 50_000**0.5 + 1e-3)


def test_signs_converge_at_rate_one_over_root_s() -> None:
    """At a fixed theta of p = 50 coordinates the error of the drift has slope -1/2 in log S."""
    rng = np.random.default_rng(3)
    p, f, y, c = 50, 0.2, 0.0, 0.3
    u = rng.standard_normal(p) / 5
    limit = c**2 * u  # squared loss: E r_s c eps_s = c^2 u, exact for signs
    sizes = np.array([100, 1_000, 10_000, 100_000])
    errors = []
    for size in sizes:
        runs = []
        for _ in range(8):
            eps = signs(rng, int(size), p)
            residual = f + c * eps @ u - y
            runs.append(np.linalg.norm(c * residual @ eps / size - limit))
        errors.append(np.mean(runs))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)
    spread = math.sqrt(f**2 + c**2 * (u @ u))  # root mean square of a residual
    assert errors[-1] == pytest.approx(c * spread * math.sqrt(p / sizes[-1]), rel=0.1)


def play(weights: Any, loss: Any, lr: float, rounds: int = 400) -> torch.Tensor:
    """Return predictions after some rounds on labels that depend on the context."""
    spec = Spec((0,), 2, 3, rounds, dtype="float64")
    oracle = Neural(loss, weights, width=10, lr=lr)
    oracle.reset(spec)
    rng = np.random.default_rng(4)
    for _ in range(rounds):
        x = rng.standard_normal((1, 3))
        x /= np.linalg.norm(x)
        action = rng.integers(0, 2, 1)
        context = torch.tensor(x)
        oracle.update(context, torch.tensor(action), torch.tensor((x[:, 0] > 0).astype(float)))
    return oracle.predict(context).mean


def limit_of(fraction: float, count: int, lr: float, limit: float) -> float:
    """Return c_p at a fraction of the curvature lr c_p^2 p / (sqrt(m) S) = limit."""
    p = 2 * 10 * 4 + 10
    return math.sqrt(fraction * limit * math.sqrt(10) * count / (lr * p))


def test_sign_perturbation_that_diverges_is_rejected() -> None:
    inside = play(SignPerturbation(limit_of(0.99, 3, 0.1, 1.8), 3), Squared(), 0.1)
    assert bool(inside.isfinite().all())
    with pytest.raises(InputError, match="c_p below"):
        play(SignPerturbation(limit_of(1.01, 3, 0.1, 1.8), 3), Squared(), 0.1)


def test_sign_perturbation_that_oscillates_warns() -> None:
    with pytest.warns(UserWarning, match="oscillates"):
        play(SignPerturbation(limit_of(1.01, 3, 0.1, 8.0), 3), KL(), 0.1, rounds=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(SignPerturbation(limit_of(0.99, 3, 0.1, 8.0), 3), KL(), 0.1, rounds=1)


def test_an_expected_perturbation_that_overshoots_is_rejected() -> None:
    largest = math.sqrt(2.0 * math.sqrt(10) / 0.1)
    play(ExpectedPerturbation(0.99 * largest), Squared(), 0.1)
    with pytest.raises(InputError, match="below 2"):
        play(ExpectedPerturbation(1.01 * largest), Squared(), 0.1)


@pytest.mark.parametrize("loss", [Squared(), KL()])
@pytest.mark.parametrize("weights", [ExpectedPerturbation(0.0), SignPerturbation(0.0, 3)])
def test_zero_perturbation_equals_the_plain_network(loss: Any, weights: Any) -> None:
    torch.testing.assert_close(play(weights, loss, 0.2), play(PlainWeights(), loss, 0.2), atol=1e-6, rtol=0)


def test_signs_are_drawn_once_per_seed_in_the_documented_order() -> None:
    """All bits of S vectors of p signs; the last m of each belong to w2."""
    spec = Spec((9,), 2, 3, 1, dtype="float64")
    oracle = Neural(Squared(), SignPerturbation(0.1, 2), width=4)
    oracle.reset(spec)
    p = 2 * 4 * 4 + 4
    bits = np.unpackbits(np.frombuffer(stream(9, "signs").bytes(2 * ((p + 7) // 8)), np.uint8))
    drawn = bits.reshape(2, -1)[:, :p] * 2.0 - 1.0
    assert isinstance(oracle.weights, SignPerturbation)
    np.testing.assert_array_equal(oracle.weights._signs_head[0].numpy(), drawn[:, -4:])
    assert set(np.unique(drawn)) == {-1.0, 1.0}
