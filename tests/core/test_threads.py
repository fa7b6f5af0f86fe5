"""The number of threads and processes respects CPU quotas, affinity and the user."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Sequence
from typing import Any

import pytest

from neucb.benchmarks.report import machine
from neucb.cli import sweep as sweep_command
from neucb.core.threads import cores
from neucb.runs.api import prepare
from neucb.sweeps import api
from neucb.sweeps.play.execute import Task


class FakeMachine:
    """A machine of 64 cores with these control-group files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
        self.files = files
        real, exists = builtins.open, os.path.exists

        def read(name: Any, *arguments: Any, **options: Any) -> Any:
            if str(name).startswith("/sys/fs/cgroup/"):
                return io.StringIO(files[str(name)])
            return real(name, *arguments, **options)

        def path_exists(name: Any) -> bool:
            return str(name) in files if str(name).startswith("/sys/fs/cgroup/") else exists(name)

        monkeypatch.setattr(os, "cpu_count", lambda: 64)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(48)), raising=False)
        monkeypatch.setattr(builtins, "open", read)
        monkeypatch.setattr(os.path, "exists", path_exists)
        monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)


V1 = "/sys/fs/cgroup/cpu/cpu.cfs_{}_us"


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 48),
        ({"/sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"/sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"/sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"/sys/fs/cgroup/cpu.max": "max 100000\n"}, 48),
        ({V1.format("quota"): "300000\n", V1.format("period"): "100000\n"}, 3),
        ({V1.format("quota"): "-1\n", V1.format("period"): "100000\n"}, 48),
    ],
)
def test_every_engine_and_command_respects_a_cpu_quota(
    files: dict[str, str], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_counts: list[int] = []

    def workers(tasks: Sequence[Task], jobs: int) -> Any:
        worker_counts.append(jobs)
        return iter(())

    run = prepare("kl", "iris", 20, 64)
    run.load()  # compile before the files are replaced
    run.player.threads = None  # type: ignore[attr-defined]
    FakeMachine(monkeypatch, files)
    assert cores() == count
    run.load()
    assert run.player.threads == count  # type: ignore[attr-defined]
    monkeypatch.setattr("neucb.sweeps.play.execute.local", workers)
    list(sweep_command.choose_workers("local", None, None)([]))
    assert worker_counts == [count]
    assert machine()["cores"] == count


def test_a_sweep_from_python_uses_all_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    worker_counts: list[int] = []
    monkeypatch.setattr(api, "cores", lambda: 7)
    monkeypatch.setattr(api, "play_experiment", lambda *arguments, **_: arguments[2]([]))
    monkeypatch.setattr(api, "local", lambda tasks, jobs: worker_counts.append(jobs))
    monkeypatch.setattr(api, "load_sweep", lambda folder: None)
    (tmp_path / "spec.toml").write_text(
        '[experiment]\nname = "x"\nreporting_seeds = 2\ndatasets = ["iris"]\n[[agents]]\nname = "uniform"\n'
    )
    api.sweep(tmp_path / "spec.toml", tmp_path)
    assert worker_counts == [7]
