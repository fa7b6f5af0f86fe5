"""neucb diagnose."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from neucb.agents.initialisation import INITIALISATIONS
from neucb.cli.messages import note, print_rows
from neucb.cli.options import (
    LABEL_NOISE_HELP,
    PREPROCESSING_HELP,
    SOURCE_HELP,
    Columns,
    Decimal,
    Header,
    OpenmlCache,
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
    dataset: Annotated[str, typer.Option(help="Classification data set: name or file.")],
    rounds: Annotated[
        int,
        typer.Option(help="Rounds T, 32 to 20000, at most the number of rows; kernel exact up to 5000."),
    ] = 2000,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the row order, the networks and the action draws.")
    ] = 0,
    ridge: Annotated[
        str, typer.Option(help="Ridge parameters lambda > 0, comma-separated.")
    ] = "0.001,0.01,0.1,1",
    init: Annotated[str, typer.Option(help=f"Initialisation: {listed(INITIALISATIONS)}.")] = "he",
    intercept: Annotated[float, typer.Option(help="Constant input appended to the context.")] = 0.1,
    preprocessing: Annotated[str, typer.Option("--preprocessing", help=PREPROCESSING_HELP)] = "standard",
    label_noise: Annotated[float, typer.Option(help=LABEL_NOISE_HELP)] = 0.0,
    target: Target = None,
    columns: Columns = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    strict: Strict = False,
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = "auto",
    openml_cache: OpenmlCache = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, curves included, and no table.")
    ] = False,
) -> None:
    """Compare the regret bounds of NeuralUCB and NeuralTS with their regret on a data set.

    The neural tangent kernel of all T K encoded contexts determines effective dimension, S and the bounds
    for every T; neural-ucb and neural-ts play the same rows.
    """
    from neucb.agents.initialisation import INITIALISATIONS
    from neucb.environments.classification import load
    from neucb.environments.tables.table_file import Reading
    from neucb.runs.api import prepare
    from neucb.theory.diagnose import diagnose as compute
    from neucb.theory.diagnosis import Question

    if init not in INITIALISATIONS:
        raise unknown_name("initialisation", init, INITIALISATIONS)
    ridges = parse_ridges(ridge)
    Question(rounds, seed, ridges)  # raise errors before loading data
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
    progress = _print_stage if sys.stderr.isatty() and not as_json else lambda _: None
    diagnosis = compute(encoded, question, prepare, progress)
    if as_json:
        print(json.dumps(diagnosis.as_dict()))
    else:
        print_diagnosis(diagnosis)


def parse_ridges(text: str) -> tuple[float, ...]:
    """Return the numbers of "0.01,1".

    Raises:
        InputError: the text is not a list of numbers.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--ridge takes numbers with commas between, like 0.01,1, not '{text}'") from None


def _print_stage(stage: str) -> None:
    note(f"{stage} ...")


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Print the quantities at T, a row per lambda, and conclusions."""
    from rich.table import Table

    from neucb.core.terminal import show_table
    from neucb.theory.diagnosis import words

    question = diagnosis.question
    size = f"K = {diagnosis.arms}, d = {diagnosis.features}"
    at_least = "at least " if question.rounds > diagnosis.exact else ""
    print_rows(
        [
            ("data set", f"{diagnosis.dataset}, {diagnosis.preprocessing}, {size}"),
            ("rounds T", f"{question.rounds:,}, seed {question.seed}, label noise {question.noise:g}"),
            ("kernel", f"{question.rounds * diagnosis.arms:,} contexts, init {question.init}"),
            ("eigenvalues", f"{diagnosis.least:.3g} to {diagnosis.largest:,.4g}"),
            ("S", f"{at_least}{diagnosis.norm[-1]:,.1f}, ridge {diagnosis.norm_ridge:g}"),
        ]
    )
    table = Table()
    for column in ("lambda", "dimension", "grows like", "UCB bound", "regret", "TS, C = 1", "regret"):
        table.add_column(column, justify="right")
    for result in diagnosis.ridges:
        table.add_row(
            f"{result.ridge:g}",
            f"{result.dimension[-1]:,.1f}"
            + (f" ± {result.error * result.dimension[-1]:,.1f}" if result.error else ""),
            f"T^{result.power:.2f}",
            f"{result.ucb_bound[-1]:,.0f}",
            f"{result.ucb_regret[-1]:,.0f}",
            f"{result.ts_shape[-1]:,.0f}",
            f"{result.ts_regret[-1]:,.0f}",
        )
    show_table(table)
    for line in words(diagnosis):
        print(f"- {line}")
