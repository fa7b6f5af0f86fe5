"""ModuleNorm: the uncertainty of any torch network from the norm of its gradient, see gradient_norm.py."""

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
    """std_a = sqrt(lambda g_a' U^-1 g_a) as `GradientNorm` has it, with gradients by autograd.

    All arms' gradients are built: a round takes K passes back and 4 K p bytes a replica, for U 4 p more, or
    8 p^2 where it is full.

    Args:
        oracle: the network, without a perturbation.
        regularization: lambda > 0; one number or one per replica.
        divisor: of the squared gradients: 1 as in the published code, the width m as in the papers.
        matrix: "diagonal", or "full" for networks of at most 3,000 parameters.
    """

    uses_autograd = autograd_of("oracle")

    def __init__(
        self,
        oracle: Module,
        *,
        regularization: Number = 1.0,
        divisor: float = 1.0,
        matrix: Literal["diagonal", "full"] = "diagonal",
    ) -> None:
        self.oracle = oracle
        self.regularization = regularization
        self.divisor = divisor
        self.matrix = matrix

    def reset(self, spec: Spec) -> None:
        """Forget everything and prepare R = spec.replicas replicas.

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
        self._full = FullMatrix(self.oracle.parameters, penalty) if self.matrix == "full" else None
        diagonal = penalty.to(getattr(torch, spec.dtype)).unsqueeze(1)
        self._diagonal = diagonal.repeat(1, self.oracle.parameters)  # U [R, p]
        self._last: tuple[Tensor, Tensor] | None = None

    def _gradients(self, context: Tensor) -> Tensor:
        """Return g of all arms [R, K, p]; those of the last contexts are kept until the networks move."""
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
        before = None if self.oracle.loss.name == "squared" else output
        std = (self._penalty * norm).clamp_min(0.0).sqrt()
        return Prediction(self.oracle.loss.link(output), std, output=before)

    @torch.no_grad()
    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Count the played arms' gradients, then let the network learn."""
        g = self._gradients(context)[torch.arange(len(action), device=action.device), action]
        if self._full is None:
            self._diagonal = self._diagonal + g.square()
        else:
            self._full.add(g.double())
        self._last = None
        self.oracle.update(context, action, loss)
