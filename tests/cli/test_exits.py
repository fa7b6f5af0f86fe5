"""`sys.exit` and crashes in user code end only its own runs, with a one-line error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor

import neucb
from neucb.core.errors import NeucbError
from tests.support.command import neucb as command

AGENTS = """\
import os, sys, torch
class Even:
    def reset(self, spec):
        self.n, self.p = 0, torch.full((spec.replicas, spec.arms), 1.0 / spec.arms)
    def distribution(self, context):
        return self.p
    def update(self, context, action, loss):
        self.n += 1
class Update(Even):
    def update(self, context, action, loss):
        self.n += 1
        if self.n == 10:
            sys.exit("enough")
class Reset(Even):
    def reset(self, spec):
        sys.exit(3)
class Distribution(Even):
    def distribution(self, context):
        raise GeneratorExit
class Made(Even):
    def __init__(self):
        exit()
class Hard(Even):
    def update(self, context, action, loss):
        os._exit(0)
class Fails(Even):
    def update(self, context, action, loss):
        raise ValueError("too much")
"""
DATA = """\
import sys
from neucb import ClassificationVectorEnv
def table():
    sys.exit(2)
class Step(ClassificationVectorEnv):
    def __init__(self, num_envs):
        super().__init__("iris", num_envs, horizon=40)
    def step(self, action):
        sys.exit()
class Fails(Step):
    def step(self, action):
        raise KeyError("no such key")
class Describe(Step):
    def describe(self):
        sys.exit("no description")
"""
LINES = {
    "Update": "mine.py, line 13: SystemExit: enough",
    "Reset": "mine.py, line 16: SystemExit: 3",
    "Distribution": "mine.py, line 19: GeneratorExit",
    "Made": "mine.py, line 22: SystemExit",
    "Fails": "mine.py, line 28: ValueError: too much",
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("mine.py").write_text(AGENTS)
    Path("data.py").write_text(DATA)


@pytest.mark.parametrize("name", LINES)
def test_an_agent_that_exits_gives_a_one_line_error(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("run", "--agent", f"mine.py:{name}", "--dataset", "iris", "--quiet", "--out", "out")
    assert command(monkeypatch, *arguments) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"neucb: error: {LINES[name]}")
    logs = [*Path("out").glob("*.parquet")]
    assert len(logs) == (name == "Update")  # earlier rounds are saved
    if logs:
        assert pd.read_parquet(logs[0])["round"].max() == 9


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("table", "data.py, line 4: SystemExit: 2"),
        ("Step", "data.py, line 9: SystemExit"),
        ("Fails", "data.py, line 12: KeyError: 'no such key'"),
        ("Describe", "data.py, line 15: SystemExit: no description"),
    ],
)
def test_a_data_set_that_exits_or_fails_gives_a_one_line_error(
    name: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("run", "--agent", "uniform", "--dataset", f"data.py:{name}", "--seeds", "2", "--out", "out")
    assert command(monkeypatch, *arguments) in (1, 2)
    assert capsys.readouterr().err.splitlines() == [f"neucb: error: {line}"]


def test_a_data_set_that_exits_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        "run",
        "--agent",
        "mine.py:Even",
        "--dataset",
        "data.py:Step,iris",
        "--rounds",
        "40",
        "--json",
    )
    assert command(monkeypatch, *arguments, "--seeds", "2") == 1
    captured = capsys.readouterr()
    assert [summary["dataset"] for summary in json.loads(captured.out)] == ["iris"]
    assert "1 of 2 data sets failed: data.py:Step: data.py, line 9: SystemExit" in captured.err


def test_an_agent_that_exits_does_not_end_a_script() -> None:
    class Quits:
        def reset(self, spec: Any) -> None:
            sys.exit()

        def distribution(self, context: Any) -> Any: ...

        def update(self, context: Any, action: Any, loss: Any) -> None: ...

    with pytest.raises(NeucbError, match=r"test_exits.py, line \d+: SystemExit"):
        neucb.run(Quits(), "iris", 20, 1)


def test_ctrl_c_in_an_agent_is_a_keyboard_interrupt() -> None:
    class Interrupts:
        def reset(self, spec: Any) -> None:
            raise KeyboardInterrupt

        def distribution(self, context: Any) -> Any: ...

        def update(self, context: Any, action: Any, loss: Any) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        neucb.run(Interrupts(), "iris", 20, 1)


SPEC = """\
[experiment]
name = "own"
rounds = 40
reporting_seeds = 3
datasets = ["iris", "wine"]
[[agents]]
name = "uniform"
"""


@pytest.fixture
def sweep(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[list[str], int], tuple[str, str]]:
    """Return a function that plays a sweep with failing agents; it returns stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    get_reusable_executor().shutdown()  # workers of earlier tests run in another folder

    def play(names: list[str], jobs: int) -> tuple[str, str]:
        agents = "".join(f'[[agents]]\nname = "mine.py:{name}"\n' for name in names)
        Path("spec.toml").write_text(SPEC + agents)
        assert command(monkeypatch, "sweep", "spec.toml", "--jobs", str(jobs), "--out", "out") == 1
        captured = capsys.readouterr()
        return captured.out, captured.err

    return play


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_agents_that_exit_are_failed_runs_of_a_sweep(
    jobs: int, sweep: Callable[[list[str], int], tuple[str, str]]
) -> None:
    """All other runs are stored, and the same command retries the failed ones."""
    names = ["Update", "Reset", "Distribution", "Fails"]
    for found in (0, 6):
        out, err = sweep([*names, "Even"] if found == 0 else names, jobs)
        assert "Traceback" not in err
        for name in names:
            for dataset in ("iris", "wine"):
                assert f"neucb: failed: {name} on {dataset}, 3 runs: {LINES[name]}\n" in err
        assert err.splitlines()[-1] == (
            f"neucb: error: 24 of {30 + 6 * (found == 0)} runs failed; the others are stored"
        )
        assert f" {found} stored before" in out
    frame = neucb.load_results("out/own")
    assert set(frame["agent"]) == {"uniform"}
    assert len(frame.attrs["failures"]) == 24


@pytest.mark.slow
def test_an_agent_that_kills_its_process_fails_no_other_run(
    sweep: Callable[[list[str], int], tuple[str, str]],
) -> None:
    _, err = sweep(["Hard", "Even"], 2)
    for dataset in ("iris", "wine"):
        assert f"neucb: failed: Hard on {dataset}, 3 runs: the worker process died: it crashed" in err
    assert err.splitlines()[-1] == "neucb: error: 6 of 18 runs failed; the others are stored"
    frame = neucb.load_results("out/own")
    assert set(frame["agent_label"]) == {"uniform", "Even"}
    assert frame.groupby(["agent_label", "dataset"])["seed"].nunique().eq(3).all()
