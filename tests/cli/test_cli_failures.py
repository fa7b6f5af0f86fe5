"""Interrupts, full disks and closed pipes lose no results."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from neucb.cli import app, progress
from neucb.runs.api import prepare
from neucb.runs.run import Run
from tests.support.command import RUN, neucb
from tests.support.paths import ROOT

UNIFORM = (*RUN, "--agent", "uniform")


def full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_does_not_prevent_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("neucb.runs.store.atomic_write", full)
    assert neucb(monkeypatch, *UNIFORM, "--json", "--out", str(tmp_path)) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["rounds"] == 60
    assert captured.err.count("\n") == 1
    assert "No space left on device" in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("sink", "message"), [("closed", ""), ("/dev/full", "No space left on device")])
def test_results_are_saved_if_the_output_cannot_be_written(tmp_path: Path, sink: str, message: str) -> None:
    """As in `neucb run ... | head` after head has ended, and `> file` on a full disk."""
    if sink == "closed":
        reader, output = os.pipe()
        os.close(reader)
    elif Path(sink).exists():
        output = os.open(sink, os.O_WRONLY)
    else:
        pytest.skip("this system has no /dev/full")
    command = [sys.executable, "-m", "neucb", *UNIFORM, "--out", str(tmp_path)]
    completed = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    os.close(output)
    assert completed.returncode == 1
    assert "Traceback" not in completed.stderr
    assert message in completed.stderr
    assert len(completed.stderr.splitlines()) == (1 if message else 0)
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet", ".json", ".png"}


def test_no_progress_bar_is_drawn_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *UNIFORM, "--out", str(tmp_path)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "\x1b" not in captured.out


def test_rounds_before_a_failure_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--agent", "sq", "--set", "lr=100", "--out", str(tmp_path))
    assert neucb(monkeypatch, *RUN, *options) == 1
    (log,) = tmp_path.glob("*_until-round-*.parquet")
    line = capsys.readouterr().err.splitlines()[-1]
    assert "diverged" in line
    assert f"before are in {log}" in line
    assert f"the {pd.read_parquet(log)['round'].max()} rounds" in line


def interrupt(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate Ctrl-C after round 20 of the run that follows `after` complete runs."""
    played = 0

    def play(run: Run, *, show: bool) -> bool:
        nonlocal played
        played += 1
        if played <= after:
            run.play()
            return False

        def stop(rounds: int) -> None:
            if rounds == 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run.play(stop)
        return True

    monkeypatch.setattr("neucb.cli.output.play", play)


def test_ctrl_c_among_several_runs_keeps_all_summaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(1, monkeypatch)
    arguments = (*UNIFORM, "--dataset", "wine,digits", "--engine", "torch", "--json", "--out", str(tmp_path))
    assert neucb(monkeypatch, *arguments) == 130
    captured = capsys.readouterr()
    summaries = [(summary["dataset"], summary["rounds"]) for summary in json.loads(captured.out)]
    assert summaries == [("iris", 60), ("wine", 20)]
    assert captured.err == "neucb: error: interrupted after round 20; the results up to there are saved\n"
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_ctrl_c_while_loading_keeps_earlier_summaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play_run = progress.play

    def play(run: Run, *, show: bool) -> bool:
        if run.environment["dataset"] == "wine":
            run.load = lambda: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
        return play_run(run, show=show)

    monkeypatch.setattr("neucb.cli.output.play", play)
    arguments = (*UNIFORM, "--dataset", "wine", "--json", "--out", str(tmp_path))
    assert neucb(monkeypatch, *arguments) == 130
    captured = capsys.readouterr()
    assert [summary["dataset"] for summary in json.loads(captured.out)] == ["iris"]
    assert captured.err == "neucb: error: interrupted\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError("Unable to allocate 2 TiB"), "out of memory: play fewer seeds"),
        (RuntimeError("not enough memory: you tried to allocate 4 TB"), "you tried to allocate"),
        (PermissionError(13, "Permission denied", "x.csv"), "x.csv: Permission denied"),
    ],
)
def test_failures_of_the_machine_are_explained(error: Exception, line: str) -> None:
    message, code = app.explain(error) or ("", 0)
    assert line in message
    assert code == 1


def test_defects_of_neucb_keep_their_traceback() -> None:
    assert app.explain(RuntimeError("index out of range")) is None
    assert app.explain(KeyError("x")) is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_during_the_import_is_a_one_line_error(tmp_path: Path) -> None:
    """A real signal during the import of gymnasium."""
    (tmp_path / "gymnasium.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    )
    command = [sys.executable, "-m", "neucb_command", "run", "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    completed = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (completed.returncode, completed.stderr) == (130, "neucb: error: interrupted\n")


def test_the_console_script_catches_early_interrupts() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"neucb": "neucb_command:main"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("options", [["--engine", "torch"], ["--seeds", "40", "--set", "width=1000"]])
def test_a_real_ctrl_c_saves_the_played_rounds(options: list[str], tmp_path: Path) -> None:
    """A real signal, sent when the progress bar shows a rate."""
    import pty

    prepare("kl-perturbed", "iris", 2, 1).load()  # compile in this process
    command = [sys.executable, "-m", "neucb", "run", "--source", "bundled", "--rounds", "20000", *options]
    terminal, stderr = pty.openpty()
    environment = os.environ | {"COLUMNS": "200", "TERM": "xterm"}
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], stderr=stderr, stdout=subprocess.DEVNULL, env=environment
    )
    os.close(stderr)
    output = b""
    while b" 0 rounds/s" in output[-400:] or b"rounds/s" not in output:
        output += os.read(terminal, 4096)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # end of the stream, on Linux
        while chunk := os.read(terminal, 4096):
            output += chunk
    os.close(terminal)
    assert process.wait(60) == 130, output.decode()
    assert b"interrupted after round" in output
    assert b"Traceback" not in output
    (log,) = tmp_path.glob("*_until-round-*.parquet")
    assert 0 < pd.read_parquet(log)["round"].max() < 20_000
    manifest = json.loads(log.with_suffix(".json").read_text())
    assert manifest["complete"] is False
