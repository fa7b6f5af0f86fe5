"""Inputs of the kernels' last-layer regression, and its refits between kernel calls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neucb.engines.compiled.inputs import Play
from neucb.kernels import types


def make_last_layer(width: int) -> types.LastLayer:
    """Return buffers for the regression of one replica; the refit before round 0 fills them."""
    return types.LastLayer(np.empty((width, width)), *np.empty((3, width)))


def with_renewals(play: Play, refresh: int, renew: Callable[[int], None]) -> Play:
    """Return a function that plays rounds like `play`, with `renew(t)` called before t = 0, refresh, ..."""

    def renewing(start: int, stop: int) -> int:
        while True:
            if start % refresh == 0:
                renew(start)
            end = min(stop, start - start % refresh + refresh)
            played = play(start, end)
            if played < end or end == stop:
                return played
            start = end

    return renewing
