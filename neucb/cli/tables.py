"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def print_summary(summary: dict[str, Any]) -> None:
    """Print the summary of one run, the JSON values of `neucb.runs.summary.summary`."""
    from rich.table import Table

    from neucb.core.terminal import show_table

    table = Table(title=f"cumulative regret after {summary['rounds']:,} rounds", title_justify="left")
    table.add_column("played")
    table.add_column("mean regret", justify="right")
    table.add_column("95 % interval", justify="right")
    interval = summary["ci95"]
    interval_text = f"{_number(interval[0])} to {_number(interval[1])}" if interval else "one seed"
    table.add_row(summary["agent"], _number(summary["mean_regret"]), interval_text)
    table.add_row("best fixed arm", _number(summary["best_fixed_arm_regret"]["mean"]), "")
    table.add_row("uniform", _number(summary["uniform"]), "")
    show_table(table)
    print(
        f"{summary['dataset']} (source: {summary['source']}), {len(summary['seeds'])} seeds, "
        f"L* = {_number(summary['L_star'])}, {summary['rounds_per_second']:,.0f} rounds/s of all seeds "
        f"together ({summary['engine']} engine, {summary['device']}, {summary['seconds']:.1f} s)"
    )
    if summary["mean_regret"] is None:
        print(
            "regret is unknown, since the environment's info holds no expected_losses; the mean loss is "
            f"{_number(summary['mean_loss'])}"
        )
    if summary["not_compiled"]:
        print(f"not the compiled engine: {summary['not_compiled']}")


def print_table(summaries: Sequence[dict[str, Any]]) -> None:
    """Print the summaries of several runs, a row each."""
    from rich.table import Table

    from neucb.core.terminal import show_table

    table = Table(title=f"{summaries[0]['agent']}: cumulative regret", title_justify="left")
    table.add_column("data set")
    for column in ("rounds", "mean regret", "± 95 %", "best fixed arm", "uniform"):
        table.add_column(column, justify="right")
    for summary in summaries:
        table.add_row(
            summary["dataset"],
            f"{summary['rounds']:,}",
            _number(summary["mean_regret"]),
            _half(summary["ci95"]),
            _number(summary["best_fixed_arm_regret"]["mean"]),
            _number(summary["uniform"]),
        )
    show_table(table)


def _number(value: float | None) -> str:
    """Return a number as text; JSON has None for NaN."""
    return "nan" if value is None else f"{value:,.1f}"


def _half(interval: Sequence[float | None] | None) -> str:
    """Return half the width of an interval as text."""
    if interval is None:
        return "one seed"
    low, high = interval
    return _number(None if low is None or high is None else (high - low) / 2)
