"""Settings: the hyper-parameters that each part of a recipe brings, and the part's formula."""

from __future__ import annotations

import math

from neucb.agents.parameters import Parameter

NEURAL = (
    Parameter("width", 100, "hidden units m", low=1, whole=True),
    Parameter("lr", 0.1, "step size eta", above_low=True),
    Parameter("lr_power", 0.0, "step schedule eta_t = lr / t^lr_power", high=1.0),
    Parameter("radius", math.inf, "projection onto the ball of this radius round theta_0", above_low=True),
    Parameter("intercept", 0.1, "constant input beside the context of norm 1; 0 for none"),
    Parameter("init", "he", "initialisation of the network", choices=("he", "ntk", "paper")),
)
PERTURBATION = (
    Parameter("c_p", 0.1, "perturbation constant"),
    Parameter("perturbations", math.inf, "S, number of sign vectors; inf: closed form", low=1, whole=True),
)
LINEAR = (Parameter("regularization", 1.0, "ridge penalty lambda", above_low=True),)
GAP = (
    Parameter("gamma", 10.0, "scale gamma_0 of the exploration parameter; larger is greedier"),
    Parameter("gamma_power", 0.5, "exponent rho of the schedule", high=2.0),
    Parameter(
        "gamma_schedule",
        "time",
        "gamma_t = gamma t^rho (time), gamma (1 + own loss)^rho (loss)",
        choices=("time", "loss"),
    ),
)
FALCON = (Parameter("gamma", 10.0, "c of gamma_m = c sqrt(K tau), tau the last epoch's end"),)
EPSILON = (
    Parameter("epsilon", 0.05, "chance of a uniform arm", high=1.0),
    Parameter("epsilon_power", 0.0, "decay epsilon_t = epsilon / t^epsilon_power", high=1.0),
)
EPOCHS = (Parameter("passes", 1, "passes over an epoch's rounds at its end", low=1, whole=True),)

ORACLES = {"neural": NEURAL, "linear": LINEAR, "none": ()}
WRAPPERS = {"none": (), "epochs": (), "epochs-passes": EPOCHS}
RULES = {
    "uniform": (),
    "greedy": (),
    "inverse-gap": GAP,
    "fast-inverse-gap": GAP,
    "softmax": GAP,
    "falcon": FALCON,
    "epsilon-greedy": EPSILON,
}

NETWORK = "f_a = w2 . relu(W1 (e_a (x) x)), one gradient step a round"
ORACLE_FORMULAS = {
    ("neural", "squared"): f"yhat_a = {NETWORK} on (f_a - y)^2 / 2",
    ("neural", "kl"): f"yhat_a = sigmoid(f_a), {NETWORK} on KL(y || yhat_a)",
    ("linear", "squared"): "yhat_a = theta_a . x, theta_a the ridge regression on arm a's past",
    ("linear", "kl"): "yhat_a = sigmoid(theta_a . x), one Newton step a round on KL(y || yhat_a)",
}
PERTURBED_FORMULA = "yhat_a = mean_s link(f_a + c_p m^(-1/4) <theta - theta_0, eps_s>), eps_s random signs"
EPOCHS_FORMULA = "the oracle learns at rounds 2, 4, 8, ... what it has seen since"
RULE_FORMULAS = {
    "uniform": "p_a = 1 / K",
    "greedy": "p_b = 1, b = argmin yhat",
    "inverse-gap": "p_a = 1 / (K + gamma_t (yhat_a - yhat_b)) for a != b = argmin yhat, p_b the rest",
    "fast-inverse-gap": "p_a = yhat_b / (K yhat_b + gamma_t (yhat_a - yhat_b)) for a != b = argmin yhat, "
    "p_b the rest",
    "softmax": "p_a proportional to exp(-gamma_t yhat_a)",
    "falcon": "p_a = 1 / (K + gamma_m (yhat_a - yhat_b)) for a != b = argmin yhat, p_b the rest, "
    "gamma_m constant within epoch m",
    "epsilon-greedy": "p_b = 1 - epsilon_t + epsilon_t / K for b = argmin yhat, epsilon_t / K for the others",
}
