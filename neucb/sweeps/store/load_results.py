"""load_results: the rows of a sweep, or of the runs in a folder, as one DataFrame."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError
from neucb.core.json_values import digest
from neucb.runs.log_table import cell_id
from neucb.sweeps.store.batch_store import PLAN
from neucb.sweeps.store.load_sweep import load_sweep
from neucb.sweeps.store.read_results import (
    CONDITIONS,
    conditions,
    environment_of,
    find_logs,
    read_manifest,
    read_run,
    with_labels,
    with_names,
)

if TYPE_CHECKING:
    import pandas as pd

WORLD = {"preprocessing": "standard", "order": "shuffled", "label_noise": 0.0}  # columns of their own
DATA = ("source", "rows", "arms", "features", "queries", "cost", "provenance", "code")
FIRST = ("agent", "label", "dataset", "purpose", *WORLD, "setting", "engine", "seed", "round")


def load_results(path: str | Path) -> pd.DataFrame:
    """Return all rows of a sweep, or of the runs in a folder, one per run and log-spaced round.

    The columns are those of `neucb.run`, and: label, what the sweep calls the agent; purpose,
    "tuning" or "reporting"; preprocessing, order, label_noise; setting, a hash of all
    hyper-parameters; engine; and, where a sweep's spec asks for hindsight, what `ClassLoss.columns` names, in
    the rows of the seeds that it asks for. Hyper-parameters that no agent has are left out, those that an
    agent lacks are missing in its rows. `frame.attrs["failures"]` lists the runs of a sweep that failed,
    `frame.attrs["missing"]` the batches that are planned and not there or damaged.

    Runs are reporting runs. Their label is the agent, with the settings that differ between its runs; their
    data set has behind its name the rounds, the drift and other conditions that differ between runs.

    Args:
        path: the folder of an experiment, as `neucb sweep` prints it, or one that `neucb run` saves to, or
            the log of one run.

    Raises:
        InputError: there are no results.

    Warns:
        UserWarning: rows of a sweep are missing, the message says how many batches and what to do; fits in
            hindsight failed, it says how many and why the first; or a run is left out, since it ended early
            or was played twice.
    """
    folder = Path(path)
    if (folder / PLAN).exists() or not (folder.is_file() or any(folder.glob("[!._]*.parquet"))):
        return load_sweep(folder, stacklevel=3)
    return _load_runs(folder)


def _load_runs(path: Path) -> pd.DataFrame:
    import pandas as pd

    frames, manifests = [], []
    for log in find_logs(path):
        manifest = read_manifest(log)
        frame = read_run(log)
        if "purpose" in frame:
            raise InputError(f"{log} is of a sweep without its {PLAN}; run the sweep again, which writes it")
        if manifest.get("complete") is False:
            warnings.warn(f"left out {log.name}: the run ended early", stacklevel=3)
            continue
        frames.append(_described(frame, manifest))
        manifests.append(manifest)
    if not frames:
        raise InputError(f"no complete run in {path}")
    told_apart = [
        frame.assign(world=_joined(frame["world"].iloc[0], words))
        for frame, words in zip(frames, _differences(manifests), strict=True)
    ]
    frame = pd.concat(told_apart, ignore_index=True)
    agents = frame["agent"]
    frame = with_labels(frame.assign(agent=agents + frame["went_on"])).assign(agent=agents)
    frame = with_names(frame)
    key = ["dataset", *WORLD, "label", "setting", "seed", "round"]
    twice = frame.duplicated(key)
    for dataset, label in frame.loc[twice, ["dataset", "label"]].drop_duplicates().to_numpy():
        warnings.warn(
            f"{label} was played twice on {dataset} with some seeds; the first by file name counts",
            stacklevel=3,
        )
    frame = frame[~twice].drop(columns=["world", "horizon", "went_on"]).reset_index(drop=True)
    frame = frame[[*FIRST, *(name for name in frame if name not in FIRST)]]
    frame.attrs.update(failures=[], missing=[])
    return frame


def _described(frame: pd.DataFrame, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of a run with the columns that a sweep's have besides, and what tells runs apart."""
    about = environment_of(dict(manifest))
    configuration = manifest.get("configuration") or {}
    seeds = list(dict.fromkeys(frame["seed"]))
    settings = {
        seed: cell_id({name: _at(value, r) for name, value in (configuration.get("settings") or {}).items()})
        for r, seed in enumerate(seeds)
    }
    late = {name: about[name] for name in CONDITIONS if name in about and name not in WORLD}
    trained = configuration.get("trained")
    return frame.assign(
        purpose="reporting",
        **{name: about.get(name, usual) for name, usual in WORLD.items()},
        setting=frame["seed"].map(settings),
        engine=configuration.get("engine"),
        world=conditions(late),
        horizon=frame["round"].max(),
        went_on=f", after {trained['rounds']} rounds" if isinstance(trained, dict) else "",
    )


def _at(value: Any, r: int) -> Any:
    return value[r] if isinstance(value, list) else value


def _differences(manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return for every run in words how its data differ from others of the same name in the folder."""
    abouts = [environment_of(dict(one)) for one in manifests]
    words = []
    for about in abouts:
        same = [one for one in abouts if one.get("dataset") == about.get("dataset")]
        differing = [name for name in DATA if any(one.get(name) != about.get(name) for one in same)]
        words.append(", ".join(f"{name} {_short(about.get(name))}" for name in differing))
    return words


def _short(value: Any) -> str:
    return digest(value)[:6] if isinstance(value, dict | list) else str(value)


def _joined(*words: str) -> str:
    return ", ".join(one for one in words if one)
