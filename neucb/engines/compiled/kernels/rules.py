"""A round in the kernels: from predicted losses to the arm played."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np

from neucb.core.constants import FLOOR, TIE
from neucb.engines.compiled.kernels.orders import note
from neucb.engines.compiled.kernels.updates import epoch_start
from neucb.kernels.jit import exact
from neucb.kernels.logistic import logistic
from neucb.kernels.types import (
    DOUBLING,
    EPSILON_GREEDY,
    FAST_INVERSE_GAP,
    INVERSE_GAP,
    JOINT,
    KL,
    LOSS,
    LOWER_CONFIDENCE,
    MEAN,
    NO_DISTRIBUTION,
    NOT_FINITE,
    OUTPUT,
    OWN_LOSS,
    SOFTMAX,
    STD,
    THOMPSON,
    Array,
    Belief,
    P,
    Reaction,
    Record,
    Rule,
    World,
)


@exact
def strength(rule: Rule, ready: Array, row: int, t: int, own_loss: float, arms: int) -> float:
    """Return gamma, epsilon or nu of round t, from `row` of what `ready` has of it."""
    if rule.schedule == DOUBLING:
        ended = epoch_start(t + 1)
        return rule.scale * sqrt(arms * ended) if ended > 0 else 1.0
    if rule.schedule == LOSS:
        grown = 1.0 + own_loss
        return rule.scale * (sqrt(grown) if rule.power == 0.5 else grown**rule.power)
    return ready[row]


@exact
def lowest(score: Array) -> int:
    """Return the index of the least score, the first of tied ones."""
    least = score[0]
    for a in range(1, len(score)):
        least = min(least, score[a])
    for a in range(len(score)):
        if score[a] - least <= TIE * abs(least):
            return a
    return 0


@exact
def certain(rule: Rule, belief: Belief, row: int, nu: float, p: Array) -> bool:
    """Give probability 1 to one arm, by its bound or its draw; `row` is that of the noise."""
    K = len(p)
    for a in range(K):
        z = belief.noise[row, a] if rule.code == THOMPSON else 1.0 if rule.code == JOINT else -1.0
        p[a] = belief.output[a] + nu * belief.std[a] * z
    for a in range(K):
        if np.isnan(p[a]):
            p[:] = np.nan
            return False
    best = lowest(p)
    p[:] = 0.0
    p[best] = 1.0
    return True


@exact
def weigh(rule: Rule, mean: Array, strength: float, p: Array) -> bool:
    """Fill p [K] by the gaps of predicted losses; return whether it is a distribution."""
    K = len(mean)
    floor = FLOOR if rule.code == FAST_INVERSE_GAP else -np.inf
    least = mean[0]
    for a in range(1, K):
        least = min(least, mean[a])
    least = max(least, floor)
    best = -1
    rest = 0.0
    for a in range(K):
        gap = max(mean[a], floor) - least
        if gap <= TIE * abs(least):
            gap = 0.0
            if best < 0:
                best = a
                continue
        if rule.code == INVERSE_GAP:
            p[a] = 1.0 / (K + strength * gap)
        elif rule.code == FAST_INVERSE_GAP:
            p[a] = least / (K * least + strength * gap)
        elif rule.code == EPSILON_GREEDY:
            p[a] = strength / K
        else:
            p[a] = exp(-strength * gap)
        rest += p[a]
    if rule.code == SOFTMAX:
        for a in range(K):
            p[a] /= 1.0 + rest
        p[best] = 1.0 / (1.0 + rest)
    else:
        p[best] = 1.0 - rest
    return p[best] >= -1e-9


@exact
def draw(p: Array, dice: float) -> int:
    """Return the arm in whose part of the unit interval the dice fall, as `lockstep.loop.sample` does."""
    below = 0.0
    last = 0
    for a in range(len(p)):
        below += p[a]
        if below > dice:
            return a
        if p[a] > 0.0:
            last = a
    return last


@exact
def settle(
    world: World, reaction: Reaction | None, memory: Array, record: Record, mean: Array, t: int
) -> int:
    """Draw the arm of round t from `record.p` and record it."""
    arm = draw(record.p, world.dice[t])
    record.action[t] = arm
    record.predicted[t] = mean[arm]
    record.propensity[t] = record.p[arm]
    if len(record.kept) > 0:
        place = t % len(record.kept)
        for a in range(len(mean)):
            record.kept[place, P, a] = record.p[a]
            record.kept[place, MEAN, a] = mean[a]
    memory[OWN_LOSS] += world.cost[world.seen[t], arm]
    note(reaction, world, t, arm)
    return arm


@exact
def choose(
    world: World,
    reaction: Reaction | None,
    rule: Rule,
    memory: Array,
    record: Record,
    belief: Belief,
    t: int,
    row: int,
) -> int:
    """Draw the arm of round t and record it; return -1 where the predicted losses allow none."""
    mean, p = belief.mean, record.p
    for a in range(len(mean)):
        if not abs(mean[a]) < np.inf:
            record.status[0] = NOT_FINITE
            return -1
    now = strength(rule, belief.strength[0], row, t, memory[OWN_LOSS], len(mean))
    good = certain(rule, belief, row, now, p) if rule.code >= LOWER_CONFIDENCE else weigh(rule, mean, now, p)
    if not good:
        record.status[0] = NO_DISTRIBUTION
        return -1
    if len(record.kept) > 0 and rule.code >= THOMPSON:
        for a in range(len(mean)):
            record.kept[t % len(record.kept), OUTPUT, a] = belief.output[a]
            record.kept[t % len(record.kept), STD, a] = belief.std[a]
    return settle(world, reaction, memory, record, mean, t)


@exact
def link(f: float, loss: int) -> float:
    """Return the predicted loss of an output f."""
    return logistic(f) if loss == KL else f
