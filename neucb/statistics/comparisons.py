"""Pairwise comparisons: paired two-sided tests over seeds and over data sets, wins and losses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.statistics.scores import mean_table

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05  # significance level
ROUNDING = 1e-12  # relative spread of differences below which they are equal


@dataclass(frozen=True)
class Comparison:
    """Result of a paired test.

    Attributes:
        pairs: number of pairs.
        difference: mean of first minus second; NaN without pairs.
        p: two-sided p-value in [0, 1]; NaN for fewer than 2 pairs.
    """

    pairs: int
    difference: float
    p: float


def paired_t(first: NDArray[Any], second: NDArray[Any]) -> Comparison:
    """Compare paired scores [R] by Student's t test, two-sided; pairs with a NaN are left out.

    Equal differences have no variance to test against: p is 1 where they are all 0, and 0 where they
    all equal another number.
    """
    from scipy.stats import ttest_1samp

    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    difference = difference[np.isfinite(difference)]
    pairs = len(difference)
    if pairs < 2:
        return Comparison(pairs, float(difference.mean()) if pairs else np.nan, np.nan)
    mean = float(difference.mean())
    if np.ptp(difference) <= ROUNDING * np.abs(difference).max():
        return Comparison(pairs, mean, 1.0 if mean == 0.0 else 0.0)
    return Comparison(pairs, mean, float(ttest_1samp(difference, 0.0).pvalue))


def compare_over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare every two competitors on every data set by a paired t test over the seeds both played.

    Args:
        scores: see `final_scores`.

    Returns:
        A row per data set and pair: dataset, first, second, seeds, difference (first minus second),
        p, p_holm (corrected for all pairs of the data set).
    """
    import pandas as pd

    parts = []
    for dataset, group in scores.groupby("dataset", sort=False):
        table = group.pivot(index="seed", columns="agent_label", values="value")
        labels = list(dict.fromkeys(group["agent_label"]))
        rows = []
        for first, second in combinations(labels, 2):
            test = paired_t(table[first].to_numpy(), table[second].to_numpy())
            rows.append((dataset, first, second, test.pairs, test.difference, test.p))
        part = pd.DataFrame(rows, columns=["dataset", "first", "second", "seeds", "difference", "p"])
        parts.append(part.assign(p_holm=holm(part["p"].to_numpy(dtype=np.float64))))
    return pd.concat(parts, ignore_index=True)


def compare_over_datasets(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare every two competitors by Wilcoxon's signed-rank test over the data sets both played.

    A pair is two means over seeds on one data set. Zero differences are split between the signs, as
    Demsar (JMLR 7, 2006) recommends. Scores must be comparable across data sets: per-round or
    normalised.

    Args:
        scores: see `progressive_loss`.

    Returns:
        A row per pair: first, second, datasets, difference (mean of first minus second), p, p_holm
        (corrected for all pairs).
    """
    import pandas as pd

    table = mean_table(scores)
    rows = []
    for first, second in combinations(table.columns, 2):
        difference = (table[first] - table[second]).dropna().to_numpy()
        mean = float(difference.mean()) if len(difference) else np.nan
        rows.append((first, second, len(difference), mean, _signed_rank(difference)))
    frame = pd.DataFrame(rows, columns=["first", "second", "datasets", "difference", "p"])
    return frame.assign(p_holm=holm(frame["p"].to_numpy(dtype=np.float64)))


def _signed_rank(difference: NDArray[Any]) -> float:
    from scipy.stats import wilcoxon

    if len(difference) < 2:
        return np.nan
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference, zero_method="zsplit").pvalue)


def holm(p: NDArray[Any]) -> NDArray[np.float64]:
    """Return p-values [n] adjusted by Holm's step-down procedure (1979); NaNs stay and do not count."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def win_loss(comparisons: pd.DataFrame, level: float = LEVEL, column: str = "p") -> pd.DataFrame:
    """Return a matrix with the number of data sets on which the row beats the column, minus its losses.

    The matrix of Bietti, Agarwal, Langford, "A contextual bandit bake-off" (JMLR 22, 2021), with a
    paired two-sided test over seeds for their test on one run. Lower scores win.

    Args:
        comparisons: see `compare_over_seeds`.
        level: significance level in (0, 1); differences with p below it count.
        column: "p" as in the paper, or "p_holm".
    """
    import pandas as pd

    labels = list(dict.fromkeys([*comparisons["first"], *comparisons["second"]]))
    index = {label: i for i, label in enumerate(labels)}
    matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    counted = comparisons[comparisons[column] < level]
    for first, second, difference in counted[["first", "second", "difference"]].to_numpy():
        sign = 1 if difference < 0 else -1
        matrix[index[first], index[second]] += sign
        matrix[index[second], index[first]] -= sign
    return pd.DataFrame(matrix, index=labels, columns=labels)
