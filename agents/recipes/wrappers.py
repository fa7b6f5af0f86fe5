"""The wrappers of oracles in recipes: their hyper-parameters, formulas and construction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from neucb.agents.parameter import Parameter
from neucb.agents.recipes.recipe import Settings, Wrapper
from neucb.agents.wrappers.epochs import Epochs

if TYPE_CHECKING:
    from neucb.agents.base import Oracle

PASSES = (
    Parameter(
        "epochs", 1, "number of passes over the rounds of a doubling epoch at its end", low=1, whole=True
    ),
)
GRADIENT = (
    Parameter(
        "regularization",
        1.0,
        "regularisation lambda of the gradient covariance U, which starts as lambda I",
        above_low=True,
    ),
    Parameter(
        "gradient_scaling",
        "none",
        "scaling of the gradient g: g as in the published code (none), or g / sqrt(m) as in the papers",
        choices=("none", "sqrt_width"),
    ),
    Parameter(
        "covariance",
        "diagonal",
        "storage of the gradient covariance U: diagonal, or full (at most 3,000 parameters)",
        choices=("diagonal", "full"),
    ),
    Parameter(
        "clip_mean",
        math.inf,
        "upper bound of predicted losses where arms are compared; 1, the greatest loss, or inf for none",
        infinite=True,
    ),
)
REGRESSION = (
    Parameter(
        "regularization",
        1.0,
        "regularisation lambda of the feature covariance A, which starts as lambda I",
        above_low=True,
    ),
    Parameter(
        "refresh_every",
        500,
        "number of rounds between two refreshes of the last-layer features",
        low=1,
        whole=True,
    ),
)


def _make_epochs(oracle: Oracle, settings: Settings) -> Oracle:
    return Epochs(oracle, epochs=settings.get("epochs", 1))


def _make_gradient_norm(oracle: Any, settings: Settings) -> Oracle:
    from neucb.agents.network.gradient_norm import GradientNorm

    return GradientNorm(oracle, **{parameter.name: settings[parameter.name] for parameter in GRADIENT})


def _make_last_layer(oracle: Any, settings: Settings) -> Oracle:
    from neucb.agents.network.last_layer import LastLayerRegression

    return LastLayerRegression(
        oracle, **{parameter.name: settings[parameter.name] for parameter in REGRESSION}
    )


BY_EPOCHS = "the oracle is updated after rounds 2, 4, 8, ... on all rounds since its last update"
EPOCHS = Wrapper("epochs", BY_EPOCHS, _make_epochs, by_epochs=True)
EPOCH_PASSES = Wrapper("epochs-passes", BY_EPOCHS, _make_epochs, PASSES, by_epochs=True)
GRADIENT_NORM = Wrapper(
    "gradient-norm",
    "std_a^2 = lambda g_a' U^-1 g_a, g_a = grad f_a, U = lambda I + sum of g g' over the "
    "arms played; means are clipped to at most clip_mean",
    _make_gradient_norm,
    GRADIENT,
    gives_std=True,
)
LAST_LAYER = Wrapper(
    "last-layer",
    "yhat_a = phi_a . mu, std_a^2 = phi_a' A^-1 phi_a, phi_a the last hidden layer, "
    "f_a = w2 . phi_a, A = lambda I + sum of phi phi' over the arms played, mu = A^-1 sum of phi y",
    _make_last_layer,
    REGRESSION,
    gives_std=True,
    joint=True,
)
