"""User-defined agents, data sets, files and costs in the spec of a sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.runs import plugins
from neucb.sweeps.plan import reporting_batches
from neucb.sweeps.play.data import Data
from neucb.sweeps.play.execute import local
from neucb.sweeps.play.progress import Report
from neucb.sweeps.spec.reading import read_spec
from neucb.sweeps.sweep import sweep
from tests.support.user_code import AGENT, DATA

SPEC = """\
[experiment]
name = "own"
rounds = 60
reporting_seeds = 2
datasets = [
    DATASETS
]
[[agents]]
name = "AGENT"
"""
COSTS = [[0.0, 1.0, 0.2], [0.5, 0.0, 1.0], [1.0, 1.0, 0.0]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a spec, which is not the working folder."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in sys.modules if name.split(".")[0] in ("helper_of_mine", "bundle")]:
        monkeypatch.delitem(sys.modules, name)
    (home / "helper_of_mine.py").write_text("EVEN = 1.0\n")
    (home / "mine.py").write_text(AGENT)
    (home / "data.py").write_text(DATA)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.random(90), "z": rng.random(90), "y": list("abc") * 30, "q": [*range(30)] * 3}
    )
    frame.drop(columns="q").to_csv(home / "table.csv", index=False)
    frame.drop(columns="q").to_parquet(home / "table.parquet")
    frame.assign(y=rng.random(90)).to_csv(home / "ranking.csv", index=False)
    (home / "costs.csv").write_text("\n".join(",".join(map(str, row)) for row in COSTS))
    return home


def spec(folder: Path, datasets: str, agent: str = "uniform") -> Path:
    path = folder / "spec.toml"
    path.write_text(SPEC.replace("DATASETS", datasets).replace("AGENT", agent))
    return path


def play(path: Path, out: Path) -> Report:
    return sweep(read_spec(path), out, lambda tasks: local(tasks, 1), Data())


@pytest.mark.parametrize("agent", ["mine.py:Even", "bundle.agents:Even", "evenly"])
def test_a_user_agent_is_played(
    agent: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent plays like `uniform`; an edit of a module it imports renames its batches."""
    package = tmp_path / "bundle"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper_of_mine.py").write_text("EVEN = 1.0\n")
    (package / "agents.py").write_text(AGENT.replace("from helper", "from .helper"))
    monkeypatch.setattr(plugins, "installed", lambda group: {"evenly": "bundle.agents:Even"})
    path = spec(folder, '"iris"', agent)
    assert play(path, tmp_path / "own").failures == []
    play(spec(folder, '"iris"'), tmp_path / "uniform")
    own, uniform = (neucb.load_results(tmp_path / name) for name in ("own", "uniform"))
    assert own["regret"].tolist() == uniform["regret"].tolist()
    path = spec(folder, '"iris"', agent)
    assert play(path, tmp_path / "own").played == 0
    used = folder if agent.startswith("mine") else package
    (used / "helper_of_mine.py").write_text("EVEN = 1.0  # as before\n")
    assert play(path, tmp_path / "own").played == 2
    (used / "unused.py").write_text("EVEN = 2.0\n")
    assert play(path, tmp_path / "own").played == 0


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [
        ('"data.py:table"', {"dataset": "data.py:table"}),
        ('"data.py:Iris"', {"dataset": "data.py:Iris"}),
        ('"table.csv"', {"dataset": "table.csv", "target": "y"}),
        ('{ name = "table.parquet", target = "y" }', {"dataset": "table.csv"}),
        ('{ name = "iris", cost = "costs.csv" }', {"dataset": "iris", "cost": np.array(COSTS)}),
        (f'{{ name = "iris", cost = {COSTS} }}', {"dataset": "iris", "cost": np.array(COSTS)}),
        (
            '{ name = "ranking.csv", target = "y", group = "q" }',
            {"dataset": "ranking.csv", "target": "y", "group": "q"},
        ),
        (
            '{ name = "ranking.csv", target = "y", arms = 3 }',
            {"dataset": "ranking.csv", "target": "y", "arms": 3},
        ),
        ('{ name = "synthetic:cosine", arms = 3 }', {"dataset": "synthetic:cosine", "arms": 3}),
    ],
)
def test_user_data_are_played_as_by_run(
    entry: str, arguments: dict[str, Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows equal those of `neucb.run`."""
    path = spec(folder, entry)
    path.write_text(path.read_text().replace("rounds = 60", 'rounds = 25\nsource = "auto"'))
    assert play(path, tmp_path / "out").failures == []
    rows = neucb.load_results(tmp_path / "out")
    monkeypatch.chdir(folder)
    alone = neucb.run("uniform", rounds=25, seeds=2, **arguments)
    assert rows["loss"].tolist() == alone["loss"].tolist()
    assert rows["regret"].tolist() == alone["regret"].tolist()


def test_the_content_of_a_data_set_names_its_batches(folder: Path, tmp_path: Path) -> None:
    def name(entry: str) -> str:
        (batch,) = reporting_batches(read_spec(spec(folder, entry)), {})
        return batch.name(Data().fingerprint(batch.world.dataset))

    names = [name('"data.py:table"'), name('"data.py:Iris"'), name('{ name = "iris", cost = "costs.csv" }')]
    assert names == [
        name('"data.py:table"'),
        name('"data.py:Iris"'),
        name(f'{{ name = "iris", cost = {COSTS} }}'),
    ]
    (folder / "data.py").write_text(DATA.replace("[0.0, 1.0", "[0.1, 1.0"))
    (folder / "costs.csv").write_text("0,1,1\n1,0,1\n1,1,0\n")
    changed = [name('"data.py:table"'), name('"data.py:Iris"'), name('{ name = "iris", cost = "costs.csv" }')]
    assert not set(names) & set(changed)


@pytest.mark.parametrize(
    ("datasets", "agent", "line", "reason"),
    [
        ('"data.py:tabel"', "uniform", 6, "did you mean 'table'?"),
        ('"data.py"', "uniform", 6, "say which object of the file you mean"),
        ('"nowhere.py:table"', "uniform", 6, "there is no file nowhere.py"),
        ('{ name = "iris", arms = 3 }', "uniform", 6, "iris has no option 'arms'; it has cost"),
        ('{ name = "iris", target = "y" }', "uniform", 6, "iris has no option 'target'; it has cost"),
        ('{ name = "synthetic:cosine", cost = [[0, 1], [1, 0]] }', "uniform", 6, "it has arms, features"),
        ('{ name = "iris", cost = [[0, 1], [1]] }', "uniform", 6, "cost must be a square matrix"),
        ('{ name = "iris", cost = [[0, 2], [1, 0]] }', "uniform", 6, "cost must be a square matrix"),
        ('{ name = "iris", cost = "cost.csv" }', "uniform", 6, "with a cost matrix"),
        ('{ name = "ranking.csv", arms = 0 }', "uniform", 6, "arms must be a whole number, at least 1"),
        ('{ name = "ranking.csv", group = 3 }', "uniform", 6, "group must be the name of a column"),
        (
            '{ name = "ranking.csv", arms = 3, cost = [[0]] }',
            "uniform",
            6,
            "cost and arms do not go together",
        ),
        ('"iris"', "mine.py:Evn", 9, "did you mean 'Even'?"),
        ('"iris"', 'mine.py:Even"\nsettings = { lr = 1.0 }\nlabel = "a', 10, "takes no settings; write them"),
        ('"iris"', 'mine.py:Even"\ngrid = { lr = [1.0] }\nlabel = "a', 10, "takes no settings; write them"),
        ('"iris"', "trained.safetensors", 9, "unknown agent"),
    ],
)
def test_spec_errors_name_the_line(datasets: str, agent: str, line: int, reason: str, folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_spec(spec(folder, datasets, agent))
    message = str(caught.value)
    assert message.startswith(f"spec.toml, line {line}: ")
    assert reason in message


def test_errors_found_while_loading_are_failures_with_a_reason(folder: Path, tmp_path: Path) -> None:
    path = spec(folder, '"data.py:Iris", { name = "wine", cost = [[0, 1], [1, 0]] }, "breast_cancer"')
    path.write_text(path.read_text().replace("rounds", 'preprocessing = ["standard", "paper"]\nrounds'))
    report = play(path, tmp_path / "out")
    assert {failure.reason for failure in report.failures} == {
        f"{folder}/data.py:Iris has no table to encode; leave preprocessing out",
        "the cost matrix must be [label, arm] of shape (3, 3), not (2, 2)",
    }
    with pytest.warns(UserWarning, match="3 of 6 batches are missing"):
        frame = neucb.load_results(tmp_path / "out")
    assert len(frame["dataset"].unique()) == 2
