"""The regret of every recipe lies in its stored band on both engines; see tests/support/reference.py."""

from __future__ import annotations

import pytest

from neucb.agents.recipes.registry import RECIPES
from neucb.runs.api import prepare
from neucb.runs.summary import why_not_compiled
from tests.support.recipes import one_quick_of_each
from tests.support.reference import DATASET, FILE, read_bands, regrets

BANDS = read_bands()


def test_every_recipe_has_a_band_with_a_reason() -> None:
    assert list(BANDS) == list(RECIPES), (
        f'run: python -m tests.support.reference "the reason", it rewrites {FILE.name}'
    )
    assert all(band.reason.strip() for band in BANDS.values())
    assert all(band.low < band.mean < band.high for band in BANDS.values())


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("name", one_quick_of_each())
def test_regret_is_in_its_band(name: str, engine: str) -> None:
    chosen = prepare(name, DATASET, 10, 1)
    if engine == "compiled" and chosen.engine == "torch":
        assert why_not_compiled(chosen)
        return
    assert name in BANDS, f'run: python -m tests.support.reference "a new recipe", it rewrites {FILE.name}'
    mean, band = regrets(name, engine).mean(), BANDS[name]
    assert band.low <= mean <= band.high, (
        f"{name} ({engine}): mean regret {mean:.2f} on {DATASET} has left {band.low} to {band.high}; "
        'where that is meant, run: python -m tests.support.reference "the reason"'
    )
