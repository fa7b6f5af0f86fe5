"""Simplify: fewer corners for a line, none of the others far from what is left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def simplify(points: Points, tolerance: float) -> Points:
    """Return the corners [M, 2] of a line that all `points` [N, 2] are within `tolerance` of.

    The first and the last stay. Between two that stay, the one farthest from the segment that joins them
    stays too, if it is farther than `tolerance`. Ramer 1972; Douglas and Peucker 1973.
    """
    kept = {0, len(points) - 1}
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        away = _distances(points[first + 1 : last], points[first], points[last])
        farthest = int(away.argmax())
        if away[farthest] > tolerance:
            corner = first + 1 + farthest
            kept.add(corner)
            waiting += [(first, corner), (corner, last)]
    return points[sorted(kept)]


def _distances(points: Points, start: Points, end: Points) -> Points:
    """Return the distances [N] of points from the segment between two others."""
    along, offset = end - start, points - start
    length = float(along @ along)
    share = np.clip(offset @ along / length, 0.0, 1.0) if length else np.zeros(len(points))
    return np.asarray(np.linalg.norm(offset - share[:, None] * along, axis=1))
