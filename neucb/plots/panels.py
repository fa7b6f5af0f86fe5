"""Panels: a grid of axes placed in inches, with space for labels and a caption."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neucb.plots.drawing import NORMAL, SMALL
from neucb.plots.text import one_line, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
TITLE, GAP, FOOT, SIDE, EDGE = 0.28, 0.12, 0.46, 0.62, 0.1  # inches: above, between, below, left, outside
CAPTION_LINE = 1.35 * SMALL / 72.0


@dataclass(frozen=True)
class Panels:
    """A figure and its axes, with the size of the axes in inches."""

    figure: Figure
    axes: list[Axes]
    width: float
    height: float


def make_panels(
    count: int,
    caption: str,
    *,
    width: float = 2.5,
    height: float = 2.0,
    side: float = SIDE,
    right: float = EDGE,
    top: float = TITLE,
    foot: float = FOOT,
    columns: int = COLUMNS,
) -> Panels:
    """Return a figure of `count` equal panels, row by row, over a caption.

    Args:
        count: number of panels, at least 1.
        caption: text, wrapped to the figure's width.
        width: width of the axes; all lengths are in inches.
        height: height of the axes.
        side: space to the left of every axes.
        right: space to the right.
        top: space above.
        foot: space below.
        columns: maximum number of panels in a row.
    """
    from matplotlib.figure import Figure

    row_count = -(-count // columns)
    column_count = -(-count // row_count)  # four panels are two by two
    cell = side + width + right + GAP
    total_width = max(column_count * cell, 4.2)
    characters = int((total_width - 2 * EDGE) / text_width("n" * 100, SMALL) * 100 * 1.05)
    lines = textwrap.wrap(caption, characters, break_on_hyphens=False)
    below = CAPTION_LINE * len(lines) + 2 * EDGE
    row = top + height + foot
    total_height = row_count * row + below
    figure = Figure(figsize=(total_width, total_height))
    axes = []
    for i in range(count):
        left = (i % column_count) * cell + side
        bottom = total_height - (i // column_count) * row - top - height
        axes.append(
            figure.add_axes(
                (left / total_width, bottom / total_height, width / total_width, height / total_height)
            )
        )
    figure.text(
        EDGE / total_width,
        (below - EDGE) / total_height,
        "\n".join(lines),
        fontsize=SMALL,
        linespacing=1.35,
        verticalalignment="top",
        parse_math=False,
    )
    return Panels(figure, axes, width, height)


def set_title(axes: Axes, title: str) -> None:
    """Write a panel's title, left-aligned."""
    axes.set_title(one_line(title), loc="left", fontsize=NORMAL, parse_math=False)


def seeds_in_words(least: int, most: int) -> str:
    """Return "1 seed", "5 seeds" or "3 to 5 seeds"."""
    if least != most:
        return f"{least} to {most} seeds"
    return f"{most} seed{'s' if most > 1 else ''}"
