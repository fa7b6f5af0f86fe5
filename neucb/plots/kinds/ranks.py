"""Kind "ranks": the critical-difference diagram of Demsar, JMLR 7, 2006."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neucb.plots.competitors import learners, with_labels
from neucb.plots.drawing import SMALL, drawing
from neucb.plots.kind import PlotKind
from neucb.plots.labels import LINE
from neucb.plots.panels import make_panels
from neucb.plots.style import Style, styles
from neucb.plots.text import one_line, text_width
from neucb.statistics.ranks import AverageRanks, cliques, rank
from neucb.statistics.scores import final_scores, mean_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 1.5 * LINE  # inches


def rank_table(frame: pd.DataFrame) -> AverageRanks:
    """Rank the competitors except skylines by mean regret at the end of the runs.

    Raises:
        InputError: see `neucb.statistics.rank`.
    """
    return rank(mean_table(final_scores(learners(frame))))


@drawing()
def rank_figure(frame: pd.DataFrame) -> Figure:
    """Draw average ranks over data sets; bars join those without a significant difference (Nemenyi).

    Args:
        frame: logs of at least two competitors.

    Raises:
        InputError: see `rank_table`.
    """
    ranking = rank_table(frame)
    average = ranking.average
    groups = cliques(list(average), ranking.critical_difference)
    half = -(-len(average) // 2)
    bars = ROW * 0.6 * len(groups)
    height = 0.75 + bars + ROW * half
    side = max(text_width(f"{one_line(label)}  9.99", SMALL) for label in average.index) + 0.35
    layout = make_panels(1, make_caption(ranking), width=3.4, height=height, side=side, right=side, foot=0.05)
    axes = layout.axes[0]
    axes.set_axis_off()
    axes.set_xlim(1, len(average))
    axes.set_ylim(-height + 0.45, 0.45)  # inches from the scale
    _draw_scale(axes, ranking)
    for level, (first, last) in enumerate(groups):
        y = -0.12 - 0.6 * ROW * level
        ends = [average.iloc[first] - 0.04, average.iloc[last] + 0.04]
        axes.plot(ends, [y, y], color="black", linewidth=2.6, solid_capstyle="butt", clip_on=False)
    _draw_names(axes, average, styles(with_labels(frame)["agent_label"]), half, 0.12 + bars, layout.width)
    return layout.figure


def make_caption(ranking: AverageRanks) -> str:
    """Return the caption: data sets, Friedman's test, meaning of the bars."""
    sets = f"{ranking.datasets} data set{'s' * (ranking.datasets != 1)}"
    text = f"Average ranks by mean regret over {sets}, 1 is best. "
    if ranking.statistic == ranking.statistic:
        text += f"Friedman: chi square {ranking.statistic:.2f}, p = {ranking.p:.2g}. "
    text += (
        f"Bars join agents whose ranks differ by no more than Nemenyi's critical difference "
        f"CD = {ranking.critical_difference:.2f} at level {ranking.level:g}."
    )
    if ranking.left_out:
        text += f" Left out, as not all agents played them: {', '.join(map(one_line, ranking.left_out))}."
    return text


def _draw_scale(axes: Axes, ranking: AverageRanks) -> None:
    most = len(ranking.average)
    axes.plot([1, most], [0, 0], color="black", linewidth=0.8, clip_on=False)
    for place in range(1, most + 1):
        axes.plot([place, place], [0, 0.05], color="black", linewidth=0.8, clip_on=False)
        axes.text(place, 0.08, str(place), horizontalalignment="center", fontsize=SMALL)
    end = 1 + min(ranking.critical_difference, most - 1.0)
    axes.plot([1, end], [0.3, 0.3], color="black", linewidth=1.4, marker="|", clip_on=False)
    text = f"CD = {ranking.critical_difference:.2f}" + ("" if end < most else " (longer than the scale)")
    axes.text((1 + end) / 2, 0.34, text, horizontalalignment="center", fontsize=SMALL)


def _draw_names(
    axes: Axes, average: pd.Series[float], looks: Mapping[str, Style], half: int, below: float, width: float
) -> None:
    """Write the labels, one per line: the better half to the left, the others to the right."""
    last = len(average)
    margin = 0.12 * (last - 1) / width  # 0.12 inches in ranks
    for i, (label, value) in enumerate(average.items()):
        name = one_line(label)
        left = i < half
        y = -below - ROW * (0.6 + (i if left else last - 1 - i))
        edge = 1 - margin if left else last + margin
        color = looks[str(label)].color
        axes.plot([value, value, edge], [0, y, y], color=color, linewidth=0.9, clip_on=False)
        axes.plot([value], [0], color=color, marker=looks[str(label)].marker, markersize=4, clip_on=False)
        axes.text(
            edge - margin / 2 if left else edge + margin / 2,
            y,
            f"{name}  {value:.2f}" if left else f"{value:.2f}  {name}",
            color=looks[str(label)].ink,
            fontsize=SMALL,
            horizontalalignment="right" if left else "left",
            verticalalignment="center",
            parse_math=False,
        )


KIND = PlotKind(
    "average ranks over data sets with the critical difference", ("regret",), rank_figure, scale=None
)
