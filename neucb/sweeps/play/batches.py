"""Batches of one store: plan them and play the missing ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from neucb.core.errors import NeucbError
from neucb.core.threads import cores
from neucb.runs.store import Failure
from neucb.runs.warmup import compile_together
from neucb.sweeps.play.batch import Outcome, failure, prepare_batch
from neucb.sweeps.play.estimate import cost
from neucb.sweeps.play.execute import Task, Workers
from neucb.sweeps.play.warnings import Warned, kept_warnings

if TYPE_CHECKING:
    from neucb.runs.run import Run
    from neucb.runs.store import Record
    from neucb.sweeps.plan import Batch
    from neucb.sweeps.play.data import Data
    from neucb.sweeps.play.progress import Report
    from neucb.sweeps.store.batch_store import BatchStore
    from neucb.sweeps.store.locks import Claims

WAIT = 0.5  # seconds between checks of batches that another sweep plays


@dataclass
class Batches:
    """The batches that a sweep needs in one store.

    Attributes:
        store: store of their files.
        claims: locks on the batches.
        workers: function that plays tasks, see execute.py.
        data: data sets of the sweep.
        prints: data set -> its fingerprint, or the reason why it is unavailable.
        warned: warnings already printed.
        report: counts of runs.
        show: callback after every batch.
        names: names of the batches planned so far whose data are available.
        unplayed: runs that could not be started.
    """

    store: BatchStore
    claims: Claims
    workers: Workers
    data: Data
    prints: Mapping[str, dict[str, Any] | str]
    warned: Warned
    report: Report
    show: Callable[[], None]
    names: list[str] = field(default_factory=list)
    unplayed: list[Failure] = field(default_factory=list)
    _missing: dict[str, Batch] = field(default_factory=dict)
    _again: set[str] = field(default_factory=set)

    def plan(self, batches: Iterable[Batch]) -> list[str]:
        """Plan batches for `play`; return the names of those whose data are available."""
        names = []
        for batch in batches:
            data = self.prints[batch.world.dataset.name]
            if isinstance(data, str):
                self._fail(batch, data)
                continue
            name = batch.name(data)
            names.append(name)
            if name not in self._missing:
                self.names.append(name)
                self._missing[name] = batch
        return names

    def play(self) -> None:
        """Play the planned batches that the store lacks."""
        for name, batch in list(self._missing.items()):
            if self._found(name, batch):
                del self._missing[name]
        self.show()
        self._play(self._tasks(self._missing))
        self._missing = {}

    def clear(self) -> None:
        """Set aside batches that are not planned, and remove partial files of killed processes."""
        others = sorted(set(self.store.names()) - set(self.names))
        self.store.set_aside(others)
        self.store.clear()

    def _play(self, tasks: Sequence[Task]) -> None:
        """Play tasks, and wait for those that other sweeps play at the same time."""
        left = {task.name: task for task in tasks}
        said = False
        while left:
            with closing(self.workers(list(left.values()))) as played, self.warned.silenced():
                for task, outcome in played:
                    del left[task.name]
                    self._store(task, outcome)
            for name, task in list(left.items()):
                record = self._arrived(name)
                if record is not None:
                    del left[name]
                    self._count(record, task.batch)
            self.show()
            if left and not said:
                said = True
                self.data.notify(f"waiting for another sweep on {self.store.folder}: {len(left)} batches")
            if left:
                time.sleep(WAIT)

    def _store(self, task: Task, outcome: Outcome) -> None:
        import pyarrow as pa

        data = self.prints[task.batch.world.dataset.name]
        assert not isinstance(data, str)
        columns = self.store.columns()
        table = pa.concat_tables([columns.empty_table(), *outcome.tables], promote_options="default")
        if table.schema != columns:
            raise ValueError(f"columns without a place: {set(table.column_names) - set(columns.names)}")
        content = {
            "configuration": task.batch.configuration(data),
            "passing": outcome.passing,
            **outcome.about,
            "rounds_played": outcome.played,
            "seconds": outcome.seconds,
        }
        self.store.write(task.name, table, content, outcome.playing, tuple(outcome.failures))
        self.claims.release(task.name)
        self.report.failures += outcome.failures
        self.report.played += len(task.batch.seeds)
        self.report.rounds += outcome.played
        self.warned.tell({text: [task.batch] for text in outcome.warnings})
        self.show()

    def _claim(self, name: str) -> bool:
        """Claim a batch; return False where another sweep plays it or has just stored it."""
        if not self.claims.take(name):
            return False
        if self._arrived(name) is not None:
            self.claims.release(name)
            return False
        return True

    def _arrived(self, name: str) -> Record | None:
        """Return the record of a batch that another sweep has stored, else None."""
        return None if name in self._again else self.store.find(name)

    def _found(self, name: str, batch: Batch) -> bool:
        record = self.store.find(name)
        if record is None:
            self._mend(name)
            record = self.store.find(name)
        if record is None:
            return False
        if record.passing:
            self._again.add(name)
            return False
        self._count(record, batch)
        return True

    def _mend(self, name: str) -> None:
        """Set a damaged batch aside; restore an intact one that was set aside."""
        if not self.store.damaged(name):
            self.store.restore(name)
        elif self.claims.take(name):  # else it is being written
            if self.store.damaged(name):  # still: it may just have been written
                self.data.notify(f"{self.store.log(name)} is damaged: set aside, played again")
                self.store.set_aside([name])
            self.claims.release(name)

    def _count(self, record: Record, batch: Batch) -> None:
        """Count a stored batch in the report."""
        self.report.failures += record.failures
        self.report.found += len(batch.seeds)

    def _tasks(self, missing: Mapping[str, Batch]) -> list[Task]:
        tasks = []
        engines: dict[tuple[Any, ...], str] = {}
        words_of: dict[tuple[Any, ...], list[str]] = {}
        warned: dict[str, list[Batch]] = {}
        compiled: list[tuple[Callable[[], Run], Run]] = []
        for name, batch in missing.items():
            words = tuple(
                (key, value) for key, value in batch.settings.items() if not isinstance(value, tuple)
            )
            key = (batch.agent, batch.world.key, words)
            try:
                data = self.data.load(batch.world)
                if key not in engines:
                    words_of[key] = []
                    with kept_warnings(words_of[key]):
                        prepare = partial(prepare_batch, batch.part(0, 1), data)
                        run = prepare()
                        if run.engine == "compiled":
                            compiled.append((prepare, run))
                    engines[key] = run.engine
            except NeucbError as error:
                self._fail(batch, " ".join(str(error).split()))
                continue
            for text in dict.fromkeys(words_of[key]):
                warned.setdefault(text, []).append(batch)
            engine = engines[key]
            tasks.append(
                Task(name, batch, data, engine, cost(batch, data, engine), partial(self._claim, name))
            )
        self.warned.tell(warned)
        compile_together(compiled, cores(), self.data.notify)
        for _, run in compiled:
            run.load()  # in this thread, so that no two threads compile the same kernel
        return tasks

    def _fail(self, batch: Batch, reason: str) -> None:
        """Record a batch that could not be started; the next sweep tries it again."""
        failures = [failure(batch, run, reason) for run in range(len(batch.seeds))]
        self.unplayed += failures
        self.report.failures += failures
