"""Replay: the samples that a replica has played, to be learnt from again."""

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

DRAW_AHEAD = 256  # rounds whose draws are made at once


class Memory:
    """The samples played, and uniform draws from them by the replica's stream "replay".

    Args:
        spec: the shape of the run.
        inputs: d, the size of a sample.
        count: draws a round.
        batch: of these that make one step.
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
        """Keep samples: x [R, d], their blocks [R], targets [R] and weights [R], 1 by default."""
        if self._size == len(self._x):
            self._grow()
        self._x[self._size] = x
        self._block[self._size] = block
        self._target[self._size] = target
        if weight is not None:
            self._weight[self._size] = weight
        self._size += 1

    def _grow(self) -> None:
        """Make room for as many samples again: a trained agent goes on."""
        kept = self._x, self._block, self._target
        self._x, self._block, self._target = (torch.cat([one, torch.empty_like(one)]) for one in kept)
        self._weight = torch.cat([self._weight, torch.ones_like(self._weight)])

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept, without the room for more."""
        kept = {name: getattr(self, name)[: self._size] for name in ("_x", "_block", "_target", "_weight")}
        return {**kept, "_streams": self._streams, "_draws": self._draws, "_size": self._size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what was kept."""
        vars(self).update(state)

    def __len__(self) -> int:
        """Return the number of samples kept of each replica."""
        return self._size

    def everything(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return all samples kept: x [n, R, d], blocks, targets and weights [n, R]."""
        kept = (self._x, self._block, self._target, self._weight)
        x, block, target, weight = (one[: self._size] for one in kept)
        return x, block, target, weight

    def at(self, past: Tensor, scale: Tensor | None) -> tuple[Inputs, Tensor, Tensor]:
        """Return the inputs, targets and weights of past samples [R], one per replica."""
        here = (past, self._rows)
        return Inputs(self._x[here], scale, self._block[here]), self._target[here], self._weight[here]

    def batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield batches (x [R, b, d], blocks, targets, weights [R, b]) of the samples that `draw` draws."""
        for past in self._drawn().view(-1, self._batch, len(self._rows)):
            here = (past, self._rows)  # [b, R]
            kept = (self._x, self._block, self._target, self._weight)
            x, block, target, weight = (one[here].transpose(0, 1) for one in kept)
            yield x, block, target, weight

    def draw(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield samples (x, blocks, targets, weights), drawn with replacement from those kept."""
        for past in self._drawn():
            here = (past, self._rows)
            yield self._x[here], self._block[here], self._target[here], self._weight[here]

    def _drawn(self) -> Tensor:
        """Return which samples this round draws [count, R]."""
        chunk = (self._size - 1) % DRAW_AHEAD
        if chunk == 0:
            drawn = [rng.random((DRAW_AHEAD, self._count)) for rng in self._streams]
            self._draws = torch.from_numpy(np.stack(drawn, 2)).to(self._rows.device)
        assert self._draws is not None
        return (self._draws[chunk] * self._size).long()
