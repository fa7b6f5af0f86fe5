"""Selection of the settings of least regret on the tuning seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.core.columns import current_settings, with_current_keys
from neucb.runs.log_table import WORLD, cell_id
from neucb.sweeps.plan import World, worlds
from neucb.sweeps.spec.sweep_spec import OVER_ALL

if TYPE_CHECKING:
    import pandas as pd

    from neucb.agents.parameter import Value
    from neucb.sweeps.spec.sweep_spec import AgentGrid, Experiment

Chosen = dict[tuple[str, tuple[Any, ...]], dict[str, "Value"]]


def select(experiment: Experiment, tuning: pd.DataFrame) -> Chosen:
    """Return the chosen hyper-parameters of every tuned agent in every world.

    Over all data sets: the cell of least mean, over worlds, of regret divided by the regret of the best
    cell there (or by 1 where that is less). Per data set: the cell of least mean regret in each world. A
    cell with a failed run in a world has infinite regret there. Ties go to the first cell in the grid;
    without a choice where every cell failed.

    Args:
        experiment: experiment with its grids.
        tuning: rows of the tuning runs, as `neucb.load_results` gives them.
    """
    keys = ["agent_label", *WORLD, "config_id", "seed"]
    last = tuning.loc[tuning.groupby(keys, sort=False)["round"].idxmax()]
    chosen: Chosen = {}
    for agent in experiment.agents:
        if experiment.tuned(agent):
            own = last[last["agent_label"] == agent.label]
            chosen |= _select(agent, own, worlds(experiment), len(experiment.tuning_seeds), experiment.select)
    return chosen


def _select(agent: AgentGrid, rows: pd.DataFrame, places: Sequence[World], seeds: int, rule: str) -> Chosen:
    cells = agent.cells()
    grouped = rows.groupby([*WORLD, "config_id"])["regret"].agg(["mean", "size"])
    whole = grouped.loc[grouped["size"] == seeds, "mean"].to_dict()
    regret = np.array(
        [[whole.get((*world.key, cell_id(cell)), np.inf) for cell in cells] for world in places]
    )  # [worlds, cells]
    if rule == OVER_ALL:
        least = regret.min(axis=1, keepdims=True)
        tried = np.isfinite(least).ravel()
        ratio = regret[tried] / np.maximum(least[tried], 1.0)
        regret = np.broadcast_to(ratio.mean(axis=0) if tried.any() else np.inf, regret.shape)
    best = regret.argmin(axis=1)
    return {
        (agent.label, world.key): cells[cell]
        for world, cell, row in zip(places, best, regret, strict=True)
        if np.isfinite(row[cell])
    }


def to_json(chosen: Chosen, rule: str) -> dict[str, Any]:
    """Return the selection as JSON values."""
    rows = [
        {"agent_label": label, **dict(zip(WORLD, key, strict=True)), "settings": settings}
        for (label, key), settings in chosen.items()
    ]
    return {"rule": rule, "selected": rows}


def from_json(content: Mapping[str, Any], agents: Sequence[AgentGrid]) -> Chosen:
    """Return the selection from the values of `to_json`, for the agents among `agents` only."""
    from neucb.runs.plugins import find_agent

    recipes = {agent.label: find_agent(agent.name) for agent in agents}
    return {
        (label, tuple(row[name] for name in WORLD)): recipes[label].settings(
            current_settings(row["settings"])
        )
        for row in map(with_current_keys, json.loads(json.dumps(content))["selected"])
        if (label := row["agent_label"]) in recipes
    }
