"""Output of `neucb run`: saved files and printed tables."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.cli.messages import note
from neucb.cli.progress import play
from neucb.cli.tables import print_summary, print_table
from neucb.core.errors import NeucbError, StoppedError, in_one_line

if TYPE_CHECKING:
    import pandas as pd

    from neucb.runs.run import Run
    from neucb.runs.save import Saved


@dataclass
class Output:
    """Saved files and printed tables of the runs of one command.

    Attributes:
        folder: folder of the results.
        as_json: whether to print JSON instead of tables.
        quiet: whether to print only the paths of the results.
        several: whether to print one table of all runs at the end instead of one per run.
        best_in_class: whether to fit the best policy of the agent's class after each run.
        resume: whether to show the results of a saved run instead of playing it again.
        summaries: JSON values of `neucb.runs.summary.summary`, one per run.
    """

    folder: Path
    as_json: bool
    quiet: bool
    several: bool
    best_in_class: bool = False
    resume: bool = True
    summaries: list[dict[str, Any]] = field(default_factory=list)

    def play(self, run: Run) -> None:
        """Play a run with a progress bar, save it, print its summary.

        It is saved before printing, so that a closed output (`| head`) loses nothing; the summary is
        printed even if the disk is full, and before the plot, which takes longer than many runs.

        Raises:
            NeucbError: the run failed, or could not be saved.
            StoppedError: Ctrl-C ended it early; the rounds played are saved.
        """
        from neucb.runs.save import save
        from neucb.runs.summary import summary

        if self.best_in_class:
            from neucb.theory.best_in_class import check_best_in_class

            check_best_in_class(run)
        if self.resume and self._show_saved(run):
            return
        try:
            interrupted = play(run, show=not (self.quiet or self.as_json))
        except NeucbError as error:
            raise self._with_saved_rounds(run, error) from error
        if run.log.round == 0:
            raise KeyboardInterrupt
        fit_error = _fit_class(run) if self.best_in_class and not interrupted else None
        try:
            saved = save(run, self.folder)
        except NeucbError:
            self._show(summary(run))
            raise
        try:
            self._show(summary(run))
        finally:  # even if the output is closed
            plot = draw_plot(run.frame(), saved.log)
        self._print_paths(saved, plot)
        if interrupted:
            raise StoppedError(f"interrupted after round {run.log.round}; the results up to there are saved")
        if fit_error is not None:
            raise fit_error

    def _show_saved(self, run: Run) -> bool:
        """Print a saved run of the same configuration and code; return whether there is one."""
        from neucb.runs.save import find_saved
        from neucb.theory.best_in_class import COLUMNS

        saved = find_saved(run, self.folder, COLUMNS if self.best_in_class else ())
        if saved is None:
            return False
        note(f"stored before, not played again: {saved.log}")
        plot = saved.log.with_suffix(".png")
        drawn = plot if plot.is_file() else draw_plot(saved.frame(), saved.log)
        self._show(saved.summary)
        self._print_paths(saved, drawn)
        return True

    def _with_saved_rounds(self, run: Run, error: NeucbError) -> NeucbError:
        """Save the rounds before a failure; return the error with the path of their log appended."""
        from neucb.runs.save import save

        if run.log.round == 0:
            return error
        try:
            saved = save(run, self.folder)
        except NeucbError:
            return error
        draw_plot(run.frame(), saved.log)
        before = "the round before is" if run.log.round == 1 else f"the {run.log.round} rounds before are"
        return type(error)(f"{error}; {before} in {saved.log}")

    def _show(self, summary: Mapping[str, Any]) -> None:
        from neucb.core.json_values import plain

        self.summaries.append(plain(summary))
        if self.several:
            return
        if self.as_json:
            print(json.dumps(self.summaries[-1]))
        elif not self.quiet:
            print_summary(self.summaries[-1])

    def _print_paths(self, saved: Saved, plot: Path | None) -> None:
        if self.as_json or (self.several and not self.quiet):
            return
        files = {"log": saved.log, "manifest": saved.manifest, "plot": plot, "trace": saved.trace}
        for label, path in files.items():
            if path is not None:
                print(f"{label:9}{path}")

    def finish(self) -> None:
        """Print the table of several runs."""
        if not self.several or not self.summaries:
            return
        if self.as_json:
            print(json.dumps(self.summaries))
        elif not self.quiet:
            print_table(self.summaries)
            print(f"logs, manifests and plots: {self.folder}")


def draw_plot(frame: pd.DataFrame, log: Path) -> Path | None:
    """Draw the regret of a run next to its log; return the path, or None after a failure, which is noted."""
    from neucb.core.files import atomic_write
    from neucb.plots import save_figure
    from neucb.plots.kinds.regret import regret_figure

    path = log.with_suffix(".png")
    try:
        figure = regret_figure(frame, guarantees=False)
        atomic_write(path, lambda temporary: save_figure(figure, temporary))
    except (NeucbError, OSError) as error:
        with contextlib.suppress(OSError):
            path.unlink()  # plot of an earlier run with this name
        note(f"log and manifest of {path.stem} are saved, but no plot: {in_one_line(error)}")
        return None
    return path


def _fit_class(run: Run) -> NeucbError | None:
    """Fit the best policy of the agent's class; return the error that ended the fit early, if any."""
    from neucb.theory.best_in_class import add_best_in_class

    note("fitting the best policy of the agent's class; Ctrl-C leaves it out")
    try:
        add_best_in_class(run)
    except KeyboardInterrupt:
        return StoppedError("interrupted during the best-in-class fit; the run is saved without it")
    except NeucbError as error:
        return type(error)(f"{error}; the run is saved without it")
    return None
