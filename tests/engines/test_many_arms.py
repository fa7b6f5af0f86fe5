"""Runs with more arms than rounds of the stall detector's patience with few arms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neucb
from neucb.engines.stalled import ROUNDS, StallDetector, first_stuck, patience
from neucb.environments.tables.table_file import Reading, from_frame

K = 300


@pytest.mark.filterwarnings("ignore:many. the target")
@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_trying_every_arm_is_no_stall(engine: str) -> None:
    """Untried arms of LinUCB all have the same prediction."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((2 * K, 3)), columns=["a", "b", "c"])
    frame["y"] = [f"c{i % K:03d}" for i in range(2 * K)]
    table = from_frame(frame, reading=Reading(target="y"), name="many")
    last = neucb.run("linucb", table, 250, 1, engine=engine).iloc[-1]
    assert last["round"] == 250


@pytest.mark.parametrize(("arms", "rounds"), [(2, ROUNDS), (100, ROUNDS), (K, 2 * K)])
def test_both_detectors_have_the_patience_of_the_arms(arms: int, rounds: int) -> None:
    assert patience(arms) == rounds
    contexts = np.arange(700, dtype=np.float32)[:, None]
    detector = StallDetector(1, arms)
    found = [detector.first_stalled(np.zeros(1), np.ones(1), context[None]) for context in contexts]
    assert found.index(0) == rounds - 1
    assert first_stuck(0.0, np.ones(700), np.arange(700) > 0, 0, arms) == rounds - 1
