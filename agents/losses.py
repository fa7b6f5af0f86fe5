"""Regression losses: link, value and derivative, also under a Gaussian offset of the output.

Both losses train on a network output f by the derivative `link(f) - y` with respect to f.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from neucb.core.constants import MIXTURE_SLOPES, MIXTURE_WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

CLIP = 1e-6  # log losses see predictions in [CLIP, 1 - CLIP]


class Loss(Protocol):
    """A regression loss on a network's output f, per element of tensors of any shape."""

    @property
    def name(self) -> Literal["squared", "kl"]:
        """The loss's name."""

    def link(self, output: Tensor) -> Tensor:
        """Return the predicted loss for an output f."""

    def value(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return the reported regression loss of a prediction, a number >= 0."""

    def smoothed(self, output: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return (E link(f + scale xi), E link'(f + scale xi)) for xi ~ N(0, 1)."""

    def curvature(self, output: Tensor) -> Tensor:
        """Return the derivative of the link at f."""


@dataclass(frozen=True)
class Squared:
    """Squared loss: predicts f, trains on (f - y)^2 / 2, reports (yhat - y)^2 with yhat in [0, 1]."""

    uses_autograd = False
    name: Literal["squared"] = "squared"

    def link(self, output: Tensor) -> Tensor:
        """Return f itself."""
        return output

    def value(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return (clip(yhat, 0, 1) - y)^2, unhalved."""
        return (predicted.clamp(0.0, 1.0) - target).square()

    def smoothed(self, output: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return (f, 1): the mean of a symmetric offset is nought."""
        return output, torch.ones_like(output)

    def curvature(self, output: Tensor) -> Tensor:
        """Return 1."""
        return torch.ones_like(output)


@dataclass(frozen=True)
class KL:
    """Binary Kullback-Leibler loss: predicts sigmoid(f), trains on the cross entropy."""

    uses_autograd = False
    name: Literal["kl"] = "kl"

    def link(self, output: Tensor) -> Tensor:
        """Return sigmoid(f).

        Not torch.sigmoid: its vector body and scalar tail round differently, so that a replica's
        bits would depend on its position in the batch.
        """
        return output.neg().exp_().add_(1.0).reciprocal_()

    def value(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return KL(y || yhat) with yhat clipped to [1e-6, 1 - 1e-6]; the log loss for y in {0, 1}."""
        yhat = predicted.clamp(CLIP, 1.0 - CLIP)
        miss = 1.0 - target
        return (
            torch.xlogy(target, target)
            + torch.xlogy(miss, miss)
            - target * yhat.log()
            - miss * (1.0 - yhat).log()
        )

    def smoothed(self, output: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean of sigmoid and of its derivative under a Gaussian offset, error < 1e-6.

        The logistic distribution function is a scale mixture of normal ones (Monahan and
        Stefanski, "Normal scale mixture approximations to F*(z) and computation of the
        logistic-normal integral", 1992), sigmoid(f) = sum_i w_i Phi(s_i f), and a Gaussian offset
        only widens each part: E Phi(s (f + tau xi)) = Phi(s f / sqrt(1 + s^2 tau^2)). No
        quadrature in f or tau is left, so that the error does not grow with tau.
        """
        weight, slope = _mixture(output.dtype, output.device)
        widened = slope / (1.0 + (slope * scale.unsqueeze(-1)).square()).sqrt()
        z = widened * output.unsqueeze(-1)
        mean = (weight * (0.5 * (1.0 + torch.erf(z * math.sqrt(0.5))))).sum(-1)
        density = (z.square() * -0.5).exp() * (1.0 / math.sqrt(2.0 * math.pi))
        return mean, (weight * widened * density).sum(-1)

    def curvature(self, output: Tensor) -> Tensor:
        """Return sigmoid(f) (1 - sigmoid(f))."""
        mean = self.link(output)
        return mean * (1.0 - mean)


@lru_cache(maxsize=64)
def _mixture(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the weights and slopes [8] of the mixture; made once, since a GPU is waited for then."""
    with torch.inference_mode(False):  # what is kept serves runs in any mode
        weight, slope = (torch.tensor(one, dtype=dtype) for one in (MIXTURE_WEIGHTS, MIXTURE_SLOPES))
        return weight.to(device), slope.to(device)
