"""Kinds "regret" and "regression": cumulative figures against rounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neucb.plots.competitors import with_labels
from neucb.plots.curves import Curve, XScale, absent, curves_of, draw_panels, line
from neucb.plots.drawing import drawing
from neucb.plots.style import styles
from neucb.statistics.scores import SKYLINES
from neucb.theory.bounds import Bounded, fit_shape
from neucb.theory.guarantees import guarantee

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

THEOREMS: dict[str, Bounded] = {"kl-perturbed": "neufastcb", "sq-perturbed": "neusquarecb"}
DASHES = {"neufastcb": "--", "neusquarecb": "-."}
FITTED = "Dashed grey: shapes of bounds, the constant of each fitted to the curve that is named."
AGAINST = (
    "Squared loss of the predictions minus that of the true expected losses, unhalved, on the arms that each "
    "agent played; with clean labels the second is 0."
)
USUAL = (
    "regression loss",
    "regression_loss",
    "Squared loss of predictions clipped to [0, 1], unhalved, on the arms that each agent played.",
)
SURE: Any = (0, (3, 1, 1, 1, 1, 1))
GUARANTEED = (
    "Dash-dot-dotted grey, nothing fitted: the theorem of SquareCB at T, or its and FastCB's inequality of "
    "every round, summed, for the agent that is named."
)


@drawing()
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
        lines = [fixed] if fixed else []
        if bounds:
            lines += [shape for shape, _ in fitted_shapes(part, curves, arms_of(part, frame))]
            lines += guaranteed(part, curves, arms_of(part, frame))
        panels.append((name, [*curves, *lines]))
    used = {str(curve.linestyle) for _, curves in panels for curve in curves if not curve.seeds}
    dotted = "Dotted grey: regret of the arm that is best in hindsight."
    notes = [dotted] if ":" in used else []
    notes += [FITTED] if used & set(DASHES.values()) else []
    notes += [GUARANTEED] if str(SURE) in used else []
    notes += absent(frame, [name for name, _ in panels], f"their {figure} is not known")
    looks = styles(with_labels(frame)["label"])
    return draw_panels(panels, looks, title=f"cumulative {figure}", x=x, note=" ".join(notes))


def _fixed(part: pd.DataFrame) -> Curve | None:
    mean = part.groupby("round")["best_fixed_arm"].mean()
    if not np.isfinite(mean).all():
        return None
    return line("best fixed arm", mean.index.to_numpy(dtype=np.float64), mean.to_numpy(), ":")


def arms_of(part: pd.DataFrame, frame: pd.DataFrame) -> int | None:
    """Return K of the rows of a data set, or None where neither they nor the frame say it."""
    arms = part["arms"].iloc[0] if "arms" in part else frame.attrs.get("arms")
    return None if arms is None or not np.isfinite(arms) else int(arms)


def guaranteed(part: pd.DataFrame, curves: Sequence[Curve], arms: int | None) -> list[Curve]:
    """Return what the theory guarantees of the agents of theorems and of those whose gamma follows one."""
    if arms is None:
        return []
    found = []
    for curve in curves:
        rows = part[part["label"] == curve.label]
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
    agent = dict(zip(part["label"], part["agent"], strict=True))
    targets = [(THEOREMS[agent[one.label]], one) for one in curves if agent[one.label] in THEOREMS]
    learners = [curve for curve in curves if agent[curve.label] not in SKYLINES]
    if not targets and learners:
        targets = [("neufastcb", min(learners, key=lambda curve: float(curve.y[-1])))]
    shapes = []
    for bounded, target in targets:
        best = part[part["label"] == target.label].groupby("round")["L_star"].mean().reindex(target.x)
        if np.isfinite(best).all():
            curve = fit_shape(bounded, target.x, target.y, arms, best.to_numpy()).curve
            words = f"{_words(bounded, float(best.iloc[-1]))}, fitted to {target.label}"
            shapes.append((line(words, target.x, curve, DASHES[bounded]), target))
    return shapes


def _words(bounded: Bounded, best: float) -> str:
    if bounded == "neusquarecb":
        return "√(K t log t)"
    return "√(K L* log t) + K log t" if best > 0.0 else "K log t (L* = 0)"


@drawing()
def regression_figure(frame: pd.DataFrame, x: XScale = "log", *, bounds: bool = False) -> Figure:
    """Draw what the oracles lost more than the true h on the arms played, with 95 % bands.

    With clean labels h is 0 and 1, and that is their total loss. Logs that do not say h have their squared
    loss drawn.

    Args:
        frame: logs; agents that predict no losses are left out.
        x: scale of the rounds.
        bounds: draw log t too, its constant fitted to the agents of theorems.
    """
    told = "squared_regression_regret" in frame and frame["squared_regression_regret"].notna().any()
    title, column, note = ("regression regret", "squared_regression_regret", AGAINST) if told else USUAL
    panels = []
    for name, part, curves in curves_of(frame, column):
        agent = dict(zip(part["label"], part["agent"], strict=True))
        targets = [curve for curve in curves if agent[curve.label] in THEOREMS and bounds]
        shapes = [fit_shape("regression", curve.x, curve.y, 0).curve for curve in targets]
        lines = [
            line(f"log t, fitted to {curve.label}", curve.x, shape, DASHES[THEOREMS[agent[curve.label]]])
            for curve, shape in zip(targets, shapes, strict=True)
        ]
        panels.append((name, [*curves, *lines]))
    notes = [note, FITTED] if any(not curve.seeds for _, curves in panels for curve in curves) else [note]
    notes += absent(frame, [name for name, _ in panels], f"their {title} is not known")
    looks = styles(with_labels(frame)["label"])
    return draw_panels(panels, looks, title=f"cumulative {title}", x=x, note=" ".join(notes))
