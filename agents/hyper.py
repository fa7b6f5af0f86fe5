"""Hyper-parameters are data: one number for all replicas, or one number per replica."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from neucb.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Number = float | Sequence[float]


def per_replica(value: Number, replicas: int, *, device: str = "cpu") -> Tensor:
    """Return `value` as float64 [R].

    Raises:
        InputError: `value` is a sequence whose length is not R.
    """
    if isinstance(value, Sequence):
        return _tensor(tuple(value), replicas, device)
    return _tensor((float(value),) * replicas, replicas, device)


@lru_cache(maxsize=256)
def _tensor(values: tuple[float, ...], replicas: int, device: str) -> Tensor:
    if len(values) != replicas:
        raise InputError(f"a hyper-parameter has {len(values)} values for {replicas} replicas")
    return torch.tensor(values, dtype=torch.float64, device=device)
