"""Weights: storage and updates of a network's parameters; and PlainWeights, the unperturbed kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from neucb.agents.initialisation import (
    Initialisation,
    draw_network,
    draw_whole_sparse_network,
    output_factor,
)
from neucb.agents.network.forward import Forward, Gradient, Inputs, pick
from neucb.agents.network.layers import outputs
from neucb.agents.network.lookahead import Block, DeferredLayer, DeferredLayerOnCPU, Scratch
from neucb.agents.network.training import Minibatch, batch_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.core.spec import Spec


AT_ONCE = 2**17  # parameters per chunk of a difference, so that it stays in cache


class Weights(Protocol):
    """Storage and updates of the parameters theta; see *_perturbation.py for the perturbed kinds."""

    takes_batches: bool
    distance_known: str  # "always", "projected" (where theta is projected) or "never"

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Set theta to theta_0; `rate` [R] holds the largest step sizes of the run."""

    @property
    def sees_ahead(self) -> bool:
        """Whether `look_ahead` is supported."""

    def look_ahead(self, block: Block) -> None:
        """Prepare the inputs of the next rounds, which then carry `Inputs.place`, until `flush`."""

    def flush(self) -> None:
        """End the block of `look_ahead` and apply its pending steps."""

    def forward(self, inputs: Inputs) -> Forward:
        """Return the forward pass without a change of state."""

    def predict(self, output: Tensor) -> Tensor:
        """Return predicted losses [R, K] for outputs f [R, K]."""

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Make one gradient step of size `rate` [R] on the played arms' targets [R]."""

    def descend(self, replica: int, batch: Minibatch, rate: Tensor) -> None:
        """Make one gradient step of size `rate` (a scalar) on one replica's minibatch."""

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""

    def spread(self) -> Tensor:
        """Return the root mean square of the perturbation's offsets [R]."""

    def project(self, radius: Tensor) -> None:
        """Project theta onto the ball of `radius` [R] around theta_0."""


@dataclass(frozen=True)
class Initial:
    """Initial parameters theta_0 of all replicas, and the shape of the network.

    Attributes:
        first: [R B, d, m] first layer, B = spec.blocks, input-major.
        head: [R, q] weights above it, see layers.py; w2 [R, m] for one hidden layer.
        factor: the output factor of f = factor * w2 . relu(W1 z).
        spec: the run's shape; `spec.features` excludes the intercept.
    """

    first: Tensor
    head: Tensor
    factor: float
    spec: Spec

    @property
    def width(self) -> int:
        """m, the number of hidden units."""
        return self.first.shape[2]

    @property
    def parameters(self) -> int:
        """p, the number of parameters of one replica."""
        return (self.first.numel() + self.head.numel()) // len(self.head)

    @staticmethod
    def draw(spec: Spec, width: int, init: Initialisation, inputs: int, depth: int = 1) -> Initial:
        """Return theta_0, with W1 and the head of every replica drawn from its stream "init"."""
        factor = output_factor(width, init, depth)
        first = np.empty((spec.replicas, spec.blocks, inputs, width), dtype=spec.dtype)
        head = np.empty((spec.replicas, (depth - 1) * width**2 + width), dtype=spec.dtype)
        draws = draw_whole_sparse_network if spec.sparse else draw_network
        for r, seed in enumerate(spec.seeds):
            drawn, head[r] = draws(seed, spec.blocks, inputs, width, init, depth)
            first[r] = drawn.transpose(0, 2, 1)
        blocks = first.reshape(spec.replicas * spec.blocks, inputs, width)
        device = spec.device
        return Initial(torch.from_numpy(blocks).to(device), torch.from_numpy(head).to(device), factor, spec)


def hidden_layer(inputs: Inputs, first: Tensor) -> Tensor:
    """Return pre-activations [R, K, m] of contexts [R, d] under blocks [R K, d, m].

    Contexts [R, K, d] share one block per replica, [R, d, m]; a single arm gives [R, 1, m]. The row form
    x' W is used: the column form takes a slow path in the matrix library, and its rounding depends on
    the number of replicas.
    """
    x = inputs.x
    if inputs.block is not None:
        return torch.bmm(x.unsqueeze(1), first[inputs.block])
    if x.dim() == 3:
        return torch.bmm(x, first)
    R, d = x.shape
    arms = len(first) // R
    rows = x.view(R, 1, 1, d).expand(R, arms, 1, d).reshape(R * arms, 1, d)
    return torch.bmm(rows, first).view(R, arms, -1)


def add_outer(first: Tensor, gradient: Gradient, scale: Tensor) -> None:
    """Add scale [R] * x delta' to the played arms' blocks of `first` [R B, d, m], in place."""
    update = gradient.x.unsqueeze(2) * (gradient.delta * scale.unsqueeze(1)).unsqueeze(1)
    first.index_add_(0, gradient.block, update)


class PlainWeights:
    """Unperturbed theta: projected online gradient descent on l(y, link(f))."""

    uses_autograd = False
    takes_batches = True
    distance_known: str = "projected"  # summed over all weights, for the projection only
    sees_ahead = True
    _ahead: DeferredLayer | None = None  # the first layer during a block of `look_ahead`
    _scratch: Scratch | None = None  # buffers of its products

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Set theta to theta_0."""
        self._initial = initial
        self._loss = loss
        self._first = initial.first.clone()
        self._head = initial.head.clone()

    def look_ahead(self, block: Block) -> None:
        """Compute the products of the first layer with the next rounds' contexts in one batch."""
        self._scratch = self._scratch or Scratch()
        kind = DeferredLayerOnCPU if self._first.is_cpu else DeferredLayer
        self._ahead = kind(block, self._first, self._scratch)

    def flush(self) -> None:
        """Apply the pending steps of the block to the first layer."""
        assert self._ahead is not None
        self._ahead.flush()
        self._ahead = None

    def forward(self, inputs: Inputs) -> Forward:
        """Return the forward pass."""
        hidden = self._pass(inputs).relu_()
        return Forward(inputs, hidden, self._head, *outputs(hidden, self._head, self._initial.factor))

    def _pass(self, inputs: Inputs) -> Tensor:
        """Return the products [R, K, m] or [R, 1, m] of inputs with the first layer."""
        if inputs.place is None:
            return hidden_layer(inputs, self._first)
        assert self._ahead is not None
        return self._ahead.hidden(inputs.place)

    def features(self, replica: int, inputs: Inputs) -> Tensor:
        """Return a replica's last hidden layer [n, m] for contexts [n, d] with a block each."""
        hidden = hidden_layer(inputs, self._first).transpose(0, 1).relu_()  # [1, n, m]
        head = self._head[replica : replica + 1]
        return Forward(inputs, hidden, head, *outputs(hidden, head, 1.0)).features().squeeze(0)

    def predict(self, output: Tensor) -> Tensor:
        """Return link(f) [R, K]."""
        return self._loss.link(output)

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Update theta <- theta - rate (link(f_a) - y) grad f_a."""
        row = forward.row(action)
        output = pick(forward.output, row)
        scale = rate * (target - self._loss.link(output))
        scale = scale if self._initial.factor == 1.0 else scale * self._initial.factor
        gradient = forward.played(action, row)
        self._add(forward.inputs.place, action, gradient, scale)
        self._head = torch.addcmul(self._head, gradient.head, scale.unsqueeze(1))

    def descend(self, replica: int, batch: Minibatch, rate: Tensor) -> None:
        """Update theta <- theta - rate times the gradient of the minibatch loss, for one replica."""
        head = self._head[replica]
        first = self._first.view(len(self._head), -1, *self._first.shape[1:])[replica]
        on_first, on_head = batch_gradient(
            batch, first, head, self._initial.factor, lambda output: self._loss.link(output) - batch.target
        )
        for block, gradient in on_first:
            first[block] -= rate * gradient
        self._head = self._head.clone()
        self._head[replica] -= rate * on_head

    def _add(self, place: int | None, action: Tensor, gradient: Gradient, scale: Tensor) -> None:
        """Add scale [R] times the gradient to the first layer."""
        if place is None:
            add_outer(self._first, gradient, scale)
        else:
            assert self._ahead is not None
            self._ahead.add(place, action, gradient.delta, scale)

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""
        if self._ahead is not None:
            self._ahead.flush()
        R = len(self._head)
        rows = max(1, AT_ONCE * R // self._first.numel())
        layers = (layer.view(R, -1) for layer in (self._first, self._initial.first))
        pairs = zip(*(torch.split(layer, rows) for layer in layers), strict=True)
        first = torch.cat([(now - start).square_().sum(1) for now, start in pairs])
        return (first + (self._head - self._initial.head).square().sum(1)).sqrt()

    def spread(self) -> Tensor:
        """Return zeros [R]: there are no offsets."""
        return self._head.new_zeros(len(self._head))

    def project(self, radius: Tensor) -> None:
        """Project theta onto the ball of `radius` [R] around theta_0."""
        keep = (radius / self.distance()).clamp_max(1.0)
        scale_about(self._first, self._initial.first, keep)
        scale_about(self._head, self._initial.head, keep)


def scale_about(value: Tensor, centre: Tensor, keep: Tensor) -> None:
    """Set value <- centre + keep (value - centre) in place, `keep` [R] per replica."""
    R = len(keep)
    moved = centre.view(R, -1) + keep.to(value.dtype).view(R, 1) * (value - centre).view(R, -1)
    value.copy_(torch.where(keep.view(R, 1) < 1.0, moved, value.view(R, -1)).view_as(value))
