"""neucb bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def bench(
    shapes: Annotated[
        str | None, typer.Option(help="Data sets, with commas between.  [default: all, --quick: covertype]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute: fewer of everything.")] = False,
    openml_cache: Annotated[
        Path | None, typer.Option("--openml-cache", help="Folder of the OpenML cache.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write bench.json, bench.txt and README.md to this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and no table.")] = False,
) -> None:
    """Measure the speed of the agents against a plain PyTorch loop, on this machine, now.

    Figures are medians over repetitions in which the entrants alternate. Data are real rows from the OpenML
    cache, or else random rows of the same shape.
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
        found = run_bench(chosen, openml_cache, quick=quick, plan=plan, tick=tick)
    if as_json:
        print(json.dumps(found))
    else:
        show(found, terminal())
    if out is not None:
        with explained(out):
            for path in write_folder(found, out):
                note(f"written: {path}")
