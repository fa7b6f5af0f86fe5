"""Passes: what goes through a network, what comes out, and the gradient of one output.

Named tuples, which take a third of a frozen data class's time to make: there are three in every round.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch

from neucb.agents.initialisation import SHARED_STEP
from neucb.agents.network.layers import by_head, slopes

if TYPE_CHECKING:
    from torch import Tensor


@lru_cache(maxsize=64)
def _rows(replicas: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # what is kept serves runs in any mode
        return torch.arange(replicas, device=device)


class Inputs(NamedTuple):
    """What goes through the network.

    Attributes:
        x: [R, d] or [R, K, d] contexts, the intercept included.
        scale: [R, d] factors > 0 of the step sizes per input, or None for 1.
        block: [R] the one block of W1, among those of all replicas, that x [R, d] goes through; None
            for all arms.
        place: of x in the block of rounds that the weights have been told of, or None.
        steps: [R, d] x times scale, where somebody has taken it already.
    """

    x: Tensor
    scale: Tensor | None = None
    block: Tensor | None = None
    place: int | None = None
    steps: Tensor | None = None


class Forward(NamedTuple):
    """One pass through the network, for all arms or for one.

    Attributes:
        inputs: what went in.
        hidden: [R, K, m] what the first hidden layer gives, [R, 1, m] for one arm.
        head: [R, q] what is above it, see layers.py; of one hidden layer w2 [R, m].
        output: [R, K] or [R, 1] the network's outputs f.
        further: what each further hidden layer gives, in the shape of `hidden`.
        moved: what a perturbed kind of weights needs of its pass again in its step.
    """

    inputs: Inputs
    hidden: Tensor
    head: Tensor
    output: Tensor
    further: tuple[Tensor, ...]
    moved: Tensor | None = None

    def active(self) -> list[Tensor]:
        """Return what each hidden layer gives, [R, K, m]."""
        return [self.hidden, *self.further]

    def features(self) -> Tensor:
        """Return what the last hidden layer gives, [R, K, m]."""
        return self.further[-1] if self.further else self.hidden

    def at(self, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return the index of the played arms' [R] entries in `hidden`, `output` and `moved`."""
        rows = _rows(action.shape[0], action.device)
        return rows, action if self.inputs.block is None else torch.zeros_like(action)

    def row(self, action: Tensor) -> Tensor:
        """Return the rows [R] of the played arms where replicas and arms are one axis, for `pick`."""
        arms = self.hidden.shape[1]
        rows = _rows(action.shape[0], action.device)
        return rows if self.inputs.block is not None else torch.add(action, rows, alpha=arms)

    def played(self, action: Tensor, row: Tensor | None = None, *, share: float = SHARED_STEP) -> Gradient:
        """Return the gradient of f at the played arms [R]; `row` is `self.row(action)`, if known.

        That by the further layers is multiplied by `share`.
        """
        row = self.row(action) if row is None else row
        inputs = self.inputs
        per_arm = inputs.x.dim() == 3
        block = inputs.block
        if block is None:
            block = _rows(action.shape[0], action.device) if per_arm else row
        x = inputs.steps
        if x is None:
            x = pick(inputs.x, row) if per_arm else inputs.x
            x = x if inputs.scale is None else x * inputs.scale
        if not self.further:  # the usual case, in fewer steps
            activation = pick(self.hidden, row)
            return Gradient(block, x, self.head * activation.sign(), activation)
        active = [pick(one, row) for one in self.active()]  # copies
        found = [one.squeeze(1) for one in slopes([one.unsqueeze(1) for one in active], self.head)]
        return Gradient(block, x, found[0], by_head(active, found, share))


def pick(values: Tensor, row: Tensor) -> Tensor:
    """Return a copy of the rows [R, ...] of values [R, K, ...]: several times faster than an index of two."""
    return values.flatten(0, 1).index_select(0, row)


class Gradient(NamedTuple):
    """The gradient of one output f_a: delta x' on one block of W1, `head` on what is above.

    The output factor is not in it. It is of rank one on the first layer and nought on the other
    blocks, and never built in full. Where step sizes differ, between inputs or layers, they are in it.

    Attributes:
        block: [R] which block of W1, among those of all replicas.
        x: [R, d] contexts of the arms a, the intercept included, times `Inputs.scale`.
        delta: [R, m], by the pre-activations h_a of the first hidden layer; of one w2 * relu'(h_a).
        head: [R, q]; of one hidden layer relu(h_a).
    """

    block: Tensor
    x: Tensor
    delta: Tensor
    head: Tensor

    def product(self, first: Tensor) -> Tensor:
        """Return x' B [R, m] with the blocks B [d, m] that were played of `first` [R B, d, m]."""
        return torch.bmm(self.x.unsqueeze(1), first[self.block]).squeeze(1)

    def squared_norm(self) -> Tensor:
        """Return the squared norm [R]."""
        first = self.delta.square().sum(1) * self.x.square().sum(1)
        return first + self.head.square().sum(1)
