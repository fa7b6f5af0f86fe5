"""Update schedules of oracles, and the samples of updates.

All updates of a run are numbered 0, 1, ...; those of a round follow from the numbers of updates made
before it and before the next one.
"""

from __future__ import annotations

from neucb.agents.rules import formulas
from neucb.kernels.jit import exact
from neucb.kernels.types import ALL_ARMS, EPOCHS, UpdateClock

epoch_start = exact(formulas.epoch_start)


@exact
def made_before(clock: UpdateClock, t: int, arms: int) -> int:
    """Return the number of updates made before round t = 0, 1, ..."""
    if clock.code == EPOCHS:
        return clock.passes * epoch_start(t + 1)
    return arms * t if clock.code == ALL_ARMS else t


@exact
def round_of(clock: UpdateClock, update: int, arms: int) -> int:
    """Return the round t = 0, 1, ... whose sample an update learns from."""
    if clock.code == EPOCHS:
        ended = epoch_start(update // clock.passes + 1)
        length = ended if ended > 0 else 2
        return ended + (update - clock.passes * ended) % length
    return update // arms if clock.code == ALL_ARMS else update
