"""neucb results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.cli.messages import note
from neucb.errors import InputError, NeucbError

if TYPE_CHECKING:
    import pandas as pd


def results(
    path: Annotated[Path, typer.Argument(help="Folder of an experiment, as `neucb sweep` prints it.")],
    export: Annotated[
        Path | None, typer.Option(help="Also write the table to this file: .csv or .tex.")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(help="Also write all rows, a run and round each, to this .csv file.")
    ] = None,
) -> None:
    """Show mean regret of every agent on every data set of a sweep; name what failed and what is missing."""
    from neucb.sweeps.load import load_results
    from neucb.sweeps.table import regret_table, shown, to_latex

    if export is not None and export.suffix not in (".csv", ".tex"):
        raise InputError(f"--export takes a .csv or .tex file, not {export}")
    if rows is not None and rows.suffix != ".csv":
        raise InputError(f"--rows takes a .csv file, not {rows}")
    frame = load_results(path)
    table = regret_table(frame)
    _print(shown(table), path)
    if export is not None:
        _write(export, to_latex(table) if export.suffix == ".tex" else table.to_csv(index=False))
    if rows is not None:
        _write(rows, frame.to_csv(index=False))
    failures = frame.attrs["failures"]
    for one in failures[:5]:
        note(f"failed: {one['agent']} on {one['dataset']}, seed {one['seed']}: {one['reason']}")
    if failures:
        raise NeucbError(f"{len(failures)} runs failed and are not in the table")


def _write(path: Path, text: str) -> None:
    from neucb.disk import explained, write_whole

    with explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    print(f"written: {path}")


def _print(table: pd.DataFrame, path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    words = {"data set", "agent", "order"}
    grid = Table(title=f"{path.name}: cumulative regret", title_justify="left")
    for name in table.columns:
        grid.add_column(name, justify="left" if name in words else "right")
    for row in table.itertuples(index=False):
        grid.add_row(*(str(value) for value in row))
    Console().print(grid)
