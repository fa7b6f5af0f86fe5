"""Kind "winloss": wins minus losses over data sets, as in the contextual bandit bake-off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neucb.core.errors import InputError
from neucb.plots.competitors import learners
from neucb.plots.drawing import SMALL, drawing
from neucb.plots.kind import PlotKind
from neucb.plots.labels import LINE
from neucb.plots.panels import make_panels, seeds_in_words
from neucb.plots.text import one_line, text_width
from neucb.statistics.comparisons import LEVEL, compare_over_seeds, win_loss
from neucb.statistics.scores import final_scores

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CELL = 2.1 * LINE
CAPTION = (
    "Data sets on which the row's regret is significantly lower than the column's, minus those on which it "
    f"is significantly higher: paired two-sided t test over {{seeds}}, p < {LEVEL} without correction, "
    "{count} data set{plural}. Rows are sorted by their sum."
)


def win_loss_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the matrix of wins minus losses of the competitors except skylines, sorted by row sum.

    Raises:
        InputError: a single competitor or seed.
    """
    scores = final_scores(learners(frame))
    if scores["agent_label"].nunique() < 2:
        raise InputError("wins and losses need at least two agents")
    comparisons = compare_over_seeds(scores)
    if not comparisons["p"].notna().any():
        raise InputError("wins and losses need at least two seeds that two agents share")
    matrix = win_loss(comparisons)
    order = matrix.sum(axis=1).sort_values(ascending=False, kind="stable").index
    return matrix.loc[order, order]


@drawing()
def win_loss_figure(frame: pd.DataFrame) -> Figure:
    """Draw the matrix of wins minus losses with its numbers.

    Args:
        frame: logs of at least two competitors and two seeds.

    Raises:
        InputError: see `win_loss_table`.
    """
    matrix = win_loss_table(frame)
    names, values = [one_line(name) for name in matrix.index], matrix.to_numpy()
    seeds = frame.groupby("dataset")["seed"].nunique()
    count = len(seeds)
    caption = CAPTION.format(
        seeds=seeds_in_words(int(seeds.min()), int(seeds.max())), count=count, plural="s" * (count != 1)
    )
    longest = max(text_width(name, SMALL) for name in names)
    size = CELL * len(names)
    layout = make_panels(
        1, caption, width=size, height=size, side=longest + 0.25, right=0.3, top=longest + 0.2, foot=0.05
    )
    axes = layout.axes[0]
    bound = max(abs(values).max(), 1)
    colors = {"cmap": "PuOr_r", "vmin": -1.6 * bound, "vmax": 1.6 * bound}
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(edges, edges, values, edgecolors="white", linewidth=0.5, **colors)
    axes.invert_yaxis()
    axes.set_xticks(range(len(names)), names, rotation=90, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            label = "" if i == j else f"{value:+d}" if value else "0"
            axes.text(j, i, label, fontsize=SMALL, horizontalalignment="center", verticalalignment="center")
    return layout.figure


KIND = PlotKind("wins minus losses over data sets", ("regret",), win_loss_figure, scale=None)
