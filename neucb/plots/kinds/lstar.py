"""Kind "lstar": regret against L*, the expected loss of the best policy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from neucb.core.errors import InputError
from neucb.plots.bounds import FITTED, arms_of, fitted_shapes
from neucb.plots.competitors import with_labels
from neucb.plots.curves import Curve, absent, curves_of, draw_panels
from neucb.plots.drawing import drawing
from neucb.plots.kind import PlotKind, XScale
from neucb.plots.style import styles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CLASS = ", L* of the class"
CLASS_NOTE = (
    "L* of the class: loss of the best fitted policy of the agent's own class, trained on all losses of the "
    "rows; regret is against that policy."
)


@drawing()
def lstar_figure(frame: pd.DataFrame, x: XScale = "linear", *, bounds: bool = True) -> Figure:
    """Draw mean cumulative regret against mean L*, round by round; data sets with L* = 0 are left out.

    Where L* of the agent's own class is logged (`best_in_class` or, in a sweep, `best_in_class_seeds`),
    another panel shows the regret against the best policy of the class.

    Args:
        frame: logs.
        x: scale of L*.
        bounds: whether to draw the shapes of bounds too, see `fitted_shapes`.

    Raises:
        InputError: L* is 0 or unknown in all runs.
    """
    panels = _panels(frame, bounds)
    if "L_star_class" in frame and frame["L_star_class"].notna().any():
        known = frame[frame["L_star_class"].notna()]
        regret = known["regret"] + known["L_star"] - known["L_star_class"]
        known = known.assign(regret=regret, L_star=known["L_star_class"])
        panels += [(f"{name}{CLASS}", curves) for name, curves in _panels(known, bounds)]
    if not panels:
        raise InputError(
            "L* is 0 in these runs, as their labels are clean, and so is L* of the class where it is known; "
            "play with label_noise=0.1, or with best_in_class=True"
        )
    looks = styles(with_labels(frame)["agent_label"])
    notes = [CLASS_NOTE] if any(name.endswith(CLASS) for name, _ in panels) else []
    notes += absent(frame, [name.removesuffix(CLASS) for name, _ in panels], "L* is 0 or unknown")
    notes += [FITTED] if any(not curve.seeds for _, curves in panels for curve in curves) else []
    return draw_panels(panels, looks, title="cumulative regret", x=x, note=" ".join(notes), against="L*(t)")


def _panels(frame: pd.DataFrame, bounds: bool) -> list[tuple[str, list[Curve]]]:
    panels = []
    for name, part, curves in curves_of(frame, "regret"):
        moved = {curve.label: _against(part, curve, curve) for curve in curves}
        positive = {label for label, curve in moved.items() if np.isfinite(curve.x).all() and curve.x[-1] > 0}
        kept = [curve for curve in curves if curve.label in positive]
        if kept:
            shapes = fitted_shapes(part, kept, arms_of(part, frame)) if bounds else []
            drawn = [_against(part, shape, target) for shape, target in shapes]
            panels.append((name, [*(moved[curve.label] for curve in kept), *drawn]))
    return panels


def _against(part: pd.DataFrame, curve: Curve, target: Curve) -> Curve:
    """Return the curve with its rounds t replaced by L*(t) of `target`."""
    best = part[part["agent_label"] == target.label].groupby("round")["L_star"].mean().reindex(curve.x)
    return replace(curve, x=best.to_numpy(dtype=np.float64))


KIND = PlotKind("cumulative regret against L*", ("regret", "L_star"), lstar_figure, "linear", bounded=True)
