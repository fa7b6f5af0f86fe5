"""The folder of a benchmark run, results/benchmarks, and the README's paragraph that quotes it.

    neucb bench --openml-cache CACHE --out results/benchmarks
    python -m neucb.benchmarks.folder README.md results/benchmarks/bench.json

The first command measures and writes the folder: bench.json (all figures), bench.txt (the tables) and
README.md (machine and aims). The second one puts what the README quotes between its two marks.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from neucb.benchmarks.aims import measured, peer, row
from neucb.benchmarks.report import show, significant
from neucb.core.errors import InputError
from neucb.core.files import write_whole

BEGIN, END = "<!-- quoted from bench.json -->", "<!-- end of quotation -->"
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
    write_whole(paths[0], lambda path: path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8"))
    write_whole(paths[1], tables)
    write_whole(paths[2], lambda path: path.write_text(page(found), encoding="utf-8"))
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


def quote(found: dict[str, Any]) -> str:
    """Return the README's paragraph on speed.

    Raises:
        KeyError: a figure that it quotes was not measured.
    """
    own = found["machine"]
    speed = {
        name: row(found, "speed", "covertype", name) for name in ("compiled", "torch R=32", "torch R=128")
    }
    compiled, few, many = speed["compiled"], speed["torch R=32"], speed["torch R=128"]
    theirs, ours = peer(found, "vw-squarecb"), peer(found, "kl")
    aims = list(measured(found))
    missed = sum(not aim.met(value) for aim, value in aims)
    met = f"{missed} of {len(aims)} of them missed" if missed else f"all {len(aims)} of them met"
    us = [significant(one["cpu_us"]) for one in (compiled, many, few, theirs, ours)]
    words = [
        f"On {own['cores']} cores of an {own['processor']}, by CPU time, a round of `kl` on covertype took",
        f"{us[0]} microseconds compiled, {compiled['ratio']:.0f} times less than the",
        f"plain loop; {us[1]} and {us[2]} on the torch engine with",
        f"128 and 32 replicas ({many['ratio']:.0f} and {few['ratio']:.0f} times less). On the same",
        f"{theirs['rounds']:,} rows Vowpal Wabbit's linear SquareCB took {us[3]} and",
        f"made {theirs['mistakes']:,} mistakes, `kl` {us[4]} and {ours['mistakes']:,},",
        f"one seed. All tables, and the aims, {met}:",
        "[results/benchmarks](results/benchmarks/README.md).",
    ]
    return textwrap.fill(" ".join(words), COLUMNS, break_long_words=False, break_on_hyphens=False)


def quoted(readme: str, found: dict[str, Any]) -> str:
    """Return a README with the paragraph between its marks as `found` has it.

    Raises:
        InputError: the marks are missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"the README has no '{BEGIN}' and '{END}'")
    return f"{before}{BEGIN}\n{quote(found)}\n{END}{after}"


if __name__ == "__main__":
    target, source = map(Path, sys.argv[1:])
    target.write_text(quoted(target.read_text("utf-8"), json.loads(source.read_text("utf-8"))), "utf-8")
