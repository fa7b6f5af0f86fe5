"""Layers above the first hidden layer: forward and backward pass.

A network of depth L has L - 1 further layers of m x m weights and a last one of m. They are stored as one
row of q = (L - 1) m^2 + m numbers, the `head`, so that steps, projection and perturbation of theta do not
depend on the depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def split(head: Tensor, width: int) -> tuple[Sequence[Tensor], Tensor]:
    """Return views of the further layers [R, m, m], input-major, and of the last [R, m], of a head [R, q]."""
    R, q = head.shape
    if q == width:
        return (), head
    return head[:, :-width].view(R, -1, width, width).unbind(1), head[:, -width:]


def outputs(first: Tensor, head: Tensor, factor: float) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return outputs f [R, n] and the activations [R, n, m] of each further hidden layer.

    Args:
        first: [R, n, m] activations of the first hidden layer.
        head: [R, q].
        factor: output factor of f.
    """
    layers, last = split(head, first.shape[2])
    active = [first]
    for layer in layers:
        active.append(torch.bmm(active[-1], layer).relu_())
    f = torch.bmm(last.unsqueeze(1), active[-1].transpose(1, 2)).squeeze(1)
    return (f if factor == 1.0 else f * factor), tuple(active[1:])


def slopes(active: Sequence[Tensor], head: Tensor) -> list[Tensor]:
    """Return the gradients [R, n, m] of f / factor by the pre-activations of each hidden layer.

    Args:
        active: activations [R, n, m] of each hidden layer.
        head: [R, q].
    """
    layers, last = split(head, active[0].shape[2])
    deltas = [last.unsqueeze(1) * active[-1].sign()]
    for layer, below in zip(reversed(layers), reversed(active[:-1]), strict=True):
        deltas.append(torch.bmm(deltas[-1], layer.transpose(1, 2)).mul_(below.sign()))
    return deltas[::-1]


def by_head(active: Sequence[Tensor], deltas: Sequence[Tensor], share: float = 1.0) -> Tensor:
    """Return the gradients [..., q] of f / factor by the head, from activations and `slopes` [..., m].

    The gradients of the further layers are multiplied by `share`.
    """
    if len(active) == 1:
        return active[0]
    outer = [
        (below.unsqueeze(-1) * (share * slope).unsqueeze(-2)).flatten(-2)
        for below, slope in zip(active[:-1], deltas[1:], strict=True)
    ]
    return torch.cat([*outer, active[-1]], -1)


def sum_by_head(active: Sequence[Tensor], deltas: Sequence[Tensor], weight: Tensor, share: float) -> Tensor:
    """Return the sum [q] of `by_head` over n samples [n, m], weighted by `weight` [n]."""
    weighted = share * weight.unsqueeze(1)
    sums = [
        (below.T @ (slope * weighted)).flatten() for below, slope in zip(active[:-1], deltas[1:], strict=True)
    ]
    return torch.cat([*sums, weight @ active[-1]])
