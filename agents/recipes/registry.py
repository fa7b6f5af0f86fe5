"""Recipes: the named agents, a row each.

To add one, add a row to `network.py` or `linear.py`; the command line, `neucb agents` and the tests find it
there. A row names its parts, of which none imports torch before it is made, so that listing recipes is quick.
"""

from __future__ import annotations

from neucb.agents.losses import KL
from neucb.agents.recipes.kinds import BEST_FIXED, EXP4, SUPERVISED, UNIFORM
from neucb.agents.recipes.linear import LINEAR_RECIPES
from neucb.agents.recipes.network import KL_NETWORK, NEURAL_RECIPES
from neucb.agents.recipes.oracles import NEURAL
from neucb.agents.recipes.recipe import Recipe
from neucb.core.errors import unknown_name

_REGRESSIONS = {recipe.name: recipe for recipe in (*NEURAL_RECIPES, *LINEAR_RECIPES)}
EXPERTS = tuple(_REGRESSIONS[name] for name in ("kl", "sq", "squarecb", "fastcb"))
OTHER_RECIPES = (
    Recipe(
        "exp4",
        f"exponential weights over {', '.join(expert.name for expert in EXPERTS)}",
        "Auer, Cesa-Bianchi, Freund, Schapire, SIAM Journal on Computing 2002",
        EXP4,
        experts=EXPERTS,
    ),
    Recipe("uniform", "every arm with probability 1/K, learns nothing", "the yardstick", UNIFORM),
    Recipe("best-fixed", "skyline: the arm that is best in hindsight", "the yardstick", BEST_FIXED),
    Recipe(
        "supervised",
        "skyline: greedy network that is told every arm's loss",
        "the yardstick",
        SUPERVISED,
        oracle=NEURAL,
        loss=KL,
        defaults=KL_NETWORK,
    ),
)
RECIPES = {recipe.name: recipe for recipe in (*_REGRESSIONS.values(), *OTHER_RECIPES)}


def named(name: str) -> Recipe | None:
    """Return the recipe of this name or alias, None where there is none."""
    aliases = (recipe for recipe in RECIPES.values() if name in recipe.aliases)
    return RECIPES.get(name) or next(aliases, None)


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name or alias.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    recipe = named(name)
    if recipe is None:
        raise unknown_name("agent", name, RECIPES)
    return recipe
