"""Choice of the engine: compiled where it supports the run, torch otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from neucb.agents.recipes.kinds import ENSEMBLE
from neucb.agents.recipes.wrappers import GRADIENT_NORM
from neucb.core.errors import InputError, unknown_name
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.orders.order import CompiledOrder, FixedOrder
from neucb.environments.orders.registry import find_order

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe
    from neucb.core.spec import Spec

EngineName = Literal["auto", "compiled", "torch"]


def choose(
    engine: str, recipe: Recipe | None, settings: Mapping[str, Any], env: object, spec: Spec, *, late: bool
) -> str:
    """Return "compiled" or "torch". Arguments as for `refusal`.

    Raises:
        InputError: the engine is unknown, or is "compiled" and does not support the run.
    """
    if engine not in get_args(EngineName):
        raise unknown_name("engine", engine, get_args(EngineName))
    if engine == "torch":
        return "torch"
    reason = refusal(recipe, settings, env, spec, late=late)
    if reason is None:
        return "compiled"
    if engine == "compiled":
        raise InputError(f"the compiled engine cannot play this run: {reason}; use the torch engine")
    return "torch"


def refusal(
    recipe: Recipe | None, settings: Mapping[str, Any], env: object, spec: Spec, *, late: bool
) -> str | None:
    """Return the reason why the compiled engine does not support a run, None where it does.

    Args:
        recipe: recipe of the agent; None for an agent object.
        settings: all hyper-parameters of the recipe; a tuple has one value per replica, and all are checked.
        env: environment.
        spec: shape of the run.
        late: whether feedback is delayed or batched.
    """
    if recipe is None:
        return "it plays the agents of `neucb agents`, not agents of your own"
    if late:
        return "it supports no delayed losses"
    if spec.device != "cpu":
        return f"it runs on the cpu, not on {spec.device}"
    if type(env) is not ClassificationVectorEnv:
        return f"it plays classification tables, not environments of {type(env).__name__}"
    if not issubclass(find_order(env.order), FixedOrder | CompiledOrder):
        return f"it has no kernel for the order {env.order}"
    from neucb.engines.compiled.replica import missing_part  # imports numba

    if (missing := missing_part(recipe)) is not None:
        return f"it has {missing}"
    if recipe.kind == ENSEMBLE and settings.get("feature_map") == "fourier":
        return "it draws no Fourier features for every member"
    if settings.get("training", "online") != "online" or set(_each(settings.get("batch_size", 1))) != {1}:
        return "it trains online, a sample at a time"
    if set(_each(settings.get("depth", 1))) != {1}:
        return "it supports one hidden layer"
    if recipe.wrapper == GRADIENT_NORM and settings["covariance"] == "full":
        return "it keeps the diagonal of a gradient's matrix only"
    if _some_finite(settings.get("perturbations", math.inf)) and _some_finite(settings["radius"]):
        return "it keeps no radius with finitely many perturbations"
    return None


def _some_finite(value: Any) -> bool:
    return any(math.isfinite(one) for one in _each(value))


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
