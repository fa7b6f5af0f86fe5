"""Logs and manifests of runs on disk; logs of former versions get the current columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.columns import current_settings
from neucb.core.errors import InputError
from neucb.runs.formats import MEND, aliases_of, read_json, read_log
from neucb.runs.log_table import cell_id, run_columns

if TYPE_CHECKING:
    import pandas as pd

PARTS = {"environment": dict, "versions": dict, "machine": dict, "failures": list}
OF_DATA = {"provenance": dict, "notes": list}


def find_logs(path: Path) -> list[Path]:
    """Return the logs of runs in a folder, or the single log at a path.

    Raises:
        InputError: there is no log.
    """
    if path.is_file():
        return [path]
    found = sorted(log for log in path.glob("[!._]*.parquet") if not log.stem.endswith("_trace"))
    if not found:
        raise InputError(f"there is no folder or file {path}" if not path.exists() else f"no log in {path}")
    return found


def read_run(log: Path, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of a run with the current columns.

    Raises:
        InputError: the file is damaged, or is no log of a run.
    """
    frame: pd.DataFrame = read_log(log).to_pandas()
    if len(frame) == 0 or frame["round"].min() < 1:
        raise InputError(
            f"{log} is not the log of a run: rounds are counted from 1, and there is at least one"
        )
    if "split" in frame:
        return frame
    configuration = manifest.get("configuration") or {}
    given = current_settings(configuration.get("settings") or {}, aliases_of(configuration.get("agent")))
    settings = {
        seed: cell_id({name: _at(value, replica) for name, value in given.items()})
        for replica, seed in enumerate(dict.fromkeys(frame["seed"]))
    }
    columns = run_columns(frame["agent"], environment_of(manifest), configuration)
    columns |= {"config_id": frame["seed"].map(settings), "engine": configuration.get("engine")}
    return frame.assign(**columns)


def _at(value: Any, replica: int) -> Any:
    return value[replica] if isinstance(value, list) else value


def read_manifest(log: Path) -> dict[str, Any]:
    """Return the manifest of a log, empty for a log without one.

    Raises:
        InputError: the file is damaged, or is no manifest.
    """
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
    """Return whether the parts of a manifest that are read have the right type, or are absent."""
    if not isinstance(content, dict):
        return False
    about = (content.get("configuration") or {}, content)
    if not all(isinstance(part, dict) and _has_kinds(part, PARTS) for part in about):
        return False
    data = [part.get("environment") or {} for part in about]
    failures = [failure for part in about for failure in part.get("failures") or ()]
    return all(_has_kinds(part, OF_DATA) for part in data) and all(isinstance(row, dict) for row in failures)


def _has_kinds(part: Mapping[str, Any], kinds: Mapping[str, type]) -> bool:
    return all(isinstance(part.get(name) or kind(), kind) for name, kind in kinds.items())


def environment_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of the data in a manifest, empty if it is absent."""
    configuration = manifest.get("configuration") or {}
    return dict(manifest.get("environment") or configuration.get("environment") or {})


def arms_of(environment: Mapping[str, Any]) -> float:
    """Return the number of arms K, NaN if the description lacks it."""
    arms = environment.get("arms")
    return arms if type(arms) is int else float("nan")
