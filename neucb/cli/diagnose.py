"""neucb diagnose."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.agents.initialisation import INITIALISATIONS
from neucb.cli.messages import note, print_rows
from neucb.cli.options import (
    ENCODINGS,
    SOURCES,
    Columns,
    Decimal,
    Header,
    Separator,
    Strict,
    Target,
    listed,
    reading_options,
)
from neucb.core.errors import InputError, unknown_name

if TYPE_CHECKING:
    from neucb.theory.diagnosis import Diagnosis


def diagnose(
    dataset: Annotated[str, typer.Option(help="Name of a classification set, or a file.")],
    rounds: Annotated[
        int, typer.Option(help="Rounds T, 32 to 20000, or the rows there are; exact up to 5000.")
    ] = 2000,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the order of the rows, the networks and the dice.")
    ] = 0,
    ridge: Annotated[str, typer.Option(help="Values of lambda, with commas between.")] = "0.001,0.01,0.1,1",
    init: Annotated[str, typer.Option(help=f"Initialisation: {listed(INITIALISATIONS)}.")] = "he",
    intercept: Annotated[float, typer.Option(help="Constant input beside the context; 0 for none.")] = 0.1,
    preprocessing: Annotated[
        str,
        typer.Option("--preprocessing", help=ENCODINGS),
    ] = "standard",
    label_noise: Annotated[float, typer.Option(help="Chance q that a label is replaced.")] = 0.0,
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, curves included, and no table.")
    ] = False,
) -> None:
    """Compare the regret bounds of NeuralUCB and NeuralTS with their regret on a data set.

    The neural tangent kernel of all T K encoded contexts gives effective dimension, S and the bounds
    for every T; neural-ucb and neural-ts play the same rows.
    """
    from neucb.agents.initialisation import INITIALISATIONS
    from neucb.environments.classification import load
    from neucb.environments.tables.table_file import Reading
    from neucb.runs.api import prepare
    from neucb.theory.diagnose import diagnose as find
    from neucb.theory.diagnosis import Question

    if init not in INITIALISATIONS:
        raise unknown_name("initialisation", init, INITIALISATIONS)
    ridges = parse_ridges(ridge)
    Question(rounds, seed, ridges)  # errors before anything is loaded
    encoded = load(
        dataset,
        preprocessing=preprocessing,
        source=source,
        openml_cache=openml_cache,
        reading=Reading.of(reading_options(target, columns, header, decimal, separator)),
        strict=strict,
        notify=note,
    )
    rows = encoded.table.rows
    if rounds > rows:
        note(f"{encoded.table.name} has {rows} rows: taking {rows} rounds instead of {rounds}")
    question = Question(min(rounds, rows), seed, ridges, init, intercept, label_noise)  # type: ignore[arg-type]
    found = find(encoded, question, prepare, _say if sys.stderr.isatty() and not as_json else lambda _: None)
    if as_json:
        print(json.dumps(found.as_dict()))
    else:
        print_diagnosis(found)


def parse_ridges(text: str) -> tuple[float, ...]:
    """Return the numbers of "0.01,1".

    Raises:
        InputError: the text is not a list of numbers.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--ridge takes numbers with commas between, like 0.01,1, not '{text}'") from None


def _say(stage: str) -> None:
    note(f"{stage} ...")


def print_diagnosis(found: Diagnosis) -> None:
    """Print the figures at T, a row for each lambda, and conclusions."""
    from rich.table import Table

    from neucb.core.terminal import show_table
    from neucb.theory.diagnosis import words

    question = found.question
    at_least = "at least " if question.rounds > found.exact else ""
    print_rows(
        [
            ("data set", f"{found.dataset}, {found.preprocessing}, K = {found.arms}, d = {found.features}"),
            ("rounds T", f"{question.rounds:,}, seed {question.seed}, label noise {question.noise:g}"),
            ("kernel", f"{question.rounds * found.arms:,} contexts, init {question.init}"),
            ("eigenvalues", f"{found.least:.3g} to {found.largest:,.4g}"),
            ("S", f"{at_least}{found.norm[-1]:,.1f}, ridge {found.norm_ridge:g}"),
        ]
    )
    table = Table()
    for column in ("lambda", "dimension", "grows like", "UCB bound", "regret", "TS, C = 1", "regret"):
        table.add_column(column, justify="right")
    for one in found.ridges:
        table.add_row(
            f"{one.ridge:g}",
            f"{one.dimension[-1]:,.1f}" + (f" ± {one.error * one.dimension[-1]:,.1f}" if one.error else ""),
            f"T^{one.power:.2f}",
            f"{one.ucb_bound[-1]:,.0f}",
            f"{one.ucb_regret[-1]:,.0f}",
            f"{one.ts_shape[-1]:,.0f}",
            f"{one.ts_regret[-1]:,.0f}",
        )
    show_table(table)
    for line in words(found):
        print(f"- {line}")
