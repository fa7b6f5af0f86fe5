"""Stage: what every kernel takes of a replica's world; and the codes of rules and timings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.initialisation import COUNT_ROUNDS, NOISE_ROUNDS, draw_counts, draw_normal
from neucb.agents.recipes.recipe import Recipe
from neucb.agents.rules.schedules import DELTA, epoch_start
from neucb.core.errors import InputError, unknown_name
from neucb.core.random import stream
from neucb.core.spec import Spec
from neucb.environments.classification import ClassificationVectorEnv, Script
from neucb.environments.orders import Fixed, WeakestClass
from neucb.kernels import types

PLAYERS = {  # kind of the agent and its oracle -> the kernel
    ("uniform", "none"): "fixed",
    ("best-fixed", "none"): "fixed",
    ("exp4", "none"): "exp4",
    ("reduction", "linear"): "linear",
    ("ensemble", "linear"): "linear",
    ("reduction", "neural"): "neural",
    ("supervised", "neural"): "neural",
    ("ensemble", "neural"): "bootstrap",
}
LOSSES = {"squared": types.SQUARED, "kl": types.KL}
RULES = {
    "greedy": types.EPSILON_GREEDY,
    "epsilon-greedy": types.EPSILON_GREEDY,
    "falcon": types.INVERSE_GAP,
    "inverse-gap": types.INVERSE_GAP,
    "fast-inverse-gap": types.FAST_INVERSE_GAP,
    "softmax": types.SOFTMAX,
    "lower-confidence": types.LOWER_CONFIDENCE,
    "thompson": types.THOMPSON,
}
TIMINGS = {
    "none": types.EVERY_ROUND,
    "gradient-norm": types.EVERY_ROUND,
    "last-layer": types.EVERY_ROUND,
    "epochs": types.EPOCHS,
    "epochs-passes": types.EPOCHS,
}
SCHEDULES = {"time": types.TIME, "loss": types.LOSS, "epochs": types.DOUBLING, "theory": types.TIME}

Settings = Mapping[str, Any]
Play = Callable[[int, int], int]


@dataclass(frozen=True)
class Stage:
    """What every kernel takes of a replica.

    Attributes:
        seed: the replica's.
        script: what it meets.
        world: the same for the kernels.
        reaction: of an order that depends on the arms played, else None.
        record: what came of it.
        due: [T] bool, the rounds that are logged.
    """

    seed: int
    script: Script
    world: types.World
    reaction: types.Reaction | None
    record: types.Record
    due: NDArray[np.bool_]

    def belief(self, rules: Sequence[types.Rule], start: int, stop: int, normals: int = 0) -> types.Belief:
        """Return memory for predictions, and strengths and noise of rounds start..stop-1.

        `normals` is how many numbers the first rule, if it draws, draws a round, one per arm by default.
        """
        arms = len(self.record.p)
        mean, output, std = np.empty((3, arms))
        noise = np.empty((0, arms))
        if rules[0].code in (types.THOMPSON, types.JOINT) and stop > start:
            first, last = start // NOISE_ROUNDS, (stop - 1) // NOISE_ROUNDS
            blocks = [draw_normal(self.seed, block, normals or arms) for block in range(first, last + 1)]
            noise = np.concatenate(blocks)[start - first * NOISE_ROUNDS :]
        strength = np.stack([_strengths(rule, start, stop) for rule in rules])
        return types.Belief(mean, output, std, strength, noise)


def _strengths(rule: types.Rule, start: int, stop: int) -> NDArray[np.float64]:
    """Return gamma, epsilon or nu of rounds start..stop-1 where they depend on the round alone.

    Here and not in the kernels, which would raise to a power in every round, even one not needed.
    """
    rounds = np.arange(start + 1.0, stop + 1.0)
    grown = np.sqrt(rounds) if rule.power == 0.5 else rounds**rule.power
    with np.errstate(over="ignore"):
        return np.minimum(rule.scale / grown, 1.0) if rule.schedule == types.DECAY else rule.scale * grown


def make_stage(
    env: ClassificationVectorEnv,
    spec: Spec,
    seed: int,
    due: Sequence[int] = (),
    kept: int = 0,
    factors: int = 0,
) -> Stage:
    """Draw what the replica of this seed meets.

    Args:
        env: the environment.
        spec: the shape of the run.
        seed: the replica's.
        due: rounds that are logged, from 1.
        kept: rounds of which the record keeps all arms.
        factors: columns of the factors that it keeps of these.
    """
    script = env.script(seed)
    dice = stream(seed, "action").random(spec.horizon)
    contexts = np.ascontiguousarray(env.encoded.contexts)
    feedback = env.feedback
    expected = np.ascontiguousarray(feedback.expected)
    world = types.World(contexts, feedback.cost, expected, script.rows, script.label, script.seen, dice)
    predicted, propensity, distance, spread = np.full((4, spec.horizon), np.nan)
    record = types.Record(
        np.empty(spec.horizon, np.int64),
        predicted,
        propensity,
        distance,
        spread,
        np.empty(spec.arms),
        np.zeros(1, np.int64),
        np.empty((kept, 4, spec.arms)),
        np.empty((kept if factors else 0, spec.arms, factors)),
    )
    reaction = make_reaction(script, env.encoded.labels, spec.arms)
    logged = np.zeros(spec.horizon, np.bool_)
    logged[np.array(due, np.int64) - 1] = True
    return Stage(seed, script, world, reaction, record, logged)


def make_reaction(script: Script, labels: NDArray[np.int64], arms: int) -> types.Reaction | None:
    """Return an order that depends on the arms played as the kernels take it; None for a fixed one.

    Raises:
        InputError: the order has no kernel.
    """
    order = script.order
    if isinstance(order, Fixed):
        return None
    if not isinstance(order, WeakestClass):
        raise InputError(f"the compiled engine has no kernel for the order {type(order).__name__}")
    ranked = labels[order.rows]
    counts = np.bincount(ranked, minlength=arms)
    last = np.cumsum(counts)
    loss, met = np.zeros((2, arms))
    return types.Reaction(
        shuffled=order.rows,
        labels=labels,
        coins=order.coins,
        shift=script.shift,
        relabel=script.relabel,
        part=script.part,
        used=np.zeros(len(labels), np.bool_),
        queue=order.rows[np.argsort(ranked, kind="stable")],
        first=last - counts,
        last=last,
        loss=loss,
        met=met,
        next=np.zeros(1, np.int64),
    )


def missing_part(recipe: Recipe) -> str | None:
    """Return what of a recipe the kernels do not know, None where they know all its parts."""
    if (recipe.kind, recipe.oracle) not in PLAYERS:
        return f"no agent of kind '{recipe.kind}' with the oracle '{recipe.oracle}'"
    if recipe.rule not in RULES and (recipe.rule != "none" or recipe.kind == "reduction"):
        return f"no rule '{recipe.rule}'"
    if recipe.wrapper not in TIMINGS:
        return f"no wrapper '{recipe.wrapper}'"
    return None if recipe.loss in LOSSES else f"no loss '{recipe.loss}'"


def make_rule(recipe: Recipe, own: Settings, spec: Spec) -> types.Rule:
    """Return the recipe's exploration rule; greedy where the agent's kind says how it plays.

    Raises:
        InputError: the kernels do not know it.
    """
    match recipe.rule:
        case "epsilon-greedy":
            epsilon, power = float(own["epsilon"]), float(own["epsilon_power"])
            return types.Rule(RULES[recipe.rule], types.DECAY, epsilon, power)
        case "falcon":
            return types.Rule(RULES[recipe.rule], types.DOUBLING, float(own["gamma"]), 0.0)
        case "inverse-gap" | "fast-inverse-gap" | "softmax":
            schedule = SCHEDULES[own["gamma_schedule"]]
            if own["gamma_schedule"] == "theory":
                return types.Rule(RULES[recipe.rule], schedule, _theory(recipe, own, spec), 0.0)
            return types.Rule(RULES[recipe.rule], schedule, float(own["gamma"]), float(own["gamma_power"]))
        case "lower-confidence" | "thompson":
            code = types.JOINT if recipe.wrapper == "last-layer" else RULES[recipe.rule]
            return types.Rule(code, types.TIME, float(own["nu"]), 0.0)
        case "greedy":
            return types.Rule(RULES[recipe.rule], types.DECAY, 0.0, 0.0)
        case "none" if recipe.kind != "reduction":
            return types.Rule(RULES["greedy"], types.DECAY, 0.0, 0.0)
        case _:
            raise unknown_name("rule", recipe.rule, RULES)


def _theory(recipe: Recipe, own: Settings, spec: Spec) -> float:
    """Return the constant gamma of `SquareTheory` and `FastTheory`."""
    regret = own["regression_regret"]
    if recipe.rule == "inverse-gap":
        return math.sqrt(spec.arms * spec.horizon / (regret + math.log(2.0 / DELTA)))
    return max(math.sqrt(spec.arms * own["best_loss"] / (3.0 * regret)), 10.0 * spec.arms)


def make_timing(recipe: Recipe, own: Settings) -> types.Timing:
    """Return when the recipe's oracle learns.

    Raises:
        InputError: the kernels do not know what stands round it.
    """
    if recipe.kind == "supervised":
        return types.Timing(types.ALL_ARMS, 1)
    if recipe.wrapper not in TIMINGS:
        raise unknown_name("wrapper", recipe.wrapper, TIMINGS)
    return types.Timing(TIMINGS[recipe.wrapper], int(own.get("passes", 1)))


def make_counts(own: Settings, spec: Spec, seed: int) -> NDArray[np.float64]:
    """Return how often each of an ensemble's members counts the sample of each round [T, N]."""
    rng, members = stream(seed, "bootstrap"), int(own["members"])
    blocks = -(-spec.horizon // COUNT_ROUNDS)
    drawn = [draw_counts(rng, members, own["bootstrap"]) for _ in range(blocks)]
    return np.concatenate(drawn)[: spec.horizon]


def updates_before(timing: types.Timing, t: int, arms: int) -> int:
    """Return the number of updates made before round t = 0, 1, ..., as `kernels.updates` counts them."""
    if timing.code == types.EPOCHS:
        return timing.passes * epoch_start(t + 1)
    return arms * t if timing.code == types.ALL_ARMS else t
