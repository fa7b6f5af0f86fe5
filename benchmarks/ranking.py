"""Ranking of a tournament: average ranks, and comparisons of every peer with each of our agents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from neucb.statistics import SKYLINES, compare_over_seeds, final_scores, mean_table, rank, win_loss

if TYPE_CHECKING:
    import pandas as pd


def ranks(frame: pd.DataFrame, sweep_log: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a row per competitor, best first.

    Columns: rank, average rank by mean regret over the data sets that all have played; datasets, their
    number; rounds_per_second, rounds of all runs per CPU second, NaN for an agent of `sweep_log`.

    Args:
        frame: rows of `run_tournament` with at least two competitors.
        sweep_log: log of a sweep whose reported agents are ranked too, except for skylines, uniform play and
            agents that are in `frame`.
    """
    import pandas as pd

    scores = final_scores(frame)
    if sweep_log is not None:
        reported = sweep_log[sweep_log["split"] == "reporting"]
        left_out = {*SKYLINES, "uniform", *scores["agent_label"]}
        others = reported[
            ~reported["agent_label"].isin(left_out) & reported["dataset"].isin(scores["dataset"])
        ]
        scores = pd.concat([scores, final_scores(others)], ignore_index=True)
    ranking = rank(mean_table(scores))
    sums = frame.groupby("agent_label")[["round", "cpu_seconds"]].sum()
    speed = (sums["round"] / sums["cpu_seconds"]).reindex(ranking.average.index)
    return ranking.average.to_frame("rank").assign(datasets=ranking.datasets, rounds_per_second=speed)


@dataclass(frozen=True)
class Duel:
    """Comparison of a peer with an agent of ours over the data sets that both have played.

    Attributes:
        own, peer: labels of our agent and of the peer.
        less: data sets on which the peer's mean regret is below ours.
        more: number of data sets on which it is above.
        balance: data sets won minus lost by the peer in paired t tests over seeds (p < 0.05).
        times: the peer's CPU time over ours, one ratio per data set.
    """

    own: str
    peer: str
    less: tuple[str, ...]
    more: int
    balance: int
    times: tuple[float, ...]


def duels(frame: pd.DataFrame, ours: Sequence[str]) -> list[Duel]:
    """Return the duels of every agent of ours with every other competitor of `run_tournament`."""
    scores = final_scores(frame)
    means = mean_table(scores)
    if means.shape[1] < 2:
        return []
    balance = win_loss(compare_over_seeds(scores))
    seconds = frame.pivot_table(index="dataset", columns="agent_label", values="cpu_seconds", aggfunc="mean")
    pairs = []
    for agent in ours:
        for peer in means.columns.difference(list(ours)):
            times = (seconds[peer] / seconds[agent]).dropna()
            less = tuple(str(name) for name in means.index[means[peer] < means[agent]])
            more = int((means[peer] > means[agent]).sum())
            pairs.append(Duel(agent, peer, less, more, cast("int", balance.at[peer, agent]), tuple(times)))
    return pairs
