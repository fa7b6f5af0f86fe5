"""Matrices with two values in O(K) memory, and the losses read from them."""

from __future__ import annotations

import numpy as np
import pytest

from neucb.core.diagonal import DENSE_UP_TO, diagonal_matrix, is_view
from neucb.core.spec import Spec
from neucb.engines.log import GAUGES, RoundLabels, RunLog
from neucb.environments.feedback import Feedback


@pytest.mark.parametrize("rows", [2, DENSE_UP_TO, DENSE_UP_TO + 1])
def test_entries(rows: int) -> None:
    matrix = diagonal_matrix(rows, 0.25, 0.75)
    np.testing.assert_array_equal(matrix, 0.75 - 0.5 * np.eye(rows))
    assert is_view(matrix) == (rows > DENSE_UP_TO)


def test_full_matrices_are_no_views() -> None:
    assert not any(is_view(one) for one in (np.eye(3), np.asfortranarray(np.eye(3)), np.zeros((2, 2))[::-1]))


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_feedback_and_sums_equal_those_of_the_full_matrix(noise: float) -> None:
    K, R, T = DENSE_UP_TO + 44, 2, 500
    view, full = Feedback.make(K, noise), Feedback.make(K, noise, 1.0 - np.eye(K))
    assert is_view(view.cost)
    assert is_view(view.expected)
    assert not is_view(full.cost)
    np.testing.assert_allclose(view.expected, full.expected, rtol=1e-14)
    label, seen, action = np.random.default_rng(0).integers(0, K, (3, R, T))
    action[:, ::2] = label[:, ::2]
    seen = seen if noise else label
    logs = []
    for feedback in (view, full):
        figures = feedback.outcome(label, seen, action)
        log = RunLog(Spec(tuple(range(R)), K, 3, T))
        gauges = {name: np.zeros((R, T)) for name in GAUGES}
        log.add(figures, RoundLabels(label, feedback.expected), None, np.ones((R, T)), gauges)
        logs.append((figures, log))
    for name, values in logs[0][0].items():
        np.testing.assert_allclose(values, logs[1][0][name], rtol=1e-14 if noise else 0.0)
    np.testing.assert_allclose(logs[0][1].arm_losses, logs[1][1].arm_losses, rtol=1e-12 if noise else 0.0)


def test_memory_of_many_arms() -> None:
    feedback = Feedback.make(100_000, 0.1)  # 80 GB in full
    label = np.array([[0, 99_999, 5]])
    outcome = feedback.outcome(label, label, np.array([[0, 99_999, 6]]))
    assert outcome["loss"].tolist() == [[0.0, 0.0, 1.0]]
    np.testing.assert_allclose(outcome["best_loss"], 0.1)
    np.testing.assert_allclose(outcome["expected_loss"], [[0.1, 0.1, 1.0 - 0.1 / 99_999]])
