"""Every recipe's regret stays in its stored band, in both engines; see reference.py for how it is written."""

from __future__ import annotations

import pytest

from neucb.agents.recipes.registry import RECIPES
from neucb.runs.api import prepare
from tests.support.reference import DATASET, FILE, read_bands, regrets

BANDS = read_bands()
ENGINES = [
    (name, engine)
    for name in RECIPES
    for engine in ("torch", "compiled")
    if engine == "torch" or prepare(name, DATASET, 10, 1).engine == "compiled"
]


def test_every_recipe_has_a_band_and_every_band_a_reason() -> None:
    assert list(BANDS) == list(RECIPES), (
        f"run: python -m tests.support.reference WHY, it rewrites {FILE.name}"
    )
    assert all(band.reason.strip() for band in BANDS.values())
    assert all(band.low < band.mean < band.high for band in BANDS.values())


@pytest.mark.parametrize(("name", "engine"), ENGINES)
def test_regret_is_in_its_band(name: str, engine: str) -> None:
    mean, band = regrets(name, engine).mean(), BANDS[name]
    assert band.low <= mean <= band.high, (
        f"{name} ({engine}): mean regret {mean:.2f} on {DATASET} has left {band.low} to {band.high}; "
        "where that is meant, run: python -m tests.support.reference WHY"
    )
