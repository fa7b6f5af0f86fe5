"""neucb datasets: list, show, fetch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.cli.messages import note, print_rows
from neucb.cli.options import (
    SOURCE_HELP,
    SUITE_HELP,
    Columns,
    Decimal,
    Header,
    OpenmlCache,
    Separator,
    Strict,
    Target,
    reading_options,
)
from neucb.core.errors import InputError, NeucbError

if TYPE_CHECKING:
    from neucb.environments.table import ColumnSummary

LEFT_OUT = ("id", "text", "skip", "empty")  # column types that are not encoded

datasets_app = typer.Typer(rich_markup_mode=None)


@datasets_app.callback(invoke_without_command=True)
def datasets(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the data sets, one line each."""
    from neucb.environments.sources.catalogue import catalogue, patterns
    from neucb.runs.plugins import DATASETS, installed

    if context.invoked_subcommand is not None:
        return
    rows = catalogue()
    if as_json:
        listed = [
            {"name": row.name, "summary": row.summary, "origin": row.origin, "suites": row.suites}
            for row in rows
        ]
        print(json.dumps(listed))
        return
    print_rows([(row.name, row.summary) for row in rows])
    plugins = installed(DATASETS)
    if plugins:
        print("\ninstalled plugins:")
        print_rows(list(plugins.items()))
    print(f"\nothers: {', '.join(patterns())}, or your own function, file.py:name")


@datasets_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Data set: name or file.")],
    target: Target = None,
    columns: Columns = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    strict: Strict = False,
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = "auto",
    openml_cache: OpenmlCache = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show classes, column types, missing values, licence and source of a data set."""
    from dataclasses import asdict

    from neucb.environments.describe import describe
    from neucb.environments.sources.catalogue import load_table
    from neucb.environments.table import announce
    from neucb.environments.tables.table_file import Reading

    reading = Reading.of(reading_options(target, columns, header, decimal, separator))
    table = load_table(name, source=source, openml_cache=openml_cache, reading=reading, notify=note)
    announce(table.name, table.notes, note, strict=strict)
    description = describe(table)
    if as_json:
        print(json.dumps(asdict(description)))
        return
    rows = [
        ("name", description.name),
        ("source", description.source),
        ("rows", f"{description.rows:,}"),
        ("classes K", f"{description.arms}, arms in this order:"),
        *[("", f"{label} {share:.1%}") for label, share in description.class_shares.items()],
        ("columns", f"{description.numeric} numeric, {description.nominal} nominal"),
        ("features d", f"{description.features_standard} (standard), {description.features_paper} (paper)"),
        ("missing", f"{description.missing:,} values"),
        ("best fixed arm", f"loses {description.best_fixed_arm:.2%} of the rounds"),
    ]
    provenance = [(key.replace("_", " "), str(value)) for key, value in description.provenance.items()]
    print_rows(rows + provenance)
    print()
    print_rows([("column", "type"), *[(column.name, _type(column)) for column in description.columns]])


def _type(column: ColumnSummary) -> str:
    """Return the type of a column as text."""
    text = column.kind + (f" ({column.detail})" if column.detail else "")
    if column.kind in LEFT_OUT:
        text += ", left out"
    text += "" if column.distinct is None else f", {column.distinct:,} values"
    text += f", {column.missing:,} missing" if column.missing else ""
    return text + (f"; {column.offending}" if column.offending else "")


@datasets_app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets: names, lists (a,b) and globs (mfeat-*).")
    ] = None,
    suite: Annotated[str | None, typer.Option(help=SUITE_HELP)] = None,
    openml_cache: OpenmlCache = None,
) -> None:
    """Download data sets into the OpenML cache, three at a time; cached ones are kept."""
    from rich.console import Console
    from rich.progress import Progress

    from neucb.environments.sources.catalogue import expand
    from neucb.environments.sources.fetch import fetch as fetch_all

    chosen = expand(names or [], suite)
    if not chosen:
        raise InputError("name the data sets to fetch, or a --suite")
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("fetching", total=len(chosen))
        failed = fetch_all(chosen, openml_cache, notify=note, progress=lambda name: bar.advance(task))
    print(f"{len(chosen) - len(failed)} of {len(chosen)} data sets are in the cache")
    if failed:
        raise NeucbError("; ".join(failed.values()))
