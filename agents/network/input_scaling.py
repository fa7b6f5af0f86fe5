"""Normalised updates: step sizes per input, larger for inputs that are rare or small."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch

from neucb.agents.per_replica import Number, per_replica
from neucb.core.constants import INPUT_FLOOR
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.core.spec import Spec


class InputScaling:
    """Diagonal scaling D_t of `Neural`: factors of the step sizes per input.

    Args:
        power: exponent >= 0; one number or one per replica.
        spec: the shape of the run.

    Raises:
        InputError: power < 0.
    """

    def __init__(self, power: Number, spec: Spec) -> None:
        exponent = per_replica(power, spec.replicas, device=spec.device)
        if not bool((exponent >= 0).all()):
            raise InputError("normalize must be >= 0")
        self._off = bool((exponent == 0).all())
        self._roots = bool((exponent == 0.5).all())
        self._exponent = exponent.unsqueeze(1)
        self._squares = exponent.new_zeros(spec.replicas, spec.features + 1)  # v, float64
        self._count = 0
        self._ahead: Tensor | None = None  # [B + 1, R, d] prefix sums of `_squares` over the next rounds

    def with_context(self, x: Tensor) -> Tensor | None:
        """Return the factors [R, d] with contexts x included, or None where all are 1."""
        if self._off:
            return None
        return self._factors(self._squares + _squares(x), self._count + 1).to(x.dtype)

    def look_ahead(self, x: Tensor) -> Tensor | None:
        """Return the factors [B, R, d] of `with_context` for the next contexts x [B, R, d], or None."""
        self._ahead = None
        if self._off:
            return None
        ahead = self._squares.new_empty(len(x) + 1, *x.shape[1:])
        ahead[0] = self._squares
        torch.mul(x, x.double(), out=ahead[1:])
        sums = ahead.unbind()
        for before, now in itertools.pairwise(sums):  # twice as fast as `cumsum`
            now += before
        self._ahead = ahead
        count = torch.arange(1, len(x) + 1, device=x.device).view(-1, 1, 1) + self._count
        return self._factors(ahead[1:], count).to(x.dtype)

    def flush(self, rounds: int) -> None:
        """Add the first `rounds` contexts of the last `look_ahead` to the sums."""
        self._count += rounds
        if self._ahead is not None:
            self._squares = self._ahead[rounds].clone()
            self._ahead = None

    def _factors(self, squares: Tensor, count: Tensor | int) -> Tensor:
        """Return factors [..., R, d] for sums of squares over `count` rounds."""
        mean = (squares + INPUT_FLOOR).div_(count).mul_(squares.shape[-1])
        if self._roots:
            return mean.rsqrt_()  # exponent 1/2, the default; `pow` is much slower
        return torch.where(self._exponent == 0.5, mean.rsqrt(), mean.pow(-self._exponent))

    def add(self, x: Tensor) -> None:
        """Add contexts x [R, d] or [R, K, d] to the sums."""
        self._count += 1
        if not self._off:
            self._squares += _squares(x)


def _squares(x: Tensor) -> Tensor:
    """Return the squares [R, d] of contexts, averaged over arms for per-arm contexts."""
    square = x.double().square()
    return square.mean(1) if square.dim() == 3 else square
