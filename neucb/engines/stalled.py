"""Detection of stalled agents, whose predictions are constant to the bit and which no longer learn.

A network can die while all numbers stay finite: all its hidden units are off for every context, or its
output is so large that the predicted loss is exactly 0 or 1. It would then play one arm for ever. The
criterion that separates it from a converged agent: the predicted losses of the played arms have been equal
to the last bit for 200 rounds, or 2 K with many arms, see `patience`, although contexts differed and losses
differed from the predictions, so that a learning agent would have moved. Agents with delayed updates are
not checked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neucb.agents.wrappers.delay import Delayed
from neucb.agents.wrappers.epochs import Epochs
from neucb.core.errors import DivergedError

ROUNDS = 200  # least patience
MISS = 1e-3  # least difference between a loss and its prediction that counts

Floats = NDArray[np.float64]


def patience(arms: int) -> int:
    """Return the number of equal predictions after which a replica of K = `arms` counts as stalled.

    A greedy or optimistic agent first plays untried arms, whose predictions are all the same: K rounds, and
    some more for arms whose first losses equal their predictions.
    """
    return max(ROUNDS, 2 * arms)


def stuck(t: int, replica: int, seed: int, value: float, arms: int) -> DivergedError:
    """Return the error for a stalled replica of K = `arms`; t counts from 0."""
    return DivergedError(
        f"round {t + 1}, seed {seed}: the predicted loss has been {value:.6g} for {patience(arms)} rounds, "
        "whatever the context and the losses: the network is dead; "
        "lower its step size (lr) or take a wider one",
        t,
        replica,
    )


def learns_at_once(agent: object) -> bool:
    """Return whether an agent learns after every round; others have constant predictions between updates."""
    return not isinstance(agent, Delayed) and not isinstance(getattr(agent, "oracle", None), Epochs)


class StallDetector:
    """Round-by-round detector of stalled replicas; `long_runs` and `first_stuck` do the same for whole runs.

    Args:
        replicas: number R of replicas.
        arms: number K of arms.
    """

    def __init__(self, replicas: int, arms: int) -> None:
        self._patience = patience(arms)
        self._value = np.full(replicas, np.nan)  # prediction in all rounds of the run of equal ones
        self._length = np.zeros(replicas, dtype=np.int64)
        self._differed = np.zeros(replicas, dtype=np.bool_)  # from the run's first context
        self._missed = np.zeros(replicas, dtype=np.bool_)
        self._first: NDArray[np.float32] | None = None

    def first_stalled(self, predicted: Floats, loss: Floats, context: NDArray[np.float32]) -> int | None:
        """Add a round: predicted and realised losses [R] of the arms played, contexts [R, ...].

        Returns:
            Index of the first stalled replica, or None.
        """
        same = predicted == self._value
        self._value = predicted
        self._length = np.where(same, self._length + 1, 1)
        if self._first is None or not same.any():
            self._first = context.copy()
            self._differed[:] = False
        else:
            self._first[~same] = context[~same]
            differs = (context != self._first).reshape(len(context), -1).any(axis=1)
            self._differed = (same & self._differed) | differs
        self._missed = (same & self._missed) | (np.abs(loss - predicted) > MISS)
        found = (self._length >= self._patience) & self._differed & self._missed
        return int(found.argmax()) if found.any() else None


def long_runs(predicted: Floats, start: int) -> list[tuple[int, int]]:
    """Return the runs (first, end) of at least 200 equal values in `predicted` [t] that end after `start`."""
    if not (predicted[1 :: ROUNDS - 1] == predicted[: -1 : ROUNDS - 1]).any():
        return []  # fast check, usually the last: every such run contains one of these pairs
    breaks = np.flatnonzero(predicted[1:] != predicted[:-1]) + 1
    firsts, ends = np.concatenate([[0], breaks]), np.concatenate([breaks, [len(predicted)]])
    long = (ends - firsts >= ROUNDS) & (ends > start)
    return [(int(first), int(end)) for first, end in zip(firsts[long], ends[long], strict=True)]


def first_stuck(value: float, loss: Floats, differs: NDArray[np.bool_], since: int, arms: int) -> int | None:
    """Return the first round of a run of equal predictions, from `since` on, in which a replica is stalled.

    It is the round in which `StallDetector` finds the replica.

    Args:
        value: predicted loss in all rounds of the run.
        loss: [n] realised losses of the run.
        differs: [n] whether the contexts of a round differ from those of the first.
        since: index of a round within the run, 0 for its first.
        arms: number K of arms.
    """
    differed = np.logical_or.accumulate(differs)
    found = differed & np.logical_or.accumulate(np.abs(loss - value) > MISS)
    found[: max(patience(arms) - 1, since)] = False
    return int(found.argmax()) if found.any() else None
