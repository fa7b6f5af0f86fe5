"""Hindsight: fits on worlds whose best policy is known, played pairs only, regression regret by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from neucb.agents.recipes import find_recipe
from neucb.environments.classification import load
from neucb.errors import InputError
from neucb.theory.hindsight import Training, fit_class, regression_regret

QUICK = Training(epochs=40, restarts=2, batch=64)


@pytest.fixture(scope="module")
def circles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the unit circle; arm 0 is right where x y > 0: a network can say so, a line cannot."""
    angle = np.random.default_rng(0).uniform(0, 2 * math.pi, 600)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    label = (x[:, 0] * x[:, 1] <= 0).astype(int)
    return x, 1.0 - np.eye(2)[label]


@pytest.mark.parametrize("agent", ["kl", "sq"])
def test_a_network_finds_what_its_class_can_do(
    agent: str, circles: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> None:
    x, losses = circles
    found = fit_class(find_recipe(agent), x, losses, training=QUICK)
    assert found.policy_losses(losses).mean() < 0.04
    assert found.trained < 0.12
    assert found.held_out < 0.15
    assert found.epochs <= 40
    assert found.spread >= 0.0


def test_a_linear_class_cannot(circles: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    x, losses = circles
    found = fit_class(find_recipe("squarecb"), x, losses, training=QUICK)
    assert 0.35 < found.policy_losses(losses).mean() < 0.65
    assert found.trained == pytest.approx(0.25, abs=0.01)  # 1/2 everywhere is the best line


def test_a_linear_fit_finds_losses_that_are_linear() -> None:
    x = np.random.default_rng(0).standard_normal((300, 4)) / 4
    losses = 0.5 + x @ np.array([[0.4, -0.2], [0.0, 0.3], [0.1, 0.1], [-0.5, 0.0]])
    training = Training(epochs=200, patience=50, restarts=1, batch=50)
    found = fit_class(find_recipe("squarecb"), x, losses, training=training)
    np.testing.assert_allclose(found.predicted, losses, atol=0.01)


def test_played_pairs_alone_decide() -> None:
    """Arm 1's losses are never played: what they are does not change the fit."""
    encoded = load("iris")
    losses = 1.0 - np.eye(3)[encoded.labels]
    played = 2 * (np.arange(150) % 2)
    other = losses.copy()
    other[:, 1] = 0.5
    fits = [
        fit_class(find_recipe("sq"), encoded.contexts, table, played, training=QUICK)
        for table in (losses, other)
    ]
    np.testing.assert_array_equal(fits[0].predicted, fits[1].predicted)
    at = np.arange(150)
    assert np.square(fits[0].predicted[at, played] - losses[at, played]).mean() < 0.1


def test_regression_regret_by_hand() -> None:
    """Two replicas, two rounds; a prediction beyond [0, 1] counts as 1."""
    predicted, comparator = np.array([[0.5, 2.0], [0.0, 0.25]]), np.array([[0.0, 0.5], [0.5, 0.25]])
    loss = np.array([[1.0, 0.0], [0.0, 1.0]])
    squared = regression_regret(predicted, comparator, loss, "squared")
    np.testing.assert_allclose(squared, [[-0.75, -0.75 + 0.75], [-0.25, -0.25]])
    kl = regression_regret(predicted[1:], comparator[1:], loss[1:], "kl")
    np.testing.assert_allclose(kl, [[math.log(0.5)] * 2], atol=2e-6)


@pytest.mark.parametrize(("agent", "rows"), [("uniform", 50), ("kl", 2)])
def test_what_cannot_be_fitted_is_refused(agent: str, rows: int) -> None:
    with pytest.raises(InputError, match=r"no class of its own|more than 2 rows"):
        fit_class(find_recipe(agent), np.ones((rows, 3)), np.ones((rows, 2)))
