"""Votes of an ensemble's members, see `neucb.agents.ensembles.bootstrap`."""

from __future__ import annotations

import numpy as np

from neucb.engines.compiled.kernels.rules import lowest, settle
from neucb.kernels.jit import exact
from neucb.kernels.types import NOT_FINITE, Array, Belief, Reaction, Record, World


@exact
def open_poll(belief: Belief, record: Record) -> None:
    """Forget the votes of the round before."""
    belief.mean[:] = 0.0
    record.p[:] = 0.0


@exact
def vote(belief: Belief, record: Record) -> None:
    """Count the vote of a member whose predicted losses are in `belief.output`."""
    record.p[lowest(belief.output)] += 1.0
    for a in range(len(belief.mean)):
        belief.mean[a] += belief.output[a]


@exact
def elect(
    world: World,
    reaction: Reaction | None,
    memory: Array,
    record: Record,
    belief: Belief,
    members: int,
    t: int,
) -> int:
    """Draw the arm of round t from the shares of the votes; return -1 where a prediction is not finite."""
    for a in range(len(belief.mean)):
        belief.mean[a] /= members
        record.p[a] /= members
        if not abs(belief.mean[a]) < np.inf:
            record.status[0] = NOT_FINITE
            return -1
    return settle(world, reaction, memory, record, belief.mean, t)
