"""Registry of recipes: the named agents, one row each.

To add an agent, add a row to `network.py` or `linear.py`; the command line, `neucb agents` and the tests find
it there. A row names its parts, none of which imports torch before construction, so that listing is fast.
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
    Recipe("uniform", "uniform distribution over the arms, no learning", "reference agent", UNIFORM),
    Recipe("best-fixed", "skyline: the best fixed arm in hindsight", "reference agent", BEST_FIXED),
    Recipe(
        "supervised",
        "skyline: greedy network that learns from every arm's loss",
        "reference agent",
        SUPERVISED,
        oracle=NEURAL,
        loss=KL,
        defaults=KL_NETWORK,
    ),
)
RECIPES = {recipe.name: recipe for recipe in (*_REGRESSIONS.values(), *OTHER_RECIPES)}


def named(name: str) -> Recipe | None:
    """Return the recipe of this name or alias, None for an unknown name."""
    aliases = (recipe for recipe in RECIPES.values() if name in recipe.aliases)
    return RECIPES.get(name) or next(aliases, None)


def names_of_recipes() -> list[str]:
    """Return the names and aliases of all recipes."""
    return [name for recipe in RECIPES.values() for name in (recipe.name, *recipe.aliases)]


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name or alias.

    Raises:
        InputError: the name is unknown; the message suggests the nearest one.
    """
    recipe = named(name)
    if recipe is None:
        raise unknown_name("agent", name, names_of_recipes())
    return recipe
