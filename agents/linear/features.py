"""Feature maps for linear oracles: quadratic or random Fourier features."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from neucb.agents.initialisation import draw_fourier, hash_columns, quadratic_columns
from neucb.agents.per_replica import Number, per_replica
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import CountingOracle
    from neucb.agents.prediction import Prediction
    from neucb.core.spec import Spec


class FeatureMap(Protocol):
    """Protocol of a fixed feature map per replica."""

    def reset(self, spec: Spec) -> int:
        """Prepare R = spec.replicas maps; return the number of columns d'."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return float64 features [R, ..., d'] of contexts [R, ..., d]."""


class Quadratic:
    """Quadratic features: x_1, ..., x_d and all products x_i x_j, i <= j; d' = d + d (d + 1) / 2."""

    def reset(self, spec: Spec) -> int:
        """Return d'.

        Raises:
            InputError: d' is above 5,000.
        """
        columns = quadratic_columns(spec.features)
        self._pairs = torch.triu_indices(spec.features, spec.features, device=spec.device)
        return columns

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features."""
        x = x.double()
        return torch.cat([x, x[..., self._pairs[0]] * x[..., self._pairs[1]]], -1)


class Fourier:
    """Features sqrt(2 / d') cos(w_j . x + b_j), w_j ~ N(0, I / bandwidth^2), b_j ~ U(0, 2 pi), j = 1..d'.

    Their inner products approximate exp(-|x - z|^2 / (2 bandwidth^2)). Rahimi and Recht, "Random
    Features for Large-Scale Kernel Machines", NeurIPS 2007. Drawn from the replica's stream "init".

    Args:
        n_components: number of features d' >= 1.
        bandwidth: kernel bandwidth > 0; one number or one per replica.
    """

    def __init__(self, n_components: int = 300, bandwidth: Number = 0.5) -> None:
        self.n_components = n_components
        self.bandwidth = bandwidth

    def reset(self, spec: Spec) -> int:
        """Draw w and b; return d'.

        Raises:
            InputError: columns < 1 or bandwidth <= 0.
        """
        bandwidth = per_replica(self.bandwidth, spec.replicas, device=spec.device)
        if self.n_components < 1 or not bool((bandwidth > 0).all()):
            raise InputError("fourier features need n_components >= 1 and bandwidth > 0")
        w = np.empty((spec.replicas, spec.features, self.n_components))
        b = np.empty((spec.replicas, 1, self.n_components))
        for r, seed in enumerate(spec.seeds):
            w[r], b[r] = draw_fourier(seed, spec.features, self.n_components)
        self._w = torch.from_numpy(w).to(spec.device) / bandwidth.view(-1, 1, 1)
        self._b = torch.from_numpy(b).to(spec.device)
        return self.n_components

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features."""
        rows = x.double().view(len(x), -1, x.shape[-1])
        features = math.sqrt(2.0 / self.n_components) * (torch.bmm(rows, self._w) + self._b).cos()
        return features.view(*x.shape[:-1], self.n_components)


class Hashed:
    """Columns hashed to 2^b, those that collide added up, see `hash_columns`.

    Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009, without signs, as
    Vowpal Wabbit has it.

    Args:
        bits: b in 1..30.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def reset(self, spec: Spec) -> int:
        """Return 2^b."""
        self._column = torch.from_numpy(hash_columns(spec.features, self.bits)).to(spec.device)
        return int(2**self.bits)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features."""
        x = x.double()
        sums = x.new_zeros(*x.shape[:-1], 2**self.bits).index_add_(-1, self._column, x)
        return sums.float().double()  # contexts are float32


class Mapped:
    """An oracle on mapped contexts.

    Args:
        oracle: the oracle; its `spec.features` is the number of mapped columns.
        features: the feature map.
    """

    def __init__(self, oracle: CountingOracle, features: FeatureMap) -> None:
        self.oracle = oracle
        self.features = features

    def reset(self, spec: Spec) -> None:
        """Reset the state to R = spec.replicas untrained replicas."""
        columns = self.features.reset(spec)
        self.oracle.reset(replace(spec, features=columns))

    def predict(self, context: Tensor) -> Prediction:
        """Return the oracle's prediction for contexts [R, d] or [R, K, d]."""
        return self.oracle.predict(self.features(context))

    def update(self, context: Tensor, action: Tensor, loss: Tensor, count: Tensor | None = None) -> None:
        """Update the oracle with contexts, arms [R] and losses [R], each counted `count` [R] times."""
        self.oracle.update(self.features(context), action, loss, count)
