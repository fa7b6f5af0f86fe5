"""The oracles of recipes: their hyper-parameters, formulas and construction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neucb.agents.parameter import Parameter
from neucb.agents.recipes.recipe import OraclePart, Recipe, Settings
from neucb.core.errors import unknown_name

if TYPE_CHECKING:
    from neucb.agents.base import CountingOracle
    from neucb.agents.network.oracle import Neural
    from neucb.agents.network.weights import Weights

NETWORK = (
    Parameter("width", 100, "hidden units m", low=1, whole=True),
    Parameter(
        "depth",
        1,
        "hidden layers L; the arms share those after the first, which take a quarter of the steps",
        low=1,
        whole=True,
    ),
    Parameter("lr", 0.1, "step size eta", above_low=True),
    Parameter("lr_power", 0.0, "step schedule eta_t = lr / t^lr_power", high=1.0),
    Parameter(
        "radius",
        math.inf,
        "projection onto the ball of this radius round theta_0",
        above_low=True,
        infinite=True,
    ),
    Parameter("intercept", 0.1, "constant input beside the context of norm 1; 0 for none"),
    Parameter("init", "he", "initialisation of the network", choices=("he", "ntk", "paper")),
    Parameter("input_scaling", 0.0, "exponent of normalised updates: larger steps for rare inputs; 0: none"),
    Parameter(
        "updates_per_round",
        1,
        "steps a round: one on the newest sample, the others on past ones",
        low=1,
        whole=True,
    ),
    Parameter("batch_size", 1, "past samples of each of these other steps", low=1, whole=True),
    Parameter(
        "training",
        "online",
        "updates_per_round steps (online), or those of the code of NeuralUCB or of NeuralTS (cost T^2)",
        choices=("online", "neural-ucb", "neural-ts"),
    ),
)
PERTURBATION = (
    Parameter("c_p", 0.03, "perturbation constant"),
    Parameter(
        "perturbations",
        math.inf,
        "S, number of sign vectors; inf: closed form",
        low=1,
        whole=True,
        infinite=True,
    ),
)
RIDGE = (
    Parameter("regularization", 1.0, "ridge penalty lambda", above_low=True),
    Parameter(
        "covariance",
        "auto",
        "what is kept of it; auto: full up to 300 features, else its diagonal",
        choices=("auto", "full", "diagonal"),
    ),
)
FEATURES = (
    Parameter(
        "feature_map",
        "linear",
        "of the model: the context, products of its pairs, random Fourier features",
        choices=("linear", "quadratic", "fourier"),
    ),
    Parameter("n_components", 300, "number of Fourier features", low=1, whole=True),
    Parameter("bandwidth", 0.5, "of the Gaussian kernel that Fourier features approximate", above_low=True),
)

DEPTH = (
    "with depth L > 1, f_a = w2 . relu(V_L ... relu(V_2 relu(W1 (e_a (x) x)))), V_2 to V_L shared by the arms"
)
PERTURBED = "yhat_a = mean_s link(f_a + c_p m^(-1/4) <theta - theta_0, eps_s>), eps_s random signs"
COVARIANCE = "std_a^2 = x' A_a^-1 x, A_a = lambda I + sum w x x' over arm a's past, w = link'"


def _network_formulas(recipe: Recipe) -> list[str]:
    link = f"{recipe.loss.link_name}(f_a), " if recipe.loss.link_name else ""
    network = "f_a = w2 . relu(W1 (e_a (x) x)), trained by gradient steps"
    first = f"yhat_a = {link}{network} on {recipe.loss.formula}"
    return [first, DEPTH, *([PERTURBED] if recipe.perturbed else [])]


def _linear_formulas(recipe: Recipe) -> list[str]:
    model = "yhat_a = theta_a . x, theta_a the ridge regression on arm a's past"
    if recipe.loss.link_name:
        model = f"yhat_a = {recipe.loss.link_name}(theta_a . x), one Newton step a round on "
        model += recipe.loss.formula
    return [model, *([COVARIANCE] if recipe.uncertain and recipe.wrapper is None else [])]


def make_network(recipe: Recipe, settings: Settings) -> Neural:
    """Return the neural oracle of a recipe."""
    from neucb.agents.network.oracle import Neural

    options = {parameter.name: settings[parameter.name] for parameter in NETWORK}
    return Neural(recipe.loss(), _weights(recipe, settings), **options)


def _weights(recipe: Recipe, settings: Settings) -> Weights:
    from neucb.agents.network.expected_perturbation import ExpectedPerturbation
    from neucb.agents.network.sign_perturbation import SignPerturbation
    from neucb.agents.network.weights import PlainWeights

    if not recipe.perturbed:
        return PlainWeights()
    if math.isinf(settings["perturbations"]):
        return ExpectedPerturbation(settings["c_p"])
    return SignPerturbation(settings["c_p"], settings["perturbations"])


def _make_linear(recipe: Recipe, settings: Settings) -> CountingOracle:
    from neucb.agents.linear.features import Fourier, Mapped, Quadratic
    from neucb.agents.linear.oracle import Linear

    options = {parameter.name: settings[parameter.name] for parameter in RIDGE}
    linear = Linear(recipe.loss(), uncertainty=recipe.uncertain, **options)
    match settings["feature_map"]:
        case "quadratic":
            return Mapped(linear, Quadratic())
        case "fourier":
            return Mapped(linear, Fourier(settings["n_components"], settings["bandwidth"]))
        case "linear":
            return linear
        case unknown:
            raise unknown_name("feature_map", unknown, ("linear", "quadratic", "fourier"))


NEURAL = OraclePart("neural", NETWORK, _network_formulas, make_network, PERTURBATION)
LINEAR = OraclePart("linear", (*RIDGE, *FEATURES), _linear_formulas, _make_linear)
