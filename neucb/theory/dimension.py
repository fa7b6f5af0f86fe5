"""Effective dimension, reward norm S and bounds of NeuralUCB and NeuralTS, for every T by one factorisation.

The first T rounds are a leading minor of the kernel's parts, and the Cholesky factor of a minor is the
minor of the factor: cumulative sums over one Cholesky factor give the values for every T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.theory.kernel import Kernel

Array = NDArray[np.float64]

RIDGES = (0.0, *(10.0**power for power in range(-8, 0)))  # ridges of S, tried in this order
ROUNDING = 1e-9  # squared pivot of the factor below which the matrix counts as singular


@dataclass(frozen=True)
class Norm:
    """Reward norm S = sqrt(2 r' (H + ridge I)^-1 r) for rewards r of the first T rounds.

    Attributes:
        values: [T] S for every T.
        ridge: ridge added to H for its inversion in float64.
    """

    values: Array
    ridge: float


def log_determinants(kernel: Kernel, regularization: float) -> Array:
    """Return log det(I + H / lambda) [T] of the first 1, 2, ..., T rounds, lambda > 0.

    It is K log det(I + M / lambda) + log(1 + K b' (M + lambda I)^-1 b).
    """
    factor = _cholesky(kernel.within, regularization)
    logs = 2.0 * np.log(np.diagonal(factor)) - math.log(regularization)
    across = np.log1p(kernel.arms * np.cumsum(np.square(_solve(factor, kernel.across))))
    return np.asarray(kernel.arms * np.cumsum(logs) + across, dtype=np.float64)


def effective_dimension(
    log_determinant: Array, regularization: float, arms: int, rounds: NDArray[np.int64]
) -> Array:
    """Return log det(I + H / lambda) / log(1 + t K / lambda) [n] of the first t rounds.

    Zhou, Li, Gu, ICML 2020 (arXiv 1911.04462), Definition 4.3.

    Args:
        log_determinant: [n] values of log det(I + H / lambda).
        regularization: lambda.
        arms: K.
        rounds: [n] rounds t.
    """
    return np.asarray(log_determinant / np.log1p(arms * rounds / regularization), dtype=np.float64)


def reward_norm(kernel: Kernel, rewards: NDArray[Any]) -> Norm:
    """Return S of rewards [T, K], with the least sufficient ridge among 0, 1e-8, 1e-7, ..., 0.1.

    H is singular as soon as a context occurs twice. S is then finite only where the rewards agree; the
    ridge hides that, and S depends on it where they do not.

    Raises:
        InputError: a ridge of 0.1 does not suffice.
    """
    r = np.asarray(rewards, dtype=np.float64)
    mean = r.mean(1)
    for ridge in RIDGES:
        try:
            factor = _cholesky(kernel.within, ridge)
        except np.linalg.LinAlgError:
            continue
        if np.diagonal(factor).min() ** 2 < ROUNDING:
            continue
        deviation = np.square(_solve(factor, r - mean[:, None])).sum(1)
        return Norm(np.sqrt(2.0 * (np.cumsum(deviation) + _along(factor, kernel, mean))), ridge)
    raise InputError("the kernel matrix is not positive definite, even with a ridge of 0.1")


def _along(factor: Array, kernel: Kernel, mean: Array) -> Array:
    """Return K m' (M + K b b')^-1 m for every T, by the Sherman-Morrison formula."""
    b, m = _solve(factor, kernel.across), _solve(factor, mean)
    bb, bm, mm = np.cumsum(b * b), np.cumsum(b * m), np.cumsum(m * m)
    K = kernel.arms
    return np.asarray(K * (mm - K * np.square(bm) / (1.0 + K * bb)), dtype=np.float64)


def spectrum(kernel: Kernel) -> Array:
    """Return the ascending eigenvalues of M [T], each K - 1 times one of H.

    The least eigenvalue of M is also that of H, as K b b' is positive semi-definite.
    """
    from scipy.linalg import eigvalsh

    eigenvalues: Array = eigvalsh(kernel.within, check_finite=False, driver="evd")
    return eigenvalues


def largest_eigenvalue(kernel: Kernel) -> float:
    """Return the largest eigenvalue of H, that of M + K b b'."""
    from scipy.linalg import eigvalsh
    from scipy.sparse.linalg import LinearOperator, eigsh

    T, b = kernel.rounds, kernel.across
    if T < 3:  # too small for Lanczos
        return float(eigvalsh(kernel.within + kernel.arms * np.outer(b, b))[-1])
    whole = LinearOperator((T, T), lambda v: kernel.within @ v + kernel.arms * b * (b @ v), dtype=np.float64)
    return float(eigsh(whole, 1, which="LA", v0=b, return_eigenvectors=False)[0])


def _cholesky(matrix: Array, diagonal: float) -> Array:
    """Return the lower Cholesky factor of matrix + diagonal I."""
    from scipy.linalg import cholesky

    copy = np.array(matrix, order="F")  # overwritten by LAPACK
    copy[np.diag_indices(len(copy))] += diagonal
    factor: Array = cholesky(copy, lower=True, overwrite_a=True, check_finite=False)
    return factor


def _solve(factor: Array, right: Array) -> Array:
    from scipy.linalg import solve_triangular

    solved: Array = solve_triangular(factor, right, lower=True, check_finite=False)
    return solved


def neural_ucb_bound(
    log_determinant: Array, norm: Array, regularization: float, delta: float, t: NDArray[np.int64]
) -> Array:
    """Return NeuralUCB's regret bound after t rounds [n], from log determinants and norms [n].

    3 sqrt(t (g + 2)) (nu sqrt(g + 2 - 2 log delta) + 2 sqrt(lambda) S) + 1, g = log det(I + H / lambda) and
    nu = 1/2, as losses lie in [0, 1]. Zhou, Li, Gu, ICML 2020 (arXiv 1911.04462), Theorem 4.5, as we
    recall it, for a network that is wide enough and trained to the minimum: the omitted training term
    is nonnegative.
    """
    confidence = 0.5 * np.sqrt(log_determinant + 2.0 - 2.0 * math.log(delta))
    width = confidence + 2.0 * math.sqrt(regularization) * norm
    return np.asarray(3.0 * np.sqrt(t * (log_determinant + 2.0)) * width + 1.0, dtype=np.float64)


def neural_ts_shape(
    log_determinant: Array,
    norm: Array,
    regularization: float,
    arms: int,
    delta: float,
    t: NDArray[np.int64],
) -> Array:
    """Return the leading term of NeuralTS's regret bound after t rounds [n], with its constant C = 1.

    (1 + c_t) nu sqrt(2 lambda L (d~ log(1 + t K) + 1) t), c_t = sqrt(4 log t + 2 log K), L = 2 layers,
    nu = S + (1/2) sqrt(g + 2 + 2 log(1 / delta)), g as above standing for d~ log(1 + t K / lambda). Zhang,
    Zhou, Li, Gu, ICLR 2021 (arXiv 2010.00827), Theorem 3.5, as we recall it.
    """
    c = np.sqrt(4.0 * np.log(t) + 2.0 * math.log(arms))
    nu = norm + 0.5 * np.sqrt(log_determinant + 2.0 + 2.0 * math.log(1.0 / delta))
    grown = log_determinant * np.log1p(t * arms) / np.log1p(t * arms / regularization)
    return np.asarray((1.0 + c) * nu * np.sqrt(4.0 * regularization * (grown + 1.0) * t), dtype=np.float64)
