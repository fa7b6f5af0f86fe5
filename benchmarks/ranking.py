"""Standings of a contest: average ranks, and every peer against every agent of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from neucb.statistics import SKYLINES, compare_over_seeds, final_scores, mean_table, rank, win_loss

if TYPE_CHECKING:
    import pandas as pd


def ranks(frame: pd.DataFrame, beside: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a row per competitor, best first.

    Columns: rank, average of the ranks by mean regret over the data sets that all have played;
    datasets, how many these are; rounds_per_second, rounds of all its runs over their CPU seconds, NaN
    for an agent of `beside`.

    Args:
        frame: rows of `contest`, of two competitors at least.
        beside: the log of a sweep, whose reported agents are ranked too, but for skylines, uniform play
            and those that are in `frame`.
    """
    import pandas as pd

    scores = final_scores(frame)
    if beside is not None:
        reported = beside[beside["purpose"] == "reporting"]
        left_out = {*SKYLINES, "uniform", *scores["label"]}
        others = reported[~reported["label"].isin(left_out) & reported["dataset"].isin(scores["dataset"])]
        scores = pd.concat([scores, final_scores(others)], ignore_index=True)
    found = rank(mean_table(scores))
    sums = frame.groupby("label")[["round", "cpu_seconds"]].sum()
    speed = (sums["round"] / sums["cpu_seconds"]).reindex(found.average.index)
    return found.average.to_frame("rank").assign(datasets=found.datasets, rounds_per_second=speed)


@dataclass(frozen=True)
class Duel:
    """A peer against an agent of ours, over the data sets that both have played.

    Attributes:
        own, peer: the two.
        less: data sets on which the peer's mean regret is below our own.
        more: on how many it is above.
        balance: sets won minus lost by the peer in paired t tests over seeds (p < 0.05).
        times: rounds per CPU second of our own over the peer's, one number per data set.
    """

    own: str
    peer: str
    less: tuple[str, ...]
    more: int
    balance: int
    times: tuple[float, ...]


def duels(frame: pd.DataFrame, ours: Sequence[str]) -> list[Duel]:
    """Return the duels of every agent of ours with every other competitor of `contest`."""
    scores = final_scores(frame)
    means = mean_table(scores)
    if means.shape[1] < 2:
        return []
    balance = win_loss(compare_over_seeds(scores))
    seconds = frame.pivot_table(index="dataset", columns="label", values="cpu_seconds", aggfunc="mean")
    found = []
    for own in ours:
        for peer in means.columns.difference(list(ours)):
            times = (seconds[peer] / seconds[own]).dropna()
            less = tuple(str(name) for name in means.index[means[peer] < means[own]])
            more = int((means[peer] > means[own]).sum())
            found.append(Duel(own, peer, less, more, cast("int", balance.at[peer, own]), tuple(times)))
    return found
