"""Report: what a sweep did, and is told of while it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from neucb.runs.store import Failure


@dataclass
class Report:
    """What a sweep did.

    Attributes:
        runs: of the whole experiment, as far as it could be planned.
        found: runs that were there already.
        played: runs played now.
        rounds: rounds of these together.
        seconds: that the sweep took.
        failures: runs without rows, in this sweep or in an earlier one.
        fits: the same of the fits in hindsight; None in their own report.
    """

    runs: int = 0
    found: int = 0
    played: int = 0
    rounds: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    fits: Report | None = None


Progress = Callable[[Report], None]
