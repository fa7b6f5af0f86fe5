"""Estimates of the work and memory of a batch; no result depends on them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neucb.core.constants import FULL_UP_TO
from neucb.environments.make import ROUNDS

if TYPE_CHECKING:
    from neucb.environments.preprocessing import Encoded
    from neucb.sweeps.plan import Batch

STEP = 3e5  # multiplications in the time of one lockstep round of torch, approximately


def cost(batch: Batch, data: Encoded | str, engine: str) -> float:
    """Return the expected work of a batch, roughly in multiplications."""
    rows, features, arms = _shape(batch, data)
    recycle = bool(batch.options.get("recycle"))
    wanted = batch.rounds or ROUNDS
    rounds = wanted if recycle else min(wanted, rows)
    width = _number(batch, "width", features)
    step = arms * width * (features + (_number(batch, "depth", 1) - 1) * width)
    step *= _number(batch, "updates_per_round", 1) * _number(batch, "members", 1)
    return rounds * (len(batch.seeds) * step + (0.0 if engine == "compiled" else STEP))


def memory(batch: Batch, data: Encoded | str) -> float:
    """Return the bytes of one run of a batch: parameters, copies of them, covariances."""
    _, features, arms = _shape(batch, data)
    size = 4 if batch.dtype == "float32" else 8
    if "width" in batch.settings:
        width = _number(batch, "width", 1)
        parameters = arms * width * (features + 1) + (_number(batch, "depth", 1) - 1) * width**2 + width
        signs = _number(batch, "perturbations", math.inf)
        copies = 4 + (signs if math.isfinite(signs) else 0)
        kept = size * parameters * copies
        if batch.settings.get("covariance") == "full":
            kept += 8 * parameters**2
    else:
        features = {
            "quadratic": features * (features + 3) / 2,
            "fourier": _number(batch, "n_components", features),
        }.get(str(batch.settings.get("feature_map")), features)
        features = 2.0**bits if (bits := _number(batch, "hash_bits", 0)) else features
        full = batch.settings.get("covariance") != "diagonal" and features <= FULL_UP_TO
        kept = 8 * arms * (features**2 if full else features) * 2
    return kept * _number(batch, "members", 1)


def _shape(batch: Batch, data: Encoded | str) -> tuple[int, float, int]:
    """Return rows, d and K; a guess for worlds without a table."""
    if isinstance(data, str):
        return batch.rounds or ROUNDS, 10, 10
    rows, features = data.contexts.shape
    return rows, features, data.table.arms


def _number(batch: Batch, name: str, default: float) -> float:
    """Return a hyper-parameter that all runs share, or the default for agents without it."""
    value = batch.settings.get(name, default)
    return float(value) if isinstance(value, int | float) else default
