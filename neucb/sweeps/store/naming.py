"""Names of agents and data sets in the combined results of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neucb.core.json_values import digest
from neucb.runs.log_table import printable

if TYPE_CHECKING:
    import pandas as pd

# Conditions of a run besides its data set -> default value.
CONDITIONS: dict[str, Any] = {
    "preprocessing": "standard",
    "label_noise": 0.0,
    "order": "shuffled",
    "drift": [],
    "delay": 0,
    "feedback_batch": 1,
}
SAME = ("dataset", "preprocessing")
DATA = ("source", "rows", "arms", "features", "queries", "cost", "provenance", "code")


def conditions(environment: Mapping[str, Any]) -> str:
    """Return the conditions of a run that differ from the defaults, like "label noise 0.1, order sorted"."""
    words = ", ".join(
        f"{name.replace('_', ' ')} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, usual in CONDITIONS.items()
        if (value := environment.get(name)) is not None and value != usual
    )
    return printable(words)


def data_differences(environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return for every run the text of data options that differ within one name and preprocessing."""
    words = []
    for own in environments:
        same = [other for other in environments if all(other.get(name) == own.get(name) for name in SAME)]
        differing = [name for name in DATA if any(other.get(name) != own.get(name) for other in same)]
        words.append(", ".join(f"{name} {_short(own.get(name))}" for name in differing))
    return words


def _short(value: Any) -> str:
    return digest(value)[:6] if isinstance(value, dict | list) else str(value)


def with_labels(frame: pd.DataFrame, *, everywhere: bool) -> pd.DataFrame:
    """Append to the labels the settings that differ between runs of one label.

    Args:
        frame: rows with agent_label, agent and hyper-parameters; also dataset, world and config_id unless
            `everywhere`.
        everywhere: whether all runs of a label are compared, instead of those on the same data set and world.
    """
    import pandas as pd

    parts = []
    for _, rows in frame.groupby("agent_label", sort=False):
        several = everywhere or rows.groupby(["dataset", "world"])["config_id"].nunique().max() > 1
        parts.append(_with_settings(rows) if several else rows["agent_label"])
    return frame.assign(agent_label=pd.concat(parts))


def _with_settings(rows: pd.DataFrame) -> pd.Series[Any]:
    """Return the labels of one agent's rows with the settings that differ between them."""
    from neucb.agents.recipes.registry import RECIPES

    label = rows["agent_label"]
    recipe = RECIPES.get(str(rows["agent"].iloc[0]))
    for name in [parameter.name for parameter in recipe.parameters] if recipe else []:
        if name in rows and rows[name].astype(str).nunique() > 1:
            label = label + f" {name}=" + rows[name].map(in_words)
    return label


def in_words(value: object) -> str:
    """Return the text of a hyper-parameter."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_names(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Append to the names of data sets the text of some columns, and the horizon where it differs."""
    name = frame["dataset"].astype(str)
    for column in columns:
        name = name + (", " + frame[column]).where(frame[column] != "", "")
    several = frame.groupby(name)["horizon"].transform("nunique") > 1
    rounds = ", " + frame["horizon"].map("{:,} rounds".format)
    return frame.assign(dataset=name + rounds.where(several, ""))
