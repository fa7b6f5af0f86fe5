"""Recipes as parameters of a test."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from neucb.agents.recipes.registry import RECIPES


def one_quick_of_each(names: Iterable[str] = RECIPES) -> list[object]:
    """Return all names as parameters; only the first recipe with the same parts is not marked slow."""
    seen = set()
    parameters: list[object] = []
    for name in names:
        recipe = RECIPES[name]
        parts = (str(recipe.kind), str(recipe.oracle), str(recipe.wrapper))
        parameters.append(pytest.param(name, marks=[pytest.mark.slow] if parts in seen else []))
        seen.add(parts)
    return parameters
