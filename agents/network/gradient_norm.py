"""GradientNorm: uncertainty of a network from its gradient norm, as in NeuralUCB and NeuralTS."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from neucb.agents.initialisation import output_factor
from neucb.agents.network.forward import Inputs
from neucb.agents.network.layers import by_head, slopes, split
from neucb.agents.network.weights import hidden_layer
from neucb.agents.per_replica import Number, per_replica
from neucb.agents.prediction import Prediction
from neucb.agents.protocols import autograd_of
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.network.forward import Forward
    from neucb.agents.network.oracle import Neural
    from neucb.core.spec import Spec

FULL_MATRIX_PARAMETERS = 3000  # maximum parameters of the full matrix: 72 MB a replica


class GradientNorm:
    """Gradient norm std_a = sqrt(lambda g_a' U^-1 g_a), U = lambda I + the sum of g g' over the played arms.

    g_a is the gradient of f_a with respect to all parameters, for the played arm at the theta that chose
    it. On the first layer it is the rank-one delta_a x', so that with a diagonal U no gradient is
    materialised: std_a^2 / lambda = (delta_a^2)' (1 / U1_a) (x^2) + (1 / U2)' relu(h_a)^2. Further
    layers add terms of the first kind.

    NeuralUCB: Zhou, Li, Gu, ICML 2020 (arXiv 1911.04462), Algorithm 1; NeuralTS: Zhang, Zhou, Li, Gu,
    ICLR 2021 (arXiv 2010.00827), Algorithm 1. The papers divide g by sqrt(m), the published code does
    not, and both codes keep only the diagonal of U. std includes NeuralTS's factor sqrt(lambda), which
    NeuralUCB's paper leaves to the rule's factor. Their training schedules are separate, see `Neural`.

    Args:
        oracle: the network.
        regularization: lambda > 0; one number or one per replica.
        gradient_scaling: "none", g itself; "sqrt_width", g / sqrt(m).
        covariance: "diagonal", 8 p bytes a replica; "full", 8 p^2 bytes, of networks with p <= 3,000.
        clip_mean: upper clip of the mean in the rule's comparison; one number or one per replica, infinity
            for no clip. Without it the best arm, once predicted above 1 with a small std, is never played
            again where the others are rightly predicted at 1; losses are at most 1, so that clip_mean = 1
            lets its std decide. For the squared loss.
    """

    uses_autograd = autograd_of("oracle")

    def __init__(
        self,
        oracle: Neural,
        *,
        regularization: Number = 1.0,
        gradient_scaling: Literal["none", "sqrt_width"] = "none",
        covariance: Literal["diagonal", "full"] = "diagonal",
        clip_mean: Number = math.inf,
    ) -> None:
        self.oracle = oracle
        self.regularization = regularization
        self.gradient_scaling = gradient_scaling
        self.covariance = covariance
        self.clip_mean = clip_mean

    def reset(self, spec: Spec) -> None:
        """Reset the state to R = spec.replicas untrained replicas.

        Raises:
            InputError: lambda <= 0, a ceiling without the squared loss, or a network too large for the
                full matrix.
        """
        penalty = per_replica(self.regularization, spec.replicas, device=spec.device)
        if not bool((penalty > 0).all()):
            raise InputError("regularization must be > 0")
        ceiling = per_replica(self.clip_mean, spec.replicas, device=spec.device)
        bounded = bool(ceiling.isfinite().any())
        if bounded and self.oracle.loss.link_name is not None:
            raise InputError("a ceiling is for the squared loss: other predictions are below 1 anyway")
        self._ceiling = ceiling.unsqueeze(1) if bounded else None
        self.oracle.reset(spec)
        m = self.oracle.width
        depth = self.oracle.depth
        factor = output_factor(m, self.oracle.init, depth)
        self._square = (factor**2 / m) if self.gradient_scaling == "sqrt_width" else factor**2
        self._matrix: _Diagonal | _Full
        if self.covariance == "full":
            self._matrix = _Full(spec, m, depth, penalty)
        else:
            self._matrix = _Diagonal(spec, m, depth, penalty.to(getattr(torch, spec.dtype)))
        self._penalty = penalty.unsqueeze(1)

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses and their standard deviations [R, K] for contexts [R, d] or [R, K, d]."""
        forward = self.oracle.forward(context)
        norm = self._matrix.norm(forward, self._square).double()  # [R, K], g' U^-1 g
        mean = self.oracle.weights.predict(forward.output)
        compared = None if self.oracle.loss.link_name is None else forward.output
        if self._ceiling is not None:
            compared = torch.minimum(mean.double(), self._ceiling)
        return Prediction(mean, (self._penalty * norm).clamp_min(0.0).sqrt(), output=compared)

    def gauges(self) -> dict[str, Tensor]:
        """Return the gauges of the oracle."""
        return self.oracle.gauges()

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Add the played arms' gradients to U, then update the network."""
        self._matrix.add(self.oracle.last(context), action, self._square)
        self.oracle.update(context, action, loss)


def _played(forward: Forward, action: Tensor) -> Tensor:
    """Return the contexts [R, d] of the played arms, not multiplied by the step sizes per input."""
    x = forward.inputs.x
    return x[forward.at(action)] if x.dim() == 3 else x


class _Diagonal:
    """Diagonal U and 1 / U in the layout of the weights: first layer [R B, d, m], head [R, q]."""

    def __init__(self, spec: Spec, width: int, depth: int, penalty: Tensor) -> None:
        R, B, d = spec.replicas, spec.blocks, spec.features + 1
        self._first = penalty.view(R, 1, 1, 1).repeat(1, B, d, width).view(R * B, d, width)
        self._head = penalty.view(R, 1).repeat(1, (depth - 1) * width**2 + width)
        self._inverse = 1.0 / self._first

    def norm(self, forward: Forward, square: float) -> Tensor:
        """Return g' U^-1 g [R, K]."""
        active = forward.active()
        deltas = slopes(active, forward.head)
        layers, last = split(self._head, active[0].shape[2])
        total = hidden_layer(Inputs(forward.inputs.x.square()), self._inverse) * deltas[0].square()
        for below, slope, layer in zip(active[:-1], deltas[1:], layers, strict=True):
            total += torch.bmm(below.square(), layer.reciprocal()) * slope.square()
        return square * (total + active[-1].square() / last.unsqueeze(1)).sum(2)

    def add(self, forward: Forward, action: Tensor, square: float) -> None:
        """Add g^2 of the played arms [R] to U."""
        g = forward.played(action, share=1.0)
        x = _played(forward, action)
        grown = self._first[g.block] + square * x.square().unsqueeze(2) * g.delta.square().unsqueeze(1)
        self._first[g.block] = grown
        self._inverse[g.block] = 1.0 / grown
        self._head = self._head + square * g.head.square()


class FullMatrix:
    """Full U^-1 [R, p, p] in float64, updated by the Sherman-Morrison formula.

    Args:
        size: p, number of parameters.
        penalty: [R] lambda > 0.

    Raises:
        InputError: p > 3,000.
    """

    def __init__(self, size: int, penalty: Tensor) -> None:
        if size > FULL_MATRIX_PARAMETERS:
            raise InputError(
                f"covariance=full is for networks of up to {FULL_MATRIX_PARAMETERS:,} parameters, not "
                f"{size:,}; lower the width or use covariance=diagonal"
            )
        eye = torch.eye(size, dtype=torch.float64, device=penalty.device)
        self._inverse = eye / penalty.view(-1, 1, 1)

    def norm(self, g: Tensor) -> Tensor:
        """Return g' U^-1 g [R, K] for gradients [R, K, p]."""
        return (torch.bmm(g, self._inverse) * g).sum(2)

    def add(self, g: Tensor) -> None:
        """Add g g' to U for gradients [R, p]."""
        along = torch.bmm(g.unsqueeze(1), self._inverse).squeeze(1)
        shrink = 1.0 / (1.0 + (along * g).sum(1))
        self._inverse -= shrink.view(-1, 1, 1) * along.unsqueeze(2) * along.unsqueeze(1)


class _Full:
    """Adapter of `FullMatrix` to the layout of the network's weights."""

    def __init__(self, spec: Spec, width: int, depth: int, penalty: Tensor) -> None:
        size = (spec.blocks * (spec.features + 1) + (depth - 1) * width + 1) * width
        self._matrix = FullMatrix(size, penalty)

    def norm(self, forward: Forward, square: float) -> Tensor:
        """Return g' U^-1 g [R, K]."""
        return square * self._matrix.norm(self._gradients(forward))

    def add(self, forward: Forward, action: Tensor, square: float) -> None:
        """Add g g' of the played arms [R] to U."""
        rows = torch.arange(len(action), device=action.device)
        self._matrix.add(self._gradients(forward)[rows, action] * square**0.5)

    def _gradients(self, forward: Forward) -> Tensor:
        """Return the gradients of all arms [R, K, p], in the order of the weights."""
        R, K, _ = forward.hidden.shape
        x = forward.inputs.x
        active = forward.active()
        deltas = slopes(active, forward.head)
        shared = x.dim() == 2
        x = x.unsqueeze(1) if shared else x
        outer = x.unsqueeze(3) * deltas[0].unsqueeze(2)  # [R, K, d, m]
        if shared:
            blocks = outer.new_zeros(R, K, *outer.shape[1:])
            arms = torch.arange(K, device=outer.device)
            blocks[:, arms, arms] = outer
            outer = blocks
        return torch.cat([outer.reshape(R, K, -1), by_head(active, deltas)], 2).double()
