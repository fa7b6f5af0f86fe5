"""The tables of results/, from sweeps small enough to work them out anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import gmean as geometric_mean
from scipy.stats import ttest_rel

import neucb
from neucb.experiments.studies.tables import main
from neucb.experiments.studies.tuned_vs_default import agents_table, worlds_table
from tests.support.sweeps import play

NAMES = ("regret", "ranks", "winloss", "cells", "selection", "times", "sides", "agents")
ORDERS = ("shuffled", "weakest-class")
DEFAULTS = """
[experiment]
name = "defaults"
rounds = 140
datasets = ["iris", "wine"]
reporting_seeds = 4

[[agents]]
name = "kl"

[[agents]]
name = "squarecb"

[[agents]]
name = "supervised"
"""
TUNED = DEFAULTS[: DEFAULTS.index('[[agents]]\nname = "superv')]
for old, new in (
    ("reporting", "tuning_seeds = [9]\nreporting"),
    ("rounds", 'select = "per_dataset"\nrounds'),
    ('"kl"', '"kl"\ngrid = { lr = [0.1, 0.4] }'),
    ('"squarecb"', '"squarecb"\ngrid = { gamma = [3, 30] }'),
):
    TUNED = TUNED.replace(old, new)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tables")
    play(DEFAULTS, folder / "defaults")
    play(TUNED, folder / "tuned")
    return folder / "defaults", folder / "tuned"


def test_defaults_and_tuned_settings_side_by_side(sweeps: tuple[Path, Path], tmp_path: Path) -> None:
    main(str(sweeps[1]), str(tmp_path / "out"), str(sweeps[0]))
    table = pd.read_csv(tmp_path / "out" / "sides.csv")
    assert len(table) == 4  # no skyline: it has one setting
    frames = [neucb.load_results(one) for one in sweeps]
    for row in table.to_dict("records"):
        regret: Any = [
            one[(one["agent_label"] == row["agent"]) & (one["dataset"] == row["dataset"])]
            .query("split == 'reporting' and round == 140")
            .sort_values("seed")["regret"]
            .to_numpy()
            for one in frames
        ]
        assert row["default"] == pytest.approx(regret[0].mean(), abs=1e-4)
        assert row["tuned"] == pytest.approx(regret[1].mean(), abs=1e-4)
        assert row["p"] == pytest.approx(ttest_rel(regret[1], regret[0]).pvalue, abs=1e-4)
    chosen = json.loads((sweeps[1] / "_selection.json").read_text())["selected"]
    words = {(one["agent_label"], one["dataset"]): one["settings"] for one in chosen}
    for row in table.to_dict("records"):
        name = "lr" if row["agent"] == "kl" else "gamma"
        assert f"{name} = {words[row['agent'], row['dataset']][name]:g}" in str(row["settings"])
    played = pd.read_csv(tmp_path / "out" / "selection.csv").set_index(["agent", "dataset"])["cell"]
    name_of = {"kl": "lr", "squarecb": "gamma"}
    assert dict(played) == {
        (label, dataset): f"{name_of[label]} = {cell[name_of[label]]:g}"
        for (label, dataset), cell in words.items()
    }
    agents = pd.read_csv(tmp_path / "out" / "agents.csv").set_index("agent")
    own = table[table["agent"] == "kl"]
    ratio = geometric_mean(own["tuned"].to_numpy() / own["default"].to_numpy())
    assert agents["ratio"]["kl"] == pytest.approx(ratio, abs=1e-3)
    assert agents["rank_tuned"].sum() == agents["rank_default"].sum() == 3.0
    assert set(pd.read_csv(tmp_path / "out" / "times.csv")["agent_label"]) == {"kl", "squarecb"}
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"rows.json", *(f"{name}.csv" for name in NAMES)}


def test_the_same_settings_are_no_different(sweeps: tuple[Path, Path]) -> None:
    frame = neucb.load_results(sweeps[0])
    table = worlds_table(frame, frame)
    assert (table["difference"] == 0).all()
    assert (table["p"] == 1).all()
    assert (table["settings"] == "").all()
    agents = agents_table(frame, frame).set_index("agent")
    assert (agents["ratio"] == 1).all()
    assert not agents[["better", "worse"]].to_numpy().any()
    assert (agents["normalized_default"] == agents["normalized_tuned"]).all()
    assert agents.loc["supervised", "normalized_tuned"] == 0


def test_of_several_orders_there_are_tables_of_each(tmp_path: Path) -> None:
    spec = TUNED.replace("rounds = ", 'order = ["shuffled", "weakest-class"]\nrounds = ')
    play(spec, tmp_path / "sweep")
    main(str(tmp_path / "sweep"), str(tmp_path / "out"))
    ranks = {
        order: pd.read_csv(tmp_path / "out" / f"ranks{order}.csv").set_index("agent_label")["rank"]
        for order in ("", "-shuffled", "-weakest-class")
    }
    for label in ("kl", "squarecb"):
        assert ranks[""][label] == (ranks["-shuffled"][label] + ranks["-weakest-class"][label]) / 2
    regret = pd.read_csv(tmp_path / "out" / "regret.csv")
    for order in ORDERS:
        assert (tmp_path / "out" / f"winloss-{order}.csv").exists()
        own = regret[regret["order"] == order].pivot(index="dataset", columns="agent_label", values="regret")
        assert ranks[f"-{order}"]["kl"] == pytest.approx(own.rank(axis=1)["kl"].mean())
    chosen = pd.read_csv(tmp_path / "out" / "selection.csv")
    assert set(chosen["dataset"]) == {f"{name}, {order}" for name in ("iris", "wine") for order in ORDERS}


def test_worlds_of_several_encodings(tmp_path: Path) -> None:
    encodings = ("standard", "centered")
    play(DEFAULTS.replace("rounds", f"preprocessing = {json.dumps(encodings)}\nrounds"), tmp_path / "sweep")
    main(str(tmp_path / "sweep"), str(tmp_path / "out"))
    regret = pd.read_csv(tmp_path / "out" / "regret.csv")
    regret = regret[regret["agent_label"].isin(["kl", "squarecb"])]
    for encoding in encodings:
        worlds = regret[regret["preprocessing"] == encoding]
        worlds = worlds.pivot(index="dataset", columns="agent_label", values="regret")
        ranks = pd.read_csv(tmp_path / "out" / f"ranks-{encoding}.csv", index_col=0)["rank"]
        assert ranks["kl"] == pytest.approx(worlds.rank(axis=1)["kl"].mean())
        assert (tmp_path / "out" / f"winloss-{encoding}.csv").exists()
    both = pd.read_csv(tmp_path / "out" / "ranks.csv", index_col=0)
    assert set(both["datasets"]) == {4}
    frame = neucb.load_results(tmp_path / "sweep")
    last = frame[frame["round"] == 140].set_index(["preprocessing", "dataset", "seed"])
    beside = pd.read_csv(tmp_path / "out" / "encodings.csv").set_index("agent")
    assert set(beside["encoding"]) == {"centered"}
    assert set(beside["datasets"]) == {2}
    for agent in ("kl", "squarecb"):
        own = last.loc[last["agent_label"] == agent, "regret"].sort_index()
        means = [own[encoding].groupby("dataset", observed=True).mean() for encoding in encodings]
        assert beside["ratio"][agent] == pytest.approx(geometric_mean(means[1] / means[0]), abs=1e-3)
        tests = [ttest_rel(own["centered", name], own["standard", name]) for name in ("iris", "wine")]
        sure = [found.statistic for found in tests if found.pvalue < 0.05]
        assert beside["better"][agent] == sum(one < 0 for one in sure)
        assert beside["worse"][agent] == sum(one > 0 for one in sure)
