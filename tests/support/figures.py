"""Synthetic logs for plots: smooth curves with known values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

ROUNDS = np.array([1, 3, 10, 30, 100, 300, 1000])
AGENTS = ("kl-perturbed", "sq-perturbed", "linucb", "uniform")


def synthetic_log(
    agents: Sequence[str] = AGENTS,
    datasets: Sequence[str] = ("first", "second"),
    seeds: int = 4,
    noise: float = 0.0,
) -> pd.DataFrame:
    """Return a log in which agent i has regret (i + 1 + data set / 2 + seed / 10) sqrt t."""
    parts = []
    for j, dataset in enumerate(datasets):
        for i, agent in enumerate(agents):
            for seed in range(seeds):
                regret = (i + 1 + j / 2 + seed / 10) * np.sqrt(ROUNDS)
                best = noise * ROUNDS
                metrics = {
                    "loss": regret + best,
                    "regret": regret,
                    "L_star": best,
                    "best_fixed_arm_regret": 0.25 * ROUNDS,
                    "propensity": np.full(len(ROUNDS), 0.3 + 0.1 * i + seed / 100),
                    "perturbation_rms": 0.01 * regret if agent.endswith("perturbed") else np.nan,
                    "parameter_distance": 0.1 * regret,
                    "regression_loss": regret / 2 if agent != "uniform" else np.nan,
                }
                names = {"agent": agent, "dataset": dataset, "seed": seed, "round": ROUNDS, "arms": 3}
                parts.append(pd.DataFrame({**names, **metrics}))
    return pd.concat(parts, ignore_index=True)
