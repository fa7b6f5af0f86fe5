"""Linear oracle: one linear model per arm, learnt by exact or approximate Newton steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neucb.agents.hyper import Number, per_replica
from neucb.agents.prediction import Prediction
from neucb.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.losses import Loss
    from neucb.spec import Spec


def with_intercept(context: Tensor) -> Tensor:
    """Append the constant 1 to contexts [..., d]: [..., d + 1]."""
    return torch.cat([context, context.new_ones(*context.shape[:-1], 1)], -1)


class Linear:
    """yhat_a = link(theta_a . x), theta_a and its precision A_a updated for the played arm.

    With w = link'(theta_a . x), one round is
        A_a <- A_a + w x x',   theta_a <- theta_a + A_a^-1 x (y - yhat_a),   A_a(0) = lambda I.
    For the squared loss (w = 1) this is recursive least squares, exactly ridge regression on the
    arm's past. For KL it is one Newton step a round on the Laplace approximation of Bayesian
    logistic regression (Spiegelhalter and Lauritzen, Networks 20, 1990). A^-1 is kept by the
    Sherman-Morrison formula, in float64. Where every arm has a context of its own, one theta serves
    all arms. Memory: 8 B (d + 1)^2 bytes a replica, B = `spec.blocks`.

    Args:
        loss: `Squared()` or `KL()`.
        regularization: lambda > 0; one number or one per replica.
    """

    def __init__(self, loss: Loss, *, regularization: Number = 1.0) -> None:
        self.loss = loss
        self.regularization = regularization

    def reset(self, spec: Spec) -> None:
        """Forget everything and prepare R = spec.replicas replicas.

        Raises:
            InputError: lambda <= 0.
        """
        R, B, d = spec.replicas, spec.blocks, spec.features + 1
        penalty = per_replica(self.regularization, R, device=spec.device)
        if not bool((penalty > 0).all()):
            raise InputError("regularization must be > 0")
        eye = torch.eye(d, dtype=torch.float64, device=spec.device)
        self._rows = torch.arange(R, device=spec.device)
        self._covariance = (eye / penalty.view(R, 1, 1, 1)).repeat(1, B, 1, 1)  # [R, B, d, d], A^-1
        self._theta = eye.new_zeros(R, B, d)

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses [R, K] for contexts [R, d] or [R, K, d]."""
        return Prediction(self.loss.link(self._output(with_intercept(context.double()))))

    def _output(self, x: Tensor) -> Tensor:
        if x.dim() == 3:
            return torch.bmm(x, self._theta.transpose(1, 2)).squeeze(2)  # [R, K]
        return torch.bmm(x.unsqueeze(1), self._theta.transpose(1, 2)).squeeze(1)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Make one Newton step for the played arms."""
        x = with_intercept(context.double())
        rows = self._rows
        output = self._output(x)[rows, action]  # [R]
        weight = self.loss.curvature(output)
        block = action
        if x.dim() == 3:
            x, block = x[rows, action], torch.zeros_like(action)
        covariance = self._covariance[rows, block]  # [R, d, d]
        direction = torch.bmm(x.unsqueeze(1), covariance).squeeze(1)  # [R, d], A^-1 x
        shrink = 1.0 / (1.0 + weight * (direction * x).sum(1))  # [R]
        outer = direction.unsqueeze(2) * direction.unsqueeze(1)
        self._covariance[rows, block] = covariance - (weight * shrink).view(-1, 1, 1) * outer
        error = loss.double() - self.loss.link(output)
        self._theta[rows, block] += (shrink * error).unsqueeze(1) * direction
