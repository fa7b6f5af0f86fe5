"""Ranks over data sets: Friedman's test and Nemenyi's critical difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neucb.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AverageRanks:
    """Average ranks over data sets, 1 for the best.

    Attributes:
        average: competitor -> average rank >= 1, best first.
        datasets: number of ranked data sets, N.
        left_out: data sets that some competitor has not played.
        statistic: Friedman's chi square, corrected for ties; NaN for fewer than 3 competitors or 2 data sets.
        p: p-value of `statistic`; NaN likewise.
        critical_difference: Nemenyi's critical difference at `level`.
        level: significance level in (0, 1).
    """

    average: pd.Series[float]
    datasets: int
    left_out: tuple[str, ...]
    statistic: float
    p: float
    critical_difference: float
    level: float


def rank(table: pd.DataFrame, level: float = 0.05) -> AverageRanks:
    """Rank competitors on every data set (lower scores are better, ties share a rank) and average.

    Friedman's test and Nemenyi's critical difference as in Demsar, "Statistical comparisons of
    classifiers over multiple data sets" (JMLR 7, 2006).

    Args:
        table: mean scores, a row per data set, a column per competitor, see `mean_table`.
        level: significance level in (0, 1).

    Raises:
        InputError: fewer than two competitors, or no data set that all have played.
    """
    from scipy.stats import friedmanchisquare

    if table.shape[1] < 2:
        raise InputError("ranks need at least two agents")
    complete = table.dropna()
    left_out = tuple(str(name) for name in table.index.difference(complete.index, sort=False))
    count, competitors = complete.shape
    if count == 0:
        raise InputError("there is no data set that all agents have played")
    statistic = p = np.nan
    if competitors >= 3 and count >= 2:
        with np.errstate(invalid="ignore"):  # 0 / 0 where all are tied everywhere: NaN
            statistic, p = friedmanchisquare(*complete.to_numpy().T)
    return AverageRanks(
        complete.rank(axis=1).mean().sort_values(kind="stable"),
        count,
        left_out,
        float(statistic),
        float(p),
        critical_difference(competitors, count, level),
        level,
    )


def critical_difference(competitors: int, datasets: int, level: float = 0.05) -> float:
    """Return Nemenyi's critical difference of average ranks, q sqrt(k (k + 1) / (6 N)).

    q is the upper `level` point of the studentised range of k means, divided by sqrt 2.

    Args:
        competitors: k >= 2.
        datasets: N >= 1.
        level: significance level in (0, 1).
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1.0 - level, competitors, np.inf)) / math.sqrt(2.0)
    return q * math.sqrt(competitors * (competitors + 1) / (6.0 * datasets))


def cliques(average: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """Return the maximal groups of neighbours without a significant difference, as (first, last) positions.

    Args:
        average: average ranks in ascending order.
        difference: critical difference, the maximum span of a group.
    """
    groups: list[tuple[int, int]] = []
    for first, low in enumerate(average):
        last = max(i for i, high in enumerate(average) if high - low <= difference)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups
