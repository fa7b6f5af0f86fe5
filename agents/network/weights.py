"""Weights: how the parameters of a network are stored and moved; and PlainWeights, as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from neucb.agents.initialisation import Initialisation, draw_network, output_factor
from neucb.agents.network.forward import Forward, Gradient, Inputs, pick
from neucb.agents.network.layers import outputs
from neucb.agents.network.lookahead import Ahead, AheadOnCPU, Block, Room
from neucb.agents.network.training import Batch, batch_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.core.spec import Spec


AT_ONCE = 2**17  # parameters of which a difference is taken at once: it then stays in cache


class Weights(Protocol):
    """How the parameters theta are stored and moved; see perturbation.py and signs.py for the other kinds."""

    takes_batches: bool

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Start at theta_0; `rate` [R] holds the largest step size of the run."""

    @property
    def sees_ahead(self) -> bool:
        """Whether `look_ahead` is of use."""

    def look_ahead(self, block: Block) -> None:
        """Be told the inputs of the next rounds, which then come with `Inputs.place`, until `settle`."""

    def settle(self) -> None:
        """Be told that no more inputs come of those foreseen."""

    def forward(self, inputs: Inputs) -> Forward:
        """Return the pass; change no state."""

    def predict(self, output: Tensor) -> Tensor:
        """Return predicted losses [R, K] for outputs f [R, K]."""

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Make one gradient step of size `rate` [R] on the played arms' targets [R]."""

    def descend(self, replica: int, batch: Batch, rate: Tensor) -> None:
        """Make one gradient step of size `rate` (a scalar) on one replica's batch."""

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""

    def spread(self) -> Tensor:
        """Return the root mean square of the perturbation's offsets [R]."""

    def project(self, radius: Tensor) -> None:
        """Pull theta back onto the ball of `radius` [R] round theta_0."""


@dataclass(frozen=True)
class Initial:
    """theta_0 of all replicas, and the shape of the network.

    Attributes:
        first: [R B, d, m] first layer, B = spec.blocks, input-major.
        head: [R, q] what is above it, see layers.py; of one hidden layer w2 [R, m].
        factor: the output factor of f = factor * w2 . relu(W1 z).
        spec: the run's shape; `spec.features` does not count the intercept.
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
        """Draw W1 [B, m, inputs] and the head [q] of every replica from its stream "init"."""
        factor = output_factor(width, init, depth)
        first = np.empty((spec.replicas, spec.blocks, inputs, width), dtype=spec.dtype)
        head = np.empty((spec.replicas, (depth - 1) * width**2 + width), dtype=spec.dtype)
        for r, seed in enumerate(spec.seeds):
            drawn, head[r] = draw_network(seed, spec.blocks, inputs, width, init, depth)
            first[r] = drawn.transpose(0, 2, 1)
        blocks = first.reshape(spec.replicas * spec.blocks, inputs, width)
        to = spec.device
        return Initial(torch.from_numpy(blocks).to(to), torch.from_numpy(head).to(to), factor, spec)


def hidden_layer(inputs: Inputs, first: Tensor) -> Tensor:
    """Return pre-activations [R, K, m] of contexts [R, d] under blocks [R K, d, m].

    Contexts [R, K, d] go through one block per replica, [R, d, m]; a single arm gives [R, 1, m]. In
    row form, x' W: the column form takes a slow path in the matrix library, and its bits depend on
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
    """theta as it is, without a perturbation: projected online gradient descent on l(y, link(f))."""

    uses_autograd = False
    takes_batches = True
    sees_ahead = True
    _ahead: Ahead | None = None  # the first layer, while rounds are foreseen
    _room: Room | None = None  # of its products

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Start at theta_0."""
        self._initial = initial
        self._loss = loss
        self._first = initial.first.clone()
        self._head = initial.head.clone()

    def look_ahead(self, block: Block) -> None:
        """Make the products of the next rounds at once."""
        self._room = self._room or Room()
        kind = AheadOnCPU if self._first.is_cpu else Ahead
        self._ahead = kind(block, self._first, self._room)

    def settle(self) -> None:
        """Bring the steps of the rounds foreseen into the first layer."""
        assert self._ahead is not None
        self._ahead.settle()
        self._ahead = None

    def forward(self, inputs: Inputs) -> Forward:
        """Return the pass."""
        hidden = self._pass(inputs).relu_()
        return Forward(inputs, hidden, self._head, *outputs(hidden, self._head, self._initial.factor))

    def _pass(self, inputs: Inputs) -> Tensor:
        """Return the products [R, K, m] or [R, 1, m] of inputs with the first layer."""
        if inputs.place is None:
            return hidden_layer(inputs, self._first)
        assert self._ahead is not None
        return self._ahead.hidden(inputs.place)

    def features(self, replica: int, inputs: Inputs) -> Tensor:
        """Return what a replica's last hidden layer gives [n, m] for contexts [n, d] with a block each."""
        hidden = hidden_layer(inputs, self._first).transpose(0, 1).relu_()  # [1, n, m]
        head = self._head[replica : replica + 1]
        return Forward(inputs, hidden, head, *outputs(hidden, head, 1.0)).features().squeeze(0)

    def predict(self, output: Tensor) -> Tensor:
        """Return link(f) [R, K]."""
        return self._loss.link(output)

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Move theta <- theta - rate (link(f_a) - y) grad f_a."""
        row = forward.row(action)
        output = pick(forward.output, row)
        scale = rate * (target - self._loss.link(output))
        scale = scale if self._initial.factor == 1.0 else scale * self._initial.factor
        gradient = forward.played(action, row)
        self._add(forward.inputs.place, action, gradient, scale)
        self._head = torch.addcmul(self._head, gradient.head, scale.unsqueeze(1))

    def descend(self, replica: int, batch: Batch, rate: Tensor) -> None:
        """Move theta <- theta - rate times the gradient of the batch's loss, of one replica."""
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
            self._ahead.settle()
        R = len(self._head)
        rows = max(1, AT_ONCE * R // self._first.numel())
        layers = (one.view(R, -1) for one in (self._first, self._initial.first))
        pairs = zip(*(torch.split(one, rows) for one in layers), strict=True)
        first = torch.cat([(now - start).square_().sum(1) for now, start in pairs])
        return (first + (self._head - self._initial.head).square().sum(1)).sqrt()

    def spread(self) -> Tensor:
        """Return 0 [R]: there is no offset."""
        return self._head.new_zeros(len(self._head))

    def project(self, radius: Tensor) -> None:
        """Pull theta back onto the ball of `radius` [R] round theta_0."""
        keep = (radius / self.distance()).clamp_max(1.0)
        scale_about(self._first, self._initial.first, keep)
        scale_about(self._head, self._initial.head, keep)


def scale_about(value: Tensor, centre: Tensor, keep: Tensor) -> None:
    """Set value <- centre + keep (value - centre) in place, `keep` [R] per replica."""
    R = len(keep)
    moved = centre.view(R, -1) + keep.to(value.dtype).view(R, 1) * (value - centre).view(R, -1)
    value.copy_(torch.where(keep.view(R, 1) < 1.0, moved, value.view(R, -1)).view_as(value))
