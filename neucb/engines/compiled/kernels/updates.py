"""Updates: when an oracle learns, and from which samples.

All updates of a run are numbered 0, 1, ...; those of a round follow from the numbers of updates made
before it and before the next one.
"""

from __future__ import annotations

from neucb.agents.rules import formulas
from neucb.kernels.jit import exact
from neucb.kernels.types import ALL_ARMS, EPOCHS, Timing

epoch_start = exact(formulas.epoch_start)


@exact
def made_before(timing: Timing, t: int, arms: int) -> int:
    """Return the number of updates made before round t = 0, 1, ..."""
    if timing.code == EPOCHS:
        return timing.passes * epoch_start(t + 1)
    return arms * t if timing.code == ALL_ARMS else t


@exact
def round_of(timing: Timing, update: int, arms: int) -> int:
    """Return the round t = 0, 1, ... whose sample an update learns from."""
    if timing.code == EPOCHS:
        ended = epoch_start(update // timing.passes + 1)
        length = ended if ended > 0 else 2
        return ended + (update - timing.passes * ended) % length
    return update // arms if timing.code == ALL_ARMS else update
