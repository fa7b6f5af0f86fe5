"""The command line as a user meets it: output, files, errors in one line, exit codes."""

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
    for words in ("kl-perturbed", "best fixed arm", "uniform", "95 % interval", "rounds/s", "scikit-learn"):
        assert words in printed
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


def test_json_is_one_object_with_the_promised_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *RUN, "--json", "--agent", "sq", "--out", str(tmp_path)) == 0
    figures = json.loads(capsys.readouterr().out)
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
    } <= set(figures)
    assert figures["agent"] == "sq"
    assert len(figures["regret"]) == len(figures["best_fixed_arm_regret"]["per_seed"]) == 2


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--delay", "3"), "it supports no delayed losses"),
        (("--engine", "torch"), None),
        ((), None),
    ],
)
def test_it_says_why_the_compiled_engine_did_not_play(
    more: tuple[str, ...],
    reason: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert neucb(monkeypatch, *RUN, *more, "--agent", "uniform", "--out", str(tmp_path)) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert ("torch engine" in words) == bool(more)
    assert words.count("not the compiled engine") == (reason is not None)
    assert reason is None or f"not the compiled engine: {reason}" in words


def test_quiet_prints_paths_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *RUN, "--quiet", "--out", str(tmp_path)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert len(captured.out.splitlines()) == 3


def test_one_configuration_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for extra in ((), (), ("--set", "gamma=3")):
        assert neucb(monkeypatch, *RUN, "--quiet", "--out", str(tmp_path), *extra) == 0
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_set_takes_several_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--set", "gamma=3", "lr=0.2", "--set", "width=8", "--json", "--out", str(tmp_path))
    assert neucb(monkeypatch, *RUN, *words) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["gamma"], settings["lr"], settings["width"]) == (3.0, 0.2, 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
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
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...],
    words: str,
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
    assert words in lines[0]
    assert captured.out == ""


def test_a_diverging_agent_is_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--agent", "sq", "--set", "lr=100", "--quiet", "--out", str(tmp_path))
    assert neucb(monkeypatch, *RUN, *words) == 1
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
    for words in ("arXiv 1911.04462", "plays argmin (mean_a - alpha std_a)", "alpha 0.1 a number at least 0"):
        assert words in printed
    assert neucb(monkeypatch, "agents", "neural-ubc") == 2
    assert "did you mean 'neural-ucb'" in capsys.readouterr().err
    assert neucb(monkeypatch, "datasets") == 0
    assert "covertype" in capsys.readouterr().out
    assert neucb(monkeypatch, "datasets", "--json") == 0
    assert {"covertype", "iris"} <= {row["name"] for row in json.loads(capsys.readouterr().out)}


def test_a_folder_that_cannot_be_written_is_found_out_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert neucb(monkeypatch, *RUN, "--out", str(tmp_path / "file" / "below")) == 1
    err = capsys.readouterr().err
    assert "cannot write results" in err
    assert "--out" in err


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS), ("datasets", "show")])
def test_help_of_every_command(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *command, "--help") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Usage: ")
    assert "Options:" in printed


def test_python_dash_m_is_the_command() -> None:
    command = [sys.executable, "-m", "neucb", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("neucb ")


def test_several_data_sets_and_a_failing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file does not exist: the others are played and saved, the exit code tells."""
    words = ("run", "--dataset", "iris,nowhere.csv", "--dataset", "win?", "--rounds", "30", "--seeds", "2")
    monkeypatch.setenv("NEUCB_OPENML_SERVER", "http://127.0.0.1:9/api/v1/xml")
    assert neucb(monkeypatch, *words, "--json", "--out", str(tmp_path)) == 1
    captured = capsys.readouterr()
    played = [one["dataset"] for one in json.loads(captured.out)]
    assert played[:2] == ["iris", "wine"]
    assert "nowhere.csv: there is no file nowhere.csv" in captured.err
    assert len(list(tmp_path.glob("*.parquet"))) == len(played)


def test_a_file_with_a_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("kind,a,b\n" + "x,1,2\ny,2,1\n" * 30)
    words = ("run", "--dataset", str(path), "--target", "kind", "--seeds", "2", "--json")
    assert neucb(monkeypatch, *words, "--out", str(tmp_path / "out")) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["dataset"], figures["source"], figures["rounds"]) == ("mine", "file", 60)


def test_show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert neucb(monkeypatch, "datasets", "show", "covertype", "--source", "bundled") == 0
    printed = capsys.readouterr().out
    for words in ("20,000", "10 numeric, 44 nominal", "54 (standard)", "CC BY 4.0", "50.95%"):
        assert words in printed
    assert neucb(monkeypatch, "datasets", "show", "iris", "--json") == 0
    assert json.loads(capsys.readouterr().out)["best_fixed_arm"] == pytest.approx(2 / 3)


@pytest.mark.slow
def test_fetch(
    server: FakeOpenML,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two sets and one that does not exist; asking again downloads nothing that is there."""
    words = ("datasets", "fetch", "openml:7,openml:8", "openml:99", "iris", "--openml-cache", str(cache))
    assert neucb(monkeypatch, *words) == 1
    captured = capsys.readouterr()
    assert "3 of 4 data sets are in the cache" in captured.out
    assert "openml:99" in captured.err
    assert "Unknown dataset" in captured.err
    asked = len(server.asked)
    assert neucb(monkeypatch, *words[:3], "--openml-cache", str(cache)) == 0
    assert len(server.asked) == asked


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
    ("words", "line"),
    [
        (("--bogus",), "No such option: --bogus"),
        (("rnu",), "No such command 'rnu'"),
        (("run", "--bogus"), "No such option: --bogus"),
        (("datasets", "--bogus"), "No such option: --bogus"),
        (("datasets", "show"), "Missing argument 'name'"),
        (("sweep",), "Missing argument 'spec'"),
    ],
)
def test_mistakes_of_usage_are_one_line(
    words: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (said,) = captured.err.splitlines()
    assert said.startswith(f"neucb: error: {line}")
