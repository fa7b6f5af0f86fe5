"""Tables in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def print_summary(figures: dict[str, Any]) -> None:
    """Print the figures of one run, see `neucb.runs.summary.summary`."""
    from rich.table import Table

    from neucb.core.terminal import show_table

    table = Table(title=f"cumulative regret after {figures['rounds']:,} rounds", title_justify="left")
    table.add_column("played")
    table.add_column("mean regret", justify="right")
    table.add_column("95 % interval", justify="right")
    interval = figures["ci95"]
    shown = f"{interval[0]:,.1f} to {interval[1]:,.1f}" if interval else "one seed"
    table.add_row(figures["agent"], f"{figures['mean_regret']:,.1f}", shown)
    table.add_row("best fixed arm", f"{figures['best_fixed_arm']['mean']:,.1f}", "")
    table.add_row("uniform", f"{figures['uniform']:,.1f}", "")
    show_table(table)
    print(
        f"{figures['dataset']} (source: {figures['source']}), {len(figures['seeds'])} seeds, "
        f"L* = {figures['L_star']:,.1f}, {figures['rounds_per_second']:,.0f} rounds/s of all seeds "
        f"together ({figures['engine']} engine, {figures['device']}, {figures['seconds']:.1f} s)"
    )
    if math.isnan(figures["mean_regret"]):
        print(
            "regret is unknown, since the environment's info holds no expected_losses; the mean loss is "
            f"{figures['mean_loss']:,.1f}"
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
        interval = one["ci95"]
        table.add_row(
            one["dataset"],
            f"{one['rounds']:,}",
            f"{one['mean_regret']:,.1f}",
            f"{(interval[1] - interval[0]) / 2:,.1f}" if interval else "one seed",
            f"{one['best_fixed_arm']['mean']:,.1f}",
            f"{one['uniform']:,.1f}",
        )
    show_table(table)
