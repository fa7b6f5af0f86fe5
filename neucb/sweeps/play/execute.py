"""Execution of batches in threads, processes or a Dask cluster, through joblib."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError
from neucb.core.threads import leave_safe_path, safe_path
from neucb.sweeps.play.batch import Outcome, failure, play_batch

if TYPE_CHECKING:
    from neucb.environments.preprocessing import Encoded
    from neucb.sweeps.plan import Batch

LOST = "the worker process died: it crashed, was killed, or may have run out of memory"


@dataclass(frozen=True)
class Task:
    """A batch, ready to be passed to a worker.

    Attributes:
        name: stem of the batch's files.
        batch: runs to play.
        data: encoded table, or the name of the data set.
        engine: engine that plays the batch.
        cost: expected work, see estimate.py.
        claim: callback right before the start; returns False where another sweep plays the batch.
    """

    name: str
    batch: Batch
    data: Encoded | str
    engine: str
    cost: float
    claim: Callable[[], bool] = field(default=lambda: True, compare=False)


Played = Generator[tuple[Task, Outcome], None, None]
Workers = Callable[[Sequence[Task]], Played]


def ordered(tasks: Sequence[Task]) -> list[Task]:
    """Return tasks in the order of their start: the most expensive first, ties by name."""
    return sorted(tasks, key=lambda task: (-task.cost, task.name))


def local(tasks: Sequence[Task], jobs: int) -> Played:
    """Play the tasks that can be claimed on this machine; yield each when it is done.

    The compiled engine releases the interpreter lock and runs in threads, torch in processes. The batch of
    a worker that dies is played again.

    Args:
        tasks: tasks of any engines.
        jobs: number of threads or processes at a time.
    """
    mine = ordered(tasks)
    torch = [task for task in mine if task.engine != "compiled"]
    compiled = [task for task in mine if task.engine == "compiled"]
    if jobs == 1:
        for task in (*torch, *compiled):
            if task.claim():
                yield task, play_batch(task.batch, task.data)
        return
    yield from _surviving(torch, backend="loky", n_jobs=jobs)
    yield from _threads(compiled, jobs)


def dask(tasks: Sequence[Task], scheduler: str, patience: float = 10) -> Played:
    """Play tasks on a Dask cluster, whose workers must have neucb; yield each when it is done.

    As in `local`, tasks that cannot be claimed are skipped.

    Args:
        tasks: tasks of any engines.
        scheduler: address of the scheduler, for example tcp://127.0.0.1:8786.
        patience: timeout of the connection, in seconds.

    Raises:
        InputError: dask is not installed, or no scheduler answers.
    """
    if not tasks:
        return
    try:
        from dask.sizeof import sizeof
        from distributed import Client
    except ImportError:
        raise InputError("dask is not installed; pip install 'neucb[cluster]'") from None
    from joblib import parallel_config

    from neucb.environments.contexts import size
    from neucb.environments.preprocessing import Encoded

    # joblib sends an argument that dask takes for large once, not with every task.
    sizeof.register(Encoded, lambda encoded: size(encoded.contexts) + encoded.labels.nbytes)
    try:
        client = Client(scheduler, timeout=patience, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {scheduler}: {error}") from None
    with client, parallel_config(backend="dask", client=client):
        yield from _surviving(ordered(tasks))


def _threads(tasks: Sequence[Task], jobs: int) -> Played:
    """Play tasks in threads of this process, all of which have ended when this returns or raises.

    A thread that still ran C++ code while the interpreter shuts down would abort the process.
    """
    left = (task for task in tasks if task.claim())
    stop = threading.Event()
    play = partial(play_batch, wanted=lambda: not stop.is_set())
    with ThreadPoolExecutor(jobs) as pool:
        running: dict[Future[Outcome], Task] = {}
        try:
            while True:
                for task in islice(left, jobs + 1 - len(running)):
                    running[pool.submit(play, task.batch, task.data)] = task
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _parallel(tasks: Sequence[Task], **options: Any) -> Played:
    from joblib import Parallel, delayed

    if not tasks:
        return
    by_name = {task.name: task for task in tasks}
    parallel = Parallel(return_as="generator_unordered", batch_size=1, **options)
    with safe_path():
        for name, outcome in parallel(
            delayed(_named)(task.name, task.batch, task.data) for task in tasks if task.claim()
        ):
            yield by_name[name], outcome


def _named(name: str, batch: Batch, data: Encoded | str) -> tuple[str, Outcome]:
    if current_process().name.startswith("LokyProcess"):
        _leave_with_parent()
        leave_safe_path()
    return name, play_batch(batch, data)


@cache
def _leave_with_parent() -> None:
    """End this worker soon after its sweep, also where the sweep was killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _surviving(tasks: Sequence[Task], **options: Any) -> Played:
    """Play tasks in workers that may die; a batch whose worker dies while it plays alone has failed."""
    left = {task.name: task for task in tasks}
    while left:
        before = len(left)
        try:
            for task, outcome in _parallel(list(left.values()), **options):
                del left[task.name]
                yield task, outcome
            return  # other sweeps play the rest
        except Exception as error:
            if not _is_lost(error):
                raise
            if len(left) < before:
                continue
            begun = (task for task in left.values() if task.claim())
            for task in list(islice(begun, options.get("n_jobs", 1))):
                del left[task.name]
                yield task, _alone(task, **options)


def _alone(task: Task, **options: Any) -> Outcome:
    try:
        ((_, outcome),) = _parallel([task], **options)
    except Exception as error:
        if not _is_lost(error):
            raise
        runs = range(len(task.batch.seeds))
        return Outcome(failures=[failure(task.batch, run, LOST) for run in runs], passing=True)
    return outcome


def _is_lost(error: Exception) -> bool:
    """Return whether an error is loky's or dask's error for a worker that died."""
    return type(error).__name__ in ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker")
