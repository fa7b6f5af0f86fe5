"""Kernels of agents with linear models, one or an ensemble, and of fixed policies."""

from __future__ import annotations

from math import cos, sqrt
from typing import TYPE_CHECKING

from neucb.engines.compiled.kernels.orders import show
from neucb.engines.compiled.kernels.rules import choose, link, settle
from neucb.engines.compiled.kernels.updates import made_before, round_of
from neucb.engines.compiled.kernels.votes import elect, open_poll, vote
from neucb.kernels.jit import exact, kernel
from neucb.kernels.rows import list_row
from neucb.kernels.types import EPOCHS, FOURIER, LOWER_CONFIDENCE, QUADRATIC, SQUARED
from neucb.kernels.vectors import add_scaled, combine

if TYPE_CHECKING:
    from neucb.kernels.types import (
        AdaptiveOrder,
        Array,
        Features,
        Models,
        Predictions,
        RoundData,
        RoundRecord,
        RuleConfig,
    )


@exact
def list_features(features: Features, world: RoundData, t: int, index: Array, value: Array) -> int:
    """List the nonzero features of round t's row, the constant 1 last; return their number."""
    n = list_row(world.contexts, world.sparse, world.rows[t], 1.0, index, value)
    if features.code == QUADRATIC:
        d, inputs = world.contexts.shape[1], n - 1
        n = inputs
        for k in range(inputs):
            i = index[k]
            for j in range(k, inputs):
                index[n] = d + i * d - i * (i - 1) // 2 + index[j] - i
                value[n] = value[k] * value[j]
                n += 1
        index[n] = d + d * (d + 1) // 2
        value[n] = 1.0
        n += 1
    elif features.code == FOURIER:
        z = features.z
        combine(features.w, index, value, n - 1, 0, z)
        n = len(z)
        for j in range(n):
            index[j] = j
            value[j] = sqrt(2.0 / n) * cos(z[j] + features.b[j])
        index[n] = n
        value[n] = 1.0
        n += 1
    return n


@exact
def along(models: Models, covariance: Array, index: Array, value: Array, n: int, direction: Array) -> float:
    """Set direction [d] to A^-1 x, for a diagonal A only where x is nonzero; return x' A^-1 x."""
    if models.diagonal:
        for k in range(n):
            direction[index[k]] = value[k] / covariance[0, index[k]]
    else:
        combine(covariance, index, value, n, 0, direction)
    variance = 0.0
    for k in range(n):
        variance += direction[index[k]] * value[k]
    return variance


@exact
def output(theta: Array, index: Array, value: Array, n: int) -> float:
    """Return theta . x."""
    f = 0.0
    for k in range(n):
        f += value[k] * theta[index[k]]
    return f


@exact
def newton(
    models: Models,
    i: int,
    arm: int,
    index: Array,
    value: Array,
    n: int,
    direction: Array,
    target: float,
    count: float,
) -> None:
    """Make one Newton step of member i on a sample of multiplicity `count`."""
    theta, covariance = models.theta[i, arm], models.covariance[i, arm]
    mean = link(output(theta, index, value, n), models.loss)
    weight = count if models.loss == SQUARED else count * mean * (1.0 - mean)
    variance = along(models, covariance, index, value, n, direction)
    shrink = 1.0 / (1.0 + weight * variance)
    error = count * (target - mean)
    if models.diagonal:
        for k in range(n):
            covariance[0, index[k]] += weight * value[k] ** 2
            theta[index[k]] += shrink * error * direction[index[k]]
    else:
        for j in range(len(direction)):
            add_scaled(covariance[j], -weight * shrink * direction[j], direction)
        add_scaled(theta, shrink * error, direction)


@kernel
def linear(
    world: RoundData,
    adaptive: AdaptiveOrder | None,
    rule: RuleConfig,
    models: Models,
    features: Features,
    memory: Array,
    record: RoundRecord,
    predictions: Predictions,
    index: Array,
    value: Array,
    direction: Array,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1 with N linear models per arm; returns as `neural`.

    `index` and `value` [max(columns, d) + 2] list a row, then its features; `direction` [columns + 1] is
    A^-1 x.
    """
    N, K, _ = models.theta.shape
    clock, ensemble = models.clock, len(models.counts) > 0
    for t in range(start, stop):
        show(adaptive, world, t)
        n = list_features(features, world, t, index, value)
        open_poll(predictions, record)
        for i in range(N):
            for a in range(K):
                predictions.output[a] = output(models.theta[i, a], index, value, n)
                if rule.kind >= LOWER_CONFIDENCE:
                    variance = along(models, models.covariance[i, a], index, value, n, direction)
                    predictions.std[a] = sqrt(max(variance, 0.0))
                if ensemble:
                    predictions.output[a] = link(predictions.output[a], models.loss)
                else:
                    predictions.mean[a] = link(predictions.output[a], models.loss)
            if ensemble:
                vote(predictions, record)
        if ensemble:
            arm = elect(world, adaptive, memory, record, predictions, N, t)
        else:
            arm = choose(world, adaptive, rule, memory, record, predictions, t, t - start)
        if arm < 0:
            return t
        for update in range(made_before(clock, t, K), made_before(clock, t + 1, K)):
            seen = round_of(clock, update, K)
            if clock.code == EPOCHS:
                n = list_features(features, world, seen, index, value)
            target = world.cost[world.seen[seen], record.action[seen]]
            for i in range(N):
                count = models.counts[seen, i] if ensemble else 1.0
                if count > 0.0:
                    newton(models, i, record.action[seen], index, value, n, direction, target, count)
    return stop


@kernel
def fixed(
    world: RoundData,
    adaptive: AdaptiveOrder | None,
    memory: Array,
    record: RoundRecord,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1 with the distribution `record.p`."""
    for t in range(start, stop):
        show(adaptive, world, t)
        settle(world, adaptive, memory, record, record.p, t)
    return stop
