"""Kernel of ensembles of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.engines.compiled.kernels.network import forward, learn, list_round, predicted
from neucb.engines.compiled.kernels.orders import show
from neucb.engines.compiled.kernels.votes import elect, open_poll, vote
from neucb.kernels.jit import exact, kernel
from neucb.kernels.types import Network

if TYPE_CHECKING:
    from neucb.kernels.types import (
        AdaptiveOrder,
        Array,
        NetworkConfig,
        Predictions,
        RoundData,
        RoundRecord,
        Workspace,
    )


@exact
def member(networks: Network, i: int) -> Network:
    """Return the network of member i; all members share the sums of squared inputs."""
    return Network(
        networks.first[i],
        networks.head[i],
        networks.start[i],
        networks.start_head[i],
        networks.squares,
        None,
    )


@kernel
def bootstrap(
    world: RoundData,
    adaptive: AdaptiveOrder | None,
    config: NetworkConfig,
    networks: Network,
    memory: Array,
    counts: Array,
    record: RoundRecord,
    predictions: Predictions,
    workspace: Workspace,
    draws: Array,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1 by a vote of N networks; returns as `neural`.

    The first axis of the arrays of `networks` is N. `memory` is [N, 3], `counts` [T, N] the multiplicity of
    a round's sample for a member, `draws` [N, stop - start, k - 1] the random numbers of past samples.
    """
    N, K, steps = len(memory), len(workspace.f), 1 + draws.shape[2]
    for t in range(start, stop):
        show(adaptive, world, t)
        open_poll(predictions, record)
        list_round(world, config, networks, workspace, 0, t, t + 1)
        for k in range(N + N * steps):  # votes of all members precede all updates
            learns = k >= N
            i, step = ((k - N) // steps, (k - N) % steps) if learns else (k, 0)
            arm, low, high, target, count = 0, 0, K, 0.0, 0.0
            if learns:
                past = t if step == 0 else int(draws[i, t - start, step - 1] * (t + 1))
                count = counts[past, i]
                if count == 0.0:
                    continue
                arm = record.action[past]
                target = world.cost[world.seen[past], arm]
                low, high = arm, arm + 1
                list_round(world, config, networks, workspace, 0, past, 0)
            network, own = member(networks, i), memory[i]
            forward(config, network, own, workspace, 0, low, high)
            if learns:
                rate = count * config.lr / (t + 1.0) ** config.lr_power
                learn(config, network, own, workspace, 0, 1, rate, arm, target)
                continue
            for a in range(K):
                predictions.output[a] = predicted(config, network, workspace, a)
            vote(predictions, record)
            if k == N - 1 and elect(world, adaptive, own, record, predictions, N, t) < 0:
                return t
    return stop
