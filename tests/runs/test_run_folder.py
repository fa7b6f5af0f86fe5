"""Folders of runs are read like those of sweeps: `neucb results`, `neucb.load_results`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.runs.save import save
from neucb.sweeps.store.load_times import load_times
from neucb.sweeps.store.read_results import read_results
from neucb.sweeps.tables import regret_table
from tests.support.command import neucb as command


def play(
    folder: Path, agent: Any = "uniform", dataset: str = "iris", rounds: int = 60, **options: Any
) -> Run:
    run = prepare(agent, dataset, rounds, **{"seeds": 3, **options})
    run.play()
    save(run, folder)
    return run


def table(folder: Path) -> pd.DataFrame:
    return regret_table(neucb.load_results(folder))


def test_columns_and_numbers_equal_those_of_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(
        '[experiment]\nname = "x"\nrounds = 60\nreporting_seeds = 3\ndatasets = ["iris", "wine"]\n'
        '[[agents]]\nname = "kl"\n[[agents]]\nname = "uniform"\n'
    )
    swept = neucb.sweep(tmp_path / "spec.toml", tmp_path, jobs=1)
    for agent in ("kl", "uniform"):
        for dataset in ("iris", "wine"):
            play(tmp_path / "runs", agent, dataset)
    runs = neucb.load_results(tmp_path / "runs")
    assert set(runs) == set(swept)
    assert runs.attrs == {"failures": [], "missing": []}
    order = ["dataset", "agent", "seed", "round"]
    left, right = (frame.sort_values(order, ignore_index=True)[[*swept]] for frame in (runs, swept))
    pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(table(tmp_path / "runs"), regret_table(swept), check_dtype=False)


@pytest.mark.slow
def test_runs_under_different_conditions_are_not_mixed(tmp_path: Path) -> None:
    """Every run has its own row and mean."""
    runs = [
        play(tmp_path),
        play(tmp_path, rounds=40),
        play(tmp_path, delay=2),
        play(tmp_path, drift=(30,)),
        play(tmp_path, label_noise=0.2),
        play(tmp_path, order="sorted"),
        play(tmp_path, preprocessing="paper"),
        play(tmp_path, cost=1.0 - pd.DataFrame([[1, 0, 0.5]] * 3).to_numpy()),
        play(tmp_path, "kl", settings={"lr": 0.5}),
        play(tmp_path, "kl", settings={"lr": 1.0}),
        play(tmp_path, "kl", settings={"lr": [0.1, 0.2, 0.3]}),
    ]
    rows = table(tmp_path)
    counts = rows[rows["agent_label"] == "uniform"].shape[0], rows[rows["agent_label"] != "uniform"].shape[0]
    assert counts == (8, 2 + 3)
    for run in runs[:-1]:
        last = run.frame().groupby("seed").tail(1)
        mean = float(last["regret"].mean())
        assert ((rows["regret"] - mean).abs() < 1e-9).any()
    assert {name for name in rows["dataset"] if "delay 2" in name}
    assert {name for name in rows["dataset"] if "drift 30" in name}
    assert {name for name in rows["dataset"] if "40 rounds" in name}


def test_changed_data_and_continued_agents_have_their_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for shift in (0, 1):
        rows = "".join(f"{i % 7},{'pq'[(i + shift * (i > 40)) % 2]}\n" for i in range(80 + shift))
        Path("data.csv").write_text("a,y\n" + rows)
        play(tmp_path / "data", dataset="data.csv")
    assert len(table(tmp_path / "data")) == 2
    first = prepare("squarecb", "iris", 60, 3, keep_agent=True)
    first.play()
    save(first, tmp_path / "on")
    play(tmp_path / "on", first.agent, seeds=None)
    continued_rows = table(tmp_path / "on")
    assert set(continued_rows["agent_label"]) == {"squarecb", "squarecb, after 60 rounds"}
    assert set(neucb.load_results(tmp_path / "on")["agent"]) == {"squarecb"}


def test_seeds_of_several_runs_are_joined_without_duplicates(tmp_path: Path) -> None:
    play(tmp_path, seeds="0:3")
    play(tmp_path, seeds="3:5")
    (row,) = table(tmp_path).to_dict("records")
    assert row["seeds"] == 5
    play(tmp_path, seeds="4:6", engine="torch")
    with pytest.warns(UserWarning, match="uniform was played twice on iris with some seeds; the first"):
        (row,) = table(tmp_path).to_dict("records")
    assert row["seeds"] == 6


def test_results_shows_a_folder_or_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = play(tmp_path / "runs")
    mean = f"{run.frame().groupby('seed').tail(1)['regret'].mean():,.1f}"
    (log,) = (tmp_path / "runs").glob("*.parquet")
    for path in (tmp_path / "runs", log):
        arguments = (
            "results",
            str(path),
            "--export",
            str(tmp_path / "t.csv"),
            "--rows",
            str(tmp_path / "r.csv"),
        )
        assert command(monkeypatch, *arguments) == 0
        assert mean in capsys.readouterr().out
        assert pd.read_csv(tmp_path / "t.csv")["seeds"].tolist() == [3]
        assert len(pd.read_csv(tmp_path / "r.csv")) == len(run.frame())


def test_omitted_runs_and_missing_results_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = prepare("uniform", "iris", 60, 2, engine="torch")

    def stop(rounds: int) -> None:
        if rounds == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.play(stop)
    save(run, tmp_path / "runs")
    with (
        pytest.warns(UserWarning, match=r"left out .*: the run ended early"),
        pytest.raises(InputError, match="no complete run in"),
    ):
        neucb.load_results(tmp_path / "runs")
    play(tmp_path / "runs")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert command(monkeypatch, "results", str(tmp_path / "runs")) == 0
    assert "the run ended early" in capsys.readouterr().err
    for path, message in (
        (tmp_path / "none", "is no folder of runs or of a sweep"),
        (tmp_path, "is no folder of runs or of a sweep"),
    ):
        assert command(monkeypatch, "results", str(path)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    (tmp_path / "spec.toml").write_text(
        '[experiment]\nname = "x"\nrounds = 9\nreporting_seeds = 1\ndatasets = ["iris"]\n'
        '[[agents]]\nname = "uniform"\n'
    )
    neucb.sweep(tmp_path / "spec.toml", tmp_path, jobs=1)
    (tmp_path / "x" / "_plan.json").unlink()
    with pytest.raises(InputError, match=r"is of a sweep without its _plan\.json"):
        neucb.load_results(tmp_path / "x")


@pytest.mark.slow
def test_a_stored_run_of_the_same_code_is_not_played_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stored runs are shown without playing; the others are played."""
    arguments = (
        "run",
        "--agent",
        "uniform",
        "--rounds",
        "40",
        "--seeds",
        "2",
        "--json",
        "--out",
        str(tmp_path),
    )

    def play(*options: str) -> tuple[list[dict[str, Any]], list[str]]:
        assert command(monkeypatch, *arguments, *options) == 0
        captured = capsys.readouterr()
        parsed = json.loads(captured.out)
        return parsed if isinstance(parsed, list) else [parsed], captured.err.splitlines()

    ((first,), lines) = play("--dataset", "iris")
    assert lines == []
    summaries, lines = play("--dataset", "iris,wine")
    (log,) = tmp_path.glob("uniform_iris_*.parquet")
    assert lines == [f"neucb: stored before, not played again: {log}"]
    assert summaries[0] == first
    assert [summary["dataset"] for summary in summaries] == ["iris", "wine"]
    plot = log.with_suffix(".png")
    plot.unlink()
    assert len(play("--dataset", "iris,wine")[1]) == 2
    assert plot.is_file()
    for options in (("--trace",), ("--order", "sorted"), ("--seeds", "3")):
        assert play("--dataset", "iris", *options)[1] == []
        assert len(play("--dataset", "iris", *options)[1]) == 1
    assert play("--dataset", "iris", "--trace", "full")[1] == []
    content = log.read_bytes()
    log.write_bytes(b"damaged")
    assert play("--dataset", "iris")[1] == []
    assert log.read_bytes() == content
    monkeypatch.setattr("neucb.core.provenance.commit", lambda: "another")
    assert len(play("--dataset", "iris")[1]) == 1
    monkeypatch.setattr("neucb.core.provenance.source_hash", lambda: "changed")
    assert [len(play("--dataset", "iris")[1]) for _ in range(2)] == [0, 1]


def test_unknown_regret_is_printed_for_stored_runs_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(
        "import gymnasium as gym\n"
        "def make(num_envs):\n"
        "    return gym.vector.SyncVectorEnv([lambda: gym.make('CartPole-v1')] * num_envs)\n"
    )
    arguments = ("run", "--agent", "uniform", "--dataset", f"{tmp_path / 'own.py'}:make", "--rounds", "20")
    outputs = []
    for _ in range(2):
        assert command(monkeypatch, *arguments, "--reward-range", "0,1", "--out", str(tmp_path / "out")) == 0
        captured = capsys.readouterr()
        outputs.append(captured.out)
    assert "stored before" in captured.err
    assert outputs[0] == outputs[1]
    assert "regret is unknown" in outputs[0]


def test_load_times_reads_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for lr in (0.5, 1.0):
        play(tmp_path, "kl", settings={"lr": lr})
    play(tmp_path, engine="torch")
    times = load_times(tmp_path)
    assert set(times["agent_label"]) == {"kl lr=0.5", "kl lr=1", "uniform"}
    assert set(times["engine"]) == {"compiled", "torch"}
    assert (times["rounds"] == 3 * 60).all()
    assert (times["cpu_seconds"] > 0).all()
    assert command(monkeypatch, "results", "--times", str(tmp_path)) == 0
    assert "kl lr=0.5" in capsys.readouterr().out


OLD = ("agent_label", "split", "preprocessing", "order", "label_noise", "config_id", "engine")
NEW = ("engine", "rounds", "rounds_played", "columns", "trace", "rows", "sha256", "failures", "playing")


def test_logs_of_former_versions_are_read(tmp_path: Path) -> None:
    """They lack columns that sweeps have, and their manifests the times."""
    play(tmp_path, "kl", settings={"lr": [0.1, 0.2, 0.3]}, label_noise=0.1)
    play(tmp_path, "squarecb", order="sorted", delay=2)
    current = neucb.load_results(tmp_path)
    named = read_results([tmp_path], pytest.fail).frame
    for log in tmp_path.glob("*.parquet"):
        pd.read_parquet(log).drop(columns=[*OLD]).to_parquet(log, index=False)
        content = json.loads(log.with_suffix(".json").read_text())
        former_content = {name: value for name, value in content.items() if name not in NEW}
        log.with_suffix(".json").write_text(json.dumps(former_content))
    pd.testing.assert_frame_equal(neucb.load_results(tmp_path), current)
    former = read_results([tmp_path], pytest.fail).frame
    pd.testing.assert_frame_equal(former[[*named]], named)
    with pytest.warns(UserWarning, match="2 logs of a former version or without a manifest have no times"):
        assert load_times(tmp_path).empty


def test_plots_and_reports_distinguish_changed_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for shift in (0, 1):
        rows = "".join(f"{i % 7},{'pq'[(i + shift * (i > 40)) % 2]}\n" for i in range(80 + shift))
        Path("data.csv").write_text("a,y\n" + rows)
        play(tmp_path / "data", dataset="data.csv")
    frame = read_results([tmp_path / "data"], pytest.fail).frame
    assert frame["dataset"].nunique() == 2
    assert all(name.startswith("data, rows 8") for name in frame["dataset"])
