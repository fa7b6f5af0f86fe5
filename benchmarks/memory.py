"""Memory of a replica: arrays of the compiled engine, tensors of the torch engine."""

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
    """Return the bytes per replica allocated before round 1 of a run of 1,000 rounds, for every variant.

    During a run the torch engine adds at most 4 B K m bytes for its lookahead of B = 32 rounds.
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
    """Return the bytes per replica of an agent's tensors after `reset`."""
    run = task.run(REPLICAS, ROUNDS, "torch")
    gc.collect()
    before = {id(tensor) for tensor in _live()}
    with torch.no_grad():
        cast("Lockstep", run.player).agent.reset(run.log.spec)
    gc.collect()
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in _live()
        if id(tensor) not in before
    }
    return sum(storages.values()) / REPLICAS


def _live() -> list[torch.Tensor]:
    return [item for item in gc.get_objects() if type(item) is torch.Tensor]


def _arrays(task: BenchTask) -> float:
    """Return the bytes allocated by the construction of one replica of the compiled engine."""
    player = cast("Compiled", task.run(1, ROUNDS, "compiled").player)
    player.load()
    gc.collect()
    tracemalloc.start()
    replica = player._make(0)
    gc.collect()
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del replica
    return float(allocated)
