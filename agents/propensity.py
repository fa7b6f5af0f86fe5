"""Propensities: the probability of every arm given context and history, for off-policy evaluation.

An agent's distribution is its propensity, unless the agent draws random numbers, as in Thompson sampling:
then the distribution is conditional on these draws, and the propensity is its mean over them.

Optional attributes of an agent or a rule:
    propensity_kind: "exact", the default: the distribution is the propensity; "deterministic": in addition
        one arm has probability 1. One value, or a tuple with one per replica.
    draws: (agents) whether the agent draws random numbers. If so, `propensities(given)` returns the
        propensities of the round whose distribution is `given` [R, K]; it is called before `update` and
        changes no state.
    propensities(prediction, now): (rules) propensities of a rule that draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from neucb.agents.prediction import lowest
from neucb.core.constants import REACH, TIE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


Kind = Literal["exact", "estimated", "deterministic"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Kinds = Kind | tuple[Kind, ...]

DRAWS = 10_000  # Monte Carlo draws of an estimated propensity
NODES = 20  # quadrature nodes per interval

Floats = NDArray[np.float64]


class Propensities(NamedTuple):
    """Propensities of a round.

    Attributes:
        p: [R, K] float64 probabilities.
        kind: "exact", "estimated" or "deterministic"; one value, or one per replica.
    """

    p: Tensor
    kind: Kinds


def propensities_of(agent: object, given: Tensor) -> Propensities:
    """Return an agent's propensities for the round of its last distribution `given` [R, K]."""
    if draws(agent):
        marginal: Propensities = agent.propensities(given)  # type: ignore[attr-defined]
        return marginal
    return Propensities(given, kind_of(agent))


def draws(agent: object) -> bool:
    """Return whether an agent's distribution depends on its random draws."""
    return bool(getattr(agent, "draws", False))


def kind_of(part: object) -> Kinds:
    """Return the propensity kind of an agent or rule that draws no random numbers."""
    kind: Kinds = getattr(part, "propensity_kind", "exact")
    return kind


def each_kind(kind: Kinds, replicas: int) -> tuple[Kind, ...]:
    """Return a tuple with one propensity kind per replica."""
    return kind if isinstance(kind, tuple) else (kind,) * replicas


def kind_codes(kind: Kinds, replicas: int) -> NDArray[np.int8]:
    """Return the index in `KINDS` of each replica's propensity kind, [R]."""
    return np.array([KINDS.index(name) for name in each_kind(kind, replicas)], dtype=np.int8)


def least_chances(mean: Floats, sd: Floats, available: NDArray[np.bool_] | None = None) -> Floats:
    """Return the probability [n, K] that an arm's draw is the least, for independent normal draws.

    p_a = int phi(z) prod_(b != a) P(draw_b > mean_a + sd_a z) dz, by Gauss-Legendre quadrature with 20 nodes
    on intervals cut at every arm's mean and scale, so that |sum_a p_a - 1| < 1e-9. Arms of standard deviation
    0 are tied like predictions. For larger deviations ties are ignored, which changes p by at most
    1e-12 |mean| / sd.

    Args:
        mean: [n, K] means.
        sd: [n, K] standard deviations >= 0.
        available: [n, K] mask of the arms that may be played; all by default.
    """
    from neucb.kernels.integral import least_draw  # imports numba

    p = np.empty(mean.shape)
    mask = np.ones(mean.shape, np.bool_) if available is None else available
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    arrays = (np.ascontiguousarray(array) for array in (mean, sd, mask))
    least_draw(*arrays, nodes, weights, np.empty((5, mean.shape[1])), p)
    return np.minimum(p, 1.0, out=p)


def load_chances() -> None:
    """Compile the kernel of `least_chances`, or load it from numba's cache."""
    least_chances(np.zeros((0, 2)), np.zeros((0, 2)))


def estimated_chances(
    mean: Floats,
    factor: Floats,
    generators: Iterable[np.random.Generator],
    available: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return the share [n, K] of 10,000 joint draws in which an arm's draw is the least.

    The estimate is unbiased; its inverse is not. Where p is below 20 / 10,000, clip it to that before a
    division. Arms above the arm of least mean by 9 standard deviations of the difference are not drawn.

    Args:
        mean: [n, K] means.
        factor: [n, K, q] factors of the covariances, see `Prediction`.
        generators: n generators, one per row.
        available: [n, K] mask of the arms that may be played; all by default.
    """
    import torch

    p = np.zeros(mean.shape)
    for i, rng in enumerate(generators):
        arms = _candidates(mean[i], factor[i], None if available is None else available[i])
        if len(arms) == 1:
            p[i, arms] = 1.0
            continue
        root = _short(factor[i, arms])
        score = mean[i, arms] + rng.standard_normal((DRAWS, root.shape[1])) @ root.T
        p[i, arms] = lowest(torch.from_numpy(score)).mean(0).numpy()
    return p


def _candidates(mean: Floats, factor: Floats, available: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Return the indices of the arms whose draw may be the least or tied with it."""
    masked = mean if available is None else np.where(available, mean, np.inf)
    best = int(masked.argmin())
    reach = REACH * np.linalg.norm(factor - factor[best], axis=1)
    tied = TIE * (abs(mean[best]) + REACH * np.linalg.norm(factor[best]))
    loses = masked - mean[best] > reach + tied  # false for NaN
    return np.flatnonzero(~loses)


def _short(factor: Floats) -> Floats:
    """Return a factor [K, min(q, K)] of the same covariance, made unique by a diagonal >= 0."""
    if factor.shape[1] <= factor.shape[0] or not np.isfinite(factor).all():
        return factor
    upper: Any = np.linalg.qr(factor.T, mode="r")
    root: Floats = (upper * np.where(np.diagonal(upper) < 0.0, -1.0, 1.0)[:, None]).T
    return root
