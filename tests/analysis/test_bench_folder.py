"""What is committed of a benchmark run agrees with its JSON, and the README quotes that."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from neucb.benchmarks.folder import COLUMNS, page, write_folder
from neucb.benchmarks.maintenance.quote import BEGIN, END, quote, quoted
from neucb.benchmarks.report import show
from neucb.benchmarks.targets import TARGETS, measured
from neucb.core.errors import InputError
from tests.support.paths import ROOT

FOLDER = ROOT / "results" / "benchmarks"
REQUOTE = "python -m neucb.benchmarks.maintenance.quote README.md results/benchmarks/bench.json"


def found() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "bench.json").read_text("utf-8")))


@pytest.mark.docs
def test_the_committed_files_say_what_the_json_says(tmp_path: Path) -> None:
    for path in write_folder(found(), tmp_path):
        assert path.read_text("utf-8") == (FOLDER / path.name).read_text("utf-8"), path.name
    text = io.StringIO()
    show(found(), Console(file=text, width=COLUMNS))
    assert text.getvalue() == (FOLDER / "bench.txt").read_text("utf-8")


@pytest.mark.docs
def test_the_readme_quotes_the_json() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert quoted(readme, found()) == readme, f"quote anew: {REQUOTE}"
    with pytest.raises(InputError, match="the README has no"):
        quoted("# a README without marks", found())


def test_a_figure_that_changes_changes_what_is_quoted() -> None:
    changed = found()
    for one in changed["rows"]:
        if (one["table"], one["task"], one["contender"]) == ("speed", "covertype", "compiled"):
            one |= {"cpu_us": 1.2345, "ratio": 678.4}
    assert "1.23 microseconds compiled, 678 times less" in " ".join(quote(changed).split())
    assert quoted(f"a\n{BEGIN}\nold\n{END}\nb\n", changed) == f"a\n{BEGIN}\n{quote(changed)}\n{END}\nb\n"


def test_targets_are_read_from_their_rows() -> None:
    def row(table: str, task: str, contender: str, cpu_us: float, ratio: float) -> dict[str, Any]:
        return {"table": table, "task": task, "contender": contender, "cpu_us": cpu_us, "ratio": ratio}

    some = {
        "rows": [
            row("speed", "magic", "compiled", 1.0, 699.0),
            row("speed", "covertype", "compiled", 1.0, 180.0),
            row("variants", "sq", "compiled", 2.0, 1.0),
            row("variants", "sq, S = inf", "compiled", 3.0, 1.0),
            row("variants", "sq, S = 10", "compiled", 17.0, 1.0),
            row("variants", "kl, 16 steps", "compiled", 50.0, 60.0),
        ],
        "peers": [
            {"peer": "neucb: kl", "cpu_us": 2.0, "mistakes": 30},
            {"peer": "vowpalwabbit: vw-squarecb", "cpu_us": 7.0, "mistakes": 45},
            {"peer": "neucb: kl-perturbed-replay", "cpu_us": 2.0, "mistakes": 30},
            {"peer": "coba: coba-squarecb", "note": "coba is not installed"},
        ],
    }
    assert [(target.metric, value, target.met(value)) for target, value in measured(some)] == [
        ("compiled on covertype, against the plain loop", 180.0, True),
        ("compiled on magic, against the plain loop", 699.0, False),
        ("squared loss, S = inf, time over unperturbed", 1.5, True),
        ("squared loss, S = 10, time over unperturbed", 8.5, False),
        ("16 steps a round, against its plain loop", 60.0, True),
        ("16 steps a round, rounds per CPU second", 20_000.0, True),
        ("kl, CPU time of vw-squarecb over ours", 3.5, False),
        ("kl, mistakes of vw-squarecb over ours", 1.5, True),
    ]


def test_a_full_run_measures_every_target() -> None:
    assert [target for target, _ in measured(found())] == list(TARGETS)
    assert page(found()).count("\n| ") == 1 + len(TARGETS)
