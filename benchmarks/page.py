"""Markdown page of a tournament: players, ranks, duels, regret and time on every data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from neucb.benchmarks.ranking import Duel, duels, ranks
from neucb.benchmarks.report import significant
from neucb.statistics import final_scores, mean_table

if TYPE_CHECKING:
    import pandas as pd


def page(frame: pd.DataFrame, ours: Sequence[str], sweep_log: pd.DataFrame | None = None) -> str:
    """Return the Markdown page; arguments as for `ranks` and `duels`."""
    sets, seeds = frame["dataset"].nunique(), frame["seed"].nunique()
    players = frame.drop_duplicates("agent_label")[["agent_label", "library", "version", "settings"]]
    ranking = ranks(frame, sweep_log)
    parts = [
        f"# Other libraries on the same rows\n\n{sets} data sets, {seeds} seeds, "
        f"{len(frame):,} runs; times are CPU time.",
        _table(("player", "library", "version", "settings"), players.itertuples(index=False, name=None)),
        f"## Average ranks by mean regret, {ranking['datasets'].iloc[0]} data sets",
        _table(
            ("agent", "rank", "rounds per CPU second"),
            (
                (str(label), f"{rank:.1f}", "" if rate != rate else f"{rate:,.0f}")
                for label, rank, rate in zip(
                    ranking.index, ranking["rank"], ranking["rounds_per_second"], strict=True
                )
            ),
        ),
    ]
    pairs = duels(frame, ours)
    for agent in ours:
        parts += [
            f"## Against {agent}",
            "On how many sets the peer has less : more mean regret, sets won minus lost by paired t tests "
            "over seeds (p < 0.05), CPU time over ours (median and range over the sets), the sets with less.",
            _table(
                ("peer", "less : more", "tests", "CPU time over ours", "less regret on"),
                (_duel(duel) for duel in pairs if duel.own == agent),
            ),
        ]
    means = mean_table(final_scores(frame))
    parts += [
        "## Mean regret",
        _table(
            ("data set", *means.columns),
            (
                (str(name), *(f"{value:,.1f}" for value in row))
                for name, row in zip(means.index, means.to_numpy(), strict=True)
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _duel(duel: Duel) -> tuple[str, ...]:
    return (
        duel.peer,
        f"{len(duel.less)} : {duel.more}",
        f"{duel.balance:+d}",
        times(duel),
        ", ".join(duel.less),
    )


def times(duel: Duel) -> str:
    """Return the ratio of the peer's CPU time to ours: median and range over the data sets."""
    middle, least, most = (significant(statistic(duel.times)) for statistic in (median, min, max))
    return f"{middle} ({least} - {most})"


def _table(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    ruler = ["---", *["---:"] * (len(heads) - 1)]
    lines = [heads, ruler, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
