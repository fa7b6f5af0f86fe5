"""Play of a batch: rows of the runs that succeed, reasons for the failure of the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from neucb.core.errors import InputError, NeucbError
from neucb.core.json_values import plain
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.contexts import is_read_only
from neucb.environments.preprocessing import Encoded
from neucb.environments.sources.registry import has_table
from neucb.runs.log_table import log_table
from neucb.runs.preparation import prepare_run
from neucb.runs.request import RunRequest
from neucb.runs.run import Run
from neucb.runs.store import Failure, Playing
from neucb.sweeps.plan import Batch
from neucb.sweeps.play.estimate import memory
from neucb.sweeps.play.warnings import kept_warnings
from neucb.sweeps.store.load_sweep import class_schema
from neucb.theory.best_in_class import sizes_of, world_loss

if TYPE_CHECKING:
    import pyarrow as pa

    from neucb.engines.log import Progress
    from neucb.environments.make import EnvironmentOptions

THREADS = 1  # threads per batch; batches are played in parallel
MEMORY = 1e9  # upper bound in bytes of the runs played together


@dataclass
class Outcome:
    """Result of playing a batch.

    Attributes:
        tables: rows, see `neucb.runs.log_table.schema`.
        failures: runs without rows.
        about: entries of the manifest: engine, environment, rounds.
        played: number of rounds of all runs together.
        seconds: wall-clock time of the batch.
        playing: time of play of the runs that succeeded, loading and compiling excluded.
        passing: whether a failure may be transient, so that the batch is played again next time.
        warnings: texts of warnings, in the main thread only, since all threads share the warning filters.
    """

    tables: list[pa.Table] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    played: int = 0
    seconds: float = 0.0
    playing: Playing = field(default_factory=lambda: Playing(threads=THREADS))
    passing: bool = False
    warnings: list[str] = field(default_factory=list)


class Abandoned(KeyboardInterrupt):
    """Signal that ends a batch in progress whose outcome is no longer needed."""


def play_batch(batch: Batch, data: Encoded | str, wanted: Callable[[], bool] | None = None) -> Outcome:
    """Play a batch.

    A replica's numbers do not depend on its neighbours. Where a run fails, the others are therefore played
    again without it: by bisection, until the failing runs are isolated. For the same reason a batch above
    the memory limit is played in parts.

    Args:
        batch: runs to play.
        data: encoded table, or the name of the data set.
        wanted: callback that returns whether to continue.

    Raises:
        Abandoned: `wanted` returned False.
    """

    def check(_: int) -> None:
        if wanted is not None and not wanted():
            raise Abandoned

    outcome = Outcome()
    started = time.perf_counter()
    if not isinstance(data, str) and is_read_only(data.contexts):
        # Dask's copies are read-only, for which the kernels would be compiled once more.
        data = replace(data, contexts=data.contexts.copy(), labels=data.labels.copy())
    runs = len(batch.seeds)
    together = max(int(MEMORY // memory(batch, data)), 1)
    with kept_warnings(outcome.warnings):
        for first in range(0, runs, together):
            _play(batch.part(first, min(first + together, runs)), data, outcome, check)
    outcome.seconds = time.perf_counter() - started
    return outcome


def _play(batch: Batch, data: Encoded | str, outcome: Outcome, check: Progress) -> None:
    runs = len(batch.seeds)
    run = None
    try:
        run = prepare_batch(batch, data)
        table, cpu_seconds = (_fitted if batch.split == "hindsight" else _played)(batch, run, check)
    except Exception as error:
        if runs == 1:
            outcome.failures.append(failure(batch, 0, _reason(error, run)))
            # An exception of the user's code, `sys.exit` included, may be transient.
            exited = error.__cause__ is not None and not isinstance(error.__cause__, Exception)
            outcome.passing |= exited or not isinstance(error, NeucbError)
            return
        _play(batch.part(0, runs // 2), data, outcome, check)
        _play(batch.part(runs // 2, runs), data, outcome, check)
        return
    outcome.tables.append(table)
    outcome.played += run.log.round * runs
    outcome.playing.seconds += run.seconds
    outcome.playing.cpu_seconds += cpu_seconds
    outcome.about = {"engine": run.engine, "environment": run.environment, "rounds": run.log.round}


def _reason(error: Exception, run: Run | None) -> str:
    """Return the reason for a failure in one line."""
    told = error if isinstance(error, NeucbError) or run is None else run.explain(error)
    words = " ".join(str(told or error).split())
    return words if isinstance(told, NeucbError) else f"{type(error).__name__}: {words}"


def _played(batch: Batch, run: Run, check: Progress) -> tuple[pa.Table, float]:
    """Play runs; return their rows and the processor time in seconds."""
    run.load()
    began = time.thread_time()
    run.play(check)
    cpu_seconds = time.thread_time() - began
    return log_table(run, batch.columns), cpu_seconds


def _fitted(_: Batch, run: Run, __: Progress) -> tuple[pa.Table, float]:
    """Fit the class of a run without playing it; return the rows and the processor time in seconds."""
    began = time.thread_time()
    return class_table(run), time.thread_time() - began


def class_table(run: Run) -> pa.Table:
    """Return the rows of a fit, see `class_schema`.

    Raises:
        InputError: the data are no classification data, or as for `world_loss`.
    """
    import pyarrow as pa

    (seed,), recipe = run.log.spec.seeds, run.recipe
    if not isinstance(run.env, ClassificationVectorEnv):
        raise InputError(f"{run.environment['dataset']} is no classification data, which hindsight needs")
    assert recipe is not None
    found = world_loss(run.env, seed, recipe, sizes_of(run.settings, 0))
    return pa.table({"round": found.rounds, **found.columns()}, schema=class_schema())


def failure(batch: Batch, run: int, reason: str) -> Failure:
    """Return the record of a run that failed."""
    return Failure(
        batch.agent_label, batch.world.dataset.name, batch.seeds[run], plain(batch.cell(run)), reason
    )


def prepare_batch(batch: Batch, data: Encoded | str) -> Run:
    """Return the runs of a batch, ready to be played."""
    world = batch.world
    late = {key: batch.options[key] for key in ("delay", "feedback_batch") if key in batch.options}
    options = {key: value for key, value in batch.options.items() if key not in (*late, "source")}
    given = world.dataset.options
    if isinstance(data, str):
        options |= given
        if {"group", "arms"} & set(given) and has_table(data):
            options["preprocessing"] = world.preprocessing
        elif world.preprocessing != "standard":
            raise InputError(f"{data} has no table to encode; leave preprocessing out")
    else:
        options |= {key: value for key, value in given.items() if key == "reward_range"}  # refused
        if "cost" in given:
            options["cost"] = given["cost"]
    if world.order != "shuffled":
        options["order"] = world.order
    if world.label_noise:
        options["label_noise"] = world.label_noise
    request = RunRequest(
        batch.agent,
        data,
        batch.rounds,
        batch.seeds,
        batch.settings,
        engine=batch.engine,
        device=batch.device,
        dtype=batch.dtype,
        environment=cast("EnvironmentOptions", options),
        **late,
    )
    run = prepare_run(request, _silent)
    if run.engine == "compiled":
        from neucb.engines.compiled.engine import Compiled

        cast("Compiled", run.player).threads = THREADS
    return run


def _silent(_: str) -> None:
    """Discard a notice: the sweep has reported the notes of its data once."""
