"""The recipes whose oracle is a neural network."""

from __future__ import annotations

from neucb.agents.losses import KL, Squared
from neucb.agents.recipes.kinds import ENSEMBLE, REDUCTION
from neucb.agents.recipes.oracles import NEURAL
from neucb.agents.recipes.recipe import Recipe
from neucb.agents.recipes.wrappers import EPOCH_PASSES, GRADIENT_NORM, LAST_LAYER
from neucb.agents.rules.confidence import LowerConfidence, Thompson
from neucb.agents.rules.inverse_gap import EpsilonGreedy, Falcon, FastInverseGap, Greedy, InverseGap

# Chosen on tuning seeds 1000 and 1001 of 39 data sets together, one setting per recipe, see
# experiments/defaults.toml and results/README.md. The best c_p is 0; 0.03 costs less than 1 % of regret. The
# constant step and gamma_0 = 10 of the paper are far from the best.
NORMALIZE = ("input_scaling", 0.5)
KL_NETWORK = (("lr", 1.6), ("lr_power", 0.3), NORMALIZE)
KL_SLOWING = (("lr", 2.2), ("lr_power", 0.38), NORMALIZE)  # faster decay of steps, where its regret was less
SQUARED_NETWORK = (("lr", 1.2), ("lr_power", 0.2), NORMALIZE)
REPLAY = (("lr_power", 0.25), NORMALIZE, ("updates_per_round", 16))
KL_REPLAY_DEFAULTS = (("lr", 0.9), *REPLAY, ("gamma", 100.0))
SQUARED_REPLAY_DEFAULTS = (("lr", 0.7), *REPLAY, ("gamma", 300.0))
KL_DEFAULTS = (*KL_NETWORK, ("gamma", 1000.0))
KL_SQUARECB_DEFAULTS = (*KL_SLOWING, ("gamma", 1000.0))
SQUARED_DEFAULTS = (*SQUARED_NETWORK, ("gamma", 100.0))
SQUARED_FASTCB_DEFAULTS = (*SQUARED_NETWORK, ("gamma", 300.0))

NEUCB = "Deb, Ban, Zuo, He, Banerjee, ICLR 2024 (arXiv 2312.07145)"
FALCON = "Simchi-Levi, Xu, Mathematics of Operations Research 2022 (arXiv 2003.12699)"

NEURAL_UCB = "Zhou, Li, Gu, ICML 2020 (arXiv 1911.04462)"
NEURAL_TS = "Zhang, Zhou, Li, Gu, ICLR 2021 (arXiv 2010.00827)"
SHOWDOWN = "Riquelme, Tucker, Snoek, ICLR 2018 (arXiv 1802.09127)"

NEURAL_RECIPES = (
    Recipe(
        "kl-perturbed",
        "NeuFastCB: perturbed network with KL loss, FastCB's rule",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=KL,
        rule=FastInverseGap,
        perturbed=True,
        defaults=KL_DEFAULTS,
        aliases=("neufastcb",),
    ),
    Recipe(
        "sq-perturbed",
        "NeuSquareCB: perturbed network with squared loss, SquareCB's rule",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=Squared,
        rule=InverseGap,
        perturbed=True,
        defaults=SQUARED_DEFAULTS,
        aliases=("neusquarecb",),
    ),
    Recipe(
        "kl-perturbed-replay",
        "NeuFastCB with 16 gradient steps a round, on the newest and on past samples",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=KL,
        rule=FastInverseGap,
        perturbed=True,
        defaults=KL_REPLAY_DEFAULTS,
    ),
    Recipe(
        "sq-perturbed-replay",
        "NeuSquareCB with 16 gradient steps a round, on the newest and on past samples",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=Squared,
        rule=InverseGap,
        perturbed=True,
        defaults=SQUARED_REPLAY_DEFAULTS,
    ),
    Recipe(
        "kl",
        "NeuFastCB without the perturbation",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=KL,
        rule=FastInverseGap,
        defaults=KL_DEFAULTS,
    ),
    Recipe(
        "sq",
        "NeuSquareCB without the perturbation",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=Squared,
        rule=InverseGap,
        defaults=SQUARED_DEFAULTS,
    ),
    Recipe(
        "kl-squarecb",
        "crossed: network with KL loss, SquareCB's rule",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=KL,
        rule=InverseGap,
        defaults=KL_SQUARECB_DEFAULTS,
    ),
    Recipe(
        "sq-fastcb",
        "crossed: network with squared loss, FastCB's rule",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=Squared,
        rule=FastInverseGap,
        defaults=SQUARED_FASTCB_DEFAULTS,
    ),
    Recipe(
        "kl-perturbed-squarecb",
        "crossed: perturbed network with KL loss, SquareCB's rule",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=KL,
        rule=InverseGap,
        perturbed=True,
        defaults=KL_SQUARECB_DEFAULTS,
    ),
    Recipe(
        "sq-perturbed-fastcb",
        "crossed: perturbed network with squared loss, FastCB's rule",
        NEUCB,
        REDUCTION,
        oracle=NEURAL,
        loss=Squared,
        rule=FastInverseGap,
        perturbed=True,
        defaults=SQUARED_FASTCB_DEFAULTS,
    ),
    Recipe(
        "neural-epsilon",
        "network with squared loss, epsilon-greedy",
        "the usual baseline",
        REDUCTION,
        oracle=NEURAL,
        rule=EpsilonGreedy,
        defaults=(*SQUARED_NETWORK, ("epsilon", 0.001)),
    ),
    Recipe(
        "neural-epsilon-decay",
        "network with squared loss, epsilon-greedy with decay",
        "the usual baseline",
        REDUCTION,
        oracle=NEURAL,
        rule=EpsilonGreedy,
        defaults=(*SQUARED_NETWORK, ("epsilon", 0.03), ("epsilon_power", 0.5)),
    ),
    Recipe(
        "neural-greedy",
        "network with squared loss, no exploration",
        "the usual baseline",
        REDUCTION,
        oracle=NEURAL,
        rule=Greedy,
        defaults=SQUARED_NETWORK,
    ),
    Recipe(
        "neural-falcon",
        "FALCON with a network that learns at the ends of doubling epochs",
        FALCON,
        REDUCTION,
        oracle=NEURAL,
        rule=Falcon,
        wrapper=EPOCH_PASSES,
        defaults=(("lr", 1.2), ("lr_power", 0.3), NORMALIZE, ("gamma", 100.0)),
    ),
    Recipe(
        "neural-ucb",
        "NeuralUCB: confidence bound from the norm of the gradient",
        NEURAL_UCB,
        REDUCTION,
        oracle=NEURAL,
        rule=LowerConfidence,
        wrapper=GRADIENT_NORM,
        defaults=(("lr", 0.9), ("lr_power", 0.2), NORMALIZE, ("alpha", 0.1)),
    ),
    Recipe(
        "neural-ts",
        "NeuralTS: Thompson sampling with the norm of the gradient",
        NEURAL_TS,
        REDUCTION,
        oracle=NEURAL,
        rule=Thompson,
        wrapper=GRADIENT_NORM,
        defaults=(*SQUARED_NETWORK, ("nu", 0.01)),
    ),
    Recipe(
        "neural-bootstrap",
        "vote of 10 networks with KL loss, each on its own online bootstrap",
        SHOWDOWN,
        ENSEMBLE,
        oracle=NEURAL,
        loss=KL,
        defaults=(("lr", 2.5), ("lr_power", 0.3), NORMALIZE, ("bootstrap", "bernoulli")),
    ),
    Recipe(
        "neural-linear",
        "Thompson sampling with Bayesian regression on the network's last layer",
        SHOWDOWN,
        REDUCTION,
        oracle=NEURAL,
        rule=Thompson,
        wrapper=LAST_LAYER,
        defaults=(*SQUARED_NETWORK, ("nu", 0.01)),
    ),
)
