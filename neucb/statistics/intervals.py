"""Confidence intervals of means over seeds, by Student's t."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def t_half_width(values: NDArray[Any], level: float = 0.95) -> NDArray[np.float64]:
    """Return half the width of Student's t interval of the mean over the last axis.

    Args:
        values: [..., R], R replicas.
        level: confidence level in (0, 1).

    Returns:
        Half widths [...]; NaN for R = 1.
    """
    from scipy.special import stdtrit

    replicas = values.shape[-1]
    if replicas < 2:
        return np.full(values.shape[:-1], np.nan)
    quantile = float(stdtrit(replicas - 1, (1.0 + level) / 2.0))
    return np.asarray(quantile * values.std(-1, ddof=1) / replicas**0.5, dtype=np.float64)


def intervals(scores: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return mean and Student's t interval over seeds for every data set and competitor.

    Args:
        scores: see `final_scores`; NaN values are left out.
        level: confidence level in (0, 1).

    Returns:
        Columns dataset, agent_label, seeds (their number), mean, sd, low, high; the last three are NaN
        for one seed.
    """
    import pandas as pd

    rows = []
    for (dataset, label), group in scores.dropna(subset="value").groupby(
        ["dataset", "agent_label"], sort=False
    ):
        values = group["value"].to_numpy(dtype=np.float64)
        mean, half = values.mean(), float(t_half_width(values, level))
        sd = values.std(ddof=1) if len(values) > 1 else np.nan
        rows.append((dataset, label, len(values), mean, sd, mean - half, mean + half))
    return pd.DataFrame(rows, columns=["dataset", "agent_label", "seeds", "mean", "sd", "low", "high"])
