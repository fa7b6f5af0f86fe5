"""Lookahead: batched first-layer products for a block of rounds, with deferred weight updates.

Contexts do not depend on the played arms, and a step adds x delta' to one arm's block of the first
layer W. So W is multiplied with the next B contexts x_c in one batch, and pending steps are added to
the products on demand: sum over earlier rounds b of <x_b, x_c> delta_b. W itself is read and written
once in B rounds instead of in every round. The trajectory is the same up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from neucb.agents.network.sparse import FEW, Entries

if TYPE_CHECKING:
    from torch import Tensor


LINE = 16  # numbers in a cache line


class Scratch:
    """Buffers reused from block to block.

    The allocation of large buffers takes longer than writing to them.
    """

    def __init__(self) -> None:
        self._pieces: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return an uninitialised tensor of a shape, in the buffer of this name."""
        count = math.prod(shape)
        if name not in self._pieces or self._pieces[name].numel() < count:
            self._pieces[name] = like.new_empty(count)
        return self._pieces[name][:count].view(shape)


@dataclass(frozen=True)
class Block:
    """The inputs of the next B rounds.

    Attributes:
        x: [B, R, d] contexts, the intercept included.
        scale: [B, R, d] factors of the step sizes per input, or None for 1.
        sparse: whether products use only the nonzero entries of the contexts.
    """

    x: Tensor
    scale: Tensor | None
    sparse: bool = False

    @property
    def rounds(self) -> int:
        """B, the number of rounds."""
        return len(self.x)

    @cached_property
    def steps(self) -> Tensor:
        """The contexts [B, R, d] times their step sizes per input."""
        return self.x if self.scale is None else self.x * self.scale

    @cached_property
    def rows(self) -> Tensor:
        """The contexts [R, B', d] replica by replica, zero-padded from B on, see `by_replica`."""
        return by_replica(self.x)

    @cached_property
    def scaled(self) -> Tensor:
        """`rows` [R, B', d] times the step sizes per input."""
        return self.rows if self.scale is None else by_replica(self.steps)

    @cached_property
    def entries(self) -> Entries:
        """The nonzero entries of the contexts."""
        return Entries.of(self.rows, self.scaled)

    def through(self, first: Tensor, scratch: Scratch) -> Tensor:
        """Return products [R, K, B, m] with all arms' blocks of `first` [R K, d, m], in `scratch` buffers."""
        if self.sparse:
            return self.entries.through(first).transpose(1, 2)[:, :, : self.rounds]
        B, R, d = self.x.shape
        arms = len(first) // R
        rows = scratch.take("rows", (R, arms, B, d), first)
        rows[:] = self.rows[:, :B].unsqueeze(1)
        products = scratch.take("products", (R * arms, B, first.shape[2]), first)
        return torch.bmm(rows.view(R * arms, B, d), first, out=products).view(R, arms, B, -1)


class DeferredLayer:
    """First layer whose steps are deferred during a block of rounds.

    Args:
        block: inputs of the rounds.
        first: [R K, d, m] weights, up to date after `flush`.
        scratch: buffers of the products.
    """

    def __init__(self, block: Block, first: Tensor, scratch: Scratch) -> None:
        R = block.x.shape[1]
        self._first = first
        self._block = block
        self._rounds = self._flushed = 0
        self._products = block.through(first, scratch)
        self._gram = _products_of(block.rows, block.scaled)  # [R, B', B'], <x_c, scaled x_b> at [c, b]
        self._delta = first.new_zeros(R, block.rounds, first.shape[2])
        self._arm = torch.empty(R, block.rounds, dtype=torch.int64, device=first.device)
        self._shrunk: Tensor | None = None  # [R] pending factor of the products
        self._owed: Tensor | None = None  # [R] pending factor of `first`

    @cached_property
    def _played(self) -> Tensor:
        """The played arms [R, K, B], one-hot."""
        replicas, rounds = self._arm.shape
        return self._delta.new_zeros(replicas, len(self._first) // replicas, rounds)

    @cached_property
    def _again(self) -> Tensor:
        """Gram matrices [R, B', B'] of the scaled contexts."""
        return _products_of(self._block.scaled, self._block.scaled)

    def hidden(self, place: int) -> Tensor:
        """Return the up-to-date products [R, K, m] with the contexts of round `place`."""
        products = self._before(place)
        if place == 0:
            return products
        n = max(place, 2)  # a product over one step rounds differently in a batch of one
        weight = self._played[:, :, :n] * self._gram[:, place : place + 1, :n]
        return torch.baddbmm(products, weight, self._delta[:, :n])

    def _before(self, place: int) -> Tensor:
        """Return a copy of the products [R, K, m] with the contexts of a round, without pending steps."""
        products = self._products[:, :, place]
        if self._shrunk is None:
            return products.clone(memory_format=torch.contiguous_format)
        return products * self._shrunk.view(-1, 1, 1)

    def product(self, place: int, arm: Tensor, stale: Tensor) -> Tensor:
        """Return `stale` [R, m], products of scaled contexts with the arms' blocks, brought up to date."""
        stale = stale if self._owed is None else stale * self._owed.unsqueeze(1)
        return stale if place == self._flushed else self._with_steps(place, arm, stale)

    def _with_steps(self, place: int, arm: Tensor, stale: Tensor) -> Tensor:
        """Return `stale` plus the pending steps; `stale` may be overwritten."""
        left = self._flushed
        stop = max(place, left + 2)  # as in `hidden`
        same = self._played[:, :, left:stop].gather(1, arm.view(-1, 1, 1).expand(-1, 1, stop - left))
        weight = same * self._again[:, place : place + 1, left:stop]
        return torch.baddbmm(stale.unsqueeze(1), weight, self._delta[:, left:stop]).squeeze(1)

    def add(self, place: int, arm: Tensor, delta: Tensor, scale: Tensor) -> None:
        """Defer a step of the arms [R]: scale [R] times contexts of round `place` times delta [R, m]."""
        torch.mul(delta, scale.unsqueeze(1), out=self._delta[:, place])
        self._arm[:, place] = arm
        self._rounds = place + 1
        self._count(place, arm)

    def _count(self, place: int, arm: Tensor) -> None:
        self._played[:, :, place].scatter_(1, arm.unsqueeze(1), 1.0)

    def flush(self) -> None:
        """Apply the pending steps to `first`."""
        left, right = self._flushed, self._rounds
        self._flushed = right
        if self._owed is not None:
            self._first.view(len(self._owed), -1).mul_(self._owed.unsqueeze(1))
            self._owed = None
        if left < right:
            self._flush(left, right)

    def _flush(self, left: int, right: int) -> None:
        """Apply the steps of rounds left..right-1 to `first`: for each arm all steps, masked by its plays.

        The masked product needs no host synchronisation for the played arms.
        """
        inputs = self._block.scaled[:, left:right].transpose(1, 2)
        blocks = self._first.view(len(inputs), -1, *self._first.shape[1:]).unbind(1)
        for block, own in zip(blocks, self._played[:, :, left:right].unbind(1), strict=True):
            block.baddbmm_(inputs, own.unsqueeze(2) * self._delta[:, left:right])

    def multiply(self, factor: Tensor) -> None:
        """Multiply the layer by factors [R], deferred for `first` and the products."""
        self._delta.mul_(factor.view(-1, 1, 1))
        self._shrunk = factor if self._shrunk is None else self._shrunk * factor
        self._owed = factor if self._owed is None else self._owed * factor


class DeferredLayerOnCPU(DeferredLayer):
    """Deferred layer with CPU kernels: a step is added to the played arm's products only."""

    def __init__(self, block: Block, first: Tensor, scratch: Scratch) -> None:
        super().__init__(block, first, scratch)
        self._arms, self._moves = self._arm.numpy(), self._delta.numpy()
        self._steps = self._arms, self._gram.numpy(), self._moves

    def hidden(self, place: int) -> Tensor:
        """Return the products [R, K, m] with the contexts of round `place`."""
        from neucb.kernels.lookahead import add_pending

        products = self._before(place)
        add_pending(products.numpy(), *self._steps, place)
        return products

    def _with_steps(self, place: int, arm: Tensor, stale: Tensor) -> Tensor:
        from neucb.kernels.lookahead import add_pending_played

        again = self._again.numpy()
        add_pending_played(stale.numpy(), arm.numpy(), self._arms, again, self._moves, self._flushed, place)
        return stale

    def _count(self, place: int, arm: Tensor) -> None:
        """Skip the one-hot arms, which the kernels do not use."""

    def _flush(self, left: int, right: int) -> None:
        """Apply the steps of rounds left..right-1 to `first`: one by one, or in one product per arm."""
        if self._block.sparse or self._first.shape[1] <= FEW:
            self._block.entries.add(self._first, self._arms, self._delta, (left, right))
            return
        R = len(self._arm)
        arms = len(self._first) // R
        block = (self._arm[:, left:right] + arms * torch.arange(R).unsqueeze(1)).flatten()
        order = block.argsort(stable=True)
        count = torch.bincount(block, minlength=R * arms)
        played = count.nonzero().flatten()
        inputs = self._block.scaled[:, left:right].flatten(0, 1).index_select(0, order).t()
        delta = self._delta[:, left:right].flatten(0, 1).index_select(0, order)
        sizes = count[played].tolist()
        parts = torch.split(inputs, sizes, 1), torch.split(delta, sizes)
        for i, x, moves in zip(played.tolist(), *parts, strict=True):
            self._first[i].addmm_(x, moves)


def by_replica(x: Tensor) -> Tensor:
    """Return contexts [B, R, d] replica by replica [R, B', d], zero-padded to a multiple of 16 rounds.

    Every replica then starts at a cache line: on some processors the rounding of products depends on it.
    """
    rounds, replicas, d = x.shape
    rows = x.new_empty(replicas, -(-rounds // LINE) * LINE, d)
    rows[:, :rounds] = x.transpose(0, 1)
    rows[:, rounds:] = 0.0
    return rows


def _products_of(x: Tensor, y: Tensor) -> Tensor:
    """Return the products x y' [R, B', B'] of contexts x and y [R, B', d]."""
    return torch.bmm(x, y.transpose(1, 2))
