"""The record of a kind of plot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from neucb.core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

XScale = Literal["linear", "log", "sqrt"]


@dataclass(frozen=True)
class PlotKind:
    """A kind of plot.

    Attributes:
        summary: one line.
        columns: columns of the logs that it needs.
        draw: function from logs to a figure, with the further arguments `x`, where there is a `scale`, and
            `bounds`, where it is `bounded`.
        scale: default scale of the horizontal axis; None for figures other than curves.
        bounded: whether it can draw the shapes of bounds.
    """

    summary: str
    columns: tuple[str, ...]
    draw: Callable[..., Figure]
    scale: XScale | None = "log"
    bounded: bool = False


def not_logged(column: str) -> InputError:
    """Return the error of logs without a column, or without a value in it."""
    return InputError(f"no run here has logged '{column}'; draw another kind=..., or play the runs again")
