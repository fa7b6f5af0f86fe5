"""Bayesian linear regression on the last hidden layer of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neucb.agents.network.forward import Inputs
from neucb.agents.network.weights import PlainWeights
from neucb.agents.per_replica import Number, per_replica
from neucb.agents.prediction import Prediction
from neucb.agents.protocols import autograd_of
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.network.forward import Forward
    from neucb.agents.network.oracle import Neural
    from neucb.core.spec import Spec

CHUNK = 512  # batch size of forward passes over past samples


class LastLayerRegression:
    """yhat_a = phi_a . mu, std_a^2 = phi_a' A^-1 phi_a, phi_a the last hidden layer, mu = A^-1 sum phi y.

    A = lambda I + sum phi phi' over all played arms: the arms share one head, as in the network, so that
    posterior draws are joint. The network is trained with a separate head. Its features change: every
    `refresh` rounds A and the sum are recomputed from all past contexts. Memory: 4 T d bytes and 8 m^2
    a replica.

    "Neural linear" of Riquelme, Tucker, Snoek, "Deep Bayesian Bandits Showdown", ICLR 2018 (arXiv
    1802.09127), with the noise variance included in the rule's factor.

    Args:
        oracle: a network with `PlainWeights`.
        regularization: lambda > 0; one number or one per replica.
        refresh_every: rounds >= 1 between two refreshes.
    """

    uses_autograd = autograd_of("oracle")

    def __init__(self, oracle: Neural, *, regularization: Number = 1.0, refresh_every: int = 500) -> None:
        self.oracle = oracle
        self.regularization = regularization
        self.refresh_every = refresh_every

    def reset(self, spec: Spec) -> None:
        """Reset the state to R = spec.replicas untrained replicas.

        Raises:
            InputError: lambda <= 0, or weights other than `PlainWeights`.
        """
        if type(self.oracle.weights) is not PlainWeights:
            raise InputError("the last layer's regression is for networks without a perturbation")
        penalty = per_replica(self.regularization, spec.replicas, device=spec.device)
        if not bool((penalty > 0).all()):
            raise InputError("regularization must be > 0")
        self.oracle.reset(spec)
        self._eye = torch.eye(self.oracle.width, dtype=torch.float64, device=spec.device)
        self._penalty = penalty.view(-1, 1, 1)
        self._covariance = self._eye / self._penalty  # A^-1 [R, m, m]
        self._sum = penalty.new_zeros(spec.replicas, self.oracle.width)  # sum phi y [R, m]
        self._past: list[tuple[Tensor, Tensor, Tensor]] = []

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses and their standard deviations [R, K]."""
        phi = self.oracle.forward(context).features().double()  # [R, K, m]
        mu = torch.bmm(self._sum.unsqueeze(1), self._covariance)  # [R, 1, m]
        mean = (phi * mu).sum(2)
        symmetric = 0.5 * (self._covariance + self._covariance.transpose(1, 2))
        factor = torch.bmm(phi, torch.linalg.cholesky_ex(symmetric)[0])
        return Prediction(mean, factor.square().sum(2).sqrt(), factor=factor)

    def gauges(self) -> dict[str, Tensor]:
        """Return the gauges of the oracle."""
        return self.oracle.gauges()

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Add the played arms' samples, update the network, and refresh every `refresh` rounds."""
        forward = self.oracle.last(context)
        phi = forward.features()[forward.at(action)].double()  # [R, m]
        along = torch.bmm(phi.unsqueeze(1), self._covariance).squeeze(1)
        shrink = 1.0 / (1.0 + (along * phi).sum(1))
        self._covariance -= shrink.view(-1, 1, 1) * along.unsqueeze(2) * along.unsqueeze(1)
        self._sum = self._sum + loss.double().unsqueeze(1) * phi
        self._keep(forward, action, loss)
        self.oracle.update(context, action, loss)
        if len(self._past) % self.refresh_every == 0:
            self._renew()

    def _keep(self, forward: Forward, action: Tensor, loss: Tensor) -> None:
        x = forward.inputs.x
        played = x[forward.at(action)] if x.dim() == 3 else x
        self._past.append((played, forward.played(action).block, loss.double()))

    def _renew(self) -> None:
        """Recompute A^-1 and the sum with the network's current features."""
        weights = self.oracle.weights
        assert isinstance(weights, PlainWeights)
        for r in range(len(self._sum)):
            precision, total = self._penalty[r] * self._eye, torch.zeros_like(self._sum[r])
            for start in range(0, len(self._past), CHUNK):
                part = self._past[start : start + CHUNK]
                x, block, y = (torch.stack([sample[i][r] for sample in part]) for i in range(3))
                phi = weights.features(r, Inputs(x, block=block)).double()  # [n, m]
                precision = precision + phi.T @ phi
                total = total + phi.T @ y
            self._covariance[r] = torch.linalg.inv(precision)
            self._sum[r] = total
