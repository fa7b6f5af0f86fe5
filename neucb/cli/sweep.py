"""neucb sweep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.cli.messages import note
from neucb.cli.options import OpenmlCache, Strict
from neucb.core.errors import InputError, NeucbError, StoppedError, unknown_name

if TYPE_CHECKING:
    from neucb.sweeps.play.execute import Workers
    from neucb.sweeps.play.progress import Progress, Report
    from neucb.sweeps.spec.sweep_spec import Experiment


def sweep(
    spec: Annotated[str, typer.Argument(help="Spec: a TOML file, or the name of one that comes with neucb.")],
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of batches played at once.  [default: number of cores]")
    ] = None,
    openml_cache: OpenmlCache = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; each sweep gets a subfolder.")] = Path(
        "results"
    ),
    backend: Annotated[
        str, typer.Option(help="Backend: local (threads and processes of this machine) or dask.")
    ] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of the Dask scheduler, like tcp://host:8786.")
    ] = None,
    report_only: Annotated[
        bool,
        typer.Option(
            "--report-only", help="Skip tuning; use the hyper-parameters that an earlier sweep chose."
        ),
    ] = False,
    strict: Strict = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the folder of the results only.")] = False,
) -> None:
    """Play agents x data sets x grids x seeds in parallel; stored runs are not played again.

    Failures are listed at the end, the exit code is then 1, and the other runs are kept.
    """
    from neucb.sweeps.api import find_spec, play_experiment

    experiment = find_spec(spec)
    workers = choose_workers(backend, scheduler, jobs)
    folder = out / experiment.name
    try:
        with _progress_bar(experiment.name, show=not quiet) as progress:
            report = play_experiment(
                experiment,
                folder,
                workers,
                openml_cache=openml_cache,
                notify=note,
                report_only=report_only,
                strict=strict,
                progress=progress,
            )
    except KeyboardInterrupt:
        raise StoppedError(
            f"interrupted; the finished batches are in {folder}, the same command plays the others"
        ) from None
    _print_outcome(experiment, report, folder, quiet)


def choose_workers(backend: str, scheduler: str | None, jobs: int | None) -> Workers:
    """Return the function that plays the batches.

    Raises:
        InputError: an unknown backend, or options that do not go together.
    """
    from neucb.core.threads import cores
    from neucb.sweeps.play.execute import dask, local

    if backend not in ("local", "dask"):
        raise unknown_name("backend", backend, ("local", "dask"))
    if (backend == "dask") != (scheduler is not None):
        raise InputError("--backend dask and --scheduler ADDRESS go together")
    if scheduler is not None:
        if jobs is not None:
            raise InputError("--jobs is for this machine; a Dask cluster has its own number of threads")
        return lambda tasks: dask(tasks, scheduler)
    return lambda tasks: local(tasks, jobs or cores())


def _print_outcome(experiment: Experiment, report: Report, folder: Path, quiet: bool) -> None:
    if quiet:
        print(folder)
    else:
        print(
            f"{experiment.name}: {report.runs:,} runs, {report.found:,} stored before, "
            f"{report.played:,} played ({report.rounds:,} rounds) in {report.seconds:,.1f} s; "
            f"results: {folder}"
        )
    fits = report.fits
    if fits is not None and fits.runs and not quiet:
        print(f"best-in-class fits: {fits.runs:,}, {fits.found:,} stored before, {fits.played:,} made")
    failures = [*report.failures, *(fits.failures if fits is not None else ())]
    if failures:
        reasons: dict[str, list[str]] = {}
        for failure in failures:
            reasons.setdefault(f"{failure.agent} on {failure.dataset}", []).append(failure.reason)
        for where, lines in reasons.items():
            note(f"failed: {where}, {len(lines)} runs: {lines[0]}")
        total = report.runs + (fits.runs if fits is not None else 0)
        raise NeucbError(f"{len(failures):,} of {total:,} runs failed; the others are stored")


@contextmanager
def _progress_bar(name: str, *, show: bool) -> Iterator[Progress | None]:
    if not show:
        yield None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    started = time.monotonic()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=0, unit="runs", rate="")
        fit_task = bar.add_task("best in class", total=0, unit="fits", rate="", visible=False)

        def update(report: Report) -> None:
            rate = f"{report.rounds / (time.monotonic() - started):,.0f} rounds/s"
            bar.update(task, total=report.runs, completed=report.found + report.played, rate=rate)
            fits = report.fits
            if fits is not None and fits.runs:
                done = fits.found + fits.played
                bar.update(fit_task, total=fits.runs, completed=done, visible=True)

        yield update
