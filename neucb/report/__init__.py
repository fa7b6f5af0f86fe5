"""Reports of runs or a sweep as one HTML file."""

from __future__ import annotations

from neucb.report.render import render_report

__all__ = ["render_report"]
