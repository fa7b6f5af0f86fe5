"""Losses: comparison of closed forms with numerical integration and hand-computed values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numba import njit
from numpy.typing import NDArray

from neucb.agents.losses import KL, Squared
from neucb.core.metrics import regression_losses
from neucb.kernels.logistic import PARTS, exponential, logistic, smoothed, widen


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("tau", [0.0, 0.3, 1.0, 4.0, 20.0])
def test_logistic_normal_integrals_equal_a_dense_sum(tau: float) -> None:
    """Compare yhat and kappa with a sum over 200,001 points."""
    xi = np.linspace(-9, 9, 200_001)
    density = np.exp(-xi * xi / 2)
    density /= density.sum()
    f = np.linspace(-25, 25, 41)
    sigmoid = 1 / (1 + np.exp(-(f[:, None] + tau * xi)))
    mean, kappa = KL().smoothed(torch.tensor(f), torch.full((41,), tau, dtype=torch.float64))
    assert np.abs(mean.numpy() - sigmoid @ density).max() < 1e-7
    assert np.abs(kappa.numpy() - (sigmoid * (1 - sigmoid)) @ density).max() < 1e-7


def test_smoothed_rows_are_independent() -> None:
    f = torch.tensor([[0.5, -1.0], [2.0, 0.0]], dtype=torch.float64)
    tau = tensor(0.7, 5.0).unsqueeze(1)
    together = KL().smoothed(f, tau)
    for r in range(2):
        alone = KL().smoothed(f[r : r + 1], tau[r : r + 1])
        assert torch.equal(together[0][r], alone[0][0])
        assert torch.equal(together[1][r], alone[1][0])


def test_squared_value_is_unhalved_and_clipped() -> None:
    value = Squared().value(tensor(0.25, 1.5, -0.5), tensor(1.0, 0.0, 0.0))
    assert value.tolist() == [0.5625, 1.0, 0.0]


def test_kl_value_equals_hand_computed_numbers() -> None:
    value = KL().value(tensor(0.25, 0.5, 0.0), tensor(1.0, 0.25, 1.0))
    halves = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert value.tolist() == pytest.approx([math.log(4), halves, -math.log(1e-6)])


def test_logged_losses_equal_those_of_the_oracles() -> None:
    rng = np.random.default_rng(0)
    predicted, target = rng.random(50) * 1.4 - 0.2, rng.integers(0, 2, 50) * rng.choice([1.0, 0.3], 50)
    squared, log = regression_losses(predicted, target)
    y, yhat = torch.tensor(target), torch.tensor(predicted)
    np.testing.assert_allclose(squared, Squared().value(yhat, y).numpy(), atol=1e-12)
    np.testing.assert_allclose(log, KL().value(yhat, y).numpy(), atol=1e-12)


@pytest.mark.parametrize("loss", [Squared(), KL()])
def test_link_and_curvature_equal_autograd(loss: Squared | KL) -> None:
    f = torch.linspace(-6, 6, 25, dtype=torch.float64, requires_grad=True)
    link = f * 1.0 if loss.name == "squared" else torch.sigmoid(f)
    (slope,) = torch.autograd.grad(link.sum(), f)
    torch.testing.assert_close(loss.link(f.detach().clone()), link.detach())
    torch.testing.assert_close(loss.curvature(f.detach().clone()), slope)


def test_compiled_exponential_and_logistic_are_accurate() -> None:
    def exponentials(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([exponential(value) for value in y])

    def logistics(f: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([logistic(value) for value in f])

    first: Any = njit(exponentials)
    second: Any = njit(logistics)
    y = -np.concatenate([np.linspace(0.0, 700.0, 3001), np.geomspace(1e-9, 40.0, 2001)])
    np.testing.assert_allclose(first(y), np.exp(y), rtol=1e-15, atol=0)
    f = np.concatenate([y, -y, [np.nan]])
    np.testing.assert_allclose(second(f), 1.0 / (1.0 + np.exp(-f)), rtol=2e-15, atol=0)
    assert second(np.array([-np.inf, -701.0, 701.0, np.inf])).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_compiled_smoothed_logistic_equals_that_of_the_loss() -> None:
    """For outputs near and far from 0, infinity and NaN, with and without an offset."""

    def each(
        f: NDArray[np.float64], tau: float, slopes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        widen(tau, slopes)
        mean, slope = np.empty_like(f), np.empty_like(f)
        for i in range(len(f)):
            mean[i], slope[i] = smoothed(f[i], slopes)
        return mean, slope

    compiled: Any = njit(each)
    f = np.concatenate([np.linspace(-90.0, 90.0, 2001), [0.0, 1e-9, np.inf, -np.inf, np.nan]])
    for tau in (0.0, 0.01, 0.7, 5.0, 300.0):
        expected = KL().smoothed(torch.tensor(f), torch.full((len(f),), tau, dtype=torch.float64))
        for value, expected_value in zip(compiled(f, tau, np.empty(PARTS)), expected, strict=True):
            np.testing.assert_allclose(value, expected_value.numpy(), rtol=0, atol=1e-14)
