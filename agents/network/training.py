"""Training schedules: further steps of a network on what it has played, alone, in batches, on all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch

from neucb.agents.initialisation import SHARED_STEP
from neucb.agents.network.layers import outputs, slopes, sum_by_head
from neucb.core.random import stream

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.network.forward import Forward, Inputs
    from neucb.agents.network.replay import Memory

TrainingSchedule = Literal["online", "neural-ucb", "neural-ts"]
STEPS = 1000  # of the NeuralUCB code in a round
SMALL = 1e-3  # mean squared error of a pass at which it stops
EVERY_ROUND, THEN_EVERY = 2000, 100  # rounds in each of which it trains, and how often after them
FULL_STEPS = 100  # of the NeuralTS code in a round


@dataclass(frozen=True)
class Minibatch:
    """Samples of one replica, sorted by the block of W1 that they go through.

    Attributes:
        x: [n, d] contexts, the intercept included.
        target: [n].
        weight: [n] >= 0, shares of the batch's loss.
        scale: [d] factors of the step sizes per input, or None for 1.
        parts: the blocks that have samples, and which of the n are theirs.
    """

    x: Tensor
    target: Tensor
    weight: Tensor
    scale: Tensor | None
    parts: tuple[tuple[int, slice], ...]


class TakesBatches(Protocol):
    """Weights that make steps on the mean loss of a batch."""

    def descend(self, replica: int, batch: Minibatch, rate: Tensor) -> None:
        """Make one gradient step of size `rate` (a scalar) on one replica's batch."""


class TakesSamples(Protocol):
    """Weights that make steps on single samples of every replica."""

    def forward(self, inputs: Inputs) -> Forward:
        """Return the pass; change no state."""

    def predict(self, output: Tensor) -> Tensor:
        """Return predicted losses [R, K] for outputs f [R, K]."""

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Make one gradient step of size `rate` [R] on the played arms' targets [R]."""


def make_batch(x: Tensor, block: Tensor, target: Tensor, weight: Tensor, scale: Tensor | None) -> Minibatch:
    """Return samples x [n, d], their blocks [n] in 0..B-1, targets and counts [n] as a batch.

    A sample's share of the loss is its count / n.
    """
    ends = torch.bincount(block).cumsum(0).tolist()
    rows = (slice(start, end) for start, end in pairwise([0, *ends]))
    parts = tuple((b, part) for b, part in enumerate(rows) if part.start < part.stop)
    order = torch.argsort(block, stable=True)
    return Minibatch(x[order], target[order], weight[order] / len(block), scale, parts)


def batch_gradient(
    batch: Minibatch, first: Tensor, head: Tensor, factor: float, residual: Callable[[Tensor], Tensor]
) -> tuple[list[tuple[int, Tensor]], Tensor]:
    """Return the gradient of a batch's loss: on blocks of W1 that have samples, [d, m] each, and on the head.

    Times what D_t and `SHARED_STEP` make of their steps. One product per block: no sample is padded to the
    block that has most.

    Args:
        batch: the samples.
        first: W1 [B, d, m].
        head: [q].
        factor: of the output.
        residual: from outputs f [n] to the derivatives of the loss by f.
    """
    hidden = head.new_empty(len(batch.x), first.shape[2])
    for block, rows in batch.parts:
        torch.mm(batch.x[rows], first[block], out=hidden[rows])
    lowest = hidden.relu_().unsqueeze(0)
    f, further = outputs(lowest, head.unsqueeze(0), factor)
    error = factor * batch.weight * residual(f.squeeze(0))  # [n]
    found = slopes([lowest, *further], head.unsqueeze(0))
    active, slope = ([one.squeeze(0) for one in part] for part in ((lowest, *further), found))
    x = batch.x * error.unsqueeze(1)
    if batch.scale is not None:
        x *= batch.scale
    on_first = [(block, x[rows].T @ slope[0][rows]) for block, rows in batch.parts]
    return on_first, sum_by_head(active, slope, error, SHARED_STEP)


def is_due(schedule: TrainingSchedule, number: int) -> bool:
    """Return whether a schedule trains in round `number` = 1, 2, ..."""
    return schedule != "neural-ucb" or number <= EVERY_ROUND or number % THEN_EVERY == 0


def full_steps(
    weights: TakesBatches, memory: Memory, scale: Tensor | None, rate: Tensor, blocks: int
) -> Iterator[None]:
    """Make the steps of the NeuralTS code: 100 on the mean loss of all that was played; yield after each.

    Zhang, Zhou, Li, Gu, ICLR 2021 (arXiv 2010.00827). Its weight decay is not part of this.
    """
    x, block, target, weight = memory.everything()
    for r in range(x.shape[1]):
        own = None if scale is None else scale[r]
        batch = make_batch(x[:, r], block[:, r] - r * blocks, target[:, r], weight[:, r], own)
        for _ in range(FULL_STEPS):
            weights.descend(r, batch, rate[r])
            yield


def stochastic_steps(
    weights: TakesSamples,
    memory: Memory,
    scale: Tensor | None,
    rate: Tensor,
    seeds: tuple[int, ...],
    number: int,
) -> Iterator[None]:
    """Make the steps of the NeuralUCB code on all that was played; yield after each.

    Passes in random order, one step a sample, until 1,000 steps were made or the mean squared error
    of a pass is at most 0.001. Zhou, Li, Gu, ICML 2020 (arXiv 1911.04462). Its weight decay is not
    part of this.
    """
    size, steps, passes = len(memory), 0, 0
    running = torch.ones_like(rate)
    while bool(running.any()):
        orders = [stream(seed, "replay", number, passes).permutation(size) for seed in seeds]
        error = torch.zeros_like(rate)
        for past in torch.from_numpy(np.stack(orders, 1)).to(rate.device):
            inputs, target, weight = memory.at(past, scale)
            forward = weights.forward(inputs)
            here = forward.at(past)
            error += (weights.predict(forward.output)[here] - target).square()
            weights.step(forward, past, target, rate * weight * running)
            yield
            steps += 1
            if steps == STEPS:
                return
        running = running * (error / size > SMALL)
        passes += 1
