"""Replicas of a recipe, prepared for the kernels, and the parts that kernels do not support."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neucb.agents.recipes.kinds import BEST_FIXED, ENSEMBLE, EXP4, REDUCTION, SUPERVISED, UNIFORM
from neucb.agents.recipes.oracles import LINEAR, NEURAL
from neucb.agents.recipes.recipe import Kind, OraclePart, Recipe
from neucb.agents.recipes.wrappers import EPOCH_PASSES, EPOCHS, GRADIENT_NORM, LAST_LAYER
from neucb.core.constants import TIE
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.compiled.experts import check_experts, play_experts
from neucb.engines.compiled.inputs import (
    Play,
    ReplicaInputs,
    Settings,
    kept_of,
    make_inputs,
    make_rule,
    supports,
)
from neucb.engines.compiled.kernels.linear import fixed
from neucb.engines.compiled.linear import check_models, play_models
from neucb.engines.compiled.memory import check_fits
from neucb.engines.compiled.networks import check_network, play_ensemble, play_network
from neucb.environments.classification import ClassificationVectorEnv
from neucb.kernels.types import THOMPSON, P, RuleConfig


@dataclass(frozen=True)
class Replica:
    """One prepared replica.

    Attributes:
        inputs: inputs of the kernel, and the record, filled by `play`.
        rule: exploration rule; greedy for kinds of agents with a policy of their own.
        play: function that plays rounds start..stop-1 and returns the first failed one, or stop.
        predicts: whether the record holds predicted losses.
    """

    inputs: ReplicaInputs
    rule: RuleConfig
    play: Play
    predicts: bool


def make_replica(
    recipe: Recipe,
    settings: Settings,
    env: ClassificationVectorEnv,
    spec: Spec,
    r: int,
    due: Sequence[int] = (),
    full: bool | None = None,
) -> Replica:
    """Draw and prepare a replica of a run.

    Args:
        recipe: recipe of the agent.
        settings: all its hyper-parameters; a tuple has one value per replica.
        env: environment of the run.
        spec: shape of the run.
        r: index of the replica.
        due: logged rounds, from 1.
        full: whether the trace holds all arms; None where there is no trace.
    """
    own = {name: value[r] if isinstance(value, tuple) else value for name, value in settings.items()}
    seed = spec.seeds[r]
    rule = make_rule(recipe, own, spec)
    inputs = make_inputs(env, spec, seed, due, *kept_of(rule, own, spec.horizon, full=full))
    if (missing := missing_part(recipe)) is not None:
        raise InputError(f"the compiled engine has {missing}")
    play = PLAYERS[recipe.kind, recipe.oracle](recipe, own, spec, inputs)
    return Replica(inputs, rule, play, predicts=recipe.oracle is not None)


def missing_part(recipe: Recipe) -> str | None:
    """Return the part that the kernels lack for a recipe, as "no wrapper 'x'"; None if supported."""
    rule, wrapper, oracle = recipe.rule, recipe.wrapper, recipe.oracle
    if (recipe.kind, oracle) not in PLAYERS:
        return f"no agent of kind '{recipe.kind.name}' with the oracle '{oracle.name if oracle else 'none'}'"
    if wrapper not in WRAPPERS:
        return f"no wrapper '{wrapper.name if wrapper else 'none'}'"
    if recipe.loss.kernel is None:
        return f"no compiled form of the loss '{recipe.loss.name}'"
    if rule is None:
        return "no reduction without a rule" if recipe.kind == REDUCTION else _missing_expert(recipe)
    if not supports(rule):
        return f"no compiled form of the rule '{rule.name}'"
    if rule.needs_std and oracle == NEURAL and (wrapper is None or not wrapper.gives_std):
        return f"no standard deviations for the rule '{rule.name}'"
    if recipe.joint and rule.kernel_kind != THOMPSON:
        return f"no rule '{rule.name}' for arms that are predicted together"
    return None


def _missing_expert(recipe: Recipe) -> str | None:
    """Return the missing part of the Exp4 kernel for a recipe, as `missing_part`."""
    for expert in recipe.experts:
        plain = expert.kind == REDUCTION and expert.wrapper is None and not expert.uncertain
        if not plain or missing_part(expert) is not None:
            return f"no mixture with the expert '{expert.name}'"
    if recipe.experts and {expert.oracle for expert in recipe.experts} != {NEURAL, LINEAR}:
        return "no mixture without both networks and linear models"
    return None


def _fixed(p: NDArray[np.float64], inputs: ReplicaInputs) -> Play:
    """Return a function that plays all rounds with one distribution [K]."""
    record, dice, memory = inputs.record, inputs.world.dice, np.zeros(1)
    record.p[:] = p
    record.kept[:, P] = p
    sums, last = np.cumsum(p), int(np.flatnonzero(p)[-1])

    def play(start: int, stop: int) -> int:
        if inputs.adaptive is not None:
            played: int = fixed(inputs.world, inputs.adaptive, memory, record, start, stop)
            return played
        action = np.searchsorted(sums, dice[start:stop], side="right")
        record.action[start:stop] = np.minimum(action, last)
        record.propensity[start:stop] = record.p[record.action[start:stop]]
        return stop

    return play


def _play_uniform(recipe: Recipe, own: Settings, spec: Spec, inputs: ReplicaInputs) -> Play:
    return _fixed(np.full(spec.arms, 1.0 / spec.arms), inputs)


def _play_best_fixed(recipe: Recipe, own: Settings, spec: Spec, inputs: ReplicaInputs) -> Play:
    return _fixed(_best_arm(make_inputs(inputs.env, spec, inputs.seed)), inputs)


def _best_arm(inputs: ReplicaInputs) -> NDArray[np.float64]:
    """Return probability 1 [K] for the best fixed arm, whose losses a play of arm 0 gives."""
    K, T = len(inputs.record.p), len(inputs.world.rows)
    arms = np.eye(K)
    _fixed(arms[0], inputs)(0, T)
    losses = np.cumsum(inputs.world.expected[inputs.world.label], axis=0)[-1]  # round by round, like the loop
    gap = losses - losses.min()
    best: NDArray[np.float64] = arms[int((gap <= TIE * losses.min()).argmax())]
    return best


def check(recipe: Recipe, settings: Settings, spec: Spec) -> None:
    """Check the hyper-parameters of all replicas together, as the torch agents do.

    Raises:
        InputError: a perturbation under which training diverges, too many features, or networks that do
            not fit into memory.
    """
    check_fits(recipe, settings, spec)
    if recipe.oracle == NEURAL:
        check_network(recipe, settings, spec)
    elif recipe.oracle == LINEAR:
        check_models(settings, spec)
    check_experts(recipe, spec)


PLAYERS: dict[tuple[Kind, OraclePart | None], Callable[..., Play]] = {
    (UNIFORM, None): _play_uniform,
    (BEST_FIXED, None): _play_best_fixed,
    (EXP4, None): play_experts,
    (REDUCTION, LINEAR): play_models,
    (ENSEMBLE, LINEAR): play_models,
    (REDUCTION, NEURAL): play_network,
    (SUPERVISED, NEURAL): play_network,
    (ENSEMBLE, NEURAL): play_ensemble,
}
WRAPPERS = (None, EPOCHS, EPOCH_PASSES, GRADIENT_NORM, LAST_LAYER)
