"""Normalised regret: final regret on a scale shared by all data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neucb.statistics.scores import KEYS, last_rounds

if TYPE_CHECKING:
    import pandas as pd


def normalized_regret(frame: pd.DataFrame, skyline: str = "supervised") -> pd.DataFrame:
    """Return `value`, the final regret of a run on a scale with 1 for the best fixed arm.

    value = (Reg - ref) / (fixed - ref) per data set and seed: Reg is the regret of the run, fixed the
    regret of the best fixed arm in hindsight (column best_fixed_arm_regret), ref the regret of the supervised
    `skyline` where that agent played the data set with this seed, and otherwise 0, the regret of the
    best policy. So 0 is the skyline (or the best policy), values below 0 are better than the skyline,
    values above 1 worse than the best fixed arm.

    Args:
        frame: see `last_rounds`.
        skyline: name of the agent whose regret is ref.

    Returns:
        Columns dataset, agent_label, seed, value, reference (the skyline's name or "best policy"); value
        is NaN where fixed <= ref, or where expected losses are unavailable.

    Raises:
        InputError: as `last_rounds`.
    """
    last = last_rounds(frame)
    played = last[last["agent"] == skyline].groupby(["dataset", "seed"])["regret"].first()
    keys = last.set_index(["dataset", "seed"]).index
    reference = played.reindex(keys).to_numpy(dtype=np.float64)
    known = np.isfinite(reference)
    reference = np.where(known, reference, 0.0)
    span = last["best_fixed_arm_regret"].to_numpy(dtype=np.float64) - reference
    value = (last["regret"].to_numpy(dtype=np.float64) - reference) / np.where(span > 0.0, span, np.nan)
    return last[KEYS].assign(value=value, reference=np.where(known, skyline, "best policy"))
