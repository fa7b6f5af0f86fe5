"""Terminal tables, fitted to the terminal's width without truncated numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ENDLESS = 100_000  # terminal columns for the natural width of a table


def show_table(table: Table, console: Console | None = None) -> None:
    """Print a table of text, or one line per cell where its words are wider than the terminal.

    rich truncates words and numbers of a table that is too wide.

    Args:
        table: table whose headings and cells are strings, printed verbatim.
        console: output console, without emoji; stdout by default.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.measure import Measurement

    console = console or Console(markup=False, emoji=False)
    columns = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    widths = [max(map(cell_len, cells)) for cells in columns]
    least = [max(cell_len(word) for cell in cells for word in cell.split() or [""]) for cells in columns]
    natural = Measurement.get(console, console.options.update(width=ENDLESS, markup=False), table).maximum
    excess = natural - console.width
    if excess > sum(widths) - sum(least):
        _show_cells(table, columns, console)
        return
    for _ in range(excess):
        spare = [width - minimum for width, minimum in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    console.print(table, markup=False)


def _show_cells(table: Table, columns: list[list[str]], console: Console) -> None:
    """Print row after row, each cell on a separate line after its heading."""
    headings, *rows = zip(*columns, strict=True)
    margin = max(map(len, headings)) + 2
    lines = [] if table.title is None else [str(table.title)]
    for row in rows:
        lines += ["", *(f"{heading:{margin}}{cell}" for heading, cell in zip(headings, row, strict=True))]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, emoji=False, highlight=False)
