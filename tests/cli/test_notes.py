"""Notes on omitted or guessed data: printed once by every command, stored in manifest and report."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neucb
from neucb.cli.app import main
from neucb.core.errors import DataError, InputError
from tests.support.runs import traced

ROWS = 60
COUNTS = "column 'id' just counts the rows and is left out"
UNLABELLED = "1 row has no label in column 'y' and is left out"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a file with a running index and an unlabelled row to the working folder."""
    monkeypatch.chdir(tmp_path)
    a = np.arange(ROWS) * 7 % 11
    labels = [" " if i == 5 else "yn"[int(a[i] > 5)] for i in range(ROWS)]
    pd.DataFrame({"id": range(ROWS), "a": a, "y": labels}).to_csv("t.csv", index=False)
    return tmp_path


def run_command(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int = 0
) -> tuple[str, str]:
    monkeypatch.setattr(sys, "argv", ["neucb", *arguments.split()])
    with pytest.raises(SystemExit) as end, warnings.catch_warnings():
        main()
    assert end.value.code == code, capsys.readouterr()
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("option", ["", "--quiet", "--json"])
def test_a_run_prints_each_note_once(
    table: Path, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run_command(
        f"run --agent uniform --dataset t.csv --seeds 2 --rounds 20 --out o {option}", monkeypatch, capsys
    )
    assert err.count(COUNTS) == 1
    assert err.count(UNLABELLED) == 1
    if option == "--json":
        json.loads(out)
    (manifest,) = map(json.loads, (path.read_text() for path in Path("o").glob("*.json")))
    assert len(manifest["configuration"]["environment"]["notes"]) == 2
    run_command("report o -o report.html", monkeypatch, capsys)
    assert "just counts the rows and is left out" in Path("report.html").read_text()


def test_show_prints_column_types_ordered_classes_and_notes(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run_command("datasets show t.csv", monkeypatch, capsys)
    assert (err.count(COUNTS), err.count(UNLABELLED)) == (1, 1)
    assert out.index("\n                          n ") < out.index("\n                          y ")
    assert "id      id, left out, 59 values" in out
    out, err = run_command("datasets show t.csv --json", monkeypatch, capsys)
    assert [column["kind"] for column in json.loads(out)["columns"]] == ["id", "number", "label"]
    _, err = run_command("datasets show t.csv --strict", monkeypatch, capsys, 2)
    assert "an error since --strict is set" in err
    out, err = run_command(
        "datasets show t.csv --columns id=skip,y=category --strict", monkeypatch, capsys, 2
    )
    assert COUNTS not in err  # only the unlabelled row remains


SPEC = """
[experiment]
name = "mine"
rounds = 20
datasets = [{ name = "t.csv"%s }]
preprocessing = ["standard", "zscore"]
reporting_seeds = 3%s

[[agents]]
name = "uniform"

[[agents]]
name = "squarecb"
grid = { gamma = [10, 100] }
"""


def test_a_sweep_prints_each_note_once_for_all_batches(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.toml").write_text(SPEC % ("", ""))
    for arguments in ("sweep s.toml --jobs 2 --quiet", "sweep s.toml --jobs 1 --out again"):
        _, err = run_command(arguments, monkeypatch, capsys)
        assert (err.count(COUNTS), err.count(UNLABELLED)) == (1, 1)
    (manifest, *_) = map(
        json.loads, (path.read_text() for path in Path("results/mine").glob("_*uniform*.json"))
    )
    assert len(manifest["environment"]["notes"]) == 2


@pytest.mark.parametrize(("option", "argument"), [("\nstrict = true", ""), ("", " --strict")])
def test_notes_are_errors_in_a_strict_sweep(
    table: Path,
    option: str,
    argument: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("s.toml").write_text(SPEC % ("", option))
    _, err = run_command(f"sweep s.toml{argument}", monkeypatch, capsys, 1)
    assert "no label in column 'y' and is left out (an error since --strict" in err


def test_a_spec_can_set_column_types(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.toml").write_text(SPEC % (', columns = { id = "category", a = "skip" }', ""))
    _, err = run_command("sweep s.toml --jobs 1", monkeypatch, capsys)
    assert COUNTS not in err
    (manifest, *_) = map(
        json.loads, (path.read_text() for path in Path("results/mine").glob("_*uniform*.json"))
    )
    assert manifest["environment"]["features"] == ROWS - 1
    Path("s.toml").write_text(SPEC % (', columns = { a = "numbr" }', ""))
    _, err = run_command("sweep s.toml", monkeypatch, capsys, 2)
    assert "line 5" in err
    assert "did you mean 'number'" in err


def test_a_sweep_on_a_ranking_file_prints_its_notes(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": range(ROWS), "a": rng.normal(size=ROWS), "grade": rng.integers(0, 3, ROWS)})
    frame.to_csv("t.csv", index=False)
    Path("s.toml").write_text((SPEC % (", arms = 4", "")).replace('["standard", "zscore"]', '"standard"'))
    _, err = run_command("sweep s.toml --jobs 1", monkeypatch, capsys)
    assert err.count(COUNTS) == 1
    Path("s.toml").write_text(
        (SPEC % (", arms = 4", "\nstrict = true")).replace('["standard", "zscore"]', '"standard"')
    )
    _, err = run_command("sweep s.toml --out strict", monkeypatch, capsys, 1)
    assert "an error since --strict" in err


COSTS = {"n": {"n": 0.0, "y": 1.0}, "y": {"n": 0.2, "y": 0.0}}


def test_a_cost_matrix_with_names_is_matched_to_the_classes(table: Path) -> None:
    data = pd.DataFrame({"a": [0.0, 1.0] * 20, "y": ["n", "y"] * 20})
    named = pd.DataFrame(COSTS).T  # labels down, arms across
    permuted = named.loc[["y", "n"], ["y", "n"]]
    rows = [["", "y", "n"], ["y", 0.0, 0.2], ["n", 1.0, 0.0]]
    plain = neucb.run("uniform", data, seeds=2, cost=named.to_numpy())
    for cost in (named, permuted, rows):
        assert neucb.run("uniform", data, seeds=2, cost=cost).equals(plain)
    assert not neucb.run("uniform", data, seeds=2, cost=permuted.to_numpy()).equals(plain)
    with pytest.raises(InputError, match="unknown class among the rows of the cost matrix 'z'"):
        neucb.run("uniform", data, cost=named.rename(index={"n": "z"}))
    with pytest.raises(InputError, match="must name every class once: 'n'"):
        neucb.run("uniform", data, cost=named[["y", "y"]])


def test_the_class_order_of_a_cost_file_without_names_is_noted(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.csv").write_text("0,1\n0.2,0\n")
    command = "run --agent uniform --dataset t.csv --rounds 20 --quiet --out o --cost c.csv"
    _, err = run_command(command, monkeypatch, capsys)
    assert "the cost matrix are taken in the order of the classes: n, y" in err
    Path("c.csv").write_text(",y,n\ny,0,0.2\nn,1,0\n")
    _, err = run_command(command, monkeypatch, capsys)
    assert "cost matrix" not in err
    Path("c.csv").write_bytes(";y;n\ny;0;0,2\nn;1;0\n".encode("utf-16"))
    _, err = run_command(command, monkeypatch, capsys)
    assert "cost matrix" not in err
    Path("c.csv").write_text("0,2\n1,0\n")
    _, err = run_command(command, monkeypatch, capsys, 2)
    assert "that of arm 1 under label 0 is 2" in err
    Path("c.csv").write_text(",y,n\ny,0\nn,1,0\n")
    _, err = run_command(command, monkeypatch, capsys, 2)
    assert "row 2 has 2 cells" in err


def test_a_vector_environment_of_a_file_warns_about_omissions(table: Path) -> None:
    from neucb.environments.classification import ClassificationVectorEnv

    # The inner block passes the unmatched warning to the outer one.
    with (
        pytest.warns(UserWarning, match="no label"),
        pytest.warns(UserWarning, match="just counts") as caught,
    ):
        ClassificationVectorEnv("t.csv", 2)
    assert len(caught) == 2
    with pytest.raises(DataError, match="strict=True"):
        ClassificationVectorEnv("t.csv", 2, strict=True)
    with pytest.warns(UserWarning, match="no label") as caught:
        ClassificationVectorEnv("t.csv", 2, columns={"id": "number", "y": "label"})
    assert len(caught) == 1


def test_row_numbers_in_a_trace_are_those_of_the_file(table: Path) -> None:
    with pytest.warns(UserWarning, match="left out"):
        _, trace = traced("uniform", "t.csv", seeds=2)
    labels = pd.read_csv("t.csv")["y"].str.strip()
    assert (labels.to_numpy()[trace["row"]] == trace["label_class"].astype(str)).all()
    assert 5 not in set(trace["row"])
    assert trace["row"].max() == ROWS - 1
