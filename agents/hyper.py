"""Hyper-parameters are data: one number for all replicas, or one number per replica."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neucb.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Number = float | Sequence[float]


def each(value: Number, replicas: int) -> NDArray[np.float64]:
    """Return `value` as float64 [R].

    Raises:
        InputError: `value` is a sequence whose length is not R.
    """
    if not isinstance(value, Sequence):
        return np.full(replicas, float(value))
    if len(value) != replicas:
        raise InputError(f"a hyper-parameter has {len(value)} values for {replicas} replicas")
    return np.array(value, dtype=np.float64)


def per_replica(value: Number, replicas: int, *, device: str = "cpu") -> Tensor:
    """Return `value` as a float64 tensor [R].

    Raises:
        InputError: `value` is a sequence whose length is not R.
    """
    return _tensor(tuple(value) if isinstance(value, Sequence) else float(value), replicas, device)


@lru_cache(maxsize=256)
def _tensor(value: float | tuple[float, ...], replicas: int, device: str) -> Tensor:
    import torch

    return torch.from_numpy(each(value, replicas)).to(device)
