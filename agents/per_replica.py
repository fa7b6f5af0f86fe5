"""Per-replica hyper-parameters: one number for all replicas, or one number per replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError

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
        raise InputError(_miscounted("a hyper-parameter", value, f"{replicas} replicas", "one per replica"))
    return np.array(value, dtype=np.float64)


def check_counts(settings: Mapping[str, Any], seeds: Sequence[int]) -> None:
    """Check that hyper-parameters are one value or one per seed.

    Raises:
        InputError: a hyper-parameter, named in the message, is a tuple of another length.
    """
    for name, value in settings.items():
        if isinstance(value, tuple) and len(value) != len(seeds):
            plural = "s" if len(seeds) > 1 else ""
            raise InputError(_miscounted(name, value, f"{len(seeds)} seed{plural}", "one per seed"))


def _miscounted(name: str, value: Sequence[float], replicas: str, each_one: str) -> str:
    values = ", ".join(f"{number:g}" for number in value)
    return f"{name} has {len(value)} values ({values}) for {replicas}; give one value, or {each_one}"


def per_replica(value: Number, replicas: int, *, device: str = "cpu") -> Tensor:
    """Return `value` as a float64 tensor [R].

    Raises:
        InputError: `value` is a sequence whose length is not R.
    """
    return _tensor(tuple(value) if isinstance(value, Sequence) else float(value), replicas, device)


@lru_cache(maxsize=256)
def _tensor(value: float | tuple[float, ...], replicas: int, device: str) -> Tensor:
    import torch

    with torch.inference_mode(False):  # the cached tensor serves runs in any mode
        return torch.from_numpy(each(value, replicas)).to(device)
