"""Bounds in plots: shapes fitted to curves, and guarantees of the theory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.plots.curves import Curve, line
from neucb.statistics.scores import SKYLINES
from neucb.theory.bounds import Bounded, fit_shape
from neucb.theory.guarantees import guarantee

if TYPE_CHECKING:
    import pandas as pd

THEOREMS: dict[str, Bounded] = {"kl-perturbed": "neufastcb", "sq-perturbed": "neusquarecb"}
DASHES = {"neufastcb": "--", "neusquarecb": "-."}
FITTED = "Dashed grey: shapes of bounds, the constant of each fitted to the curve that is named."
SURE: Any = (0, (3, 1, 1, 1, 1, 1))
GUARANTEED = (
    "Dash-dot-dotted grey, nothing fitted: the theorem of SquareCB at T, or its and FastCB's inequality of "
    "every round, summed, for the agent that is named."
)


def arms_of(part: pd.DataFrame, frame: pd.DataFrame) -> int | None:
    """Return K of the rows of a data set, None where neither they nor the frame have it."""
    arms = part["arms"].iloc[0] if "arms" in part else frame.attrs.get("arms")
    return None if arms is None or not np.isfinite(arms) else int(arms)


def guaranteed(part: pd.DataFrame, curves: Sequence[Curve], arms: int | None) -> list[Curve]:
    """Return the guarantees of the theory for the agents of theorems and those whose gamma follows one."""
    if arms is None:
        return []
    found = []
    for curve in curves:
        rows = part[part["agent_label"] == curve.label]
        follows = "gamma_schedule" in rows and (rows["gamma_schedule"] == "theory").all()
        sure = guarantee(rows, arms) if follows or rows["agent"].iloc[0] in THEOREMS else None
        if sure is not None:
            x, y = (
                (curve.x, np.full(len(curve.x), sure.bound[-1]))
                if sure.kind == "theorem"
                else (sure.rounds, sure.bound)
            )
            found.append(line(f"{sure.kind}, {curve.label}", np.asarray(x, dtype=np.float64), y, SURE))
    return found


def fitted_shapes(part: pd.DataFrame, curves: Sequence[Curve], arms: int | None) -> list[tuple[Curve, Curve]]:
    """Return the shapes of bounds on one data set, each with the curve its constant was fitted to.

    NeuFastCB's is fitted to kl-perturbed and NeuSquareCB's to sq-perturbed; where neither was played,
    NeuFastCB's to the learner's curve that ends lowest. None where K or L* is not known.

    Args:
        part: rows of the data set.
        curves: of its competitors.
        arms: K, if known.
    """
    if arms is None:
        return []
    agent = dict(zip(part["agent_label"], part["agent"], strict=True))
    targets = [(THEOREMS[agent[one.label]], one) for one in curves if agent[one.label] in THEOREMS]
    learners = [curve for curve in curves if agent[curve.label] not in SKYLINES]
    if not targets and learners:
        targets = [("neufastcb", min(learners, key=lambda curve: float(curve.y[-1])))]
    shapes = []
    for bounded, target in targets:
        best = part[part["agent_label"] == target.label].groupby("round")["L_star"].mean().reindex(target.x)
        if np.isfinite(best).all():
            curve = fit_shape(bounded, target.x, target.y, arms, best.to_numpy()).curve
            words = f"{_words(bounded, float(best.iloc[-1]))}, fitted to {target.label}"
            shapes.append((line(words, target.x, curve, DASHES[bounded]), target))
    return shapes


def _words(bounded: Bounded, best: float) -> str:
    if bounded == "neusquarecb":
        return "√(K t log t)"
    return "√(K L* log t) + K log t" if best > 0.0 else "K log t (L* = 0)"
