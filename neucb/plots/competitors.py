"""Competitors: their labels, and the exclusion of skylines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.core.errors import InputError
from neucb.statistics.scores import SKYLINES

if TYPE_CHECKING:
    import pandas as pd


def with_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with a column `label`, the agent's name where there was none."""
    return frame if "label" in frame else frame.assign(label=frame["agent"])


def learners(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the labelled rows of all agents but skylines.

    Raises:
        InputError: no such rows.
    """
    rows = with_labels(frame)[~frame["agent"].isin(SKYLINES)]
    if rows.empty:
        raise InputError("only skylines were played; there is nothing to compare")
    return rows
