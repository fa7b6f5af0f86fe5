"""Random streams: a replica's own numbers, keyed by its seed and their purpose."""

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

    Philox keyed by (seed, purpose): drawing more for one purpose never shifts another, and no
    number depends on how many replicas run beside this one. "action" belongs to the runner's dice,
    "order", "noise", "drift" and "world" to the environment, the others to the agent, so that every
    agent sees the same rows and the same dice under one seed.
    """
    key = np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], *part))
    return np.random.Generator(np.random.Philox(key))
