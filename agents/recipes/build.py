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
from neucb.agents.network.last_layer import LastLayerRegression
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
    RULES,
    WRAPPERS,
)
from neucb.agents.rules.confidence import LowerConfidence, Thompson
from neucb.agents.rules.inverse_gap import EpsilonGreedy, FastInverseGap, InverseGap, Softmax
from neucb.agents.rules.schedules import (
    Doubling,
    FastTheory,
    ObservedLoss,
    Power,
    Schedule,
    SquareTheory,
)
from neucb.agents.uniform import Uniform
from neucb.agents.wrappers.epochs import Epochs
from neucb.core.errors import unknown_name

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe

Settings = Mapping[str, Any]


def build(recipe: Recipe, settings: Settings) -> Agent:
    """Return a new agent of a recipe; `settings` holds all its hyper-parameters, checked."""
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
            experts = [RECIPES[name].build() for name in EXPERTS]
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
        return LastLayerRegression(network, **options)
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
    match recipe.rule:
        case "epsilon-greedy":
            return EpsilonGreedy(settings["epsilon"], settings["epsilon_power"])
        case "falcon":
            return InverseGap(Doubling(settings["gamma"]))
        case "fast-inverse-gap":
            theory = FastTheory(settings["best_loss"], settings["regression_regret"])
            return FastInverseGap(_gamma(settings, theory))
        case "inverse-gap":
            return InverseGap(_gamma(settings, SquareTheory(settings["regression_regret"])))
        case "softmax":
            return Softmax(_gamma(settings))
        case "lower-confidence":
            return LowerConfidence(settings["nu"])
        case "thompson":
            return Thompson(settings["nu"])
        case "greedy":
            return EpsilonGreedy(0.0)
        case _:
            raise unknown_name("rule", recipe.rule, RULES)


def _gamma(settings: Settings, theory: Schedule | None = None) -> Schedule:
    match settings["gamma_schedule"]:
        case "loss":
            return ObservedLoss(settings["gamma"], settings["gamma_power"])
        case "epochs":
            return Doubling(settings["gamma"])
        case "theory":
            assert theory is not None
            return theory
        case "time":
            return Power(settings["gamma"], settings["gamma_power"])
        case unknown:
            raise unknown_name("gamma_schedule", unknown, ("time", "loss", "epochs", "theory"))
