"""Lanczos against the exact answers, where both run."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import polynomial

from neucb.environments.classification import load
from neucb.runs.api import prepare
from neucb.theory.diagnose import diagnose
from neucb.theory.diagnosis import Question
from neucb.theory.dimension import log_determinants, reward_norm
from neucb.theory.kernel import Kernel, closed_form, with_constant
from neucb.theory.lanczos import estimate_log_determinants, lanczos, least_reward_norm

RIDGES = (1e-3, 1e-1, 1.0)


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    """300 digits, K = 4; more rows than a block of the kernel's rows would be another test."""
    return closed_form(with_constant(load("digits").contexts[:300], 0.1), 4)


def test_blocks_of_rows_make_the_same_matrix(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neucb.theory.kernel.BLOCK", 7)
    blocks = closed_form(with_constant(load("digits").contexts[:300], 0.1), 4)
    np.testing.assert_allclose(blocks.within, kernel.within, atol=1e-14)


def test_all_steps_are_exact_for_every_function() -> None:
    """A of size 6 with 6 steps; the third vector is an eigenvector, where a run ends after one step."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 6))
    A = root @ root.T
    values, vectors = np.linalg.eigh(A)
    start = np.column_stack([rng.standard_normal((6, 2)), 2 * vectors[:, 1]])
    found = lanczos(lambda v: A @ v, start, 99).quadrature(lambda x: np.log1p(x) + 1 / (x + 0.1))
    f = vectors @ np.diag(np.log1p(values) + 1 / (values + 0.1)) @ vectors.T
    np.testing.assert_allclose(found, np.diag(start.T @ f @ start), rtol=1e-8)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_few_steps_are_exact_for_polynomials_and_one_sided_for_what_is_asked(k: int) -> None:
    """Gauss with k nodes: x^(2k-1) exactly, x^(2k) from below; 1 / (x + r) from below, log from above."""
    rng = np.random.default_rng(1)
    root = rng.standard_normal((8, 8))
    A, v = root @ root.T, rng.standard_normal((8, 3))
    values, vectors = np.linalg.eigh(A)
    parts = np.square(vectors.T @ v)  # [8, 3]
    steps = lanczos(lambda x: A @ x, v, 8)
    for power in range(2 * k):
        found = steps.quadrature(polynomial.Polynomial([0.0] * power + [1.0]), k)
        np.testing.assert_allclose(found, values**power @ parts)
    assert (steps.quadrature(lambda x: x ** (2 * k), k) < values ** (2 * k) @ parts).all()
    assert (steps.quadrature(lambda x: 1 / (x + 0.1), k) < (1 / (values + 0.1)) @ parts).all()
    assert (steps.quadrature(lambda x: np.log1p(x / 0.1), k) > np.log1p(values / 0.1) @ parts).all()


@pytest.mark.slow
def test_log_determinants_are_within_their_errors(kernel: Kernel) -> None:
    for seed in range(3):
        for one, ridge in zip(estimate_log_determinants(kernel, RIDGES, seed=seed), RIDGES, strict=True):
            exact = log_determinants(kernel, ridge)[-1]
            assert abs(one.value - exact) <= 1.5 * one.error  # half the width of 95 %, nine times
            assert one.error < 0.2 * exact


def test_few_steps_are_told_as_an_error(kernel: Kernel) -> None:
    few, many = (estimate_log_determinants(kernel, (1e-3,), steps=steps)[0] for steps in (4, 80))
    assert few.error > 2 * many.error
    exact = log_determinants(kernel, 1e-3)[-1]
    assert abs(few.value - exact) > abs(many.value - exact)


def test_the_norm_of_the_reward_comes_from_below(kernel: Kernel) -> None:
    rewards = np.eye(4)[np.arange(300) % 4]
    exact = reward_norm(kernel, rewards)
    found = [least_reward_norm(kernel, rewards, exact.ridge, steps) for steps in (3, 10, 40, 1200)]
    assert found == sorted(found)
    assert found[0] < 0.9 * exact.values[-1]
    assert found[-1] == pytest.approx(exact.values[-1], rel=1e-3)


def test_a_diagnosis_goes_on_where_it_is_no_longer_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded, question = load("digits"), Question(rounds=240, ridges=(0.1, 1.0))
    whole = diagnose(encoded, question, prepare)
    monkeypatch.setattr("neucb.theory.diagnose.EXACT", 60)
    found = diagnose(encoded, question, prepare)
    assert (whole.exact, found.exact) == (240, 60)
    assert {120, 240} <= set(found.kept.tolist())
    shared = np.isin(whole.kept, found.kept)
    for exact, one in zip(whole.ridges, found.ridges, strict=True):
        assert exact.error == 0.0 < one.error < 0.1
        np.testing.assert_allclose(one.dimension, exact.dimension[shared], rtol=2 * one.error)
        assert one.power == pytest.approx(exact.power, abs=0.02)
        np.testing.assert_array_equal(one.ucb_regret, exact.ucb_regret[shared])
        assert (one.ucb_bound <= exact.ucb_bound[shared] * (1 + one.error)).all()
    assert (found.norm <= whole.norm[shared] * (1 + 1e-9)).all()
    assert found.largest == pytest.approx(whole.largest)
