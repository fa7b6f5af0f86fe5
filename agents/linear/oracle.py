"""Linear oracle: one linear model per arm, trained by exact or approximate Newton steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from neucb.agents.initialisation import keeps_full
from neucb.agents.linear.covariance import Covariance, DiagonalCovariance, FullCovariance
from neucb.agents.per_replica import Number, per_replica
from neucb.agents.prediction import Prediction
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.core.spec import Spec


def with_intercept(context: Tensor) -> Tensor:
    """Append the constant 1 to contexts [..., d]: [..., d + 1]."""
    return torch.cat([context, context.new_ones(*context.shape[:-1], 1)], -1)


class Linear:
    """Linear model yhat_a = link(theta_a . x), theta_a and its precision A_a updated for the played arm.

    With w = link'(theta_a . x), one round is
        A_a <- A_a + w x x',   theta_a <- theta_a + A_a^-1 x (y - yhat_a),   A_a(0) = lambda I.
    For the squared loss (w = 1) this is recursive least squares, exactly ridge regression on the
    arm's past samples. For KL it is one Newton step a round on the Laplace approximation of Bayesian
    logistic regression (Spiegelhalter and Lauritzen, Networks 20, 1990). A^-1 is updated by the
    Sherman-Morrison formula, in float64. For per-arm contexts all arms share one theta. Memory:
    8 B (d + 1)^2 bytes a replica, B = `spec.blocks`; 16 B (d + 1) with a diagonal.

    Args:
        loss: `Squared()` or `KL()`.
        regularization: lambda > 0; one number or one per replica.
        covariance: "full"; "diagonal", which is no longer ridge regression; or "auto", full up to 300
            features.
        uncertainty: whether predictions have `std`, the standard deviation sqrt(x' A_a^-1 x) of theta_a . x.
    """

    def __init__(
        self,
        loss: Loss,
        *,
        regularization: Number = 1.0,
        covariance: Literal["auto", "full", "diagonal"] = "auto",
        uncertainty: bool = False,
    ) -> None:
        self.loss = loss
        self.regularization = regularization
        self.covariance = covariance
        self.uncertainty = uncertainty

    def reset(self, spec: Spec) -> None:
        """Reset the state to R = spec.replicas untrained replicas.

        Raises:
            InputError: lambda <= 0.

        Warns:
            UserWarning: "auto" keeps a diagonal only.
        """
        R, B, d = spec.replicas, spec.blocks, spec.features + 1
        penalty = per_replica(self.regularization, R, device=spec.device)
        if not bool((penalty > 0).all()):
            raise InputError("regularization must be > 0")
        self._rows = torch.arange(R, device=spec.device)
        self._theta = penalty.new_zeros(R, B, d)
        full = keeps_full(self.covariance, spec.features)
        kind = FullCovariance if full else DiagonalCovariance
        self._covariance: Covariance = kind(spec, d, penalty)

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses [R, K] for contexts [R, d] or [R, K, d]."""
        x = with_intercept(context.double())
        output = self._output(x)
        mean = self.loss.link(output)
        if not self.uncertainty:
            return Prediction(mean)
        covariance = self._covariance
        compared = None if self.loss.link_name is None else output
        return Prediction(mean, covariance.std(x), output=compared, factor=covariance.factor(x))

    def _output(self, x: Tensor) -> Tensor:
        if x.dim() == 3:
            return torch.bmm(x, self._theta.transpose(1, 2)).squeeze(2)  # [R, K]
        return torch.bmm(x.unsqueeze(1), self._theta.transpose(1, 2)).squeeze(1)

    def update(self, context: Tensor, action: Tensor, loss: Tensor, count: Tensor | None = None) -> None:
        """Make one Newton step for the played arms; `count` [R] >= 0 is the multiplicity of a sample."""
        x = with_intercept(context.double())
        rows = self._rows
        output = self._output(x)[rows, action]  # [R]
        weight = self.loss.curvature(output)
        error = loss.double() - self.loss.link(output)
        if count is not None:
            weight, error = weight * count, error * count
        block = action
        if x.dim() == 3:
            x, block = x[rows, action], torch.zeros_like(action)
        direction = self._covariance.times(x, block)  # [R, d], A^-1 x
        shrink = self._covariance.add(x, weight, block, direction)
        self._theta[rows, block] += (shrink * error).unsqueeze(1) * direction
