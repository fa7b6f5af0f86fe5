"""Linear oracle: comparison with closed-form ridge regression and a hand-written Newton step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import KL, Squared
from neucb.core.spec import Spec


def test_squared_loss_gives_ridge_regression_per_arm() -> None:
    """Two replicas, two penalties, 60 rounds; the intercept is penalised like the rest."""
    rng = np.random.default_rng(0)
    penalty = (1.0, 0.05)
    oracle = Linear(Squared(), regularization=penalty)
    oracle.reset(Spec((0, 1), 3, 4, 60))
    x, y = rng.standard_normal((60, 2, 4)), rng.random((60, 2))
    arms = rng.integers(0, 3, (60, 2))
    for t in range(60):
        oracle.update(torch.tensor(x[t]), torch.tensor(arms[t]), torch.tensor(y[t]))
    probe = rng.standard_normal((2, 4))
    mean = oracle.predict(torch.tensor(probe)).mean.numpy()
    for r in range(2):
        for arm in range(3):
            played = arms[:, r] == arm
            Z = np.column_stack([x[played, r], np.ones(played.sum())])
            theta = np.linalg.solve(Z.T @ Z + penalty[r] * np.eye(5), Z.T @ y[played, r])
            assert mean[r, arm] == pytest.approx(np.append(probe[r], 1.0) @ theta, abs=1e-9)


def test_kl_loss_gives_a_newton_step_on_the_laplace_approximation() -> None:
    rng = np.random.default_rng(1)
    oracle = Linear(KL(), regularization=0.5)
    oracle.reset(Spec((0,), 2, 3, 30))
    precision = {arm: 0.5 * np.eye(4) for arm in range(2)}
    theta = {arm: np.zeros(4) for arm in range(2)}
    for _ in range(30):
        x, arm, y = rng.standard_normal(3), int(rng.integers(2)), float(rng.integers(2))
        oracle.update(torch.tensor(x)[None], torch.tensor([arm]), torch.tensor([y]))
        z = np.append(x, 1.0)
        p = 1 / (1 + np.exp(-theta[arm] @ z))
        precision[arm] += p * (1 - p) * np.outer(z, z)
        theta[arm] = theta[arm] + np.linalg.solve(precision[arm], z) * (y - p)
    mean = oracle.predict(torch.zeros(1, 3)).mean[0].numpy()
    expected = [1 / (1 + np.exp(-theta[arm][-1])) for arm in range(2)]
    np.testing.assert_allclose(mean, expected, atol=1e-9)


def test_the_initial_covariance_is_lambda_times_identity() -> None:
    """Lambda = 4, x = (1), y = 1: theta = x y / (4 + |z|^2) = 1/6 for z = (1, 1)."""
    oracle = Linear(Squared(), regularization=4.0)
    oracle.reset(Spec((0,), 2, 1, 1))
    oracle.update(torch.ones(1, 1), torch.tensor([0]), torch.ones(1))
    assert oracle.predict(torch.ones(1, 1)).mean[0].tolist() == pytest.approx([2 / 6, 0.0])
