"""Side by side: the same agents with their defaults and tuned for each world, or in several encodings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from neucb.agents.recipes.registry import find_recipe
from neucb.statistics import final_scores, intervals, mean_table, normalized_regret, paired_t, rank

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05


def worlds_table(defaults: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Return one row per world and agent that both logs have.

    Columns: dataset, agent, seeds, mean regret and half its 95 % interval with each of the two settings,
    difference (tuned minus default) and p of a paired t test over the seeds of both, and what of the
    tuned settings is no default.

    Args:
        defaults: reporting runs, a setting per agent.
        tuned: reporting runs, a setting per agent and world.
    """
    import pandas as pd

    seeds = ["dataset", "label", "seed"]
    scores = final_scores(defaults).merge(final_scores(tuned), on=seeds, suffixes=("_default", "_tuned"))
    settings = _settings(tuned)
    rows = []
    for (dataset, label), pairs in scores.groupby(["dataset", "label"], sort=False):
        found = paired_t(pairs["value_tuned"].to_numpy(), pairs["value_default"].to_numpy())
        row = {"dataset": dataset, "agent": label, "seeds": found.pairs}
        for which in ("default", "tuned"):
            told = intervals(pairs.assign(value=pairs[f"value_{which}"])).iloc[0]
            row |= {which: told["mean"], f"{which}_half": told["high"] - told["mean"]}
        rows.append(
            row
            | {"difference": found.difference, "p": found.p, "settings": settings[str(dataset), str(label)]}
        )
    return pd.DataFrame(rows)


def _settings(tuned: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the settings of every world and agent that are not the recipe's defaults, in words."""
    words = {}
    for (dataset, label), runs in tuned.groupby(["dataset", "label"], sort=False):
        row = runs.iloc[0]
        parameters = [one for one in find_recipe(row["agent"]).parameters if one.name in runs]
        changed = [one.name for one in parameters if row[one.name] != one.default]
        words[str(dataset), str(label)] = ", ".join(f"{name} = {row[name]:g}" for name in changed)
    return words


def agents_table(defaults: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Return one row per agent that both logs have, best by its tuned rank first.

    Columns: agent, datasets, average rank among these agents with the defaults and with tuned settings,
    mean normalised regret with each, ratio (geometric mean over worlds of tuned to default regret,
    regrets below 1 taken for 1), and on how many worlds tuned settings are better and worse (p < 0.05,
    not corrected).

    Args:
        defaults: as for `worlds_table`; normalised regret takes the skyline that is among them.
        tuned: as for `worlds_table`.
    """
    import pandas as pd

    worlds = worlds_table(defaults, tuned)
    table = worlds.groupby("agent", sort=False).size().to_frame("datasets")
    for which in ("default", "tuned"):
        table[f"rank_{which}"] = rank(worlds.pivot(index="dataset", columns="agent", values=which)).average
    labels = list(table.index)
    skyline = defaults[defaults["agent"] == "supervised"]
    for which, frame in (("default", defaults), ("tuned", tuned)):
        own = frame[frame["label"].isin(set(labels) - set(skyline["label"]))]
        table[f"normalized_{which}"] = mean_table(normalized_regret(pd.concat([own, skyline]))).mean()
    table = table.join(_summary(worlds))
    return table.sort_values("rank_tuned", kind="stable").rename_axis("agent").reset_index()


def encodings_table(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per agent and encoding but the first, beside the first.

    Columns: agent, encoding, datasets (in which runs differ at all), ratio, better and worse over these, see
    `agents_table`.

    Args:
        runs: encoding -> reporting runs, a setting per agent; all of the same agents and worlds.
    """
    import pandas as pd

    (_, first), *others = runs.items()
    parts = []
    for encoding, own in others:
        worlds = worlds_table(first, own)
        differ = worlds.loc[worlds["default"] != worlds["tuned"], "dataset"].unique()
        worlds = worlds[worlds["dataset"].isin(differ)]
        table = _summary(worlds).rename_axis("agent").reset_index()
        table.insert(1, "encoding", encoding)
        table.insert(2, "datasets", len(differ))
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _summary(worlds: pd.DataFrame) -> pd.DataFrame:
    """Return ratio, better and worse of every agent of a `worlds_table`, see `agents_table`."""
    pairs = worlds.set_index(["agent", "dataset"])
    ratio = (pairs["tuned"].clip(lower=1.0) / pairs["default"].clip(lower=1.0)).map(math.log)
    clear = pairs["p"] < LEVEL
    table = ratio.groupby("agent", sort=False).mean().map(math.exp).to_frame("ratio")
    table["better"] = (clear & (pairs["difference"] < 0)).groupby("agent").sum()
    table["worse"] = (clear & (pairs["difference"] > 0)).groupby("agent").sum()
    return table
