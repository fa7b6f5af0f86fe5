"""Cost: how much work a batch is, to play the longest first; only the order depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.environments.make import ROUNDS

if TYPE_CHECKING:
    from neucb.environments.preprocessing import Encoded
    from neucb.sweeps.plan import Batch

STEP = 3e5  # a lockstep round of torch costs about as much as so many multiplications


def cost(batch: Batch, data: Encoded | str, engine: str) -> float:
    """Return the expected work of a batch, roughly in multiplications."""
    if isinstance(data, str):
        rows, features, arms = batch.rounds or ROUNDS, 10, 10
    else:
        (rows, features), arms = data.contexts.shape, data.table.arms
    recycle = bool(batch.options.get("recycle"))
    wanted = batch.rounds or ROUNDS
    rounds = wanted if recycle else min(wanted, rows)
    width = batch.settings.get("width")
    step = arms * features * (float(width) if isinstance(width, int) else features)
    replay = batch.settings.get("replay", 1)
    step *= float(replay) if isinstance(replay, int) else 1.0
    return rounds * (len(batch.seeds) * step + (0.0 if engine == "compiled" else STEP))
