"""Invalid inputs give a one-line error that names the cure, or a result."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest

from neucb.core.errors import DataError, InputError
from neucb.core.seeds import parse_seeds
from neucb.environments.tables.table_file import read_file
from neucb.sweeps.store.load_sweep import load_sweep
from neucb.sweeps.store.read_results import read_results
from tests.support.command import neucb

RUN = ("run", "--dataset", "iris", "--agent", "uniform", "--seeds", "2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        assert neucb(patch, *RUN, "--rounds", "30", "--out", str(folder), "--quiet") == 0
        assert (
            neucb(patch, *RUN[:3], "--agent", "fastcb", "--rounds", "30", "--out", str(folder), "--quiet")
            == 0
        )
    return folder


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"environment": ', "cannot be read: "),
        ("[1]", "is no manifest of a run"),
        ('{"configuration": 3}', "is no manifest of a run"),
        ('{"environment": [1, 2]}', "is no manifest of a run"),
        ('{"configuration": {"environment": "x"}}', "is no manifest of a run"),
        ('{"failures": 3}', "is no manifest of a run"),
    ],
)
def test_a_damaged_manifest_is_an_error(runs: Path, tmp_path: Path, content: str, reason: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(runs, folder)
    manifest = next(folder.glob("*.json"))
    manifest.write_text(content)
    with pytest.raises(InputError) as error:
        read_results([folder], pytest.fail)
    assert f"{manifest} {reason}" in str(error.value)
    assert str(error.value).endswith("play the run again, or remove the file")


@pytest.mark.slow
def test_logs_without_manifests_are_reported_without_bounds(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without manifests K is unknown."""
    folder = tmp_path / "copy"
    shutil.copytree(runs, folder)
    for manifest in folder.glob("*.json"):
        manifest.write_text(json.dumps({"environment": None}))
    page = tmp_path / "report.html"
    assert neucb(monkeypatch, "report", str(folder), "-o", str(page)) == 0
    assert "Not shown: bounds need agents" in page.read_text(encoding="utf-8")
    for manifest in folder.glob("*.json"):
        manifest.unlink()
    assert neucb(monkeypatch, "report", str(folder), "-o", str(page)) == 0


@pytest.mark.slow
def test_a_run_of_one_round_is_plotted_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--engine", "torch", "--rounds", "1", "--out", str(tmp_path / "first"), "--quiet")
    assert neucb(monkeypatch, "run", "--dataset", "iris", "--agent", "sq", *options) == 0
    capsys.readouterr()  # compiling kernels prints a note
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options = ("--engine", "torch", "--rounds", "1", "--out", str(tmp_path), "--quiet")
        assert neucb(monkeypatch, "run", "--dataset", "iris", "--agent", "sq", *options) == 0
        for x in ("log", "linear", "sqrt"):
            plot_options = ("--x", x, "--bounds", "-o", str(tmp_path / "regret.svg"))
            assert neucb(monkeypatch, "plot", str(tmp_path), *plot_options) == 0
        assert neucb(monkeypatch, "report", str(tmp_path), "-o", str(tmp_path / "report.html")) == 0
    assert capsys.readouterr().err == ""  # not even an empty line


def test_an_unwritable_file_is_reported_with_its_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "small.toml"
    spec.write_text(
        '[experiment]\nname = "small"\nrounds = 20\ndatasets = ["iris"]\nreporting_seeds = 1\n'
        '[[agents]]\nname = "uniform"\n'
    )
    assert neucb(monkeypatch, "sweep", str(spec), "--out", str(tmp_path), "--quiet") == 0
    (tmp_path / "file").write_text("in the way")
    for option, name in (("--export", "table.csv"), ("--rows", "rows.csv")):
        capsys.readouterr()
        target = str(tmp_path / "file" / name)
        assert neucb(monkeypatch, "results", str(tmp_path / "small"), option, target) == 1
        assert capsys.readouterr().err.rstrip().endswith(f"name another folder with {option}")


@pytest.mark.parametrize("text", ["99999999999999999999", "5:3", "0", "-1", "x"])
def test_invalid_seeds_are_rejected(text: str) -> None:
    with pytest.raises(InputError, match="no valid seeds in"):
        parse_seeds(text)


def test_duplicate_column_names_are_rejected(tmp_path: Path) -> None:
    """Pandas would rename the second to `label.1`, and the target would be ambiguous."""
    path = tmp_path / "twice.csv"
    path.write_text("label,a,label\n" + "".join(f"{i % 4},{i % 3},{'xy'[i % 2]}\n" for i in range(40)))
    with pytest.raises(DataError, match="two columns are called 'label'"):
        read_file(path)
    path.write_text(",,label\n" + "".join(f"{i % 4},{i % 3},{'xy'[i % 2]}\n" for i in range(40)))
    assert len(read_file(path).columns) == 2  # empty names do not count as equal


def test_svmlight_without_pairs_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.svmlight"
    path.write_text("1 1:2 3\n")
    with pytest.raises(DataError, match="label and index:value pairs"):
        read_file(path)


def test_an_empty_cost_matrix_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cost.csv"
    path.write_text("")
    assert neucb(monkeypatch, *RUN, "--cost", str(path), "--out", str(tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is empty" in line


@pytest.mark.parametrize(
    ("content", "reason"), [("{", "is damaged"), ("{}", "is no plan"), ('{"batches": 3}', "is no plan")]
)
def test_a_damaged_plan_is_an_error(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "_plan.json").write_text(content)
    with pytest.raises(InputError, match=f"_plan.json {reason}.*run the sweep again"):
        load_sweep(tmp_path)


def test_diagnose_rejects_a_negative_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, "diagnose", "--dataset", "iris", "--seed", "-1") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--seed" in line


def test_diagnose_rejects_a_table_of_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exponents are fitted to T / 16, ..., T, which need at least 32 rounds."""
    path = tmp_path / "five.csv"
    path.write_text("a,b,y\n1,2,0\n3,4,1\n5,6,2\n7,8,3\n9,1,4\n")
    assert neucb(monkeypatch, "diagnose", "--dataset", str(path), "--target", "y") == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("a diagnosis takes 32..20,000 rounds, not 5")


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("kl", "depth has 2 values (2, 3) for 5 seeds; give one value, or one per seed"),
        ("uniform", "uniform takes no settings, it has no 'depth'"),
    ],
)
def test_a_list_of_the_wrong_length_is_rejected(
    agent: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert neucb(monkeypatch, *RUN[:3], "--agent", agent, "--set", "depth=2,3") == 2
    assert capsys.readouterr().err.splitlines() == [f"neucb: error: {message}"]
