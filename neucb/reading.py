"""Reading results: logs of runs and sweeps, put together so that competitors and data sets have names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.errors import InputError
from neucb.sweeps.store import PLAN

if TYPE_CHECKING:
    import pandas as pd

# What a run was played under, besides its data set, and what is not worth saying.
CONDITIONS: dict[str, Any] = {
    "preprocessing": "standard",
    "label_noise": 0.0,
    "order": "shuffled",
    "drift": "",
    "delay": 0,
    "batch": 1,
}


@dataclass(frozen=True)
class Results:
    """What was read.

    Attributes:
        frame: the rows of all logs, with `label` (the agent, and its settings where one agent was
            played with several) and `dataset` (with the conditions that are not the usual ones).
        manifests: of the runs or batches.
    """

    frame: pd.DataFrame
    manifests: tuple[dict[str, Any], ...]


def read_results(paths: Sequence[Path], notify: Callable[[str], object]) -> Results:
    """Read logs.

    Args:
        paths: Parquet logs, folders of runs, folders of sweeps (their reporting runs).
        notify: gets a line for every run that is left out.

    Raises:
        InputError: nothing is there, or a file is no log.
    """
    import pandas as pd

    manifests: list[dict[str, Any]] = []
    runs: list[pd.DataFrame] = []
    sweeps: list[pd.DataFrame] = []
    for path in paths:
        if (path / PLAN).is_file():
            told = [_manifest(log) for log in _logs(path)]
            sweeps.append(_sweep(path, told))
            manifests += told
            continue
        for log in _logs(path):
            manifest = _manifest(log)
            if manifest.get("complete") is False:
                notify(f"left out {log.name}: the run ended early")
                continue
            runs.append(_with_conditions(_read(log), environment_of(manifest)))
            manifests.append(manifest)
    if not (runs or sweeps):
        raise InputError(f"no complete run in {', '.join(map(str, paths))}")
    if runs:
        sweeps.append(_with_labels(pd.concat(runs, ignore_index=True)))
    frame = _with_worlds(pd.concat(sweeps, ignore_index=True))
    twice = frame.duplicated(["dataset", "label", "seed", "round"])
    for dataset, label in frame.loc[twice, ["dataset", "label"]].drop_duplicates().to_numpy():
        notify(f"{label} was played twice on {dataset} with some seeds; the first by file name counts")
    return Results(frame[~twice].reset_index(drop=True), tuple(manifests))


def _sweep(folder: Path, manifests: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the reporting runs of a sweep."""
    from neucb.sweeps.load import load_results

    frame = load_results(folder)
    frame = frame[frame["purpose"] == "reporting"].reset_index(drop=True)
    if frame.empty:
        raise InputError(f"{folder} has no reporting runs yet; run the sweep again to play them")
    arms = {about["dataset"]: about["arms"] for about in map(environment_of, manifests) if "arms" in about}
    return _with_conditions(frame.assign(arms=frame["dataset"].map(arms)), {})


def _logs(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(path.glob("[!._]*.parquet"))
    if not found:
        raise InputError(f"there is no folder or file {path}" if not path.exists() else f"no log in {path}")
    return found


def _read(log: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_parquet(log)
    except (OSError, ValueError) as error:  # pyarrow's errors are among these
        raise InputError(f"{log} cannot be read: {str(error).splitlines()[0]}") from None
    if not {"agent", "dataset", "seed", "round", "regret"} <= set(frame.columns):
        raise InputError(f"{log} is not the log of a run")
    return frame


def _manifest(log: Path) -> dict[str, Any]:
    """Return the manifest beside a log, empty where there is none."""
    for path in (log.with_suffix(".json"), log.with_name(f"_{log.stem}.json")):
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        return content if isinstance(content, dict) else {}
    return {}


def environment_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of its data, empty where it says nothing."""
    found = manifest.get("environment") or manifest.get("configuration", {}).get("environment", {})
    return dict(found)


def _with_conditions(frame: pd.DataFrame, environment: dict[str, Any]) -> pd.DataFrame:
    """Add the number of arms, the conditions and the horizon, where the rows do not say them."""
    frame.attrs.clear()
    for name, usual in CONDITIONS.items():
        if name not in frame:
            value = environment.get(name, usual)
            frame[name] = " ".join(map(str, value)) if isinstance(value, list) else value
    if "arms" not in frame:
        frame["arms"] = environment.get("arms")
    alike = frame.groupby(["dataset", *CONDITIONS], dropna=False, sort=False)
    return frame.assign(horizon=alike["round"].transform("max"))


def _with_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Label runs by the agent's name and those of its settings that differ between its runs."""
    import pandas as pd

    from neucb.agents.recipes import RECIPES

    parts = []
    for agent, rows in frame.groupby("agent", sort=False):
        recipe = RECIPES.get(str(agent))
        names = [row.name for row in recipe.parameters] if recipe else []
        label = rows["agent"].astype(str)
        for name in names:
            if name in rows and rows[name].astype(str).nunique() > 1:
                label = label + f" {name}=" + rows[name].astype(str)
        parts.append(label)
    return frame.assign(label=pd.concat(parts))


def _with_worlds(frame: pd.DataFrame) -> pd.DataFrame:
    """Name data sets with their unusual conditions."""
    import pandas as pd

    parts = [_worlds(rows) for _, rows in frame.groupby("dataset", sort=False)]
    return frame.assign(dataset=pd.concat(parts))


def _worlds(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the data set's name with its unusual conditions, and with the horizon where that differs."""
    name = rows["dataset"].astype(str)
    for column, usual in CONDITIONS.items():
        values = rows[column].fillna(usual)
        words = f", {column.replace('_', ' ')} " + values.astype(str)
        name = name + words.where(values != usual, "")
    if rows["horizon"].nunique() > 1:
        name = name + ", " + rows["horizon"].map("{:,} rounds".format)
    return name
