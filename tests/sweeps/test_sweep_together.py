"""Sweeps that share a folder, and remains of killed sweeps: no run is lost or played twice."""

from __future__ import annotations

import errno
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

import neucb
from neucb.runs.api import prepare
from neucb.sweeps.play import execute
from neucb.sweeps.play.batch import Outcome
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import Played, Task, local
from neucb.sweeps.play.shared_tables import OWNER, PREFIX, shared_folder
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.store.locks import FOLDER, Claims
from neucb.sweeps.sweep import sweep
from tests.support.sweeps import LONG, LONG_RUNS, QUICK, QUICK_RUNS, play, start, wait_for_some

HOLD = """
import sys, time
from pathlib import Path
from neucb.sweeps.store.locks import Claims

with Claims(Path(sys.argv[1])) as claims:
    assert claims.take("batch")
    print("taken", flush=True)
    time.sleep(60)
"""

WARNING = """
[experiment]
name = "warning"
rounds = 20
datasets = ["iris"]
reporting_seeds = 96

"""


def played(out: str) -> int:
    match = re.search(r"([\d,]+) played", out)
    assert match is not None, out
    return int(match[1].replace(",", ""))


@pytest.mark.slow
def test_two_simultaneous_sweeps_share_the_work(tmp_path: Path) -> None:
    """Every run is played by one of them; both read the complete table."""
    prepare("kl", "iris", 2, 1).load()
    spec = LONG.replace("3000", "1500").replace(
        "reporting_seeds = 40", 'tuning_seeds = "100:112"\nreporting_seeds = 12'
    )
    sweeps = [start(tmp_path, spec, "--jobs", "1") for _ in range(2)]
    outputs = []
    for process in sweeps:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        outputs.append(out)
    runs = 4 * (48 + 12)
    assert all(f"{runs} runs" in out for out in outputs)
    assert sum(map(played, outputs)) == runs
    assert min(map(played, outputs)) > 0
    frame = neucb.load_results(tmp_path / "long")
    assert frame.attrs["missing"] == []
    last = frame[frame["round"] == 1500]
    assert len(last) == runs == len(last.drop_duplicates(["dataset", "label_noise", "lr", "split", "seed"]))
    assert not (tmp_path / "long" / FOLDER).exists()


@pytest.mark.slow
def test_claims_of_a_killed_sweep_are_played_by_another(tmp_path: Path) -> None:
    prepare("kl", "iris", 2, 1).load()
    spec = LONG.replace("3000", "1500")
    first = start(tmp_path, spec, "--jobs", "2")
    wait_for_some(tmp_path / "long", first, 1)
    second = start(tmp_path, spec, "--jobs", "1")
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=30)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert f"{LONG_RUNS} runs" in out
    assert neucb.load_results(tmp_path / "long").attrs["missing"] == []


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "taken\n"
    with Claims(tmp_path) as claims:
        assert not claims.take("batch")
        assert not claims.alone()
        assert claims.take("other")
        assert claims.take("other")
        holder.kill()
        holder.communicate()
        assert claims.take("batch")
        assert claims.alone()
    assert not (tmp_path / FOLDER).exists()


def test_a_sweep_that_starts_while_another_ends_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Claims(tmp_path), Claims(tmp_path)
    release = first.release

    def last_moment(name: str) -> None:
        second.__enter__()
        release(name)

    monkeypatch.setattr(first, "release", last_moment)
    with first:
        pass
    with Claims(tmp_path) as third:
        assert not third.alone()
        second.__exit__()
        assert third.alone()
    assert not (tmp_path / FOLDER).exists()


def test_without_locks_a_sweep_is_alone_only_without_lock_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with Claims(tmp_path) as claims:
        assert claims.take("batch")
        assert claims.alone()
        (tmp_path / FOLDER / "sweep-other.lock").touch()
        assert not claims.alone()
    assert (tmp_path / FOLDER / "sweep-other.lock").exists()


def test_a_batch_being_written_is_not_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sweep stores a batch between its check and its claim."""
    play(QUICK, tmp_path)
    path = min(tmp_path.glob("*.parquet"))
    whole, take = path.read_bytes(), Claims.take

    def late(claims: Claims, name: str) -> bool:
        path.write_bytes(whole)
        return take(claims, name)

    monkeypatch.setattr(Claims, "__enter__", lambda claims: claims)
    monkeypatch.setattr(Claims, "take", late)
    path.write_bytes(b"half")
    assert play(QUICK, tmp_path).found == QUICK_RUNS
    assert not (tmp_path / "_aside").exists()


def test_batches_of_a_running_sweep_are_not_set_aside(tmp_path: Path) -> None:
    """Results of a simultaneous sweep with other seeds are kept until one sweep runs alone."""
    other = QUICK.replace("reporting_seeds = 2", 'reporting_seeds = "5:7"')
    with Claims(tmp_path):
        play(other, tmp_path)
        before = {path.name for path in tmp_path.glob("*.parquet")}
        play(QUICK, tmp_path)
        assert before <= {path.name for path in tmp_path.glob("*.parquet")}
    play(QUICK, tmp_path)
    assert not before <= {path.name for path in tmp_path.glob("*.parquet")}


def test_after_a_lost_worker_batches_are_claimed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remaining batches are left for other sweeps."""
    events: list[str] = []

    class TerminatedWorkerError(Exception):
        pass

    def lose(tasks: Sequence[Task], **_: Any) -> Played:
        if len(tasks) > 1:
            raise TerminatedWorkerError
        events.append(f"play {tasks[0].name}")
        yield tasks[0], Outcome()

    def claim(name: str) -> bool:
        events.append(f"claim {name}")
        return True

    monkeypatch.setattr(execute, "_parallel", lose)
    tasks = [Task(name, Any, "", "torch", 1.0, partial(claim, name)) for name in "abc"]  # type: ignore[arg-type]
    played = execute._surviving(tasks, n_jobs=1)
    assert next(played)[0].name == "a"
    assert events == ["claim a", "play a"]
    assert [task.name for task, _ in played] == ["b", "c"]


def test_partial_files_are_removed(tmp_path: Path) -> None:
    play(QUICK, tmp_path)
    (tmp_path / ".neucb-half.part").write_bytes(b"PAR1")
    assert play(QUICK, tmp_path).found == QUICK_RUNS
    assert not list(tmp_path.glob(".neucb-*"))


def test_readers_see_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch is written, DuckDB, pandas and `load_results` read the others."""
    play(QUICK, tmp_path)
    path = next(tmp_path.glob("kl_wine_tuning*.parquet"))
    path.unlink()
    rows = sum(pq.read_metadata(log).num_rows for log in tmp_path.glob("*.parquet"))
    write = pq.write_table
    counts = []

    def half(table: pa.Table, path: Path) -> None:
        Path(path).write_bytes(b"PAR1")
        query = duckdb.sql(f"select count(*) from '{tmp_path}/*.parquet'")
        assert query is not None
        with pytest.warns(UserWarning, match="1 of 8 batches are missing"):
            loaded = neucb.load_results(tmp_path)
        counts.append((query.fetchall(), len(pd.read_parquet(tmp_path)), len(loaded)))
        write(table, path)

    monkeypatch.setattr(pq, "write_table", half)
    play(QUICK, tmp_path)
    assert counts == [([(rows,)], rows, rows)]
    assert path.exists()


def test_a_complete_plan_stays_complete(tmp_path: Path) -> None:
    """A finished sweep that is started again stays complete for readers."""
    play(QUICK, tmp_path)
    plan = (tmp_path / "_plan.json").stat()
    assert json.loads((tmp_path / "_plan.json").read_text())["complete"]
    assert play(parse_spec(QUICK), tmp_path).found == QUICK_RUNS
    assert (tmp_path / "_plan.json").stat().st_mtime_ns == plan.st_mtime_ns


def test_shared_tables_of_killed_sweeps_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of running sweeps and folders of other programs are kept."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, alive, foreign = (tmp_path / f"{PREFIX}{name}" for name in ("dead", "alive", "foreign"))
    for folder in (dead, alive, foreign):
        folder.mkdir()
        (folder / "0.npy").write_bytes(b"rows")
    (dead / OWNER).touch()
    with FileLock(alive / OWNER), shared_folder() as own:
        assert own.parent == tmp_path
        assert {path.name for path in tmp_path.iterdir()} == {alive.name, foreign.name, own.name}
        with shared_folder():
            assert own.is_dir()
    assert not own.exists()


@pytest.mark.parametrize("when", ["before the lock", "while the lock is waited for"])
def test_a_shared_folder_removed_by_another_sweep_is_recreated(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    removed: list[Path] = []

    class Late(FileLock):
        def acquire(self, *arguments: Any, **options: Any) -> Any:
            folder = Path(self.lock_file).parent
            if removed:
                return super().acquire(*arguments, **options)
            removed.append(folder)
            if when == "before the lock":
                shutil.rmtree(folder)
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            taken = super().acquire(*arguments, **options)
            shutil.rmtree(folder)
            return taken

    monkeypatch.setattr("neucb.sweeps.play.shared_tables.FileLock", Late)
    with shared_folder() as own:
        assert own != removed[0]
        assert (own / OWNER).is_file()
    assert not own.exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_warning_of_several_batches_is_printed_once(
    jobs: int, tmp_path: Path, recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four batches of two agents raise the same warning, played by one or two threads."""
    monkeypatch.setattr("neucb.agents.initialisation.FULL_UP_TO", 3)
    spec = WARNING + "".join(f'[[agents]]\nname = "{name}"\n' for name in ("squarecb", "linucb"))
    lines: list[str] = []
    sweep(parse_spec(spec), tmp_path, lambda tasks: local(tasks, jobs), Data(notify=lines.append))
    (line,) = lines
    assert line.startswith("warning: linear models of 4 features keep the diagonal")
    assert line.endswith("(4 batches of squarecb, linucb)")
    assert not [warning for warning in recwarn if "diagonal" in str(warning.message)]
