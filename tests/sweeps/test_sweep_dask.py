"""Sweep on a Dask cluster: a scheduler and two worker processes on loopback, one of them killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.runs.api import prepare
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import dask
from neucb.sweeps.play.progress import Report
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.sweep import sweep
from tests.support.sweeps import LONG, LONG_RUNS, QUICK, play

pytest.importorskip("distributed", reason="dask is not installed: pip install 'neucb[cluster]'")
# Only the compiled engine, and enough batches to kill a worker in the middle.
SPEC = LONG.replace("rounds = 3000", "rounds = 1500")


def start(folder: Path, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli.dask_" + module, *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers; yield its address and the workers' processes."""
    prepare("kl", "iris", 2, 1).load()  # compile in this process
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    quiet = ("--no-dashboard", "--host", "127.0.0.1")
    processes = [start(tmp_path, "scheduler", "--port", str(port), *quiet)]
    worker = (address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
    processes += [start(tmp_path, "worker", *worker) for _ in range(2)]
    try:
        from distributed import Client

        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, processes[1:]
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


def play_remotely(spec: str, folder: Path, address: str) -> Report:
    return sweep(parse_spec(spec), folder, lambda tasks: dask(tasks, address), Data())


@pytest.mark.slow
def test_a_cluster_completes_a_sweep_after_losing_a_worker(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    """Rows equal those of a local sweep; batches of a killed worker are played by the other one."""
    address, workers = cluster
    assert play_remotely(QUICK, tmp_path / "there", address).failures == []
    play(QUICK, tmp_path / "here")
    remote, local = (neucb.load_results(tmp_path / name) for name in ("there", "here"))
    pd.testing.assert_frame_equal(remote, local, check_exact=True)

    (tmp_path / "spec.toml").write_text(SPEC)
    arguments = ["sweep", "spec.toml", "--backend", "dask", "--scheduler", address, "--out", "."]
    process = subprocess.Popen(
        [sys.executable, "-m", "neucb", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((tmp_path / "long").glob("*.parquet")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(workers[0].pid, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert f"{LONG_RUNS} runs, 0 stored before, {LONG_RUNS} played" in out
    frame = neucb.load_results(tmp_path / "long")
    assert len(frame.drop_duplicates(["dataset", "label_noise", "lr", "seed"])) == LONG_RUNS


def test_a_missing_scheduler_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        sweep(parse_spec(QUICK), tmp_path, lambda tasks: dask(tasks, "tcp://127.0.0.1:9", 1), Data())
