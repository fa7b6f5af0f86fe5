"""Lanczos estimates of log determinants and quadratic forms of kernels too large for a factorisation.

k steps from a vector v give the Gauss quadrature of v' f(A) v with k nodes: it is exact for
polynomials of degree 2 k - 1, from below for f = 1 / (x + ridge) and from above for f = log(1 + x / ridge)
(Golub and Meurant, Matrices, Moments and Quadrature, 2010). Its mean over random sign vectors estimates a
trace (Ubaru, Chen, Saad, SIAM J. Matrix Anal. Appl. 38, 2017: stochastic Lanczos quadrature).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neucb.statistics.intervals import t_half_width
from neucb.theory.kernel import Kernel

Array = NDArray[np.float64]
Product = Callable[[Array], Array]

STEPS = 80  # Lanczos steps k
PROBES = 12  # random sign vectors


@dataclass(frozen=True)
class Estimate:
    """An estimate and its error: 95 % half width over the probes, plus the change over the last steps."""

    value: float
    error: float


@dataclass(frozen=True)
class Steps:
    """Tridiagonal matrices of Lanczos runs from P vectors.

    Attributes:
        diagonal: [k, P] diagonals.
        beside: [k - 1, P] off-diagonals.
        size: [P] squared lengths of the vectors.
    """

    diagonal: Array
    beside: Array
    size: Array

    def quadrature(self, function: Callable[[Array], Array], steps: int | None = None) -> Array:
        """Return v' f(A) v [P] after the first `steps` steps; eigenvalues of A below 0 count as 0."""
        from scipy.linalg import eigh_tridiagonal

        k = len(self.diagonal) if steps is None else steps
        forms = np.empty(len(self.size))
        for p, size in enumerate(self.size):
            nodes, vectors = eigh_tridiagonal(self.diagonal[:k, p], self.beside[: k - 1, p])
            weights = np.square(vectors[0])
            reached = weights > 0.0  # steps after an early end have weight 0
            forms[p] = size * (weights[reached] @ function(np.maximum(nodes[reached], 0.0)))
        return forms


def lanczos(product: Product, start: Array, steps: int) -> Steps:
    """Run `steps` steps from every column of `start` [n, P], with full reorthogonalisation.

    Args:
        product: function from V [n, P] to A V [n, P], A symmetric.
        start: [n, P] nonzero columns.
        steps: k >= 1, at most n.
    """
    n, probes = start.shape
    k = min(steps, n)
    size = np.square(start).sum(0)
    basis = np.zeros((k, n, probes))
    basis[0] = start / np.sqrt(size)
    diagonal, beside = np.zeros((k, probes)), np.zeros((k - 1, probes))
    scale = np.zeros(probes)
    for j in range(k):
        moved = product(basis[j])
        diagonal[j] = (basis[j] * moved).sum(0)
        scale = np.maximum(scale, np.abs(diagonal[j]))
        if j + 1 == k:
            break
        for _ in range(2):  # twice is enough (Parlett)
            moved -= np.einsum("knp,kp->np", basis[: j + 1], np.einsum("knp,np->kp", basis[: j + 1], moved))
        length = np.sqrt(np.square(moved).sum(0))
        active = length > 1e-12 * scale  # otherwise the Krylov space is exhausted
        beside[j] = np.where(active, length, 0.0)
        basis[j + 1] = np.where(active, moved / np.where(active, length, 1.0), 0.0)
    return Steps(diagonal, beside, size)


def estimate_log_determinants(
    kernel: Kernel, ridges: Sequence[float], *, probes: int = PROBES, steps: int = STEPS, seed: int = 0
) -> list[Estimate]:
    """Estimate log det(I + H / lambda) of all rounds for every lambda, from the same Lanczos runs.

    Args:
        kernel: the kernel H; a step costs 2 T^2 (probes + 1) flops.
        ridges: values of lambda > 0.
        probes: number of sign vectors >= 2.
        steps: number of steps of each Lanczos run.
        seed: seed of the sign vectors.
    """
    T = kernel.rounds
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (T, probes))
    runs = lanczos(lambda v: kernel.within @ v, np.column_stack([signs, kernel.across]), steps)
    return [_log_determinant(runs, kernel.arms, ridge) for ridge in ridges]


def _log_determinant(runs: Steps, arms: int, ridge: float) -> Estimate:
    """Return K log det(I + M / lambda) + log(1 + (K / lambda) b' (I + M / lambda)^-1 b); b's run is last."""
    fewer = max(1, 3 * len(runs.diagonal) // 4)
    values = []
    for steps in (len(runs.diagonal), fewer):
        logs = arms * runs.quadrature(lambda x: np.log1p(x / ridge), steps)[:-1]
        along = runs.quadrature(lambda x: 1.0 / (1.0 + x / ridge), steps)[-1]
        values.append(logs + np.log1p(arms / ridge * along))
    many, few = values
    error = float(t_half_width(many)) + abs(float(many.mean() - few.mean()))
    return Estimate(float(many.mean()), error)


def least_reward_norm(kernel: Kernel, rewards: Array, ridge: float, steps: int = STEPS) -> float:
    """Return a lower bound of S = sqrt(2 r' (H + ridge I)^-1 r), increasing with the steps, for r [T, K]."""
    T, K = rewards.shape

    def product(v: Array) -> Array:
        per_arm = v.reshape(T, K)
        across = kernel.across * (kernel.across @ per_arm.sum(1))
        return np.asarray(kernel.within @ per_arm + across[:, None], dtype=np.float64).reshape(T * K, 1)

    least = max(ridge, 1e-12)
    (form,) = lanczos(product, rewards.reshape(T * K, 1), steps).quadrature(lambda x: 1.0 / (x + least))
    return float(np.sqrt(2.0 * form))
