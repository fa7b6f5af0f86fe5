"""Plots: figures made of the log's DataFrame and of nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.theory.bounds import kl_star_shape

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"  # Okabe-Ito, told apart by the colour-blind


def regret_figure(frame: pd.DataFrame) -> Figure:
    """Draw mean cumulative regret of one agent over log-spaced rounds, with its 95 % band.

    Beside it: the best fixed arm in hindsight, and the shape sqrt(K L* log t) + K log t of
    NeuFastCB's bound, its constant fitted to the curve by least squares.

    Args:
        frame: the log of one run, as `neucb.run` returns it, `attrs` included.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    regret = _per_seed(frame, "regret")  # [rounds, R]
    rounds = regret.index.to_numpy(dtype=np.float64)
    mean, half = _band(regret.to_numpy())
    name = str(frame["agent"].iloc[0])
    axes.plot(rounds, mean, color=BLUE, linewidth=1.8, label=name)
    if half is not None:
        axes.fill_between(rounds, mean - half, mean + half, color=BLUE, alpha=0.25, linewidth=0)
    fixed = _per_seed(frame, "best_fixed_arm").to_numpy().mean(1)
    if np.isfinite(fixed).all():
        axes.plot(rounds, fixed, color=GREY, linewidth=1.2, linestyle=":", label="best fixed arm")
    _draw_shape(axes, frame, rounds, mean)
    axes.set_xscale("log")
    axes.set_xlim(1, rounds[-1])
    axes.set_ylim(0, None)
    axes.set_xlabel("round $t$")
    axes.set_ylabel("cumulative regret")
    seeds = regret.shape[1]
    band = f"mean and 95 % interval over {seeds} seeds" if seeds > 1 else "1 seed"
    axes.set_title(f"{frame['dataset'].iloc[0]}: {band}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure


def _draw_shape(axes: Axes, frame: pd.DataFrame, rounds: NDArray[Any], mean: NDArray[Any]) -> None:
    arms = frame.attrs.get("arms")
    best = _per_seed(frame, "L_star").to_numpy().mean(1)
    if arms is None or not np.isfinite(best).all():
        return
    shape = kl_star_shape(rounds, best, int(arms))
    constant = float(shape @ mean / (shape @ shape))
    words = r"$\sqrt{K L^* \log t} + K \log t$" if best[-1] > 0 else r"$K \log t$ ($L^* = 0$)"
    label = f"shape {words}, constant fitted"
    axes.plot(rounds, constant * shape, color=ORANGE, linewidth=1.2, linestyle="--", label=label)


def _per_seed(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.pivot(index="round", columns="seed", values=column)


def _band(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return the mean [n] of values [n, R] and the half width of its 95 % t interval, None for R = 1."""
    from scipy.special import stdtrit

    replicas = values.shape[1]
    mean = values.mean(1)
    if replicas < 2:
        return mean, None
    return mean, stdtrit(replicas - 1, 0.975) * values.std(1, ddof=1) / replicas**0.5
