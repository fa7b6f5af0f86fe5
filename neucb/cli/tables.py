"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def print_summary(figures: dict[str, Any]) -> None:
    """Print the figures of one run, the JSON values of `neucb.runs.summary.summary`."""
    from rich.table import Table

    from neucb.core.terminal import show_table

    table = Table(title=f"cumulative regret after {figures['rounds']:,} rounds", title_justify="left")
    table.add_column("played")
    table.add_column("mean regret", justify="right")
    table.add_column("95 % interval", justify="right")
    interval = figures["ci95"]
    shown = f"{_figure(interval[0])} to {_figure(interval[1])}" if interval else "one seed"
    table.add_row(figures["agent"], _figure(figures["mean_regret"]), shown)
    table.add_row("best fixed arm", _figure(figures["best_fixed_arm_regret"]["mean"]), "")
    table.add_row("uniform", _figure(figures["uniform"]), "")
    show_table(table)
    print(
        f"{figures['dataset']} (source: {figures['source']}), {len(figures['seeds'])} seeds, "
        f"L* = {_figure(figures['L_star'])}, {figures['rounds_per_second']:,.0f} rounds/s of all seeds "
        f"together ({figures['engine']} engine, {figures['device']}, {figures['seconds']:.1f} s)"
    )
    if figures["mean_regret"] is None:
        print(
            "regret is unknown, since the environment's info holds no expected_losses; the mean loss is "
            f"{_figure(figures['mean_loss'])}"
        )
    if figures["not_compiled"]:
        print(f"not the compiled engine: {figures['not_compiled']}")


def print_table(figures: Sequence[dict[str, Any]]) -> None:
    """Print the figures of several runs, a row each."""
    from rich.table import Table

    from neucb.core.terminal import show_table

    table = Table(title=f"{figures[0]['agent']}: cumulative regret", title_justify="left")
    table.add_column("data set")
    for column in ("rounds", "mean regret", "± 95 %", "best fixed arm", "uniform"):
        table.add_column(column, justify="right")
    for one in figures:
        table.add_row(
            one["dataset"],
            f"{one['rounds']:,}",
            _figure(one["mean_regret"]),
            _half(one["ci95"]),
            _figure(one["best_fixed_arm_regret"]["mean"]),
            _figure(one["uniform"]),
        )
    show_table(table)


def _figure(value: float | None) -> str:
    """Return a figure as text; JSON has None for NaN."""
    return "nan" if value is None else f"{value:,.1f}"


def _half(interval: Sequence[float | None] | None) -> str:
    """Return half the width of an interval as text."""
    if interval is None:
        return "one seed"
    low, high = interval
    return _figure(None if low is None or high is None else (high - low) / 2)
