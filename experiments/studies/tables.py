"""Tables of results/: summaries of a sweep, small enough for the repository.

    python -m neucb.experiments.studies.tables SWEEP FOLDER [DEFAULTS]

SWEEP is the folder printed by `neucb sweep`, FOLDER receives

    regret.csv   mean regret of every agent in every world, with its 95 % interval over seeds
    ranks.csv    average rank over the worlds and mean normalised regret, skylines left out
    winloss.csv  worlds won minus worlds lost by the row against the column, paired t tests over seeds
    cells.csv    (tuned agents) mean regret of every cell of the grid over the tuning seeds
    selection.csv  (tuned agents) the cell selected in every world
    times.csv    CPU seconds per 10,000 rounds of a run of every agent
    encodings.csv  (several encodings) comparison of each with the first, by agent
    rows.json    number of rows and SHA-256 of the sweep's log without hindsight columns; the log itself is
                 not in the repository

and, where DEFAULTS is the folder of a sweep of the same agents with their defaults,

    sides.csv    mean regret in every world with the defaults and as tuned in SWEEP
    agents.csv   the same by agent: ranks, normalised regret, worlds in which tuning helped or harmed

A world is a data set with its encoding, order and label noise; for several orders or encodings,
ranks-NAME.csv and winloss-NAME.csv are over the worlds of one of them. `ratio` in cells.csv is the mean
over the worlds of regret / least regret among the agent's cells, the criterion of selection over all
worlds.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.agents.recipes.registry import find_recipe
from neucb.experiments.studies.tuned_vs_default import agents_table, encodings_table, worlds_table
from neucb.runs.log_table import WORLD
from neucb.statistics import (
    SKYLINES,
    compare_over_seeds,
    final_scores,
    mean_table,
    normalized_regret,
    rank,
    win_loss,
)
from neucb.sweeps.store.load_sweep import load_sweep
from neucb.sweeps.store.load_times import load_times
from neucb.sweeps.tables import regret_table, times_table
from neucb.theory.best_in_class import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

NO_RIVALS = SKYLINES | {"uniform"}


def main(sweep: str, folder: str, defaults: str | None = None) -> None:
    """Write the tables of one sweep, and the comparison with the sweep in the folder `defaults`."""
    frame = load_sweep(sweep)
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    regret_table(frame).drop(columns="config_id").round(2).to_csv(out / "regret.csv", index=False)
    reported = in_worlds(frame[frame["split"] == "reporting"])
    encodings = dict(list(frame[frame["split"] == "reporting"].groupby("preprocessing", sort=False)))
    if len(encodings) > 1:
        comparison = encodings_table({str(name): in_worlds(runs) for name, runs in encodings.items()})
        comparison.round(3).to_csv(out / "encodings.csv", index=False)
    several = [column for column in ("preprocessing", "order") if reported[column].nunique() > 1]
    parts = {f"-{name}": part for column in several for name, part in reported.groupby(column, sort=False)}
    for suffix, part in ({"": reported} | parts).items():
        ranks_table(part).round(3).to_csv(out / f"ranks{suffix}.csv")
        scores = final_scores(part[~part["agent_label"].isin(NO_RIVALS)])
        win_loss(compare_over_seeds(scores)).to_csv(out / f"winloss{suffix}.csv")
    tuning = in_worlds(frame[frame["split"] == "tuning"])
    if len(tuning):
        cells_table(tuning).to_csv(out / "cells.csv", index=False)
        selection_table(reported, tuning).to_csv(out / "selection.csv", index=False)
    times_table(load_times(sweep)).round(5).to_csv(out / "times.csv", index=False)
    if defaults is not None:
        other = load_sweep(defaults)
        default = in_worlds(other[other["split"] == "reporting"])
        worlds_table(default, reported).round(4).to_csv(out / "sides.csv", index=False)
        agents_table(default, reported).round(3).to_csv(out / "agents.csv", index=False)
    text = frame.drop(columns=[*COLUMNS], errors="ignore").to_csv(index=False).encode()
    facts = {"rows": len(frame), "sha256": hashlib.sha256(text).hexdigest()}
    (out / "rows.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def in_worlds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a log whose column `dataset` holds the names of worlds where a data set has several."""
    parts = [column for column in WORLD[1:] if frame[column].nunique() > 1]
    name = frame["dataset"].astype(str)
    for column in parts:
        name = name + ", " + frame[column].astype(str)
    return frame.assign(dataset=name)


def ranks_table(reported: pd.DataFrame) -> pd.DataFrame:
    """Return average rank and mean normalised regret of every agent, best first."""
    rivals = reported[~reported["agent_label"].isin(NO_RIVALS)]
    ranking = rank(mean_table(final_scores(rivals)))
    share = mean_table(normalized_regret(reported)).mean()
    return ranking.average.to_frame("rank").assign(
        normalized_regret=share,
        datasets=ranking.datasets,
        critical_difference=ranking.critical_difference,
    )


def cells_table(tuning: pd.DataFrame) -> pd.DataFrame:
    """Return mean regret of every cell, a column per world, and `ratio`; the best cell first."""
    import pandas as pd

    last = tuning.loc[
        tuning.groupby(["agent_label", "dataset", "config_id", "seed"], sort=False)["round"].idxmax()
    ]
    parts = []
    for label, runs in last.groupby("agent_label", sort=False):
        varied = _varied(runs)
        mean = runs.pivot_table(index="config_id", columns="dataset", values="regret")
        ratio = (mean / mean.min().clip(lower=1.0)).mean(axis=1)
        first = runs.groupby("config_id")[varied].first()
        cell = [_as_text(row) for _, row in first.iterrows()]
        rows = mean.round(1).assign(agent=label, cell=cell, ratio=ratio.round(4))
        parts.append(rows.sort_values("ratio"))
    table = pd.concat(parts, ignore_index=True)
    return table[
        ["agent", "cell", "ratio", *(name for name in table if name not in ("agent", "cell", "ratio"))]
    ]


def selection_table(reported: pd.DataFrame, tuning: pd.DataFrame) -> pd.DataFrame:
    """Return the selected cell of every tuned agent, a row per agent and world."""
    import pandas as pd

    rows = []
    for label, runs in tuning.groupby("agent_label", sort=False):
        played = (
            reported[reported["agent_label"] == label].groupby("dataset", sort=False)[_varied(runs)].first()
        )
        rows += [
            {"agent": label, "dataset": dataset, "cell": _as_text(row)} for dataset, row in played.iterrows()
        ]
    return pd.DataFrame(rows)


def _varied(tuning: pd.DataFrame) -> list[str]:
    """Return the hyper-parameters that differ between the tuning runs of one agent."""
    names = [part.name for part in find_recipe(tuning["agent"].iloc[0]).parameters]
    return [name for name in names if name in tuning and tuning[name].nunique() > 1]


def _as_text(cell: pd.Series[Any]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in cell.items())


if __name__ == "__main__":
    main(*sys.argv[1:])
