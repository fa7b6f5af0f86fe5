"""The last layer's regression for the kernels, and its renewals between their calls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neucb.engines.compiled.inputs import Play
from neucb.kernels import types


def make_last_layer(width: int) -> types.LastLayer:
    """Return buffers for the regression of one replica; the renewal before round 0 fills it."""
    return types.LastLayer(np.empty((width, width)), *np.empty((3, width)))


def with_renewals(play: Play, refresh: int, renew: Callable[[int], None]) -> Play:
    """Return a function that plays rounds as `play` does, after `renew(t)` before t = 0, refresh, ..."""

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
