"""Covariances of linear models under rank-one updates: full matrices, or their diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.core.spec import Spec


class Covariance(Protocol):
    """Inverse precision matrices A_b^-1 of B blocks of R replicas, A_b(0) = lambda I."""

    def times(self, x: Tensor, block: Tensor) -> Tensor:
        """Return A^-1 x [R, d] for the blocks [R]."""

    def add(self, x: Tensor, weight: Tensor, block: Tensor, direction: Tensor) -> Tensor:
        """Update A <- A + w x x' in the blocks [R]; return 1 / (1 + w x' A^-1 x) [R] with the old A.

        Args:
            x: [R, d].
            weight: [R], w >= 0.
            block: [R].
            direction: [R, d], A^-1 x from `times`.
        """

    def std(self, x: Tensor) -> Tensor:
        """Return sqrt(x_a' A_a^-1 x_a) [R, K] for contexts [R, d] or [R, K, d]."""

    def factor(self, x: Tensor) -> Tensor | None:
        """Return a factor [R, K, q] of the covariances x_a' A^-1 x_b; None where arms are independent."""


class FullCovariance:
    """Full matrices, updated by the Sherman-Morrison formula. Memory 8 B d^2 bytes a replica.

    Args:
        spec: the shape of the run.
        size: d, the intercept included.
        penalty: [R] lambda > 0.
    """

    def __init__(self, spec: Spec, size: int, penalty: Tensor) -> None:
        eye = torch.eye(size, dtype=torch.float64, device=spec.device)
        self._inverse = (eye / penalty.view(-1, 1, 1, 1)).repeat(1, spec.blocks, 1, 1)  # [R, B, d, d]
        self._rows = torch.arange(spec.replicas, device=spec.device)

    def times(self, x: Tensor, block: Tensor) -> Tensor:
        """Return A^-1 x [R, d]."""
        return torch.bmm(x.unsqueeze(1), self._inverse[self._rows, block]).squeeze(1)

    def add(self, x: Tensor, weight: Tensor, block: Tensor, direction: Tensor) -> Tensor:
        """Update A <- A + w x x'; return the shrinkage [R]."""
        shrink = 1.0 / (1.0 + weight * (direction * x).sum(1))
        outer = direction.unsqueeze(2) * direction.unsqueeze(1)
        index = (self._rows, block)
        self._inverse[index] = self._inverse[index] - (weight * shrink).view(-1, 1, 1) * outer
        return shrink

    def std(self, x: Tensor) -> Tensor:
        """Return sqrt(x' A^-1 x) [R, K]."""
        R, B, d, _ = self._inverse.shape
        if x.dim() == 3:
            along = torch.bmm(x, self._inverse[:, 0])
        else:
            rows = x.view(R, 1, 1, d).expand(R, B, 1, d).reshape(R * B, 1, d)
            along = torch.bmm(rows, self._inverse.view(R * B, d, d)).view(R, B, d)
            x = x.unsqueeze(1)
        return (along * x).sum(2).clamp_min(0.0).sqrt()

    def factor(self, x: Tensor) -> Tensor | None:
        """Return x_a' L [R, K, d] with A^-1 = L L' for a shared A, otherwise None."""
        if x.dim() == 2:
            return None
        inverse = self._inverse[:, 0]
        return torch.bmm(x, torch.linalg.cholesky_ex(0.5 * (inverse + inverse.transpose(1, 2)))[0])


class DiagonalCovariance:
    """Diagonal of A only, with the step of the full matrix diag(A) + w x x'.

    A step never overshoots: it moves x' theta by at most the whole error. Memory 8 B d bytes a replica.
    Arguments as for `FullCovariance`.
    """

    def __init__(self, spec: Spec, size: int, penalty: Tensor) -> None:
        self._precision = penalty.view(-1, 1, 1).repeat(1, spec.blocks, size)  # [R, B, d]
        self._rows = torch.arange(spec.replicas, device=spec.device)

    def times(self, x: Tensor, block: Tensor) -> Tensor:
        """Return A^-1 x [R, d]."""
        return x / self._precision[self._rows, block]

    def add(self, x: Tensor, weight: Tensor, block: Tensor, direction: Tensor) -> Tensor:
        """Update A <- A + w diag(x x'); return the shrinkage [R]."""
        self._precision[self._rows, block] += weight.unsqueeze(1) * x.square()
        return 1.0 / (1.0 + weight * (direction * x).sum(1))

    def std(self, x: Tensor) -> Tensor:
        """Return sqrt(x' A^-1 x) [R, K]."""
        square = x.square() if x.dim() == 3 else x.square().unsqueeze(1)
        return (square / self._precision).sum(2).sqrt()

    def factor(self, x: Tensor) -> Tensor | None:
        """Return x_a / sqrt(A) [R, K, d] for a shared A, otherwise None."""
        return None if x.dim() == 2 else x / self._precision.sqrt()
