"""Curves: means over seeds with bands, a panel per data set, labels at their ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.plots.competitors import with_labels
from neucb.plots.drawing import SMALL
from neucb.plots.kind import XScale, not_logged
from neucb.plots.labels import LEADER, LINE, End, end_label, label_ends
from neucb.plots.panels import EDGE, Panels, make_panels, seeds_in_words, set_title
from neucb.plots.style import GREY, Style
from neucb.plots.text import one_line, text_width
from neucb.statistics.intervals import t_half_width

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OFF_SCALE = 3.0  # final values above this many medians do not set the scale
LINE_WIDTH = 1.2  # points


@dataclass(frozen=True)
class Curve:
    """A curve of one panel.

    Attributes:
        label: text at the end of the curve.
        x: horizontal coordinates [n].
        y: means over seeds [n].
        half: half widths of the intervals [n], NaN for a single seed.
        seeds: number of seeds; 0 for a reference line.
        linestyle: line style of a reference line.
        most: upper limit of the values and their intervals.
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    half: NDArray[np.float64]
    seeds: int
    linestyle: Any = "-"
    most: float = np.inf

    @property
    def high(self) -> NDArray[np.float64]:
        """Upper ends of the intervals [n], NaN for a single seed."""
        return np.minimum(self.y + self.half, self.most)


def line(label: str, x: NDArray[Any], y: NDArray[Any], linestyle: Any) -> Curve:
    """Return a grey curve without a band."""
    return Curve(label, x, y, np.full(len(x), np.nan), 0, linestyle)


def mean_curves(frame: pd.DataFrame, column: str) -> list[Curve]:
    """Return the mean of a column over seeds for every competitor, on one data set.

    Rounds without a value (NaN) of some seed are dropped, and competitors without any other round.
    """
    curves = []
    for label, group in frame.groupby("agent_label", sort=False):
        table = group.pivot(index="round", columns="seed", values=column).dropna()
        if len(table):
            values = table.to_numpy(dtype=np.float64)
            rounds = table.index.to_numpy(dtype=np.float64)
            half = t_half_width(values)
            curves.append(Curve(str(label), rounds, values.mean(1), half, values.shape[1]))
    return curves


def curves_of(frame: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame, list[Curve]]]:
    """Return name, rows and mean curves of every data set on which a competitor has values in a column.

    Raises:
        InputError: no competitor has, or a run occurs twice.
    """
    frame = with_labels(frame)
    repeated = frame[frame.duplicated(["dataset", "agent_label", "seed", "round"])]
    if len(repeated):
        row = repeated.iloc[0]
        raise InputError(
            f"{row['agent_label']} on {row['dataset']} with seed {row['seed']} occurs twice; give competitors"
            " different names in the column 'agent_label'"
        )
    panels = []
    if column in frame:
        for name, part in frame.groupby("dataset", sort=False):
            curves = mean_curves(part, column)
            if curves:
                panels.append((str(name), part, curves))
    if not panels:
        raise not_logged(column)
    return panels


def absent(frame: pd.DataFrame, drawn: Iterable[str], reason: str) -> list[str]:
    """Return the caption's sentence on data sets without a panel as a list, empty if all have one.

    Args:
        frame: logs.
        drawn: data sets with a panel.
        reason: reason for the missing panels.
    """
    lacking = [name for name in dict.fromkeys(map(str, frame["dataset"])) if name not in set(drawn)]
    return [f"Left out, as {reason}: {', '.join(map(one_line, lacking))}."] if lacking else []


def draw_panels(
    panels: Sequence[tuple[str, Sequence[Curve]]],
    looks: Mapping[str, Style],
    *,
    title: str,
    x: XScale,
    note: str = "",
    against: str = "round t",
) -> Figure:
    """Draw panels of curves.

    Args:
        panels: name and curves of each panel.
        looks: style of every competitor.
        title: label of the vertical axis.
        x: scale of the horizontal axis.
        note: additional sentences of the caption.
        against: label of the horizontal axis.
    """
    played = [curve for _, curves in panels for curve in curves if curve.seeds]
    most = max(len(curves) for _, curves in panels)
    labels = [end_label(c.label, c.y[-1], c.y[-1] > top(curves)) for _, curves in panels for c in curves]
    right = LEADER + EDGE + max(text_width(text, SMALL) for text in labels)
    layout = make_panels(
        len(panels), caption(title, played, note), height=max(2.0, most * LINE + 0.1), right=right
    )
    for axes, (name, curves) in zip(layout.axes, panels, strict=True):
        _draw(axes, curves, looks, x, layout)
        set_title(axes, name)
        axes.set_xlabel(against)
    layout.axes[0].set_ylabel(title)
    return layout.figure


def caption(title: str, played: Sequence[Curve], note: str) -> str:
    """Return the caption: lines, bands and the note."""
    fewest, most = min(curve.seeds for curve in played), max(curve.seeds for curve in played)
    seeds = seeds_in_words(fewest, most)
    band = "" if most == 1 else "; bands are 95\N{NO-BREAK SPACE}% Student t intervals of the mean"
    text = f"Lines are means of the {title} over {seeds}{band}."
    return f"{text} {note}".strip()


def _draw(axes: Axes, curves: Sequence[Curve], looks: Mapping[str, Style], x: XScale, layout: Panels) -> None:
    ends = []
    few = len(curves) <= 6
    limits = min(0.0, *(float(curve.y.min()) for curve in curves)), top(curves)
    hidden = 0.5 * LINE_WIDTH * (limits[1] - limits[0]) / (72.0 * layout.height)
    for i, curve in enumerate(curves):
        style = looks[curve.label] if curve.seeds else Style(GREY, curve.linestyle, "")
        every = (0.05 + 0.013 * (i % 10), 0.17) if curve.seeds else None  # fractions of the line's length
        axes.plot(
            curve.x,
            curve.y,
            color=style.color,
            linestyle=style.linestyle,
            marker=style.marker,
            markevery=every,
            markersize=3.2,
            linewidth=LINE_WIDTH,
            label=curve.label,
        )
        if np.isfinite(curve.half).all():
            axes.fill_between(
                curve.x,
                curve.y - curve.half,
                curve.high,
                where=_with_neighbours(curve.half > hidden),  # a narrower band is hidden by its line
                color=style.color,
                alpha=0.18 if few else 0.07,
                linewidth=0,
            )
        ends.append(End(curve.label, float(curve.y[-1]), style))
    set_x(axes, x, max(float(curve.x[-1]) for curve in curves))
    axes.set_ylim(*limits)
    axes.yaxis.set_major_formatter(_number)
    axes.grid(axis="y", linewidth=0.4, color="#dddddd")
    label_ends(axes, ends, layout.height, layout.width)


def _with_neighbours(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask that is true at and next to the true entries of `where`."""
    spread = where.copy()
    spread[1:] |= where[:-1]
    spread[:-1] |= where[1:]
    return spread


def top(curves: Sequence[Curve]) -> float:
    """Return the upper limit of the vertical axis: the highest curve without outliers, plus a margin."""
    ends = np.array([curve.y[-1] for curve in curves if curve.seeds])
    limit = max(float(curve.y[-1]) for curve in curves)
    median = float(np.median(ends))
    if median > 0.0:
        limit = min(limit, OFF_SCALE * median)
    inside = [curve for curve in curves if curve.y[-1] <= limit]
    peak = max((float(np.nanmax(np.fmax(curve.y, curve.high))) for curve in inside), default=limit)
    return 1.05 * peak if peak > 0.0 else 1.0


def set_x(axes: Axes, scale: XScale, last: float) -> None:
    """Set the scale and limits of the horizontal axis."""
    if scale == "sqrt":
        axes.set_xscale("function", functions=(_root, np.square))
        ticks = [float(f"{last * share:.0e}") for share in (0.05, 0.25, 0.5)]
        axes.set_xticks([0.0, *ticks, last])
    else:
        axes.set_xscale(scale)
    axes.set_xlim(1 if scale == "log" else 0, max(last, 2.0))
    if scale != "log":
        axes.xaxis.set_major_formatter(_number)


def _number(value: float, _: object) -> str:
    return f"{value:,.10g}"


def _root(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)
