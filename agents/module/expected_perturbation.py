"""Perturbed prediction of NeuCB for any torch network, see network/expected_perturbation.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from neucb.agents.initialisation import draw_signs, offset_scale
from neucb.agents.per_replica import Number, each
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.core.spec import Spec


class ModulePerturbation:
    """Perturbation f~_s = f + c <u, eps_s>, u = theta - theta_0 over all parameters, c = c_p width^(-1/4).

    With finitely many signs the gradient is mean_s r_s grad f + c mean_s r_s eps_s, r_s = link(f~_s) - y;
    in closed form (yhat - y) grad f + kappa c^2 u. Unlike in the recipes' networks, nothing is factored:
    every step touches all parameters. Memory 4 p bytes a replica, and 4 S p with signs.

    Args:
        c_p: perturbation constant >= 0; one number or one per replica.
        count: S >= 1, number of sign vectors; infinity for the closed form.
        width: m.
    """

    def __init__(self, c_p: Number, count: float, *, width: int) -> None:
        self.c_p = c_p
        self.count = count
        self.width = width

    def reset(self, spec: Spec, parameters: Mapping[str, Tensor], loss: Loss) -> None:
        """Set theta_0 to the parameters [R, ...], and draw each replica's signs from its stream "signs".

        Raises:
            InputError: S < 1 or c_p < 0.
        """
        if self.count < 1:
            raise InputError(f"the number of perturbations must be at least 1, not {self.count}")
        self._loss = loss
        self._parameters = list(parameters.values())
        self._start = self._flat().clone()  # theta_0 [R, p]
        c = torch.from_numpy(offset_scale(each(self.c_p, spec.replicas), self.width))
        self._c = c.to(spec.device, self._start.dtype)
        self._signs: Tensor | None = None  # [R, S, p]
        if not math.isinf(self.count):
            p = self._start.shape[1]
            drawn = [draw_signs(seed, int(self.count), p).astype(spec.dtype) * 2 - 1 for seed in spec.seeds]
            self._signs = torch.from_numpy(np.stack(drawn)).to(spec.device)

    def _flat(self) -> Tensor:
        return torch.cat([parameter.detach().flatten(1) for parameter in self._parameters], 1)

    def _offsets(self) -> Tensor:
        """Return c <u, eps_s> [R, S]."""
        assert self._signs is not None
        moved = torch.bmm(self._signs, (self._flat() - self._start).unsqueeze(2)).squeeze(2)
        return self._c.unsqueeze(1) * moved

    def _tau(self) -> Tensor:
        """Return c |u| [R]."""
        return self._c * self._distance()

    def _distance(self) -> Tensor:
        """Return |theta - theta_0| [R]."""
        distance: Tensor = torch.linalg.vector_norm(self._flat() - self._start, dim=1)
        return distance

    def predict(self, output: Tensor) -> Tensor:
        """Return mean_s link(f~_s) [R, K] for outputs f [R, K], or its expectation over all signs."""
        if self._signs is None:
            return self._loss.smoothed(output, self._tau().unsqueeze(1))[0]
        return self._loss.link(output.unsqueeze(2) + self._offsets().unsqueeze(1)).mean(2)

    def residual(self, output: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivative of the losses by the outputs [R, n], and the perturbation's gradient [R, p].

        Args:
            output: outputs f [R, n].
            target: losses y [R, n].
            weight: [R, n] shares of the loss.
        """
        if self._signs is None:
            yhat, kappa = self._loss.smoothed(output, self._tau().unsqueeze(1))
            strength = self._c.square() * (weight * kappa).sum(1)
            return yhat - target, strength.unsqueeze(1) * (self._flat() - self._start)
        residuals = self._loss.link(output.unsqueeze(2) + self._offsets().unsqueeze(1)) - target.unsqueeze(2)
        share = self._c.unsqueeze(1) * (weight.unsqueeze(2) * residuals).sum(1) / residuals.shape[2]  # [R, S]
        return residuals.mean(2), torch.bmm(share.unsqueeze(1), self._signs).squeeze(1)

    def add(self, pull: Tensor) -> None:
        """Add `pull` [R, p] to the gradients of the parameters."""
        parts = torch.split(pull, [parameter[0].numel() for parameter in self._parameters], 1)
        for parameter, part in zip(self._parameters, parts, strict=True):
            assert parameter.grad is not None
            parameter.grad += part.view_as(parameter)

    def gauges(self) -> dict[str, Tensor]:
        """Return |theta - theta_0| and the root mean square of the offsets, [R] each."""
        spread = self._tau() if self._signs is None else self._offsets().square().mean(1).sqrt()
        return {"parameter_distance": self._distance(), "perturbation_rms": spread}
