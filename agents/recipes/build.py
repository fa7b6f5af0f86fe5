"""Construction of agents from recipes and hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neucb.agents.recipes.recipe import Recipe, Settings
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from neucb.agents.base import Agent, CountingOracle, ExplorationRule, Oracle


def make_agent(recipe: Recipe, given: Mapping[str, Any] | None = None) -> Agent:
    """Return a new agent of a recipe.

    Args:
        recipe: recipe of the agent.
        given: hyper-parameters, each one number or one number per replica; defaults for the others.

    Raises:
        InputError: an unknown name, a bad value, several values of a whole number, or a missing part.
    """
    settings = recipe.settings(given or {})
    for parameter in recipe.parameters:
        parameter.check_shared(settings[parameter.name])
    return recipe.kind.make(recipe, settings)


def make_oracle(recipe: Recipe, settings: Settings) -> CountingOracle:
    """Return the oracle of a recipe without its wrapper.

    Raises:
        InputError: the recipe has no oracle.
    """
    if recipe.oracle is None:
        raise InputError(f"the recipe {recipe.name} has no oracle")
    return recipe.oracle.make(recipe, settings)


def make_wrapped(recipe: Recipe, settings: Settings) -> Oracle:
    """Return the oracle of a recipe within its wrapper; errors as for `make_oracle`."""
    oracle = make_oracle(recipe, settings)
    return oracle if recipe.wrapper is None else recipe.wrapper.make(oracle, settings)


def make_rule(recipe: Recipe, settings: Settings) -> ExplorationRule:
    """Return the exploration rule of a recipe.

    Raises:
        InputError: the recipe has no rule.
    """
    if recipe.rule is None:
        raise InputError(f"the recipe {recipe.name} has no exploration rule")
    return recipe.rule.of(settings)
