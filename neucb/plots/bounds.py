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
FITTED = "Dashed grey: shapes of bounds, the constant of each fitted to the named curve."
GUARANTEE_DASHES: Any = (0, (3, 1, 1, 1, 1, 1))
GUARANTEED = (
    "Dash-dot-dotted grey, nothing fitted: for the named agent, SquareCB's theorem at T, or the sum over the "
    "rounds of SquareCB's or FastCB's inequality."
)


def arms_of(part: pd.DataFrame, frame: pd.DataFrame) -> int | None:
    """Return K of the rows of a data set, or None if neither they nor the frame's attributes have it."""
    arms = part["arms"].iloc[0] if "arms" in part else frame.attrs.get("arms")
    return None if arms is None or not np.isfinite(arms) else int(arms)


def guaranteed(part: pd.DataFrame, curves: Sequence[Curve], arms: int | None) -> list[Curve]:
    """Return guaranteed bounds as curves, for the agents of THEOREMS and those with gamma by theory."""
    if arms is None:
        return []
    bounds = []
    for curve in curves:
        rows = part[part["agent_label"] == curve.label]
        by_theory = "gamma_schedule" in rows and (rows["gamma_schedule"] == "theory").all()
        bound = guarantee(rows, arms) if by_theory or rows["agent"].iloc[0] in THEOREMS else None
        if bound is not None:
            x, y = (
                (curve.x, np.full(len(curve.x), bound.bound[-1]))
                if bound.kind == "theorem"
                else (bound.rounds, bound.bound)
            )
            bounds.append(
                line(f"{bound.kind}, {curve.label}", np.asarray(x, dtype=np.float64), y, GUARANTEE_DASHES)
            )
    return bounds


def fitted_shapes(part: pd.DataFrame, curves: Sequence[Curve], arms: int | None) -> list[tuple[Curve, Curve]]:
    """Return the shapes of bounds on one data set, each with the curve its constant was fitted to.

    NeuFastCB's bound is fitted to kl-perturbed and NeuSquareCB's to sq-perturbed; where neither was played,
    NeuFastCB's to the learner with the least final value. Without K or L* the list is empty.

    Args:
        part: rows of the data set.
        curves: curves of its competitors.
        arms: K, if known.
    """
    if arms is None:
        return []
    agent = dict(zip(part["agent_label"], part["agent"], strict=True))
    targets = [(THEOREMS[agent[curve.label]], curve) for curve in curves if agent[curve.label] in THEOREMS]
    learners = [curve for curve in curves if agent[curve.label] not in SKYLINES]
    if not targets and learners:
        targets = [("neufastcb", min(learners, key=lambda curve: float(curve.y[-1])))]
    shapes = []
    for bounded, target in targets:
        best = part[part["agent_label"] == target.label].groupby("round")["L_star"].mean().reindex(target.x)
        if np.isfinite(best).all():
            curve = fit_shape(bounded, target.x, target.y, arms, best.to_numpy()).curve
            label = f"{_formula(bounded, float(best.iloc[-1]))}, fitted to {target.label}"
            shapes.append((line(label, target.x, curve, DASHES[bounded]), target))
    return shapes


def _formula(bounded: Bounded, best: float) -> str:
    if bounded == "neusquarecb":
        return "√(K t log t)"
    return "√(K L* log t) + K log t" if best > 0.0 else "K log t (L* = 0)"
