"""neucb plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neucb.cli.messages import note
from neucb.core.errors import InputError
from neucb.plots.kinds.registry import KINDS, find_kind


def plot(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Logs (Parquet), or folders of runs or of a sweep."),
    ],
    kind: Annotated[
        str,
        typer.Option(help=f"Kind of plot: {', '.join(KINDS)}."),
    ] = "regret",
    x: Annotated[
        str | None,
        typer.Option(
            "--x", help="Scale of the horizontal axis: linear, log or sqrt.  [default: log; lstar: linear]"
        ),
    ] = None,
    bounds: Annotated[
        bool,
        typer.Option(
            "--bounds", help="Draw bounds too: shapes with fitted constants, and guaranteed bounds."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="File of the figure: .pdf, .png or .svg.  [default: KIND.pdf]"),
    ] = None,
) -> None:
    """Plot the logs of runs or of a sweep."""
    from neucb.core.files import atomic_write, check_file, explained
    from neucb.plots import draw, save_figure
    from neucb.plots.style import FORMATS
    from neucb.sweeps.store.read_results import read_results

    find_kind(kind)  # reject an unknown kind before reading logs
    file = out or Path(f"{kind}.pdf")
    if file.suffix.lower() not in FORMATS:
        raise InputError(f"a plot is a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file, not '{file.name}'")
    check_file(file, "-o")
    figure = draw(read_results(paths, note).frame, kind, x, bounds=bounds)
    with explained(file.parent, "-o"):
        atomic_write(file, lambda path: save_figure(figure, path))
    print(file)
