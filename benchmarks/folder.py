"""The folder of a benchmark run: bench.json (all figures), bench.txt (tables), README.md (machine and aims).

Written by `neucb bench --openml-cache CACHE --out results/benchmarks`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neucb.benchmarks.aims import measured
from neucb.benchmarks.report import show, significant
from neucb.core.files import atomic_write

COLUMNS = 118


def write_folder(found: dict[str, Any], folder: Path) -> list[Path]:
    """Write what `run_bench` returned to bench.json, bench.txt and README.md of a folder.

    Raises:
        OSError: it cannot be written.
    """
    from rich.console import Console

    def tables(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            show(found, Console(file=file, width=COLUMNS, markup=False, emoji=False))

    paths = [folder / name for name in ("bench.json", "bench.txt", "README.md")]
    atomic_write(paths[0], lambda path: path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8"))
    atomic_write(paths[1], tables)
    atomic_write(paths[2], lambda path: path.write_text(page(found), encoding="utf-8"))
    return paths


def page(found: dict[str, Any]) -> str:
    """Return the folder's README: how and where it was measured, and what was wanted."""
    own, versions = found["machine"], found["machine"]["versions"]
    sources = ", ".join(f"{name} {source}" for name, source in found["sources"].items())
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    load = "" if own["load"] is None else f", load average {own['load']:.1f} when it began"
    where = f"{own['platform']}{load}"
    aims = [
        f"| {aim.what} | {'at most' if aim.most else 'at least'} {significant(aim.wanted)}{aim.unit} "
        f"| {significant(value)}{aim.unit} | {'met' if aim.met(value) else '**missed**'} |"
        for aim, value in measured(found)
    ]
    lines = [
        "# Speed",
        "",
        "    neucb bench --openml-cache CACHE --out results/benchmarks",
        "",
        "wrote this page, `bench.json` and `bench.txt`, the same as tables. CACHE held the OpenML",
        "sets; without it all but covertype are stand-ins of the same shape.",
        "",
        f"- Rows: {sources}; covertype is the sample that comes with neucb.",
        f"- Machine: {own['processor']} ({own['vectors']}), {own['cores']} cores, {where}.",
        f"- Python {own['python']}, {libraries}.",
        f"- Medians of {found['repetitions']} repetitions in which the contenders take turns; CPU time, but",
        "  for the table of the whole machine. Compiling is not counted.",
        f"- The run took {found['seconds']:.0f} s. It measures the CPU only.",
        "",
        "## Aims",
        "",
        "| figure | aim | measured | |",
        "|---|---:|---:|---|",
        *aims,
        "",
    ]
    return "\n".join(lines)
