"""Labels at the ends of curves, moved apart so that they do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.plots.drawing import SMALL
from neucb.plots.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neucb.plots.style import Style

LINE = 1.25 * SMALL / 72.0  # height of a line of text in inches
LEADER = 0.22  # inches between a curve's end and its label


@dataclass(frozen=True)
class End:
    """End of a curve: its label, its vertical coordinate and its style."""

    label: str
    y: float
    style: Style


def end_label(label: str, y: float, off: bool) -> str:
    """Return the label of a curve's end; with `off`, above the axis, an arrow and the value are added."""
    value = f"{y:,.0f}" if y >= 10.0 else f"{y:.2g}"
    name = one_line(label)
    return f"{name} \N{UPWARDS ARROW} {value}" if off else name


def spread(wanted: NDArray[Any], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Return positions [n] at least `gap` apart, in the order of `wanted` and closest to it in squares.

    Isotonic regression of wanted_i - i gap; ties keep their order. Positions lie in [low, high]; if they do
    not fit, they are spaced evenly.

    Args:
        wanted: preferred positions [n].
        gap: least distance.
        low: lower end of the axis.
        high: upper end of the axis.
    """
    n = len(wanted)
    if n == 0:
        return np.empty(0)
    gap = min(gap, (high - low) / max(n - 1, 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(n)
    shifted = isotonic(np.asarray(wanted, dtype=np.float64)[order] - steps)
    positions = np.empty(n)
    positions[order] = np.clip(shifted, low, high - steps[-1]) + steps
    return positions


def isotonic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nondecreasing sequence nearest to `values` in squares, by pooling adjacent violators.

    Equals `scipy.optimize.isotonic_regression`, whose import takes longer than drawing a plot.
    """
    means: list[float] = []
    counts: list[int] = []
    for value in values:
        mean, count = float(value), 1
        while means and means[-1] >= mean:
            mean = (counts[-1] * means[-1] + count * mean) / (counts[-1] + count)
            count += counts.pop()
            means.pop()
        means.append(mean)
        counts.append(count)
    return np.repeat(means, counts)


def label_ends(axes: Axes, ends: Sequence[End], height: float, width: float) -> None:
    """Write labels to the right of the axes, each joined to the end of its curve by a line.

    Ends above the axis have their label at its top, with an arrow and their value.

    Args:
        axes: axes with their final limits.
        ends: ends of the curves.
        height: height of the axes in inches.
        width: width of the axes in inches.
    """
    low, high = axes.get_ylim()
    heights = np.array([(end.y - low) / (high - low) for end in ends])
    above = heights > 1.0
    ranks = np.argsort(np.argsort(heights, kind="stable"), kind="stable")
    wanted = np.where(above, 1.0 + 1e-3 * ranks, heights)  # ends above the axis keep their order
    positions = spread(wanted, LINE / height, 0.0, 1.0)
    for end, start, position, off in zip(ends, np.minimum(heights, 1.0), positions, above, strict=True):
        style, x = end.style, 1.0 + LEADER / width
        axes.plot(
            [1.0 + 0.03 / width, x - 0.06 / width],
            [start, position],
            transform=axes.transAxes,
            color=style.color,
            linestyle=style.linestyle,
            linewidth=0.8,
            marker=style.marker,
            markevery=[1],
            markersize=3.2,
            clip_on=False,
        )
        axes.text(
            x,
            position,
            end_label(end.label, end.y, off),
            transform=axes.transAxes,
            color=style.ink,
            fontsize=SMALL,
            verticalalignment="center",
            parse_math=False,
        )
