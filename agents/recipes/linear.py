"""The recipes whose oracle is a linear or logistic model per arm."""

from __future__ import annotations

from neucb.agents.losses import KL
from neucb.agents.recipes.kinds import ENSEMBLE, REDUCTION
from neucb.agents.recipes.network import FALCON
from neucb.agents.recipes.oracles import LINEAR
from neucb.agents.recipes.recipe import Recipe
from neucb.agents.recipes.wrappers import EPOCHS
from neucb.agents.rules.confidence import LowerConfidence, Thompson
from neucb.agents.rules.inverse_gap import EpsilonGreedy, Falcon, FastInverseGap, InverseGap, Softmax

BEYOND_UCB = "Foster, Rakhlin, ICML 2020 (arXiv 2002.04926)"
FIRST_ORDER = "Foster, Krishnamurthy, NeurIPS 2021 (arXiv 2107.02237)"
BOLTZMANN = "Cesa-Bianchi, Gentile, Lugosi, Neu, NeurIPS 2017 (arXiv 1705.10257)"
LINUCB = "Li, Chu, Langford, Schapire, WWW 2010 (arXiv 1003.0146)"
LINTS = "Agrawal, Goyal, ICML 2013 (arXiv 1209.3352)"
UCB_GLM = "Li, Lu, Zhou, ICML 2017 (arXiv 1703.00048)"
LOGISTIC_TS = "Chapelle, Li, NeurIPS 2011"
BAKE_OFF = "Bietti, Agarwal, Langford, JMLR 2021 (arXiv 1802.04064)"

# Defaults chosen by the same procedure as those of the neural recipes, see network.py.
LINEAR_RECIPES = (
    Recipe(
        "squarecb",
        "SquareCB with one ridge regression per arm",
        BEYOND_UCB,
        REDUCTION,
        oracle=LINEAR,
        rule=InverseGap,
        defaults=(("regularization", 0.3), ("gamma", 100.0)),
    ),
    Recipe(
        "fastcb",
        "FastCB with one online logistic regression per arm",
        FIRST_ORDER,
        REDUCTION,
        oracle=LINEAR,
        loss=KL,
        rule=FastInverseGap,
        defaults=(("regularization", 0.1), ("gamma", 100.0)),
    ),
    Recipe(
        "falcon",
        "FALCON with ridge regressions that learn at the ends of doubling epochs",
        FALCON,
        REDUCTION,
        oracle=LINEAR,
        rule=Falcon,
        wrapper=EPOCHS,
        defaults=(("regularization", 0.1), ("gamma", 300.0)),
    ),
    Recipe(
        "epsilon-greedy",
        "ridge regression per arm, epsilon-greedy",
        "the usual baseline",
        REDUCTION,
        oracle=LINEAR,
        rule=EpsilonGreedy,
        defaults=(("regularization", 0.1), ("epsilon", 0.001)),
    ),
    Recipe(
        "softmax",
        "ridge regression per arm, Boltzmann exploration",
        BOLTZMANN,
        REDUCTION,
        oracle=LINEAR,
        rule=Softmax,
        defaults=(("regularization", 0.1), ("gamma", 3.0)),
    ),
    Recipe(
        "linucb",
        "LinUCB with one ridge regression per arm",
        LINUCB,
        REDUCTION,
        oracle=LINEAR,
        rule=LowerConfidence,
        defaults=(("regularization", 0.1), ("alpha", 0.1)),
    ),
    Recipe(
        "lints",
        "linear Thompson sampling with one ridge regression per arm",
        LINTS,
        REDUCTION,
        oracle=LINEAR,
        rule=Thompson,
        defaults=(("regularization", 0.1), ("nu", 0.03)),
    ),
    Recipe(
        "glm-ucb",
        "UCB-GLM with one online logistic regression per arm",
        UCB_GLM,
        REDUCTION,
        oracle=LINEAR,
        loss=KL,
        rule=LowerConfidence,
        defaults=(("regularization", 0.1), ("alpha", 1.0)),
    ),
    Recipe(
        "logistic-ts",
        "Thompson sampling with one online logistic regression per arm",
        LOGISTIC_TS,
        REDUCTION,
        oracle=LINEAR,
        loss=KL,
        rule=Thompson,
        defaults=(("regularization", 0.1), ("nu", 0.03)),
    ),
    Recipe(
        "bagging",
        "vote of 10 ridge regressions per arm, each on its own online bootstrap",
        BAKE_OFF,
        ENSEMBLE,
        oracle=LINEAR,
        defaults=(("regularization", 0.03),),
    ),
)
