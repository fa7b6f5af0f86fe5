"""Tables contain every word and number uncut at any width of the terminal."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

import neucb as package
from neucb.agents.recipes.registry import RECIPES
from neucb.benchmarks import report
from neucb.cli import peers as peers_command
from neucb.cli import tables
from neucb.core.terminal import show_table
from tests.support.command import neucb as command

CUT = "…"


def printed(table: Table, width: int) -> str:
    out = io.StringIO()
    show_table(table, Console(file=out, width=width, markup=False, emoji=False))
    return out.getvalue()


def words_of(cells: list[str]) -> set[str]:
    return {word for cell in cells for word in cell.split()}


@pytest.mark.parametrize("width", [10, 24, 40, 60, 80, 200])
@pytest.mark.parametrize("seed", range(8))
def test_no_word_is_cut_at_any_width(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    headings = ["data set", "mean regret", "± 95 %", "what it is", "name"][: int(rng.integers(1, 6))]
    rows = [
        [f"{rng.integers(10**9):,}.{rng.integers(10)}" + " text" * int(rng.integers(4)) for _ in headings]
        for _ in range(int(rng.integers(1, 5)))
    ]
    table = Table(title="a title [of] a :smile: table")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    text = printed(table, width)
    assert CUT not in text
    assert words_of([*headings, *(cell for row in rows for cell in row)]) <= words_of(
        [re.sub("[┃│]", " ", text)]
    )
    if "┃" in text:
        assert max(map(len, text.splitlines())) <= width


def test_a_table_that_fits_is_printed_as_by_rich() -> None:
    def make() -> Table:
        table = Table("agent", "regret", title="title")
        table.add_row("kl", "1,234.5")
        return table

    out = io.StringIO()
    Console(file=out, width=80).print(make())
    assert printed(make(), 80) == out.getvalue()
    assert printed(make(), 8).splitlines() == ["title", "", "agent   kl", "regret  1,234.5"]


def test_brackets_are_printed_literally_on_a_console_with_markup() -> None:
    """Text that looks like markup neither vanishes nor cuts another column."""
    for width in (60, 200):
        table = Table("library", "note", "mistakes")
        table.add_row("peer", "is not installed (pip install 'neucb[peers]') " * 2, "1,234,567")
        out = io.StringIO()
        show_table(table, Console(file=out, width=width, emoji=False))
        assert out.getvalue().count("'neucb[peers]')") == 2
        assert {"mistakes", "1,234,567"} <= words_of([out.getvalue()])


@pytest.mark.slow
@pytest.mark.parametrize("width", ["20", "40", "57"])
def test_no_command_cuts_its_numbers(
    width: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.chdir(tmp_path)

    def show(*arguments: str) -> str:
        assert command(monkeypatch, *arguments) == 0
        text = capsys.readouterr().out
        assert CUT not in text
        return text

    runs = ("run", "--agent", "uniform", "--rounds", "120", "--seeds", "3", "--engine", "torch")
    single_table = show(*runs, "--dataset", "iris")
    joint_table = show(*runs, "--dataset", "iris,breast_cancer")
    for summary in json.loads(show(*runs, "--dataset", "iris,breast_cancer", "--json")):
        mean = f"{summary['mean_regret']:,.1f}"
        low, high = (f"{value:,.1f}" for value in summary["ci95"])
        assert mean in joint_table
        if summary["dataset"] == "iris":
            assert {mean, low, high} <= words_of([re.sub("[┃│]", " ", single_table)])
        assert mean in show("results", "results/runs")
    (tmp_path / "spec.toml").write_text(
        '[experiment]\nname = "x"\nrounds = 60\nreporting_seeds = 3\ndatasets = ["iris", "breast_cancer"]\n'
        '[[agents]]\nname = "uniform"\nlabel = "an agent of a long name"\n'
    )
    frame = package.sweep("spec.toml", jobs=1)
    text = show("results", "results/x")
    for _, rows in frame.groupby("dataset"):
        assert f"{rows.groupby('seed').tail(1)['regret'].mean():,.1f}" in text
    assert "an agent of" in show("results", "results/x", "--times")
    for name, recipe in RECIPES.items():
        details = show("agents", name)
        assert all(parameter.name in details for parameter in recipe.parameters)
    show("agents")
    show("datasets", "show", "iris")
    diagnosis = show("diagnose", "--dataset", "iris", "--rounds", "40", "--ridge", "0.001,1")
    assert len(re.findall(r"T\^\d\.\d\d\b", diagnosis)) == 2


@pytest.mark.parametrize("width", ["30", "40"])
def test_tables_of_peers_and_bench_do_not_cut_numbers(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    rows: list[dict[str, Any]] = [
        {
            "agent_label": label,
            "library": library,
            "dataset": dataset,
            "seed": seed,
            "round": 1_000,
            "version": "1",
        }
        | {"regret": regret + seed, "cpu_seconds": seconds, "settings": ""}
        for label, library, regret, seconds in (
            ("kl", "neucb", 100.0, 0.123),
            ("vw-squarecb", "vw", 234.0, 4.56),
        )
        for dataset in ("iris", "wine")
        for seed in (0, 1)
    ]
    peers_command._show(pd.DataFrame(rows), ["kl"], None)
    text = capsys.readouterr().out
    assert CUT not in text
    assert "8,130" in text  # rounds per CPU second
    assert "0 : 2" in text
    timing = {"table": "speed", "by": "cpu", "cpu_us": 12_345.6, "ratio": 123.4}
    measurements = [
        timing | {"task": f"data set {i}", "contender": f"contender {j}"} for i in range(3) for j in range(4)
    ]
    show_table(report.by_task("title", measurements))
    text = capsys.readouterr().out
    assert CUT not in text
    assert text.count("12,346") == 12
    tables.print_table(
        [
            {"agent": "kl", "dataset": "a", "rounds": 10_000, "mean_regret": 1_234_567.8, "ci95": None}
            | {"best_fixed_arm_regret": {"mean": 7_654_321.0}, "uniform": 9_999_999.9}
        ]
    )
    assert {"1,234,567.8", "7,654,321.0", "9,999,999.9"} <= words_of([capsys.readouterr().out])
