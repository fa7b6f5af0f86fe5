"""Kinds "regret" and "regression": cumulative figures against rounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neucb.plots.competitors import with_labels
from neucb.plots.curves import Curve, XScale, curves_of, draw_panels, line
from neucb.plots.style import styles
from neucb.statistics.scores import SKYLINES
from neucb.theory.bounds import Bounded, fit_shape

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

THEOREMS: dict[str, Bounded] = {"kl-perturbed": "neufastcb", "sq-perturbed": "neusquarecb"}
DASHES = {"neufastcb": "--", "neusquarecb": "-."}
FITTED = "Dashed grey: shapes of bounds, the constant of each fitted to the curve that is named."


def regret_figure(frame: pd.DataFrame, x: XScale = "log", *, bounds: bool = True) -> Figure:
    """Draw mean cumulative regret with 95 % bands, and the best fixed arm in hindsight.

    Where no environment told the best arms' losses, the realised loss is drawn in the place of regret.

    Args:
        frame: logs; a panel per data set. The number of arms K is in a column or attribute "arms".
        x: scale of the rounds.
        bounds: draw the shapes of bounds too, see `fitted_shapes`.
    """
    figure = "regret" if frame["regret"].notna().any() else "loss"
    panels = []
    for name, part, curves in curves_of(frame, figure):
        fixed = _fixed(part)
        shapes = fitted_shapes(part, curves, frame.attrs.get("arms")) if bounds else []
        panels.append((name, [*curves, *([fixed] if fixed else []), *(shape for shape, _ in shapes)]))
    beside = [curve for _, curves in panels for curve in curves if not curve.seeds]
    dotted = "Dotted grey: regret of the arm that is best in hindsight."
    notes = [dotted] if any(curve.linestyle == ":" for curve in beside) else []
    notes += [FITTED] if any(curve.linestyle != ":" for curve in beside) else []
    looks = styles(with_labels(frame)["label"])
    return draw_panels(panels, looks, title=f"cumulative {figure}", x=x, note=" ".join(notes))


def _fixed(part: pd.DataFrame) -> Curve | None:
    mean = part.groupby("round")["best_fixed_arm"].mean()
    if not np.isfinite(mean).all():
        return None
    return line("best fixed arm", mean.index.to_numpy(dtype=np.float64), mean.to_numpy(), ":")


def fitted_shapes(
    part: pd.DataFrame, curves: Sequence[Curve], arms: float | None
) -> list[tuple[Curve, Curve]]:
    """Return the shapes of bounds on one data set, each with the curve its constant was fitted to.

    NeuFastCB's is fitted to kl-perturbed and NeuSquareCB's to sq-perturbed; where neither was played,
    NeuFastCB's to the learner's curve that ends lowest. None where K or L* is not known.

    Args:
        part: rows of the data set.
        curves: of its competitors.
        arms: K, where the rows do not say it.
    """
    arms = part["arms"].iloc[0] if "arms" in part else arms
    if arms is None or not np.isfinite(arms):
        return []
    agent = dict(zip(part["label"], part["agent"], strict=True))
    targets = [(THEOREMS[agent[one.label]], one) for one in curves if agent[one.label] in THEOREMS]
    learners = [curve for curve in curves if agent[curve.label] not in SKYLINES]
    if not targets and learners:
        targets = [("neufastcb", min(learners, key=lambda curve: float(curve.y[-1])))]
    shapes = []
    for bounded, target in targets:
        best = part[part["label"] == target.label].groupby("round")["L_star"].mean().reindex(target.x)
        if np.isfinite(best).all():
            curve = fit_shape(bounded, target.x, target.y, int(arms), best.to_numpy()).curve
            words = f"{_words(bounded, float(best.iloc[-1]))}, fitted to {target.label}"
            shapes.append((line(words, target.x, curve, DASHES[bounded]), target))
    return shapes


def _words(bounded: Bounded, best: float) -> str:
    if bounded == "neusquarecb":
        return "√(K t log t)"
    return "√(K L* log t) + K log t" if best > 0.0 else "K log t (L* = 0)"


def regression_figure(frame: pd.DataFrame, x: XScale = "log") -> Figure:
    """Draw the cumulative squared loss of the oracles on the arms played, unhalved, with 95 % bands.

    Args:
        frame: logs; agents that predict no losses are left out.
        x: scale of the rounds.
    """
    panels = [(name, curves) for name, _, curves in curves_of(frame, "regression_loss")]
    looks = styles(with_labels(frame)["label"])
    note = "Squared loss of predictions clipped to [0, 1], unhalved, on the arms that each agent played."
    return draw_panels(panels, looks, title="cumulative regression loss", x=x, note=note)
