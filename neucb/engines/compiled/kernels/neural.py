"""Kernel of agents with one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.engines.compiled.kernels.confidence import bounded, count_gradient, deviations
from neucb.engines.compiled.kernels.last_layer import judge, regress
from neucb.engines.compiled.kernels.network import fetch, forward, gauge, learn, predicted, share_start
from neucb.engines.compiled.kernels.orders import show
from neucb.engines.compiled.kernels.replay import (
    fetch_past,
    passes_ahead,
    recall,
    steps_an_update,
    updates_made,
)
from neucb.engines.compiled.kernels.rules import choose
from neucb.kernels.blocks import flush
from neucb.kernels.jit import kernel

if TYPE_CHECKING:
    from neucb.kernels.types import (
        AdaptiveOrder,
        Array,
        Confidence,
        LastLayer,
        Network,
        NetworkConfig,
        Predictions,
        RoundData,
        RoundRecord,
        RuleConfig,
        Workspace,
    )


@kernel
def neural(
    world: RoundData,
    adaptive: AdaptiveOrder | None,
    rule: RuleConfig,
    config: NetworkConfig,
    network: Network,
    confidence: Confidence | None,
    last: LastLayer | None,
    memory: Array,
    record: RoundRecord,
    predictions: Predictions,
    workspace: Workspace,
    rates: Array,
    draws: Array | None,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1; return the first failed round, or `stop`.

    `start` is a multiple of BLOCK, so that the numbers do not depend on the division of a run into calls.
    `rates` [updates] are the step sizes. `draws` [updates, k - 1] are the uniform numbers that choose the
    past samples of an update's further steps; with them, blocks share no forward pass. `draws` is None where
    every round makes one step on its own sample: a kernel compiled for that alone is faster.
    """
    K, mean = len(workspace.f), predictions.mean
    ahead, steps = passes_ahead(draws, config.clock), steps_an_update(draws)
    first = updates_made(draws, config.clock, start, K)
    length = len(workspace.inputs) if adaptive is None else 1
    for left in range(start, stop, length):
        n = min(length, stop - left)
        show(adaptive, world, left)
        fetch(world, config, network, workspace, left, n)
        for b in range(n):
            t = left + b
            share_start(config, network, workspace, b, n)
            arm, target = 0, 0.0
            made = updates_made(draws, config.clock, t, K)
            passes = ahead + steps * (updates_made(draws, config.clock, t + 1, K) - made)
            for k in range(passes):  # a single call keeps the kernel small
                update, step = made + (k - ahead) // steps, (k - ahead) % steps
                low, high, row = 0, K, update - first
                if k >= ahead and step == 0:
                    fetch_past(draws, world.sparse, world, config.clock, workspace, update, row)
                if k > 0:
                    arm, target = recall(
                        draws, world, config, network, record, workspace, b, update, step, row
                    )
                    low, high = arm, arm + 1
                forward(config, network, memory, workspace, b, low, high)
                if k == 0:
                    deviations(confidence, workspace, b, predictions.std)
                    for a in range(K):
                        predictions.output[a] = bounded(confidence, workspace.f[a])
                        mean[a] = predicted(config, network, workspace, a)
                    judge(last, workspace, b, predictions, t - start, record, t)
                    arm = choose(world, adaptive, rule, memory, record, predictions, t, t - start)
                    if arm < 0:
                        return t
                    target = world.cost[world.seen[t], arm]
                    count_gradient(confidence, workspace, b, arm)
                    regress(last, workspace, b, arm, target)
                if k >= ahead:
                    learn(config, network, memory, workspace, b, n, rates[row], arm, target)
            gauge(config, network, memory, record, t)
        flush(workspace.shared, network, workspace, n)
    return stop
