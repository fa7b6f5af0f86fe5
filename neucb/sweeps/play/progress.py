"""Report: counts of the runs of a sweep, and the callback that receives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from neucb.runs.store import Failure


@dataclass
class Report:
    """Counts of the runs of a sweep.

    Attributes:
        runs: number of planned runs of the whole experiment.
        found: number of runs that were stored before.
        played: number of runs played now.
        rounds: number of rounds played now, over all runs.
        seconds: wall-clock time of the sweep.
        failures: runs without rows, in this sweep or in an earlier one.
        fits: report of the best-in-class fits; None in their own report.
    """

    runs: int = 0
    found: int = 0
    played: int = 0
    rounds: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    fits: Report | None = None


Progress = Callable[[Report], None]
