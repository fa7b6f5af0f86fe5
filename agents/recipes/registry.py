"""Recipes: the named agents, a row each.

To add one, add a row to `neural_recipes.py` or `linear_recipes.py`; the command line, `neucb agents`
and the tests find it there. A row is data, so that listing recipes imports no torch.
"""

from __future__ import annotations

from neucb.agents.recipes.linear import LINEAR_RECIPES
from neucb.agents.recipes.network import KL_NETWORK, NEURAL_RECIPES
from neucb.agents.recipes.recipe import Recipe
from neucb.core.errors import unknown_name

EXPERTS = ("kl", "sq", "squarecb", "fastcb")
OTHER_RECIPES = (
    Recipe(
        "exp4",
        f"exponential weights over {', '.join(EXPERTS)}",
        "Auer, Cesa-Bianchi, Freund, Schapire, SIAM Journal on Computing 2002",
        "exp4",
    ),
    Recipe("uniform", "every arm with probability 1/K, learns nothing", "the yardstick", "uniform"),
    Recipe("best-fixed", "skyline: the arm that is best in hindsight", "the yardstick", "best-fixed"),
    Recipe(
        "supervised",
        "skyline: greedy network that is told every arm's loss",
        "the yardstick",
        "supervised",
        oracle="neural",
        loss="kl",
        defaults=KL_NETWORK,
    ),
)
RECIPES = {recipe.name: recipe for recipe in (*NEURAL_RECIPES, *LINEAR_RECIPES, *OTHER_RECIPES)}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    if name not in RECIPES:
        raise unknown_name("agent", name, RECIPES)
    return RECIPES[name]
