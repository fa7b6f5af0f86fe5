"""Trace: every round of a run, for off-policy evaluation and inspection of single decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neucb.agents.propensity import KINDS, Kinds, kind_codes
from neucb.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from neucb.core.spec import Spec

Wanted = bool | Literal["full"]  # of a run

UNKNOWN = -1  # row or label where the environment gives none
CLASS_NAMES = {"action": "action_class", "class_label": "label_class"}  # columns of numbers and of names


class Trace:
    """Table with one row per replica and round. Memory: 41 T bytes a replica, and 16 T K more if full.

    Columns of the frame:
        seed, round: seed of the replica; number of the round, from 1.
        row: index, from 0, of the context's row in the source, where there is a table; rows without a
            label are counted.
        action_row: index of the played arm's row, where every arm has a row of its own.
        action: index of the arm played, 0..K-1; action_class: class of the arm, where arms have names.
        propensity: probability of the played arm given context and history, in [0, 1].
        propensity_kind: "exact"; "deterministic" for agents that play one arm with propensity 1: such a log
            has no overlap with other policies; or "estimated", a share of 10,000 draws, which can be 0:
            its inverse is biased, clip it at 20 / 10,000 before dividing by it.
        loss: realised loss, in [0, 1].
        class_label, label_class: clean label and its class, after drift, where there are labels.
    Further columns, if full:
        p_0 ... p_{K-1}: probabilities of all arms; propensity is that of the played arm.
        predicted_loss_0 ... predicted_loss_{K-1}: predicted losses of an agent that predicts, unavailable
            arms included.

    For an agent with its own random draws, such as Thompson sampling, the propensity is the probability
    before the draw; the column `propensity` of the log is the probability given the draw.

    `frame.attrs["classes"]` has the names of the arms in order; Parquet files keep it.

    Args:
        spec: shape of the run.
        full: whether to keep the probabilities and predicted losses of all arms.
        classes: [K] names of the arms, which are those of the labels; no names by default.
        positions: see `Table.positions`.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        full: bool = False,
        classes: Sequence[str] = (),
        positions: NDArray[np.int64] | None = None,
    ) -> None:
        self.spec = spec
        self._positions = positions
        self.full = full
        self.classes = tuple(classes)
        shape = (spec.replicas, spec.horizon)
        self._figures: dict[str, NDArray[Any]] = {
            "row": np.full(shape, UNKNOWN),
            **({"action_row": np.full(shape, UNKNOWN)} if spec.per_arm else {}),
            "action": np.full(shape, UNKNOWN),
            "propensity": np.empty(shape),
            "propensity_kind": np.zeros(shape, np.int8),
            "loss": np.empty(shape),
            "class_label": np.full(shape, UNKNOWN),
        }
        if full:
            unknown = np.full((*shape, spec.arms), np.nan)
            self._figures |= {"p": unknown, "predicted": unknown.copy()}

    def write(
        self,
        start: int,
        kind: Kinds,
        p: NDArray[np.float64] | None = None,
        predicted: NDArray[np.float64] | None = None,
        **figures: NDArray[Any],
    ) -> None:
        """Write the rounds from `start` (from 0) on.

        Args:
            start: index of the first of n rounds.
            kind: kind of the propensities; one value, or one per replica.
            p: [R, n, K] probabilities of all arms; needed if full, or without figures["propensity"].
            predicted: [R, n, K] predicted losses, or None.
            figures: column -> values [R, n].
        """
        action = figures["action"]
        codes = kind_codes(kind, self.spec.replicas)[:, None]
        given = {**figures, "propensity_kind": np.broadcast_to(codes, action.shape)}
        if "propensity" not in figures:
            assert p is not None
            given["propensity"] = np.take_along_axis(p, action[:, :, None], 2)[:, :, 0]
        if self.full:
            given |= {
                name: value for name, value in (("p", p), ("predicted", predicted)) if value is not None
            }
        for name, values in given.items():
            self._figures[name][:, start : start + values.shape[1]] = values

    def take(self, replicas: Sequence[int], other: Trace) -> None:
        """Copy all rounds of another trace, whose replicas have these indices here."""
        for name, values in other._figures.items():
            self._figures[name][list(replicas)] = values

    def frame(self, rounds: int) -> pd.DataFrame:
        """Return the first `rounds` rounds, replicas one after the other."""
        import pandas as pd

        columns: dict[str, Any] = {
            "seed": np.repeat(np.array(self.spec.seeds, dtype=np.int64), rounds),
            "round": np.tile(np.arange(1, rounds + 1), self.spec.replicas),
        }
        for name, values in self._figures.items():
            played = values[:, :rounds]
            flat = played.reshape(-1, *played.shape[2:])
            if name == "propensity_kind":
                columns[name] = pd.Categorical.from_codes(flat, pd.Index(KINDS))
            elif name == "p":
                columns |= {f"p_{a}": flat[:, a] for a in range(self.spec.arms)}
            elif name == "predicted":
                if not np.isnan(flat).all():
                    columns |= {f"predicted_loss_{a}": flat[:, a] for a in range(self.spec.arms)}
            elif name not in ("row", "action_row", "class_label") or not (flat == UNKNOWN).all():
                if name == "row" and self._positions is not None:
                    flat = self._positions[flat]
                columns |= {name: flat, **self._named(name, flat)}
        frame = pd.DataFrame(columns)
        if self.classes:
            frame.attrs["classes"] = list(self.classes)
        return frame

    def _named(self, name: str, arms: NDArray[Any]) -> dict[str, Any]:
        """Return the class names of a column of arms, where arms have names."""
        import pandas as pd

        if name not in CLASS_NAMES or len(set(self.classes)) < self.spec.arms:
            return {}
        known = np.where((arms >= 0) & (arms < len(self.classes)), arms, UNKNOWN)  # an environment may err
        return {CLASS_NAMES[name]: pd.Categorical.from_codes(known, pd.Index(self.classes))}


def make_trace(
    spec: Spec, wanted: Wanted, classes: Sequence[str] = (), positions: NDArray[np.int64] | None = None
) -> Trace | None:
    """Return the requested trace, None for False.

    Raises:
        InputError: the request is neither True, False nor "full".
    """
    if wanted not in (True, False, "full"):
        raise InputError(f"trace must be True, False or 'full', not {wanted!r}")
    given = classes if isinstance(classes, list | tuple) else ()
    named = tuple(str(one) for one in given) if len(given) == spec.arms else ()
    return Trace(spec, full=wanted == "full", classes=named, positions=positions) if wanted else None
