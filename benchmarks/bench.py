"""run_bench: the measurements of `neucb bench` as one JSON object."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neucb.benchmarks import suites
from neucb.benchmarks.measure import Tick, measure
from neucb.benchmarks.memory import measure_memory
from neucb.benchmarks.report import machine
from neucb.benchmarks.shapes import DataShape, rows_of
from neucb.benchmarks.tournament import measure_peers
from neucb.core.threads import one_thread

SECONDS, REPETITIONS = 0.3, 3
QUICK_SECONDS, QUICK_REPETITIONS = 0.1, 3


def run_bench(
    shapes: Sequence[DataShape],
    openml_cache: Path | None = None,
    *,
    quick: bool = False,
    plan: Callable[[int], None] = lambda _: None,
    tick: Tick = lambda _: None,
) -> dict[str, Any]:
    """Run all benchmark suites; return machine, sources of the data sets, and result rows (see `measure`).

    Args:
        shapes: shapes of the data sets.
        openml_cache: folder of the OpenML cache.
        quick: whether to run fewer entrants and repetitions.
        plan: callback that receives the number of steps.
        tick: callback that receives the name of each step.
    """
    started = time.perf_counter()
    described = machine()
    seconds, repetitions = (QUICK_SECONDS, QUICK_REPETITIONS) if quick else (SECONDS, REPETITIONS)
    data = {shape.name: rows_of(shape, openml_cache) for shape in shapes}
    groups = [
        *suites.speed(data, quick=quick),
        *suites.variants(data, quick=quick),
        *suites.machine(data),
        *suites.loop(data),
    ]
    groups += [] if quick else suites.scaling()
    plan(1 + (repetitions + 1) * sum(len(group.entrants) for group in groups))
    with one_thread():
        rows = []
        for group in groups:
            short = group.table in ("scaling", "replicas")
            rows += measure(group, seconds / 2 if short else seconds, 3 if short else repetitions, tick)
        first = next(iter(data.values()))
        memory = measure_memory(first)
        tick("peers")
        peers = measure_peers(first, 2_000 if quick else 10_000)
    return {
        "machine": described,
        "sources": {name: encoded.table.source for name, encoded in data.items()},
        "repetitions": repetitions,
        "rows": rows,
        "memory": memory,
        "peers": peers,
        "seconds": time.perf_counter() - started,
    }
