"""Neural oracle: a two-layer ReLU network on the disjoint encoding, one gradient step a round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from neucb.agents.hyper import Number, per_replica
from neucb.agents.initial import INITIALISATIONS, Initialisation, draw_network
from neucb.agents.prediction import Prediction
from neucb.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.spec import Spec


@dataclass(frozen=True)
class Forward:
    """One pass through the network for all arms.

    Attributes:
        x: [R, d] or [R, K, d] contexts, the intercept included.
        hidden: [R, K, m] pre-activations of the hidden layer.
        head: [R, m] the second layer, w2.
        output: [R, K] the network's outputs f.
        moved: what a perturbed kind of weights needs of its pass again in its step.
    """

    x: Tensor
    hidden: Tensor
    head: Tensor
    output: Tensor
    moved: Tensor | None = None

    def played(self, action: Tensor) -> Gradient:
        """Return the gradient of f at the played arms [R]."""
        rows = torch.arange(len(action), device=action.device)
        hidden = self.hidden[rows, action]  # [R, m]
        if self.x.dim() == 3:
            block, x = rows, self.x[rows, action]
        else:
            block, x = action + self.hidden.shape[1] * rows, self.x
        return Gradient(block, x, self.head * (hidden > 0), hidden.relu())


@dataclass(frozen=True)
class Gradient:
    """The gradient of one output f_a: delta x' on one block of W1, `activation` on w2.

    The output factor is not in it. It is of rank one on the first layer and nought on the other
    blocks, and never built in full.

    Attributes:
        block: [R] which block of W1, among those of all replicas.
        x: [R, d] contexts of the arms a, the intercept included.
        delta: [R, m], w2 * relu'(h_a).
        activation: [R, m], relu(h_a).
    """

    block: Tensor
    x: Tensor
    delta: Tensor
    activation: Tensor

    def squared_norm(self) -> Tensor:
        """Return |grad f|^2 [R]."""
        first = self.delta.square().sum(1) * self.x.square().sum(1)
        return first + self.activation.square().sum(1)


class Weights(Protocol):
    """How the parameters theta are stored and moved; see perturbation.py for the other kinds."""

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Start at theta_0; `rate` [R] holds the largest step size of the run."""

    def forward(self, x: Tensor) -> Forward:
        """Return the pass for contexts [R, d] or [R, K, d]; change no state."""

    def predict(self, output: Tensor) -> Tensor:
        """Return predicted losses [R, K] for outputs f [R, K]."""

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Make one gradient step of size `rate` [R] on the played arms' targets [R]."""

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""

    def project(self, radius: Tensor) -> None:
        """Pull theta back onto the ball of `radius` [R] round theta_0."""


@dataclass(frozen=True)
class Initial:
    """theta_0 of all replicas, and the shape of the network.

    Attributes:
        first: [R B, d, m] first layer, B = spec.blocks, input-major.
        head: [R, m] second layer.
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
        return self.head.shape[1]

    @property
    def parameters(self) -> int:
        """p, the number of parameters of one replica."""
        return (self.first.numel() + self.head.numel()) // len(self.head)

    @staticmethod
    def draw(spec: Spec, width: int, init: Initialisation, inputs: int) -> Initial:
        """Draw W1 [B, m, inputs] and w2 [m] of every replica from its stream "init"."""
        factor = INITIALISATIONS[init](width)[2]
        first = np.empty((spec.replicas, spec.blocks, inputs, width), dtype=spec.dtype)
        head = np.empty((spec.replicas, width), dtype=spec.dtype)
        for r, seed in enumerate(spec.seeds):
            drawn, head[r] = draw_network(seed, spec.blocks, inputs, width, init)
            first[r] = drawn.transpose(0, 2, 1)
        blocks = first.reshape(spec.replicas * spec.blocks, inputs, width)
        to = spec.device
        return Initial(torch.from_numpy(blocks).to(to), torch.from_numpy(head).to(to), factor, spec)


def hidden_layer(x: Tensor, first: Tensor) -> Tensor:
    """Return pre-activations [R, K, m] of contexts [R, d] under blocks [R K, d, m].

    Contexts [R, K, d] go through one block per replica, [R, d, m]. In row form, x' W: the column
    form takes a slow path in the matrix library, and its bits depend on the number of replicas.
    """
    if x.dim() == 3:
        return torch.bmm(x, first)
    R, d = x.shape
    arms = len(first) // R
    rows = x.view(R, 1, 1, d).expand(R, arms, 1, d).reshape(R * arms, 1, d)
    return torch.bmm(rows, first).view(R, arms, -1)


def outputs(hidden: Tensor, head: Tensor, factor: float) -> Tensor:
    """Return f [R, K] = factor * w2 . relu(hidden)."""
    f = torch.bmm(head.unsqueeze(1), hidden.relu().transpose(1, 2)).squeeze(1)
    return f if factor == 1.0 else f * factor


def add_outer(first: Tensor, gradient: Gradient, scale: Tensor) -> None:
    """Add scale [R] * x delta' to the played arms' blocks of `first` [R B, d, m], in place."""
    update = gradient.x.unsqueeze(2) * (gradient.delta * scale.unsqueeze(1)).unsqueeze(1)
    first.index_add_(0, gradient.block, update)


class PlainWeights:
    """theta as it is, without a perturbation: projected online gradient descent on l(y, link(f))."""

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Start at theta_0."""
        self._initial = initial
        self._loss = loss
        self._first = initial.first.clone()
        self._head = initial.head.clone()

    def forward(self, x: Tensor) -> Forward:
        """Return the pass for contexts [R, d]."""
        hidden = hidden_layer(x, self._first)
        return Forward(x, hidden, self._head, outputs(hidden, self._head, self._initial.factor))

    def predict(self, output: Tensor) -> Tensor:
        """Return link(f) [R, K]."""
        return self._loss.link(output)

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Move theta <- theta - rate (link(f_a) - y) grad f_a."""
        output = forward.output.gather(1, action.unsqueeze(1)).squeeze(1)
        scale = -rate * self._initial.factor * (self._loss.link(output) - target)
        gradient = forward.played(action)
        add_outer(self._first, gradient, scale)
        self._head = self._head + scale.unsqueeze(1) * gradient.activation

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""
        R = len(self._head)
        first = (self._first - self._initial.first).view(R, -1).square().sum(1)
        return (first + (self._head - self._initial.head).square().sum(1)).sqrt()

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


class Neural:
    """f(x, a) = w2 . relu(W1 (e_a (x) x)), trained on the played arm by one gradient step a round.

    Where every arm has a context of its own, f(x, a) = w2 . relu(W1 x_a).

    Both layers are trained on the newest sample only: theta <- Proj_B(theta - eta_t grad), B the
    ball of `radius` round theta_0, eta_t = lr / t^lr_power. Memory 4 p bytes a replica with
    p = B m (d + 1) + m and B = `spec.blocks`, no history.

    Deb, Ban, Zuo, He, Banerjee, "Contextual Bandits with Online Neural Regression", ICLR 2024
    (arXiv 2312.07145), as we read the paper.

    Args:
        loss: `Squared()` or `KL()`.
        weights: how theta is stored: `PlainWeights()` or one of the perturbed kinds.
        width: m, hidden units.
        lr: step size > 0; one number or one per replica.
        lr_power: rho >= 0 of the step schedule; one number or one per replica.
        radius: of the ball round theta_0, > 0, infinity for no projection.
        intercept: the constant input beside the context, 0 for none; one number or one per replica.
            Contexts have norm 1, and a constant as large as that slows the other directions down.
        init: "he": W1 ~ N(0, 2/m), w2 ~ N(0, 1/m); "ntk": W1, w2 ~ N(0, 1), output factor
            sqrt(2/m); "paper": W1 ~ N(0, 1), w2 ~ N(0, 1/m), output factor 1/sqrt(m).
    """

    def __init__(
        self,
        loss: Loss,
        weights: Weights,
        *,
        width: int = 100,
        lr: Number = 0.1,
        lr_power: Number = 0.0,
        radius: Number = math.inf,
        intercept: Number = 1.0,
        init: Initialisation = "he",
    ) -> None:
        self.loss = loss
        self.weights = weights
        self.width = width
        self.lr = lr
        self.lr_power = lr_power
        self.radius = radius
        self.intercept = intercept
        self.init = init

    def reset(self, spec: Spec) -> None:
        """Draw theta_0 and forget everything.

        Raises:
            InputError: a hyper-parameter is out of its range.
        """
        if self.width < 1:
            raise InputError(f"width must be at least 1, not {self.width}")
        rate = per_replica(self.lr, spec.replicas, device=spec.device)
        radius = per_replica(self.radius, spec.replicas, device=spec.device)
        if not bool((rate > 0).all() and (radius > 0).all()):
            raise InputError("lr and radius must be > 0")
        self._dtype = getattr(torch, spec.dtype)
        constant = per_replica(self.intercept, spec.replicas, device=spec.device)
        shape = (spec.replicas, spec.arms, 1) if spec.per_arm else (spec.replicas, 1)
        self._constant = constant.to(self._dtype).view(-1, *(1,) * (len(shape) - 1)).expand(shape)
        self._rate = rate
        self._power = per_replica(self.lr_power, spec.replicas, device=spec.device)
        self._constant_rate = bool((self._power == 0).all())
        self._radius = radius if bool(radius.isfinite().any()) else None
        self._round = 0
        self._last: tuple[Tensor, Forward] | None = None
        initial = Initial.draw(spec, self.width, self.init, spec.features + 1)
        self.weights.reset(initial, rate, self.loss)

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses [R, K] for contexts [R, d] or [R, K, d]."""
        x = torch.cat([context.to(self._dtype), self._constant], -1)
        forward = self.weights.forward(x)
        self._last = (context, forward)  # the step on the same contexts needs the same pass
        return Prediction(self.weights.predict(forward.output))

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Make one gradient step on the played arms."""
        self._round += 1
        rate = self._rate if self._constant_rate else self._rate / self._round**self._power
        if self._last is None or self._last[0] is not context:
            self.predict(context)
        assert self._last is not None
        self.weights.step(self._last[1], action, loss.to(self._dtype), rate.to(self._dtype))
        self._last = None
        if self._radius is not None:
            self.weights.project(self._radius)
