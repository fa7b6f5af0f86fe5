"""Sweeps that share a folder, and what killed ones leave: nothing is lost, nothing is played twice."""

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
    found = re.search(r"([\d,]+) played", out)
    assert found is not None, out
    return int(found[1].replace(",", ""))


@pytest.mark.slow
def test_two_sweeps_at_once_share_the_work(tmp_path: Path) -> None:
    """Every run is played by one of them; both end with the whole table."""
    prepare("kl", "iris", 2, 1).load()
    spec = LONG.replace("3000", "1500").replace(
        "reporting_seeds = 40", 'tuning_seeds = "100:112"\nreporting_seeds = 12'
    )
    sweeps = [start(tmp_path, spec, "--jobs", "1") for _ in range(2)]
    told = []
    for process in sweeps:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        told.append(out)
    runs = 4 * (48 + 12)
    assert all(f"{runs} runs" in out for out in told)
    assert sum(map(played, told)) == runs
    assert min(map(played, told)) > 0
    frame = neucb.load_results(tmp_path / "long")
    assert frame.attrs["missing"] == []
    last = frame[frame["round"] == 1500]
    assert len(last) == runs == len(last.drop_duplicates(["dataset", "label_noise", "lr", "split", "seed"]))
    assert not (tmp_path / "long" / FOLDER).exists()


@pytest.mark.slow
def test_what_a_killed_sweep_had_claimed_is_played_by_the_other(tmp_path: Path) -> None:
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


def test_a_sweep_that_begins_while_another_ends_is_seen(
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


def test_where_locks_do_not_work_nobody_is_alone_beside_others(
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


def test_what_was_being_written_is_not_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sweep has stored a batch between the look at it and the claim."""
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


def test_files_of_another_living_sweep_are_not_set_aside(tmp_path: Path) -> None:
    """A spec with other seeds at the same time: the results of both stay until one is alone."""
    other = QUICK.replace("reporting_seeds = 2", 'reporting_seeds = "5:7"')
    with Claims(tmp_path):
        play(other, tmp_path)
        before = {path.name for path in tmp_path.glob("*.parquet")}
        play(QUICK, tmp_path)
        assert before <= {path.name for path in tmp_path.glob("*.parquet")}
    play(QUICK, tmp_path)
    assert not before <= {path.name for path in tmp_path.glob("*.parquet")}


def test_after_a_lost_worker_only_what_is_played_alone_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest stays for other sweeps."""
    told: list[str] = []

    class TerminatedWorkerError(Exception):
        pass

    def lose(tasks: Sequence[Task], **_: Any) -> Played:
        if len(tasks) > 1:
            raise TerminatedWorkerError
        told.append(f"play {tasks[0].name}")
        yield tasks[0], Outcome()

    def claim(name: str) -> bool:
        told.append(f"claim {name}")
        return True

    monkeypatch.setattr(execute, "_parallel", lose)
    tasks = [Task(name, Any, "", "torch", 1.0, partial(claim, name)) for name in "abc"]  # type: ignore[arg-type]
    played = execute._surviving(tasks, n_jobs=1)
    assert next(played)[0].name == "a"
    assert told == ["claim a", "play a"]
    assert [task.name for task, _ in played] == ["b", "c"]


def test_half_files_are_cleared(tmp_path: Path) -> None:
    play(QUICK, tmp_path)
    (tmp_path / ".neucb-half.part").write_bytes(b"PAR1")
    assert play(QUICK, tmp_path).found == QUICK_RUNS
    assert not list(tmp_path.glob(".neucb-*"))


def test_a_reader_meets_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch is written, DuckDB, pandas and `load_results` read the others as they are."""
    play(QUICK, tmp_path)
    path = next(tmp_path.glob("kl_wine_tuning*.parquet"))
    path.unlink()
    rows = sum(pq.read_metadata(one).num_rows for one in tmp_path.glob("*.parquet"))
    write = pq.write_table
    seen = []

    def half(table: pa.Table, path: Path) -> None:
        Path(path).write_bytes(b"PAR1")
        found = duckdb.sql(f"select count(*) from '{tmp_path}/*.parquet'")
        assert found is not None
        with pytest.warns(UserWarning, match="1 of 8 batches are missing"):
            mine = neucb.load_results(tmp_path)
        seen.append((found.fetchall(), len(pd.read_parquet(tmp_path)), len(mine)))
        write(table, path)

    monkeypatch.setattr(pq, "write_table", half)
    play(QUICK, tmp_path)
    assert seen == [([(rows,)], rows, rows)]
    assert path.exists()


def test_a_complete_plan_is_not_taken_back(tmp_path: Path) -> None:
    """Whoever reads while a finished sweep is started again sees it finished."""
    play(QUICK, tmp_path)
    plan = (tmp_path / "_plan.json").stat()
    assert json.loads((tmp_path / "_plan.json").read_text())["complete"]
    assert play(parse_spec(QUICK), tmp_path).found == QUICK_RUNS
    assert (tmp_path / "_plan.json").stat().st_mtime_ns == plan.st_mtime_ns


def test_tables_of_killed_sweeps_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of living ones are not, nor are folders that no sweep has made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, alive, foreign = (tmp_path / f"{PREFIX}{name}" for name in ("dead", "alive", "foreign"))
    for folder in (dead, alive, foreign):
        folder.mkdir()
        (folder / "0.npy").write_bytes(b"rows")
    (dead / OWNER).touch()
    with FileLock(alive / OWNER), shared_folder() as mine:
        assert mine.parent == tmp_path
        assert {path.name for path in tmp_path.iterdir()} == {alive.name, foreign.name, mine.name}
        with shared_folder():
            assert mine.is_dir()
    assert not mine.exists()


@pytest.mark.parametrize("when", ["before the lock", "while the lock is waited for"])
def test_a_folder_that_another_sweep_took_for_dead_is_made_anew(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    removed: list[Path] = []

    class Late(FileLock):
        def acquire(self, *arguments: Any, **named: Any) -> Any:
            folder = Path(self.lock_file).parent
            if removed:
                return super().acquire(*arguments, **named)
            removed.append(folder)
            if when == "before the lock":
                shutil.rmtree(folder)
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            taken = super().acquire(*arguments, **named)
            shutil.rmtree(folder)
            return taken

    monkeypatch.setattr("neucb.sweeps.play.shared_tables.FileLock", Late)
    with shared_folder() as mine:
        assert mine != removed[0]
        assert (mine / OWNER).is_file()
    assert not mine.exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_warning_is_said_once(
    jobs: int, tmp_path: Path, recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four batches of two agents would each say it; with two jobs in threads."""
    monkeypatch.setattr("neucb.agents.initialisation.FULL_UP_TO", 3)
    spec = WARNING + "".join(f'[[agents]]\nname = "{name}"\n' for name in ("squarecb", "linucb"))
    told: list[str] = []
    sweep(parse_spec(spec), tmp_path, lambda tasks: local(tasks, jobs), Data(notify=told.append))
    (line,) = told
    assert line.startswith("warning: linear models of 4 features keep the diagonal")
    assert line.endswith("(4 batches of squarecb, linucb)")
    assert not [one for one in recwarn if "diagonal" in str(one.message)]
