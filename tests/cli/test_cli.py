"""Command line: output, files, one-line errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from neucb import cli
from neucb.agents.recipes.registry import RECIPES
from tests.support.command import RUN, neucb
from tests.support.openml_server import FakeOpenML

COMMANDS = [
    str(command.name or command.callback.__name__)
    for command in cli.app.app.registered_commands
    if command.callback
]


def test_run_prints_a_table_and_writes_three_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *RUN, "--out", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    for text in ("kl-perturbed", "best fixed arm", "uniform", "95 % interval", "rounds/s", "scikit-learn"):
        assert text in printed
    paths = {path.suffix: path for path in tmp_path.iterdir()}
    assert set(paths) == {".parquet", ".json", ".png"}
    assert all(str(path.name) in printed.replace("\n", "") for path in paths.values())
    frame = pd.read_parquet(paths[".parquet"])
    assert frame["round"].max() == 60
    manifest = json.loads(paths[".json"].read_text())
    assert manifest["complete"] is True
    assert manifest["configuration"]["environment"]["source"] == "scikit-learn"
    assert manifest["versions"]["torch"]
    assert paths[".png"].read_bytes().startswith(b"\x89PNG")


def test_json_is_one_object_with_the_documented_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *RUN, "--json", "--agent", "sq", "--out", str(tmp_path)) == 0
    summary = json.loads(capsys.readouterr().out)
    assert {
        "agent",
        "dataset",
        "source",
        "rounds",
        "seeds",
        "regret",
        "mean_regret",
        "ci95",
        "best_fixed_arm_regret",
        "L_star",
        "seconds",
        "rounds_per_second",
        "engine",
    } <= set(summary)
    assert summary["agent"] == "sq"
    assert len(summary["regret"]) == len(summary["best_fixed_arm_regret"]["per_seed"]) == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--delay", "3"), "it supports no delayed losses"),
        (("--engine", "torch"), None),
        ((), None),
    ],
)
def test_the_reason_for_the_torch_engine_is_printed(
    options: tuple[str, ...],
    reason: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert neucb(monkeypatch, *RUN, *options, "--agent", "uniform", "--out", str(tmp_path)) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert ("torch engine" in printed) == bool(options)
    assert printed.count("not the compiled engine") == (reason is not None)
    assert reason is None or f"not the compiled engine: {reason}" in printed


def test_quiet_prints_paths_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *RUN, "--quiet", "--out", str(tmp_path)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert len(captured.out.splitlines()) == 3


def test_equal_configurations_share_a_file_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for extra in ((), (), ("--set", "gamma=3")):
        assert neucb(monkeypatch, *RUN, "--quiet", "--out", str(tmp_path), *extra) == 0
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_set_takes_several_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--set", "gamma=3", "lr=0.2", "--set", "width=8", "--json", "--out", str(tmp_path))
    assert neucb(monkeypatch, *RUN, *options) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["gamma"], settings["lr"], settings["width"]) == (3.0, 0.2, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--agent", "sqarecb"), "unknown agent 'sqarecb': did you mean 'squarecb'?"),
        (("run", "--dataset", "covertyp"), "unknown data set 'covertyp': did you mean 'covertype'?"),
        (("run", "--dataset", "openml:abc@x"), "openml:mushroom@1"),
        (("run", "--rounds", "many"), "'--rounds'"),
        (("run", "--rounds", "0"), "rounds must be a whole number of at least 1"),
        (("run", "--seeds", "x"), "no valid seeds"),
        (("run", "--set", "gama=3"), "unknown setting of kl-perturbed 'gama': did you mean 'gamma'?"),
        (("run", "--set", "gamma"), "key=value"),
        (("run", "--set", "gamma=1", "gamma=2"), "twice"),
        (("run", "--label-noise", "0.95", "--dataset", "iris"), "label noise"),
        (("run", "--preprocessing", "raw", "--dataset", "iris"), "unknown preprocessing 'raw'"),
        (("run", "--source", "web"), "unknown source 'web'"),
        (("run", "--source", "openml", "--dataset", "iris"), "scikit-learn's table"),
        (("run", "--source", "bundled", "--dataset", "letter"), "not bundled"),
        (("run", "--openml-cache", "no/such/folder"), "no OpenML cache at no/such/folder"),
        (("run", "--device", "cuda:9", "--dataset", "iris"), "CUDA"),
        (("run", "--nonsense"), "--nonsense"),
        (("runn",), "runn"),
    ],
)
def test_invalid_input_is_a_one_line_error_with_exit_code_2(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert neucb(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("neucb: error: ")
    assert message in lines[0]
    assert captured.out == ""


def test_a_diverging_agent_is_a_one_line_error_with_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--agent", "sq", "--set", "lr=100", "--quiet", "--out", str(tmp_path))
    assert neucb(monkeypatch, *RUN, *options) == 1
    assert "diverged" in capsys.readouterr().err


def test_agents_and_datasets_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, "agents") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert neucb(monkeypatch, "agents", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["parameters"]["gamma"]["default"]
    assert all(row["formula"] and row["source"] for row in rows)
    assert neucb(monkeypatch, "agents", "neural-ucb") == 0
    printed = " ".join(capsys.readouterr().out.split())
    for text in ("arXiv 1911.04462", "plays argmin (mean_a - alpha std_a)", "alpha 0.1 >= 0"):
        assert text in printed
    assert neucb(monkeypatch, "agents", "neural-ubc") == 2
    assert "did you mean 'neural-ucb'" in capsys.readouterr().err
    assert neucb(monkeypatch, "datasets") == 0
    assert "covertype" in capsys.readouterr().out
    assert neucb(monkeypatch, "datasets", "--json") == 0
    assert {"covertype", "iris"} <= {row["name"] for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS), ("datasets", "show")])
def test_every_command_has_a_help(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *command, "--help") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Usage: ")
    assert "Options:" in printed


def test_python_dash_m_runs_the_command() -> None:
    command = [sys.executable, "-m", "neucb", "--version"]
    completed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert completed.stdout.startswith("neucb ")


def test_a_failing_data_set_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file gives exit code 1; the others are played and saved."""
    arguments = (
        "run",
        "--dataset",
        "iris,nowhere.csv",
        "--dataset",
        "win?",
        "--rounds",
        "30",
        "--seeds",
        "2",
    )
    monkeypatch.setenv("NEUCB_OPENML_SERVER", "http://127.0.0.1:9/api/v1/xml")
    assert neucb(monkeypatch, *arguments, "--json", "--out", str(tmp_path)) == 1
    captured = capsys.readouterr()
    played = [summary["dataset"] for summary in json.loads(captured.out)]
    assert played[:2] == ["iris", "wine"]
    assert "nowhere.csv: there is no file nowhere.csv" in captured.err
    assert len(list(tmp_path.glob("*.parquet"))) == len(played)


def test_a_file_with_a_target_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("kind,a,b\n" + "x,1,2\ny,2,1\n" * 30)
    arguments = ("run", "--dataset", str(path), "--target", "kind", "--seeds", "2", "--json")
    assert neucb(monkeypatch, *arguments, "--out", str(tmp_path / "out")) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["dataset"], summary["source"], summary["rounds"]) == ("mine", "file", 60)


def test_show_prints_size_types_licence_and_classes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, "datasets", "show", "covertype", "--source", "bundled") == 0
    printed = capsys.readouterr().out
    for text in ("20,000", "10 numeric, 44 nominal", "54 (standard)", "CC BY 4.0", "50.95%"):
        assert text in printed
    assert neucb(monkeypatch, "datasets", "show", "iris", "--json") == 0
    assert json.loads(capsys.readouterr().out)["best_fixed_arm"] == pytest.approx(2 / 3)


@pytest.mark.slow
def test_fetch_downloads_each_data_set_once(
    server: FakeOpenML,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two data sets are downloaded once; one does not exist."""
    arguments = ("datasets", "fetch", "openml:7,openml:8", "openml:99", "iris", "--openml-cache", str(cache))
    assert neucb(monkeypatch, *arguments) == 1
    captured = capsys.readouterr()
    assert "3 of 4 data sets are in the cache" in captured.out
    assert "openml:99" in captured.err
    assert "Unknown dataset" in captured.err
    requests = len(server.requests)
    assert neucb(monkeypatch, *arguments[:3], "--openml-cache", str(cache)) == 0
    assert len(server.requests) == requests


def test_without_a_command_the_help_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("Usage: ")
    for name in COMMANDS:
        assert f"\n  {name} " in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bogus",), "No such option: --bogus"),
        (("rnu",), "No such command 'rnu'"),
        (("run", "--bogus"), "No such option: --bogus"),
        (("datasets", "--bogus"), "No such option: --bogus"),
        (("datasets", "show"), "Missing argument 'name'"),
        (("sweep",), "Missing argument 'spec'"),
    ],
)
def test_usage_errors_are_one_line(
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert neucb(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith(f"neucb: error: {message}")
