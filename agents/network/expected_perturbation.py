"""Randomly perturbed prediction of NeuCB, in expectation over all signs in closed form.

With u = theta - theta_0 and c = c_p m^(-1/4) the perturbed networks are f~_s = f + c <u, eps_s>,
eps_s in {-1, +1}^p, s = 1..S, drawn once per run. Training minimises the average of the S losses,
prediction is the average of the S predictions. The offset is the same for all arms of a round: it
does not depend on x. Deb et al., ICLR 2024 (arXiv 2312.07145), as we read the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neucb.agents.initialisation import check_expected, offset_scale
from neucb.agents.network.forward import Forward, Inputs, pick
from neucb.agents.network.layers import outputs
from neucb.agents.network.lookahead import Scratch
from neucb.agents.network.training import Minibatch, batch_gradient
from neucb.agents.network.weights import Initial, PlainWeights, hidden_layer
from neucb.agents.per_replica import Number, each
from neucb.core.constants import FOLD_BELOW

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.agents.network.lookahead import Block


class ExpectedPerturbation(PlainWeights):
    """Perturbation with S = infinity, in closed form.

    Squared loss: E (f~ - y)^2 / 2 = (f - y)^2 / 2 + (c^2 / 2) |u|^2, a pull towards theta_0; exact
    for signs. KL: <u, eps> is Gaussian in the limit, tau = c |u|, yhat = E sigmoid(f + tau xi), and
    the gradient is (yhat - y) grad f + kappa c^2 u with kappa = E sigmoid'(f + tau xi) (Stein);
    exact for Gaussian eps, with an O(max u_i^2 / |u|^2) error for signs.

    theta is stored as theta_0 + s G: the pull of all p parameters is one multiplication of the scalar
    s, and |u|^2 follows from products of the forward pass (with step sizes per input, from one more
    product; the pull is not scaled by them). Memory 8 p bytes a replica.

    Args:
        c_p: perturbation constant >= 0; one number or one per replica. lr c_p^2 / sqrt(m) < 2.
    """

    uses_autograd = False
    distance_known = "always"
    _start_scratch: Scratch | None = None  # buffers of the products with theta_0

    def __init__(self, c_p: Number) -> None:
        self.c_p = c_p

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Set theta to theta_0.

        Raises:
            InputError: c_p < 0, or lr c_p^2 / sqrt(m) >= 2, where the pull overshoots theta_0 and diverges.
        """
        scale = offset_scale(each(self.c_p, initial.spec.replicas), initial.width)
        check_expected(rate.cpu().numpy(), scale)
        c = torch.from_numpy(scale).to(initial.spec.device)
        self._initial = initial
        self._loss = loss
        self._c = c.to(initial.head.dtype)
        self._first = torch.zeros_like(initial.first)  # G on the first layer, and on the head below
        self._head = torch.zeros_like(initial.head)
        self._scale = torch.ones_like(self._c)
        self._square = torch.zeros_like(c)  # |u|^2 [R], float64

    def look_ahead(self, block: Block) -> None:
        """Compute the products of the first layer with the next rounds' contexts in one batch."""
        self._start_scratch = self._start_scratch or Scratch()
        self._started: Tensor | None = block.through(self._initial.first, self._start_scratch)
        super().look_ahead(block)

    def flush(self) -> None:
        """Apply the pending steps of the block to the first layer."""
        self._started = None
        super().flush()

    def forward(self, inputs: Inputs) -> Forward:
        """Return the forward pass."""
        initial = self._initial
        if inputs.place is None:
            start = hidden_layer(inputs, initial.first)
        else:
            assert self._started is not None
            start = self._started[:, :, inputs.place]
        moved = self._scale.view(-1, 1, 1) * self._pass(inputs)
        hidden = (start + moved).relu_()
        head = initial.head + self._scale.unsqueeze(1) * self._head
        return Forward(inputs, hidden, head, *outputs(hidden, head, initial.factor), moved)

    def _tau(self) -> Tensor:
        return self._c * self._square.sqrt().to(self._c.dtype)

    def predict(self, output: Tensor) -> Tensor:
        """Return E link(f~) [R, K]."""
        return self._loss.smoothed(output, self._tau().unsqueeze(1))[0]

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Update theta <- theta - rate ((yhat_a - y) grad f_a + kappa c^2 u)."""
        assert forward.moved is not None
        row, place = forward.row(action), forward.inputs.place
        output = pick(forward.output, row)
        yhat, kappa = self._loss.smoothed(output, self._tau())
        keep = 1.0 - rate * kappa * self._c.square()
        move = -rate * self._initial.factor * (yhat - target)  # times grad f / factor

        gradient = forward.played(action, row)
        moved = pick(forward.moved, row)  # s G x, recomputed below with step sizes per input
        if forward.inputs.scale is not None:
            product = gradient.product(self._first)
            if place is not None:
                assert self._ahead is not None
                product = self._ahead.product(place, action, product)
            moved = self._scale.unsqueeze(1) * product
        u_head = self._scale.unsqueeze(1) * self._head
        inner = (gradient.delta * moved).sum(1) + (u_head * gradient.head).sum(1)
        grown = keep.square() * self._square + 2.0 * keep * move * inner
        self._square = (grown + move.square() * gradient.squared_norm()).clamp_min(0.0)

        self._scale = keep * self._scale
        self._fold()
        self._add(place, action, gradient, move / self._scale)
        self._head = torch.addcmul(self._head, gradient.head, (move / self._scale).unsqueeze(1))

    def descend(self, replica: int, batch: Minibatch, rate: Tensor) -> None:
        """Update theta <- theta - rate times the gradient of the minibatch loss, for one replica."""
        initial, r, B = self._initial, replica, self._initial.spec.blocks
        rows = slice(r * B, (r + 1) * B)
        scale, slopes = self._scale[r], torch.ones_like(batch.target)

        def residual(output: Tensor) -> Tensor:
            yhat, kappa = self._loss.smoothed(output, self._tau()[r])
            slopes.copy_(kappa)
            return yhat - batch.target

        first, head = initial.first[rows] + scale * self._first[rows], initial.head[r] + scale * self._head[r]
        on_first, on_head = batch_gradient(batch, first, head, initial.factor, residual)
        keep = 1.0 - rate * (batch.weight * slopes).sum() * self._c[r].square()
        self._scale, self._head = self._scale.clone(), self._head.clone()
        self._scale[r] = scale = keep * scale
        for block, gradient in on_first:
            self._first[r * B + block] -= rate / scale * gradient
        self._head[r] -= rate / scale * on_head
        moved = self._first[rows].square().sum() + self._head[r].square().sum()
        self._square = self._square.clone()
        self._square[r] = (scale.square() * moved).double()
        self._fold()

    def _fold(self) -> None:
        """Fold small scales s into G and set them to 1; other replicas are multiplied by 1.

        During a block of rounds the deferred layer takes the factor, unconditionally on a GPU: the
        product is cheap, and a condition would synchronise with the host.
        """
        small = self._scale.abs() < FOLD_BELOW
        if (self._ahead is None or small.is_cpu) and not bool(small.any()):
            return
        factor = torch.where(small, self._scale, 1.0)
        if self._ahead is None:
            self._first.view(len(factor), -1).mul_(factor.unsqueeze(1))
        else:
            self._ahead.multiply(factor)
        self._head = self._head * factor.unsqueeze(1)
        self._scale = torch.where(small, 1.0, self._scale)

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""
        return self._square.sqrt()

    def spread(self) -> Tensor:
        """Return c |u| [R]."""
        return self._tau()

    def project(self, radius: Tensor) -> None:
        """Project theta onto the ball of `radius` [R] around theta_0."""
        keep = torch.where(self._square > radius.square(), radius / self._square.sqrt(), 1.0)
        self._scale = self._scale * keep.to(self._scale.dtype)
        self._square = self._square * keep.square()
