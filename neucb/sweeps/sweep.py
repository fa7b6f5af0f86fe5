"""sweep: plan, play what is missing, choose, report; nothing that is finished is played again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.disk import check_writable
from neucb.errors import InputError, NeucbError
from neucb.summary import plain
from neucb.sweeps.cost import cost
from neucb.sweeps.data import Data
from neucb.sweeps.execute import Task, Workers
from neucb.sweeps.identity import code_version
from neucb.sweeps.plan import Batch, reporting_batches, runs, tuning_batches, worlds
from neucb.sweeps.play import Failure, failure, prepare_batch
from neucb.sweeps.selection import Chosen, from_json, select, to_json
from neucb.sweeps.store import PLAN, SELECTION, Store

if TYPE_CHECKING:
    from neucb.sweeps.spec import Experiment


@dataclass
class Report:
    """What a sweep did.

    Attributes:
        runs: of the whole experiment, as far as it could be planned.
        found: runs that were there already.
        played: runs played now.
        rounds: rounds of these together.
        seconds: that the sweep took.
        failures: runs without rows, in this sweep or in an earlier one.
    """

    runs: int = 0
    found: int = 0
    played: int = 0
    rounds: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)


Progress = Callable[[Report], None]


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
    return _Sweep(experiment, Store(folder), workers, data, progress).play(report_only)


class _Sweep:
    def __init__(
        self, experiment: Experiment, store: Store, workers: Workers, data: Data, progress: Progress | None
    ) -> None:
        self.experiment = experiment
        self.store = store
        self.workers = workers
        self.data = data
        self.progress = progress
        self.report = Report()
        self.names: list[str] = []
        self.planned = False
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
        self.store.set_aside(sorted(set(self.store.names()) - set(self.names)))
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
        tasks = self._tasks(missing)
        with closing(self.workers(tasks)) as played:
            for task, outcome in played:
                data = self.prints[task.batch.world.dataset.name]
                assert not isinstance(data, str)
                self.store.write(task.name, task.batch, data, outcome)
                self.report.failures += outcome.failures
                self.report.played += len(task.batch.seeds)
                self.report.rounds += outcome.played
                self._show()

    def _found(self, name: str, batch: Batch) -> bool:
        if self.store.damaged(name):
            self.data.notify(f"{self.store.log(name)} is damaged: set aside, played again")
            self.store.set_aside([name])
        else:
            self.store.restore(name)
        record = self.store.find(name)
        if record is None or record.passing:
            return False
        self.report.failures += record.failures
        self.report.found += len(batch.seeds)
        return True

    def _tasks(self, missing: Mapping[str, Batch]) -> list[Task]:
        tasks = []
        engines: dict[tuple[Any, ...], str] = {}
        for name, batch in missing.items():
            words = tuple(
                (key, value) for key, value in batch.settings.items() if not isinstance(value, tuple)
            )
            key = (batch.agent, batch.world.key, words)
            try:
                data = self.data.load(batch.world)
                if key not in engines:
                    job = prepare_batch(batch.part(0, 1), data)
                    engines[key] = job.engine
                    if job.engine == "compiled":
                        job.load()  # here, so that no two threads compile the same kernel
            except NeucbError as error:
                self._fail(batch, " ".join(str(error).split()))
                continue
            tasks.append(Task(name, batch, data, engines[key], cost(batch, data, engines[key])))
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
        if self.store.read_json(PLAN) != plain(plan):
            self.store.write_json(self.store.folder / PLAN, plan)

    def _show(self) -> None:
        if self.progress is not None:
            self.progress(self.report)
