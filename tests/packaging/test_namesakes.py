"""User files with the names of Python modules do not shadow these."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import neucb
from neucb.core.threads import leave_safe_path, safe_path
from tests.support.paths import ROOT

NAMESAKES = ("copy", "statistics", "random", "types", "numpy", "torch", "joblib", "gymnasium")
AGENT = """\
import copy, os, statistics, subprocess, sys
import torch
import helper_of_mine

class Even:
    def reset(self, spec):
        assert copy.copy([1]) == [1]
        assert statistics.mean([1, 3]) == 2
        subprocess.run([sys.executable, helper_of_mine.SCRIPT], check=True)
        self.p = torch.full((spec.replicas, spec.arms), 1.0 / spec.arms)

    def distribution(self, context):
        return self.p

    def update(self, context, action, loss):
        pass
"""
SPEC = """\
[experiment]
name = "own"
rounds = 30
reporting_seeds = 2
engine = "torch"
datasets = ["iris", "wine"]
[[agents]]
name = "mine.py:Even"
"""
COMMANDS = {
    "command": [sys.executable, str(ROOT / "neucb_command.py")],
    "module": [sys.executable, "-m", "neucb"],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a spec, an agent that starts a script in another folder, and namesakes."""
    for name in NAMESAKES:
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('the user has a file {name}.py')\n")
    (tmp_path / "mine.py").write_text(AGENT)
    (tmp_path / "spec.toml").write_text(SPEC)
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "script.py").write_text("import neighbour\n")
    (scripts / "neighbour.py").write_text("")
    (tmp_path / "helper_of_mine.py").write_text(f"SCRIPT = {str(scripts / 'script.py')!r}\n")
    return tmp_path


def call(entry_point: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMANDS[entry_point], *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("entry_point", COMMANDS)
def test_a_run_in_a_folder_with_namesakes(entry_point: str, home: Path) -> None:
    for agent in ("./mine.py:Even", "mine:Even"):
        completed = call(
            entry_point,
            "run",
            "--agent",
            agent,
            "--dataset",
            "iris",
            "--rounds",
            "30",
            "--quiet",
            folder=home,
        )
        assert completed.returncode == 0, completed.stderr
        assert completed.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(("entry_point", "inside"), [*zip(COMMANDS, (True, False), strict=True)])
def test_a_sweep_over_processes_with_namesakes(entry_point: str, inside: bool, home: Path) -> None:
    spec, folder = ("spec.toml", home) if inside else (str(home / "spec.toml"), home.parent)
    completed = call(entry_point, "sweep", spec, "--jobs", "2", "--out", str(home / "out"), folder=folder)
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    assert neucb.load_results(home / "out" / "own")["seed"].nunique() == 2


@pytest.mark.parametrize("value", [None, "yes"])
def test_the_environment_variable_is_restored(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    if value is not None:
        monkeypatch.setenv("PYTHONSAFEPATH", value)
    with safe_path():
        assert os.environ["PYTHONSAFEPATH"]
        inner = dict(os.environ)
    assert os.environ.get("PYTHONSAFEPATH") == value
    monkeypatch.setattr(os, "environ", inner)
    leave_safe_path()
    assert inner.get("PYTHONSAFEPATH") == value
