"""The kinds of agents that recipes name: their hyper-parameters, formulas and construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.agents.base import Reduction
from neucb.agents.parameter import Parameter
from neucb.agents.recipes.build import make_agent, make_oracle, make_rule, make_wrapped
from neucb.agents.recipes.recipe import Kind, Recipe, Settings

if TYPE_CHECKING:
    from neucb.agents.base import Agent

MEMBERS = (
    Parameter("members", 10, "number N of copies of the oracle, each with one vote", low=1, whole=True),
    Parameter(
        "bootstrap",
        "poisson",
        "distribution of a sample's count in each member: Poisson(1), or 0 or 1 with probability 1/2",
        choices=("poisson", "bernoulli"),
    ),
)
RATES = (
    Parameter("eta", 3.0, "scale of the rate eta_t = eta sqrt(log N / (K t))", above_low=True),
    Parameter("mixing", 0.003, "probability of a uniformly drawn arm", high=1.0),
)


def _make_reduction(recipe: Recipe, settings: Settings) -> Agent:
    return Reduction(make_wrapped(recipe, settings), make_rule(recipe, settings))


def _make_uniform(recipe: Recipe, settings: Settings) -> Agent:
    from neucb.agents.uniform import Uniform

    return Uniform()


def _make_best_fixed(recipe: Recipe, settings: Settings) -> Agent:
    from neucb.agents.baselines import BestFixed

    return BestFixed()


def _make_supervised(recipe: Recipe, settings: Settings) -> Agent:
    from neucb.agents.baselines import Supervised

    return Supervised(make_oracle(recipe, settings))


def _make_ensemble(recipe: Recipe, settings: Settings) -> Agent:
    from neucb.agents.ensembles.bootstrap import Ensemble

    members = settings["members"]
    of_members = {
        name: tuple(number for number in value for _ in range(members)) if isinstance(value, tuple) else value
        for name, value in settings.items()
    }
    oracle = make_oracle(recipe, of_members)
    return Ensemble(oracle, members=members, bootstrap=settings["bootstrap"])


def _make_exp4(recipe: Recipe, settings: Settings) -> Agent:
    from neucb.agents.ensembles.exp4 import Exp4

    experts, names = zip(*((make_agent(one), one.name) for one in recipe.experts), strict=True)
    return Exp4(experts, eta=settings["eta"], mixing=settings["mixing"], names=names)


REDUCTION = Kind("reduction", None, _make_reduction)
UNIFORM = Kind("uniform", "p_a = 1 / K", _make_uniform, learns=False)
BEST_FIXED = Kind(
    "best-fixed",
    "p_a = 1 for the arm of least total expected loss, known in advance",
    _make_best_fixed,
    learns=False,
)
SUPERVISED = Kind(
    "supervised",
    "p_b = 1, b = argmin yhat; the oracle learns every arm's expected loss in every round",
    _make_supervised,
    all_arms=True,
)
ENSEMBLE = Kind(
    "ensemble",
    "p_a = the share of N copies of the oracle for which a = argmin yhat; each counts a round's "
    "sample a random number of times",
    _make_ensemble,
    MEMBERS,
)
EXP4 = Kind(
    "exp4",
    "p_a = (1 - mixing) sum_i w_i xi_i(a) + mixing / K over experts i, "
    "w_i <- w_i exp(-eta_t xi_i(a) y / p_a)",
    _make_exp4,
    RATES,
)
