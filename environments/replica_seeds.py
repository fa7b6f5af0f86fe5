"""Seeds of the replicas of an environment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neucb.core.errors import InputError


def replica_seeds(
    seed: int | Sequence[int | None] | None, replicas: int, rng: np.random.Generator
) -> list[int]:
    """Return one seed per replica: s, s + 1, ... for a number s, drawn from `rng` for None.

    Raises:
        InputError: a sequence of another length.
    """
    if isinstance(seed, int):
        return [seed + r for r in range(replicas)]
    given: Sequence[int | None] = [None] * replicas if seed is None else seed
    if len(given) != replicas:
        raise InputError(f"{len(given)} seeds for {replicas} replicas")
    return [int(rng.integers(2**31)) if one is None else int(one) for one in given]
