"""neucb results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.cli.messages import note
from neucb.core.errors import InputError, NeucbError

if TYPE_CHECKING:
    import pandas as pd

TIMES = "CPU seconds per 10,000 rounds of a run"


def results(
    path: Annotated[Path, typer.Argument(help="Folder of a sweep, as `neucb sweep` prints it, or of runs.")],
    export: Annotated[Path | None, typer.Option(help="File for the table, .csv or .tex.")] = None,
    rows: Annotated[
        Path | None, typer.Option(help="File for all rows, one per run and logged round, .csv.")
    ] = None,
    times: Annotated[
        bool, typer.Option("--times", help="Show CPU seconds per 10,000 rounds instead of regret.")
    ] = False,
) -> None:
    """Show the mean regret of all agents on all data sets of a sweep or of runs; list failed runs."""
    from neucb.sweeps.store.load_times import load_times
    from neucb.sweeps.store.read_results import load_results
    from neucb.sweeps.tables import regret_table, shown, shown_times, times_table, to_latex, to_tabular

    if export is not None and export.suffix not in (".csv", ".tex"):
        raise InputError(f"--export takes a .csv or .tex file, not {export}")
    if rows is not None and rows.suffix != ".csv":
        raise InputError(f"--rows takes a .csv file, not {rows}")
    frame = load_results(path)
    table = times_table(load_times(path)) if times else regret_table(frame)
    cells = shown_times(table) if times else shown(table)
    _print(cells, f"{path.resolve().name}: {TIMES if times else 'cumulative regret'}")
    if export is not None:
        latex = to_tabular(cells) if times else to_latex(table)
        _write("--export", export, latex if export.suffix == ".tex" else table.to_csv(index=False))
    if rows is not None:
        _write("--rows", rows, frame.to_csv(index=False))
    failures = frame.attrs["failures"]
    for failure in failures[:5]:
        note(
            f"failed: {failure['agent']} on {failure['dataset']}, seed {failure['seed']}: {failure['reason']}"
        )
    if failures:
        raise NeucbError(f"{len(failures)} runs failed and are not in the table")


def _write(option: str, path: Path, text: str) -> None:
    from neucb.core.files import atomic_write, explained

    with explained(path.parent, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda temporary: temporary.write_text(text, "utf-8", "backslashreplace"))
    print(f"written: {path}")


def _print(table: pd.DataFrame, title: str) -> None:
    from rich.table import Table

    from neucb.core.terminal import show_table

    text_columns = {"data set", "agent", "order", "engine"}
    grid = Table(title=title, title_justify="left")
    for name in table.columns:
        grid.add_column(name, justify="left" if name in text_columns else "right")
    for row in table.itertuples(index=False):
        grid.add_row(*(str(value) for value in row))
    show_table(grid)
