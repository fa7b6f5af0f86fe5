"""sweep: plan, play what is missing, choose, report; nothing that is finished is played again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.disk import check_writable
from neucb.errors import InputError, NeucbError
from neucb.summary import plain
from neucb.sweeps.claims import Claims
from neucb.sweeps.cost import cost
from neucb.sweeps.data import Data
from neucb.sweeps.execute import Task, Workers
from neucb.sweeps.identity import code_version
from neucb.sweeps.plan import Batch, reporting_batches, runs, tuning_batches, worlds
from neucb.sweeps.play import Failure, Outcome, failure, prepare_batch
from neucb.sweeps.progress import Progress, Report
from neucb.sweeps.selection import Chosen, from_json, select, to_json
from neucb.sweeps.store import PLAN, SELECTION, Record, Store
from neucb.sweeps.warned import Warned, kept_warnings

if TYPE_CHECKING:
    from neucb.sweeps.spec import Experiment

WAIT = 0.5  # seconds between looks at what another sweep plays


def sweep(
    experiment: Experiment,
    folder: Path,
    workers: Workers,
    data: Data,
    *,
    report_only: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Play an experiment; what is in `folder` already is not played again.

    Args:
        experiment: what to play.
        folder: of its results, made if need be.
        workers: play tasks, see execute.py.
        data: the data sets.
        report_only: take the settings that an earlier sweep chose instead of tuning.
        progress: called whenever a batch is done.

    Raises:
        NeucbError: the folder cannot be written to; the disk is full; there is no earlier choice.
    """
    check_writable(folder)
    with Claims(folder) as claims:
        return _Sweep(experiment, Store(folder), claims, workers, data, progress).play(report_only)


class _Sweep:
    def __init__(
        self,
        experiment: Experiment,
        store: Store,
        claims: Claims,
        workers: Workers,
        data: Data,
        progress: Progress | None,
    ) -> None:
        self.experiment = experiment
        self.store = store
        self.claims = claims
        self.workers = workers
        self.data = data
        self.progress = progress
        self.report = Report()
        self.names: list[str] = []
        self.planned = False
        self.again: set[str] = set()
        self.warned = Warned(data.notify)
        self.unplayed: list[Failure] = []
        self.prints: dict[str, dict[str, Any] | str] = {}

    def play(self, report_only: bool) -> Report:
        started = time.perf_counter()
        for dataset in self.experiment.datasets:
            try:
                self.prints[dataset.name] = self.data.fingerprint(dataset)
            except NeucbError as error:
                self.prints[dataset.name] = " ".join(str(error).split())
        tuning = [] if report_only else tuning_batches(self.experiment)
        self.report.runs = runs(tuning) + self._reported()
        self._batches(tuning, complete=False)
        chosen = self._stored_choice() if report_only else self._choose(tuning)
        reporting = reporting_batches(self.experiment, chosen)
        self.report.runs = runs(tuning) + runs(reporting)
        self._batches(reporting, complete=True)
        self._write_plan()
        if self.claims.alone():
            self.store.set_aside(sorted(set(self.store.names()) - set(self.names)))
            self.store.clear()
        self.report.seconds = time.perf_counter() - started
        return self.report

    def _reported(self) -> int:
        """Return how many reporting runs there will be if every agent has a choice in every world."""
        cells = [1 if self.experiment.tuned(one) else len(one.cells()) for one in self.experiment.agents]
        return sum(cells) * len(worlds(self.experiment)) * len(self.experiment.reporting_seeds)

    def _stored_choice(self) -> Chosen:
        stored = self.store.read_json(SELECTION)
        if stored is None:
            raise InputError(f"{self.store.folder} holds no choice of settings; run the sweep with tuning")
        return from_json(stored, self.experiment.agents)

    def _choose(self, tuning: Sequence[Batch]) -> Chosen:
        if not tuning:
            return {}
        there = [name for name in self.names if self.store.find(name) is not None]
        chosen = select(self.experiment, self.store.table(there).to_pandas())
        self.store.write_json(self.store.folder / SELECTION, to_json(chosen, self.experiment.select))
        return chosen

    def _batches(self, batches: Sequence[Batch], *, complete: bool) -> None:
        """Play those of the batches that are not there."""
        missing: dict[str, Batch] = {}
        for batch in batches:
            data = self.prints[batch.world.dataset.name]
            if isinstance(data, str):
                self._fail(batch, data)
                continue
            name = batch.name(data)
            self.names.append(name)
            missing[name] = batch
        self.planned = complete
        self._write_plan()
        for name, batch in list(missing.items()):
            if self._found(name, batch):
                del missing[name]
        self._show()
        self._play(self._tasks(missing))

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
            self._show()
            if left and not said:
                said = True
                self.data.notify(f"waiting for another sweep on {self.store.folder}: {len(left)} batches")
            if left:
                time.sleep(WAIT)

    def _store(self, task: Task, outcome: Outcome) -> None:
        data = self.prints[task.batch.world.dataset.name]
        assert not isinstance(data, str)
        self.store.write(task.name, task.batch, data, outcome)
        self.claims.release(task.name)
        self.report.failures += outcome.failures
        self.report.played += len(task.batch.seeds)
        self.report.rounds += outcome.played
        self.warned.tell({text: [task.batch] for text in outcome.warnings})
        self._show()

    def _claim(self, name: str) -> bool:
        """Claim a batch; there is no need where another sweep has just stored it."""
        if not self.claims.take(name):
            return False
        if self._arrived(name) is not None:
            self.claims.release(name)
            return False
        return True

    def _arrived(self, name: str) -> Record | None:
        """Return the record of a batch that another sweep has stored."""
        return None if name in self.again else self.store.find(name)

    def _found(self, name: str, batch: Batch) -> bool:
        record = self.store.find(name)
        if record is None:
            self._mend(name)
            record = self.store.find(name)
        if record is None:
            return False
        if record.passing:
            self.again.add(name)
            return False
        self._count(record, batch)
        return True

    def _mend(self, name: str) -> None:
        """Set a damaged batch aside; bring back one that is whole from there."""
        if not self.store.damaged(name):
            self.store.restore(name)
        elif self.claims.take(name):  # else it is being written
            if self.store.damaged(name):  # still: it may just have been written
                self.data.notify(f"{self.store.log(name)} is damaged: set aside, played again")
                self.store.set_aside([name])
            self.claims.release(name)

    def _count(self, record: Record, batch: Batch) -> None:
        """Count a batch that was there."""
        self.report.failures += record.failures
        self.report.found += len(batch.seeds)

    def _tasks(self, missing: Mapping[str, Batch]) -> list[Task]:
        tasks = []
        engines: dict[tuple[Any, ...], str] = {}
        words_of: dict[tuple[Any, ...], list[str]] = {}
        warned: dict[str, list[Batch]] = {}
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
                        job = prepare_batch(batch.part(0, 1), data)
                        if job.engine == "compiled":
                            job.load()  # here, so that no two threads compile the same kernel
                    engines[key] = job.engine
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
        return tasks

    def _fail(self, batch: Batch, reason: str) -> None:
        """Record a batch that could not even begin; it is tried again next time."""
        failures = [failure(batch, run, reason) for run in range(len(batch.seeds))]
        self.unplayed += failures
        self.report.failures += failures

    def _write_plan(self) -> None:
        plan = {
            "experiment": self.experiment.name,
            "complete": self.planned,
            "batches": self.names,
            "unplayed": [asdict(one) for one in self.unplayed],
            "code": code_version(),
        }
        there = self.store.read_json(PLAN)
        if there is not None and not self.planned and self._goes_further(there):
            return
        if there != plain(plan):
            self.store.write_json(self.store.folder / PLAN, plan)

    def _goes_further(self, plan: Mapping[str, Any]) -> bool:
        """Return whether a plan that is there is complete, and this one is a part of it so far."""
        same = (plan.get("experiment"), plan.get("code")) == (self.experiment.name, code_version())
        return same and bool(plan.get("complete")) and set(self.names) <= set(plan.get("batches", ()))

    def _show(self) -> None:
        if self.progress is not None:
            self.progress(self.report)
