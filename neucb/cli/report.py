"""neucb report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neucb.cli.messages import note


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Logs (Parquet), or folders of runs or of a sweep."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="HTML file of the report.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="Title of the page.  [default: name of the first PATH]")
    ] = None,
) -> None:
    """Write an HTML report on runs or a sweep: tables, figures, tests, settings, data."""
    from rich.console import Console
    from rich.progress import Progress

    from neucb.core.files import atomic_write, check_file, explained
    from neucb.report.render import render_report, steps
    from neucb.sweeps.store.read_results import read_results

    left_out: list[str] = []

    def note_left_out(line: str) -> None:
        left_out.append(line)
        note(line)

    check_file(out, "-o")
    results = read_results(paths, note_left_out)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("figures and growth laws", total=steps(results.frame))
        name = title or paths[0].resolve().stem
        page = render_report(results, name, left_out, lambda: bar.advance(task))
    with explained(out.parent, "-o"):
        atomic_write(out, lambda path: path.write_text(page, "utf-8", "backslashreplace"))
    print(out)
