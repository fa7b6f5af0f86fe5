"""Regression metrics of an oracle's predictions for the played arms, summed in the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neucb.core.constants import CLIP

ORACLE_SUMS = (
    "regression_loss",
    "regression_log_loss",
    "squared_regression_regret",
    "log_regression_regret",
    "squared_error",
    "triangular_error",
)
PER_DECADE = 20


def oracle_metrics(
    predicted: NDArray[np.float64] | None, loss: NDArray[np.float64], h: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics `ORACLE_SUMS` of predictions for the played arms, each of the shape of `loss`.

    Args:
        predicted: predicted losses, or None where the agent has none: all metrics are NaN.
        loss: realised losses y in [0, 1].
        h: expected losses; NaN where unavailable.
    """
    if predicted is None:
        return dict.fromkeys(ORACLE_SUMS, np.full(loss.shape, np.nan))
    squared, log = regression_losses(predicted, loss)
    floored = np.maximum(predicted, CLIP)
    error = squared
    if h is not loss or predicted.min() < 0.0 or predicted.max() > 1.0:
        error = np.square(predicted - h)
    regret = error if h is loss else np.square(predicted - loss) - np.square(h - loss)
    return {
        "regression_loss": squared,
        "regression_log_loss": log,
        "squared_regression_regret": regret,
        "log_regression_regret": log - (_least_log_loss(loss) if h is loss else _log_loss(h, loss)),
        "squared_error": error,
        "triangular_error": np.square(floored - h) / (floored + h),
    }


def regression_losses(
    predicted: NDArray[np.float64], loss: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return squared loss and KL(y || yhat) of predictions against losses in [0, 1], elementwise."""
    return np.square(np.clip(predicted, 0.0, 1.0) - loss), _log_loss(predicted, loss)


def _least_log_loss(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `_log_loss` of losses against themselves, computed once each for 0 and 1 if all are binary."""
    binary = np.array([0.0, 1.0])
    integer = loss.astype(np.intp)
    return _log_loss(binary, binary).take(integer) if (integer == loss).all() else _log_loss(loss, loss)


def _log_loss(predicted: NDArray[np.float64], loss: NDArray[np.float64]) -> NDArray[np.float64]:
    yhat = np.clip(predicted, CLIP, 1.0 - CLIP)
    entropy: NDArray[np.float64] | float = 0.0
    inner = (loss > 0.0) & (loss < 1.0)
    if inner.any():
        y = loss[inner]
        entropy = np.zeros_like(loss)
        entropy[inner] = y * np.log(y) + (1.0 - y) * np.log1p(-y)
    return entropy - loss * np.log(yhat) - (1.0 - loss) * np.log1p(-yhat)


def log_spaced(horizon: int, per_decade: int = PER_DECADE) -> NDArray[np.int64]:
    """Return rounds 1..horizon, about `per_decade` a decade, the last one always among them."""
    steps = int(np.ceil(per_decade * np.log10(horizon))) + 1
    rounds = np.unique(np.round(10.0 ** (np.arange(steps) / per_decade)).astype(np.int64))
    return np.append(rounds[rounds < horizon], horizon)
