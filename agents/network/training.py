"""Training schedules: replayed steps on single samples, minibatches or the full batch."""

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
STEPS = 1000  # maximum steps a round in the NeuralUCB code
SMALL = 1e-3  # mean squared error of an epoch at which the NeuralUCB code stops
EVERY_ROUND, THEN_EVERY = 2000, 100  # rounds with training every round, and the interval afterwards
FULL_STEPS = 100  # steps a round in the NeuralTS code


@dataclass(frozen=True)
class Minibatch:
    """Minibatch of one replica, sorted by the block of W1.

    Attributes:
        x: [n, d] contexts, the intercept included.
        target: [n] losses y in [0, 1].
        weight: [n] >= 0, shares of the minibatch loss.
        scale: [d] factors of the step sizes per input, or None for 1.
        parts: pairs of a block and the slice of its samples, for the blocks with samples.
    """

    x: Tensor
    target: Tensor
    weight: Tensor
    scale: Tensor | None
    parts: tuple[tuple[int, slice], ...]


class TakesBatches(Protocol):
    """Weights with steps on the mean loss of a minibatch."""

    def descend(self, replica: int, batch: Minibatch, rate: Tensor) -> None:
        """Make one gradient step of size `rate` (a scalar) on one replica's minibatch."""


class TakesSamples(Protocol):
    """Weights with steps on single samples of every replica."""

    def forward(self, inputs: Inputs) -> Forward:
        """Return the forward pass without a change of state."""

    def predict(self, output: Tensor) -> Tensor:
        """Return predicted losses [R, K] for outputs f [R, K]."""

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Make one gradient step of size `rate` [R] on the played arms' targets [R]."""


def make_batch(x: Tensor, block: Tensor, target: Tensor, weight: Tensor, scale: Tensor | None) -> Minibatch:
    """Return the minibatch of samples x [n, d], their blocks [n] in 0..B-1, targets and weights [n].

    A sample's share of the loss is its weight / n.
    """
    ends = torch.bincount(block).cumsum(0).tolist()
    rows = (slice(start, end) for start, end in pairwise([0, *ends]))
    parts = tuple((b, part) for b, part in enumerate(rows) if part.start < part.stop)
    order = torch.argsort(block, stable=True)
    return Minibatch(x[order], target[order], weight[order] / len(block), scale, parts)


def batch_gradient(
    batch: Minibatch, first: Tensor, head: Tensor, factor: float, residual: Callable[[Tensor], Tensor]
) -> tuple[list[tuple[int, Tensor]], Tensor]:
    """Return the gradient of a minibatch loss: [d, m] for each block of W1 with samples, [q] for the head.

    Gradients are multiplied by D_t and `SHARED_STEP`. One product per block avoids padding to the largest
    block.

    Args:
        batch: the minibatch.
        first: W1 [B, d, m].
        head: [q].
        factor: output factor.
        residual: function from outputs f [n] to the derivatives [n] of the loss by f.
    """
    hidden = head.new_empty(len(batch.x), first.shape[2])
    for block, rows in batch.parts:
        torch.mm(batch.x[rows], first[block], out=hidden[rows])
    lowest = hidden.relu_().unsqueeze(0)
    f, further = outputs(lowest, head.unsqueeze(0), factor)
    error = factor * batch.weight * residual(f.squeeze(0))  # [n]
    deltas = slopes([lowest, *further], head.unsqueeze(0))
    active, slope = ([layer.squeeze(0) for layer in part] for part in ((lowest, *further), deltas))
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
    """Make the steps of the NeuralTS code: 100 on the mean loss of the replay buffer; yield after each.

    Zhang, Zhou, Li, Gu, ICLR 2021 (arXiv 2010.00827). Its weight decay is omitted.
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
    """Make the steps of the NeuralUCB code on the replay buffer; yield after each.

    Epochs in random order, one step a sample, until 1,000 steps or a mean squared error of an epoch of
    at most 0.001. Zhou, Li, Gu, ICML 2020 (arXiv 1911.04462). Its weight decay is omitted.
    """
    size, steps, epoch = len(memory), 0, 0
    running = torch.ones_like(rate)
    while bool(running.any()):
        orders = [stream(seed, "replay", number, epoch).permutation(size) for seed in seeds]
        error = torch.zeros_like(rate)
        for past in torch.from_numpy(np.stack(orders, 1)).to(rate.device):
            inputs, target, weight = memory.at(past, scale)
            forward = weights.forward(inputs)
            index = forward.at(past)
            error += (weights.predict(forward.output)[index] - target).square()
            weights.step(forward, past, target, rate * weight * running)
            yield
            steps += 1
            if steps == STEPS:
                return
        running = running * (error / size > SMALL)
        epoch += 1
