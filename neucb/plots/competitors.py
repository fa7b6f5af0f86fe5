"""Labels of competitors, and the exclusion of skylines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.core.columns import with_current_names
from neucb.core.errors import InputError
from neucb.statistics.scores import SKYLINES

if TYPE_CHECKING:
    import pandas as pd


def with_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with a column `agent_label`, by default the agent's name."""
    named = with_current_names(frame)
    return named if "agent_label" in named else named.assign(agent_label=named["agent"])


def learners(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the labelled rows of all agents except skylines.

    Raises:
        InputError: there are no such rows.
    """
    rows = with_labels(frame)[~frame["agent"].isin(SKYLINES)]
    if rows.empty:
        raise InputError("only skylines were played; there is nothing to compare")
    return rows
