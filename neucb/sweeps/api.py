"""sweep: play an experiment, from Python and from the command line."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neucb.core.threads import cores
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import Workers, local
from neucb.sweeps.play.progress import Progress, Report
from neucb.sweeps.play.shared_tables import shared_folder
from neucb.sweeps.spec.builtin import shipped_spec
from neucb.sweeps.spec.reading import read_spec
from neucb.sweeps.store.load_sweep import load_sweep
from neucb.sweeps.sweep import sweep as _sweep

if TYPE_CHECKING:
    import pandas as pd

    from neucb.sweeps.spec.sweep_spec import Experiment


def sweep(
    spec: str | Path,
    out: str | Path = "results",
    *,
    jobs: int | None = None,
    openml_cache: str | Path | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    strict: bool = False,
) -> pd.DataFrame:
    """Play the missing runs of an experiment; return all its rows.

    Args:
        spec: path of a TOML file, or name of a spec that comes with neucb.
        out: parent of the folder of results, which has the experiment's name.
        jobs: number of batches played at a time; the number of cores by default.
        openml_cache: folder of the OpenML cache; the client's own by default.
        tables: name of a data set in the spec -> DataFrame; the target is the last column, or the spec's
            `target`.
        strict: whether a data set with left-out rows or columns is an error, as with `strict` in the spec.

    Returns:
        Rows as of `neucb.load_results`; `frame.attrs["failures"]` lists the runs that failed.

    Raises:
        InputError: the spec is invalid.
        NeucbError: the results cannot be written.
    """
    given = dict(tables or {})
    experiment = find_spec(str(spec), given)
    folder = Path(out) / experiment.name
    play_experiment(
        experiment,
        folder,
        lambda tasks: local(tasks, jobs or cores()),
        openml_cache=None if openml_cache is None else Path(openml_cache),
        tables=given,
        strict=strict,
    )
    return load_sweep(folder)


def find_spec(name: str, tables: Mapping[str, pd.DataFrame] | None = None) -> Experiment:
    """Return the experiment of a file, or of a spec that comes with neucb.

    Raises:
        InputError: the spec is missing or invalid.
    """
    return read_spec(Path(name) if name.endswith(".toml") else shipped_spec(name), tables or ())


def play_experiment(
    experiment: Experiment,
    folder: Path,
    workers: Workers,
    *,
    openml_cache: Path | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    notify: Callable[[str], None] = warnings.warn,
    report_only: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Play an experiment with its data; arguments and errors as for `neucb.sweeps.sweep.sweep`."""
    source = experiment.options.get("source", "auto")
    with shared_folder() as shared:
        openml_cache = openml_cache or (Path(experiment.openml_cache) if experiment.openml_cache else None)
        data = Data(source, openml_cache, tables or {}, notify, shared, strict or experiment.strict)
        return _sweep(experiment, folder, workers, data, report_only=report_only, progress=progress)
