"""Kind "regression": regression regret of the oracles against rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.plots.bounds import DASHES, FITTED, THEOREMS
from neucb.plots.competitors import with_labels
from neucb.plots.curves import absent, curves_of, draw_panels, line
from neucb.plots.drawing import drawing
from neucb.plots.kind import PlotKind, XScale
from neucb.plots.style import styles
from neucb.theory.bounds import fit_shape

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WITH_H = (
    "Squared loss of the predictions minus that of the true expected losses, unhalved, on the played arms; "
    "with clean labels the second is 0."
)
WITHOUT_H = (
    "regression loss",
    "regression_loss",
    "Squared loss of predictions clipped to [0, 1], unhalved, on the played arms.",
)


@drawing()
def regression_figure(frame: pd.DataFrame, x: XScale = "log", *, bounds: bool = False) -> Figure:
    """Draw the regression regret of the oracles against the true h on the played arms, with 95 % bands.

    With clean labels h is 0 or 1, and the regret is the total squared loss, which is also drawn if h is
    unknown.

    Args:
        frame: logs; agents that predict no losses are left out.
        x: scale of the rounds.
        bounds: whether to draw log t too, with the constant fitted to the agents of THEOREMS.
    """
    logged = "squared_regression_regret" in frame and frame["squared_regression_regret"].notna().any()
    title, column, note = ("regression regret", "squared_regression_regret", WITH_H) if logged else WITHOUT_H
    panels = []
    for name, part, curves in curves_of(frame, column):
        agent = dict(zip(part["agent_label"], part["agent"], strict=True))
        targets = [curve for curve in curves if agent[curve.label] in THEOREMS and bounds]
        shapes = [fit_shape("regression", curve.x, curve.y, 0).curve for curve in targets]
        lines = [
            line(f"log t, fitted to {curve.label}", curve.x, shape, DASHES[THEOREMS[agent[curve.label]]])
            for curve, shape in zip(targets, shapes, strict=True)
        ]
        panels.append((name, [*curves, *lines]))
    notes = [note, FITTED] if any(not curve.seeds for _, curves in panels for curve in curves) else [note]
    notes += absent(frame, [name for name, _ in panels], f"their {title} is unknown")
    looks = styles(with_labels(frame)["agent_label"])
    return draw_panels(panels, looks, title=f"cumulative {title}", x=x, note=" ".join(notes))


KIND = PlotKind(
    "regression regret of the oracles against rounds", ("regression_loss",), regression_figure, bounded=True
)
