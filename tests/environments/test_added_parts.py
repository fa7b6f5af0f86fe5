"""A row order, a data source and a kind of plot are each added as one file and one row."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neucb
from neucb.core.errors import InputError
from neucb.environments.sources.catalogue import load_table
from neucb.environments.sources.registry import SOURCES
from neucb.environments.sources.source import DataSource, Entry, Loading
from neucb.environments.table import Column, Table
from neucb.plots.kinds.registry import KINDS, draw
from tests.support.command import neucb as run_command
from tests.support.paths import ROOT

# Adaptive order with a compiled form: repeats a row until its loss is 0.
PATIENT = """
from typing import Any, NamedTuple

import numpy as np

from neucb.environments.orders.order import CompiledOrder

STEP = 1


class PatientState(NamedTuple):
    rows: Any
    at: Any

    def row(self, t):
        return self.rows[self.at[0] % len(self.rows)]

    def observe(self, label, loss):
        if loss < 0.5:
            self.at[0] += STEP


class Patient(CompiledOrder):
    def __init__(self, labels, arms, horizon, rng):
        self.state = PatientState(rng.permutation(len(labels)), np.zeros(1, np.int64))
"""
PLAY = r"""
import sys
from neucb.runs.api import prepare
run = prepare("uniform", "iris", 150, "3,8", order="patient", trace=True, engine=sys.argv[1])
run.play()
trace = run.log.trace.frame(150)
print(trace["row"].tolist(), trace["loss"].tolist(), sep="\n")
"""
KIND = """
from neucb.plots.kind import PlotKind
from neucb.plots.kinds.ranks import rank_figure


def figure(frame, x, bounds):
    plot = rank_figure(frame)
    plot.texts[0].set_text(f"{x} {bounds}")
    return plot


KIND = PlotKind("a kind of a test", ("regret", "mine"), figure, "sqrt", bounded=True)
"""


def add_row(registry: Path, first: str, row: str) -> None:
    """Insert a row before the first one of a registry."""
    text = registry.read_text()
    assert text.count(first) == 1
    registry.write_text(text.replace(first, f"{row}{first}"))


@pytest.mark.slow
@pytest.mark.compile
def test_an_order_and_a_kind_of_plot_are_added_to_a_copy(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "neucb", tmp_path / "neucb", ignore=shutil.ignore_patterns("__pycache__"))
    orders, kinds = tmp_path / "neucb" / "environments" / "orders", tmp_path / "neucb" / "plots" / "kinds"
    (orders / "patient.py").write_text(PATIENT)
    module = "neucb.environments.orders.patient"
    add_row(
        orders / "registry.py", '"shuffled": Shuffled,', f'"patient": import_module("{module}").Patient, '
    )
    add_row(orders / "registry.py", "from neucb.core.errors", "from importlib import import_module\n")
    (kinds / "mine.py").write_text(KIND)
    add_row(kinds / "registry.py", '"regret": ', '"mine": "neucb.plots.kinds.mine", ')

    def python(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        completed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def rows(engine: str) -> list[list[float]]:
        return [json.loads(line) for line in python("-c", PLAY, engine).splitlines()]

    def check(step: int) -> None:
        compiled, torch = rows("compiled"), rows("torch")
        assert compiled == torch
        played_rows, loss = np.array(torch).reshape(2, 2, 150)
        for seed in range(2):
            solved = int((loss[seed][:-1] == 0.0).sum())
            assert len(set(played_rows[seed])) == min(solved + 1, 150 // step)
            repeated = loss[seed][:-1] > 0.0
            assert (played_rows[seed][1:][repeated] == played_rows[seed][:-1][repeated]).all()

    check(1)
    (orders / "patient.py").write_text(PATIENT.replace("STEP = 1", "STEP = 75"))
    check(75)  # the kernel is compiled repeated
    assert "mine, regret, " in " ".join(python("-m", "neucb", "plot", "--help").split())
    assert "patient" in python("-m", "neucb", "run", "--help")


class Stripes(DataSource):
    """Source of tables "stripes:<rows>" and of "zebra"."""

    patterns = ("stripes:<rows>",)

    def sets(self) -> list[Entry]:
        return [Entry("zebra", "a table of stripes", "stripes:90")]

    def matches(self, name: str) -> bool:
        return name.startswith("stripes:") or name == "zebra"

    def load(self, name: str, loading: Loading) -> Table:
        rows = 90 if name == "zebra" else int(name.removeprefix("stripes:"))
        labels = np.arange(rows, dtype=np.int64) % 3
        return Table(name, (Column("x", labels.astype(float)),), labels, ("a", "b", "c"), "stripes")

    def fingerprint(self, name: str, loading: Loading) -> dict[str, Any]:
        return {"source": "stripes", "of": name}


@pytest.fixture
def stripes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(SOURCES, "stripes", Stripes())
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("stripes")
def test_an_added_source_is_listed_loaded_and_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_command(monkeypatch, "datasets") == 0
    output = capsys.readouterr().out
    assert "stripes:<rows>" in output
    assert "a table of stripes" in output
    assert load_table("ZEBRA").rows == 90
    with pytest.raises(InputError, match="did you mean 'zebra'"):
        load_table("zebrra")
    with pytest.raises(InputError, match="stripes:9 has a target and types of its own"):
        neucb.run("uniform", "stripes:9", 5, 1, target="x")
    options = ("--dataset", "stripes:60,zebra", "--seeds", "2", "--rounds", "30", "--agent", "uniform")
    assert run_command(monkeypatch, "run", *options, "--out", "out", "--quiet") == 0
    frame = neucb.load_results(tmp_path / "out")
    assert set(frame["dataset"]) == {"stripes:60", "zebra"}


@pytest.mark.usefixtures("stripes")
def test_an_added_source_is_swept_under_its_fingerprint(tmp_path: Path) -> None:
    spec = tmp_path / "own.toml"
    spec.write_text(
        '[experiment]\nname = "own"\nrounds = 20\nreporting_seeds = "3"\n'
        'datasets = ["stripes:60", "zebra"]\n'
        '[[agents]]\nname = "uniform"\n'
    )
    neucb.sweep(spec, out=tmp_path / "swept")
    assert set(neucb.load_results(tmp_path / "swept" / "own")["dataset"]) == {"stripes:60", "zebra"}
    manifests = "".join(path.read_text() for path in (tmp_path / "swept").rglob("*.json"))
    assert '"of": "zebra"' in manifests


def test_an_added_kind_of_plot_is_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "kind_of_a_test.py").write_text(KIND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(KINDS, "mine", "kind_of_a_test")
    frames = [neucb.run(agent, name, 30, 2) for agent in ("uniform", "linucb") for name in ("iris", "wine")]
    frame = pd.concat(frames)
    with pytest.raises(InputError, match="no run here has logged 'mine'; draw another kind="):
        draw(frame, "mine")
    frame["mine"] = 1
    assert draw(frame, "mine").texts[0].get_text() == "sqrt False"
    assert draw(frame, "mine", "log", bounds=True).texts[0].get_text() == "log True"
    frame.to_parquet(tmp_path / "log.parquet")
    log, figure = str(tmp_path / "log.parquet"), str(tmp_path / "a.png")
    assert run_command(monkeypatch, "plot", log, "--kind", "mine", "-o", figure) == 0
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert run_command(monkeypatch, "plot", log, "--kind", "mnie") == 2
    assert "did you mean 'mine'?" in capsys.readouterr().err
