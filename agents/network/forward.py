"""Forward pass of a network: inputs, activations, and the gradient of one output.

Named tuples, three per round: construction takes a third of the time of a frozen data class.
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
    with torch.inference_mode(False):  # the cached tensor serves runs in any mode
        return torch.arange(replicas, device=device)


class Inputs(NamedTuple):
    """Inputs of a forward pass.

    Attributes:
        x: [R, d] or [R, K, d] contexts, the intercept included.
        scale: [R, d] factors > 0 of the step sizes per input, or None for 1.
        block: [R] indices of the blocks of W1, among those of all replicas, for x [R, d]; None for all
            arms.
        place: index of the round in the block given to `look_ahead`, or None.
        steps: [R, d] x times scale, where precomputed, or None.
    """

    x: Tensor
    scale: Tensor | None = None
    block: Tensor | None = None
    place: int | None = None
    steps: Tensor | None = None


class Forward(NamedTuple):
    """Activations of a forward pass, for all arms or for one.

    Attributes:
        inputs: the inputs.
        hidden: [R, K, m] activations of the first hidden layer, [R, 1, m] for one arm.
        head: [R, q] weights above it, see layers.py; w2 [R, m] for one hidden layer.
        output: [R, K] or [R, 1] outputs f of the network.
        further: activations of each further hidden layer, in the shape of `hidden`.
        moved: intermediate products that perturbed weights reuse in their step, or None.
    """

    inputs: Inputs
    hidden: Tensor
    head: Tensor
    output: Tensor
    further: tuple[Tensor, ...]
    moved: Tensor | None = None

    def active(self) -> list[Tensor]:
        """Return the activations [R, K, m] of all hidden layers."""
        return [self.hidden, *self.further]

    def features(self) -> Tensor:
        """Return the activations [R, K, m] of the last hidden layer."""
        return self.further[-1] if self.further else self.hidden

    def at(self, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return the index of the entries of played arms [R] in `hidden`, `output` and `moved`."""
        rows = _rows(action.shape[0], action.device)
        return rows, action if self.inputs.block is None else torch.zeros_like(action)

    def row(self, action: Tensor) -> Tensor:
        """Return the rows [R] of the played arms with replicas and arms flattened to one axis, for `pick`."""
        arms = self.hidden.shape[1]
        rows = _rows(action.shape[0], action.device)
        return rows if self.inputs.block is not None else torch.add(action, rows, alpha=arms)

    def played(self, action: Tensor, row: Tensor | None = None, *, share: float = SHARED_STEP) -> Gradient:
        """Return the gradient of f at the played arms [R]; `row` is `self.row(action)`, if computed.

        The gradient of the further layers is multiplied by `share`.
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
        if not self.further:  # shortcut for one hidden layer
            activation = pick(self.hidden, row)
            return Gradient(block, x, self.head * activation.sign(), activation)
        active = [pick(layer, row) for layer in self.active()]  # copies
        deltas = [delta.squeeze(1) for delta in slopes([layer.unsqueeze(1) for layer in active], self.head)]
        return Gradient(block, x, deltas[0], by_head(active, deltas, share))


def pick(values: Tensor, row: Tensor) -> Tensor:
    """Return a copy of the rows [R, ...] of values [R, K, ...]; several times faster than `values[r, a]`."""
    return values.flatten(0, 1).index_select(0, row)


class Gradient(NamedTuple):
    """Gradient of one output f_a in factors: delta x' on one block of W1, `head` on the weights above.

    The output factor is excluded. The first layer's gradient has rank one on one block and is 0 on the
    others; it is never materialised. Step sizes per input or layer are included.

    Attributes:
        block: [R] index of the block of W1, among those of all replicas.
        x: [R, d] contexts of the arms a, the intercept included, times `Inputs.scale`.
        delta: [R, m] derivative by the pre-activations h_a of the first hidden layer; w2 * relu'(h_a) for
            one hidden layer.
        head: [R, q] gradient of the head; relu(h_a) for one hidden layer.
    """

    block: Tensor
    x: Tensor
    delta: Tensor
    head: Tensor

    def product(self, first: Tensor) -> Tensor:
        """Return x' B [R, m] with the played blocks B [d, m] of `first` [R B, d, m]."""
        return torch.bmm(self.x.unsqueeze(1), first[self.block]).squeeze(1)

    def squared_norm(self) -> Tensor:
        """Return the squared norm [R]."""
        first = self.delta.square().sum(1) * self.x.square().sum(1)
        return first + self.head.square().sum(1)
