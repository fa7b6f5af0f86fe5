"""Trace: every round of a run, what off-policy evaluation and a look at single decisions need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from neucb.spec import Spec

UNKNOWN = -1  # context or label of environments that have none


class Trace:
    """One row per replica and round. Memory: 40 T bytes a replica.

    Columns of the frame:
        seed, round: the latter from 1.
        context: number of the row of the table that was shown, where there is a table.
        action: the arm played; propensity: the probability with which the agent played it.
        loss: realised, in [0, 1].
        label: the clean label, after drift, where there are labels.

    Args:
        spec: the shape of the run.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        shape = (spec.replicas, spec.horizon)
        self._figures: dict[str, NDArray[Any]] = {
            "context": np.full(shape, UNKNOWN),
            "action": np.full(shape, UNKNOWN),
            "propensity": np.empty(shape),
            "loss": np.empty(shape),
            "label": np.full(shape, UNKNOWN),
        }

    def write(self, start: int, **figures: NDArray[Any]) -> None:
        """Write figures [R, n] of the rounds from `start` (from 0) on; names as the columns."""
        for name, values in figures.items():
            self._figures[name][:, start : start + values.shape[1]] = values

    def take(self, replicas: Sequence[int], other: Trace) -> None:
        """Write all rounds of another trace, whose replicas have these numbers here."""
        for name, values in other._figures.items():
            self._figures[name][list(replicas)] = values

    def frame(self, rounds: int) -> pd.DataFrame:
        """Return the first `rounds` rounds, replicas one after the other."""
        import pandas as pd

        columns = {
            "seed": np.repeat(np.array(self.spec.seeds, dtype=np.int64), rounds),
            "round": np.tile(np.arange(1, rounds + 1), self.spec.replicas),
        }
        for name, values in self._figures.items():
            played = values[:, :rounds]
            if name in ("context", "label") and (played == UNKNOWN).all():
                continue
            columns[name] = played.ravel()
        return pd.DataFrame(columns)
