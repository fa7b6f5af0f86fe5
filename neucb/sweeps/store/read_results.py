"""Results of runs and sweeps as one DataFrame, of one folder or of several for plots and reports."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.columns import current_names
from neucb.core.errors import InputError
from neucb.runs.log_table import WORLD, without_missing_parameters
from neucb.sweeps.store.batch_store import PLAN
from neucb.sweeps.store.load_sweep import load_sweep
from neucb.sweeps.store.naming import conditions, data_differences, with_labels, with_names
from neucb.sweeps.store.run_logs import arms_of, environment_of, find_logs, read_manifest, read_run

if TYPE_CHECKING:
    import pandas as pd

FIRST = ("agent", "agent_label", "dataset", "split", *WORLD[1:], "config_id", "engine", "seed", "round")
LATE = ("drift", "delay", "feedback_batch")  # conditions without a column of their own
NAMING = ["late", "data", "world", "horizon", "arms"]


@dataclass(frozen=True)
class Results:
    """Results of several folders.

    Attributes:
        frame: rows of all logs, with `agent_label` (the agent, and its settings where an agent has several)
            and `dataset` (with the conditions that differ from the defaults).
        manifests: manifests of the runs or batches.
    """

    frame: pd.DataFrame
    manifests: tuple[dict[str, Any], ...]


def load_results(path: str | Path) -> pd.DataFrame:
    """Return all rows of a sweep, or of the runs in a folder, one per run and log-spaced round.

    The columns are those of `neucb.run`, and: agent_label, the agent's name in the sweep; split, "tuning" or
    "reporting"; preprocessing, order, label_noise; config_id, a hash of all hyper-parameters; engine; and,
    where a sweep's spec or a run requests best-in-class fits, those of `ClassLoss.columns`, in the rows of
    the fitted seeds. Hyper-parameters of no agent are left out; those that an agent lacks are missing in its
    rows. Columns in logs of former versions get their current names.
    `frame.attrs["failures"]` lists the runs of a sweep that failed, `frame.attrs["missing"]` the batches that
    are planned and not there or damaged.

    Single runs count as reporting runs. Their label is the agent, with the settings that differ between its
    runs; the name of their data set is followed by the rounds, the drift and other conditions that differ.

    Args:
        path: folder of an experiment, as `neucb sweep` prints it, or a folder that `neucb run` saves to, or
            the log of one run.

    Raises:
        InputError: there are no results.

    Warns:
        UserWarning: rows of a sweep are missing (with the number of batches and the cure); best-in-class
            fits failed (with their number and the first reason); or a run is left out because it ended early
            or was played twice.
    """
    folder = Path(path)
    if is_sweep(folder) or not (folder.is_file() or any(folder.glob("[!._]*.parquet"))):
        return load_sweep(folder, stacklevel=3)
    lines: list[str] = []
    try:
        frame, _ = _read_runs([folder], lines.append)
        frame = with_names(with_labels(frame, everywhere=True), "late", "data")
        frame = _without_doubles(frame, [*WORLD, "agent_label", "config_id", "seed", "round"], lines.append)
    finally:
        for line in lines:
            warnings.warn(line, stacklevel=2)
    frame = without_missing_parameters(frame.drop(columns=NAMING))
    frame = frame[[*FIRST, *(name for name in frame if name not in FIRST)]]
    frame.attrs.update(failures=[], missing=[])
    return frame


def read_results(paths: Sequence[Path], notify: Callable[[str], object]) -> Results:
    """Read and name the results of several folders.

    Args:
        paths: Parquet logs, folders of runs, folders of sweeps (for their reporting runs).
        notify: callback with a line for every left-out run and every incomplete sweep.

    Raises:
        InputError: there are no results, or a file is no log.
    """
    import pandas as pd

    frames, manifests = [], []
    for path in filter(is_sweep, paths):
        frame, read = _read_sweep(path, notify)
        frames.append(frame)
        manifests += read
    runs = [path for path in paths if not is_sweep(path)]
    if runs or not paths:
        frame, read = _read_runs(runs, notify)
        frames.append(frame)
        manifests += read
    frame = with_labels(pd.concat(frames, ignore_index=True), everywhere=len(runs) == len(paths))
    frame = with_names(frame, "world", "data")
    frame = _without_doubles(frame, ["dataset", "agent_label", "seed", "round"], notify)
    return Results(frame, tuple(manifests))


def is_sweep(path: Path) -> bool:
    """Return whether a path is the folder of a sweep."""
    return (path / PLAN).exists()


def _read_sweep(folder: Path, notify: Callable[[str], object]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the reporting runs of a sweep with the columns of `NAMING`, and its manifests."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = load_sweep(folder)
    for warning in caught:
        notify(str(warning.message))
    frame = frame[frame["split"] == "reporting"].reset_index(drop=True)
    if frame.empty:
        raise InputError(f"{folder} has no reporting runs yet; run the sweep again to play them")
    manifests = [read_manifest(log) for log in find_logs(folder)]
    abouts = [environment_of(manifest) for manifest in manifests]
    late = {name: about[name] for about in abouts for name in LATE if name in about}
    arms = {str(about.get("dataset")): arms_of(about) for about in abouts}
    keys = list(WORLD[1:])
    worlds = {key: conditions(late | dict(zip(keys, key, strict=True))) for key, _ in frame.groupby(keys)}
    frame["world"] = [worlds[key] for key in zip(*(frame[name] for name in keys), strict=True)]
    frame["horizon"] = frame.groupby(["dataset", "world"])["round"].transform("max")
    frame.attrs.clear()
    return frame.assign(arms=frame["dataset"].map(arms), late=conditions(late), data=""), manifests


def _read_runs(
    paths: Sequence[Path], notify: Callable[[str], object]
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the rows of complete runs with the columns of `NAMING`, and their manifests."""
    import pandas as pd

    frames, manifests = [], []
    for path in paths:
        for log in find_logs(path):
            manifest = read_manifest(log)
            if "split" in current_names(manifest.get("configuration") or {}) and log != path:
                raise InputError(
                    f"{log} is of a sweep without its {PLAN}; run the sweep again, which writes it"
                )
            if manifest.get("complete") is False:
                notify(f"left out {log.name}: the run ended early")
                continue
            frames.append(read_run(log, manifest))
            manifests.append(manifest)
    if not frames:
        raise InputError(f"no complete run in {', '.join(map(str, paths))}")
    abouts = [environment_of(manifest) for manifest in manifests]
    named = []
    for frame, about, data in zip(frames, abouts, data_differences(abouts), strict=True):
        late = {name: about[name] for name in LATE if name in about}
        world = late | {name: frame[name].iloc[0] for name in WORLD[1:]}
        columns = {"late": conditions(late), "data": data, "world": conditions(world)}
        named.append(frame.assign(**columns, horizon=frame["round"].max(), arms=arms_of(about)))
    return pd.concat(named, ignore_index=True), manifests


def _without_doubles(
    frame: pd.DataFrame, key: Sequence[str], notify: Callable[[str], object]
) -> pd.DataFrame:
    """Return rows without duplicates of rows in an earlier log."""
    twice = frame.duplicated(key)
    for dataset, label in frame.loc[twice, ["dataset", "agent_label"]].drop_duplicates().to_numpy():
        notify(f"{label} was played twice on {dataset} with some seeds; the first by file name counts")
    return frame[~twice].reset_index(drop=True)
