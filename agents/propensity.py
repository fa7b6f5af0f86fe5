"""Propensities: the probability of every arm given context and history, for evaluation off policy.

An agent's distribution is that, unless the agent draws numbers of its own, as Thompson sampling does: then
it is the distribution given these numbers, and the propensity is its mean over them.

What an agent or a rule may say of itself:
    propensity_kind: "exact", the default: its distribution is the propensity; "deterministic": besides, it
        plays one arm for certain. One, or a tuple with one per replica.
    draws: of agents, whether they draw. If so, `propensities(given)` returns the propensities of the round
        whose distribution is `given` [R, K]; it is called before `update` and changes no state.
    propensities(prediction, now): of rules, which makes them rules that draw.
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

DRAWS = 10_000  # of which a propensity is the share, where it is estimated
NODES = 20  # of a piece of the integrals

Floats = NDArray[np.float64]


class Propensities(NamedTuple):
    """The propensities of a round.

    Attributes:
        p: [R, K], float64.
        kind: how they are known; one, or one per replica.
    """

    p: Tensor
    kind: Kinds


def propensities_of(agent: object, given: Tensor) -> Propensities:
    """Return the propensities of the round of which an agent has just returned the distribution `given`."""
    if draws(agent):
        told: Propensities = agent.propensities(given)  # type: ignore[attr-defined]  # which it then has
        return told
    return Propensities(given, kind_of(agent))


def draws(agent: object) -> bool:
    """Return whether an agent's distribution depends on numbers that it draws itself."""
    return bool(getattr(agent, "draws", False))


def kind_of(part: object) -> Kinds:
    """Return the propensity kind of an agent or rule that does not draw."""
    kind: Kinds = getattr(part, "propensity_kind", "exact")
    return kind


def each_kind(kind: Kinds, replicas: int) -> tuple[Kind, ...]:
    """Return one kind per replica."""
    return kind if isinstance(kind, tuple) else (kind,) * replicas


def kind_codes(kind: Kinds, replicas: int) -> NDArray[np.int8]:
    """Return the places in `KINDS` [R] of the replicas' kinds."""
    return np.array([KINDS.index(one) for one in each_kind(kind, replicas)], dtype=np.int8)


def least_chances(mean: Floats, sd: Floats, available: NDArray[np.bool_] | None = None) -> Floats:
    """Return the probability that an arm's draw is the least, for arms drawn independently, [n, K].

    p_a = int phi(z) prod_(b != a) P(draw_b > mean_a + sd_a z) dz, by Gauss-Legendre quadrature of 20 nodes on
    pieces that are cut by every arm's mean and scale, so that |sum_a p_a - 1| < 1e-9. Arms of deviation 0 are
    tied as predictions are. A tie has no part where deviations are larger, which changes p by no more than
    1e-12 |mean| / sd.

    Args:
        mean: [n, K] of the normal distributions.
        sd: [n, K] their standard deviations >= 0.
        available: [n, K], the arms that may be played; all by default.
    """
    from neucb.kernels.integral import least_draw  # imports numba

    p = np.empty(mean.shape)
    mask = np.ones(mean.shape, np.bool_) if available is None else available
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    rows = (np.ascontiguousarray(one) for one in (mean, sd, mask))
    least_draw(*rows, nodes, weights, np.empty((5, mean.shape[1])), p)
    return np.minimum(p, 1.0, out=p)


def load_chances() -> None:
    """Compile what `least_chances` integrates with, or load it from numba's cache."""
    least_chances(np.zeros((0, 2)), np.zeros((0, 2)))


def estimated_chances(
    mean: Floats,
    factor: Floats,
    generators: Iterable[np.random.Generator],
    available: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return the share of 10,000 draws of all arms together in which an arm's is the least, [n, K].

    It is unbiased; its inverse is not. Where p is below 20 / 10,000, clip it there before dividing by it.
    Arms that lose to the one of the least mean by 9 standard deviations of the difference are not drawn.

    Args:
        mean: [n, K] of the normal distributions.
        factor: [n, K, q] of their covariances, see `Prediction`.
        generators: n of them, one per row.
        available: [n, K], the arms that may be played; all by default.
    """
    import torch

    p = np.zeros(mean.shape)
    for i, rng in enumerate(generators):
        some = _contenders(mean[i], factor[i], None if available is None else available[i])
        if len(some) == 1:
            p[i, some] = 1.0
            continue
        root = _short(factor[i, some])
        score = mean[i, some] + rng.standard_normal((DRAWS, root.shape[1])) @ root.T
        p[i, some] = lowest(torch.from_numpy(score)).mean(0).numpy()
    return p


def _contenders(mean: Floats, factor: Floats, available: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Return the arms that may draw the least, or be tied with it."""
    there = mean if available is None else np.where(available, mean, np.inf)
    best = int(there.argmin())
    reach = REACH * np.linalg.norm(factor - factor[best], axis=1)
    tied = TIE * (abs(mean[best]) + REACH * np.linalg.norm(factor[best]))
    loses = there - mean[best] > reach + tied  # not of numbers that are NaN
    return np.flatnonzero(~loses)


def _short(factor: Floats) -> Floats:
    """Return a factor [K, min(q, K)] of the same covariance; the one of a diagonal >= 0, to be unique."""
    if factor.shape[1] <= factor.shape[0] or not np.isfinite(factor).all():
        return factor
    upper: Any = np.linalg.qr(factor.T, mode="r")
    root: Floats = (upper * np.where(np.diagonal(upper) < 0.0, -1.0, 1.0)[:, None]).T
    return root
