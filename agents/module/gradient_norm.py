"""ModuleNorm: uncertainty of any torch network from its gradient norm, see network/gradient_norm.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from neucb.agents.network.gradient_norm import FullMatrix
from neucb.agents.per_replica import Number, per_replica
from neucb.agents.prediction import Prediction
from neucb.agents.protocols import autograd_of
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.module.oracle import Module
    from neucb.core.spec import Spec


class ModuleNorm:
    """Gradient norm std_a = sqrt(lambda g_a' U^-1 g_a) as in `GradientNorm`, with gradients by autograd.

    All arms' gradients are materialised: a round takes K backward passes and 4 K p bytes a replica, plus
    4 p for a diagonal U or 8 p^2 for a full one.

    Args:
        oracle: the network, without a perturbation.
        regularization: lambda > 0; one number or one per replica.
        divisor: divisor of the squared gradients: 1 as in the published code, the width m as in the papers.
        covariance: "diagonal", or "full" for networks of at most 3,000 parameters.
    """

    uses_autograd = autograd_of("oracle")

    def __init__(
        self,
        oracle: Module,
        *,
        regularization: Number = 1.0,
        divisor: float = 1.0,
        covariance: Literal["diagonal", "full"] = "diagonal",
    ) -> None:
        self.oracle = oracle
        self.regularization = regularization
        self.divisor = divisor
        self.covariance = covariance

    def reset(self, spec: Spec) -> None:
        """Reset the state to R = spec.replicas untrained replicas.

        Raises:
            InputError: lambda <= 0, a perturbed network, or one too large for the full matrix.
        """
        penalty = per_replica(self.regularization, spec.replicas, device=spec.device)
        if not bool((penalty > 0).all()):
            raise InputError("regularization must be > 0")
        if self.oracle.perturbation is not None:
            raise InputError("the norm of the gradient is for networks without a perturbation")
        self.oracle.reset(spec)
        self._penalty = penalty.unsqueeze(1)
        self._full = FullMatrix(self.oracle.parameters, penalty) if self.covariance == "full" else None
        diagonal = penalty.to(getattr(torch, spec.dtype)).unsqueeze(1)
        self._diagonal = diagonal.repeat(1, self.oracle.parameters)  # U [R, p]
        self._last: tuple[Tensor, Tensor] | None = None

    def _gradients(self, context: Tensor) -> Tensor:
        """Return g of all arms [R, K, p], cached for the last contexts until the next update."""
        if self._last is None or self._last[0] is not context:
            self._last = (context, self.oracle.gradients(context) / self.divisor**0.5)
        return self._last[1]

    @torch.no_grad()
    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses and their standard deviations [R, K] for contexts [R, d] or [R, K, d]."""
        g = self._gradients(context)
        if self._full is None:
            norm = (g.square() / self._diagonal.unsqueeze(1)).sum(2).double()
        else:
            norm = self._full.norm(g.double())
        output = self.oracle.outputs(context)
        compared = None if self.oracle.loss.link_name is None else output
        std = (self._penalty * norm).clamp_min(0.0).sqrt()
        return Prediction(self.oracle.loss.link(output), std, output=compared)

    @torch.no_grad()
    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Add the played arms' gradients to U, then update the network."""
        g = self._gradients(context)[torch.arange(len(action), device=action.device), action]
        if self._full is None:
            self._diagonal = self._diagonal + g.square()
        else:
            self._full.add(g.double())
        self._last = None
        self.oracle.update(context, action, loss)
