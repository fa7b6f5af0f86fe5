"""neucb bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from neucb.cli.options import OpenmlCache


def bench(
    shapes: Annotated[
        str | None, typer.Option(help="Data sets, comma-separated.  [default: all, --quick: covertype]")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run fewer entrants and repetitions: under a minute.")
    ] = False,
    openml_cache: OpenmlCache = None,
    out: Annotated[Path | None, typer.Option(help="Folder for bench.json, bench.txt and README.md.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and no table.")] = False,
) -> None:
    """Measure the speed of the agents against a plain PyTorch loop on this machine.

    Times are medians over repetitions in which the entrants alternate. Data are real rows from the OpenML
    cache, or random rows of the same shape.
    """
    from neucb.benchmarks.bench import run_bench
    from neucb.benchmarks.folder import write_folder
    from neucb.benchmarks.report import show
    from neucb.benchmarks.shapes import find_shapes
    from neucb.cli.messages import note, terminal
    from neucb.cli.progress import steps
    from neucb.core.files import check_writable, explained

    if out is not None:
        check_writable(out)
    chosen = find_shapes(shapes or ("covertype" if quick else "all"))
    with steps("measuring") as (plan, tick):
        measurements = run_bench(chosen, openml_cache, quick=quick, plan=plan, tick=tick)
    if as_json:
        print(json.dumps(measurements))
    else:
        show(measurements, terminal())
    if out is not None:
        with explained(out):
            for path in write_folder(measurements, out):
                note(f"written: {path}")
