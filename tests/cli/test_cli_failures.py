"""What the command line does when it is interrupted, the disk is full or nobody reads: nothing is lost."""

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


def test_a_full_disk_does_not_hide_the_figures(
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
@pytest.mark.parametrize(("sink", "words"), [("closed", ""), ("/dev/full", "No space left on device")])
def test_results_are_saved_where_the_output_goes_nowhere(tmp_path: Path, sink: str, words: str) -> None:
    """`neucb run ... | head` after head has gone, and `> file` on a full disk."""
    if sink == "closed":
        reader, output = os.pipe()
        os.close(reader)
    elif Path(sink).exists():
        output = os.open(sink, os.O_WRONLY)
    else:
        pytest.skip("this system has no /dev/full")
    command = [sys.executable, "-m", "neucb", *UNIFORM, "--out", str(tmp_path)]
    done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    os.close(output)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == (1 if words else 0)
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet", ".json", ".png"}


def test_nothing_is_drawn_where_stderr_is_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *UNIFORM, "--out", str(tmp_path)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "\x1b" not in captured.out


def test_rounds_before_a_failure_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--agent", "sq", "--set", "lr=100", "--out", str(tmp_path))
    assert neucb(monkeypatch, *RUN, *words) == 1
    (log,) = tmp_path.glob("*_until-round-*.parquet")
    line = capsys.readouterr().err.splitlines()[-1]
    assert "diverged" in line
    assert f"before are in {log}" in line
    assert f"the {pd.read_parquet(log)['round'].max()} rounds" in line


def interrupt(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C be pressed when so many runs have been played: after round 20 of the next."""
    played = 0

    def play(job: Run, *, show: bool) -> bool:
        nonlocal played
        played += 1
        if played <= after:
            job.play()
            return False

        def stop(rounds: int) -> None:
            if rounds == 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            job.play(stop)
        return True

    monkeypatch.setattr("neucb.cli.output.play", play)


def test_ctrl_c_among_several_keeps_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(1, monkeypatch)
    words = (*UNIFORM, "--dataset", "wine,digits", "--engine", "torch", "--json", "--out", str(tmp_path))
    assert neucb(monkeypatch, *words) == 130
    captured = capsys.readouterr()
    shown = [(one["dataset"], one["rounds"]) for one in json.loads(captured.out)]
    assert shown == [("iris", 60), ("wine", 20)]
    assert captured.err == "neucb: error: interrupted after round 20; the results up to there are saved\n"
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_ctrl_c_while_loading_keeps_the_figures_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = progress.play

    def play(job: Run, *, show: bool) -> bool:
        if job.environment["dataset"] == "wine":
            job.load = lambda: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
        return real(job, show=show)

    monkeypatch.setattr("neucb.cli.output.play", play)
    words = (*UNIFORM, "--dataset", "wine", "--json", "--out", str(tmp_path))
    assert neucb(monkeypatch, *words) == 130
    captured = capsys.readouterr()
    assert [one["dataset"] for one in json.loads(captured.out)] == ["iris"]
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


def test_our_own_mistakes_are_not_hidden() -> None:
    assert app.explain(RuntimeError("index out of range")) is None
    assert app.explain(KeyError("x")) is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_while_the_package_is_imported_is_one_line(tmp_path: Path) -> None:
    """A real signal, in the middle of the import of a library that comes early."""
    (tmp_path / "gymnasium.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    )
    command = [sys.executable, "-m", "neucb_command", "run", "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "neucb: error: interrupted\n")


def test_the_command_is_the_one_that_catches_early_interrupts() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"neucb": "neucb_command:main"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("more", [["--engine", "torch"], ["--seeds", "40", "--set", "width=1000"]])
def test_a_real_ctrl_c_saves_what_was_played(more: list[str], tmp_path: Path) -> None:
    """In the middle of a real process, pressed when its progress bar has shown a rate."""
    import pty

    prepare("kl-perturbed", "iris", 2, 1).load()  # so that the process need not compile
    command = [sys.executable, "-m", "neucb", "run", "--source", "bundled", "--rounds", "20000", *more]
    terminal, stderr = pty.openpty()
    environment = os.environ | {"COLUMNS": "200", "TERM": "xterm"}
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], stderr=stderr, stdout=subprocess.DEVNULL, env=environment
    )
    os.close(stderr)
    shown = b""
    while b" 0 rounds/s" in shown[-400:] or b"rounds/s" not in shown:
        shown += os.read(terminal, 4096)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # the end, on Linux
        while more_shown := os.read(terminal, 4096):
            shown += more_shown
    os.close(terminal)
    assert process.wait(60) == 130, shown.decode()
    assert b"interrupted after round" in shown
    assert b"Traceback" not in shown
    (log,) = tmp_path.glob("*_until-round-*.parquet")
    assert 0 < pd.read_parquet(log)["round"].max() < 20_000
    manifest = json.loads(log.with_suffix(".json").read_text())
    assert manifest["complete"] is False
