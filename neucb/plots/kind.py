"""PlotKind: the definition of a kind of plot."""

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
        summary: one-line description.
        columns: required columns of the logs.
        draw: function from logs to a figure, with arguments `x` if there is a `scale` and `bounds` if
            `bounded`.
        scale: default scale of the horizontal axis; None for figures other than curves.
        bounded: whether bounds can be drawn.
    """

    summary: str
    columns: tuple[str, ...]
    draw: Callable[..., Figure]
    scale: XScale | None = "log"
    bounded: bool = False


def not_logged(column: str) -> InputError:
    """Return the error for logs without a column, or without values in it."""
    return InputError(f"no run here has logged '{column}'; draw another kind=..., or play the runs again")
