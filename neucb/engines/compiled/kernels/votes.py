"""Voting of an ensemble's members, see `neucb.agents.ensembles.bootstrap`."""

from __future__ import annotations

import numpy as np

from neucb.engines.compiled.kernels.rules import lowest, settle
from neucb.kernels.jit import exact
from neucb.kernels.types import NOT_FINITE, AdaptiveOrder, Array, Predictions, RoundData, RoundRecord


@exact
def open_poll(predictions: Predictions, record: RoundRecord) -> None:
    """Clear the votes of the previous round."""
    predictions.mean[:] = 0.0
    record.p[:] = 0.0


@exact
def vote(predictions: Predictions, record: RoundRecord) -> None:
    """Add the vote of a member, whose predicted losses are in `predictions.output`."""
    record.p[lowest(predictions.output)] += 1.0
    for a in range(len(predictions.mean)):
        predictions.mean[a] += predictions.output[a]


@exact
def elect(
    world: RoundData,
    adaptive: AdaptiveOrder | None,
    memory: Array,
    record: RoundRecord,
    predictions: Predictions,
    members: int,
    t: int,
) -> int:
    """Draw the arm of round t from the shares of the votes; return -1 where a prediction is not finite."""
    for a in range(len(predictions.mean)):
        predictions.mean[a] /= members
        record.p[a] /= members
        if not abs(predictions.mean[a]) < np.inf:
            record.status[0] = NOT_FINITE
            return -1
    return settle(world, adaptive, memory, record, predictions.mean, t)
