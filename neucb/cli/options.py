"""Options shared by several commands, and parsing of their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
import typer.core

from neucb.core.errors import InputError
from neucb.environments.orders.registry import ORDERS, order_summary
from neucb.environments.preprocessing import ENCODINGS
from neucb.environments.sources.catalogue import Source

DATA, FEEDBACK, AGENT, ENGINE, OUTPUT = "Data", "Feedback", "Agent", "Engine", "Output"  # panels of the help


def listed(names: Iterable[str]) -> str:
    """Return "a, b or c"."""
    *first, last = names
    return f"{', '.join(first)} or {last}"


def explained(pairs: Iterable[tuple[str, str]]) -> str:
    """Return "a (summary of a), b (summary of b)"."""
    return ", ".join(f"{name} ({summary})" for name, summary in pairs)


class PanelCommand(typer.core.TyperCommand):
    """A command whose help lists its options by panel."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section per panel, in the order of the options; options without a panel come last."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(record)
        panels["Options"] = panels.pop("Options", [])
        for panel, records in panels.items():
            if records:
                with formatter.section(panel):
                    formatter.write_dl(records)


Target = Annotated[
    str | None, typer.Option(rich_help_panel=DATA, help="Column of a file to predict.  [default: the last]")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        rich_help_panel=DATA,
        metavar="NAME=TYPE,...",
        help="Types of a file's columns in place of the inferred ones: number, date, category, label, or id, "
        "text, skip (left out).",
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        rich_help_panel=DATA,
        help="Whether the first line of a .csv or .tsv file holds the column names.  [default: yes; a line "
        "that looks like data is an error]",
        show_default=False,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(rich_help_panel=DATA, metavar="SIGN", help="Decimal sign of a file's numbers: . or ,"),
]
Separator = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=DATA, metavar="SIGN", help="Separator of a .csv or .tsv file; \\t for a tab."
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", rich_help_panel=DATA, help="Fail if rows or columns of the data set would be left out."
    ),
]
OpenmlCache = Annotated[
    Path | None,
    typer.Option("--openml-cache", rich_help_panel=DATA, help="Folder of the OpenML cache."),
]
# Help of options whose default differs between commands
SUITE_HELP = "Suite of data sets: cc18 or bakeoff."
SEEDS_HELP = "Seeds: a count (5 for 0 to 4), a range (10:20 for 10 to 19) or a list (3,7)."
PREPROCESSING_HELP = f"Encoding of the features: {explained(ENCODINGS.items())}."
ORDER_HELP = f"Order of the rows: {explained((name, order_summary(name)) for name in ORDERS)}."
LABEL_NOISE_HELP = "Label noise: probability that a label is replaced, at least 0, below (K - 1) / K."
DTYPE_HELP = "Floating-point type of networks: float32 or float64."
SOURCE_HELP = f"Source of the data: {listed(get_args(Source))}."


def reading_options(
    target: str | None,
    columns: Sequence[str] | None,
    header: bool | None,
    decimal: str | None,
    separator: str | None,
) -> dict[str, object]:
    """Return the given options as arguments of `neucb.environments.tables.table_file.Reading`.

    Raises:
        InputError: an entry of `columns` is not name=type.
    """
    options = {
        "target": target,
        "columns": parse_columns(columns or []) or None,
        "header": header,
        "decimal": decimal,
        "separator": "\t" if separator == "\\t" else separator,
    }
    return {name: value for name, value in options.items() if value is not None}


def parse_columns(texts: Sequence[str]) -> dict[str, str]:
    """Return name -> type of "name=type,name=type"; names may hold commas and equals signs.

    Raises:
        InputError: a part without a type, or a name given twice.
    """
    from neucb.environments.tables.column_types import KINDS

    columns: dict[str, str] = {}
    for text in texts:
        parts = text.split(",")
        while parts:
            part = parts.pop(0)
            while part.rpartition("=")[2] not in KINDS and parts:  # a comma of the name
                part = f"{part},{parts.pop(0)}"
            name, equals, kind = part.rpartition("=")
            if not equals or kind not in KINDS:
                raise InputError(f"--columns takes NAME=TYPE,... with types {', '.join(KINDS)}, not '{text}'")
            if name in columns:
                raise InputError(f"--columns gives '{name}' twice")
            columns[name] = kind
    return columns
