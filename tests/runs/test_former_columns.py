"""Files with former column names are read with the current ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import neucb
from neucb.benchmarks.tournament import KEY, METRICS
from neucb.benchmarks.tournament import read as read_tournament
from neucb.core.columns import FORMER_COLUMNS, FORMER_SETTINGS, current_names
from neucb.core.files import sha256
from neucb.plots import draw
from neucb.runs.api import prepare
from neucb.runs.formats import read_log
from neucb.runs.save import find_saved, save
from neucb.statistics import final_scores
from neucb.sweeps.store.load_times import load_times
from neucb.sweeps.store.read_results import read_results
from tests.support.command import neucb as command
from tests.support.sweeps import QUICK, play

FORMER = {current: former for former, current in FORMER_COLUMNS.items()}
SETTINGS = {current: former for former, current in FORMER_SETTINGS.items() if former != "matrix"}
ALL = FORMER | SETTINGS
SPEC = QUICK.replace('name = "kl"', 'name = "kl-perturbed"\nlabel = "mine"\nbest_in_class_seeds = 1')


def aged(content: Any) -> Any:
    """Return JSON values with the former keys."""
    if isinstance(content, dict):
        return {ALL.get(key, key): aged(value) for key, value in content.items()}
    return [*map(aged, content)] if isinstance(content, list) else content


def age(folder: Path) -> None:
    """Rewrite logs, manifests, plan and selection with the former names."""
    for path in folder.rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        pq.write_table(table.rename_columns([ALL.get(name, name) for name in table.column_names]), path)
    for path in folder.rglob("*.json"):
        content = aged(json.loads(path.read_text()))
        if "sha256" in content:
            content["sha256"] = sha256(path.with_name(f"{path.stem.removeprefix('_')}.parquet"))
        path.write_text(json.dumps(content))


@pytest.mark.slow
def test_a_sweep_of_a_former_version_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(SPEC, tmp_path)
    current, times = neucb.load_results(tmp_path), load_times(tmp_path)
    named = read_results([tmp_path], pytest.fail).frame
    command(monkeypatch, "results", str(tmp_path))
    table = capsys.readouterr().out
    age(tmp_path)
    log = pd.read_parquet(next(tmp_path.glob("*.parquet")))
    assert {*FORMER_COLUMNS} <= {*log}
    assert not {*ALL} & {*log}
    assert {*FORMER, "updates_per_round"} <= {*current}
    assert current["L_star_class"].notna().any()
    pd.testing.assert_frame_equal(neucb.load_results(tmp_path), current)
    pd.testing.assert_frame_equal(load_times(tmp_path), times)
    pd.testing.assert_frame_equal(read_results([tmp_path], pytest.fail).frame, named)
    assert command(monkeypatch, "results", str(tmp_path)) == 0
    assert capsys.readouterr().out == table
    for arguments in (
        ("plot", "-o", "plot.png"),
        ("plot", "--kind", "distance", "-o", "plot.png"),
        ("report",),
    ):
        monkeypatch.chdir(tmp_path)
        assert command(monkeypatch, *arguments, str(tmp_path)) == 0


def test_the_selection_of_a_former_version_is_reported(tmp_path: Path) -> None:
    play(SPEC, tmp_path / "old")
    age(tmp_path / "old")
    (tmp_path / "new").mkdir()
    (tmp_path / "old" / "_selection.json").rename(tmp_path / "new" / "_selection.json")
    report = play(SPEC, tmp_path / "new", report_only=True)
    assert report.played == report.runs == 4 * 2


def test_a_run_of_a_former_version_is_read(tmp_path: Path) -> None:
    run = prepare("kl-perturbed", "iris", 60, 2)
    run.play()
    save(run, tmp_path)
    current = neucb.load_results(tmp_path)
    saved = json.loads(next(tmp_path.glob("*.json")).read_text())["summary"]
    age(tmp_path)
    assert {*FORMER_COLUMNS} <= {*pd.read_parquet(next(tmp_path.glob("*.parquet")))}
    pd.testing.assert_frame_equal(neucb.load_results(tmp_path), current)
    stored = find_saved(prepare("kl-perturbed", "iris", 60, 2), tmp_path)
    assert stored is not None
    assert stored.summary == saved
    assert {*FORMER} <= {*stored.frame()}


def test_former_hyper_parameters_are_merged_with_current_ones(tmp_path: Path) -> None:
    """As in logs of sweeps, with the hyper-parameters of all agents."""
    log = tmp_path / "log.parquet"
    agents = ["linucb", "neural-ucb", "neural-ts", "kl"]
    rows = pd.DataFrame({"agent": agents, "dataset": "iris", "seed": 0, "round": 1})
    rows[["loss", "regret", "L_star", "best_fixed_arm"]] = 0.5
    rows["covariance"] = ["full", None, None, None]
    rows["matrix"] = [None, "diagonal", "diagonal", None]
    rows["alpha"] = [1.0, np.nan, np.nan, np.nan]
    rows["nu"] = [np.nan, 0.1, 0.2, np.nan]
    rows["gradient"] = [None, "code", "paper", None]
    rows.to_parquet(log)
    frame = read_log(log).to_pandas()
    assert {"matrix", "gradient"}.isdisjoint(frame)
    assert frame["covariance"].fillna("-").tolist() == ["full", "diagonal", "diagonal", "-"]
    assert frame["gradient_scaling"].fillna("-").tolist() == ["-", "none", "sqrt_width", "-"]
    np.testing.assert_array_equal(frame["alpha"], [1.0, 0.1, np.nan, np.nan])
    np.testing.assert_array_equal(frame["nu"], [np.nan, np.nan, 0.2, np.nan])


def test_a_run_of_a_former_version_has_the_current_config_id(tmp_path: Path) -> None:
    run = prepare("neural-ucb", "iris", 20, 2)
    run.play()
    save(run, tmp_path)
    current = neucb.load_results(tmp_path)
    manifest = next(tmp_path.glob("*.json"))
    content = json.loads(manifest.read_text())
    settings = aged(content["configuration"]["settings"])
    content["configuration"]["settings"] = settings | {"nu": settings.pop("alpha"), "gradient": "code"}
    manifest.write_text(json.dumps(content))
    frame = pd.read_parquet(tmp_path / f"{manifest.stem}.parquet").drop(columns="split", errors="ignore")
    frame.to_parquet(tmp_path / f"{manifest.stem}.parquet")
    assert (
        neucb.load_results(tmp_path)["config_id"].unique().tolist() == current["config_id"].unique().tolist()
    )


def test_a_frame_with_former_columns_is_drawn_and_scored(tmp_path: Path) -> None:
    """Competitors with the same agent are distinguished by their label."""
    frames = [
        neucb.run("kl-perturbed", "iris", 60, 2, settings={"lr": lr}).assign(agent_label=f"{lr}")
        for lr in (0.5, 1)
    ]
    current = pd.concat(frames)
    former = current.rename(columns=FORMER)
    pd.testing.assert_frame_equal(final_scores(former), final_scores(current))
    for frame in (current, former):
        labels = [line.get_label() for line in draw(frame, "distance").axes[0].get_lines()]
        assert [label for label in labels if not str(label).startswith("_")] == ["0.5", "1"]


def test_a_current_column_is_not_duplicated() -> None:
    assert current_names(["label", "spread", "seed"]) == ["agent_label", "perturbation_rms", "seed"]
    assert current_names(["label", "agent_label"]) == ["label", "agent_label"]


def test_a_tournament_of_a_former_version_is_read(tmp_path: Path) -> None:
    columns = [*KEY, *METRICS]
    path = tmp_path / "peers.csv"
    pd.DataFrame([range(len(columns))], columns=[FORMER.get(name, name) for name in columns]).to_csv(
        path, index=False
    )
    assert list(read_tournament(path)) == columns
    assert "label" in path.read_text()
