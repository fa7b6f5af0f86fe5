"""neucb datasets: list, show, fetch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from neucb.cli.messages import note, print_rows
from neucb.errors import InputError, NeucbError

datasets_app = typer.Typer(rich_markup_mode=None)


@datasets_app.callback(invoke_without_command=True)
def datasets(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the data sets, one line each."""
    from neucb.environments.catalogue import catalogue
    from neucb.plugins import DATASETS, installed

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
    print(
        "\nand any other: openml:<id>, openml:<name>, openml:<name>@<version>, a file, synthetic:<world>, "
        "or a function of yours, file.py:name"
    )


@datasets_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the data set, or a file.")],
    target: Annotated[str | None, typer.Option(help="Column to predict, of a file.")] = None,
    source: Annotated[str, typer.Option(help="auto, openml or bundled.")] = "auto",
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show rows, classes, columns, missing values, licence and source of a data set."""
    from dataclasses import asdict

    from neucb.environments.catalogue import load_table
    from neucb.environments.describe import describe

    table = load_table(name, source=source, cache=openml_cache, target=target, notify=note)
    facts = describe(table)
    if as_json:
        print(json.dumps(asdict(facts)))
        return
    shares = [f"{label} {share:.1%}" for label, share in facts.class_shares.items()]
    more = f", and {len(shares) - 10} more" if len(shares) > 10 else ""
    rows = [
        ("name", facts.name),
        ("source", facts.source),
        ("rows", f"{facts.rows:,}"),
        ("classes K", f"{facts.arms}: {', '.join(shares[:10])}{more}"),
        ("columns", f"{facts.numeric} numeric, {facts.nominal} nominal"),
        ("features d", f"{facts.features_standard} (standard), {facts.features_paper} (paper)"),
        ("missing", f"{facts.missing:,} values"),
        ("best fixed arm", f"loses {facts.best_fixed_arm:.2%} of the rounds"),
    ]
    print_rows(rows + [(key.replace("_", " "), str(value)) for key, value in facts.provenance.items()])


@datasets_app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names, lists, globs.")] = None,
    suite: Annotated[str | None, typer.Option(help="All sets of a suite: cc18 or bakeoff.")] = None,
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
) -> None:
    """Download data sets into the OpenML cache, three at a time; what is there is kept."""
    from rich.console import Console
    from rich.progress import Progress

    from neucb.environments.catalogue import expand
    from neucb.environments.fetch import fetch as fetch_all

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
