"""Check before any allocation that the models of a run fit into memory."""

from __future__ import annotations

import sys

import numpy as np

from neucb.agents.initialisation import is_full
from neucb.agents.recipes.oracles import LINEAR, NEURAL
from neucb.agents.recipes.recipe import Recipe
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.compiled.inputs import Settings
from neucb.engines.compiled.linear import count_columns

DRAWN = 2 * np.dtype(np.float64).itemsize  # bytes per weight of one replica while theta_0 is drawn and copied


def memory_bytes() -> int:
    """Return the bytes that Linux counts as available; no limit where a system does not tell."""
    try:
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return sys.maxsize


def network_bytes(settings: Settings, spec: Spec) -> int:
    """Return a lower bound of the bytes of the first layers of all replicas, K m (d + 1) weights each."""
    weights = spec.arms * int(settings["width"]) * (spec.features + 1)
    return weights * (spec.replicas * np.dtype(spec.dtype).itemsize + DRAWN)


def models_bytes(settings: Settings, spec: Spec) -> int:
    """Return the bytes of the linear models of all replicas: weights and covariances, float64."""
    columns = count_columns(settings, spec)
    entries = columns**2 if is_full(settings["covariance"], columns) else columns
    members = int(settings.get("members", 1))
    return 8 * members * spec.replicas * spec.arms * (columns + entries)


def check_fits(recipe: Recipe, settings: Settings, spec: Spec, memory: int | None = None) -> None:
    """Check the memory of the models of all replicas.

    Args:
        recipe: recipe of the agent.
        settings: all its hyper-parameters.
        spec: shape of the run.
        memory: bytes that the run may take; `memory_bytes` by default.

    Raises:
        InputError: models that do not fit.
    """
    free = memory_bytes() if memory is None else memory
    if recipe.oracle == LINEAR and (needed := models_bytes(settings, spec)) > free:
        raise InputError(
            f"{recipe.name} needs {needed:,} bytes for the linear models of {spec.arms:,} arms and "
            f"{spec.replicas} replicas, but {free:,} are free; take covariance=diagonal, a smaller hash_bits "
            "or fewer replicas"
        )
    if recipe.oracle != NEURAL or spec.sparse:  # weights of sparse inputs take memory when they first occur
        return
    needed = network_bytes(settings, spec)
    if needed > free:
        raise InputError(
            f"{recipe.name} needs at least {needed:,} bytes for the networks of {spec.arms:,} arms, width "
            f"{settings['width']} and {spec.replicas} replicas, but {free:,} are free; take a smaller width, "
            "fewer replicas or an agent with linear models, such as squarecb"
        )
