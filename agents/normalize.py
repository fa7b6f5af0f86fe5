"""Normalised updates: step sizes per input, larger for inputs that are rarely or barely there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.agents.constants import INPUT_FLOOR
from neucb.agents.hyper import Number, per_replica
from neucb.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.spec import Spec


class InputScaling:
    """D_t of `Neural`: factors of the step sizes, per input.

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
        self._exponent = exponent.unsqueeze(1)
        self._squares = exponent.new_zeros(spec.replicas, spec.features + 1)  # v, float64
        self._count = 0

    def with_context(self, x: Tensor) -> Tensor | None:
        """Return the factors [R, d] once contexts x have been shown, or None where all are 1."""
        if self._off:
            return None
        mean = (self._squares + _squares(x) + INPUT_FLOOR) / (self._count + 1)
        return (mean * mean.shape[1]).pow(-self._exponent).to(x.dtype)

    def add(self, x: Tensor) -> None:
        """Count contexts x [R, d] or [R, K, d]."""
        self._count += 1
        if not self._off:
            self._squares += _squares(x)


def _squares(x: Tensor) -> Tensor:
    """Return the squares [R, d] of contexts, averaged over arms that have their own."""
    square = x.double().square()
    return square.mean(1) if square.dim() == 3 else square
