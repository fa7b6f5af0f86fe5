"""Sweeps: rows, selection of settings, resuming, files, times, and the command."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import neucb
from neucb import cli
from neucb.engines.log import FIGURES
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.store.load_times import load_times
from neucb.sweeps.tables import times_table
from tests.support.sweeps import QUICK, QUICK_RUNS, SPEC, ended, play

# per data set and noise: tuning (4 + 2) x 2 seeds, reporting 3 x 2 seeds
RUNS = 4 * (12 + 6)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "small"
    report = play(SPEC, folder)
    assert (report.runs, report.found, report.played, report.failures) == (RUNS, 0, RUNS, [])
    return folder


def test_a_sweep_has_one_row_per_run(played: Path) -> None:
    frame = neucb.load_results(played)
    last = ended(frame)
    assert len(last) == RUNS
    assert not last.duplicated(["agent_label", "dataset", "label_noise", "split", "config_id", "seed"]).any()
    assert set(last.loc[last["split"] == "tuning", "seed"]) == {100, 101}
    assert set(last.loc[last["split"] == "reporting", "seed"]) == {0, 1}
    assert set(frame["agent_label"]) == {"kl", "epsilon", "uniform"}
    assert frame.attrs["failures"] == frame.attrs["missing"] == []
    assert {"lr", "epsilon", "width"} <= set(frame)
    assert "members" not in frame


def test_rows_equal_those_of_run(played: Path) -> None:
    frame = neucb.load_results(played)
    tuned = frame[
        (frame["agent_label"] == "kl") & (frame["split"] == "tuning") & (frame["dataset"] == "wine")
    ]
    cells: Any = tuned.groupby(["lr", "gamma", "label_noise", "seed"])
    for (lr, gamma, noise, seed), rows in cells:
        settings = {"width": 8, "lr": lr, "gamma": gamma}
        alone = neucb.run("kl", "wine", 120, [seed], settings=settings, label_noise=noise)
        for column in ("round", *FIGURES):
            assert np.array_equal(rows[column], alone[column], equal_nan=True)


def test_settings_are_chosen_on_tuning_seeds_only(played: Path) -> None:
    """The chosen cell minimises the mean over four worlds of regret relative to the best cell."""
    last = ended(neucb.load_results(played))
    tuning = last[(last["agent_label"] == "kl") & (last["split"] == "tuning")]
    mean = tuning.pivot_table(index=["lr", "gamma"], columns=["dataset", "label_noise"], values="regret")
    best: Any = (mean / mean.min()).mean(axis=1).idxmin()
    reported = last[(last["agent_label"] == "kl") & (last["split"] == "reporting")]
    assert {tuple(pair) for pair in reported[["lr", "gamma"]].to_numpy()} == {best}


def test_settings_can_be_chosen_per_data_set(tmp_path: Path) -> None:
    spec = QUICK.replace("rounds = 120", 'rounds = 120\nselect = "per_dataset"')
    play(spec, tmp_path)
    last = ended(neucb.load_results(tmp_path))
    rows = last[last["agent_label"] == "kl"]
    worlds = ["dataset", "label_noise"]
    tuning = rows[rows["split"] == "tuning"].groupby([*worlds, "config_id"])["regret"].mean()
    best = tuning.groupby(worlds).min()
    reported: Any = rows[rows["split"] == "reporting"].groupby(worlds)["config_id"].unique()
    for world, settings in reported.items():
        (setting,) = settings
        assert tuning[(*world, setting)] == best[world]


def test_a_second_sweep_plays_nothing(played: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in played.glob("*.parquet")}
    report = play(SPEC, played)
    assert (report.found, report.played) == (RUNS, 0)
    assert {path: path.stat().st_mtime_ns for path in played.glob("*.parquet")} == before


def test_two_jobs_give_the_same_rows(played: Path, tmp_path: Path) -> None:
    """The torch agent is played by processes, the compiled ones by threads."""
    play(SPEC, tmp_path, jobs=2)
    pd.testing.assert_frame_equal(neucb.load_results(tmp_path), neucb.load_results(played), check_exact=True)


def test_report_only_uses_an_earlier_selection(played: Path, tmp_path: Path) -> None:
    (tmp_path / "_selection.json").write_text((played / "_selection.json").read_text())
    report = play(SPEC, tmp_path, report_only=True)
    assert report.played == report.runs == 4 * 6
    whole = neucb.load_results(played)
    expected = whole[whole["split"] == "reporting"].reset_index(drop=True)
    pd.testing.assert_frame_equal(neucb.load_results(tmp_path)[expected.columns], expected, check_exact=True)
    with pytest.raises(neucb.core.errors.InputError, match="holds no choice of settings"):
        play(SPEC, tmp_path / "new", report_only=True)


def test_without_tuning_seeds_every_cell_is_reported(tmp_path: Path) -> None:
    report = play(QUICK.replace('tuning_seeds = "100:102"', ""), tmp_path)
    assert report.runs == 4 * 4 * 2
    assert set(neucb.load_results(tmp_path)["split"]) == {"reporting"}


def test_pandas_reads_the_folder(played: Path) -> None:
    """Pandas reads the folder, and all files have one schema, as DuckDB and R need."""
    frame = neucb.load_results(played)
    assert len(pd.read_parquet(played)) == len(frame)
    assert len({str(pq.read_schema(path)) for path in played.glob("*.parquet")}) == 1


def test_the_manifest_describes_the_batch(played: Path) -> None:
    (path, *_) = played.glob("_kl_wine_tuning*.json")
    content = json.loads(path.read_text())
    assert content["configuration"]["seeds"] == [100] * 4 + [101] * 4
    assert content["configuration"]["settings"]["gamma"] == [10.0, 100.0] * 4
    assert content["environment"]["rows"] == 178
    assert content["versions"]["numpy"]


def test_times_are_stored_and_tabulated(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wall-clock and CPU time per batch; the table is per run and 10,000 rounds."""
    times = load_times(played)
    assert len(times) == len(list(played.glob("*.parquet")))
    assert times["rounds"].sum() == 120 * RUNS
    assert (times["cpu_seconds"] > 0).all()
    assert (times["cpu_seconds"] < times["seconds"] + 0.05).all()  # one thread cannot take more
    (path, *_) = played.glob("_kl_wine_tuning*.json")
    content = json.loads(path.read_text())
    assert content["playing"]["threads"] == 1
    assert content["playing"]["seconds"] <= content["seconds"]
    times_of_batches = pd.DataFrame(
        [("a", "torch", 1, 2_000, 4.0), ("a", "torch", 1, 5_000, 1.0), ("b", "compiled", 1, 40_000, 2.0)],
        columns=["agent_label", "engine", "threads", "rounds", "cpu_seconds"],
    )
    table = times_table(times_of_batches)
    assert table.to_numpy().tolist() == [
        ["b", "compiled", 1, 1, 0.5, 0.5, 0.5],
        ["a", "torch", 2, 1, 11, 2, 20],
    ]
    monkeypatch.setattr(
        sys, "argv", ["neucb", "results", str(played), "--times", "--export", f"{tmp_path}/t.tex"]
    )
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert exit_info.value.code == 0
    assert "per 10,000 rounds" in capsys.readouterr().out
    lines = (tmp_path / "t.tex").read_text().splitlines()
    assert lines[2] == r"agent & batches & median & least & greatest \\"
    assert {line.split(" & ")[0] for line in lines[4:7]} == {"kl", "epsilon", "uniform"}


def test_the_command_plays_and_resumes_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(QUICK)
    arguments = ["sweep", str(tmp_path / "mine.toml"), "--jobs", "1", "--out", str(tmp_path / "out")]
    for found, played in ((0, QUICK_RUNS), (QUICK_RUNS, 0)):
        monkeypatch.setattr(sys, "argv", ["neucb", *arguments])
        with pytest.raises(SystemExit) as exit_info:
            cli.main()
        assert exit_info.value.code == 0
        assert f"{QUICK_RUNS} runs, {found} stored before, {played} played" in capsys.readouterr().out
    assert len(ended(neucb.load_results(tmp_path / "out" / "small"))) == QUICK_RUNS


def test_added_seeds_keep_finished_batches(tmp_path: Path) -> None:
    experiment = parse_spec(QUICK)
    play(experiment, tmp_path)
    extended = dataclasses.replace(experiment, reporting_seeds=(0, 1, 2))
    report = play(extended, tmp_path)
    assert report.found == 4 * 8  # all tuning runs; a batch that is not full is played again
    assert len(ended(neucb.load_results(tmp_path))) == report.runs == 4 * (8 + 3)
    second_report = play(experiment, tmp_path)
    assert (second_report.found, second_report.played) == (
        QUICK_RUNS,
        0,
    )  # batches that were set aside are restored
    assert len(ended(neucb.load_results(tmp_path))) == QUICK_RUNS
