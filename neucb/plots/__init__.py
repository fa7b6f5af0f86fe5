"""Plots: figures made of the log's DataFrame and of nothing else, a file per kind."""

from __future__ import annotations

from neucb.plots.kinds import KINDS, draw
from neucb.plots.regret import regret_figure
from neucb.plots.style import save_figure

__all__ = ["KINDS", "draw", "regret_figure", "save_figure"]
