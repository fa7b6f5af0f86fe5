"""A few inputs of `tests.support.fuzz`, and tests of its parts."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

from tests.support.figures import synthetic_log
from tests.support.fuzz import Tally, try_input
from tests.support.mutations import as_json, as_toml, mutated_bytes, mutated_table, mutated_value
from tests.support.targets import SPEC, TARGETS, Sources


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # numpy warns about damaged numbers
def test_damaged_inputs_give_a_result_or_a_one_line_error(tmp_path: Path) -> None:
    sources = Sources.make(tmp_path)
    tally = Tally()
    for number in range(60):
        try_input(number, sources, tally)
    assert tally.faults == []
    assert {name for name, _ in tally.counts} == {target.__name__ for target in TARGETS}
    assert {"done", "rejected"} == {outcome for _, outcome in tally.counts}


def test_faults_are_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sources: Sources, folder: Path, rng: random.Random) -> bool:
        (folder / ".neucb-half").write_text("")
        raise KeyError("x")

    monkeypatch.setattr("tests.support.fuzz.TARGETS", {broken: 1})
    tally = Tally()
    try_input(0, Sources(tmp_path, tmp_path), tally)
    (text,) = tally.faults
    assert "KeyError" in text
    assert "a partial file is left" in text
    assert tally.counts == {("broken", "fault"): 1}


def test_mutations_are_repeatable_and_change_a_copy() -> None:
    frame, text = synthetic_log(), as_toml(SPEC)
    spec = as_json(SPEC)
    changed = 0
    for seed in range(40):
        first, second = (mutated_bytes(text, random.Random(seed)) for _ in range(2))
        assert first == second
        changed += first != text
        changed += as_json(mutated_value(SPEC, random.Random(seed))) != spec
        changed += not mutated_table(frame, random.Random(seed)).equals(frame)
    assert as_json(SPEC) == spec
    pd.testing.assert_frame_equal(frame, synthetic_log())
    assert changed > 90
