"""Exploration rules in the kernels: from predicted losses to the played arm."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt
from typing import Any

import numpy as np

from neucb.agents.recipes.registry import RECIPES
from neucb.agents.rules import formulas
from neucb.core.constants import TIE
from neucb.engines.compiled.kernels.orders import note
from neucb.engines.compiled.kernels.updates import epoch_start
from neucb.kernels.jit import exact
from neucb.kernels.logistic import logistic
from neucb.kernels.types import (
    DOUBLING,
    JOINT,
    KL,
    LOSS,
    LOWER_CONFIDENCE,
    MEAN,
    NO_DISTRIBUTION,
    NOT_FINITE,
    OUTPUT,
    OWN_LOSS,
    STD,
    THOMPSON,
    AdaptiveOrder,
    Array,
    P,
    Predictions,
    RoundData,
    RoundRecord,
    RuleConfig,
)

WEIGHTS = tuple(dict.fromkeys(one.rule.weight for one in RECIPES.values() if one.rule and one.rule.weight))
growing_with_loss, growing_by_epochs = exact(formulas.growing_with_loss), exact(formulas.growing_by_epochs)


@exact
def exponential(x: float) -> float:
    """Return exp(x)."""
    return exp(x)


@exact
def root(x: float) -> float:
    """Return sqrt(x)."""
    return sqrt(x)


@exact
def power(x: float, exponent: float) -> float:
    """Return x^exponent; the usual exponent is faster than a general power."""
    return sqrt(x) if exponent == 0.5 else x**exponent


def weight_by_code(weights: Sequence[formulas.Weight]) -> Any:
    """Compile the function (code, gap, least, strength, K) -> weight of an arm, NaN for an unknown code."""

    @exact
    def weight(code: int, gap: float, least: float, strength: float, arms: int) -> float:
        return np.nan

    for known in reversed(range(len(weights))):  # the usual ones come first
        weight = _or_else(known, exact(weights[known]), weight)
    return weight


def _or_else(known: int, formula: Any, others: Any) -> Any:
    """Compile the function that calls `formula` for the code `known` and `others` for all other codes."""

    @exact
    def weight(code: int, gap: float, least: float, strength: float, arms: int) -> float:
        if code == known:
            return formula(gap, least, strength, arms, exponential)
        return others(code, gap, least, strength, arms)

    return weight


weight_of = weight_by_code(WEIGHTS)


@exact
def strength(rule: RuleConfig, ready: Array, row: int, t: int, own_loss: float, arms: int) -> float:
    """Return gamma, epsilon or nu of round t, from `row` of `ready` where it depends on t alone."""
    if rule.schedule == DOUBLING:
        return growing_by_epochs(epoch_start(t + 1), arms, rule.scale, root)
    if rule.schedule == LOSS:
        return growing_with_loss(own_loss, rule.scale, rule.power, power)
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
def certain(rule: RuleConfig, predictions: Predictions, row: int, nu: float, p: Array) -> bool:
    """Set probability 1 for one arm, by its bound or its draw; `row` is the row of the noise."""
    K = len(p)
    for a in range(K):
        z = predictions.noise[row, a] if rule.kind == THOMPSON else 1.0 if rule.kind == JOINT else -1.0
        p[a] = predictions.output[a] + nu * predictions.std[a] * z
    for a in range(K):
        if np.isnan(p[a]):
            p[:] = np.nan
            return False
    best = lowest(p)
    p[:] = 0.0
    p[best] = 1.0
    return True


@exact
def weigh(rule: RuleConfig, mean: Array, strength: float, p: Array) -> bool:
    """Fill p [K] by the gaps of predicted losses; return whether it is a distribution."""
    K = len(mean)
    least = mean[0]
    for a in range(1, K):
        least = min(least, mean[a])
    least = max(least, rule.floor)
    best = -1
    rest = 0.0
    for a in range(K):
        gap = max(mean[a], rule.floor) - least
        if gap <= TIE * abs(least):
            gap = 0.0
            if best < 0:
                best = a
                continue
        p[a] = weight_of(rule.weight, gap, least, strength, K)
        rest += p[a]
    if rule.proportional:
        for a in range(K):
            p[a] /= 1.0 + rest
        p[best] = 1.0 / (1.0 + rest)
    else:
        p[best] = 1.0 - rest
    return p[best] >= -1e-9


@exact
def draw(p: Array, dice: float) -> int:
    """Return the arm drawn by inversion of the cumulative distribution, as `lockstep.block_loop.draw`."""
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
    world: RoundData, adaptive: AdaptiveOrder | None, memory: Array, record: RoundRecord, mean: Array, t: int
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
    note(adaptive, world, t, arm)
    return arm


@exact
def choose(
    world: RoundData,
    adaptive: AdaptiveOrder | None,
    rule: RuleConfig,
    memory: Array,
    record: RoundRecord,
    predictions: Predictions,
    t: int,
    row: int,
) -> int:
    """Draw the arm of round t and record it; return -1 where predicted losses give no distribution."""
    mean, p = predictions.mean, record.p
    for a in range(len(mean)):
        if not abs(mean[a]) < np.inf:
            record.status[0] = NOT_FINITE
            return -1
    now = strength(rule, predictions.strength[0], row, t, memory[OWN_LOSS], len(mean))
    good = (
        certain(rule, predictions, row, now, p)
        if rule.kind >= LOWER_CONFIDENCE
        else weigh(rule, mean, now, p)
    )
    if not good:
        record.status[0] = NO_DISTRIBUTION
        return -1
    if len(record.kept) > 0 and rule.kind >= THOMPSON:
        for a in range(len(mean)):
            record.kept[t % len(record.kept), OUTPUT, a] = predictions.output[a]
            record.kept[t % len(record.kept), STD, a] = predictions.std[a]
    return settle(world, adaptive, memory, record, mean, t)


@exact
def link(f: float, loss: int) -> float:
    """Return the predicted loss of an output f."""
    return logistic(f) if loss == KL else f
