"""Reading results: logs of runs and sweeps, put together so that competitors and data sets have names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError
from neucb.runs.formats import MEND, read_json, read_log
from neucb.sweeps.store.batch_store import PLAN

if TYPE_CHECKING:
    import pandas as pd

# What a run was played under besides its data set, and what of it is not worth saying.
CONDITIONS: dict[str, Any] = {
    "preprocessing": "standard",
    "label_noise": 0.0,
    "order": "shuffled",
    "drift": [],
    "delay": 0,
    "batch": 1,
}
PARTS = {"environment": dict, "versions": dict, "machine": dict, "failures": list}
OF_DATA = {"provenance": dict, "notes": list}


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
        notify: gets a line for every run that is left out, and for sweeps that are not complete.

    Raises:
        InputError: nothing is there, or a file is no log.
    """
    import pandas as pd

    manifests: list[dict[str, Any]] = []
    runs: list[pd.DataFrame] = []
    sweeps: list[pd.DataFrame] = []
    for path in paths:
        if (path / PLAN).is_file():
            told = [read_manifest(log) for log in find_logs(path)]
            sweeps.append(_sweep(path, told, notify))
            manifests += told
            continue
        for log in find_logs(path):
            manifest = read_manifest(log)
            if manifest.get("complete") is False:
                notify(f"left out {log.name}: the run ended early")
                continue
            runs.append(_with_world(read_run(log), environment_of(manifest)))
            manifests.append(manifest)
    if not (runs or sweeps):
        raise InputError(f"no complete run in {', '.join(map(str, paths))}")
    if runs:
        sweeps.append(with_labels(pd.concat(runs, ignore_index=True)))
    frame = with_names(pd.concat(sweeps, ignore_index=True))
    twice = frame.duplicated(["dataset", "label", "seed", "round"])
    for dataset, label in frame.loc[twice, ["dataset", "label"]].drop_duplicates().to_numpy():
        notify(f"{label} was played twice on {dataset} with some seeds; the first by file name counts")
    return Results(frame[~twice].reset_index(drop=True), tuple(manifests))


def _sweep(
    folder: Path, manifests: Sequence[dict[str, Any]], notify: Callable[[str], object]
) -> pd.DataFrame:
    """Return the reporting runs of a sweep."""
    from neucb.sweeps.store.load_sweep import load_sweep

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = load_sweep(folder)
    for one in caught:
        notify(str(one.message))
    frame = frame[frame["purpose"] == "reporting"].reset_index(drop=True)
    if frame.empty:
        raise InputError(f"{folder} has no reporting runs yet; run the sweep again to play them")
    abouts = [environment_of(manifest) for manifest in manifests]
    arms = {str(about.get("dataset")): arms_of(about) for about in abouts}
    shared = {name: about[name] for about in abouts for name in ("drift", "delay", "batch") if name in about}
    keys = ["preprocessing", "label_noise", "order"]
    worlds = {key: conditions(shared | dict(zip(keys, key, strict=True))) for key, _ in frame.groupby(keys)}
    frame["world"] = [worlds[key] for key in zip(*(frame[name] for name in keys), strict=True)]
    frame["horizon"] = frame.groupby(["dataset", "world"])["round"].transform("max")
    frame.attrs.clear()
    return _told_apart(frame.assign(arms=frame["dataset"].map(arms)))


def find_logs(path: Path) -> list[Path]:
    """Return the logs of runs in a folder, or the one that a path is of.

    Raises:
        InputError: there is none.
    """
    if path.is_file():
        return [path]
    found = sorted(log for log in path.glob("[!._]*.parquet") if not log.stem.endswith("_trace"))
    if not found:
        raise InputError(f"there is no folder or file {path}" if not path.exists() else f"no log in {path}")
    return found


def read_run(log: Path) -> pd.DataFrame:
    """Return the rows of a run.

    Raises:
        InputError: the file is damaged, or something else.
    """
    frame: pd.DataFrame = read_log(log).to_pandas()
    if len(frame) == 0 or frame["round"].min() < 1:
        raise InputError(
            f"{log} is not the log of a run: rounds are counted from 1, and there is at least one"
        )
    return frame


def read_manifest(log: Path) -> dict[str, Any]:
    """Return the manifest beside a log, empty where there is none."""
    for path in (log.with_suffix(".json"), log.with_name(f"_{log.stem}.json")):
        try:
            content = read_json(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}; {MEND}") from None
        if not _is_manifest(content):
            raise InputError(f"{path} is no manifest of a run; {MEND}")
        return dict(content)
    return {}


def _is_manifest(content: object) -> bool:
    """Return whether JSON has the parts that are read of a manifest, or lacks them."""
    if not isinstance(content, dict):
        return False
    about = (content.get("configuration") or {}, content)
    if not all(isinstance(part, dict) and _has_kinds(part, PARTS) for part in about):
        return False
    data = [part.get("environment") or {} for part in about]
    failures = [one for part in about for one in part.get("failures") or ()]
    return all(_has_kinds(part, OF_DATA) for part in data) and all(isinstance(one, dict) for one in failures)


def _has_kinds(part: Mapping[str, Any], kinds: Mapping[str, type]) -> bool:
    return all(isinstance(part.get(name) or kind(), kind) for name, kind in kinds.items())


def environment_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of its data, empty where it says nothing."""
    configuration = manifest.get("configuration") or {}
    return dict(manifest.get("environment") or configuration.get("environment") or {})


def _with_world(frame: pd.DataFrame, environment: dict[str, Any]) -> pd.DataFrame:
    """Add to the rows of a run: arms, horizon, and `world`, its unusual conditions in words."""
    return frame.assign(
        arms=arms_of(environment),
        world=conditions(environment),
        horizon=frame["round"].max(),
    )


def arms_of(environment: dict[str, Any]) -> float:
    """Return K, NaN where a manifest does not say it."""
    arms = environment.get("arms")
    return arms if type(arms) is int else float("nan")


def conditions(environment: dict[str, Any]) -> str:
    """Return the unusual conditions of a run in words, like "label noise 0.1, order sorted"."""
    told = {name: environment.get(name, usual) for name, usual in CONDITIONS.items()}
    words = ", ".join(
        f"{name.replace('_', ' ')} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in told.items()
        if value != CONDITIONS[name] and value is not None
    )
    return words.encode("utf-8", "backslashreplace").decode()  # frames take no half characters


def with_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Label runs by the agent's name and those of its settings that differ between its runs."""
    import pandas as pd

    parts = [_with_settings(rows["agent"], rows) for _, rows in frame.groupby("agent", sort=False)]
    return frame.assign(label=pd.concat(parts))


def _told_apart(frame: pd.DataFrame) -> pd.DataFrame:
    """Add settings to the labels of a sweep that has several of them for one label in one world."""
    import pandas as pd

    parts = []
    for _, rows in frame.groupby("label", sort=False):
        several = rows.groupby(["dataset", "world"])["setting"].nunique().max() > 1
        parts.append(_with_settings(rows["label"], rows) if several else rows["label"])
    return frame.assign(label=pd.concat(parts))


def _with_settings(label: pd.Series[Any], rows: pd.DataFrame) -> pd.Series[Any]:
    """Return labels of the rows of one agent with the settings that differ between them."""
    from neucb.agents.recipes.registry import RECIPES

    recipe = RECIPES.get(str(rows["agent"].iloc[0]))
    for name in [row.name for row in recipe.parameters] if recipe else []:
        if name in rows and rows[name].astype(str).nunique() > 1:
            label = label + f" {name}=" + rows[name].map(in_words)
    return label


def in_words(value: object) -> str:
    """Return a hyper-parameter as it is written."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Give data sets names that say the world, and the horizon where it differs."""
    name = frame["dataset"].astype(str)
    name = name + (", " + frame["world"]).where(frame["world"] != "", "")
    several = frame.groupby(["dataset", "world"])["horizon"].transform("nunique") > 1
    rounds = ", " + frame["horizon"].map("{:,} rounds".format)
    return frame.assign(dataset=name + rounds.where(several, ""))
