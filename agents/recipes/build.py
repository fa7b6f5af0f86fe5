"""Build: from a recipe's row and its hyper-parameters to the agent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neucb.agents.base import Agent, CountingOracle, ExplorationRule, Oracle, Reduction
from neucb.agents.baselines import BestFixed, Supervised
from neucb.agents.ensembles.bootstrap import Ensemble
from neucb.agents.ensembles.exp4 import Exp4
from neucb.agents.linear.features import Fourier, Mapped, Quadratic
from neucb.agents.linear.oracle import Linear
from neucb.agents.losses import KL, Loss, Squared
from neucb.agents.network.expected_perturbation import ExpectedPerturbation
from neucb.agents.network.gradient_norm import GradientNorm
from neucb.agents.network.last_layer import LastLayer
from neucb.agents.network.oracle import Neural
from neucb.agents.network.sign_perturbation import SignPerturbation
from neucb.agents.network.weights import PlainWeights, Weights
from neucb.agents.recipes.registry import EXPERTS, RECIPES
from neucb.agents.recipes.settings import (
    GRADIENT,
    KINDS,
    LAST_LAYER,
    LINEAR,
    NEURAL,
    ORACLES,
    WRAPPERS,
)
from neucb.agents.uniform import Uniform
from neucb.agents.wrappers.epochs import Epochs
from neucb.core.errors import InputError, unknown_name

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe

Settings = Mapping[str, Any]


def make_agent(recipe: Recipe, given: Mapping[str, Any] | None = None) -> Agent:
    """Return a new agent of a recipe; `given` holds hyper-parameters, numbers or one number per replica.

    Raises:
        InputError: an unknown name or a bad value; several values of a whole number.
    """
    settings = recipe.settings(given or {})
    for parameter in recipe.parameters:
        parameter.check_shared(settings[parameter.name])
    match recipe.kind:
        case "uniform":
            return Uniform()
        case "best-fixed":
            return BestFixed()
        case "supervised":
            return Supervised(make_oracle(recipe, settings))
        case "ensemble":
            members = settings["members"]
            oracle = make_oracle(recipe, _repeated(settings, members))
            return Ensemble(oracle, members=members, bootstrap=settings["bootstrap"])
        case "exp4":
            experts = [make_agent(RECIPES[name]) for name in EXPERTS]
            return Exp4(experts, eta=settings["eta"], mixing=settings["mixing"], names=EXPERTS)
        case "reduction":
            return Reduction(wrapped(recipe, settings), make_rule(recipe, settings))
        case _:
            raise unknown_name("kind of agent", recipe.kind, KINDS)


def _repeated(settings: Settings, members: int) -> Settings:
    """Return the settings of every member of every replica."""
    return {
        name: tuple(one for one in value for _ in range(members)) if isinstance(value, tuple) else value
        for name, value in settings.items()
    }


def wrapped(recipe: Recipe, settings: Settings) -> Oracle:
    """Return the recipe's oracle with what stands round it."""
    if recipe.wrapper == "gradient-norm":
        network = make_network(recipe, settings)
        options = {parameter.name: settings[parameter.name] for parameter in GRADIENT}
        return GradientNorm(network, **options)
    if recipe.wrapper == "last-layer":
        network = make_network(recipe, settings)
        options = {parameter.name: settings[parameter.name] for parameter in LAST_LAYER}
        return LastLayer(network, **options)
    oracle = make_oracle(recipe, settings)
    if recipe.wrapper == "none":
        return oracle
    if recipe.wrapper in ("epochs", "epochs-passes"):
        return Epochs(oracle, passes=settings.get("passes", 1))
    raise unknown_name("wrapper", recipe.wrapper, WRAPPERS)


def make_oracle(recipe: Recipe, settings: Settings) -> CountingOracle:
    """Return the recipe's oracle alone."""
    if recipe.oracle == "linear":
        options = {parameter.name: settings[parameter.name] for parameter in LINEAR}
        linear = Linear(_loss(recipe), uncertainty=recipe.uncertain, **options)
        return _mapped(linear, settings)
    if recipe.oracle == "neural":
        return make_network(recipe, settings)
    raise unknown_name("oracle", recipe.oracle, ORACLES)


def _mapped(oracle: CountingOracle, settings: Settings) -> CountingOracle:
    match settings["features"]:
        case "quadratic":
            return Mapped(oracle, Quadratic())
        case "fourier":
            return Mapped(oracle, Fourier(settings["columns"], settings["bandwidth"]))
        case "linear":
            return oracle
        case unknown:
            raise unknown_name("features", unknown, ("linear", "quadratic", "fourier"))


def make_network(recipe: Recipe, settings: Settings) -> Neural:
    """Return the recipe's neural oracle."""
    options = {parameter.name: settings[parameter.name] for parameter in NEURAL}
    return Neural(_loss(recipe), _weights(recipe, settings), **options)


def _loss(recipe: Recipe) -> Loss:
    match recipe.loss:
        case "kl":
            return KL()
        case "squared":
            return Squared()
        case _:
            raise unknown_name("loss", recipe.loss, ("kl", "squared"))


def _weights(recipe: Recipe, settings: Settings) -> Weights:
    if not recipe.perturbed:
        return PlainWeights()
    if math.isinf(settings["perturbations"]):
        return ExpectedPerturbation(settings["c_p"])
    return SignPerturbation(settings["c_p"], settings["perturbations"])


def make_rule(recipe: Recipe, settings: Settings) -> ExplorationRule:
    """Return the recipe's exploration rule.

    Raises:
        InputError: there is no such rule.
    """
    if recipe.rule is None:
        raise InputError(f"{recipe.name} has no rule that turns predictions into a policy")
    return recipe.rule.of(settings)
