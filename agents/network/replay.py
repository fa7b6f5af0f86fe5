"""Replay buffer: the played samples of every replica."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neucb.agents.network.forward import Inputs
from neucb.core.random import stream

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.core.spec import Spec

DRAW_AHEAD = 256  # rounds per batch of random draws


class Memory:
    """Replay buffer with uniform draws by the replica's stream "replay".

    Args:
        spec: the shape of the run.
        inputs: d, the size of a sample.
        count: number of draws a round.
        batch: minibatch size.
    """

    def __init__(self, spec: Spec, inputs: int, count: int, batch: int = 1) -> None:
        R, T = spec.replicas, spec.horizon
        dtype = getattr(torch, spec.dtype)
        self._x = torch.empty(T, R, inputs, dtype=dtype, device=spec.device)
        self._block = torch.empty(T, R, dtype=torch.int64, device=spec.device)
        self._target = torch.empty(T, R, dtype=dtype, device=spec.device)
        self._weight = torch.ones(T, R, dtype=dtype, device=spec.device)
        self._streams = [stream(seed, "replay") for seed in spec.seeds]
        self._rows = torch.arange(R, device=spec.device)
        self._draws: Tensor | None = None
        self._count = count
        self._batch = batch
        self._size = 0

    def add(self, x: Tensor, block: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Append samples: x [R, d], their blocks [R], targets [R] and weights [R], 1 by default."""
        if self._size == len(self._x):
            self._grow()
        self._x[self._size] = x
        self._block[self._size] = block
        self._target[self._size] = target
        if weight is not None:
            self._weight[self._size] = weight
        self._size += 1

    def _grow(self) -> None:
        """Double the capacity, for runs of a trained agent beyond its horizon."""
        buffers = self._x, self._block, self._target
        self._x, self._block, self._target = (torch.cat([part, torch.empty_like(part)]) for part in buffers)
        self._weight = torch.cat([self._weight, torch.ones_like(self._weight)])

    def state_dict(self) -> dict[str, Any]:
        """Return the filled part of the buffer and the random state."""
        kept = {name: getattr(self, name)[: self._size] for name in ("_x", "_block", "_target", "_weight")}
        return {**kept, "_streams": self._streams, "_draws": self._draws, "_size": self._size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of `state_dict`."""
        vars(self).update(state)

    def __len__(self) -> int:
        """Return the number of stored samples per replica."""
        return self._size

    def everything(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return all stored samples: x [n, R, d], blocks, targets and weights [n, R]."""
        buffers = (self._x, self._block, self._target, self._weight)
        x, block, target, weight = (part[: self._size] for part in buffers)
        return x, block, target, weight

    def at(self, past: Tensor, scale: Tensor | None) -> tuple[Inputs, Tensor, Tensor]:
        """Return the inputs, targets and weights of the samples at indices `past` [R], one per replica."""
        index = (past, self._rows)
        return Inputs(self._x[index], scale, self._block[index]), self._target[index], self._weight[index]

    def batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield minibatches (x [R, b, d], blocks, targets, weights [R, b]) of the samples of `draw`."""
        for past in self._drawn().view(-1, self._batch, len(self._rows)):
            index = (past, self._rows)  # [b, R]
            buffers = (self._x, self._block, self._target, self._weight)
            x, block, target, weight = (part[index].transpose(0, 1) for part in buffers)
            yield x, block, target, weight

    def draw(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield samples (x [R, d], blocks, targets, weights [R]), drawn uniformly with replacement."""
        for past in self._drawn():
            index = (past, self._rows)
            yield self._x[index], self._block[index], self._target[index], self._weight[index]

    def _drawn(self) -> Tensor:
        """Return the sample indices drawn for this round [count, R]."""
        chunk = (self._size - 1) % DRAW_AHEAD
        if chunk == 0:
            drawn = [rng.random((DRAW_AHEAD, self._count)) for rng in self._streams]
            self._draws = torch.from_numpy(np.stack(drawn, 2)).to(self._rows.device)
        assert self._draws is not None
        return (self._draws[chunk] * self._size).long()
