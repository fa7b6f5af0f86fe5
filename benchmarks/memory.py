"""Memory of a replica, counted: arrays of the compiled engine, tensors of the torch engine."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any, cast

import torch

from neucb.benchmarks.entrants import BenchTask
from neucb.benchmarks.suites import VARIANTS
from neucb.engines.compiled.engine import Compiled
from neucb.engines.engine import Lockstep
from neucb.environments.preprocessing import Encoded

ROUNDS, REPLICAS = 1_000, 8


def measure_memory(encoded: Encoded) -> list[dict[str, Any]]:
    """Return bytes per replica of every variant, of a run of 1,000 rounds: what is held before round 1.

    The torch engine adds 4 B K m bytes and less for the B = 32 rounds that it looks ahead.
    """
    rows = []
    for name, (agent, settings) in VARIANTS.items():
        task = BenchTask(agent, encoded, settings)
        row: dict[str, Any] = {"task": name, "torch": _tensors(task)}
        if task.has_compiled:
            row["compiled"] = _arrays(task)
        rows.append(row)
    return rows


def _tensors(task: BenchTask) -> float:
    """Return the bytes of the tensors that an agent keeps after `reset`, per replica."""
    job = task.run(REPLICAS, ROUNDS, "torch")
    gc.collect()
    before = {id(one) for one in _live()}
    with torch.no_grad():
        cast("Lockstep", job.player).agent.reset(job.log.spec)
    gc.collect()
    storages = {
        one.untyped_storage().data_ptr(): one.untyped_storage().nbytes()
        for one in _live()
        if id(one) not in before
    }
    return sum(storages.values()) / REPLICAS


def _live() -> list[torch.Tensor]:
    return [one for one in gc.get_objects() if type(one) is torch.Tensor]


def _arrays(task: BenchTask) -> float:
    """Return what making one replica of the compiled engine leaves allocated."""
    player = cast("Compiled", task.run(1, ROUNDS, "compiled").player)
    player.load()
    gc.collect()
    tracemalloc.start()
    replica = player._make(0)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del replica
    return float(held)
