"""Tables of the results of `neucb bench`, and a description of the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.provenance import library_version
from neucb.core.terminal import show_table
from neucb.core.threads import cores

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LIBRARIES = ("neucb", "numpy", "numba", "torch", "joblib")
MOST_COLUMNS = 6  # maximum number of columns of tasks
TITLES = {
    "speed": "KL network with FastCB's rule (agent kl), microseconds of CPU time per round of one replica",
    "variants": "agents on the first data set, each against a plain loop that computes the same, one process",
    "loop": "loop around a user-defined agent that does nothing",
    "scaling": "agent kl on dense rows, K = 7, d = 54, width 100, except for the varied size",
    "replicas": "agent kl on the torch engine, dense rows of the same size; ratio to R = 1",
    "machine": "all cores of the machine: microseconds of wall-clock time per round of one replica",
}


def machine() -> dict[str, Any]:
    """Return the machine and the library versions that determine the speed."""
    import torch

    return {
        "processor": _processor(),
        "cores": cores(),
        "platform": platform.platform(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "versions": {name: library_version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if sys.platform == "linux" and info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def show(results: dict[str, Any], console: Console) -> None:
    """Print all tables."""
    for name, title in TITLES.items():
        rows = [row for row in results["rows"] if row["table"] == name]
        if rows:
            show_table(by_task(title, rows), console)
    show_table(memory_table(results["memory"]), console)
    show_table(peer_table(results["peers"]), console)
    host = results["machine"]
    sources = ", ".join(f"{name} {source}" for name, source in results["sources"].items())
    footer = (
        f"rows: {sources}\n"
        f"{host['processor']}, {host['cores']} cores, torch {host['versions']['torch']}, "
        f"numba {host['versions']['numba']}; medians of {results['repetitions']} repetitions, "
        f"entrants alternating; {results['seconds']:.0f} s"
    )
    console.print(footer, soft_wrap=True, highlight=False, markup=False)


def by_task(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Return a table of times and ratios: entrants in rows, tasks in columns; transposed for many tasks."""
    from rich.table import Table

    tasks = list(dict.fromkeys(row["task"] for row in rows))
    entrants = list(dict.fromkeys(row["contender"] for row in rows))
    cells = {(row["task"], row["contender"]): cell(row) for row in rows}
    table = Table(title=title, title_justify="left")
    table.add_column("")
    transposed = len(tasks) > MOST_COLUMNS
    for heading in entrants if transposed else tasks:
        table.add_column(heading, justify="right")
    if transposed:
        for task in tasks:
            table.add_row(task, *(cells.get((task, name), "-") for name in entrants))
    else:
        for name in entrants:
            table.add_row(name, *(cells.get((task, name), "-") for task in tasks))
    return table


def memory_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the table of memory per replica."""
    from rich.table import Table

    table = Table(title="memory of a replica before round 1, KiB; 1,000 rounds", title_justify="left")
    table.add_column("")
    for engine in ("torch", "compiled"):
        table.add_column(engine, justify="right")
    for row in rows:
        sizes = (f"{row[name] / 1024:,.0f}" if name in row else "-" for name in ("torch", "compiled"))
        table.add_row(row["task"], *sizes)
    return table


def peer_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the table of peers with mistakes and speed."""
    from rich.table import Table

    table = Table(title="one seed of the first data set: mistakes and speed", title_justify="left")
    for column in ("", "rounds", "mistakes", "CPU us per round", "rounds per CPU second"):
        table.add_column(column, justify="right" if column else "left")
    for row in rows:
        if "note" in row:
            table.add_row(row["peer"], row["note"])
        else:
            speed = (significant(row["cpu_us"]), f"{1e6 / row['cpu_us']:,.0f}")
            table.add_row(row["peer"], f"{row['rounds']:,}", f"{row['mistakes']:,}", *speed)
    return table


def cell(row: dict[str, Any]) -> str:
    """Return the time and the ratio of one measurement as text."""
    time = row[f"{row['by']}_us"]
    return f"{significant(time)}  {significant(row['ratio'])}x"


def significant(value: float) -> str:
    """Return a number with about three significant digits."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
