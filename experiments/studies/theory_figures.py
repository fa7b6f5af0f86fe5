"""Figures of results/theory, drawn from its tables and from one diagnosis.

    python -m neucb.experiments.studies.theory_figures CACHE FOLDER

CACHE is the root of an OpenML cache that holds magic; FOLDER holds the tables of the studies
perturbation and landscape, and receives perturbation.png and bound.png.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.environments.preprocessing import encode
from neucb.environments.sources.catalogue import load_table
from neucb.plots import save_figure
from neucb.plots.drawing import drawing
from neucb.plots.style import COLORS, GREY
from neucb.plots.text import one_line
from neucb.runs.api import prepare
from neucb.theory.diagnose import diagnose
from neucb.theory.diagnosis import Diagnosis, Question

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN, PINK = COLORS[:4]
STYLES = {
    0.0: (GREY, "-", "plain"),
    math.inf: (BLUE, "--", r"$S = \infty$"),
    1.0: (RED, "-.", "$S = 1$"),
    3.0: (PINK, ":", "$S = 3$"),
    10.0: (GREEN, (0, (5, 1)), "$S = 10$"),
}
FILLS: dict[float, Any] = {0.03: "full", 0.1: "left", 0.3: "none"}  # marker fill by c_p of the pull


def main(cache: str, folder: str) -> None:
    """Write both figures."""
    import pandas as pd

    out = Path(folder)
    names = ("ablation", "curvature", "slice", "convergence")
    encoded = encode(load_table("magic", source="openml", openml_cache=Path(cache)))
    tables = [pd.read_csv(out / f"{name}.csv") for name in names]
    save_figure(perturbation_figure(*tables), out / "perturbation.png")
    save_figure(bound_figure(diagnose(encoded, Question(2000), prepare)), out / "bound.png")


@drawing()
def perturbation_figure(
    ablation: pd.DataFrame, curvature: pd.DataFrame, slices: pd.DataFrame, convergence: pd.DataFrame
) -> Figure:
    """Draw regret relative to the plain network, curvature, a slice of the loss and convergence in S."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.6), layout="constrained")
    (first, second), (third, fourth) = figure.subplots(2, 2)
    _ablation(first, ablation)
    _curvature(second, curvature)
    _slice(third, slices)
    _convergence(fourth, convergence)
    for axes in (second, third, fourth):
        axes.legend(frameon=False)
    first.legend(frameon=False, loc="lower center", ncols=2)
    return figure


def _ablation(axes: Axes, table: pd.DataFrame) -> None:
    """Draw regret relative to the plain network against label noise, averaged over data sets."""
    relative = table["difference"] / (table["mean_regret"] - table["difference"])
    cells = table.assign(relative=100.0 * relative)
    series = ((math.inf, 0.03), (math.inf, 0.1), (math.inf, 0.3), (1.0, 0.3), (3.0, 0.3), (10.0, 0.3))
    for loss, marker in (("squared", "s"), ("kl", "o")):
        for count, strength in series:
            column = "c_p" if math.isinf(count) else "share_of_c_max"
            part = cells[(cells["loss"] == loss) & (cells["S"] == count) & (cells[column] == strength)]
            mean = part.groupby("label_noise")["relative"].mean()
            colour, style, name = STYLES[count]
            label = f"{name}, {'$c_p$' if math.isinf(count) else '$c_p/c_{max}$'} = {strength:g}"
            axes.plot(
                100 * mean.index.to_numpy(),
                mean.to_numpy(),
                color=colour,
                linestyle=style,
                marker=marker,
                fillstyle=FILLS[strength] if math.isinf(count) else "full",
                label=label if loss == "kl" else None,
            )
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_yscale("symlog", linthresh=5.0)
    axes.set_ylim(-40.0, 200.0)
    axes.set_xticks([0, 10, 20])
    axes.set_xlabel("labels replaced, %")
    axes.set_ylabel("regret over the plain network's, %")
    axes.set_title("squares: squared loss, circles: KL; mean of 6 sets")


def _curvature(axes: Axes, table: pd.DataFrame) -> None:
    for count, part in table[table["loss"] == "squared"].groupby("S"):
        colour, style, name = STYLES[float(str(count))]
        axes.plot(part["t"], part["along_first_sign"], color=colour, linestyle=style, marker=".", label=name)
        if part["theory_along"].iloc[0] > 0:
            axes.axhline(part["theory_along"].iloc[0], color=colour, linewidth=0.5)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("round $t$")
    axes.set_ylabel("curvature along a sign vector")
    axes.set_title("squared loss, magic; thin: $c_p^2 p / (\\sqrt{m} S)$")


def _slice(axes: Axes, table: pd.DataFrame) -> None:
    for count, part in table[table["loss"] == "squared"].groupby("S"):
        colour, style, name = STYLES[float(str(count))]
        axes.plot(part["step"], part["to_the_end"], color=colour, linestyle=style, label=name)
    axes.set_xlabel(r"from $\theta_0$ (0) to $\theta_T$ (1)")
    axes.set_ylabel("mean loss, halved, of 300 rounds")
    axes.set_title("squared loss, magic, each on its own line")


def _convergence(axes: Axes, table: pd.DataFrame) -> None:
    styles = ((BLUE, "-"), (RED, "--"), (GREEN, "-."))
    for (name, part), (colour, style) in zip(table.groupby("network"), styles, strict=True):
        axes.plot(part["S"], part["pull_error"], color=colour, linestyle=style, marker=".", label=str(name))
        axes.plot(part["S"], part["sqrt_p_over_S"], color=colour, linewidth=0.5)
    axes.axhline(1.0, color="black", linewidth=0.6)
    axes.axvline(10.0, color="black", linewidth=0.6, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("sign vectors $S$ (dotted: 10)")
    axes.set_ylabel("error of the pull, relative")
    axes.set_title(r"thin: $\sqrt{p / S}$")


@drawing()
def bound_figure(diagnosis: Diagnosis) -> Figure:
    """Draw NeuralUCB's bound for every lambda, T, and the measured regret on the same rows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    styles = ("-", "--", "-.", ":")
    for ridge, style in zip(diagnosis.ridges, styles, strict=False):
        label = rf"bound, $\lambda$ = {ridge.ridge:g}: $\tilde d \sim T^{{{ridge.power:.2f}}}$"
        axes.plot(diagnosis.kept, ridge.ucb_bound, color=RED, linestyle=style, label=label)
    axes.plot(diagnosis.kept, diagnosis.kept, color=GREY, linewidth=0.8, label="$T$, every round lost")
    axes.plot(diagnosis.kept, diagnosis.ridges[-1].ucb_regret, color=BLUE, linewidth=1.8, label="neural-ucb")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("round $t$")
    axes.set_ylabel("regret")
    title = f"{one_line(diagnosis.dataset)}, seed {diagnosis.question.seed}: NeuralUCB's bound"
    axes.set_title(title, parse_math=False)
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main(*sys.argv[1:])
