"""Folders of runs and of sweeps are read together but never share a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import neucb
from neucb.agents.recipes.registry import RECIPES
from neucb.core.errors import InputError
from neucb.runs.api import prepare
from neucb.runs.save import save
from neucb.sweeps import identity
from neucb.sweeps.store.read_results import read_results
from tests.support.command import neucb as command
from tests.support.sweeps import play

SPEC = """
[experiment]
name = "{name}"
rounds = 30
reporting_seeds = 2
datasets = ["iris"]

[[agents]]
name = "squarecb"
grid = {{ gamma = [{gamma}] }}
"""


def run(folder: Path, gamma: float) -> None:
    prepared = prepare("squarecb", "iris", 30, 2, settings={"gamma": gamma})
    prepared.play()
    save(prepared, folder)


def test_labels_contain_settings_that_differ_between_folders(tmp_path: Path) -> None:
    for name, gamma in (("one", 100.0), ("two", 30.0)):
        play(SPEC.format(name=name, gamma=gamma), tmp_path / name)
    run(tmp_path / "runs", 3.0)
    lines: list[str] = []
    results = read_results([tmp_path / name for name in ("one", "two", "runs")], lines.append)
    assert lines == []
    assert set(results.frame["agent_label"]) == {f"squarecb gamma={gamma}" for gamma in (100, 30, 3)}


def test_a_sweep_rejects_a_folder_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "runs", 3.0)
    before = sorted(path.name for path in (tmp_path / "runs").iterdir())
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(name="runs", gamma=1.0))
    with pytest.raises(InputError, match="holds runs of `neucb run`; rename the experiment"):
        neucb.sweep(spec, tmp_path, jobs=1)
    assert set(before) <= {path.name for path in (tmp_path / "runs").iterdir()}
    assert len(neucb.load_results(tmp_path / "runs")) > 0


def test_a_run_rejects_the_folder_of_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(SPEC.format(name="one", gamma=1.0), tmp_path)
    arguments = ("run", "--agent", "uniform", "--dataset", "iris", "--rounds", "20", "--out", str(tmp_path))
    assert command(monkeypatch, *arguments) == 2
    assert "is the folder of a sweep; name another one with --out" in capsys.readouterr().err


def test_code_changes_without_effect_on_batches_are_not_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(SPEC.format(name="one", gamma=1.0), tmp_path)
    monkeypatch.setattr("neucb.sweeps.sweep.code_version", lambda *_: "another")
    assert play(SPEC.format(name="one", gamma=1.0), tmp_path).played == 0
    assert "played by other code" not in capsys.readouterr().out


def test_the_hash_of_user_code_covers_all_recipe_rows() -> None:
    rows = {identity._file(module) for module in identity.ROWS}
    assert rows <= identity.files_of(None)
    assert rows.isdisjoint(identity.files_of(RECIPES["kl"]))
