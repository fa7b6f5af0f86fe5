"""neucb datasets: list, show, fetch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.cli.messages import note, print_rows
from neucb.cli.options import (
    SOURCES,
    Columns,
    Decimal,
    Header,
    Separator,
    Strict,
    Target,
    reading_options,
)
from neucb.core.errors import InputError, NeucbError

if TYPE_CHECKING:
    from neucb.environments.table import ColumnSummary

LEFT_OUT = ("id", "text", "skip", "empty")

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
    others = installed(DATASETS)
    if others:
        print("\ninstalled besides:")
        print_rows(list(others.items()))
    print(f"\nand any other: {', '.join(patterns())}, or a function of yours, file.py:name")


@datasets_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the data set, or a file.")],
    target: Target = None,
    columns: Columns = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    strict: Strict = False,
    source: Annotated[str, typer.Option(help=SOURCES)] = "auto",
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show classes, columns with their types, missing values, licence and source of a data set."""
    from dataclasses import asdict

    from neucb.environments.describe import describe
    from neucb.environments.sources.catalogue import load_table
    from neucb.environments.table import announce
    from neucb.environments.tables.table_file import Reading

    reading = Reading.of(reading_options(target, columns, header, decimal, separator))
    table = load_table(name, source=source, openml_cache=openml_cache, reading=reading, notify=note)
    announce(table.name, table.notes, note, strict=strict)
    facts = describe(table)
    if as_json:
        print(json.dumps(asdict(facts)))
        return
    rows = [
        ("name", facts.name),
        ("source", facts.source),
        ("rows", f"{facts.rows:,}"),
        ("classes K", f"{facts.arms}, arms in this order:"),
        *[("", f"{label} {share:.1%}") for label, share in facts.class_shares.items()],
        ("columns", f"{facts.numeric} numeric, {facts.nominal} nominal"),
        ("features d", f"{facts.features_standard} (standard), {facts.features_paper} (paper)"),
        ("missing", f"{facts.missing:,} values"),
        ("best fixed arm", f"loses {facts.best_fixed_arm:.2%} of the rounds"),
    ]
    left = [(key.replace("_", " "), str(value)) for key, value in facts.provenance.items()]
    print_rows(rows + left)
    print()
    print_rows([("column", "type"), *[(one.name, _type(one)) for one in facts.columns]])


def _type(column: ColumnSummary) -> str:
    """Return the type of a column as text."""
    words = column.kind + (f" ({column.detail})" if column.detail else "")
    if column.kind in LEFT_OUT:
        words += ", left out"
    words += "" if column.distinct is None else f", {column.distinct:,} values"
    words += f", {column.missing:,} missing" if column.missing else ""
    return words + (f"; {column.offending}" if column.offending else "")


@datasets_app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names, lists, globs.")] = None,
    suite: Annotated[str | None, typer.Option(help="All sets of a suite: cc18 or bakeoff.")] = None,
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
) -> None:
    """Download data sets into the OpenML cache, three at a time; cached ones are kept."""
    from rich.console import Console
    from rich.progress import Progress

    from neucb.environments.sources.catalogue import expand
    from neucb.environments.sources.fetch import fetch as fetch_all

    wanted = expand(names or [], suite)
    if not wanted:
        raise InputError("name the data sets to fetch, or a --suite")
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("fetching", total=len(wanted))
        failed = fetch_all(wanted, openml_cache, notify=note, progress=lambda name: bar.advance(task))
    print(f"{len(wanted) - len(failed)} of {len(wanted)} data sets are in the cache")
    if failed:
        raise NeucbError("; ".join(failed.values()))
