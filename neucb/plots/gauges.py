"""Curves of gauges, logged metrics other than cumulative losses, against rounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neucb.core.errors import InputError
from neucb.plots.competitors import with_labels
from neucb.plots.curves import absent, curves_of, draw_panels
from neucb.plots.drawing import drawing
from neucb.plots.kind import PlotKind, XScale
from neucb.plots.style import styles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Gauge:
    """A gauge: a metric of the agent logged during a run.

    Attributes:
        column: column of the logs.
        title: label of the vertical axis.
        note: sentence of the caption.
        most: upper limit of the values and their intervals.
    """

    column: str
    title: str
    note: str
    most: float = np.inf

    def kind(self, summary: str) -> PlotKind:
        """Return the kind of plot that draws the gauge."""
        return PlotKind(summary, (self.column,), self.draw)

    @drawing()
    def draw(self, frame: pd.DataFrame, x: XScale = "log") -> Figure:
        """Draw the gauge with 95 % bands; agents without values, or with 0 in all rounds, are left out.

        Args:
            frame: logs; a panel per data set.
            x: scale of the rounds.

        Raises:
            InputError: no agent has logged the gauge, or all values are 0.
        """
        panels = [
            (name, [replace(curve, most=self.most) for curve in curves if curve.y.any()])
            for name, _, curves in curves_of(frame, self.column)
        ]
        panels = [(name, curves) for name, curves in panels if curves]
        if not panels:
            raise InputError(f"'{self.column}' is 0 in all these runs")
        looks = styles(with_labels(frame)["agent_label"])
        left_out = absent(frame, [name for name, _ in panels], "it is 0 there or was not logged")
        return draw_panels(panels, looks, title=self.title, x=x, note=" ".join([self.note, *left_out]))
