"""Regret plots of `neucb run`, drawn in a second process while the run is prepared and played.

Importing matplotlib takes longer than many a run. The process reads paths of logs, one a line, and answers
each with a line: the path of its plot, empty after a failure, which it has reported on stderr.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Self

from neucb.cli.messages import note, warning_printer
from neucb.core.errors import NeucbError, in_one_line

if TYPE_CHECKING:
    from types import TracebackType


class Plotter:
    """Draws regret plots beside logs; a context manager, which ends the process on exit.

    The process starts on entry, unless this one has imported matplotlib already. Without it, plots are drawn
    in this process.
    """

    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if "matplotlib" not in sys.modules:
            with contextlib.suppress(OSError):  # no memory, say
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    errors="surrogateescape",
                    start_new_session=True,  # out of the reach of Ctrl-C
                )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def draw(self, log: Path) -> Path | None:
        """Draw the regret of a run beside its log; return the path, or None with a note on failure."""
        answer = self._ask(log)
        if answer is None:
            return draw_plot(log)
        return Path(answer) if answer else None

    def _ask(self, log: Path) -> str | None:
        """Return the answer of the process; None without one."""
        if self._process is None or "\n" in str(log):
            return None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{log}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = ""
        return answer.removesuffix("\n") if answer.endswith("\n") else None


def draw_plot(log: Path) -> Path | None:
    """Draw the regret of a run beside its log; return the path, or None with a note on failure."""
    from neucb.core.files import atomic_write
    from neucb.plots import save_figure
    from neucb.plots.kinds.regret import regret_figure
    from neucb.runs.formats import read_log

    path = log.with_suffix(".png")
    try:
        figure = regret_figure(read_log(log).to_pandas(), guarantees=False)
        atomic_write(path, lambda temporary: save_figure(figure, temporary))
    except (NeucbError, OSError) as error:
        with contextlib.suppress(OSError):
            path.unlink()  # plot of an earlier run in this place
        note(f"log and manifest of {path.stem} are saved, but no plot: {in_one_line(error)}")
        return None
    return path


def main() -> None:
    """Draw plots until stdin ends."""
    from neucb.core.collection import suspended
    from neucb.plots.text import text_width

    warnings.showwarning = warning_printer()
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    with suspended():
        text_width("n", 8.0)  # loads the font
        for line in sys.stdin:
            plot = draw_plot(Path(line.removesuffix("\n")))
            print("" if plot is None else plot, flush=True)
