"""A sweep compiles the kernels that it lacks before it plays, different ones in parallel processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neucb.kernels.cache import from_cache_only
from neucb.runs.api import prepare
from tests.support.paths import ROOT

SPEC = """
[experiment]
name = "cold"
rounds = 100
datasets = ["iris"]
reporting_seeds = 2

[[agents]]
name = "squarecb"

[[agents]]
name = "uniform"

[[agents]]
name = "linucb"
"""


def test_kernels_in_the_cache_are_loaded() -> None:
    run = prepare("squarecb", "iris", 20, 1)
    run.load()
    with from_cache_only():
        prepare("squarecb", "iris", 20, 1).load()


@pytest.mark.slow
def test_a_sweep_without_kernels_compiles_different_ones_together(tmp_path: Path) -> None:
    """Squarecb and linucb share a kernel."""
    spec = tmp_path / "cold.toml"
    spec.write_text(SPEC)
    command = [sys.executable, "-m", "neucb", "sweep", str(spec), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    lines = []
    for _ in range(2):
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        lines.append(done.stdout + done.stderr)
        for path in (tmp_path / "out").rglob("*.parquet"):
            path.unlink()  # so that the second sweep plays again
    assert "compiling 2 kernels in parallel, once; later runs load them" in lines[0]
    assert "compiling" not in lines[1]
