"""Scores of runs: one number per data set, competitor and seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.core.columns import with_current_names
from neucb.core.errors import InputError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["dataset", "agent_label", "seed"]
SKYLINES = frozenset({"supervised", "best-fixed"})  # agents with more than bandit feedback


def last_rounds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the last logged round of every run, one row per data set, competitor and seed.

    Args:
        frame: a log of `neucb.run`, or several concatenated logs.

    Raises:
        InputError: a column is missing, a run occurs twice, or runs on one data set differ in length.
    """
    named = with_current_names(frame).reset_index(drop=True)  # concatenated logs may repeat index values
    label = "agent_label" if "agent_label" in named else "agent"
    missing = {"dataset", label, "seed", "round"} - set(named.columns)
    if missing:
        raise InputError(f"not the log of a run: there is no column '{min(missing)}'")
    named = named.assign(agent_label=named[label])
    repeated = named[named.duplicated([*KEYS, "round"])]
    if len(repeated):
        row = repeated.iloc[0]
        raise InputError(f"{row['agent_label']} on {row['dataset']} with seed {row['seed']} occurs twice")
    last = named.loc[named.groupby(KEYS, sort=False)["round"].idxmax()].reset_index(drop=True)
    lengths = last.groupby("dataset", sort=False)["round"].agg(["min", "max"])
    for dataset, (short, long) in lengths.iterrows():
        if short != long:
            raise InputError(
                f"runs on {dataset} end after {short} and after {long} rounds; compare equal ones"
            )
    return last


def final_scores(frame: pd.DataFrame, column: str = "regret") -> pd.DataFrame:
    """Return `value`, the cumulative metric `column` at the end of every run.

    Returns:
        Columns dataset, agent_label, seed, value.

    Raises:
        InputError: as `last_rounds`, or an unknown column.
    """
    last = last_rounds(frame)
    if column not in last:
        raise unknown_name("column of the log", column, last.columns)
    return last[KEYS].assign(value=last[column].astype(float))


def progressive_loss(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `value`, the progressive validation loss: mean realised loss of the played arms, in [0, 1].

    Every prediction is scored before the agent learns from the round (Blum, Kalai, Langford, COLT 1999),
    so that the mean over the run needs no held-out rows. Columns and errors as for `final_scores`.
    """
    last = last_rounds(frame)
    return last[KEYS].assign(value=last["loss"].astype(float) / last["round"])


def mean_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores over seeds, a row per data set, a column per competitor; NaN where not played."""
    return scores.pivot_table(
        index="dataset", columns="agent_label", values="value", aggfunc="mean", sort=False
    )
