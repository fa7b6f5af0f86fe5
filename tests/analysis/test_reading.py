"""Logs put together: names of competitors and data sets, what is left out; and neucb plot."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from neucb import cli
from neucb.core.errors import InputError
from neucb.report.bounds import bounds_table
from neucb.runs.api import prepare
from neucb.runs.save import save
from neucb.statistics import final_scores, mean_table
from neucb.sweeps.store.read_results import read_results


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two agents, one of them with two settings; clean and noisy labels."""
    folder = tmp_path_factory.mktemp("runs")
    for agent, settings, noise in (
        ("squarecb", {"gamma": 10.0}, 0.0),
        ("squarecb", {"gamma": 50.0}, 0.0),
        ("uniform", {}, 0.0),
        ("uniform", {}, 0.2),
    ):
        job = prepare(agent, "iris", 40, 3, settings=settings, label_noise=noise)
        job.play()
        save(job, folder)
    return folder


def neucb(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["neucb", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_settings_and_conditions_that_differ_are_named(runs: Path) -> None:
    said: list[str] = []
    results = read_results([runs], said.append)
    table = mean_table(final_scores(results.frame))
    assert set(table.columns) == {"squarecb gamma=10", "squarecb gamma=50", "uniform"}
    assert set(table.index) == {"iris", "iris, label noise 0.2"}
    assert table.notna().to_numpy().sum() == 4
    assert (results.frame["arms"] == 3).all()
    assert len(results.manifests) == 4
    assert said == []


def test_conditions_are_not_taken_for_settings(tmp_path: Path) -> None:
    """Networks have a setting `batch_size`, and `--feedback-batch` is a condition."""
    for batch in (1, 5):
        job = prepare(
            "sq",
            "iris",
            40,
            2,
            settings={"updates_per_round": 4, "batch_size": 8},
            feedback_batch=batch,
            order="sorted",
        )
        job.play()
        save(job, tmp_path)
    frame = read_results([tmp_path], pytest.fail).frame
    assert set(frame["dataset"]) == {"iris, order sorted", "iris, order sorted, feedback batch 5"}
    assert set(frame["agent_label"]) == {"sq"}


def test_one_log_is_named_by_its_agent(runs: Path) -> None:
    log = next(runs.glob("squarecb*.parquet"))
    frame = read_results([log], pytest.fail).frame
    assert set(frame["agent_label"]) == {"squarecb"}
    assert set(frame["dataset"]) == {"iris"}


def test_runs_that_ended_early_are_left_out(runs: Path, tmp_path: Path) -> None:
    log = next(runs.glob("uniform*.parquet"))
    (tmp_path / "part.parquet").write_bytes(log.read_bytes())
    manifest = json.loads(log.with_suffix(".json").read_text())
    (tmp_path / "part.json").write_text(json.dumps(manifest | {"complete": False}))
    said: list[str] = []
    with pytest.raises(InputError, match="no complete run"):
        read_results([tmp_path], said.append)
    assert said == ["left out part.parquet: the run ended early"]


def test_the_same_run_twice_counts_once(runs: Path, tmp_path: Path) -> None:
    log = next(runs.glob("uniform*.parquet"))
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(log.read_bytes())
        (tmp_path / f"{name}.json").write_bytes(log.with_suffix(".json").read_bytes())
    said: list[str] = []
    frame = read_results([tmp_path], said.append).frame
    assert len(frame) == len(pd.read_parquet(log))
    assert len(said) == 1
    assert "played twice" in said[0]


def test_different_lengths_are_different_worlds(runs: Path, tmp_path: Path) -> None:
    job = prepare("uniform", "iris", 20, 2)
    job.play()
    save(job, tmp_path)
    frame = read_results([runs, tmp_path], pytest.fail).frame
    assert set(frame["dataset"]) == {"iris, 20 rounds", "iris, 40 rounds", "iris, label noise 0.2"}


def test_what_is_no_log_is_said_in_one_line(tmp_path: Path) -> None:
    def reading(path: Path) -> str:
        with pytest.raises(InputError) as error:
            read_results([path], pytest.fail)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert reading(tmp_path / "nowhere") == f"there is no folder or file {tmp_path / 'nowhere'}"
    assert reading(tmp_path) == f"no log in {tmp_path}"
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    assert "broken.parquet cannot be read" in reading(broken)
    pd.DataFrame({"a": [1]}).to_parquet(broken)
    assert reading(broken) == f"{broken} is not the log of a run: it has no column 'agent'"


SWEEP = """
[experiment]
name = "small"
rounds = 60
datasets = ["iris"]
tuning_seeds = "100:102"
reporting_seeds = 2

[[agents]]
name = "squarecb"
label = "linear"
grid = { gamma = [30, 100] }

[[agents]]
name = "uniform"
"""


def play_sweep(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "small.toml").write_text(text)
    arguments = (str(folder / "small.toml"), "--jobs", "1", "--out", str(folder), "--quiet")
    assert neucb(monkeypatch, "sweep", *arguments) == 0
    return folder / "small"


def test_a_sweep_reports_its_reporting_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = play_sweep(SWEEP, tmp_path, monkeypatch)
    results = read_results([folder], pytest.fail)
    assert set(results.frame["agent_label"]) == {"linear", "uniform"}
    assert set(results.frame["seed"]) == {0, 1}
    assert set(results.frame["arms"]) == {3}
    assert len(final_scores(results.frame)) == 4
    next(folder.glob("uniform_*reporting*.parquet")).write_bytes(b"")
    said: list[str] = []
    assert set(read_results([folder], said.append).frame["agent_label"]) == {"linear"}
    assert len(said) == 1
    assert "is not complete: 1 of 3 batches" in said[0]


def test_a_sweep_names_what_all_its_runs_were_played_under(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late loss is no guarantee's: that must be known of sweeps too."""
    more = "delay = 5\nfeedback_batch = 2\ndrift = [30]\nlabel_noise = 0.1"
    late = SWEEP.replace("rounds = 60", f"rounds = 60\n{more}")
    frame = read_results([play_sweep(late, tmp_path, monkeypatch)], pytest.fail).frame
    assert set(frame["dataset"]) == {"iris, label noise 0.1, drift 30, delay 5, feedback batch 2"}
    with pytest.raises(InputError, match="bounds need agents"):
        bounds_table(frame)


def test_a_grid_that_was_not_tuned_keeps_its_settings_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = play_sweep(SWEEP.replace('tuning_seeds = "100:102"\n', ""), tmp_path, monkeypatch)
    frame = read_results([folder], pytest.fail).frame
    assert set(frame["agent_label"]) == {"linear gamma=30", "linear gamma=100", "uniform"}
    assert len(final_scores(frame)) == 6


def test_plot_draws_a_folder_of_runs(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, arguments in (
        ("a.svg", ["--x", "sqrt", "--bounds"]),
        ("new/b.pdf", ["--kind", "lstar"]),
        ("c.png", ["--kind", "winloss"]),
    ):
        assert neucb(monkeypatch, "plot", str(runs), "-o", str(tmp_path / file), *arguments) == 0
        assert (tmp_path / file).stat().st_size > 1000
        assert capsys.readouterr().out.split() == [str(tmp_path / file)]


def test_plot_refuses_other_files(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, "plot", str(runs), "-o", str(tmp_path / "a.jpg")) == 2
    assert "a plot is a .pdf, .png or .svg file, not 'a.jpg'" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert neucb(monkeypatch, "plot", str(runs), "-o", str(tmp_path / "file" / "a.png")) == 1
    error = capsys.readouterr().err
    assert "name another folder with -o" in error
    assert error.count("\n") == 1
