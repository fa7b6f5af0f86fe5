"""Playing a batch, wherever: rows of the runs that succeed, reasons of the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from neucb.core.errors import InputError, NeucbError
from neucb.core.json_values import plain
from neucb.environments.make import SYNTHETIC
from neucb.environments.preprocessing import Encoded
from neucb.runs.api import prepare
from neucb.runs.log_table import full_table
from neucb.runs.run import Run
from neucb.runs.store import Failure, Playing
from neucb.sweeps.plan import Batch
from neucb.sweeps.play.class_fit import class_table
from neucb.sweeps.play.estimate import memory
from neucb.sweeps.play.warnings import kept_warnings

if TYPE_CHECKING:
    import pyarrow as pa

    from neucb.engines.lockstep.loop import Progress
    from neucb.environments.make import EnvironmentOptions

THREADS = 1  # that play a batch; others play other batches
MEMORY = 1e9  # bytes that the runs of a batch may keep at a time


@dataclass
class Outcome:
    """What playing a batch gave.

    Attributes:
        tables: the rows, see `neucb.runs.log_table.schema`.
        failures: the runs without rows.
        about: engine, environment, rounds.
        played: rounds of all runs together.
        seconds: that the batch took.
        playing: seconds of the runs that succeeded, loading and compiling excluded.
        passing: whether a failure may not come again, so that the batch is played again next time.
        warnings: that came up, where they can be told from those of other threads.
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
    """Ends a batch in the middle, when nobody waits for its outcome any more."""


def play_batch(batch: Batch, data: Encoded | str, wanted: Callable[[], bool] | None = None) -> Outcome:
    """Play a batch.

    A replica's numbers do not depend on its neighbours, so that where a run fails the others are
    played again without it: in halves, until the failing ones are alone. For the same reason a batch
    that would take more memory than it may is played in parts.

    Args:
        batch: the runs.
        data: their table, or the name of one.
        wanted: asked while the batch is played whether to go on.

    Raises:
        Abandoned: the batch is not wanted any more.
    """

    def check(_: int) -> None:
        if wanted is not None and not wanted():
            raise Abandoned

    outcome = Outcome()
    started = time.perf_counter()
    if not isinstance(data, str) and not data.contexts.flags.writeable:
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
    job = None
    try:
        job = prepare_batch(batch, data)
        table, cpu_seconds = (_fitted if batch.purpose == "hindsight" else _played)(batch, job, check)
    except Exception as error:
        if runs == 1:
            outcome.failures.append(failure(batch, 0, _reason(error, job)))
            # What somebody's code raises, `sys.exit` too, may not come again.
            exited = error.__cause__ is not None and not isinstance(error.__cause__, Exception)
            outcome.passing |= exited or not isinstance(error, NeucbError)
            return
        _play(batch.part(0, runs // 2), data, outcome, check)
        _play(batch.part(runs // 2, runs), data, outcome, check)
        return
    outcome.tables.append(table)
    outcome.played += job.log.round * runs
    outcome.playing.seconds += job.seconds
    outcome.playing.cpu_seconds += cpu_seconds
    outcome.about = {"engine": job.engine, "environment": job.environment, "rounds": job.log.round}


def _reason(error: Exception, job: Run | None) -> str:
    """Return one line on why a run failed."""
    told = error if isinstance(error, NeucbError) or job is None else job.explain(error)
    words = " ".join(str(told or error).split())
    return words if isinstance(told, NeucbError) else f"{type(error).__name__}: {words}"


def _played(batch: Batch, job: Run, check: Progress) -> tuple[pa.Table, float]:
    """Play runs; return their rows and the seconds of the processor that it took."""
    job.load()
    began = time.thread_time()
    job.play(check)
    cpu_seconds = time.thread_time() - began
    return full_table(job, batch.columns), cpu_seconds


def _fitted(_: Batch, job: Run, __: Progress) -> tuple[pa.Table, float]:
    """Fit the class of a run that is not played; return its rows and the seconds that it took."""
    began = time.thread_time()
    return class_table(job), time.thread_time() - began


def failure(batch: Batch, run: int, reason: str) -> Failure:
    """Return the record of a run that failed."""
    return Failure(batch.label, batch.world.dataset.name, batch.seeds[run], plain(batch.cell(run)), reason)


def prepare_batch(batch: Batch, data: Encoded | str) -> Run:
    """Return the runs of a batch, ready to be played."""
    world = batch.world
    late = {key: batch.options[key] for key in ("delay", "batch") if key in batch.options}
    options = {key: value for key, value in batch.options.items() if key not in (*late, "source")}
    given = world.dataset.options
    if isinstance(data, str):
        options |= given
        if {"group", "arms"} & set(given) and not data.startswith(SYNTHETIC):
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
    job = prepare(
        batch.agent,
        data,
        batch.rounds,
        batch.seeds,
        settings=batch.settings,
        engine=batch.engine,
        device=batch.device,
        dtype=batch.dtype,
        notify=_silent,
        **late,
        **cast("EnvironmentOptions", options),
    )
    if job.engine == "compiled":
        from neucb.engines.compiled.engine import Compiled

        cast("Compiled", job.player).threads = THREADS
    return job


def _silent(_: str) -> None:
    """The sweep has said once what it plays."""
