"""Small sweeps, in this process and in others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import local
from neucb.sweeps.play.progress import Report
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.spec.sweep_spec import Experiment
from neucb.sweeps.sweep import sweep

SPEC = """
[experiment]
name = "small"
rounds = 120
tuning_seeds = "100:102"
reporting_seeds = 2
datasets = ["iris", "wine"]
label_noise = [0.0, 0.1]

[[agents]]
name = "kl"
settings = { width = 8 }
grid = { lr = [0.5, 1.0], gamma = [10.0, 100.0] }

[[agents]]
name = "neural-epsilon"
label = "epsilon"
settings = { width = 8 }
grid = { epsilon = [0.05, 0.1] }

[[agents]]
name = "uniform"
"""
QUICK = SPEC[: SPEC.index('[[agents]]\nname = "neural')]  # only the compiled agent
QUICK_RUNS = 4 * (8 + 2)


def play(spec: str | Experiment, folder: Path, jobs: int = 1, *, report_only: bool = False) -> Report:
    experiment = parse_spec(spec) if isinstance(spec, str) else spec
    return sweep(experiment, folder, lambda tasks: local(tasks, jobs), Data(), report_only=report_only)


def ended(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["round"] == 120]


# Enough rounds for a signal to interrupt: about 2 s of one core in 16 batches.
LONG = """
[experiment]
name = "long"
rounds = 3000
recycle = true
datasets = ["iris", "wine"]
label_noise = [0.0, 0.1]
reporting_seeds = 40

[[agents]]
name = "kl"
grid = { lr = [0.5, 1.0, 1.5, 2.0] }
"""
LONG_RUNS = 4 * 160


def command(folder: Path, spec: str, *options: str) -> list[str]:
    (folder / "spec.toml").write_text(spec)
    arguments = ["sweep", str(folder / "spec.toml"), "--out", str(folder), *options]
    return [sys.executable, "-m", "neucb", *arguments]


def start(folder: Path, spec: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(folder, spec, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
    )


def stored(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*.parquet")}


def wait_for_some(folder: Path, process: subprocess.Popen[str], count: int = 2) -> None:
    limit = time.monotonic() + 60
    while len(stored(folder)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)
