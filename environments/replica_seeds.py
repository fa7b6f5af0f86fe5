"""Seeds of the replicas of an environment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neucb.core.errors import InputError
from neucb.core.seeds import is_whole


def replica_seeds(
    seed: int | Sequence[int | None] | None, replicas: int, rng: np.random.Generator
) -> list[int]:
    """Return one seed per replica: s, s + 1, ... for a number s, drawn from `rng` for None.

    Raises:
        InputError: a sequence of another length.
    """
    if is_whole(seed):
        return [int(seed) + r for r in range(replicas)]
    given = [None] * replicas if seed is None else list(seed)  # type: ignore[arg-type]  # no number is left
    if len(given) != replicas:
        raise InputError(f"{len(given)} seeds for {replicas} replicas")
    return [int(rng.integers(2**31)) if one is None else int(one) for one in given]
