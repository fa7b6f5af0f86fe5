"""Check before any allocation that the networks of a run fit into memory."""

from __future__ import annotations

import sys

import numpy as np

from neucb.agents.recipes.oracles import NEURAL
from neucb.agents.recipes.recipe import Recipe
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.compiled.inputs import Settings

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


def check_fits(recipe: Recipe, settings: Settings, spec: Spec, memory: int | None = None) -> None:
    """Check the memory of the networks of all replicas.

    Args:
        recipe: recipe of the agent.
        settings: all its hyper-parameters.
        spec: shape of the run.
        memory: bytes that the run may take; `memory_bytes` by default.

    Raises:
        InputError: networks that do not fit.
    """
    if recipe.oracle != NEURAL or spec.sparse:  # weights of sparse inputs take memory when they first occur
        return
    needed, free = network_bytes(settings, spec), memory_bytes() if memory is None else memory
    if needed > free:
        raise InputError(
            f"{recipe.name} needs at least {needed:,} bytes for the networks of {spec.arms:,} arms, width "
            f"{settings['width']} and {spec.replicas} replicas, but {free:,} are free; take a smaller width, "
            "fewer replicas or an agent with linear models, such as squarecb"
        )
