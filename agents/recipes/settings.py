"""Settings: the hyper-parameters that each part of a recipe brings, and the part's formula."""

from __future__ import annotations

import math

from neucb.agents.parameter import Parameter

NEURAL = (
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
    Parameter("normalize", 0.0, "exponent of normalised updates: larger steps for rare inputs; 0: none"),
    Parameter(
        "replay", 1, "steps a round: one on the newest sample, the others on past ones", low=1, whole=True
    ),
    Parameter("batch", 1, "past samples of each of these other steps", low=1, whole=True),
    Parameter(
        "schedule",
        "online",
        "steps as replay has them (online), or as the code of NeuralUCB or of NeuralTS (cost T^2) has them",
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
LINEAR = (
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
        "features",
        "linear",
        "of the model: the context, products of its pairs, random Fourier features",
        choices=("linear", "quadratic", "fourier"),
    ),
    Parameter("columns", 300, "number of Fourier features", low=1, whole=True),
    Parameter("bandwidth", 0.5, "of the Gaussian kernel that Fourier features approximate", above_low=True),
)
EPOCHS = (Parameter("passes", 1, "passes over an epoch's rounds at its end", low=1, whole=True),)
GRADIENT = (
    Parameter("regularization", 1.0, "lambda of U_0 = lambda I", above_low=True),
    Parameter(
        "gradient",
        "code",
        "g as in the published code, or g / sqrt(m) as in the papers",
        choices=("code", "paper"),
    ),
    Parameter(
        "matrix",
        "diagonal",
        "U is its diagonal, or full (at most 3,000 parameters)",
        choices=("diagonal", "full"),
    ),
    Parameter(
        "ceiling",
        math.inf,
        "predictions above it count as it where arms are compared; 1, the greatest loss, or inf for none",
        infinite=True,
    ),
)
LAST_LAYER = (
    Parameter("regularization", 1.0, "lambda of A_0 = lambda I", above_low=True),
    Parameter("refresh", 500, "rounds between two refreshes of the features", low=1, whole=True),
)
ENSEMBLE = (
    Parameter("members", 10, "N, copies of the oracle", low=1, whole=True),
    Parameter(
        "bootstrap",
        "poisson",
        "how often a member counts a sample: Poisson(1), or 0 or 1",
        choices=("poisson", "bernoulli"),
    ),
)
EXP4 = (
    Parameter("eta", 3.0, "scale of the rate eta_t = eta sqrt(log N / (K t))", above_low=True),
    Parameter("mixing", 0.003, "share of uniform play", high=1.0),
)

KINDS = {
    "reduction": (),
    "uniform": (),
    "ensemble": ENSEMBLE,
    "exp4": EXP4,
    "best-fixed": (),
    "supervised": (),
}
ORACLES = {"neural": NEURAL, "linear": (*LINEAR, *FEATURES), "none": ()}
WRAPPERS = {
    "none": (),
    "epochs": (),
    "epochs-passes": EPOCHS,
    "gradient-norm": GRADIENT,
    "last-layer": LAST_LAYER,
}
NETWORK = "f_a = w2 . relu(W1 (e_a (x) x)), trained by gradient steps"
DEPTH_FORMULA = (
    "with depth L > 1, f_a = w2 . relu(V_L ... relu(V_2 relu(W1 (e_a (x) x)))), V_2 to V_L shared by the arms"
)
ORACLE_FORMULAS = {
    ("neural", "squared"): f"yhat_a = {NETWORK} on (f_a - y)^2 / 2",
    ("neural", "kl"): f"yhat_a = sigmoid(f_a), {NETWORK} on KL(y || yhat_a)",
    ("linear", "squared"): "yhat_a = theta_a . x, theta_a the ridge regression on arm a's past",
    ("linear", "kl"): "yhat_a = sigmoid(theta_a . x), one Newton step a round on KL(y || yhat_a)",
}
PERTURBED_FORMULA = "yhat_a = mean_s link(f_a + c_p m^(-1/4) <theta - theta_0, eps_s>), eps_s random signs"
WRAPPER_FORMULAS = {
    "epochs": "it learns at rounds 2, 4, 8, ... what it has seen since",
    "epochs-passes": "it learns at rounds 2, 4, 8, ... what it has seen since",
    "gradient-norm": "std_a^2 = lambda g_a' U^-1 g_a, g_a = grad f_a, U = lambda I + sum of g g' over the "
    "arms played; a mean above the ceiling counts as the ceiling",
    "last-layer": "yhat_a = phi_a . mu, std_a^2 = phi_a' A^-1 phi_a, phi_a the last hidden layer, "
    "f_a = w2 . phi_a, A = lambda I + sum of phi phi' over the arms played, mu = A^-1 sum of phi y",
}
KIND_FORMULAS = {
    "uniform": "p_a = 1 / K",
    "ensemble": "p_a = the share of N copies of the oracle for which a = argmin yhat; each counts a round's "
    "sample a random number of times",
    "exp4": "p_a = (1 - mixing) sum_i w_i xi_i(a) + mixing / K over experts i, "
    "w_i <- w_i exp(-eta_t xi_i(a) y / p_a)",
    "best-fixed": "p_a = 1 for the arm of least total expected loss, known in advance",
    "supervised": "p_b = 1, b = argmin yhat; the oracle learns every arm's expected loss in every round",
}
COVARIANCE_FORMULA = "std_a^2 = x' A_a^-1 x, A_a = lambda I + sum w x x' over arm a's past, w = link'"
