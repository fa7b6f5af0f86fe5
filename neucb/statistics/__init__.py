"""Statistics of results: tests, intervals, ranks and scores computed from the tidy log of `neucb.run`.

A *competitor* is a value of the column `agent_label` (or `agent`, where there is none), a *data set* a
value of `dataset`. One seed gives every competitor the same rows and action draws, so tests are paired.
"""

from __future__ import annotations

from neucb.statistics.comparisons import (
    Comparison,
    compare_over_datasets,
    compare_over_seeds,
    holm,
    paired_t,
    win_loss,
)
from neucb.statistics.intervals import intervals, t_half_width
from neucb.statistics.normalized import normalized_regret
from neucb.statistics.ranks import AverageRanks, cliques, critical_difference, rank
from neucb.statistics.scores import SKYLINES, final_scores, mean_table, progressive_loss

__all__ = [
    "SKYLINES",
    "AverageRanks",
    "Comparison",
    "cliques",
    "compare_over_datasets",
    "compare_over_seeds",
    "critical_difference",
    "final_scores",
    "holm",
    "intervals",
    "mean_table",
    "normalized_regret",
    "paired_t",
    "progressive_loss",
    "rank",
    "t_half_width",
    "win_loss",
]
