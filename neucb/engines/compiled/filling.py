"""Padding and alignment of weights for vectorised loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.kernels import types
from neucb.kernels.host import LANES

IDLE = 3  # inputs of padding, for lists of a multiple of four
LINE = 64  # bytes: aligned vectors cross no cache line


def filled_up(network: types.Network, arms: int) -> types.Network:
    """Add hidden units of weight 0, up to a multiple of LANES; their weights stay 0."""
    width = len(network.head)
    idle = -width % LANES

    def wider(weights: NDArray[Any]) -> NDArray[Any]:
        filled = np.zeros((len(weights), arms, width + idle), weights.dtype)
        filled[:, :, :width] = weights.reshape(len(weights), arms, width)
        return filled.reshape(len(weights), -1)

    start_head = np.pad(network.start_head, (0, idle)) if len(network.start) else network.start_head
    return network._replace(
        first=wider(network.first),
        head=np.pad(network.head, (0, idle)),
        start=wider(network.start) if len(network.start) else network.start,
        start_head=start_head,
    )


def with_idle(first: NDArray[Any], inputs: int) -> NDArray[Any]:
    """Add at least IDLE inputs of weight 0 to a first layer of `inputs` inputs, up to a multiple of four.

    A first layer of fewer rows gets rows of 0, which take no memory until they are written.
    """
    filled = np.zeros((-(-(inputs + IDLE) // 4) * 4, first.shape[1]), first.dtype)
    filled[: len(first)] = first
    return filled


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy aligned to cache lines."""
    memory = np.empty(array.nbytes + LINE, np.uint8)
    offset = -memory.ctypes.data % LINE
    copy = memory[offset : offset + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
