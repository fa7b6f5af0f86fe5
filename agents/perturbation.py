"""The randomly perturbed prediction of NeuCB: finitely many fixed signs, or their expectation.

With u = theta - theta_0 and c = c_p m^(-1/4) the perturbed networks are f~_s = f + c <u, eps_s>,
eps_s in {-1, +1}^p, s = 1..S, drawn once per run and kept. Training is on the average of the S
losses, prediction is the average of the S predictions. The offset is the same for all arms of a
round, it does not depend on x. Deb et al., ICLR 2024 (arXiv 2312.07145), as we read the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neucb.agents.constants import FOLD_BELOW
from neucb.agents.hyper import Number, each
from neucb.agents.initial import check_expected, check_signs, draw_signs, offset_scale
from neucb.agents.neural import (
    Initial,
    PlainWeights,
    add_outer,
    hidden_layer,
    outputs,
    scale_about,
)
from neucb.agents.passes import Forward, Inputs
from neucb.agents.training import Batch, batch_gradient
from neucb.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.lookahead import Block
    from neucb.agents.losses import Loss


class ExpectedPerturbation(PlainWeights):
    """S = infinity, in closed form.

    Squared loss: E (f~ - y)^2 / 2 = (f - y)^2 / 2 + (c^2 / 2) |u|^2, a pull towards theta_0; exact
    for signs. KL: <u, eps> is Gaussian in the limit, tau = c |u|, yhat = E sigmoid(f + tau xi), and
    the gradient is (yhat - y) grad f + kappa c^2 u with kappa = E sigmoid'(f + tau xi) (Stein);
    exact for Gaussian eps, with an O(max u_i^2 / |u|^2) error for signs.

    theta is kept as theta_0 + s G: the pull of all p parameters is one multiplication of the scalar
    s, and |u|^2 follows from products that the pass has made anyway (with step sizes per input, from
    one more; the pull does not take part in these). Memory 8 p bytes a replica.

    Args:
        c_p: perturbation constant >= 0; one number or one per replica. lr c_p^2 / sqrt(m) < 2.
    """

    def __init__(self, c_p: Number) -> None:
        self.c_p = c_p

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Start at theta_0.

        Raises:
            InputError: c_p < 0, or a pull that would overshoot theta_0 and diverge.
        """
        scale = offset_scale(each(self.c_p, initial.spec.replicas), initial.width)
        check_expected(rate.cpu().numpy(), scale)
        c = torch.from_numpy(scale).to(initial.spec.device)
        self._initial = initial
        self._loss = loss
        self._c = c.to(initial.head.dtype)
        self._first = torch.zeros_like(initial.first)  # G, and below: its part on w2
        self._head = torch.zeros_like(initial.head)
        self._scale = torch.ones_like(self._c)
        self._square = torch.zeros_like(c)  # |u|^2 [R], float64

    def look_ahead(self, block: Block) -> None:
        """Make the products of the next rounds at once."""
        self._started: Tensor | None = block.through(self._initial.first)
        super().look_ahead(block)

    def settle(self) -> None:
        """Bring the steps of the rounds foreseen into the first layer."""
        self._started = None
        super().settle()

    def forward(self, inputs: Inputs) -> Forward:
        """Return the pass."""
        initial = self._initial
        if inputs.place is None:
            start = hidden_layer(inputs, initial.first)
        else:
            assert self._started is not None
            start = self._started[:, :, inputs.place]
        moved = self._scale.view(-1, 1, 1) * self._pass(inputs)
        hidden = start + moved
        head = initial.head + self._scale.unsqueeze(1) * self._head
        return Forward(inputs, hidden, head, outputs(hidden, head, initial.factor), moved)

    def _tau(self) -> Tensor:
        return self._c * self._square.sqrt().to(self._c.dtype)

    def predict(self, output: Tensor) -> Tensor:
        """Return E link(f~) [R, K]."""
        return self._loss.smoothed(output, self._tau().unsqueeze(1))[0]

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Move theta <- theta - rate ((yhat_a - y) grad f_a + kappa c^2 u)."""
        assert forward.moved is not None
        here, place = forward.at(action), forward.inputs.place
        output = forward.output[here]
        yhat, kappa = self._loss.smoothed(output, self._tau())
        keep = 1.0 - rate * kappa * self._c.square()
        move = -rate * self._initial.factor * (yhat - target)  # times grad f / factor

        gradient = forward.played(action)
        moved = forward.moved[here]  # s G x; with step sizes per input, once more with these
        if forward.inputs.scale is not None:
            product = gradient.product(self._first)
            if place is not None:
                assert self._ahead is not None
                product = self._ahead.product(place, action, product)
            moved = self._scale.unsqueeze(1) * product
        u_head = self._scale.unsqueeze(1) * self._head
        inner = (gradient.delta * moved).sum(1) + (u_head * gradient.activation).sum(1)
        grown = keep.square() * self._square + 2.0 * keep * move * inner
        self._square = (grown + move.square() * gradient.squared_norm()).clamp_min(0.0)

        self._scale = keep * self._scale
        self._fold()
        self._add(place, action, gradient, move / self._scale)
        self._head = self._head + (move / self._scale).unsqueeze(1) * gradient.activation

    def descend(self, replica: int, batch: Batch, rate: Tensor) -> None:
        """Move theta <- theta - rate times the gradient of the batch's loss, of one replica."""
        initial, r, B = self._initial, replica, len(batch.x)
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
        self._first[rows] -= rate / scale * on_first
        self._head[r] -= rate / scale * on_head
        moved = self._first[rows].square().sum() + self._head[r].square().sum()
        self._square = self._square.clone()
        self._square[r] = (scale.square() * moved).double()
        self._fold()

    def _fold(self) -> None:
        """Multiply small scales into G, of the replicas concerned only (the others times 1).

        And into what a block of rounds keeps of G.
        """
        small = self._scale.abs() < FOLD_BELOW
        if bool(small.any()):
            factor = torch.where(small, self._scale, 1.0)
            self._first.view(len(factor), -1).mul_(factor.unsqueeze(1))
            self._head = self._head * factor.unsqueeze(1)
            if self._ahead is not None:
                self._ahead.multiply(factor)
            self._scale = torch.where(small, 1.0, self._scale)

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""
        return self._square.sqrt()

    def spread(self) -> Tensor:
        """Return c |u| [R]."""
        return self._tau()

    def project(self, radius: Tensor) -> None:
        """Pull theta back onto the ball of `radius` [R] round theta_0."""
        keep = torch.where(self._square > radius.square(), radius / self._square.sqrt(), 1.0)
        self._scale = self._scale * keep.to(self._scale.dtype)
        self._square = self._square * keep.square()


class SignPerturbation(PlainWeights):
    """S fixed sign vectors per replica.

    Gradient: mean_s r_s grad f + c mean_s r_s eps_s with r_s = link(f~_s) - y. The second part stays
    in the span of the sign vectors: theta = phi + E' v with v in R^S, and E u is carried along, so
    that no round touches all of theta. Memory 4 (S + 2) p bytes a replica.

    Args:
        c_p: perturbation constant >= 0; one number or one per replica. It adds a curvature of
            c_p^2 p / (sqrt(m) S): c_p must stay below sqrt(1.8 S sqrt(m) / (lr p)) for the squared
            loss.
        count: S >= 1, number of sign vectors.
    """

    takes_batches = False
    sees_ahead = False  # what all sign vectors make of the contexts would be S times as large

    def __init__(self, c_p: Number, count: int) -> None:
        self.c_p = c_p
        self.count = count

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Start at theta_0 and draw the signs of every replica from its stream "signs".

        Raises:
            InputError: S < 1, c_p < 0, or c_p so large that squared-loss training diverges.

        Warns:
            UserWarning: c_p so large that KL training oscillates.
        """
        if self.count < 1:
            raise InputError(f"the number of perturbations must be at least 1, not {self.count}")
        spec = initial.spec
        scale = offset_scale(each(self.c_p, spec.replicas), initial.width)
        check_signs(
            rate.cpu().numpy(),
            scale,
            count=self.count,
            parameters=initial.parameters,
            width=initial.width,
            loss=loss.name,
        )
        c = torch.from_numpy(scale).to(spec.device)
        self._initial = initial
        self._loss = loss
        self._c = c.to(initial.head.dtype)
        self._first = initial.first.clone()  # phi, and below: its part on w2
        self._head = initial.head.clone()
        self._draw_signs(initial)
        self._v = torch.zeros(len(c), self.count, dtype=initial.head.dtype, device=c.device)
        self._u = torch.zeros_like(self._v)  # E u

    def _draw_signs(self, initial: Initial) -> None:
        spec, S, m = initial.spec, self.count, initial.width
        R, B, d = spec.replicas, spec.blocks, initial.first.shape[1]
        p = initial.parameters
        first = np.empty((R, B, d, S, m), dtype=spec.dtype)
        head = np.empty((R, S, m), dtype=spec.dtype)
        gram = np.empty((R, S, S), dtype=spec.dtype)
        for r, seed in enumerate(spec.seeds):
            signs = draw_signs(seed, S, p).astype(spec.dtype) * 2 - 1
            first[r] = signs[:, : B * m * d].reshape(S, B, m, d).transpose(1, 3, 0, 2)
            head[r] = signs[:, B * m * d :]
            gram[r] = signs @ signs.T
        to = spec.device
        self._signs_first = torch.from_numpy(first.reshape(R * B, d, S * m)).to(to)
        self._signs_head = torch.from_numpy(head).to(to)
        self._gram = torch.from_numpy(gram).to(to)

    def forward(self, inputs: Inputs) -> Forward:
        """Return the pass."""
        base = hidden_layer(inputs, self._first)
        R, K = base.shape[:2]
        signed = hidden_layer(inputs, self._signs_first).view(R, K, self.count, -1)  # eps_s x
        shift = torch.bmm(self._v.unsqueeze(1), signed.permute(0, 2, 1, 3).reshape(R, self.count, -1))
        hidden = base + shift.view(R, K, -1)
        head = self._head + torch.bmm(self._v.unsqueeze(1), self._signs_head).squeeze(1)
        return Forward(inputs, hidden, head, outputs(hidden, head, self._initial.factor), signed)

    def predict(self, output: Tensor) -> Tensor:
        """Return mean_s link(f~_s) [R, K]."""
        offset = self._c.unsqueeze(1) * self._u  # [R, S]
        return self._loss.link(output.unsqueeze(2) + offset.unsqueeze(1)).mean(2)

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Move theta <- theta - rate mean_s r_s (grad f_a + c eps_s)."""
        assert forward.moved is not None
        factor = self._initial.factor
        here = forward.at(action)
        output = forward.output[here].unsqueeze(1)  # [R, 1]
        residual = self._loss.link(output + self._c.unsqueeze(1) * self._u) - target.unsqueeze(1)  # [R, S]
        move = -rate * factor * residual.mean(1)  # [R], times grad f / factor
        drift = -(rate * self._c / self.count).unsqueeze(1) * residual  # [R, S], times eps_s

        gradient = forward.played(action)
        signed = forward.moved[here]  # [R, S, m]
        if forward.inputs.scale is not None:
            signed = gradient.product(self._signs_first).view_as(signed)
        along = (signed * gradient.delta.unsqueeze(1)).sum(2)
        along = along + (self._signs_head * gradient.activation.unsqueeze(1)).sum(2)  # <grad f, eps_s>
        pull = torch.bmm(drift.unsqueeze(1), self._gram).squeeze(1)
        self._u = self._u + move.unsqueeze(1) * along + pull
        self._v = self._v + drift
        add_outer(self._first, gradient, move)
        self._head = self._head + move.unsqueeze(1) * gradient.activation

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R], through |phi - theta_0 + E' v|^2."""
        own = self._u - torch.bmm(self._v.unsqueeze(1), self._gram).squeeze(1)  # E (phi - theta_0)
        cross = (self._v * (self._u + own)).sum(1)
        return (super().distance().square() + cross).clamp_min(0.0).sqrt()

    def spread(self) -> Tensor:
        """Return c times the root mean square of E u [R]."""
        return self._c * self._u.square().mean(1).sqrt()

    def project(self, radius: Tensor) -> None:
        """Pull theta back onto the ball of `radius` [R] round theta_0."""
        keep = (radius / self.distance()).clamp_max(1.0)
        scale_about(self._first, self._initial.first, keep)
        scale_about(self._head, self._initial.head, keep)
        shrink = keep.to(self._v.dtype).unsqueeze(1)
        self._v, self._u = self._v * shrink, self._u * shrink
