"""What `neucb run` shows and saves."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.cli.messages import note
from neucb.cli.progress import play
from neucb.cli.tables import print_summary, print_table
from neucb.core.errors import NeucbError, StoppedError, in_one_line

if TYPE_CHECKING:
    import pandas as pd

    from neucb.runs.run import Run


class Output:
    """What a run shows and saves.

    Args:
        folder: for the results.
        as_json: print JSON and no table.
        quiet: print the paths of the results only.
        several: one table for all runs at the end instead of one after each.
        hindsight: fit the best policy of the agent's class after each run.
    """

    def __init__(
        self, folder: Path, *, as_json: bool, quiet: bool, several: bool, hindsight: bool = False
    ) -> None:
        self.folder = folder
        self.as_json = as_json
        self.quiet = quiet
        self.several = several
        self.hindsight = hindsight
        self.figures: list[dict[str, Any]] = []

    def play(self, job: Run) -> None:
        """Play a run with a progress bar, save it, show its figures.

        Saved first, so that nothing is lost where the output has been closed (`| head`); shown even
        where the disk is full.

        Raises:
            NeucbError: the run failed, or could not be saved.
            StoppedError: Ctrl-C ended it early; what was played is saved.
        """
        from neucb.runs.save import save

        if self.hindsight:
            from neucb.theory.hindsight import check_hindsight

            check_hindsight(job)
        try:
            interrupted = play(job, show=not (self.quiet or self.as_json))
        except NeucbError as error:
            raise self._with_what_was_played(job, error) from error
        if job.log.round == 0:
            raise KeyboardInterrupt
        left_out = _look_back(job) if self.hindsight and not interrupted else None
        try:
            saved = save(job, self.folder)
            plot = draw_plot(job.frame(), saved.log.with_suffix(".png"))
        finally:
            self._show(job)
        if not self.as_json and (self.quiet or not self.several):
            files = {"log": saved.log, "manifest": saved.manifest, "plot": plot, "trace": saved.trace}
            for label, path in files.items():
                if path is not None:
                    print(f"{label:9}{path}")
        if interrupted:
            raise StoppedError(f"interrupted after round {job.log.round}; the results up to there are saved")
        if left_out is not None:
            raise left_out

    def _with_what_was_played(self, job: Run, error: NeucbError) -> NeucbError:
        """Save the rounds before a failure; return the error with a word on them."""
        from neucb.runs.save import save

        if job.log.round == 0:
            return error
        try:
            saved = save(job, self.folder)
        except NeucbError:
            return error
        draw_plot(job.frame(), saved.log.with_suffix(".png"))
        before = "the round before is" if job.log.round == 1 else f"the {job.log.round} rounds before are"
        return type(error)(f"{error}; {before} in {saved.log}")

    def _show(self, job: Run) -> None:
        from neucb.core.json_values import plain
        from neucb.runs.summary import summary

        self.figures.append(summary(job))
        if self.several:
            return
        if self.as_json:
            print(json.dumps(plain(self.figures[-1])))
        elif not self.quiet:
            print_summary(self.figures[-1])

    def finish(self) -> None:
        """Show the table of several runs."""
        from neucb.core.json_values import plain

        if not self.several or not self.figures:
            return
        if self.as_json:
            print(json.dumps(plain(self.figures)))
        elif not self.quiet:
            print_table(self.figures)
            print(f"logs, manifests and plots: {self.folder}")


def draw_plot(frame: pd.DataFrame, path: Path) -> Path | None:
    """Draw the regret of a run into a file; return None, with a note, where that fails."""
    from neucb.core.files import atomic_write
    from neucb.plots import regret_figure, save_figure

    try:
        figure = regret_figure(frame)
        atomic_write(path, lambda temporary: save_figure(figure, temporary))
    except (NeucbError, OSError) as error:
        with contextlib.suppress(OSError):
            path.unlink()  # of an earlier run, which may have been another
        note(f"log and manifest of {path.stem} are saved, but no plot: {in_one_line(error)}")
        return None
    return path


def _look_back(job: Run) -> NeucbError | None:
    """Fit the best policy of the agent's class; return what has ended that early."""
    from neucb.theory.hindsight import add_hindsight

    note("fitting the best policy of the agent's class; Ctrl-C leaves it out")
    try:
        add_hindsight(job)
    except KeyboardInterrupt:
        return StoppedError("interrupted while the class was fitted; the run is saved without it")
    except NeucbError as error:
        return type(error)(f"{error}; the run is saved without it")
    return None
