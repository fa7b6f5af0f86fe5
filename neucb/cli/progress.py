"""Progress bars of runs and of several steps, with the time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neucb.cli.messages import terminal
from neucb.core.collection import resumed
from neucb.core.errors import NeucbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from neucb.engines.log import Progress
    from neucb.runs.run import Run


def play(run: Run, *, show: bool) -> bool:
    """Play a run with a progress bar; return whether Ctrl-C ended it early.

    Raises:
        NeucbError: the run failed; user code may raise other errors.
    """
    try:
        run.load()
        with _progress_bar(run, show) as advance, resumed():
            run.play(advance)
    except KeyboardInterrupt:
        return True
    except NeucbError:
        raise
    except Exception as error:
        known = run.explain(error)
        if known is None:
            raise
        raise known from error
    return False


@contextmanager
def _progress_bar(run: Run, show: bool) -> Iterator[Progress | None]:
    if not show:
        yield None
        return
    import time

    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    spec = run.log.spec
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} rounds"),
        TextColumn("{task.fields[rate]:,.0f} rounds/s"),
        TimeRemainingColumn(),
    )
    console = terminal(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        title = f"{run.agent_name} on {run.environment['dataset']}, {spec.replicas} seeds"
        task = bar.add_task(title, total=spec.horizon, rate=0.0)
        started = last_update = time.monotonic()

        def update(played: int) -> None:
            nonlocal last_update
            now = time.monotonic()
            if now - last_update > 0.1 or played == spec.horizon:
                last_update = now
                bar.update(task, completed=played, rate=played * spec.replicas / (now - started))

        yield update


@contextmanager
def steps(title: str) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """Show a progress bar on stderr: yield the setter of the number of steps, and the callback per step."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = terminal(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield (
            lambda total: bar.update(task, total=total),
            lambda step: bar.update(task, advance=1, description=step),
        )
