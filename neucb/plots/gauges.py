"""Kinds "propensity", "spread" and "distance": what is logged beside the sums, against rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neucb.core.errors import InputError
from neucb.plots.competitors import with_labels
from neucb.plots.curves import XScale, absent, curves_of, draw_panels
from neucb.plots.drawing import drawing
from neucb.plots.style import styles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLES = {
    "propensity": "mean propensity of the played arms",
    "spread": "spread of the perturbation",
    "distance": "distance from the start",
}
NOTES = {
    "propensity": "Propensity: the probability with which the played arm was drawn, mean over rounds 1 to t; "
    "intervals end at 1.",
    "spread": "Spread: root mean square of the perturbation's offsets after round t.",
    "distance": "Distance: |theta - theta_0| of the network after round t.",
}


@drawing()
def gauge_figure(frame: pd.DataFrame, gauge: str, x: XScale = "log") -> Figure:
    """Draw a gauge of the runs with 95 % bands; agents that do not log it, or log 0 throughout, are left out.

    Args:
        frame: logs; a panel per data set.
        gauge: one of TITLES.
        x: scale of the rounds.

    Raises:
        InputError: no agent has logged it.
    """
    panels = [
        (name, [curve for curve in curves if curve.y.any()]) for name, _, curves in curves_of(frame, gauge)
    ]
    if gauge == "propensity":
        panels = [(name, [replace(curve, most=1.0) for curve in curves]) for name, curves in panels]
    panels = [(name, curves) for name, curves in panels if curves]
    if not panels:
        raise InputError(f"'{gauge}' is 0 in all these runs")
    looks = styles(with_labels(frame)["label"])
    left_out = absent(frame, [name for name, _ in panels], "it is 0 there or was not logged")
    return draw_panels(panels, looks, title=TITLES[gauge], x=x, note=" ".join([NOTES[gauge], *left_out]))
