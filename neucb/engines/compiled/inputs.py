"""Inputs common to all kernels, for one replica: rounds, exploration rule, update schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.initialisation import COUNT_ROUNDS, NOISE_ROUNDS, draw_counts, draw_normal
from neucb.agents.recipes.kinds import REDUCTION
from neucb.agents.recipes.recipe import Recipe
from neucb.agents.rules.formulas import decaying, epoch_start, growing
from neucb.agents.rules.inverse_gap import Greedy
from neucb.agents.rules.rule import Rule
from neucb.core.diagonal import is_view
from neucb.core.errors import InputError
from neucb.core.random import stream
from neucb.core.spec import Spec
from neucb.engines.compiled.kernels.rules import WEIGHTS
from neucb.environments.classification import ClassificationVectorEnv, Script
from neucb.environments.contexts import is_sparse
from neucb.environments.orders.order import CompiledOrder, FixedOrder
from neucb.kernels import types

if TYPE_CHECKING:
    from neucb.environments.contexts import Contexts

KEPT = 8 * types.BLOCK  # latest rounds with a record of all arms

Settings = Mapping[str, Any]
Play = Callable[[int, int], int]


@dataclass(frozen=True)
class ReplicaInputs:
    """Inputs common to all kernels, for one replica, and its record.

    Attributes:
        env: environment of the run.
        seed: seed of the replica.
        script: rows and labels of its rounds.
        world: contexts, losses and random numbers of its rounds, for the kernels.
        adaptive: state of an order that depends on the arms played, else None.
        record: arms, predictions and propensities, filled by the kernels.
    """

    env: ClassificationVectorEnv
    seed: int
    script: Script
    world: types.RoundData
    adaptive: types.AdaptiveOrder | None
    record: types.RoundRecord

    def predictions(
        self, rules: Sequence[types.RuleConfig], start: int, stop: int, normals: int = 0
    ) -> types.Predictions:
        """Return buffers for predictions, with the strengths and noise of rounds start..stop-1.

        Args:
            rules: exploration rules of the replica; only the first may draw random numbers.
            start: first round, from 0.
            stop: round after the last.
            normals: standard normal numbers a round for a rule that draws; one per arm by default.
        """
        arms = len(self.record.p)
        mean, output, std = np.empty((3, arms))
        noise = np.empty((0, arms))
        if rules[0].kind in (types.THOMPSON, types.JOINT) and stop > start:
            first, last = start // NOISE_ROUNDS, (stop - 1) // NOISE_ROUNDS
            blocks = [draw_normal(self.seed, block, normals or arms) for block in range(first, last + 1)]
            noise = np.concatenate(blocks)[start - first * NOISE_ROUNDS :]
        strength = np.stack([_strengths(rule, start, stop) for rule in rules])
        return types.Predictions(mean, output, std, strength, noise)


def _strengths(rule: types.RuleConfig, start: int, stop: int) -> NDArray[np.float64]:
    """Return gamma, epsilon or nu of rounds start..stop-1 where they depend on the round alone.

    Computed outside the kernels, which would evaluate a power in every round, needed or not.
    """
    rounds = np.arange(start + 1.0, stop + 1.0)
    decays = rule.schedule == types.DECAY
    with np.errstate(over="ignore"):
        strengths: NDArray[np.float64] = (decaying if decays else growing)(rounds, rule.scale, rule.power)
    return np.minimum(strengths, 1.0) if decays else strengths


def make_inputs(
    env: ClassificationVectorEnv,
    spec: Spec,
    seed: int,
    due: Sequence[int] = (),
    kept: int = 0,
    factors: int = 0,
) -> ReplicaInputs:
    """Draw the rows, labels and random numbers of the replica of this seed.

    Args:
        env: environment of the run.
        spec: shape of the run.
        seed: seed of the replica.
        due: logged rounds, from 1.
        kept: number of latest rounds with a record of all arms.
        factors: columns of the covariance factors in that record, 0 without.
    """
    script = env.script(seed)
    dice = stream(seed, "action").random(spec.horizon)
    feedback = env.feedback
    expected = feedback.expected
    if not is_view(expected):
        expected = np.ascontiguousarray(expected)
    world = types.RoundData(
        *make_rows(env.encoded.contexts),
        feedback.cost,
        expected,
        script.rows,
        script.label,
        script.seen,
        dice,
    )
    predicted, propensity, parameter_distance, perturbation_rms = np.full((4, spec.horizon), np.nan)
    logged = np.zeros(spec.horizon, np.bool_)
    logged[np.array(due, np.int64) - 1] = True
    record = types.RoundRecord(
        np.empty(spec.horizon, np.int64),
        predicted,
        propensity,
        logged,
        parameter_distance,
        perturbation_rms,
        np.empty(spec.arms),
        np.zeros(1, np.int64),
        np.empty((kept, 4, spec.arms)),
        np.empty((kept if factors else 0, spec.arms, factors)),
    )
    adaptive = make_adaptive_order(script, env.encoded.labels)
    return ReplicaInputs(env, seed, script, world, adaptive, record)


def make_rows(contexts: Contexts) -> tuple[NDArray[np.float32], types.SparseRows | None]:
    """Return contexts in the form of `RoundData`."""
    if not is_sparse(contexts):
        return np.ascontiguousarray(contexts), None
    start = contexts.indptr.astype(np.int64)
    rows = types.SparseRows(start, contexts.indices.astype(np.int32, copy=False), contexts.data)
    return np.empty((0, contexts.shape[1]), np.float32), rows


def kept_of(rule: types.RuleConfig, own: Settings, horizon: int, *, full: bool | None) -> tuple[int, int]:
    """Return the arguments `kept` and `factors` of `make_inputs`.

    Args:
        rule: exploration rule of the replica.
        own: hyper-parameters of the replica.
        horizon: T.
        full: whether the trace holds all arms; None where there is no trace.
    """
    if full is None or not (full or plays_own_draw(rule)):
        return 0, 0
    return min(KEPT, horizon), int(own["width"]) if rule.kind == types.JOINT else 0


def plays_own_draw(rule: types.RuleConfig) -> bool:
    """Return whether a rule plays the arm of its own draw."""
    return rule.kind in (types.THOMPSON, types.JOINT)


def make_adaptive_order(script: Script, labels: NDArray[np.int64]) -> types.AdaptiveOrder | None:
    """Return an adaptive order in the form of the kernels; None for a fixed one.

    Raises:
        InputError: the order has no kernel.
    """
    order = script.order
    if isinstance(order, FixedOrder):
        return None
    if not isinstance(order, CompiledOrder):
        raise InputError(f"the compiled engine has no kernel for the order {type(order).__name__}")
    return types.AdaptiveOrder(order.state, labels, script.shift, script.relabel, script.part)


def supports(rule: type[Rule]) -> bool:
    """Return whether the kernels support a rule."""
    return rule.kernel_kind is not None and (rule.kernel_kind != types.BY_GAP or rule.weight in WEIGHTS)


def make_rule(recipe: Recipe, own: Settings, spec: Spec) -> types.RuleConfig:
    """Return the recipe's exploration rule; greedy for kinds of agents with a policy of their own.

    Raises:
        InputError: the kernels do not support it.
    """
    part = Greedy if recipe.rule is None and recipe.kind != REDUCTION else recipe.rule
    if part is None or part.kernel_kind is None or not supports(part):
        name = None if part is None else part.name
        raise InputError(f"the compiled engine has no compiled form of the rule '{name}'")
    kind = types.JOINT if recipe.joint else part.kernel_kind
    weight = -1 if part.weight is None else WEIGHTS.index(part.weight)
    schedule = part.of(own).schedule.kernel(spec.arms, spec.horizon)
    return types.RuleConfig(kind, weight, part.floor, part.proportional, *schedule)


def loss_code(recipe: Recipe) -> int:
    """Return the code of the recipe's loss.

    Raises:
        InputError: the kernels do not support it.
    """
    if recipe.loss.kernel is None:
        raise InputError(f"the compiled engine has no compiled form of the loss '{recipe.loss.name}'")
    return recipe.loss.kernel


def make_clock(recipe: Recipe, own: Settings) -> types.UpdateClock:
    """Return the update clock of the recipe's oracle."""
    if recipe.kind.all_arms:
        return types.UpdateClock(types.ALL_ARMS, 1)
    return types.UpdateClock(
        types.EPOCHS if recipe.by_epochs else types.EVERY_ROUND, int(own.get("epochs", 1))
    )


def make_counts(own: Settings, spec: Spec, seed: int) -> NDArray[np.float64]:
    """Return the bootstrap count of each round's sample for each member of an ensemble [T, N]."""
    rng, members = stream(seed, "bootstrap"), int(own["members"])
    blocks = -(-spec.horizon // COUNT_ROUNDS)
    drawn = [draw_counts(rng, members, own["bootstrap"]) for _ in range(blocks)]
    return np.concatenate(drawn)[: spec.horizon]


def updates_before(clock: types.UpdateClock, t: int, arms: int) -> int:
    """Return the number of updates made before round t = 0, 1, ..., as `kernels.updates` counts them."""
    if clock.code == types.EPOCHS:
        return clock.passes * epoch_start(t + 1)
    return arms * t if clock.code == types.ALL_ARMS else t
