"""Experts for the kernel of Exp4: the agents that it mixes, each as it is when it plays alone."""

from __future__ import annotations

import math

import numpy as np

from neucb.agents.recipes.registry import EXPERTS, RECIPES
from neucb.core.spec import Spec
from neucb.engines.compiled.kernels.exp4 import exp4
from neucb.engines.compiled.linear import check_models, count_columns, make_features, make_lists, make_models
from neucb.engines.compiled.networks import make_learner, make_network, make_work
from neucb.engines.compiled.stage import Play, Settings, Stage, make_rule
from neucb.kernels import types


def _experts() -> list[str]:
    """Return `EXPERTS` in the kernel's order: networks first."""
    return sorted(EXPERTS, key=lambda name: RECIPES[name].oracle != "neural")


def failed_expert(status: int) -> str:
    """Return the name of the expert that diverged, by the status that the kernel ended with."""
    return _experts()[status - types.EXPERT]


def play_experts(own: Settings, spec: Spec, seed: int, stage: Stage) -> Play:
    """Return what plays the rounds of Exp4 over `EXPERTS`."""
    parts = [(RECIPES[name], RECIPES[name].settings({})) for name in _experts()]
    deep = [(recipe, theirs) for recipe, theirs in parts if recipe.oracle == "neural"]
    flat = [(recipe, theirs) for recipe, theirs in parts if recipe.oracle == "linear"]
    rules = tuple(make_rule(recipe, theirs, spec) for recipe, theirs in (*deep, *flat))
    learners = tuple(make_learner(recipe, theirs) for recipe, theirs in deep)
    networks = tuple(make_network(recipe, theirs, spec, seed) for recipe, theirs in deep)
    works = tuple(make_work(network, spec.arms, shared=False) for network in networks)
    models = tuple(make_models(recipe, theirs, spec, seed) for recipe, theirs in flat)
    features, columns = make_features(flat[0][1], spec, seed), count_columns(flat[0][1], spec)
    memory = np.tile([0.0, 1.0, 0.0], (len(deep), 1))
    eta = own["eta"] * math.sqrt(math.log(len(parts)) / spec.arms)
    advice = np.empty((len(parts), spec.arms))
    experts = types.Experts(np.zeros(len(parts)), advice, float(eta), float(own["mixing"]))
    index, value, direction = make_lists(columns)

    def play(start: int, stop: int) -> int:
        played: int = exp4(
            stage.world,
            stage.reaction,
            rules,
            learners,
            networks,
            works,
            models,
            features,
            memory,
            experts,
            stage.record,
            stage.belief(rules, start, stop),
            index,
            value,
            direction,
            start,
            stop,
        )
        return played

    return play


def check_experts(spec: Spec) -> None:
    """Check the experts' features.

    Warns:
        UserWarning: linear models keep a diagonal only.
    """
    for name in EXPERTS:
        if RECIPES[name].oracle == "linear":
            check_models(RECIPES[name].settings({}), spec)
