"""`neucb warmup` compiles the kernels that runs load afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import neucb as command


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "neucb", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
def test_runs_after_warmup_compile_nothing(tmp_path: Path) -> None:
    completed = call(tmp_path, "warmup", "--agent", "squarecb,uniform")
    assert completed.stdout.startswith("kernels of 2 agents are ready")
    assert completed.stderr == ""
    kernels = sorted(tmp_path.joinpath("cache").rglob("*.nbc"))
    assert any("linear.linear-" in path.name for path in kernels)
    arguments = ("run", "--agent", "squarecb", "--dataset", "iris", "--rounds", "60", "--quiet")
    for options in (("--order", "shuffled"), ("--order", "weakest-class"), ("--engine", "torch")):
        assert "compiling" not in call(tmp_path, *arguments, *options).stderr
    assert sorted(tmp_path.joinpath("cache").rglob("*.nbc")) == kernels


def test_an_unknown_agent_is_rejected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "warmup", "--agent", "nothing-like-it") == 2
    assert "unknown agent" in capsys.readouterr().err
