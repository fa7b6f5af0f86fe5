"""Results on disk: a Parquet log, a JSON manifest and a plot, under a name made of the configuration."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError, NeucbError, in_one_line
from neucb.core.files import explained, shortened, write_whole
from neucb.core.provenance import provenance
from neucb.runs.formats import read_log
from neucb.runs.summary import plain, summary

if TYPE_CHECKING:
    import pandas as pd

    from neucb.runs.run import Run


@dataclass(frozen=True)
class Saved:
    """Paths of a run's files; `trace` is None where none was asked for, `plot` where none could be drawn."""

    log: Path
    manifest: Path
    plot: Path | None
    trace: Path | None = None


def configuration(job: Run) -> dict[str, Any]:
    """Return everything that decides a run's numbers, as JSON values."""
    spec = asdict(job.log.spec)
    del spec["density"]  # follows from the environment
    spec["seeds"] = list(job.log.spec.seeds)
    return {
        "agent": job.agent_name,
        "settings": job.settings,
        "environment": job.environment,
        "spec": spec,
        "engine": job.engine,
        **job.candidate.origin,
    }


def stem(job: Run) -> str:
    """Return the file name of a run: agent, data set and the hash of its configuration."""
    text = json.dumps(plain(configuration(job)), sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    dataset = re.sub(r"[^A-Za-z0-9.-]+", "-", job.environment["dataset"])
    agent = re.sub(r"[^\w.-]+", "-", job.agent_name)
    partial = "" if job.log.round == job.log.spec.horizon else f"_until-round-{job.log.round}"
    readable = shortened(f"{agent}_{dataset}").lstrip("._")  # names with these in front are not logs
    return f"{readable}_{digest}{partial}"


def save(job: Run, folder: Path, notify: Callable[[str], object] = warnings.warn) -> Saved:
    """Write log, trace, manifest and plot of a run into `folder`; each file appears whole or not at all.

    Where the same run was saved before, what was found of it in hindsight stays in its log. The plot comes
    last, and a failure of it costs nothing else.

    Args:
        job: the run.
        folder: made if need be.
        notify: gets a line where the plot cannot be drawn or written.

    Raises:
        NeucbError: the folder cannot be written to, or the disk is full.
    """
    name = stem(job)
    trace = None if job.log.trace is None else job.log.trace.frame(job.log.round)
    beside = None if trace is None else folder / f"{name}_trace.parquet"
    log, described, plot = (folder / f"{name}{suffix}" for suffix in (".parquet", ".json", ".png"))
    frame = job.frame()
    frame.attrs.clear()  # they are in the manifest
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        frame = _with_what_was_known(frame, log)
        write_whole(log, lambda path: frame.to_parquet(path, index=False))
        if trace is not None and beside is not None:
            write_whole(beside, lambda path: trace.to_parquet(path, index=False))
        text = json.dumps(plain(manifest(job)), indent=2, default=str)
        write_whole(described, lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return Saved(log, described, _plotted(job, plot, notify), beside)


def _plotted(job: Run, path: Path, notify: Callable[[str], object]) -> Path | None:
    """Draw the regret of a run into a file; None, and a line, where that fails."""
    from neucb.plots import save_figure
    from neucb.plots.kinds.regret import regret_figure

    try:
        figure = regret_figure(job.frame())
        write_whole(path, lambda temporary: save_figure(figure, temporary))
    except (NeucbError, OSError) as error:
        with contextlib.suppress(OSError):
            path.unlink()  # of an earlier run, which may have been another
        notify(f"log and manifest of {path.stem} are saved, but no plot: {in_one_line(error)}")
        return None
    return path


def _with_what_was_known(frame: pd.DataFrame, log: Path) -> pd.DataFrame:
    """Return a log with the further columns that an earlier one of the very same rows has."""
    try:
        before: pd.DataFrame = read_log(log).to_pandas()
    except InputError:  # there is none, or it cannot be read
        return frame
    if not set(frame) < set(before) or not before[[*frame]].equals(frame):
        return frame
    return before


def manifest(job: Run) -> dict[str, Any]:
    """Return what a reader needs to trust and to repeat a run."""
    return {
        "configuration": configuration(job),
        "summary": summary(job),
        "complete": job.log.round == job.log.spec.horizon,
        **provenance(),
    }
