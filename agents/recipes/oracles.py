"""The oracles of recipes: their hyper-parameters, formulas and construction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neucb.agents.parameter import Parameter
from neucb.agents.recipes.recipe import OraclePart, Recipe, Settings
from neucb.core.errors import InputError, unknown_name

if TYPE_CHECKING:
    from neucb.agents.base import CountingOracle
    from neucb.agents.network.oracle import Neural
    from neucb.agents.network.weights import Weights

NETWORK = (
    Parameter("width", 100, "number m of units in each hidden layer", low=1, whole=True),
    Parameter(
        "depth",
        1,
        "number L of hidden layers; the arms share all but the first, and these take steps of lr / 4",
        low=1,
        whole=True,
    ),
    Parameter("lr", 0.1, "step size eta of gradient descent", above_low=True),
    Parameter(
        "lr_power",
        0.0,
        "exponent of the step size schedule eta_t = lr / t^lr_power; 0 for a constant step size",
        high=1.0,
    ),
    Parameter(
        "radius",
        math.inf,
        "radius of the ball around theta_0 onto which theta is projected; inf for no projection",
        above_low=True,
        infinite=True,
    ),
    Parameter(
        "intercept", 0.1, "constant input appended to the context, which has norm 1; 0 for no intercept"
    ),
    Parameter(
        "init", "he", "initialisation of the network's parameters theta_0", choices=("he", "ntk", "paper")
    ),
    Parameter(
        "input_scaling",
        0.0,
        "exponent of normalised updates, which take larger steps for rare inputs; 0 for plain updates",
    ),
    Parameter(
        "updates_per_round",
        1,
        "number of gradient steps per round: one on the newest sample, the others on replayed samples",
        low=1,
        whole=True,
    ),
    Parameter("batch_size", 1, "minibatch size of each replayed gradient step", low=1, whole=True),
    Parameter(
        "training",
        "online",
        "training schedule: updates_per_round steps, or that of the NeuralUCB or NeuralTS code (cost T^2)",
        choices=("online", "neural-ucb", "neural-ts"),
    ),
)
PERTURBATION = (
    Parameter("c_p", 0.03, "perturbation constant c_p; 0 for an unperturbed network"),
    Parameter(
        "perturbations",
        math.inf,
        "number S of random sign vectors; inf for the expectation in closed form",
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
        "storage of the feature covariance; auto: full up to 300 features, else diagonal",
        choices=("auto", "full", "diagonal"),
    ),
)
FEATURES = (
    Parameter(
        "feature_map",
        "linear",
        "features of the model: the context, products of pairs of its entries, or random Fourier features",
        choices=("linear", "quadratic", "fourier"),
    ),
    Parameter("n_components", 300, "number of random Fourier features", low=1, whole=True),
    Parameter(
        "bandwidth",
        0.5,
        "bandwidth of the Gaussian kernel that the random Fourier features approximate",
        above_low=True,
    ),
    Parameter(
        "hash_bits",
        0,
        "number b of bits: the columns are hashed to 2^b, colliding ones are added; 0 for no hashing",
        high=30,
        whole=True,
    ),
)

DEPTH = "with depth L > 1, f_a = w2 . relu(V_L ... relu(V_2 relu(W_a x))), V_2 to V_L shared by the arms"
COVARIANCE = "std_a^2 = x' A_a^-1 x, A_a = lambda I + sum w x x' over arm a's past, w = link'"


def _network_formulas(recipe: Recipe) -> list[str]:
    link, offset = recipe.loss.link_name or "", "c_p m^(-1/4) <theta - theta_0, eps>"
    network = "f_a = w2 . relu(W_a x), W_a [m, d + 1] for arm a, w2 [m] shared by the arms"
    predicted = [f"yhat_a = {link}(f_a)" if link else "yhat_a = f_a"]
    if recipe.perturbed:
        predicted = [
            f"yhat_a = mean over eps of {link}(f_a + {offset})",
            "eps random signs of all weights: their mean in closed form, or S drawn ones (perturbations=S)",
        ]
    steps = f"gradient steps on {recipe.loss.formula}, scaled per input by input_scaling"
    return [*predicted, network, DEPTH, steps]


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


def check_features(settings: Settings) -> None:
    """Check the options of the features of a linear model.

    Raises:
        InputError: both a feature map and hashing.
    """
    if settings["hash_bits"] and settings["feature_map"] != "linear":
        raise InputError(f"hash_bits is for feature_map=linear, not {settings['feature_map']}")


def _make_linear(recipe: Recipe, settings: Settings) -> CountingOracle:
    from neucb.agents.linear.features import Fourier, Hashed, Mapped, Quadratic
    from neucb.agents.linear.oracle import Linear

    options = {parameter.name: settings[parameter.name] for parameter in RIDGE}
    linear = Linear(recipe.loss(), uncertainty=recipe.uncertain, **options)
    check_features(settings)
    if settings["hash_bits"]:
        return Mapped(linear, Hashed(settings["hash_bits"]))
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
