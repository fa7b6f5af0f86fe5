"""Kind "regret": cumulative regret against rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neucb.plots.bounds import (
    DASHES,
    FITTED,
    GUARANTEE_DASHES,
    GUARANTEED,
    arms_of,
    fitted_shapes,
    guaranteed,
)
from neucb.plots.competitors import with_labels
from neucb.plots.curves import Curve, absent, curves_of, draw_panels, line
from neucb.plots.drawing import drawing
from neucb.plots.kind import PlotKind, XScale
from neucb.plots.style import styles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@drawing()
def regret_figure(
    frame: pd.DataFrame, x: XScale = "log", *, bounds: bool = True, guarantees: bool = True
) -> Figure:
    """Draw mean cumulative regret with 95 % bands, and the best fixed arm in hindsight.

    Where the losses of the best arms are unknown, the realised loss is drawn instead of regret.

    Args:
        frame: logs; a panel per data set. The number of arms K is in a column or attribute "arms".
        x: scale of the rounds.
        bounds: whether to draw bounds, see `fitted_shapes` and `guaranteed`.
        guarantees: whether bounds include guarantees, which import torch.
    """
    metric = "regret" if frame["regret"].notna().any() else "loss"
    panels = []
    for name, part, curves in curves_of(frame, metric):
        fixed = _fixed(part)
        lines = [fixed] if fixed else []
        if bounds:
            lines += [shape for shape, _ in fitted_shapes(part, curves, arms_of(part, frame))]
        if bounds and guarantees:
            lines += guaranteed(part, curves, arms_of(part, frame))
        panels.append((name, [*curves, *lines]))
    linestyles = {str(curve.linestyle) for _, curves in panels for curve in curves if not curve.seeds}
    dotted = "Dotted grey: regret of the best fixed arm in hindsight."
    notes = [dotted] if ":" in linestyles else []
    notes += [FITTED] if linestyles & set(DASHES.values()) else []
    notes += [GUARANTEED] if str(GUARANTEE_DASHES) in linestyles else []
    notes += absent(frame, [name for name, _ in panels], f"their {metric} is unknown")
    looks = styles(with_labels(frame)["agent_label"])
    return draw_panels(panels, looks, title=f"cumulative {metric}", x=x, note=" ".join(notes))


def _fixed(part: pd.DataFrame) -> Curve | None:
    mean = part.groupby("round")["best_fixed_arm_regret"].mean()
    if not np.isfinite(mean).all():
        return None
    return line("best fixed arm", mean.index.to_numpy(dtype=np.float64), mean.to_numpy(), ":")


KIND = PlotKind(
    "cumulative regret against rounds", ("regret", "best_fixed_arm_regret"), regret_figure, bounded=True
)
