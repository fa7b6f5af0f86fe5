"""sweep: plan, play the missing batches, choose settings, report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError, NeucbError
from neucb.core.files import check_writable
from neucb.core.json_values import plain
from neucb.sweeps.best_in_class import class_batches
from neucb.sweeps.identity import code_version
from neucb.sweeps.plan import reporting_batches, runs, tuning_batches, worlds
from neucb.sweeps.play.batches import Batches
from neucb.sweeps.play.progress import Report
from neucb.sweeps.play.warnings import Warned
from neucb.sweeps.select import Chosen, from_json, select, to_json
from neucb.sweeps.store.batch_store import ASIDE, PLAN, SELECTION, BatchStore, holds_runs
from neucb.sweeps.store.load_sweep import FITS, class_schema, is_plan
from neucb.sweeps.store.locks import Claims

if TYPE_CHECKING:
    from neucb.sweeps.plan import Batch
    from neucb.sweeps.play.data import Data
    from neucb.sweeps.play.execute import Workers
    from neucb.sweeps.play.progress import Progress
    from neucb.sweeps.spec.sweep_spec import Experiment


def sweep(
    experiment: Experiment,
    folder: Path,
    workers: Workers,
    data: Data,
    *,
    report_only: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Play the batches of an experiment that `folder` does not hold yet.

    Args:
        experiment: experiment to play.
        folder: folder of the results, created if need be.
        workers: function that plays tasks, see execute.py.
        data: data sets of the sweep.
        report_only: whether the settings chosen by an earlier sweep are used instead of tuning.
        progress: callback after every batch.

    Raises:
        NeucbError: the folder holds single runs, or cannot be written to; the disk is full; there is no
            earlier choice.
    """
    check_writable(folder)
    if holds_runs(folder):
        raise InputError(
            f"{folder} holds runs of `neucb run`; rename the experiment, or name another out=..."
        )
    with Claims(folder) as claims:
        return _Sweep(experiment, folder, claims, workers, data, progress).play(report_only)


class _Sweep:
    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        claims: Claims,
        workers: Workers,
        data: Data,
        progress: Progress | None,
    ) -> None:
        self.experiment = experiment
        self.claims = claims
        self.data = data
        self.progress = progress
        self.report = Report(fits=Report())
        self.planned = False
        self.hindsight: list[dict[str, Any]] = []
        self.prints: dict[str, dict[str, Any] | str] = {}
        self.store = BatchStore(folder)
        self.former = self.store.read_json(PLAN)
        fits = BatchStore(folder / FITS, class_schema)
        warned = Warned(data.notify)
        self.runs, self.fits = (
            Batches(store, claims, workers, data, self.prints, warned, report, self._show)
            for store, report in ((self.store, self.report), (fits, self.report.fits or Report()))
        )

    def play(self, report_only: bool) -> Report:
        started = time.perf_counter()
        for dataset in self.experiment.datasets:
            try:
                self.prints[dataset.name] = self.data.fingerprint(dataset)
            except NeucbError as error:
                self.prints[dataset.name] = " ".join(str(error).split())
        tuning = [] if report_only else tuning_batches(self.experiment)
        self.report.runs = runs(tuning) + self._reported()
        self._report_other_code(self.runs.plan(tuning))
        self._write_plan()
        self.runs.play()
        chosen = self._stored_choice() if report_only else self._choose(tuning)
        reporting = reporting_batches(self.experiment, chosen)
        self.report.runs = runs(tuning) + runs(reporting)
        self._report_other_code(self.runs.plan(reporting))
        self._plan_fits(reporting)
        self.planned = True
        self._write_plan()
        self.runs.play()
        self.fits.play()
        self._write_plan()
        if self.claims.alone():
            self.runs.clear()
            self.fits.clear()
        self.report.seconds = time.perf_counter() - started
        return self.report

    def _report_other_code(self, names: Sequence[str]) -> None:
        """Report that batches of other code are not used as results; once, since the plan names the code.

        Args:
            names: names of planned batches.
        """
        plan = self.former
        if plan is None or plan.get("code") == code_version():
            return
        if not {*names} <= {*plan.get("batches", ())}:
            self.former = None
            self.data.notify(
                f"{self.store.folder} was played by other code: batches that it changes are played anew, and "
                f"theirs are set aside in {ASIDE}"
            )

    def _plan_fits(self, reporting: Sequence[Batch]) -> None:
        """Plan the best-in-class fits, one for all runs of the same class, world and seed."""
        wanted = [one for one in class_batches(self.experiment, reporting) if self._has_data(one[0])]
        names = self.fits.plan(batch for batch, _ in wanted)
        self.hindsight = [{**run, "fit": name} for (_, run), name in zip(wanted, names, strict=True)]
        self.fits.report.runs = len(self.fits.names)

    def _has_data(self, batch: Batch) -> bool:
        """Return whether the data of a batch are available; missing data are reported with its runs."""
        return not isinstance(self.prints[batch.world.dataset.name], str)

    def _reported(self) -> int:
        """Return the number of reporting runs if every agent has a choice in every world."""
        cells = [1 if self.experiment.tuned(one) else len(one.cells()) for one in self.experiment.agents]
        return sum(cells) * len(worlds(self.experiment)) * len(self.experiment.reporting_seeds)

    def _stored_choice(self) -> Chosen:
        stored = self.store.read_json(SELECTION)
        if stored is None:
            raise InputError(f"{self.store.folder} holds no choice of settings; run the sweep with tuning")
        try:
            chosen = from_json(stored, self.experiment.agents)
        except (KeyError, TypeError, AttributeError):
            chosen = None
        if chosen is None or any(isinstance(one, tuple) for cell in chosen.values() for one in cell.values()):
            raise InputError(
                f"{self.store.folder / SELECTION} is no choice of settings; run the sweep with tuning"
            )
        return chosen

    def _choose(self, tuning: Sequence[Batch]) -> Chosen:
        if not tuning:
            return {}
        there = [name for name in self.runs.names if self.store.find(name) is not None]
        chosen = select(self.experiment, self.store.table(there).to_pandas())
        self.store.write_json(self.store.folder / SELECTION, to_json(chosen, self.experiment.select))
        return chosen

    def _write_plan(self) -> None:
        plan = {
            "experiment": self.experiment.name,
            "complete": self.planned,
            "batches": self.runs.names,
            "unplayed": [asdict(one) for one in self.runs.unplayed],
            "hindsight": self.hindsight,
            "code": code_version(),
        }
        there = self.store.read_json(PLAN)
        if there is not None and not self.planned and self._goes_further(there):
            return
        if there != plain(plan):
            self.store.write_json(self.store.folder / PLAN, plan)

    def _goes_further(self, plan: Mapping[str, Any]) -> bool:
        """Return whether a stored plan is complete and contains the present one."""
        same = (plan.get("experiment"), plan.get("code")) == (self.experiment.name, code_version())
        return (
            same and is_plan(plan) and bool(plan["complete"]) and set(self.runs.names) <= set(plan["batches"])
        )

    def _show(self) -> None:
        if self.progress is not None:
            self.progress(self.report)
