"""neucb report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neucb.cli.messages import note


def report(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Parquet logs, folders of runs or of sweeps.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The HTML file.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="Of the page.  [default: the name of the first PATH]")
    ] = None,
) -> None:
    """Write one HTML file on runs or sweeps: tables, figures, tests, settings, data."""
    from rich.console import Console
    from rich.progress import Progress

    from neucb.core.files import atomic_write, check_file, explained
    from neucb.report.render import render_report, steps
    from neucb.sweeps.store.read_results import read_results

    lines: list[str] = []

    def leave_out(line: str) -> None:
        lines.append(line)
        note(line)

    check_file(out, "-o")
    results = read_results(paths, leave_out)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("figures and growth laws", total=steps(results.frame))
        name = title or paths[0].resolve().stem
        page = render_report(results, name, lines, lambda: bar.advance(task))
    with explained(out.parent, "-o"):
        atomic_write(out, lambda path: path.write_text(page, "utf-8", "backslashreplace"))
    print(out)
