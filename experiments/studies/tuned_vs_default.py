"""Comparison tables: agents with default and tuned hyper-parameters, or in several encodings."""

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
    """Return one row per world and agent in both logs.

    Columns: dataset, agent, seeds, mean regret and half its 95 % interval for both settings, difference
    (tuned minus default) and p of a paired t test over the common seeds, and the tuned settings that
    differ from the defaults.

    Args:
        defaults: reporting runs, one setting per agent.
        tuned: reporting runs, one setting per agent and world.
    """
    import pandas as pd

    seeds = ["dataset", "agent_label", "seed"]
    scores = final_scores(defaults).merge(final_scores(tuned), on=seeds, suffixes=("_default", "_tuned"))
    settings = _settings(tuned)
    rows = []
    for (dataset, label), pairs in scores.groupby(["dataset", "agent_label"], sort=False):
        test = paired_t(pairs["value_tuned"].to_numpy(), pairs["value_default"].to_numpy())
        row = {"dataset": dataset, "agent": label, "seeds": test.pairs}
        for kind in ("default", "tuned"):
            interval = intervals(pairs.assign(value=pairs[f"value_{kind}"])).iloc[0]
            row |= {kind: interval["mean"], f"{kind}_half": interval["high"] - interval["mean"]}
        rows.append(
            row | {"difference": test.difference, "p": test.p, "settings": settings[str(dataset), str(label)]}
        )
    return pd.DataFrame(rows)


def _settings(tuned: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the non-default hyper-parameters of every world and agent as text."""
    texts = {}
    for (dataset, label), runs in tuned.groupby(["dataset", "agent_label"], sort=False):
        row = runs.iloc[0]
        parameters = [part for part in find_recipe(row["agent"]).parameters if part.name in runs]
        changed = [part.name for part in parameters if row[part.name] != part.default]
        texts[str(dataset), str(label)] = ", ".join(f"{name} = {row[name]:g}" for name in changed)
    return texts


def agents_table(defaults: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Return one row per agent in both logs, sorted by tuned rank.

    Columns: agent, datasets, average rank among these agents with the defaults and with tuned settings,
    mean normalised regret with each, ratio (geometric mean over worlds of tuned to default regret, both
    clipped below at 1), and the number of worlds on which tuned settings are better and worse (p < 0.05,
    uncorrected).

    Args:
        defaults: as for `worlds_table`; its skyline is the reference of normalised regret.
        tuned: as for `worlds_table`.
    """
    import pandas as pd

    worlds = worlds_table(defaults, tuned)
    table = worlds.groupby("agent", sort=False).size().to_frame("datasets")
    for kind in ("default", "tuned"):
        table[f"rank_{kind}"] = rank(worlds.pivot(index="dataset", columns="agent", values=kind)).average
    labels = list(table.index)
    skyline = defaults[defaults["agent"] == "supervised"]
    for kind, frame in (("default", defaults), ("tuned", tuned)):
        rivals = frame[frame["agent_label"].isin(set(labels) - set(skyline["agent_label"]))]
        table[f"normalized_{kind}"] = mean_table(normalized_regret(pd.concat([rivals, skyline]))).mean()
    table = table.join(_summary(worlds))
    return table.sort_values("rank_tuned", kind="stable").rename_axis("agent").reset_index()


def encodings_table(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per agent and encoding, compared with the first encoding.

    Columns: agent, encoding, datasets (number of data sets with different runs), ratio, better and worse
    over these, see `agents_table`.

    Args:
        runs: encoding -> reporting runs with one setting per agent, all of the same agents and worlds.
    """
    import pandas as pd

    (_, first), *others = runs.items()
    parts = []
    for encoding, encoded in others:
        worlds = worlds_table(first, encoded)
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
