"""The kernel of agents with one network."""

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
        Array,
        Belief,
        Confidence,
        LastLayer,
        Learner,
        Network,
        Origin,
        Reaction,
        Record,
        Rule,
        Work,
        World,
    )


@kernel
def neural(
    world: World,
    reaction: Reaction | None,
    rule: Rule,
    learner: Learner,
    network: Network,
    origin: Origin,
    confidence: Confidence | None,
    last: LastLayer | None,
    memory: Array,
    record: Record,
    belief: Belief,
    work: Work,
    rates: Array,
    draws: Array | None,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1; return the first that could not be played, `stop` if all were.

    `start` is a multiple of BLOCK, so that the numbers do not depend on where a run is cut. `rates`
    [updates] are the step sizes, `draws` [updates, k - 1] the uniform numbers that choose the past samples
    of the further steps of every update; with these, blocks share no pass. `draws` is None where every round
    makes one step on its own sample: compiled for that alone, a round takes less time.
    """
    K, mean = len(work.f), belief.mean
    ahead, steps = passes_ahead(draws, learner.timing), steps_an_update(draws)
    first = updates_made(draws, learner.timing, start, K)
    length = len(work.inputs) if reaction is None else 1
    for left in range(start, stop, length):
        n = min(length, stop - left)
        show(reaction, world, left)
        fetch(world, learner, network, work, left, n)
        for b in range(n):
            t = left + b
            share_start(learner, network, work, b, n)
            arm, target = 0, 0.0
            made = updates_made(draws, learner.timing, t, K)
            passes = ahead + steps * (updates_made(draws, learner.timing, t + 1, K) - made)
            for k in range(passes):  # one call of all below keeps the kernel small
                update, step = made + (k - ahead) // steps, (k - ahead) % steps
                low, high, row = 0, K, update - first
                if k >= ahead and step == 0:
                    fetch_past(draws, world, learner.timing, work, update, row)
                if k > 0:
                    arm, target = recall(draws, world, learner, network, record, work, b, update, step, row)
                    low, high = arm, arm + 1
                forward(learner, network, memory, work, b, low, high)
                if k == 0:
                    deviations(confidence, work, b, belief.std)
                    for a in range(K):
                        belief.output[a] = bounded(confidence, work.f[a])
                        mean[a] = predicted(learner, network, work, a)
                    judge(last, work, b, belief, t - start, record, t)
                    arm = choose(world, reaction, rule, memory, record, belief, t, t - start)
                    if arm < 0:
                        return t
                    target = world.cost[world.seen[t], arm]
                    count_gradient(confidence, work, b, arm)
                    regress(last, work, b, arm, target)
                if k >= ahead:
                    learn(learner, network, memory, work, b, n, rates[row], arm, target)
            gauge(learner, network, origin, memory, record, work, b, t)
        flush(work.shared, network, work, n)
    return stop
