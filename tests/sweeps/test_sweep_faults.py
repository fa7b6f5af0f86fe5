"""Faults during a sweep: no finished batch is lost, and no partial file is read."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import neucb
from neucb.core.errors import NeucbError
from neucb.runs.api import prepare
from neucb.runs.store import Failure
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import local
from neucb.sweeps.play.progress import Report
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.sweep import sweep
from tests.support.sweeps import (
    LONG,
    LONG_RUNS,
    QUICK,
    QUICK_RUNS,
    ended,
    play,
    start,
    stored,
    wait_for_some,
)

# The same number of batches, played by processes.
TORCH = LONG.replace("recycle", 'engine = "torch"\nrecycle').replace('"kl"', '"uniform"')
TORCH = TORCH.replace("grid =", "#").replace("seeds = 40", "seeds = 160").replace("3000", "300")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("whole")
    play(QUICK, folder)
    return neucb.load_results(folder)


def same(folder: Path, whole: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(neucb.load_results(folder), whole, check_exact=True)


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "gone", "manifest", "not JSON"])
def test_a_damaged_batch_is_played_again(damage: str, tmp_path: Path, whole: pd.DataFrame) -> None:
    play(QUICK, tmp_path)
    path = next(tmp_path.glob("kl_wine_tuning*.parquet"))
    manifest = path.with_name(f"_{path.stem}.json")
    content = path.read_bytes()
    match damage:
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "changed":
            path.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "manifest":
            manifest.unlink()
        case _:
            manifest.write_text(manifest.read_text()[:-40])
    with pytest.warns(UserWarning, match=r"is not complete: 1 of \d+ batches are missing"):
        partial = neucb.load_results(tmp_path)
    assert partial.attrs["missing"] == [path.stem]
    report = play(QUICK, tmp_path)
    assert (report.found, report.played) == (QUICK_RUNS - 8, 8)
    same(tmp_path, whole)


def test_a_failing_run_is_recorded_and_fails_no_other(tmp_path: Path) -> None:
    """A run with lr = 1000 diverges; the rows of the other runs in its batch are unchanged."""
    spec = QUICK.replace('name = "kl"', 'name = "sq"').replace("lr = [0.5, 1.0]", "lr = [0.1, 1000.0]")
    report = play(spec, tmp_path / "one")
    assert report.failures
    assert all(failure.settings["lr"] == 1000.0 for failure in report.failures)
    assert all("diverged" in failure.reason for failure in report.failures)
    frame = neucb.load_results(tmp_path / "one")
    assert len(ended(frame)) == report.runs - len(report.failures)
    recorded = [Failure(**values) for values in frame.attrs["failures"]]
    assert sorted(recorded, key=str) == sorted(report.failures, key=str)
    second_report = play(spec, tmp_path / "one")
    assert (second_report.played, len(second_report.failures)) == (0, len(report.failures))
    play(spec.replace("1000.0", "0.2"), tmp_path / "two")
    good = neucb.load_results(tmp_path / "two")
    columns = ["dataset", "label_noise", "seed", "round", "gamma", "regret"]
    left, right = (rows[(rows["lr"] == 0.1) & (rows["split"] == "tuning")][columns] for rows in (frame, good))
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True), check_exact=True)


def test_invalid_data_are_recorded_and_retried(tmp_path: Path) -> None:
    """A file without class labels does not prevent the other data set; once repaired, it is played."""
    bad = tmp_path / "bad.csv"
    bad.write_text("a,label\n" + "".join(f"{i},{i / 7}\n" for i in range(40)))
    spec = QUICK.replace('"wine"', f'"{bad}"')
    report = play(spec, tmp_path / "out")
    assert len(report.failures) == QUICK_RUNS // 2
    assert "is no class label" in report.failures[0].reason
    with pytest.warns(UserWarning, match=r"20 runs could not begin \(.*bad\.csv: "):
        assert len(neucb.load_results(tmp_path / "out").attrs["failures"]) == QUICK_RUNS // 2
    bad.write_text("a,label\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(150)))
    second_report = play(spec, tmp_path / "out")
    assert second_report.failures == []
    assert second_report.runs == QUICK_RUNS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "signum"), [(LONG, signal.SIGINT), (TORCH, signal.SIGKILL)], ids=["threads", "processes"]
)
def test_a_killed_sweep_is_resumed(signum: signal.Signals, spec: str, tmp_path: Path) -> None:
    """Signals: Ctrl-C (SIGINT) with threads, SIGKILL with processes."""
    prepare("kl", "iris", 2, 1).load()  # compile in this process
    process = start(tmp_path, spec, "--jobs", "2")
    folder = tmp_path / "long"
    wait_for_some(folder, process)
    process.send_signal(signum)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (-9 if signum == signal.SIGKILL else 130), err
    assert "Traceback" not in err
    if signum == signal.SIGINT:
        assert "interrupted; the finished batches are in" in err
    before = stored(folder)
    assert before
    report = play(spec, folder)
    assert report.failures == []
    assert report.found > 0
    assert report.found + report.played == report.runs == LONG_RUNS
    after = stored(folder)
    assert all(after[name] == content for name, content in before.items())  # also those without manifest
    assert neucb.load_results(folder).attrs["missing"] == []


def test_no_thread_remains_after_an_interrupted_sweep(tmp_path: Path) -> None:
    """Threads that play during interpreter shutdown may abort the process."""
    before = threading.active_count()

    def interrupt(report: Report) -> None:
        if report.played:
            raise KeyboardInterrupt

    experiment = parse_spec(LONG.replace("rounds = 3000", "rounds = 8000"))
    with pytest.raises(KeyboardInterrupt):
        sweep(experiment, tmp_path, lambda tasks: local(tasks, 2), Data(), progress=interrupt)
    assert threading.active_count() == before
    assert len(stored(tmp_path)) == 1


def children(process: subprocess.Popen[str]) -> list[int]:
    """Return the loky worker processes of a sweep."""
    workers = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and f"PPid:\t{process.pid}\n" in (entry / "status").read_text():
                command = (entry / "cmdline").read_text()
                if "loky" in command and "resource_tracker" not in command:
                    workers.append(int(entry.name))
    return workers


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="finds the workers in /proc")
def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    process = start(tmp_path, TORCH, "--jobs", "2")
    wait_for_some(tmp_path / "long", process, 1)
    workers = children(process)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert f"{LONG_RUNS} runs, 0 stored before, {LONG_RUNS} played" in out
    assert neucb.load_results(tmp_path / "long").attrs["missing"] == []


@contextlib.contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[Path]:
    """Mount a tmpfs, or skip the test with the reason."""
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting needs root")
    completed = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "neucb", str(folder)], capture_output=True, check=False
    )
    if completed.returncode:
        pytest.skip(f"no mount here: {completed.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_sweep_on_a_full_disk_is_resumed(tmp_path: Path, whole: pd.DataFrame) -> None:
    """Written batches remain; with free space the same command continues."""
    with tmpfs(tmp_path / "disk", "size=96k") as disk:
        folder = disk / "results"
        with pytest.raises(NeucbError, match=r"No space left on device; name another folder with out=..."):
            play(QUICK, folder)
        manifests = [path for path in folder.glob("_kl*.json") if path.stat().st_size]
        assert manifests
        assert not list(folder.glob(".neucb-*"))  # no partial file is left
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        report = play(QUICK, folder)
        assert report.found >= 8 * len(manifests) / 2
        same(folder, whole)


@pytest.mark.slow
def test_a_sweep_under_a_file_size_limit_leaves_no_partial_file(tmp_path: Path) -> None:
    """As above without root: RLIMIT_FSIZE interrupts the write of a file."""
    (tmp_path / "spec.toml").write_text(QUICK)
    code = (
        "import resource, signal, sys; from neucb.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "sys.argv = ['neucb', 'sweep', 'spec.toml', '--jobs', '1', '--out', 'out']; main()"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 1
    assert completed.stderr.splitlines()[-1].startswith(
        "neucb: error: cannot write results to out/small: File too"
    )
    folder = tmp_path / "out" / "small"
    assert not list(folder.glob("*.parquet"))
    assert not list(folder.glob(".neucb-*"))
    assert play(QUICK, folder).played == QUICK_RUNS


def test_a_read_only_folder_is_rejected(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "size=4m") as disk:
        play(QUICK, disk / "small")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(NeucbError, match=r"Read-only file system; name another folder with out=..."):
            play(QUICK, disk / "small")
        assert len(ended(neucb.load_results(disk / "small"))) == QUICK_RUNS  # reading works
