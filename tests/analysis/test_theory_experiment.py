"""The theory's experiment: its command writes the tables of the parts asked for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from neucb.core.errors import InputError
from neucb.environments.classification import load
from neucb.experiments.studies import theory, theory_parts, theory_words
from neucb.runs.api import prepare
from neucb.theory.bounds import kl_star_shape
from neucb.theory.fitting import Training
from tests.support.paths import ROOT


def test_parts_write_their_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory_parts, "SEEDS", range(2))
    monkeypatch.setattr(theory_parts, "WORLDS", ("linear",))
    monkeypatch.setattr(theory_parts, "WORLD_ROUNDS", 150)
    monkeypatch.setattr(theory_parts, "THEOREM_ROUNDS", 150)
    monkeypatch.setattr(theory_parts, "REGRESSION_SETS", ())
    theory.main("no cache", str(tmp_path), "regression", "theorem")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["regression.csv", "theorem.csv"]
    grown = pd.read_csv(tmp_path / "regression.csv")
    assert grown["agent"].tolist() == ["sq-perturbed", "kl-perturbed"]
    assert (grown["regression_regret"] > grown["at_half"]).all()
    table = pd.read_csv(tmp_path / "theorem.csv")
    assert len(table) == 2 * 2 * 2
    assert (table["regret"] <= table["bound"]).all()
    theorem = table["kind"] == "theorem"
    assert theorem.any()
    assert (table.loc[theorem, "Reg_measured"] <= table.loc[theorem, "Reg_assumed"]).all()


def test_a_row_about_a_class_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory_parts, "TWICE", Training(epochs=5, restarts=2))
    job = prepare("kl-perturbed", load("iris"), seeds=theory_parts.CLASS_SEEDS, label_noise=0.2, trace=True)
    job.play()
    rows = list(theory_parts.class_rows("iris", 0.2, job))
    assert [row["seed"] for row in rows] == [0, 1, 2]
    for row, regret in zip(rows, job.log.sums["regret"], strict=True):
        assert row["loss"] == pytest.approx(regret + 30.0)  # 150 rows, of which a fifth is lost anyway
        assert row["L_star_class"] + row["regret_against_class"] == pytest.approx(row["loss"])
        assert row["L_star_class"] >= 30.0 - 1e-9
        assert 0.0 < row["neufastcb_misfit"] != row["unperturbed_misfit"]
        assert row["shape"] == pytest.approx(kl_star_shape(150, row["L_star_class"], 3))  # type: ignore[arg-type]


def test_an_unknown_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'theorem'"):
        theory.main("no cache", str(tmp_path), "thorem")


def test_the_readme_quotes_the_tables_beside_it() -> None:
    folder = ROOT / "results" / "theory"
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    made = list(theory_words.rows(folder))
    assert len(made) == 10 + 6 + 9 + 5 + 10
    assert [row for row in made if row not in lines] == []
