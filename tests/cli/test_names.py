"""Invalid names and unwritable paths are rejected before any round is played."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import neucb
from neucb.core.errors import InputError, NeucbError
from neucb.core.files import check_file, check_writable, shortened
from neucb.runs.api import prepare
from neucb.runs.run import Run
from neucb.sweeps.plan import reporting_batches
from neucb.sweeps.spec.reading import parse_spec
from tests.support.command import RUN
from tests.support.command import neucb as command

UNIFORM = (*RUN, "--agent", "uniform")
TABLE = "a,b,y\n" + "".join(f"{i % 7},{i % 5},{'pq'[i % 2]}\n" for i in range(80))
INVALID = "caf\udce9"  # the byte \xe9 as decoded by the system


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def unplayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a run is played."""

    def play(run: Run, *, show: bool) -> bool:
        raise AssertionError("a run was played")

    monkeypatch.setattr("neucb.cli.output.play", play)


@pytest.mark.parametrize(
    "arguments",
    [
        (*UNIFORM, "--dataset", f"{INVALID}.csv"),
        (*UNIFORM, "--out", INVALID),
        (*UNIFORM, "--save-agent", f"{INVALID}.safetensors"),
        (*UNIFORM, "--agent", f"{INVALID}.py:Name"),
        ("sweep", f"{INVALID}.toml"),
        ("sweep", "bakeoff", "--out", INVALID),
        ("plot", INVALID),
        ("report", ".", "--title", INVALID),
    ],
)
@pytest.mark.usefixtures("unplayed")
def test_a_name_that_is_not_utf_8_is_rejected_first(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(r"neucb: error: the argument ")
    assert r"caf\udce9" in line
    assert line.endswith("is no text in UTF-8; rename the file or folder")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_real_command_line_with_invalid_utf_8_is_rejected(tmp_path: Path) -> None:
    (Path(os.fsdecode(b"caf\xe9.csv"))).write_text(TABLE)
    completed = subprocess.run(
        [sys.executable, "-m", "neucb", "run", "--agent", "uniform", "--dataset", b"caf\xe9.csv"],
        capture_output=True,
        check=False,
    )
    assert completed.returncode == 2
    assert completed.stderr.decode().count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_names_that_are_not_utf_8_are_rejected_in_python() -> None:
    with pytest.raises(InputError, match=r"the data set 'caf\\udce9.csv' is no text in UTF-8"):
        neucb.run("uniform", f"{INVALID}.csv")
    with pytest.raises(InputError, match=r"the agent 'caf\\udce9.py:A' is no text in UTF-8"):
        neucb.run(f"{INVALID}.py:A", "iris")
    with pytest.raises(InputError, match=r"the spec .* is no text in UTF-8"):
        neucb.sweep(f"{INVALID}.toml")
    with pytest.raises(InputError, match=r"the folder .* is no text in UTF-8"):
        check_writable(Path(INVALID))


@pytest.mark.parametrize(
    "name", ["n" * 250 + ".csv", "ä" * 125 + ".csv", "/".join(["d" * 120] * 3) + "/x.csv"]
)
def test_results_of_a_data_set_with_a_long_name_are_saved(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TABLE)
    arguments = ("run", "--agent", "uniform", "--dataset", name, "--trace", "--rounds", "30", "--seeds", "2")
    assert command(monkeypatch, *arguments, "--json", "--out", "out") == 0, capsys.readouterr().err
    assert len(list(Path("out").iterdir())) == 4
    (log,) = (path for path in Path("out").glob("*.parquet") if not path.stem.endswith("_trace"))
    assert set(pd.read_parquet(log)["dataset"]) == {path.stem}
    spec = f'[experiment]\nname = "x"\nrounds = 30\nreporting_seeds = 2\ndatasets = ["{name}"]\n'
    Path("spec.toml").write_text(spec + f'[[agents]]\nname = "uniform"\nlabel = "{"u" * 300}"\n')
    assert len(neucb.sweep("spec.toml", jobs=1)["seed"].unique()) == 2


def test_short_names_are_not_shortened() -> None:
    assert shortened("kl_covertype") == "kl_covertype"
    assert shortened("ä" * 200) == "ä" * 95
    text = (
        '[experiment]\nname = "x"\nreporting_seeds = 2\ndatasets = ["iris"]\n[[agents]]\nname = "uniform"\n'
    )
    (batch,) = reporting_batches(parse_spec(text), {})
    assert batch.label_part == "uniform_iris_reporting"


def test_results_of_an_installed_agent_with_a_slash_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neucb.runs import plugins
    from neucb.runs import save as results

    Path("mine.py").write_text(
        "from neucb.agents.recipes.build import make_agent\n"
        "from neucb.agents.recipes.registry import RECIPES\n"
        "ready = make_agent(RECIPES['uniform'])\n"
    )
    monkeypatch.setattr(plugins, "installed", lambda group: {"lab/uniform, new": "mine:ready"})
    run = prepare("lab/uniform, new", "iris", 20, 2)
    run.play()
    saved = results.save(run, tmp_path / "out")
    assert saved.log.name.startswith("lab-uniform-new_iris_")
    assert set(pd.read_parquet(saved.log)["agent"]) == {"lab/uniform, new"}


AGENT = """\
import threading, torch

class Locked:
    def reset(self, spec):
        self.p = torch.full((spec.replicas, spec.arms), 1.0 / spec.arms)
        self.lock = threading.Lock()

    def distribution(self, context):
        return self.p

    def update(self, context, action, loss):
        pass
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "file"), "cannot write results to file: File exists; name another folder with --out"),
        (
            ("--out", "file/x"),
            "cannot write results to file/x: Not a directory; name another folder with --out",
        ),
        (("--out", "n" * 300), "File name too long; name another folder with --out"),
        (("--out", "/dev/null/x"), "cannot write results to /dev/null/x: Not a directory; name another"),
        (("--save-agent", "agent.pt"), "--save-agent takes a .safetensors file, not agent.pt"),
        (("--save-agent", "agent"), "--save-agent takes a .safetensors file, not agent"),
        (("--save-agent", "file/a.safetensors"), "File exists; name another folder with --save-agent"),
        (
            ("--save-agent", "d.safetensors"),
            "cannot write d.safetensors: it is a folder; name a file with --save",
        ),
        (
            ("--save-agent", "n" * 300 + ".safetensors"),
            "File name too long; name another file with --save-agent",
        ),
        (
            ("--agent", "mine.py:Locked", "--save-agent", "a.safetensors"),
            "Locked.lock is a lock and cannot be kept; give its owner the methods state_dict",
        ),
    ],
)
@pytest.mark.usefixtures("unplayed")
def test_unwritable_paths_are_rejected_first(
    options: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("file").write_text("")
    Path("d.safetensors").mkdir()
    Path("mine.py").write_text(AGENT)
    assert command(monkeypatch, *UNIFORM, *options) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("plot", "runs", "-o", "file/x.pdf"), "-o"),
        (("report", "runs", "-o", "file/x.html"), "-o"),
        (("report", "runs", "-o", "folder"), "-o"),
        (("peers", "--dataset", "iris", "--out", "file/x.csv"), "--out"),
        (("peers", "--dataset", "iris", "--page", "file/x.md"), "--page"),
        (("bench", "--quick", "--out", "file"), "--out"),
        (("sweep", "spec.toml", "--out", "file"), "--out"),
    ],
)
def test_other_commands_check_paths_first(
    arguments: tuple[str, ...],
    option: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error is that of the path, not that there are no runs."""
    Path("file").write_text("")
    Path("folder").mkdir()
    Path("spec.toml").write_text(
        '[experiment]\nname = "x"\nreporting_seeds = 2\ndatasets = ["iris"]\n[[agents]]\nname = "uniform"\n'
    )
    monkeypatch.setattr("neucb.cli.peers.find_players", lambda peer, ours: [])
    assert command(monkeypatch, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"with {option}")


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions")
def test_a_read_only_folder_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere: for root the system's error is simulated."""
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    if os.geteuid() == 0:

        def refuse(**_: Any) -> Any:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(NeucbError, match="Permission denied; name another folder with out="):
        check_writable(folder)
    with pytest.raises(NeucbError, match="Permission denied; name another folder with -o"):
        check_file(folder / "x.pdf", "-o")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "datasets"), [("ascii", ("iris",)), ("latin-1", ("iris,wine",)), ("cp437", ("iris",))]
)
def test_tables_are_printed_in_any_encoding(encoding: str, datasets: tuple[str], tmp_path: Path) -> None:
    completed = subprocess.run(
        [
            sys.executable,
            "-m",
            "neucb",
            "run",
            "--agent",
            "uniform",
            "--rounds",
            "20",
            "--dataset",
            *datasets,
        ],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert b"regret" in completed.stdout


def test_output_that_cannot_be_reconfigured_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert command(monkeypatch, "--version") == 0
