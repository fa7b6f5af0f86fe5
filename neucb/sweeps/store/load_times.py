"""load_times: times of play of the batches of a sweep or of the runs in a folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.columns import current_settings, with_current_keys
from neucb.core.errors import InputError
from neucb.runs.formats import MEND
from neucb.runs.log_table import run_columns
from neucb.sweeps.store.naming import with_labels
from neucb.sweeps.store.read_results import is_sweep
from neucb.sweeps.store.run_logs import environment_of, find_logs, read_manifest

if TYPE_CHECKING:
    import pandas as pd

TIMES = ["agent_label", "agent", "dataset", "split", "engine", "rounds", "seconds", "cpu_seconds", "threads"]


def load_times(path: str | Path) -> pd.DataFrame:
    """Return the time of play, one row per batch of a sweep or per run with at least one round.

    Columns: agent_label, agent, dataset, split, engine, rounds (of all runs together), seconds (wall-clock
    time) and cpu_seconds (processor time), loading and compiling excluded, and threads.

    Args:
        path: folder of an experiment or of runs, or the log of a run.

    Raises:
        InputError: there are no results.

    Warns:
        UserWarning: logs of a former version, or without a manifest, have no times.
    """
    import pandas as pd

    folder = Path(path)
    rows = []
    without = 0
    for log in find_logs(folder):
        manifest = read_manifest(log)
        if "playing" not in manifest:
            without += 1
        elif manifest.get("rounds_played") and manifest.get("complete") is not False:
            try:
                rows.append(_times_of(manifest))
            except (KeyError, TypeError, ValueError, OverflowError):
                raise InputError(f"the manifest of {log} is no manifest of a batch; {MEND}") from None
    if without:
        warnings.warn(
            f"{folder}: {without} logs of a former version or without a manifest have no times", stacklevel=2
        )
    if rows and not is_sweep(folder):
        return with_labels(pd.DataFrame(rows), everywhere=True)[TIMES]
    return pd.DataFrame(rows, columns=TIMES)


def _times_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a manifest, which may be damaged, with the hyper-parameters of a run."""
    configuration, playing = with_current_keys(manifest["configuration"]), manifest["playing"]
    if "world" in configuration:
        row = {key: str(configuration[key]) for key in ("agent_label", "agent", "split")}
        row["dataset"] = str(configuration["world"]["dataset"]["name"])
    else:
        agent, environment = str(configuration["agent"]), environment_of(manifest)
        row = current_settings(configuration["settings"]) | run_columns(agent, environment, configuration)
        row |= {"agent": agent, "dataset": str(environment["dataset"])}
    return {
        **row,
        "engine": str(manifest["engine"]),
        "rounds": int(manifest["rounds_played"]),
        "seconds": float(playing["seconds"]),
        "cpu_seconds": float(playing["cpu_seconds"]),
        "threads": int(playing["threads"]),
    }
