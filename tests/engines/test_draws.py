"""Kernels of draws and checks equal the torch operations at the end of a block."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neucb.core.spec import Spec
from neucb.engines.lockstep.block_record import BlockRecord, draw
from neucb.kernels.draws import draw_arms, is_valid


def distributions(rounds: int, replicas: int, arms: int) -> np.ndarray:
    """Return probabilities [T, R, K], some of them 0 or slightly negative."""
    rng = np.random.default_rng(arms)
    p = rng.dirichlet(np.full(arms, 0.3), size=(rounds, replicas))
    p[rng.random(p.shape) < 0.3] = 0.0
    p[..., 0] += 1e-3
    p /= p.sum(2, keepdims=True)
    p[::7, :, -1] -= 1e-10
    return p


@pytest.mark.parametrize("arms", [2, 7, 100])
def test_drawn_arms_equal_those_of_torch(arms: int) -> None:
    rng = np.random.default_rng(1)
    action, copy = np.zeros((2, 3), np.int64)
    for p in distributions(300, 3, arms):
        end = np.cumsum(p, 1)
        for uniforms in (rng.random(3), end[:, 0], end[:, -2], np.zeros(3), np.full(3, 1 - 2.0**-53)):
            draw_arms(p, uniforms, action, copy)
            expected = draw(torch.from_numpy(p), torch.from_numpy(uniforms)[:, None]).squeeze(1)
            assert action.tolist() == copy.tolist() == expected.tolist()
            assert (p[range(3), action] > 0.0).all()


SPEC = Spec((0, 1), 3, 1, 10)
FAULTS = [
    ([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], [0.1, 0.2, 0.3], True),
    ([[0.2, 0.3, 0.5], [1.0, 1e-7, 0.0]], [0.1, 0.2, 0.3], True),
    ([[0.2, 0.3, 0.5], [1.0, 1e-5, 0.0]], [0.1, 0.2, 0.3], False),
    ([[0.2, 0.3, 0.5], [1.001, -0.001, 0.0]], [0.1, 0.2, 0.3], False),
    ([[np.nan, 0.3, 0.5], [1.0, 0.0, 0.0]], [0.1, 0.2, 0.3], False),
    ([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], [0.1, np.inf, 0.3], False),
    ([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], [0.1, np.nan, 0.3], False),
]


@pytest.mark.parametrize(("p", "mean", "good"), FAULTS)
def test_checks_equal_those_at_the_end_of_a_block(
    p: list[list[float]], mean: list[float], good: bool
) -> None:
    record = BlockRecord(np.full((2, 2), 0.5), SPEC)

    class Predicted:
        mean = torch.zeros(2, 3)

    for number, means in enumerate(([0.0] * 3, mean)):
        Predicted.mean = torch.tensor([means, means], dtype=torch.float64)
        values = p if number else FAULTS[0][0]
        record.add(torch.tensor(values, dtype=torch.float64), Predicted, None)
    assert record.is_valid() is good
    finite, valid = record.checked(1)
    assert bool((finite & valid).all()) is good
    assert is_valid(np.array(p), np.array([mean, mean])) is good
