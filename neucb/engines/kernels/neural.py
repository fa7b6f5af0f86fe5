"""The kernel of agents with one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.engines.kernels.blocks import flush
from neucb.engines.kernels.confidence import bounded, count_gradient, deviations
from neucb.engines.kernels.jit import kernel
from neucb.engines.kernels.last_layer import judge, regress
from neucb.engines.kernels.network import (
    count_inputs,
    fetch,
    forward,
    gauge,
    learn,
    list_inputs,
    predicted,
)
from neucb.engines.kernels.orders import show
from neucb.engines.kernels.rules import choose
from neucb.engines.kernels.types import ALL_ARMS, EVERY_ROUND
from neucb.engines.kernels.updates import made_before, round_of
from neucb.engines.kernels.vectors import copy_to

if TYPE_CHECKING:
    from neucb.engines.kernels.types import (
        Array,
        Belief,
        Confidence,
        LastLayer,
        Learner,
        Network,
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
    confidence: Confidence | None,
    last: LastLayer | None,
    memory: Array,
    record: Record,
    belief: Belief,
    work: Work,
    rates: Array,
    draws: Array,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1; return the first that could not be played, `stop` if all were.

    `start` is a multiple of BLOCK, so that the numbers do not depend on where a run is cut. `rates`
    [updates] are the step sizes, `draws` [updates, k - 1] the uniform numbers that choose the past samples
    of the further steps of every update; with these, blocks share no pass.
    """
    K, timing, mean = len(work.f), learner.timing, belief.mean
    ahead = int(timing.code != EVERY_ROUND)  # the pass that chooses the arm comes before the updates
    steps = 1 + draws.shape[1]
    first = made_before(timing, start, K)
    length = len(work.inputs) if reaction is None else 1
    for left in range(start, stop, length):
        n = min(length, stop - left)
        show(reaction, world, left)
        fetch(world, learner, network, work, left, n)
        for b in range(n):
            t = left + b
            arm, low, high, target = 0, 0, K, 0.0
            made = made_before(timing, t, K)
            passes = ahead + steps * (made_before(timing, t + 1, K) - made)
            for k in range(passes):  # one call of all below keeps the kernel small
                update, step = made + (k - ahead) // steps, (k - ahead) % steps
                if k >= ahead and step == 0:  # rows from all over the table wait for memory together
                    for s in range(steps - 1):
                        past = int(draws[update - first, s] * (update + 1))
                        copy_to(work.past[s], world.contexts[world.rows[round_of(timing, past, K)]])
                if k > 0:
                    past = update if step == 0 else int(draws[update - first, step - 1] * (update + 1))
                    seen = round_of(timing, past, K)
                    if timing.code == ALL_ARMS:
                        arm = past % K
                        target = world.expected[world.label[seen], arm]
                    else:
                        arm = record.action[seen]
                        target = world.cost[world.seen[seen], arm]
                    low, high = arm, arm + 1
                    row = world.contexts[world.rows[seen]] if step == 0 else work.past[step - 1]
                    if step == 0:
                        count_inputs(learner, network, work, b, row, update + 1)
                    list_inputs(learner, network, work, b, row)
                forward(learner, network, memory, work, b, low, high)
                if k == 0:
                    deviations(confidence, work, b, belief.std)
                    for a in range(K):
                        belief.output[a] = bounded(confidence, work.f[a])
                        mean[a] = predicted(learner, network, work, a)
                    judge(last, work, b, belief, t - start)
                    arm = choose(world, reaction, rule, memory, record, belief, t, t - start)
                    if arm < 0:
                        return t
                    target = world.cost[world.seen[t], arm]
                    count_gradient(confidence, work, b, arm)
                    regress(last, work, b, arm, target)
                if k >= ahead:
                    learn(learner, network, memory, work, b, n, rates[update - first], arm, target)
            gauge(learner, network, memory, record, t)
        flush(work.shared, network, work, n)
    return stop
