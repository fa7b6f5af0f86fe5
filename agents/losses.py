"""Regression losses: link, value and derivative, with or without a Gaussian offset of the output.

The derivative of both training losses by the output f is `link(f) - y`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from neucb.core.constants import CLIP, MIXTURE_SLOPES, MIXTURE_WEIGHTS
from neucb.kernels import types

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Loss:
    """A regression loss on a network's output f, per element of tensors of any shape.

    Attributes:
        name: identifier in messages.
        formula: loss that is minimised, in words.
        link_name: name of the link; None where a prediction is the output itself.
        kernel: code in kernels, see `neucb.kernels.types`; None where only the torch engine plays it.
        strength_limit: largest lr c_p^2 p / (sqrt(m) S) of finitely many perturbations.
        diverges: whether training diverges beyond that limit; otherwise it oscillates.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    link_name: ClassVar[str | None] = None
    kernel: ClassVar[int | None] = None
    strength_limit: ClassVar[float] = 1.8  # 2 diverges, and near it the offset drowns the losses
    diverges: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        """Leave a loss without its base's compiled form where it computes otherwise."""
        if {"link", "value", "smoothed", "curvature"} & vars(cls).keys() and "kernel" not in vars(cls):
            cls.kernel = None

    def link(self, output: Tensor) -> Tensor:
        """Return the predicted loss for an output f."""
        raise NotImplementedError

    def value(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return the reported regression loss of a prediction, a number >= 0."""
        raise NotImplementedError

    def smoothed(self, output: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return (E link(f + scale xi), E link'(f + scale xi)) for xi ~ N(0, 1)."""
        raise NotImplementedError

    def curvature(self, output: Tensor) -> Tensor:
        """Return the derivative of the link at f."""
        raise NotImplementedError


@dataclass(frozen=True)
class Squared(Loss):
    """Squared loss: prediction f, training loss (f - y)^2 / 2, value (yhat - y)^2 with yhat in [0, 1]."""

    uses_autograd = False
    name = "squared"
    formula = "(f_a - y)^2 / 2"
    kernel = types.SQUARED

    def link(self, output: Tensor) -> Tensor:
        """Return f, the identity link."""
        return output

    def value(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return (clip(yhat, 0, 1) - y)^2, unhalved."""
        return (predicted.clamp(0.0, 1.0) - target).square()

    def smoothed(self, output: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return (f, 1): the mean of a symmetric offset is 0."""
        return output, output.new_ones(output.shape)

    def curvature(self, output: Tensor) -> Tensor:
        """Return 1."""
        return output.new_ones(output.shape)


@dataclass(frozen=True)
class KL(Loss):
    """Binary Kullback-Leibler loss: prediction sigmoid(f), trained on the cross entropy."""

    uses_autograd = False
    name = "kl"
    formula = "KL(y || yhat_a)"
    link_name = "sigmoid"
    kernel = types.KL
    strength_limit = 8.0  # with sigma' <= 1/4
    diverges = False

    def link(self, output: Tensor) -> Tensor:
        """Return sigmoid(f).

        Not torch.sigmoid: its vectorised body and scalar tail round differently, so that a replica's
        result would depend on its position in the batch.
        """
        return output.neg().exp_().add_(1.0).reciprocal_()

    def value(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return KL(y || yhat) with yhat clipped to [1e-6, 1 - 1e-6]; the log loss for y in {0, 1}."""
        yhat = predicted.clamp(CLIP, 1.0 - CLIP)
        miss = 1.0 - target
        return target.xlogy(target) + miss.xlogy(miss) - target * yhat.log() - miss * (1.0 - yhat).log()

    def smoothed(self, output: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means of sigmoid and of its derivative under a Gaussian offset, error < 1e-6.

        The logistic distribution function is a scale mixture of normal ones (Monahan and
        Stefanski, "Normal scale mixture approximations to F*(z) and computation of the
        logistic-normal integral", 1992), sigmoid(f) = sum_i w_i Phi(s_i f), and a Gaussian offset
        only widens each component: E Phi(s (f + tau xi)) = Phi(s f / sqrt(1 + s^2 tau^2)). There is
        no quadrature in f or tau, so that the error does not grow with tau.
        """
        weight, slope = _mixture(output.dtype, output.device)
        widened = slope / (1.0 + (slope * scale.unsqueeze(-1)).square()).sqrt()
        z = widened * output.unsqueeze(-1)
        mean = (weight * (0.5 * (1.0 + (z * math.sqrt(0.5)).erf()))).sum(-1)
        density = (z.square() * -0.5).exp() * (1.0 / math.sqrt(2.0 * math.pi))
        return mean, (weight * widened * density).sum(-1)

    def curvature(self, output: Tensor) -> Tensor:
        """Return sigmoid(f) (1 - sigmoid(f))."""
        mean = self.link(output)
        return mean * (1.0 - mean)


@lru_cache(maxsize=64)
def _mixture(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the weights and slopes [8] of the mixture, cached because their copy synchronises a GPU."""
    import torch

    with torch.inference_mode(False):  # the cached tensors serve runs in any mode
        weight, slope = (torch.tensor(values, dtype=dtype) for values in (MIXTURE_WEIGHTS, MIXTURE_SLOPES))
        return weight.to(device), slope.to(device)
