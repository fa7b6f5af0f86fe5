"""Plots of the log's DataFrame."""

from __future__ import annotations

from neucb.plots.kinds.registry import KINDS, draw
from neucb.plots.style import save_figure

__all__ = ["KINDS", "draw", "save_figure"]
