"""Replicas for the kernels: what is ready to be played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neucb.agents.recipes.recipe import Recipe
from neucb.core.constants import TIE
from neucb.core.errors import InputError
from neucb.core.spec import Spec
from neucb.engines.compiled.experts import check_experts, play_experts
from neucb.engines.compiled.kernels.linear import fixed
from neucb.engines.compiled.linear import check_models, play_models
from neucb.engines.compiled.networks import check_network, play_ensemble, play_network
from neucb.engines.compiled.stage import PLAYERS, Play, Settings, Stage, make_rule, make_stage, missing_part
from neucb.engines.compiled.tracing import kept_of
from neucb.environments.classification import ClassificationVectorEnv
from neucb.kernels.types import P, Rule


@dataclass(frozen=True)
class Replica:
    """One replica, ready to be played.

    Attributes:
        stage: what it meets, and what came of it, filled by `play`.
        rule: its exploration rule, of agents that have one.
        play: plays rounds start..stop-1 and returns the first that could not be played.
        predicts: whether the record holds predicted losses.
    """

    stage: Stage
    rule: Rule
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
    """Draw and prepare the r-th replica of a run.

    Args:
        recipe: recipe of the agent.
        settings: all its hyper-parameters; a tuple has one number per replica.
        env: the environment.
        spec: shape of the run.
        r: number of the replica.
        due: rounds that are logged, from 1.
        full: whether the trace holds all arms; None where there is no trace.
    """
    own = {name: value[r] if isinstance(value, tuple) else value for name, value in settings.items()}
    seed = spec.seeds[r]
    rule = make_rule(recipe, own, spec)
    stage = make_stage(env, spec, seed, due, *kept_of(rule, own, spec.horizon, full=full))
    match PLAYERS.get((recipe.kind, recipe.oracle)):
        case "fixed" if recipe.kind == "uniform":
            play = _fixed(np.full(spec.arms, 1.0 / spec.arms), stage)
        case "fixed":
            play = _fixed(_best_arm(make_stage(env, spec, seed)), stage)
        case "exp4":
            play = play_experts(own, spec, seed, stage)
        case "linear":
            play = play_models(recipe, own, spec, seed, stage)
        case "bootstrap":
            play = play_ensemble(recipe, own, spec, seed, stage)
        case "neural":
            play = play_network(recipe, own, spec, seed, stage)
        case _:
            raise InputError(f"the compiled engine has {missing_part(recipe)}")
    return Replica(stage, rule, play, predicts=recipe.oracle != "none")


def _fixed(p: NDArray[np.float64], stage: Stage) -> Play:
    """Return what plays rounds with one distribution [K]."""
    record, dice, memory = stage.record, stage.world.dice, np.zeros(1)
    record.p[:] = p
    record.kept[:, P] = p
    sums, last = np.cumsum(p), int(np.flatnonzero(p)[-1])

    def play(start: int, stop: int) -> int:
        if stage.reaction is not None:
            played: int = fixed(stage.world, stage.reaction, memory, record, start, stop)
            return played
        action = np.searchsorted(sums, dice[start:stop], side="right")
        record.action[start:stop] = np.minimum(action, last)
        record.propensity[start:stop] = record.p[record.action[start:stop]]
        return stop

    return play


def _best_arm(stage: Stage) -> NDArray[np.float64]:
    """Return probability 1 for the arm [K] that is best in hindsight, of a play of the first one."""
    K, T = len(stage.record.p), len(stage.world.rows)
    arms = np.eye(K)
    _fixed(arms[0], stage)(0, T)
    losses = np.cumsum(stage.world.expected[stage.world.label], axis=0)[-1]  # one by one, as the loop sums
    gap = losses - losses.min()
    best: NDArray[np.float64] = arms[int((gap <= TIE * losses.min()).argmax())]
    return best


def check(recipe: Recipe, settings: Settings, spec: Spec) -> None:
    """Check the hyper-parameters of all replicas together, as the torch agents do.

    Raises:
        InputError: a perturbation under which training diverges, or too many features.
    """
    if recipe.oracle == "neural":
        check_network(recipe, settings, spec)
    elif recipe.oracle == "linear":
        check_models(settings, spec)
    elif recipe.kind == "exp4":
        check_experts(spec)
