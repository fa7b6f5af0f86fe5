"""A few of the inputs of `tests.support.fuzz`; see there for many."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

from tests.support.figures import made_up_log
from tests.support.fuzz import Tally, try_input
from tests.support.mutations import as_json, as_toml, mutated_bytes, mutated_table, mutated_value
from tests.support.targets import SPEC, TARGETS, Sources


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what damaged numbers make numpy say
def test_damaged_inputs_end_in_a_result_or_in_one_line(tmp_path: Path) -> None:
    sources = Sources.make(tmp_path)
    tally = Tally()
    for number in range(60):
        try_input(number, sources, tally)
    assert tally.faults == []
    assert {name for name, _ in tally.counts} == {target.__name__ for target in TARGETS}
    assert {"done", "refused"} == {ended for _, ended in tally.counts}


def test_that_faults_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sources: Sources, folder: Path, rng: random.Random) -> bool:
        (folder / ".neucb-half").write_text("")
        raise KeyError("x")

    monkeypatch.setattr("tests.support.fuzz.TARGETS", {broken: 1})
    tally = Tally()
    try_input(0, Sources(tmp_path, tmp_path), tally)
    (text,) = tally.faults
    assert "KeyError" in text
    assert "half a file is left" in text
    assert tally.counts == {("broken", "fault"): 1}


def test_mutations_change_their_input_and_are_repeatable() -> None:
    frame, text = made_up_log(), as_toml(SPEC)
    spec = as_json(SPEC)
    changed = 0
    for seed in range(40):
        one, two = (mutated_bytes(text, random.Random(seed)) for _ in range(2))
        assert one == two
        changed += one != text
        changed += as_json(mutated_value(SPEC, random.Random(seed))) != spec
        changed += not mutated_table(frame, random.Random(seed)).equals(frame)
    assert as_json(SPEC) == spec
    pd.testing.assert_frame_equal(frame, made_up_log())
    assert changed > 90
