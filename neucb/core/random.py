"""Random streams: one generator per replica, keyed by its seed and a purpose."""

from __future__ import annotations

import numpy as np

PURPOSES = {
    "init": 0,
    "order": 1,
    "action": 2,
    "signs": 3,
    "noise": 4,
    "drift": 5,
    "world": 6,
    "replay": 7,
    "posterior": 8,
    "bootstrap": 9,
    "members": 10,
    "propensity": 11,
}


def stream(seed: int, purpose: str, *part: int) -> np.random.Generator:
    """Return the generator of `seed` for one purpose (a key of `PURPOSES`), or for a part of it.

    Philox keyed by (seed, purpose): more draws for one purpose never shift another, and no number
    depends on the number of replicas in the run. The runner draws actions from "action", the
    environment draws from "order", "noise", "drift" and "world", the agent from the others, so that
    every agent meets the same rows and the same action draws under one seed.
    """
    key = np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], *part))
    return np.random.Generator(np.random.Philox(key))
