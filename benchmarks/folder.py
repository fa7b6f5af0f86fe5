"""Output folder of a benchmark run: bench.json (results), bench.txt (tables), README.md (machine, targets).

Written by `neucb bench --openml-cache CACHE --out results/benchmarks`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neucb.benchmarks.report import show, significant
from neucb.benchmarks.targets import measured
from neucb.core.files import atomic_write

COLUMNS = 118  # width of bench.txt


def write_folder(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write the results of `run_bench` to bench.json, bench.txt and README.md in a folder; return the paths.

    Raises:
        OSError: a file cannot be written.
    """
    from rich.console import Console

    def tables(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            show(results, Console(file=file, width=COLUMNS, markup=False, emoji=False))

    paths = [folder / name for name in ("bench.json", "bench.txt", "README.md")]
    atomic_write(
        paths[0], lambda path: path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    )
    atomic_write(paths[1], tables)
    atomic_write(paths[2], lambda path: path.write_text(page(results), encoding="utf-8"))
    return paths


def page(results: dict[str, Any]) -> str:
    """Return the README of the folder: method, machine and targets."""
    host, versions = results["machine"], results["machine"]["versions"]
    sources = ", ".join(f"{name} {source}" for name, source in results["sources"].items())
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    load = "" if host["load"] is None else f", load average {host['load']:.1f} when it began"
    platform = f"{host['platform']}{load}"
    targets = [
        f"| {entry.metric} "
        f"| {'at most' if entry.most else 'at least'} {significant(entry.wanted)}{entry.unit} "
        f"| {significant(value)}{entry.unit} | {'met' if entry.met(value) else '**missed**'} |"
        for entry, value in measured(results)
    ]
    lines = [
        "# Speed",
        "",
        "    neucb bench --openml-cache CACHE --out results/benchmarks",
        "",
        "wrote this page, `bench.json` and its tables, `bench.txt`. CACHE held the OpenML data sets;",
        "without it all but covertype are stand-ins of the same shape.",
        "",
        f"- Rows: {sources}; covertype is the sample that comes with neucb.",
        f"- Machine: {host['processor']} ({host['vectors']}), {host['cores']} cores, {platform}.",
        f"- Python {host['python']}, {libraries}.",
        f"- Medians of {results['repetitions']} repetitions in which the entrants alternate; CPU time,",
        "  except for the table of all cores. Compiling is not counted.",
        f"- The run took {results['seconds']:.0f} s. It measures the CPU only.",
        "",
        "## Targets",
        "",
        "| metric | target | measured | |",
        "|---|---:|---:|---|",
        *targets,
        "",
    ]
    return "\n".join(lines)
