"""Update of the README's paragraph that quotes a benchmark run.

    python -m neucb.benchmarks.maintenance.quote README.md results/benchmarks/bench.json

rewrites the paragraph between its two markers.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from neucb.benchmarks.folder import COLUMNS
from neucb.benchmarks.report import significant
from neucb.benchmarks.targets import measured, peer, row
from neucb.core.errors import InputError

BEGIN, END = "<!-- quoted from bench.json -->", "<!-- end of quotation -->"


def quote(results: dict[str, Any]) -> str:
    """Return the README's paragraph on speed.

    Raises:
        KeyError: a quoted metric was not measured.
    """
    machine = results["machine"]
    speed = {
        name: row(results, "speed", "covertype", name) for name in ("compiled", "torch R=32", "torch R=128")
    }
    compiled, few, many = speed["compiled"], speed["torch R=32"], speed["torch R=128"]
    theirs, ours = peer(results, "vw-squarecb"), peer(results, "kl")
    targets = list(measured(results))
    missed = sum(not target.met(value) for target, value in targets)
    met = f"{missed} of {len(targets)} of them missed" if missed else f"all {len(targets)} of them met"
    us = [significant(entry["cpu_us"]) for entry in (compiled, many, few, theirs, ours)]
    sentences = [
        f"On {machine['cores']} cores of an {machine['processor']}, by CPU time,",
        "a round of `kl` on covertype took",
        f"{us[0]} microseconds compiled, {compiled['ratio']:.0f} times less than the",
        f"plain loop; {us[1]} and {us[2]} on the torch engine with",
        f"128 and 32 replicas ({many['ratio']:.0f} and {few['ratio']:.0f} times less). On the same",
        f"{theirs['rounds']:,} rows Vowpal Wabbit's linear SquareCB took {us[3]} and",
        f"made {theirs['mistakes']:,} mistakes, `kl` {us[4]} and {ours['mistakes']:,},",
        f"one seed. All tables, and the targets, {met}:",
        "[results/benchmarks](results/benchmarks/README.md).",
    ]
    return textwrap.fill(" ".join(sentences), COLUMNS, break_long_words=False, break_on_hyphens=False)


def quoted(readme: str, results: dict[str, Any]) -> str:
    """Return a README with the quoted paragraph replaced.

    Raises:
        InputError: the markers are missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"the README has no '{BEGIN}' and '{END}'")
    return f"{before}{BEGIN}\n{quote(results)}\n{END}{after}"


if __name__ == "__main__":
    readme, source = map(Path, sys.argv[1:])
    readme.write_text(quoted(readme.read_text("utf-8"), json.loads(source.read_text("utf-8"))), "utf-8")
