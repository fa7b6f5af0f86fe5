"""Step info: reads and checks the figures and masks in the info of a vector environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError

if TYPE_CHECKING:
    from neucb.core.spec import Spec

Info = Mapping[str, Any]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FIGURES = ("expected_losses", "expected_loss", "best_loss", "best_realised_loss")
TOLERANCE = 1e-9  # rounding error by which a figure may lie outside [0, 1]


def clipped(values: Floats, tolerance: float = TOLERANCE) -> Floats:
    """Return values clipped to [0, 1]; NaN where they lie further outside than the tolerance."""
    least, most = np.minimum.reduce(values, axis=None), np.maximum.reduce(values, axis=None)
    if least >= 0.0 and most <= 1.0:  # the usual case; false for NaN
        return values
    inside = np.abs(values - 0.5) <= 0.5 + tolerance
    return np.where(inside, np.clip(values, 0.0, 1.0), np.nan)


def read_entry(info: Info, name: str, shape: tuple[int, ...]) -> tuple[Floats, Bools | None] | None:
    """Return an entry of an info [R, ...], NaN where it is missing, and the mask [R] of those that have it.

    Gymnasium's vectors fill missing entries with 0; their mask is the entry `_name`. None stands for all.

    Raises:
        InputError: the entry holds no numbers, or has another shape.
    """
    given = info.get(name)
    if given is None:
        return None
    values = np.asarray(given)
    known = info.get("_" + name)
    if known is not None:
        known = np.asarray(known, np.bool_)
        known = None if known.all() else known
    if known is None and values.shape == shape and values.dtype == np.float64:
        return values, None
    filled = np.full(shape, np.nan)
    some = slice(None) if known is None else known
    try:
        if values.dtype == object:  # sub-environments that give lists
            filled[some] = np.array(list(values[some]), np.float64)
        else:
            filled[some] = np.broadcast_to(values, shape)[some]
    except (TypeError, ValueError):
        dimensions = "[R]" if len(shape) == 1 else "[R, K]"
        raise InputError(f"the environment's {name} must be numbers {dimensions}") from None
    return filled, known


def read_step(
    info: Info, name: str, shape: tuple[int, ...], ended: Bools | None
) -> tuple[Floats, Bools | None] | None:
    """Return an entry of the round just played, see `read_entry`.

    Args:
        info: info of the step.
        name: name of the entry.
        shape: shape of its values, [R] or [R, K].
        ended: mask [R] of the sub-environments that were reset in this step, whose `info` is of the next
            episode and whose `final_info` is of the round; None for no reset.
    """
    last = info.get("final_info")
    if ended is None or not isinstance(last, Mapping):
        return read_entry(info, name, shape)
    missing = np.full(shape, np.nan), np.zeros(shape[0], np.bool_)
    values, known = read_entry(info, name, shape) or missing
    final, final_known = read_entry(last, name, shape) or missing
    own = ended.reshape(-1, *[1] * (len(shape) - 1))
    merged = np.where(ended, True if final_known is None else final_known, True if known is None else known)
    return (np.where(own, final, values), merged) if merged.any() else None


def read_figures(
    info: Info, spec: Spec, ended: Bools | None, action: NDArray[np.int64], available: Bools | None, t: int
) -> dict[str, Floats]:
    """Return the environment's figures of the round just played, see `RunLog.add`.

    The expected losses of the played and of the best arm are taken from `expected_losses` where the
    environment reports these alone.

    Args:
        info: info of the step.
        spec: shape of the run.
        ended: mask of resets, see `read_step`.
        action: played arms [R].
        available: available arms [R, K], or None for all.
        t: round, from 0.

    Raises:
        InputError: a figure is no finite loss in [0, 1], or has another shape.
    """
    R, K = spec.replicas, spec.arms
    figures = {}
    for name in FIGURES:
        found = read_step(info, name, (R, K) if name == "expected_losses" else (R,), ended)
        if found is None:
            continue
        values, known = found
        figures[name] = clipped(values)
        if figures[name] is not values:
            bad = np.isnan(figures[name]).reshape(R, -1).any(axis=1)
            bad &= True if known is None else known
            if bad.any():
                r = int(bad.argmax())
                raise InputError(
                    f"round {t + 1}, seed {spec.seeds[r]}: the environment's {name} is "
                    f"{np.array2string(values[r], precision=6)}; it must be a loss, a number in [0, 1]"
                )
    if "expected_losses" in figures:
        expected = figures["expected_losses"]
        if "expected_loss" not in figures:
            figures["expected_loss"] = expected[np.arange(R), action]
        if "best_loss" not in figures:
            there = expected if available is None else np.where(available, expected, np.inf)
            figures["best_loss"] = there.min(axis=1)
    return figures


def read_mask(info: Info, spec: Spec, t: int) -> Bools | None:
    """Return the mask of the available arms [R, K] in round t (from 0), or None for all.

    Raises:
        InputError: the mask has another shape.
    """
    given = info.get("action_mask")
    if given is None:
        return None
    shape = (spec.replicas, spec.arms)
    mask = np.asarray(given)
    if mask.dtype == object:  # sub-environments that give lists
        found = read_entry(info, "action_mask", shape)
        assert found is not None
        mask = found[0]
    if mask.shape != shape:
        raise bad_mask(t)
    known = info.get("_action_mask")
    available: Bools = mask != 0
    return available if known is None else available | ~np.asarray(known, np.bool_)[:, None]


def bad_mask(t: int) -> InputError:
    """Return the error for a mask of another shape, or one without an arm."""
    return InputError(f"round {t + 1}: action_mask must be [R, K] with an available arm in every row")
