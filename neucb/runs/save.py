"""Results on disk: a Parquet log and a JSON manifest, named by the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.columns import current_settings, with_current_keys
from neucb.core.errors import InputError
from neucb.core.files import atomic_write, explained, shortened
from neucb.core.json_values import digest
from neucb.core.provenance import provenance
from neucb.runs.formats import read_log
from neucb.runs.log_table import log_table, run_columns
from neucb.runs.store import Playing, Store
from neucb.runs.summary import summary

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from neucb.runs.run import Run


@dataclass(frozen=True)
class Saved:
    """Files of a run.

    Attributes:
        log, manifest: paths of the log and the manifest.
        trace: path of the trace, None without one.
        summary: metrics of the run, see `neucb.runs.summary.summary`.
    """

    log: Path
    manifest: Path
    trace: Path | None
    summary: Mapping[str, Any]

    def frame(self) -> pd.DataFrame:
        """Return the rows of the log.

        Raises:
            InputError: the log is damaged.
        """
        frame: pd.DataFrame = read_log(self.log).to_pandas()
        return frame


def configuration(run: Run) -> dict[str, Any]:
    """Return everything that determines a run's numbers, as JSON values."""
    spec = asdict(run.log.spec)
    del spec["density"]  # determined by the environment
    spec["seeds"] = list(run.log.spec.seeds)
    return {
        "agent": run.agent_name,
        "settings": run.settings,
        "environment": run.environment,
        "spec": spec,
        "engine": run.engine,
        **run.resolved.origin,
    }


def stem(run: Run) -> str:
    """Return the file name of a complete run: agent, data set and the hash of its configuration."""
    dataset = re.sub(r"[^A-Za-z0-9.-]+", "-", run.environment["dataset"])
    agent = re.sub(r"[^\w.-]+", "-", run.agent_name)
    readable = shortened(f"{agent}_{dataset}").lstrip("._")  # files with these prefixes are not logs
    return f"{readable}_{digest(configuration(run))[:10]}"


def save(run: Run, folder: Path) -> Saved:
    """Write log, trace and manifest of a run into `folder`, each by an atomic write.

    Where the same run was saved before, the best-in-class columns of its log are kept.

    Args:
        run: run that was played to its end or ended early.
        folder: folder of the results, created if need be.

    Raises:
        NeucbError: the folder cannot be written to, or the disk is full.
    """
    complete = run.log.round == run.log.spec.horizon
    name = stem(run) + ("" if complete else f"_until-round-{run.log.round}")
    saved = _files(run, Store(folder), name, summary(run))
    trace = run.log.trace
    if trace is not None and saved.trace is not None:
        rows, path = trace.frame(run.log.round), saved.trace
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            atomic_write(path, lambda part: rows.to_parquet(part, index=False))
    table = _with_known_columns(_table(run), saved.log)
    manifest = {
        "configuration": configuration(run),
        "engine": run.engine,
        "rounds": run.log.round,
        "rounds_played": run.log.round * run.log.spec.replicas,
        "columns": table.column_names,
        "trace": None if trace is None else trace.full,
        "summary": saved.summary,
        "complete": complete,
    }
    Store(folder).write(name, table, manifest, Playing(run.seconds, run.cpu_seconds, run.threads))
    return saved


def find_saved(run: Run, folder: Path, columns: Iterable[str] = ()) -> Saved | None:
    """Return the saved files of a run that the same code and library versions played before, else None.

    Args:
        run: run that is not played yet.
        folder: folder of the results.
        columns: further columns that the log must have.
    """
    store, name, here = Store(folder), stem(run), provenance()
    record = store.find(name)
    if record is None:
        return None
    manifest = record.manifest
    figures = with_current_keys(manifest.get("summary", {}))
    if isinstance(figures.get("settings"), dict):
        figures["settings"] = current_settings(figures["settings"])
    saved = _files(run, store, name, figures)
    same = all(manifest.get(key) == here[key] for key in ("versions", "source_sha256"))
    whole = {*columns} <= {*manifest.get("columns", ())} and "summary" in manifest
    traced = run.log.trace is None or manifest.get("trace") is run.log.trace.full
    there = saved.trace is None or saved.trace.is_file()
    return saved if same and whole and traced and there else None


def _files(run: Run, store: Store, name: str, figures: Mapping[str, Any]) -> Saved:
    trace = None if run.log.trace is None else store.folder / f"{name}_trace.parquet"
    return Saved(store.log(name), store.manifest(name), trace, figures)


def _table(run: Run) -> pa.Table:
    """Return the rows of a run in the columns of all logs."""
    about = run_columns(run.agent_name, run.environment, run.resolved.origin)
    return log_table(run, {**about, "agent": run.agent_name, "dataset": run.environment["dataset"]})


def _with_known_columns(table: pa.Table, log: Path) -> pa.Table:
    """Return a log with the further columns of an earlier log of the same rows."""
    try:
        before = read_log(log)
    except InputError:  # no earlier log, or an unreadable one
        return table
    names = table.column_names
    if not {*names} < {*before.column_names} or not before.select(names).equals(table):
        return table
    return before
