"""Settings of recipes that differ between replicas."""

from __future__ import annotations

from typing import Any

from neucb.agents.recipes.registry import RECIPES


def several(name: str) -> dict[str, Any]:
    """Return settings of a recipe that differ between three replicas."""
    numbers = {p.name: p.default for p in RECIPES[name].parameters if not p.whole and not p.choices}
    factors = (1.0, 0.5, 0.8)
    return {
        key: [float(value) * factor for factor in factors]  # type: ignore[arg-type]
        for key, value in numbers.items()
        if key != "radius"
    }
