"""Files: content of the wrong type is rejected in one line; names are written unchanged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neucb.core.errors import InputError, NeucbError
from neucb.core.seeds import LARGEST, MOST, parse_seeds
from neucb.report.origin import notes_table, provenance_table
from neucb.runs.formats import DRAWN, LOG, read_json, read_log
from neucb.sweeps.api import sweep
from neucb.sweeps.spec.reading import parse_spec
from neucb.sweeps.store.load_sweep import load_sweep as load_results
from neucb.sweeps.store.load_times import load_times
from neucb.sweeps.tables import short_names, to_latex
from tests.support.command import neucb

SPEC = """\
[experiment]
name = "small"
rounds = 8
reporting_seeds = 2
datasets = ["iris"]
[[agents]]
name = "uniform"
label = '[red]x[/red] :smile: $a$ \\b^~ c/d'
[[agents]]
name = "squarecb"
label = "kl--x_1"
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "small.toml").write_text(SPEC)
    sweep(folder / "small.toml", folder, jobs=1)
    return folder / "small"


def log_with(path: Path, **columns: Any) -> Path:
    """Write a log of three rounds with these columns; None removes a column."""
    rows: dict[str, Any] = {"agent": ["a"] * 3, "dataset": ["d"] * 3, "seed": [0] * 3, "round": [1, 2, 3]}
    rows |= {name: [0.5, 1.0, 1.5] for name in DRAWN} | columns
    pd.DataFrame({name: values for name, values in rows.items() if values is not None}).to_parquet(path)
    return path


def test_a_log_is_read_unchanged(tmp_path: Path) -> None:
    frame = read_log(
        log_with(tmp_path / "a.parquet", regret=[1.0, np.nan, 2.0], gamma=[10, 10, 10])
    ).to_pandas()
    np.testing.assert_array_equal(frame["regret"], [1.0, np.nan, 2.0])
    assert list(frame["round"]) == [1, 2, 3]
    assert list(frame["agent"]) == ["a", "a", "a"]


@pytest.mark.parametrize("name", [*LOG, *DRAWN])
def test_a_log_without_a_required_column_is_rejected(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"a.parquet is not the log of a run: it has no column '{name}'"):
        read_log(log_with(tmp_path / "a.parquet", **{name: None}))


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("agent", ["a", None, "a"], "text"),
        ("agent", [1, 2, 3], "text"),
        ("dataset", [["d"], ["d"], ["d"]], "text"),
        ("seed", [0.0, 0.0, 0.0], "whole numbers"),
        ("round", [1, None, 3], "whole numbers"),
        ("round", ["1", "2", "3"], "whole numbers"),
        ("regret", ["1", "2", "3"], "numbers or nothing"),
        ("L_star", [True, False, True], "numbers or nothing"),
        ("gamma", [[1], [2], [3]], "single values"),
        ("gamma", [b"\xff"] * 3, "single values"),
    ],
)
def test_a_log_with_a_column_of_the_wrong_type_is_rejected(
    name: str, values: list[Any], kind: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"column '{name}' is not of {kind}"):
        read_log(log_with(tmp_path / "a.parquet", **{name: values}))


def test_deeply_nested_json_and_toml_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(path)
    with pytest.raises(InputError, match="spec: its values are nested too deeply"):
        parse_spec("a = " + "[" * 10_000)


@pytest.mark.parametrize("seeds", [MOST + 1, 2**70, f"0:{MOST + 1}", "7:99999999999999999999", "3000000000"])
def test_too_many_seeds_are_rejected(seeds: int | str) -> None:
    with pytest.raises(InputError, match=f"no valid seeds in '{seeds}': there may be 1,000,000 at most"):
        parse_seeds(seeds)


def test_seeds_beyond_int64_are_rejected() -> None:
    assert parse_seeds(f"{LARGEST},3") == (LARGEST, 3)
    with pytest.raises(InputError, match="no valid seeds"):
        parse_seeds([LARGEST + 1])


@pytest.mark.parametrize(
    "changed",
    [
        {"batches": [1]},
        {"batches": [["a"]]},
        {"unplayed": {}},
        {"unplayed": [{"dataset": "d"}]},
        {"hindsight": ["x"]},
        {"hindsight": [{"fit": "x"}]},
    ],
)
def test_a_plan_with_invalid_parts_is_rejected(changed: dict[str, Any], swept: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(swept, tmp_path / "copy"))
    plan = json.loads((copy / "_plan.json").read_text())
    (copy / "_plan.json").write_text(json.dumps(plan | changed))
    with pytest.raises(InputError, match="is no plan of a sweep"):
        load_results(copy)


def test_a_batch_with_a_wrong_manifest_is_rejected(swept: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(swept, tmp_path / "copy"))
    path = next(copy.glob("_*uniform*.json"), None) or next(copy.glob("_*reporting*.json"))
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"rows": content["rows"] + 1}))
    with pytest.raises(InputError, match=r"its manifests say .*; remove it and run the sweep again"):
        load_results(copy)
    path.write_text(json.dumps(content | {"playing": {"seconds": "x"}}))
    with pytest.raises(InputError, match="is no manifest of a batch"):
        load_times(copy)


def test_error_messages_are_one_line() -> None:
    assert str(NeucbError("a\nb\u2028c\r\nd")) == "a b c d"


def table_of(labels: list[str], datasets: list[str]) -> pd.DataFrame:
    rows = [
        {"dataset": dataset, "preprocessing": "standard", "order": "shuffled", "label_noise": 0.0}
        | {
            "agent_label": label,
            "config_id": "s",
            "regret": float(i),
            "low": float(i),
            "high": float(i) + 2.0,
        }
        for dataset in datasets
        for i, label in enumerate(labels)
    ]
    return pd.DataFrame(rows)


def test_latex_escapes_every_character_of_a_name() -> None:
    labels = [r"a/b\c", "^~", "&%$#_{}", "a--b---c", "<|>", "naïve\nöl"]
    lines = to_latex(table_of(labels, ["[x]", "*"])).splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrrrr}"
    assert lines[2] == " & ".join(
        [
            "dataset",
            r"a/b\textbackslash{}c",
            r"\textasciicircum{}\textasciitilde{}",
            r"\&\%\$\#\_\{\}",
            "a-{}-b-{}-{}-c",
            r"\textless{}\textbar{}\textgreater{}",
            r"naïve öl \\",
        ]
    )
    assert lines[4].startswith(r"{[}x] & $\mathbf{0.0} \pm 1.0$ & $1.0 \pm 1.0$ & ")
    assert lines[5].startswith("{*} & ")


def test_data_sets_have_short_unique_names() -> None:
    names = ["/a/one.csv", "/b/one.csv", "/b/two.csv", "iris", "x/"]
    assert short_names(names) == {
        "/a/one.csv": "/a/one.csv",
        "/b/one.csv": "/b/one.csv",
        "/b/two.csv": "two.csv",
        "iris": "iris",
        "x/": "x/",
    }


@pytest.mark.slow
def test_exports_and_reports_write_names_unchanged(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = r"[red]x[/red] :smile: $a$ \b^~ c/d"
    for suffix in ("tex", "csv"):
        target = tmp_path / f"table.{suffix}"
        assert neucb(monkeypatch, "results", str(swept), "--export", str(target)) == 0
    assert label in set(pd.read_csv(tmp_path / "table.csv")["agent_label"])
    latex = (tmp_path / "table.tex").read_text(encoding="utf-8")
    assert r"{[}red]x{[}/red] :smile: \$a\$ \textbackslash{}b\textasciicircum{}\textasciitilde{} c/d" in latex
    assert r"kl-{}-x\_1" in latex
    assert neucb(monkeypatch, "report", str(swept), "-o", str(tmp_path / "page.html")) == 0
    assert label in (tmp_path / "page.html").read_text(encoding="utf-8")


OWN = """\
import numpy as np
from neucb.environments.table import Column, Table

def noted(num_envs):
    x = np.linspace(0, 1, 40, dtype=np.float32)
    notes = ("column 'id' is a running number: left out", "3 rows have no label: <b>left out</b>")
    return Table("noted", (Column("x", x),), np.arange(40) % 2, ("no", "yes"), "memory", notes=notes)
"""


def test_notes_on_omitted_data_are_in_run_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    runs, page = tmp_path / "runs", tmp_path / "page.html"
    options = ("--agent", "uniform", "--rounds", "20", "--seeds", "2", "--json", "--out", str(runs))
    assert neucb(monkeypatch, "run", "--dataset", f"{tmp_path / 'own.py'}:noted", *options) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["rounds"] == 20  # a single JSON object
    lines = captured.err.splitlines()
    assert len(lines) == 2
    assert all("left out" in line for line in lines)
    assert neucb(monkeypatch, "report", str(runs), "-o", str(page)) == 0
    text = page.read_text(encoding="utf-8")
    assert "left out or guessed" in text
    assert "column &#39;id&#39; is a running number: left out" in text
    assert "&lt;b&gt;left out&lt;/b&gt;" in text


def test_lone_surrogates_are_escaped_in_reports(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(swept, tmp_path / "copy"))
    for path in copy.glob("_*reporting*.json"):
        content = json.loads(path.read_text())
        environment = content["environment"] | {"drift": ["x\udfff"]}
        path.write_text(json.dumps(content | {"commit": "c\ud800", "environment": environment}))
    assert neucb(monkeypatch, "report", str(copy), "-o", str(tmp_path / "page.html")) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<td>c\\ud800</td>" in page
    assert "iris, drift x\\udfff" in page


@pytest.mark.slow
def test_a_report_accepts_manifests_with_empty_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ("configuration", "environment", "versions", "machine", "failures", "engine", "commit", "summary")
    log_with(tmp_path / "a.parquet")
    empty_values: tuple[Any, ...] = (None, "", 0, [], {})
    for value in empty_values:
        (tmp_path / "a.json").write_text(json.dumps(dict.fromkeys(parts, value)))
        assert neucb(monkeypatch, "report", str(tmp_path), "-o", str(tmp_path / "page.html")) == 0


def test_manifests_of_former_versions_have_no_notes() -> None:
    environment: dict[str, Any] = {"dataset": "d", "rows": "many", "arms": 3, "features": None}
    assert notes_table([{"environment": environment}]) is None
    (row,) = provenance_table([{"environment": environment}]).rows
    assert [cell.text for cell in row] == ["d", "", "many", "3", "", "", ""]
    noted = {"environment": environment | {"notes": ["one", "two"]}}
    table = notes_table([noted, {}, noted])
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [["d", "one"], ["d", "two"]]
