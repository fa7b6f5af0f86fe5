"""Formulas of exploration rules, shared by both engines: torch calls them on tensors, numba compiles them.

This file imports neither torch nor numba. A formula is made of operators; functions whose form depends on
the kind of number (exp, sqrt, power) are arguments. The classes that use the formulas name their sources.
"""

from __future__ import annotations

from typing import Any, Protocol


class Weight(Protocol):
    """The weight of an arm as a function of the gap between its predicted loss and the least one.

    Written with operators (a square root is `gap**0.5`) and the argument `exp`: functions of `math`, NumPy or
    torch do not apply to the numbers of both engines.
    """

    def __call__(self, gap: Any, least: Any, strength: Any, arms: Any, exp: Any, /) -> Any:
        """Return the weight; `strength` is the round's gamma or epsilon, `exp` the exponential function."""


def inverse_gap(gap: Any, least: Any, gamma: Any, arms: Any, exp: Any) -> Any:
    """Return 1 / (K + gamma gap)."""
    return 1.0 / (arms + gamma * gap)


def fast_inverse_gap(gap: Any, least: Any, gamma: Any, arms: Any, exp: Any) -> Any:
    """Return yhat_b / (K yhat_b + gamma gap), yhat_b the least predicted loss."""
    return least / (arms * least + gamma * gap)


def boltzmann(gap: Any, least: Any, gamma: Any, arms: Any, exp: Any) -> Any:
    """Return exp(-gamma gap)."""
    return exp(-gamma * gap)


def even_share(gap: Any, least: Any, epsilon: Any, arms: Any, exp: Any) -> Any:
    """Return epsilon / K."""
    return epsilon / arms


# Schedules of the strength. Rounds t = 1, 2, ... are numbers, or an array of them.


def growing(t: Any, scale: Any, exponent: Any) -> Any:
    """Return scale t^exponent."""
    return scale * t**exponent


def decaying(t: Any, scale: Any, exponent: Any) -> Any:
    """Return scale / t^exponent."""
    return scale / t**exponent


def growing_with_loss(own_loss: Any, scale: Any, exponent: Any, power: Any) -> Any:
    """Return scale (1 + own cumulative loss)^exponent."""
    return scale * power(1.0 + own_loss, exponent)


def growing_by_epochs(start: Any, arms: Any, scale: Any, sqrt: Any) -> Any:
    """Return scale sqrt(K tau), tau = `start`; 1 in the first epoch, where tau = 0."""
    return scale * sqrt(arms * start) if start > 0 else scale**0


def square_theory(arms: Any, horizon: Any, regret: Any, confidence: Any, sqrt: Any) -> Any:
    """Return sqrt(K T / (Reg + confidence))."""
    return sqrt(arms * horizon / (regret + confidence))


def fast_theory(arms: Any, best_loss: Any, regret: Any, sqrt: Any) -> Any:
    """Return sqrt(K L* / (3 Reg))."""
    return sqrt(arms * best_loss / (3.0 * regret))


def epoch_start(number: int) -> int:
    """Return tau_{m-1}, the last round of the epoch before that of round `number` >= 1.

    Epochs end at tau_m = 2^m: 2, 4, 8, ...; tau_0 = 0.
    """
    if number <= 2:
        return 0
    end = 2
    while 2 * end < number:
        end *= 2
    return end
