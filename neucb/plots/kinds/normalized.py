"""Kind "normalized": normalised regret of every competitor on every data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neucb.core.errors import InputError
from neucb.plots.competitors import learners, with_labels
from neucb.plots.drawing import SMALL, drawing
from neucb.plots.kind import PlotKind
from neucb.plots.labels import LINE
from neucb.plots.panels import TITLE, make_panels, seeds_in_words
from neucb.plots.style import COLORS, GREY, MARKERS
from neucb.plots.text import one_line, text_width
from neucb.statistics.intervals import intervals
from neucb.statistics.normalized import normalized_regret

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

ROW = 2.4 * LINE
FURTHEST = 1.5  # maximum end of the axis; 1 is the best fixed arm
NAMED = 8  # maximum number of data sets with their own marks
CAPTION = (
    "Marks: mean over {seeds} of the normalised regret on one data set, with its 95\N{NO-BREAK SPACE}% "
    "Student t interval; arrows at the edge: values outside. Black: mean over the data sets. "
    "0 is {zero}, 1 the best fixed arm in hindsight."
)


@drawing()
def normalized_figure(frame: pd.DataFrame) -> Figure:
    """Draw normalised regret at the end of the runs: a row per competitor, a mark per data set.

    Rows are sorted by their mean over data sets. Skylines are left out; they define the scale.

    Args:
        frame: logs.

    Raises:
        InputError: no run has a normalised regret.
    """
    scores = normalized_regret(with_labels(frame))
    table = intervals(scores[scores["agent_label"].isin(learners(frame)["agent_label"])])
    if table.empty:
        raise InputError("no run here has a normalised regret: it needs the expected losses of all arms")
    means = table.groupby("agent_label")["mean"].mean().sort_values()
    datasets = list(dict.fromkeys(table["dataset"]))
    side = max(text_width(one_line(label), SMALL) for label in means.index) + 0.2
    top = TITLE + (LINE * len(datasets) if len(datasets) <= NAMED else 0.0)
    layout = make_panels(
        1, _caption(scores, table), width=3.6, height=ROW * len(means), side=side, right=0.3, top=top
    )
    axes = layout.axes[0]
    end = min(FURTHEST, max(1.05, float(table[["mean", "high"]].max().max()) * 1.03))
    least = min(0.0, float(table[["mean", "low"]].min().min()) * 1.03)
    axes.set_xlim(max(least, -0.5), end)
    axes.set_ylim(len(means) - 0.5, -0.5)
    axes.set_yticks(range(len(means)), map(one_line, means.index), parse_math=False)
    axes.axvline(0.0, color=GREY, linewidth=0.8)
    axes.axvline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    axes.grid(axis="y", linewidth=0.4, color="#dddddd")
    axes.set_xlabel("normalised regret")
    marks = [
        _draw_marks(axes, table[table["dataset"] == dataset], list(means.index), i, len(datasets))
        for i, dataset in enumerate(datasets)
    ]
    inside = (means <= end).to_numpy()
    rows = np.arange(len(means))
    axes.plot(means[~inside].clip(upper=end), rows[~inside], ">", color="black", markersize=6, clip_on=False)
    axes.plot(means[inside], rows[inside], "|", color="black", markersize=11, markeredgewidth=2.2)
    if len(datasets) <= NAMED:
        _name_marks(axes, marks, datasets)
    return layout.figure


def _name_marks(axes: Axes, marks: list[Line2D], datasets: list[str]) -> None:
    """Write the names of the data sets above the axes, each next to its mark."""
    placeholders = [str(i) for i in range(len(datasets))]  # legends omit names that begin with an underscore
    legend = axes.legend(
        marks,
        placeholders,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        frameon=False,
        fontsize=SMALL,
        borderpad=0.0,
    )
    for text, name in zip(legend.get_texts(), datasets, strict=True):
        text.set_text(one_line(name))
        text.set_parse_math(False)


def _caption(scores: pd.DataFrame, table: pd.DataFrame) -> str:
    used = set(scores.loc[scores["value"].notna(), "reference"])
    zero = "the supervised skyline" if "supervised" in used else "the best policy"
    zero += " (the best policy where no skyline was played)" if len(used) > 1 else ""
    seeds = seeds_in_words(int(table["seeds"].min()), int(table["seeds"].max()))
    return CAPTION.format(zero=zero, seeds=seeds)


def _draw_marks(axes: Axes, table: pd.DataFrame, labels: list[str], position: int, count: int) -> Line2D:
    """Draw the marks of one data set, vertically offset; values outside the axis become arrows."""
    rows = table["agent_label"].map(labels.index).to_numpy(dtype=np.float64)
    rows += 0.6 * ((position + 0.5) / count - 0.5)
    low, end = axes.get_xlim()
    value = table["mean"].to_numpy(dtype=np.float64)
    inside = (value <= end) & (value >= low)
    color = COLORS[position % len(COLORS)] if count <= NAMED else COLORS[0]
    bars = table[["low", "high"]].to_numpy(dtype=np.float64)
    axes.hlines(rows[inside], *bars[inside].T, color=color, linewidth=0.9, alpha=0.6)
    marker = MARKERS[position % len(MARKERS)] if count <= NAMED else "o"
    (marks,) = axes.plot(value[inside], rows[inside], marker, color=color, markersize=3.6)
    marks.set_label(str(table["dataset"].iloc[0]))
    for outside, edge, arrow in ((value < low, low, "<"), (value > end, end, ">")):
        edges = np.full(int(outside.sum()), edge)
        axes.plot(edges, rows[outside], arrow, color=color, markersize=4, clip_on=False)
    return marks


KIND = PlotKind(
    "normalised regret, data set by data set",
    ("regret", "best_fixed_arm_regret"),
    normalized_figure,
    scale=None,
)
