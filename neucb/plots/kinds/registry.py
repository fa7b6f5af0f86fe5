"""Registry of kinds of plots: to add one, write a module with its `KIND` and one row here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

from neucb.core.columns import with_current_names
from neucb.core.errors import InputError, unknown_name
from neucb.plots.kind import PlotKind, XScale, not_logged

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

KINDS = {  # name -> module, imported on use
    "regret": "neucb.plots.kinds.regret",
    "regression": "neucb.plots.kinds.regression",
    "normalized": "neucb.plots.kinds.normalized",
    "ranks": "neucb.plots.kinds.ranks",
    "winloss": "neucb.plots.kinds.winloss",
    "lstar": "neucb.plots.kinds.lstar",
    "propensity": "neucb.plots.kinds.propensity",
    "spread": "neucb.plots.kinds.spread",
    "distance": "neucb.plots.kinds.distance",
}


def find_kind(name: str) -> PlotKind:
    """Return a kind of plot by its name.

    Raises:
        InputError: an unknown name.
    """
    if name not in KINDS:
        raise unknown_name("kind of plot", name, KINDS)
    kind: PlotKind = import_module(KINDS[name]).KIND
    return kind


def draw(frame: pd.DataFrame, kind: str = "regret", x: str | None = None, *, bounds: bool = False) -> Figure:
    """Draw a plot of logs.

    Args:
        frame: concatenated logs of `neucb.run`; the column `agent_label`, by default `agent`, names the
            competitors.
        kind: a key of `KINDS`.
        x: scale of the horizontal axis: linear, log or sqrt; by default log against rounds and linear
            against L*.
        bounds: whether to draw bounds too: shapes with fitted constants, and guaranteed bounds.

    Raises:
        InputError: an unknown kind or scale, an argument that the kind does not have, or a missing column.
    """
    plot_kind = find_kind(kind)
    if x is not None and x not in get_args(XScale):
        raise unknown_name("scale", x, get_args(XScale))
    if bounds and not plot_kind.bounded:
        bounded = ", ".join(name for name in KINDS if find_kind(name).bounded)
        raise InputError(f"bounds=True is for kind={bounded}, not for {kind}")
    if x is not None and plot_kind.scale is None:
        raise InputError(f"x=... is for curves, not for kind={kind}")
    frame = with_current_names(frame)
    for column in plot_kind.columns:
        if column not in frame:
            raise not_logged(column)
    options: dict[str, Any] = {} if plot_kind.scale is None else {"x": x or plot_kind.scale}
    return plot_kind.draw(frame, **options, **({"bounds": bounds} if plot_kind.bounded else {}))
