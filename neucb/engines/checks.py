"""Checks of an agent's distributions and predictions, and the errors for invalid ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.constants import LEAST_PROBABILITY, SUM_TOLERANCE
from neucb.core.errors import DivergedError, InputError

if TYPE_CHECKING:
    import torch

    from neucb.core.spec import Spec


def distribution(given: Any, spec: Spec) -> torch.Tensor:
    """Return an agent's distribution as a float64 tensor [R, K]; its values are not checked.

    Raises:
        InputError: the distribution is not an array of numbers, or has another shape.
    """
    import torch

    if not isinstance(given, torch.Tensor):
        try:
            given = torch.as_tensor(given, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            kind = type(given).__name__
            raise InputError(
                f"the agent's distribution must be numbers [R, K], a tensor or an array; it is a {kind}"
            ) from None
    probability: torch.Tensor = given.detach().to(spec.device, torch.float64)  # errors here are the device's
    if probability.shape != (spec.replicas, spec.arms):
        raise InputError(
            f"the agent's distribution has shape {tuple(probability.shape)}, not {(spec.replicas, spec.arms)}"
        )
    return probability


def is_distribution(probability: torch.Tensor) -> torch.Tensor:
    """Return whether probabilities [..., K] are distributions [...]; False where one is NaN."""
    return (probability.amin(-1) >= LEAST_PROBABILITY) & ((probability.sum(-1) - 1.0).abs() <= SUM_TOLERANCE)


def diverged(t: int, replica: int, seed: int) -> DivergedError:
    """Return the error for predictions that are not finite; t counts from 0."""
    return DivergedError(
        f"round {t + 1}, seed {seed}: the predictions are no longer finite, "
        "the network diverged; lower its step size (lr)",
        t,
        replica,
    )


def no_distribution(
    t: int, replica: int, seed: int, p: NDArray[np.float64], *, overflow: bool, over: str = ""
) -> DivergedError:
    """Return the error for probabilities [K] that are not a distribution.

    Args:
        t: number of the round, from 0.
        replica: index of the replica.
        seed: seed of the replica.
        p: probabilities.
        overflow: whether NaN result from overflow, as in agents of neucb's own parts: squares of gradients
            overflow before predictions do.
        over: text for the message that names the arms over which p should be a distribution.
    """
    if overflow and np.isnan(p).all():
        return diverged(t, replica, seed)
    return DivergedError(
        f"round {t + 1}, seed {seed}: the agent's probabilities are not a distribution{over}: "
        f"{np.array2string(p, precision=3)}"
    )
