"""The clocks: entrants that play the same task take turns in one process.

CPU time is that of all threads of the process, so that what else runs on the machine matters little;
wall-clock time is kept beside it. Every repetition starts anew. Preparing is outside the clocks.
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
    """Return both clocks."""
    return time.process_time(), time.perf_counter()


@dataclass(frozen=True)
class Entrant:
    """Something that plays.

    Attributes:
        name: in the table.
        play: prepares and plays that many rounds; returns how many of all replicas were timed, and
            the CPU and wall-clock seconds that they took.
        least, most: rounds of one repetition.
        replicas: R.
    """

    name: str
    play: Callable[[int], tuple[int, Clock]]
    least: int
    most: int
    replicas: int = 1


@dataclass(frozen=True)
class EntrantGroup:
    """Contenders at one task; the first one is the yardstick of the others.

    Attributes:
        table: which table its rows go to.
        task: what is played.
        entrants: who plays.
        by: the clock of the ratio.
    """

    table: str
    task: str
    entrants: Sequence[Entrant]
    by: Literal["cpu", "wall"] = "cpu"


def measure(group: EntrantGroup, seconds: float, repetitions: int, tick: Tick) -> list[dict[str, Any]]:
    """Let all entrants of a group play in turn, `repetitions` times; return one row each.

    Of a row: `cpu_us` and `wall_us`, medians over the repetitions, microseconds a round of one
    replica; `cpu_us_min`; `rounds` of all replicas timed in a repetition; `ratio`, of the first
    contender's median to this one's.

    Args:
        group: who plays what.
        seconds: CPU time of a repetition, about, from a trial that is not counted.
        repetitions: counted ones.
        tick: is told what comes next, repetitions + 1 times for every contender.
    """
    times: list[list[Clock]] = [[] for _ in group.entrants]
    lengths = [one.least for one in group.entrants]
    timed = [0] * len(lengths)
    for repetition in range(repetitions + 1):
        for i, one in enumerate(group.entrants):
            tick(f"{group.task}: {one.name}")
            gc.collect()
            timed[i], (cpu, wall) = one.play(lengths[i])
            if repetition == 0:
                wanted = lengths[i] * seconds / max(cpu, 1e-9)
                lengths[i] = int(min(max(wanted, one.least), one.most))
            else:
                times[i].append((1e6 * cpu / timed[i], 1e6 * wall / timed[i]))
    return list(_rows(group, times, timed))


def _rows(group: EntrantGroup, times: list[list[Clock]], timed: list[int]) -> Iterable[dict[str, Any]]:
    clocks = {"cpu": 0, "wall": 1}
    yardstick = statistics.median(one[clocks[group.by]] for one in times[0])
    for contender, own, rounds in zip(group.entrants, times, timed, strict=True):
        cpu, wall = ([one[i] for one in own] for i in (0, 1))
        ratio = yardstick / statistics.median(cpu if group.by == "cpu" else wall)
        yield {
            "table": group.table,
            "task": group.task,
            "contender": contender.name,
            "replicas": contender.replicas,
            "cpu_us": statistics.median(cpu),
            "cpu_us_min": min(cpu),
            "wall_us": statistics.median(wall),
            "rounds": rounds,
            "ratio": ratio,
            "by": group.by,
        }
