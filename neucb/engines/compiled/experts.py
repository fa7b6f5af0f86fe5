"""Inputs of the Exp4 kernel: its experts, each with the inputs of its own kernel."""

from __future__ import annotations

import math

import numpy as np

from neucb.agents.recipes.oracles import LINEAR, NEURAL
from neucb.agents.recipes.recipe import Recipe
from neucb.core.spec import Spec
from neucb.engines.compiled.inputs import Play, ReplicaInputs, Settings, make_rule
from neucb.engines.compiled.kernels.exp4 import exp4
from neucb.engines.compiled.linear import check_models, count_columns, make_features, make_lists, make_models
from neucb.engines.compiled.networks import (
    longest_row,
    make_config,
    make_whole_network,
    make_workspace,
)
from neucb.kernels import types


def _experts(recipe: Recipe) -> list[Recipe]:
    """Return the experts in the kernel's order: networks first."""
    return sorted(recipe.experts, key=lambda expert: expert.oracle != NEURAL)


def failed_expert(recipe: Recipe, status: int) -> str:
    """Return the name of the diverged expert, from the kernel's status."""
    return _experts(recipe)[status - types.EXPERT].name


def play_experts(recipe: Recipe, own: Settings, spec: Spec, inputs: ReplicaInputs) -> Play:
    """Return a function that plays the rounds of Exp4."""
    seed, parts = inputs.seed, [(expert, expert.settings({})) for expert in _experts(recipe)]
    deep = [part for part in parts if part[0].oracle == NEURAL]
    flat = parts[len(deep) :]
    rules = tuple(make_rule(recipe, theirs, spec) for recipe, theirs in (*deep, *flat))
    configs = tuple(make_config(recipe, theirs) for recipe, theirs in deep)
    networks = tuple(make_whole_network(recipe, theirs, spec, seed) for recipe, theirs in deep)
    longest = longest_row(inputs.world.sparse)
    workspaces = tuple(
        make_workspace(network, spec.arms, shared=False, longest=longest) for network in networks
    )
    models = tuple(make_models(recipe, theirs, spec, seed) for recipe, theirs in flat)
    features, columns = make_features(flat[0][1], spec, seed), count_columns(flat[0][1], spec)
    memory = np.tile([0.0, 1.0, 0.0], (len(deep), 1))
    eta = own["eta"] * math.sqrt(math.log(len(parts)) / spec.arms)
    advice = np.empty((len(parts), spec.arms))
    experts = types.Experts(np.zeros(len(parts)), advice, float(eta), float(own["mixing"]))
    index, value, direction = make_lists(columns, spec.features)

    def play(start: int, stop: int) -> int:
        played: int = exp4(
            inputs.world,
            inputs.adaptive,
            rules,
            configs,
            networks,
            workspaces,
            models,
            features,
            memory,
            experts,
            inputs.record,
            inputs.predictions(rules, start, stop),
            index,
            value,
            direction,
            start,
            stop,
        )
        return played

    return play


def check_experts(recipe: Recipe, spec: Spec) -> None:
    """Check the experts' features.

    Warns:
        UserWarning: linear models with a diagonal covariance only.
    """
    for expert in recipe.experts:
        if expert.oracle == LINEAR:
            check_models(expert.settings({}), spec)
