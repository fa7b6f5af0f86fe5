"""What `neucb bench` found, as JSON and as tables."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.benchmarks.contenders import cores
from neucb.provenance import library_version

if TYPE_CHECKING:
    from rich.table import Table

LIBRARIES = ("neucb", "numpy", "numba", "torch", "joblib")
TITLES = {
    "speed": "KL network with FastCB's rule (agent kl), microseconds of CPU time per round of one replica",
    "machine": "the whole machine, all its cores: microseconds of wall-clock time per round of one replica",
}


def machine() -> dict[str, Any]:
    """Describe the machine and the versions that decide the speed."""
    import torch

    return {
        "processor": _processor(),
        "cores": cores(),
        "platform": platform.platform(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "versions": {name: library_version(name) for name in LIBRARIES},
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if sys.platform == "linux" and info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def show(found: dict[str, Any]) -> None:
    """Print everything."""
    from rich.console import Console

    console = Console()
    for name, title in TITLES.items():
        rows = [row for row in found["rows"] if row["table"] == name]
        if rows:
            console.print(by_task(title, rows))
    described = found["machine"]
    sources = ", ".join(f"{name} {source}" for name, source in found["sources"].items())
    print(f"rows: {sources}")
    print(
        f"{described['processor']}, {described['cores']} cores, torch {described['versions']['torch']}, "
        f"numba {described['versions']['numba']}; medians of {found['repetitions']} repetitions, contenders "
        f"in turn; {found['seconds']:.0f} s"
    )


def by_task(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Return a table with a line per contender and a column per task: time and ratio."""
    from rich.table import Table

    tasks = list(dict.fromkeys(row["task"] for row in rows))
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for task in tasks:
        table.add_column(task, justify="right")
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = {row["task"]: row for row in rows if row["contender"] == name}
        table.add_row(name, *(cell(own[task]) if task in own else "-" for task in tasks))
    return table


def cell(row: dict[str, Any]) -> str:
    """Return the time and the ratio of one measurement."""
    time = row[f"{row['by']}_us"]
    return f"{significant(time)}  {significant(row['ratio'])}x"


def significant(value: float) -> str:
    """Return a number with about three digits."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
