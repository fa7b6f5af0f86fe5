"""Lookahead: products of the next rounds' contexts with a first layer that goes on learning.

Contexts do not depend on the arms played, and a step adds x delta' to one arm's block of the first
layer W. So W is multiplied with the next B contexts x_c at once, and what steps have added since is
brought in where it is needed: sum over earlier rounds b of <x_b, x_c> delta_b. W itself is read and
written once in B rounds instead of in every one. The trajectory is the same up to rounding.
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
    """Memory that one block of rounds leaves to the next.

    Large pieces take longer to get from the operating system than to fill.
    """

    def __init__(self) -> None:
        self._pieces: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a tensor of a shape, its numbers undefined, in the place of what had this name before."""
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
        sparse: whether to multiply with the entries of the contexts that are not 0 alone.
    """

    x: Tensor
    scale: Tensor | None
    sparse: bool = False

    @property
    def rounds(self) -> int:
        """B."""
        return len(self.x)

    @cached_property
    def steps(self) -> Tensor:
        """The contexts [B, R, d] times their step sizes."""
        return self.x if self.scale is None else self.x * self.scale

    @cached_property
    def rows(self) -> Tensor:
        """The contexts replica by replica [R, B', d], with 0 from B on, see `by_replica`."""
        return by_replica(self.x)

    @cached_property
    def scaled(self) -> Tensor:
        """The same times their step sizes."""
        return self.rows if self.scale is None else by_replica(self.steps)

    @cached_property
    def entries(self) -> Entries:
        """The contexts' entries that are not 0."""
        return Entries.of(self.rows, self.scaled)

    def through(self, first: Tensor, scratch: Scratch) -> Tensor:
        """Return products [R, K, B, m] with all arms' blocks of `first` [R K, d, m], kept in `scratch`."""
        if self.sparse:
            return self.entries.through(first).transpose(1, 2)[:, :, : self.rounds]
        B, R, d = self.x.shape
        arms = len(first) // R
        rows = scratch.take("rows", (R, arms, B, d), first)
        rows[:] = self.rows[:, :B].unsqueeze(1)
        products = scratch.take("products", (R * arms, B, first.shape[2]), first)
        return torch.bmm(rows.view(R * arms, B, d), first, out=products).view(R, arms, B, -1)


class DeferredLayer:
    """A first layer during a block of rounds.

    Args:
        block: of rounds.
        first: [R K, d, m]; it has all steps after `flush`.
        scratch: for the products.
    """

    def __init__(self, block: Block, first: Tensor, scratch: Scratch) -> None:
        R = block.x.shape[1]
        self._first = first
        self._block = block
        self._rounds = self._flushed = 0
        self._products = block.through(first, scratch)
        self._shown = _products_of(block.rows, block.scaled)  # [R, B', B'], in c what b's step shows
        self._delta = first.new_zeros(R, block.rounds, first.shape[2])
        self._arm = torch.empty(R, block.rounds, dtype=torch.int64, device=first.device)
        self._shrunk: Tensor | None = None  # by what the products are to be multiplied [R]
        self._owed: Tensor | None = None  # and `first`

    @cached_property
    def _played(self) -> Tensor:
        """The arms played, one-hot, [R, K, B]."""
        replicas, rounds = self._arm.shape
        return self._delta.new_zeros(replicas, len(self._first) // replicas, rounds)

    @cached_property
    def _again(self) -> Tensor:
        """Like `_shown` for the scaled contexts, [R, B', B']."""
        return _products_of(self._block.scaled, self._block.scaled)

    def hidden(self, place: int) -> Tensor:
        """Return the products [R, K, m] with the contexts of round `place`."""
        products = self._before(place)
        if place == 0:
            return products
        n = max(place, 2)  # products over one step have other bits in a batch of one
        weight = self._played[:, :, :n] * self._shown[:, place : place + 1, :n]
        return torch.baddbmm(products, weight, self._delta[:, :n])

    def _before(self, place: int) -> Tensor:
        """Return a copy of the products [R, K, m] with the contexts of a round, without any step."""
        products = self._products[:, :, place]
        if self._shrunk is None:
            return products.clone(memory_format=torch.contiguous_format)
        return products * self._shrunk.view(-1, 1, 1)

    def product(self, place: int, arm: Tensor, stale: Tensor) -> Tensor:
        """Bring `stale` [R, m], products of the scaled contexts with the arms' blocks, up to date."""
        stale = stale if self._owed is None else stale * self._owed.unsqueeze(1)
        return stale if place == self._flushed else self._with_steps(place, arm, stale)

    def _with_steps(self, place: int, arm: Tensor, stale: Tensor) -> Tensor:
        """Return `stale`, which it may change, with the steps that are not in `first`."""
        left = self._flushed
        stop = max(place, left + 2)  # as in `hidden`
        same = self._played[:, :, left:stop].gather(1, arm.view(-1, 1, 1).expand(-1, 1, stop - left))
        weight = same * self._again[:, place : place + 1, left:stop]
        return torch.baddbmm(stale.unsqueeze(1), weight, self._delta[:, left:stop]).squeeze(1)

    def add(self, place: int, arm: Tensor, delta: Tensor, scale: Tensor) -> None:
        """Add a step to the arms [R] played: scale [R] times contexts of round `place` times delta [R, m]."""
        torch.mul(delta, scale.unsqueeze(1), out=self._delta[:, place])
        self._arm[:, place] = arm
        self._rounds = place + 1
        self._count(place, arm)

    def _count(self, place: int, arm: Tensor) -> None:
        self._played[:, :, place].scatter_(1, arm.unsqueeze(1), 1.0)

    def flush(self) -> None:
        """Bring the steps into `first`."""
        left, right = self._flushed, self._rounds
        self._flushed = right
        if self._owed is not None:
            self._first.view(len(self._owed), -1).mul_(self._owed.unsqueeze(1))
            self._owed = None
        if left < right:
            self._flush(left, right)

    def _flush(self, left: int, right: int) -> None:
        """Bring the steps of some rounds into `first`: for each arm all, times 0 those of others.

        Which arms were played does not have to be known here, which a GPU would have to be waited for.
        """
        inputs = self._block.scaled[:, left:right].transpose(1, 2)
        blocks = self._first.view(len(inputs), -1, *self._first.shape[1:]).unbind(1)
        for block, own in zip(blocks, self._played[:, :, left:right].unbind(1), strict=True):
            block.baddbmm_(inputs, own.unsqueeze(2) * self._delta[:, left:right])

    def multiply(self, factor: Tensor) -> None:
        """Multiply the layer by factors [R], which `first` and the products are left to be later."""
        self._delta.mul_(factor.view(-1, 1, 1))
        self._shrunk = factor if self._shrunk is None else self._shrunk * factor
        self._owed = factor if self._owed is None else self._owed * factor


class DeferredLayerOnCPU(DeferredLayer):
    """The same by kernels: a step goes to the products of the arm played, not times 0 to all others'."""

    def __init__(self, block: Block, first: Tensor, scratch: Scratch) -> None:
        super().__init__(block, first, scratch)
        self._arms, self._moves = self._arm.numpy(), self._delta.numpy()
        self._steps = self._arms, self._shown.numpy(), self._moves

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
        """Nothing else is needed to be known of the arms."""

    def _flush(self, left: int, right: int) -> None:
        """Bring the steps of some rounds into `first`: one by one, or all of an arm's in one product."""
        if self._block.sparse or self._first.shape[1] <= FEW:
            self._block.entries.add(self._first, self._arms, self._delta, (left, right))
            return
        R = len(self._arm)
        arms = len(self._first) // R
        block = (self._arm[:, left:right] + arms * torch.arange(R).unsqueeze(1)).flatten()
        order = block.argsort(stable=True)
        count = torch.bincount(block, minlength=R * arms)
        taken = count.nonzero().flatten()
        inputs = self._block.scaled[:, left:right].flatten(0, 1).index_select(0, order).t()
        delta = self._delta[:, left:right].flatten(0, 1).index_select(0, order)
        sizes = count[taken].tolist()
        parts = torch.split(inputs, sizes, 1), torch.split(delta, sizes)
        for i, x, moves in zip(taken.tolist(), *parts, strict=True):
            self._first[i].addmm_(x, moves)


def by_replica(x: Tensor) -> Tensor:
    """Return contexts [B, R, d] replica by replica [R, B', d], with 0 from B to a multiple of 16.

    So every replica's start at a cache line: on some processors the bits of products depend on that.
    """
    rounds, replicas, d = x.shape
    rows = x.new_empty(replicas, -(-rounds // LINE) * LINE, d)
    rows[:, :rounds] = x.transpose(0, 1)
    rows[:, rounds:] = 0.0
    return rows


def _products_of(x: Tensor, y: Tensor) -> Tensor:
    """Return the products [R, B', B'] of contexts [R, B', d], of x and of y."""
    return torch.bmm(x, y.transpose(1, 2))
