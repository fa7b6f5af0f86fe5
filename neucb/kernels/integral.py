"""Probability that an arm's normal draw is the least of all, by one-dimensional quadrature."""

from __future__ import annotations

from math import erfc, exp, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from neucb.core.constants import REACH, TIE
from neucb.kernels.jit import exact, kernel

if TYPE_CHECKING:
    from neucb.kernels.types import Array

ZONE = 7.0  # standard deviations around a mean within which pieces follow the arm's own scale
STEP = 4.0  # standard deviations, the length of these pieces; halved until the probabilities sum to 1
TOLERANCE = 1e-9  # of that sum
HALVINGS = 8
NEGLIGIBLE = 1e-18  # probability of a least draw beyond the last piece


@exact
def is_certain(mean: float, sd: float) -> bool:
    """Return whether the standard deviation is within the tolerance of tied scores."""
    return sd <= TIE * abs(mean)


@exact
def bounds(mean: Array, sd: Array, available: Array) -> tuple[int, float, float]:
    """Return the certain arm of the least score, -1 for none, and bounds (low, high) of the least draw."""
    low, high, least = np.inf, np.inf, np.inf
    for a in range(len(mean)):
        if available[a]:
            low = min(low, mean[a] - REACH * sd[a])
            high = min(high, mean[a] + REACH * sd[a])
            if is_certain(mean[a], sd[a]):
                least = min(least, mean[a])
    for a in range(len(mean)):
        tied = mean[a] - least <= TIE * abs(least)
        if tied and available[a] and is_certain(mean[a], sd[a]):
            return a, low, min(high, mean[a])
    return -1, low, high


@exact
def list_arms(mean: Array, sd: Array, available: Array, high: float, some: Array) -> int:
    """List the arms that may draw less than `high`: index, mean minus `high`, deviation; return their number.

    Means are relative to `high` for precision: where deviations differ by many orders of magnitude, the
    relevant small ones are near `high`.
    """
    n = 0
    for a in range(len(mean)):
        if available[a] and not is_certain(mean[a], sd[a]) and mean[a] - REACH * sd[a] < high:
            some[0, n], some[1, n], some[2, n] = a, mean[a] - high, sd[a]
            n += 1
    return n


@exact
def survive(x: float, some: Array, n: int) -> float:
    """Return the probability that all draws exceed x.

    Sets row 3 of `some` to that of each arm's draw, row 4 to that of the draws of all arms after it.
    """
    product = 1.0
    for k in range(n - 1, -1, -1):
        some[3, k] = 0.5 * erfc((x - some[1, k]) / (some[2, k] * sqrt(2.0)))
        some[4, k] = product
        product *= some[3, k]
    return product


@exact
def end_of_piece(x: float, step: float, some: Array, n: int) -> float:
    """Return the end <= 0 of the piece from x on within which all factors of the integrands are smooth."""
    end = 0.0
    for k in range(n):
        mean, sd = some[1, k], some[2, k]
        if x < mean + ZONE * sd:
            end = min(end, max(mean - ZONE * sd, x + step * sd))
    return end


@exact
def integrate(x: float, step: float, some: Array, n: int, nodes: Array, weights: Array, p: Array) -> float:
    """Add to p[a] the integral over [x, 0] of arm a's density times P(others exceed it); return the sum."""
    total = 0.0
    while x < 0.0 and survive(x, some, n) > NEGLIGIBLE:
        end = end_of_piece(x, step, some, n)
        half = 0.5 * (end - x)
        for j in range(len(nodes)):
            node, before = x + half * (1.0 + nodes[j]), 1.0
            survive(node, some, n)
            for k in range(n):
                z = (node - some[1, k]) / some[2, k]
                density = exp(-0.5 * z * z) / (some[2, k] * sqrt(2.0 * pi))
                part = half * weights[j] * density * before * some[4, k]
                p[int(some[0, k])] += part
                total += part
                before *= some[3, k]
        if end <= x:  # too short for a float
            break
        x = end
    return total


@kernel
def least_draw(
    mean: Array, sd: Array, available: Array, nodes: Array, weights: Array, some: Array, p: Array
) -> None:
    """Set p [n, K] to the probabilities that the arms' draws from N(mean, sd^2) are the least.

    Args:
        mean: [n, K].
        sd: [n, K] >= 0; among arms of deviation 0 only the first of the least mean counts.
        available: [n, K] bool; unavailable arms have probability 0.
        nodes: nodes of a Gauss-Legendre rule on [-1, 1].
        weights: weights of this rule.
        some: [5, K] working memory.
        p: [n, K] result; NaN in rows with means or deviations that are not finite.
    """
    for i in range(len(p)):
        p[i] = 0.0
        for a in range(p.shape[1]):
            if available[i, a] and not (abs(mean[i, a]) < np.inf and sd[i, a] < np.inf):
                p[i] = np.nan
        if np.isnan(p[i, 0]):
            continue
        certain, low, high = bounds(mean[i], sd[i], available[i])
        n = list_arms(mean[i], sd[i], available[i], high, some)
        step = STEP
        for _ in range(HALVINGS):
            p[i] = 0.0
            total = 0.0
            if certain >= 0:
                total = p[i, certain] = survive(0.0, some, n)
            if n > 0:
                total += integrate(low - high, step, some, n, nodes, weights, p[i])
            if abs(total - 1.0) <= TOLERANCE:
                break
            step *= 0.5
