"""Regret of the defaults on the bundled rows of covertype, 10,000 rounds, paired by seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import neucb
from neucb.environments.preprocessing import encode
from neucb.environments.sources.bundled import covertype_sample

SEEDS = 100
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def regret() -> dict[str, NDArray[np.float64]]:
    """Return the final regret of seeds 0 to 99 [100] by agent, and of the best fixed arm."""
    rows = encode(covertype_sample())
    final = {}
    for agent in ("kl-perturbed", "sq", "uniform"):
        last = neucb.run(agent, rows, 10_000, SEEDS).groupby("seed", sort=True).tail(1)
        final[agent] = last["regret"].to_numpy()
        final["best fixed arm"] = last["best_fixed_arm_regret"].to_numpy()
    return final


def test_kl_perturbed_beats_uniform_and_the_best_fixed_arm(regret: dict[str, NDArray[np.float64]]) -> None:
    assert regret["kl-perturbed"][:5].mean() < 3900
    assert regret["best fixed arm"].mean() == pytest.approx(5124, rel=0.02)
    assert regret["uniform"].mean() == pytest.approx(10_000 * 6 / 7, rel=0.01)
    assert (regret["kl-perturbed"] < regret["best fixed arm"]).all()


def test_kl_perturbed_beats_the_squared_loss(regret: dict[str, NDArray[np.float64]]) -> None:
    """Paired t test at 1 %: the difference is about 17 of 3,170 and needs more than twenty seeds."""
    gain = regret["sq"] - regret["kl-perturbed"]
    assert gain.mean() / (gain.std(ddof=1) / SEEDS**0.5) > 2.539


def test_replay_beats_linucb_on_digits() -> None:
    """236 and 275 mistakes in 1,797 rounds; paired t test over 20 seeds at 0.1 %."""
    final = {
        agent: neucb.run(agent, "digits", 1797, 20).groupby("seed")["loss"].last().to_numpy()
        for agent in ("kl-perturbed-replay", "linucb")
    }
    assert final["kl-perturbed-replay"].mean() <= 320
    gain = final["linucb"] - final["kl-perturbed-replay"]
    assert gain.mean() / (gain.std(ddof=1) / 20**0.5) > 3.58
