"""Recipes: the named agents, a row each.

To add one, add a row to `neural_recipes.py` or `linear_recipes.py`; the command line, `neucb agents`
and the tests find it there. A row is data, so that listing recipes imports no torch.
"""

from __future__ import annotations

from neucb.agents.linear_recipes import LINEAR_RECIPES
from neucb.agents.neural_recipes import NEURAL_RECIPES
from neucb.agents.recipe import Recipe
from neucb.errors import unknown_name

UNIFORM = Recipe("uniform", "every arm with probability 1/K, learns nothing", "the yardstick", "uniform")
RECIPES = {recipe.name: recipe for recipe in (*NEURAL_RECIPES, *LINEAR_RECIPES, UNIFORM)}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    if name not in RECIPES:
        raise unknown_name("agent", name, RECIPES)
    return RECIPES[name]
