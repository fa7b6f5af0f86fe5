"""Execute: batches over threads, processes or a Dask cluster, through joblib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neucb.sweeps.play import Outcome, play_batch

if TYPE_CHECKING:
    from neucb.environments.preprocessing import Encoded
    from neucb.sweeps.plan import Batch


@dataclass(frozen=True)
class Task:
    """A batch with what playing it needs.

    Attributes:
        name: of its files.
        batch: the runs.
        data: their table, or the name of one.
        engine: that will play it.
        cost: expected, in arithmetic operations.
    """

    name: str
    batch: Batch
    data: Encoded | str
    engine: str
    cost: float


Workers = Callable[[Sequence[Task]], Iterator[tuple[Task, Outcome]]]


def local(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Outcome]]:
    """Play tasks on this machine, the most expensive first; yield each when it is done.

    The compiled engine leaves the interpreter to others and is spread over threads, torch over
    processes.

    Args:
        tasks: of any engines.
        jobs: threads or processes at a time.
    """
    ordered = sorted(tasks, key=lambda task: (-task.cost, task.name))
    for backend, mine in (
        ("loky", [task for task in ordered if task.engine != "compiled"]),
        ("threading", [task for task in ordered if task.engine == "compiled"]),
    ):
        if jobs == 1 or len(mine) == 1:
            yield from map(_play, mine)
        elif mine:
            yield from _parallel(mine, n_jobs=jobs, backend=backend)


def _parallel(tasks: Sequence[Task], **options: Any) -> Iterator[tuple[Task, Outcome]]:
    from joblib import Parallel, delayed

    by_name = {task.name: task for task in tasks}
    parallel = Parallel(return_as="generator_unordered", batch_size=1, **options)
    for name, outcome in parallel(delayed(_named)(task.name, task.batch, task.data) for task in tasks):
        yield by_name[name], outcome


def _named(name: str, batch: Batch, data: Encoded | str) -> tuple[str, Outcome]:
    return name, play_batch(batch, data)


def _play(task: Task) -> tuple[Task, Outcome]:
    return task, play_batch(task.batch, task.data)
