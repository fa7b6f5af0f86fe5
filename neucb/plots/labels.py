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
    """The end of a curve: its label, and its height on the vertical axis."""

    label: str
    y: float
    style: Style


def end_label(label: str, y: float, off: bool) -> str:
    """Return the label of a curve's end; off: above the axis."""
    shown = f"{y:,.0f}" if y >= 10.0 else f"{y:.2g}"
    name = one_line(label)
    return f"{name} \N{UPWARDS ARROW} {shown}" if off else name


def spread(wanted: NDArray[Any], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Return places [n] at least `gap` apart, in the order of `wanted` and nearest to it in squares.

    Isotonic regression of wanted_i - i gap; equal wishes keep their order. Places stay within [low,
    high] where they fit, and are spaced evenly over it where they do not.

    Args:
        wanted: [n] where each would be best.
        gap: the least distance.
        low: the lower end of the axis.
        high: its upper end.
    """
    n = len(wanted)
    if n == 0:
        return np.empty(0)
    gap = min(gap, (high - low) / max(n - 1, 1))
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(n)
    fitted = isotonic(np.asarray(wanted, dtype=np.float64)[order] - steps)
    places = np.empty(n)
    places[order] = np.clip(fitted, low, high - steps[-1]) + steps
    return places


def isotonic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nondecreasing sequence nearest to `values` in squares, by pooling adjacent violators.

    The same as `scipy.optimize.isotonic_regression`, whose import takes longer than drawing a plot.
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

    Ends above the axis get their label at its top, with an arrow and their value.

    Args:
        axes: with their final limits.
        ends: of the curves.
        height: of the axes in inches.
        width: likewise.
    """
    low, high = axes.get_ylim()
    at = np.array([(end.y - low) / (high - low) for end in ends])
    above = at > 1.0
    ranks = np.argsort(np.argsort(at, kind="stable"), kind="stable")
    wanted = np.where(above, 1.0 + 1e-3 * ranks, at)  # those above the axis keep their order
    places = spread(wanted, LINE / height, 0.0, 1.0)
    for end, start, place, off in zip(ends, np.minimum(at, 1.0), places, above, strict=True):
        style, x = end.style, 1.0 + LEADER / width
        axes.plot(
            [1.0 + 0.03 / width, x - 0.06 / width],
            [start, place],
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
            place,
            end_label(end.label, end.y, off),
            transform=axes.transAxes,
            color=style.ink,
            fontsize=SMALL,
            verticalalignment="center",
            parse_math=False,
        )
