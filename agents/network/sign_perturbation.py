"""Randomly perturbed prediction of NeuCB, see expected_perturbation.py, with finitely many signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neucb.agents.initialisation import check_signs, draw_signs, offset_scale
from neucb.agents.network.forward import Forward, Inputs
from neucb.agents.network.layers import outputs
from neucb.agents.network.weights import (
    Initial,
    PlainWeights,
    add_outer,
    hidden_layer,
    scale_about,
)
from neucb.agents.per_replica import Number, each
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss


class SignPerturbation(PlainWeights):
    """Perturbation with S fixed sign vectors per replica.

    Gradient: mean_s r_s grad f + c mean_s r_s eps_s with r_s = link(f~_s) - y. The second part is in
    the span of the sign vectors: theta = phi + E' v with v in R^S, and E u is updated with it, so that
    no round touches all of theta. Memory 4 (S + 2) p bytes a replica.

    Args:
        c_p: perturbation constant >= 0; one number or one per replica. It adds a curvature of
            c_p^2 p / (sqrt(m) S): c_p must be below sqrt(1.8 S sqrt(m) / (lr p)) for the squared
            loss.
        count: S >= 1, number of sign vectors.
    """

    uses_autograd = False
    takes_batches = False
    distance_known = "never"
    sees_ahead = False  # the products with all sign vectors would be S times as large

    def __init__(self, c_p: Number, count: int) -> None:
        self.c_p = c_p
        self.count = count

    def reset(self, initial: Initial, rate: Tensor, loss: Loss) -> None:
        """Set theta to theta_0 and draw the signs of every replica from its stream "signs".

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
            loss=type(loss),
        )
        c = torch.from_numpy(scale).to(spec.device)
        self._initial = initial
        self._loss = loss
        self._c = c.to(initial.head.dtype)
        self._first = initial.first.clone()  # phi on the first layer, and on the head below
        self._head = initial.head.clone()
        self._draw_signs(initial)
        self._v = torch.zeros(len(c), self.count, dtype=initial.head.dtype, device=c.device)
        self._u = torch.zeros_like(self._v)  # E u

    def _draw_signs(self, initial: Initial) -> None:
        spec, S, m = initial.spec, self.count, initial.width
        R, B, d = spec.replicas, spec.blocks, initial.first.shape[1]
        p = initial.parameters
        first = np.empty((R, B, d, S, m), dtype=spec.dtype)
        head = np.empty((R, S, initial.head.shape[1]), dtype=spec.dtype)
        gram = np.empty((R, S, S), dtype=spec.dtype)
        for r, seed in enumerate(spec.seeds):
            signs = draw_signs(seed, S, p).astype(spec.dtype) * 2 - 1
            first[r] = signs[:, : B * m * d].reshape(S, B, m, d).transpose(1, 3, 0, 2)
            head[r] = signs[:, B * m * d :]
            gram[r] = signs @ signs.T
        device = spec.device
        self._signs_first = torch.from_numpy(first.reshape(R * B, d, S * m)).to(device)
        self._signs_head = torch.from_numpy(head).to(device)
        self._gram = torch.from_numpy(gram).to(device)

    def forward(self, inputs: Inputs) -> Forward:
        """Return the forward pass."""
        base = hidden_layer(inputs, self._first)
        R, K = base.shape[:2]
        signed = hidden_layer(inputs, self._signs_first).view(R, K, self.count, -1)  # eps_s x
        shift = torch.bmm(self._v.unsqueeze(1), signed.permute(0, 2, 1, 3).reshape(R, self.count, -1))
        hidden = (base + shift.view(R, K, -1)).relu_()
        head = self._head + torch.bmm(self._v.unsqueeze(1), self._signs_head).squeeze(1)
        return Forward(inputs, hidden, head, *outputs(hidden, head, self._initial.factor), signed)

    def predict(self, output: Tensor) -> Tensor:
        """Return mean_s link(f~_s) [R, K]."""
        offset = self._c.unsqueeze(1) * self._u  # [R, S]
        return self._loss.link(output.unsqueeze(2) + offset.unsqueeze(1)).mean(2)

    def step(self, forward: Forward, action: Tensor, target: Tensor, rate: Tensor) -> None:
        """Update theta <- theta - rate mean_s r_s (grad f_a + c eps_s)."""
        assert forward.moved is not None
        factor = self._initial.factor
        index = forward.at(action)
        output = forward.output[index].unsqueeze(1)  # [R, 1]
        residual = self._loss.link(output + self._c.unsqueeze(1) * self._u) - target.unsqueeze(1)  # [R, S]
        move = -rate * factor * residual.mean(1)  # [R], times grad f / factor
        drift = -(rate * self._c / self.count).unsqueeze(1) * residual  # [R, S], times eps_s

        gradient = forward.played(action)
        signed = forward.moved[index]  # [R, S, m]
        if forward.inputs.scale is not None:
            signed = gradient.product(self._signs_first).view_as(signed)
        along = (signed * gradient.delta.unsqueeze(1)).sum(2)
        along = along + (self._signs_head * gradient.head.unsqueeze(1)).sum(2)  # <grad f, eps_s>
        pull = torch.bmm(drift.unsqueeze(1), self._gram).squeeze(1)
        self._u = self._u + move.unsqueeze(1) * along + pull
        self._v = self._v + drift
        add_outer(self._first, gradient, move)
        self._head = self._head + move.unsqueeze(1) * gradient.head

    def distance(self) -> Tensor:
        """Return |theta - theta_0| [R], computed from |phi - theta_0 + E' v|^2."""
        start = self._u - torch.bmm(self._v.unsqueeze(1), self._gram).squeeze(1)  # E (phi - theta_0)
        cross = (self._v * (self._u + start)).sum(1)
        return (super().distance().square() + cross).clamp_min(0.0).sqrt()

    def spread(self) -> Tensor:
        """Return c times the root mean square of E u [R]."""
        return self._c * self._u.square().mean(1).sqrt()

    def project(self, radius: Tensor) -> None:
        """Project theta onto the ball of `radius` [R] around theta_0."""
        keep = (radius / self.distance()).clamp_max(1.0)
        scale_about(self._first, self._initial.first, keep)
        scale_about(self._head, self._initial.head, keep)
        shrink = keep.to(self._v.dtype).unsqueeze(1)
        self._v, self._u = self._v * shrink, self._u * shrink
