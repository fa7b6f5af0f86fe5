"""Kernel of Exp4 over networks and linear models, see `neucb.agents.ensembles.exp4`."""

from __future__ import annotations

from math import exp, sqrt
from typing import TYPE_CHECKING

import numpy as np

from neucb.engines.compiled.kernels.linear import list_features, newton, output
from neucb.engines.compiled.kernels.network import forward, learn, list_round, predicted
from neucb.engines.compiled.kernels.orders import show
from neucb.engines.compiled.kernels.rules import link, settle, strength, weigh
from neucb.kernels.jit import exact, kernel
from neucb.kernels.types import EXPERT, OWN_LOSS

if TYPE_CHECKING:
    from neucb.kernels.types import (
        AdaptiveOrder,
        Array,
        Experts,
        Features,
        Models,
        Network,
        NetworkConfig,
        Predictions,
        RoundData,
        RoundRecord,
        RuleConfig,
        Workspace,
    )


@exact
def mix(experts: Experts, p: Array) -> None:
    """Set p [K] to the mixture of the experts' distributions by their weights."""
    N, K = experts.advice.shape
    most, total = -np.inf, 0.0
    for i in range(N):
        most = max(most, experts.log_weight[i])
    for i in range(N):
        total += exp(experts.log_weight[i] - most)
    for a in range(K):
        mixture = 0.0
        for i in range(N):
            mixture += exp(experts.log_weight[i] - most) / total * experts.advice[i, a]
        p[a] = (1.0 - experts.mixing) * mixture + experts.mixing / K


@exact
def reweigh(experts: Experts, t: int, arm: int, loss: float, chance: float) -> None:
    """Update the weights from the experts' estimated losses; the arm had probability `chance`."""
    for i in range(len(experts.log_weight)):
        experts.log_weight[i] -= experts.eta / sqrt(t + 1.0) * (experts.advice[i, arm] * loss / chance)


@kernel
def exp4(
    world: RoundData,
    adaptive: AdaptiveOrder | None,
    rules: tuple[RuleConfig, ...],
    configs: tuple[NetworkConfig, ...],
    networks: tuple[Network, ...],
    workspaces: tuple[Workspace, ...],
    models: tuple[Models, ...],
    features: Features,
    memory: Array,
    experts: Experts,
    record: RoundRecord,
    predictions: Predictions,
    index: Array,
    value: Array,
    direction: Array,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1 with a network or linear models per expert; returns as `neural`.

    Networks precede linear models among the experts; `memory` is [experts, 3].
    """
    M, N, K = len(networks), len(rules), len(predictions.mean)
    for t in range(start, stop):
        show(adaptive, world, t)
        n = list_features(features, world, t, index, value)
        for i in range(N):
            if i < M:
                config, network, workspace = configs[i], networks[i], workspaces[i]
                list_round(world, config, network, workspace, 0, t, t + 1)
                forward(config, network, memory[i], workspace, 0, 0, K)
                for a in range(K):
                    predictions.mean[a] = predicted(config, network, workspace, a)
            else:
                for a in range(K):
                    theta = models[i - M].theta[0, a]
                    predictions.mean[a] = link(output(theta, index, value, n), models[i - M].loss)
            now = strength(rules[i], predictions.strength[i], t - start, t, memory[0, OWN_LOSS], K)
            if not weigh(rules[i], predictions.mean, now, experts.advice[i]):
                record.status[0] = EXPERT + i
                return t
        mix(experts, record.p)
        arm = settle(world, adaptive, memory[0], record, predictions.mean, t)
        record.predicted[t] = np.nan  # the mixture predicts no losses
        target = world.cost[world.seen[t], arm]
        reweigh(experts, t, arm, target, record.p[arm])
        for i in range(N):
            if i < M:
                rate = configs[i].lr / (t + 1.0) ** configs[i].lr_power
                learn(configs[i], networks[i], memory[i], workspaces[i], 0, 1, rate, arm, target)
            else:
                newton(models[i - M], 0, arm, index, value, n, direction, target, 1.0)
    return stop
