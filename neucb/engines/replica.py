"""Replicas for the kernels: from a recipe and its settings to weights, codes and working memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.hyper import each
from neucb.agents.initial import (
    INITIALISATIONS,
    check_expected,
    check_signs,
    draw_network,
    draw_signs,
    offset_scale,
)
from neucb.agents.recipe import Recipe
from neucb.engines import kernels
from neucb.engines.kernels import BLOCK, GROUP
from neucb.environments.classification import ClassificationVectorEnv, Script
from neucb.spec import Spec
from neucb.streams import stream

LOSSES = {"squared": kernels.SQUARED, "kl": kernels.KL}
RULES = {"inverse-gap": kernels.INVERSE_GAP, "fast-inverse-gap": kernels.FAST_INVERSE_GAP}
SCHEDULES = {"time": kernels.TIME, "loss": kernels.LOSS}

# Sharing one pass between the rounds of a block pays where rows are dense and weights outgrow the
# second-level cache; both measured.
DENSE = 0.7
CACHE_BYTES = 2**19

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Replica:
    """One replica, ready to be played.

    Attributes:
        script: what it meets.
        record: what came of it, filled by `play`.
        play: plays rounds start..stop-1 and returns the first that could not be played.
        predicts: whether the record holds predicted losses.
    """

    script: Script
    record: kernels.Record
    play: Callable[[int, int], int]
    predicts: bool


def make_replica(
    recipe: Recipe, settings: Settings, env: ClassificationVectorEnv, spec: Spec, r: int
) -> Replica:
    """Draw and prepare the r-th replica of a run.

    Raises:
        InputError: a perturbation under which training diverges.
    """
    own = {name: value[r] if isinstance(value, tuple) else value for name, value in settings.items()}
    seed = spec.seeds[r]
    script = env.script(seed)
    dice = stream(seed, "action").random(spec.horizon)
    contexts = np.ascontiguousarray(env.encoded.contexts)
    world = kernels.World(contexts, env.feedback.cost, script.rows, script.seen, dice)
    record = kernels.Record(
        np.empty(spec.horizon, np.int64), np.empty(spec.horizon), np.empty(spec.arms), np.zeros(1, np.int64)
    )
    if recipe.oracle == "none":
        return Replica(script, record, _uniform(spec.arms, dice, record), predicts=False)
    rule = kernels.Rule(
        RULES[recipe.rule],
        SCHEDULES[own["gamma_schedule"]],
        float(own["gamma"]),
        float(own["gamma_power"]),
    )
    if recipe.oracle == "linear":
        play = _linear(recipe, own, spec, world, rule, record)
    else:
        play = _neural(recipe, own, spec, seed, world, rule, record)
    return Replica(script, record, play, predicts=True)


def _uniform(arms: int, dice: NDArray[np.float64], record: kernels.Record) -> Callable[[int, int], int]:
    sums = np.cumsum(np.full(arms, 1.0 / arms))

    def play(start: int, stop: int) -> int:
        action = np.searchsorted(sums, dice[start:stop], side="right")
        record.action[start:stop] = np.minimum(action, arms - 1)
        return stop

    return play


def _linear(
    recipe: Recipe,
    own: Settings,
    spec: Spec,
    world: kernels.World,
    rule: kernels.Rule,
    record: kernels.Record,
) -> Callable[[int, int], int]:
    inputs = spec.features + 1
    covariance = np.tile(np.eye(inputs) / own["regularization"], (spec.arms, 1, 1))
    model = kernels.Linear(LOSSES[recipe.loss], np.zeros((spec.arms, inputs)), covariance)
    memory = np.zeros(3)
    return lambda start, stop: kernels.linear(world, rule, model, memory, record, start, stop)


def _neural(
    recipe: Recipe,
    own: Settings,
    spec: Spec,
    seed: int,
    world: kernels.World,
    rule: kernels.Rule,
    record: kernels.Record,
) -> Callable[[int, int], int]:
    network = make_network(recipe, own, spec, seed)
    further = int(own["replay"]) - 1  # steps a round
    learner = make_learner(recipe, own, lookahead=further == 0 and _pays(world.contexts, network))
    work = make_work(network, learner, spec.arms)
    memory = np.array([0.0, 1.0, 0.0])  # own loss, s, |theta - theta_0|^2
    past = stream(seed, "replay")

    def play(start: int, stop: int) -> int:
        draws = past.random((stop - start, further))
        played: int = kernels.neural(world, rule, learner, network, memory, record, work, draws, start, stop)
        return played

    return play


def _pays(contexts: NDArray[Any], network: kernels.Network) -> bool:
    """Return whether blocks of rounds should share one pass."""
    some = contexts[:1000]
    dense = bool(np.count_nonzero(some) >= DENSE * some.size)
    return dense and network.first.nbytes > CACHE_BYTES and not len(network.words)


def _kind(recipe: Recipe, own: Settings) -> int:
    if not recipe.perturbed:
        return kernels.PROJECTED if math.isfinite(own["radius"]) else kernels.PLAIN
    return kernels.EXPECTED if math.isinf(own["perturbations"]) else kernels.SIGNS


def make_learner(recipe: Recipe, own: Settings, *, lookahead: bool) -> kernels.Learner:
    """Return the hyper-parameters of one replica as the kernels take them."""
    width = own["width"]
    c = offset_scale(np.array([own["c_p"]]), width)[0] if recipe.perturbed else 0.0
    return kernels.Learner(
        LOSSES[recipe.loss],
        _kind(recipe, own),
        lookahead,
        float(own["lr"]),
        float(own["lr_power"]),
        float(own["radius"]),
        float(own["intercept"]),
        INITIALISATIONS[own["init"]](width)[2],
        float(own["normalize"]),
        float(c),
    )


def make_network(recipe: Recipe, own: Settings, spec: Spec, seed: int) -> kernels.Network:
    """Draw theta_0 and the signs of one replica."""
    kind = _kind(recipe, own)
    blocks, head = draw_network(seed, spec.arms, spec.features + 1, own["width"], own["init"])
    first = _columns(blocks).astype(spec.dtype)
    head = head.astype(spec.dtype)
    words, signs, gram = np.empty((0, 0, 0), np.uint16), head[:0].reshape(0, 0), head[:0].reshape(0, 0)
    start, start_head = first[:0], head[:0]
    if kind in (kernels.PROJECTED, kernels.EXPECTED):
        start, start_head, first, head = first, head, np.zeros_like(first), np.zeros_like(head)
    elif kind == kernels.SIGNS:
        words, signs, gram = _signs(seed, int(own["perturbations"]), blocks.shape, spec.dtype)
    v = np.zeros(len(signs), spec.dtype)
    squares = np.zeros(spec.features + 1)
    return kernels.Network(first, head, start, start_head, words, signs, gram, v, v.copy(), squares)


def _columns(blocks: NDArray[Any]) -> NDArray[Any]:
    """Bring [..., K, m, d] to [..., d, K m]."""
    moved = np.moveaxis(blocks, -1, -3)
    return np.ascontiguousarray(moved.reshape(*moved.shape[:-2], -1))


def _signs(
    seed: int, count: int, shape: tuple[int, ...], dtype: str
) -> tuple[NDArray[np.uint16], NDArray[Any], NDArray[Any]]:
    """Return the words, the signs of the second layer and the gram matrix, see `kernels.Network`."""
    K, m, d = shape
    bits = draw_signs(seed, count, K * m * d + m)
    first = _columns(bits[:, : K * m * d].reshape(count, K, m, d))
    words = np.zeros((-(-count // GROUP), *first.shape[1:]), np.uint16)
    for s in range(count):
        words[s // GROUP] |= first[s].astype(np.uint16) << (s % GROUP)
    signs = bits.astype(dtype) * 2 - 1
    return words, np.ascontiguousarray(signs[:, K * m * d :]), signs @ signs.T


def make_work(network: kernels.Network, learner: kernels.Learner, arms: int) -> kernels.Work:
    """Return the working memory of one replica."""
    inputs, columns = network.first.shape
    count, dtype = len(network.v), network.first.dtype
    hidden = np.empty((BLOCK, columns), dtype)
    return kernels.Work(
        inputs=np.empty((BLOCK, inputs + 1), np.int64),
        value=np.empty((BLOCK, inputs + 1), dtype),
        step=np.empty((BLOCK, inputs + 1), dtype),
        filled=np.empty(BLOCK, np.int64),
        size=np.empty((BLOCK, inputs), dtype),
        x=np.empty((BLOCK, inputs), dtype),
        scaled=np.empty((BLOCK, inputs), dtype),
        gram=np.empty((BLOCK, BLOCK), dtype),
        arm=np.empty(BLOCK, np.int64),
        hidden=hidden,
        moved=np.empty_like(hidden) if len(network.start) else hidden,
        delta=np.empty((BLOCK, columns // arms), dtype),
        again=np.empty(columns // arms, dtype),
        head=np.empty(columns // arms, dtype),
        f=np.empty(arms),
        along=np.zeros(count),
        residual=np.zeros(count, dtype),
        table=np.empty(1 << min(count, GROUP), dtype),
    )


def check(recipe: Recipe, settings: Settings, spec: Spec) -> None:
    """Check the hyper-parameters of all replicas together, as the torch agents do.

    Raises:
        InputError: a list of another length than there are replicas, or a perturbation under which
            training diverges.
    """
    R = spec.replicas
    numbers = {name: each(value, R) for name, value in settings.items() if not isinstance(value, str)}
    if not recipe.perturbed:
        return
    width = int(settings["width"])
    c = offset_scale(numbers["c_p"], width)
    if math.isinf(settings["perturbations"]):
        check_expected(numbers["lr"], c)
    else:
        parameters = spec.arms * width * (spec.features + 1) + width
        count = int(settings["perturbations"])
        check_signs(numbers["lr"], c, count=count, parameters=parameters, width=width, loss=recipe.loss)
