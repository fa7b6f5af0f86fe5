"""load_times: the time that the batches of a sweep, or the runs in a folder, took."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError
from neucb.sweeps.store.batch_store import BatchStore
from neucb.sweeps.store.load_sweep import MEND, read_plan
from neucb.sweeps.store.naming import with_labels
from neucb.sweeps.store.read_results import is_sweep
from neucb.sweeps.store.run_logs import environment_of, find_logs, read_manifest

if TYPE_CHECKING:
    import pandas as pd

TIMES = ["label", "agent", "dataset", "purpose", "engine", "rounds", "seconds", "cpu_seconds", "threads"]


def load_times(path: str | Path) -> pd.DataFrame:
    """Return the time that playing took, one row per batch of a sweep or per run, where something was played.

    Columns: label, agent, dataset, purpose, engine, rounds (of all runs together), seconds (wall clock)
    and cpu_seconds (of the processor), loading and compiling excluded, and threads.

    Args:
        path: the folder of an experiment or of runs, or the log of a run.

    Raises:
        InputError: there are no results.

    Warns:
        UserWarning: logs were saved by a former version, which kept no times.
    """
    import pandas as pd

    folder = Path(path)
    rows = []
    without = 0
    for manifest, content in _manifests(folder):
        if "playing" not in content:
            without += bool(content)
        elif content.get("rounds_played"):
            try:
                rows.append(_times_of(content))
            except (KeyError, TypeError, ValueError, OverflowError):
                raise InputError(f"{manifest} is no manifest of a batch; {MEND}") from None
    if without:
        warnings.warn(f"{folder}: {without} logs of a former version have no times", stacklevel=2)
    if rows and not is_sweep(folder):
        return with_labels(pd.DataFrame(rows), everywhere=True)[TIMES]
    return pd.DataFrame(rows, columns=TIMES)


def _manifests(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the manifests of the batches of a sweep or of the complete runs, and their contents."""
    if not is_sweep(folder):
        contents = [(log.with_suffix(".json"), read_manifest(log)) for log in find_logs(folder)]
        return [(path, content) for path, content in contents if content.get("complete") is not False]
    store = BatchStore(folder)
    paths = [store.manifest(name) for name in read_plan(store)["batches"]]
    return [(path, store.read_json(path.name) or {}) for path in paths]


def _times_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a manifest, which may have been damaged; the hyper-parameters of a run too."""
    configuration, playing = content["configuration"], content["playing"]
    if "world" in configuration:
        row = {key: str(configuration[key]) for key in ("label", "agent", "purpose")}
        row["dataset"] = str(configuration["world"]["dataset"]["name"])
    else:
        agent, settings = str(configuration["agent"]), dict(configuration["settings"])
        row = settings | {"label": agent, "agent": agent, "purpose": "reporting"}
        row["dataset"] = str(environment_of(content)["dataset"])
    return {
        **row,
        "engine": str(content["engine"]),
        "rounds": int(content["rounds_played"]),
        "seconds": float(playing["seconds"]),
        "cpu_seconds": float(playing["cpu_seconds"]),
        "threads": int(playing["threads"]),
    }
