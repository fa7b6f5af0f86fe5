"""User-defined agents and data sets: by file, by module, installed; error messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import neucb
from neucb.core.errors import InputError, NeucbError
from neucb.runs import plugins
from neucb.runs.api import prepare
from tests.support.command import neucb as command
from tests.support.readme import agent_block
from tests.support.user_code import AGENT, DATA


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name == "helper_of_mine" or name.startswith("a_package")]:
        del sys.modules[name]
    (tmp_path / "helper_of_mine.py").write_text("EVEN = 1.0\n")
    (tmp_path / "mine.py").write_text(AGENT)
    (tmp_path / "data.py").write_text(DATA)
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").write_text("")
    (tmp_path / "a_package" / "agents.py").write_text(AGENT)
    return tmp_path


def test_the_agent_of_the_readme_plays_from_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "my_agent.py").write_text(agent_block())
    arguments = (
        "run",
        "--agent",
        "my_agent.py:FollowTheLeader",
        "--dataset",
        "iris",
        "--json",
        "--out",
        "out",
    )
    assert command(monkeypatch, *arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["agent"], summary["rounds"]) == ("FollowTheLeader", 150)
    (manifest,) = Path("out").glob("*.json")
    code = json.loads(manifest.read_text())["configuration"]["code"]
    assert code["reference"] == "my_agent.py:FollowTheLeader"
    assert len(code["sha256"]) == 64


@pytest.mark.parametrize(
    "reference", ["mine.py:Even", "mine.py:make", "mine.py:ready", "a_package.agents:Even", "even"]
)
def test_agents_can_be_named_in_every_way(
    folder: Path, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class, a function and an object, named by file, module or entry point."""
    monkeypatch.setattr(plugins, "installed", lambda group: {"even": "a_package.agents:make"})
    frame = neucb.run(reference, "iris", 100, 2)
    uniform = neucb.run("uniform", "iris", 100, 2)
    assert frame["loss"].tolist() == uniform["loss"].tolist()
    assert frame["agent"][0] == reference.rpartition(":")[2]


def test_entry_points_add_agents_and_data_sets(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Entry points of installed distributions are listed and can be played."""
    metadata = folder / "a_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: a-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[neucb.agents]\nevenly = a_package.agents:Even\n[neucb.datasets]\nsquares = data:table\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    assert command(monkeypatch, "agents") == 0
    assert "evenly  a_package.agents:Even" in capsys.readouterr().out
    assert command(monkeypatch, "datasets") == 0
    assert "squares  data:table" in capsys.readouterr().out
    arguments = ("run", "--agent", "evenly", "--dataset", "squares", "--json", "--out", "out")
    assert command(monkeypatch, *arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["agent"], summary["dataset"], summary["rounds"]) == ("evenly", "squares", 120)
    with pytest.raises(InputError, match="did you mean 'evenly'"):
        neucb.run("evenl", "iris", 10, 1)


def test_user_data_sets_are_played(folder: Path) -> None:
    run = prepare("squarecb", "data.py:table", 80, 2)
    run.play()
    assert run.environment["dataset"] == "table"
    assert run.environment["code"]["reference"] == "data.py:table"
    assert run.engine == "compiled"
    user_frame = neucb.run("uniform", "data.py:Iris", 100, "3,7,9")
    frame = neucb.run("uniform", "iris", 100, "3,7,9")
    assert user_frame["loss"].tolist() == frame["loss"].tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agent": "nowhere.py:Even"}, "there is no file nowhere.py"),
        ({"agent": "mine.py"}, "mine.py: say which object of the file you mean: mine.py:Name"),
        ({"agent": "mine.py:Evn"}, "mine.py: unknown name 'Evn': did you mean 'Even'?"),
        ({"agent": "mine.py:Epsilon"}, "mine.py:Epsilon needs arguments: epsilon; give them defaults"),
        ({"agent": "mine.py:Mute"}, r"mine.py:Mute is no agent: it lacks distribution\(context\)"),
        ({"agent": "mine.py:fails"}, "mine.py, line 38: KeyError: 'no such key'"),
        ({"agent": "mine.py:EVEN"}, r"mine.py:EVEN is no agent: it lacks reset\(spec\)"),
        ({"agent": "broken.py:Even"}, "broken.py, line 2: ZeroDivisionError: division by zero"),
        ({"agent": "grammar.py:Even"}, "grammar.py, line 1: SyntaxError"),
        ({"agent": "quits.py:Even"}, "quits.py, line 1: SystemExit: 3"),
        ({"agent": "needs.py:Even"}, "needs.py, line 1: ModuleNotFoundError: No module named 'nothing_here'"),
        ({"agent": "a_package.agent:Even"}, "there is no module a_package.agent; it must be installed"),
        ({"agent": "mine.py:Even", "settings": {"lr": 1}}, "mine.py:Even takes no settings"),
        ({"dataset": "data.py:tabel"}, "did you mean 'table'"),
        ({"dataset": "data.py"}, "data.py: say which object"),
        ({"dataset": "data.py:text"}, "data.py:text gives text; it must give a table"),
        ({"dataset": "data.py:number"}, "the data set must be a name, a table"),
    ],
)
def test_errors_in_user_code_are_one_line(folder: Path, arguments: dict[str, Any], message: str) -> None:
    (folder / "broken.py").write_text("x = 1\nx / 0\n")
    (folder / "grammar.py").write_text("class class:\n")
    (folder / "quits.py").write_text("raise SystemExit(3)\n")
    (folder / "needs.py").write_text("import nothing_here\n")
    with pytest.raises(InputError, match=message) as caught:
        neucb.run(**{"agent": "uniform", "dataset": "iris", "seeds": 1, "rounds": 10, **arguments})
    assert "\n" not in str(caught.value)


def test_a_failing_agent_is_a_one_line_error_with_its_rounds_saved(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("run", "--agent", "mine.py:Tired", "--dataset", "iris", "--quiet", "--out", "out")
    assert command(monkeypatch, *arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    (log,) = Path("out").glob("*_until-round-29.parquet")
    assert lines == [
        f"neucb: error: mine.py, line 28: ValueError: too much; the 29 rounds before are in {log}"
    ]
    with pytest.raises(ValueError, match="too"):
        neucb.run("mine.py:Tired", "iris", seeds=1)


def test_a_wrong_signature_is_an_error_that_names_the_agent(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("run", "--agent", "mine.py:Curt", "--dataset", "iris", "--quiet", "--out", "out")
    assert command(monkeypatch, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "neucb: error: mine.py:Curt: TypeError: Curt.update() takes 1 positional argument but 4 were given"
    )


def test_an_edited_file_is_read_again(folder: Path) -> None:
    path = folder / "edited.py"
    path.write_text(AGENT)
    assert plugins.find_agent("edited.py:ready").name == "ready"
    path.write_text(AGENT.replace("ready", "renamed_object"))
    assert plugins.find_agent("edited.py:renamed_object").name == "renamed_object"
    with pytest.raises(NeucbError, match="did you mean"):
        plugins.find_agent("edited.py:rename_object")
