"""Timing: entrants of the same task alternate in one process.

CPU time is that of all threads of the process, which is insensitive to other load on the machine;
wall-clock time is recorded too. Every repetition starts with fresh state. Preparation is untimed.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Clock = tuple[float, float]  # CPU and wall-clock seconds
Tick = Callable[[str], None]


def clock() -> Clock:
    """Return the process's CPU and wall-clock time in seconds."""
    return time.process_time(), time.perf_counter()


@dataclass(frozen=True)
class Entrant:
    """An entrant of a benchmark.

    Attributes:
        name: name in the table.
        play: function that prepares and plays a number of rounds; returns the timed rounds of all
            replicas, and their CPU and wall-clock seconds.
        least, most: minimum and maximum rounds of one repetition.
        replicas: number of replicas R.
    """

    name: str
    play: Callable[[int], tuple[int, Clock]]
    least: int
    most: int
    replicas: int = 1


@dataclass(frozen=True)
class EntrantGroup:
    """Entrants of one task; the first one is the baseline of the others.

    Attributes:
        table: name of the table of its rows.
        task: name of the task.
        entrants: the entrants.
        by: clock of the ratio.
    """

    table: str
    task: str
    entrants: Sequence[Entrant]
    by: Literal["cpu", "wall"] = "cpu"


def measure(group: EntrantGroup, seconds: float, repetitions: int, tick: Tick) -> list[dict[str, Any]]:
    """Time all entrants of a group in turn, `repetitions` times; return one row per entrant.

    Columns of a row: `cpu_us` and `wall_us`, medians over the repetitions in microseconds per round of one
    replica; `cpu_us_min`; `rounds`, timed rounds of all replicas in a repetition; `ratio` of the first
    entrant's median to this one's.

    Args:
        group: the entrants and their task.
        seconds: approximate CPU time of a repetition, calibrated by a discarded warm-up repetition.
        repetitions: number of counted repetitions.
        tick: callback that receives the next step's name, repetitions + 1 times for every entrant.
    """
    times: list[list[Clock]] = [[] for _ in group.entrants]
    lengths = [entrant.least for entrant in group.entrants]
    timed_rounds = [0] * len(lengths)
    for repetition in range(repetitions + 1):
        for i, entrant in enumerate(group.entrants):
            tick(f"{group.task}: {entrant.name}")
            gc.collect()
            timed_rounds[i], (cpu, wall) = entrant.play(lengths[i])
            if repetition == 0:
                wanted = lengths[i] * seconds / max(cpu, 1e-9)
                lengths[i] = int(min(max(wanted, entrant.least), entrant.most))
            else:
                times[i].append((1e6 * cpu / timed_rounds[i], 1e6 * wall / timed_rounds[i]))
    return list(_rows(group, times, timed_rounds))


def _rows(group: EntrantGroup, times: list[list[Clock]], timed_rounds: list[int]) -> Iterable[dict[str, Any]]:
    clocks = {"cpu": 0, "wall": 1}
    baseline = statistics.median(pair[clocks[group.by]] for pair in times[0])
    for entrant, pairs, rounds in zip(group.entrants, times, timed_rounds, strict=True):
        cpu, wall = ([pair[i] for pair in pairs] for i in (0, 1))
        ratio = baseline / statistics.median(cpu if group.by == "cpu" else wall)
        yield {
            "table": group.table,
            "task": group.task,
            "contender": entrant.name,
            "replicas": entrant.replicas,
            "cpu_us": statistics.median(cpu),
            "cpu_us_min": min(cpu),
            "wall_us": statistics.median(wall),
            "rounds": rounds,
            "ratio": ratio,
            "by": group.by,
        }
