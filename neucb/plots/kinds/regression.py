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

AGAINST = (
    "Squared loss of the predictions minus that of the true expected losses, unhalved, on the arms that each "
    "agent played; with clean labels the second is 0."
)
USUAL = (
    "regression loss",
    "regression_loss",
    "Squared loss of predictions clipped to [0, 1], unhalved, on the arms that each agent played.",
)


@drawing()
def regression_figure(frame: pd.DataFrame, x: XScale = "log", *, bounds: bool = False) -> Figure:
    """Draw the regression regret of the oracles against the true h on the played arms, with 95 % bands.

    With clean labels h is 0 or 1, and the regret is their total squared loss. That loss is drawn too where
    the logs have no h.

    Args:
        frame: logs; agents that predict no losses are left out.
        x: scale of the rounds.
        bounds: draw log t too, its constant fitted to the agents of theorems.
    """
    logged = "squared_regression_regret" in frame and frame["squared_regression_regret"].notna().any()
    title, column, note = ("regression regret", "squared_regression_regret", AGAINST) if logged else USUAL
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
    notes += absent(frame, [name for name, _ in panels], f"their {title} is not known")
    looks = styles(with_labels(frame)["agent_label"])
    return draw_panels(panels, looks, title=f"cumulative {title}", x=x, note=" ".join(notes))


KIND = PlotKind(
    "regression regret of the oracles against rounds", ("regression_loss",), regression_figure, bounded=True
)
