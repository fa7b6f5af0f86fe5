"""Kinds: the figures by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.core.errors import InputError, unknown_name
from neucb.plots.gauges import gauge_figure
from neucb.plots.lstar import lstar_figure
from neucb.plots.normalized import normalized_figure
from neucb.plots.ranks import rank_figure
from neucb.plots.regret import regression_figure, regret_figure
from neucb.plots.winloss import win_loss_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from neucb.plots.curves import XScale

KINDS = {
    "regret": "cumulative regret against rounds",
    "regression": "regression regret of the oracles against rounds",
    "normalized": "normalised regret, data set by data set",
    "ranks": "average ranks over data sets with the critical difference",
    "winloss": "wins minus losses over data sets",
    "lstar": "cumulative regret against L*",
    "propensity": "mean probability of the arms played against rounds",
    "spread": "spread of the perturbation against rounds",
    "distance": "distance of networks from their start against rounds",
}
BOUNDED = ("regret", "regression", "lstar")
WITHOUT_ROUNDS = ("normalized", "ranks", "winloss")
SCALES = ("linear", "log", "sqrt")


def draw(frame: pd.DataFrame, kind: str = "regret", x: str | None = None, *, bounds: bool = False) -> Figure:
    """Draw a figure.

    Args:
        frame: logs as `neucb.run` returns them, one after the other; `label` tells competitors apart,
            or `agent` where there is no such column.
        kind: one of `KINDS`.
        x: scale of the horizontal axis: linear, log or sqrt; by default log against rounds and linear
            against L*.
        bounds: draw fitted shapes of bounds, and what the rules guarantee of regret.

    Raises:
        InputError: unknown kind or scale, or the logs do not have what the kind needs.
    """
    if kind not in KINDS:
        raise unknown_name("kind of plot", kind, KINDS)
    if x is not None and x not in SCALES:
        raise unknown_name("scale", x, SCALES)
    if bounds and kind not in BOUNDED:
        raise InputError(f"--bounds are for --kind {', '.join(BOUNDED)}, not for {kind}")
    if x is not None and kind in WITHOUT_ROUNDS:
        raise InputError(f"--x is for curves, not for --kind {kind}")
    match kind:
        case "regret":
            return regret_figure(frame, _scale(x, "log"), bounds=bounds)
        case "regression":
            return regression_figure(frame, _scale(x, "log"), bounds=bounds)
        case "lstar":
            return lstar_figure(frame, _scale(x, "linear"), bounds=bounds)
        case "normalized":
            return normalized_figure(frame)
        case "ranks":
            return rank_figure(frame)
        case "winloss":
            return win_loss_figure(frame)
        case _:
            return gauge_figure(frame, kind, _scale(x, "log"))


def _scale(given: str | None, usual: XScale) -> XScale:
    match given:
        case "linear" | "log" | "sqrt":
            return given
        case _:
            return usual
