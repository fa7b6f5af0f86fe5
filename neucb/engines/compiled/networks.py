"""Inputs of the network kernels: weights and working memory from a recipe and its settings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.initialisation import (
    INITIALISATIONS,
    check_expected,
    check_signs,
    draw_input,
    draw_network,
    draw_signs,
    draw_sparse_network,
    member_seeds,
    offset_scale,
)
from neucb.agents.per_replica import each
from neucb.agents.recipes.recipe import Recipe
from neucb.agents.recipes.wrappers import GRADIENT_NORM, LAST_LAYER
from neucb.core.random import stream
from neucb.core.spec import Spec
from neucb.engines.compiled.filling import IDLE, aligned, filled_up, with_idle
from neucb.engines.compiled.inputs import (
    Play,
    ReplicaInputs,
    Settings,
    loss_code,
    make_clock,
    make_counts,
    make_rule,
    updates_before,
)
from neucb.engines.compiled.kernels.bootstrap import bootstrap
from neucb.engines.compiled.kernels.last_layer import renew
from neucb.engines.compiled.kernels.neural import neural
from neucb.engines.compiled.last_layer import make_last_layer, with_renewals
from neucb.kernels import types
from neucb.kernels.logistic import PARTS

# One forward pass shared by the rounds of a block is faster for dense rows and weights larger than the
# second-level cache; both limits are measured.
DENSE = 0.7
CACHE_BYTES = 2**19


def play_network(recipe: Recipe, own: Settings, spec: Spec, inputs: ReplicaInputs) -> Play:
    """Return a function that plays the rounds of an agent with one network."""
    network = make_network(recipe, own, spec, inputs.seed)
    config = make_config(recipe, own)
    further = int(own["updates_per_round"]) - 1  # steps per update
    one_step = config.clock.code == types.EVERY_ROUND and further == 0
    # Refits of the last layer end blocks at any round.
    foreseen = inputs.adaptive is None and recipe.wrapper != LAST_LAYER
    at_once = one_step and foreseen
    sparse = inputs.world.sparse
    shared = at_once and sparse is None and _pays(inputs.world.contexts, network)
    if not shared and network.signs is None and recipe.wrapper != LAST_LAYER and sparse is None:
        network = filled_up(network, spec.arms)
    if sparse is None:
        network = network._replace(
            first=aligned(network.first),
            head=aligned(network.head),
            start=aligned(network.start),
            start_head=aligned(network.start_head),
        )
    draw_inputs = None if sparse is None else InputDraws(network, own, spec, inputs.seed)
    together = foreseen and len(network.start) > 0 and sparse is None
    workspace = make_workspace(
        network, spec.arms, shared=shared, together=together, further=further, longest=longest_row(sparse)
    )
    confidence = make_confidence(own, network, config) if recipe.wrapper == GRADIENT_NORM else None
    last = make_last_layer(int(own["width"])) if recipe.wrapper == LAST_LAYER else None
    rule, memory, past = (
        make_rule(recipe, own, spec),
        np.array([0.0, 1.0, 0.0]),
        stream(inputs.seed, "replay"),
    )

    def play(start: int, stop: int) -> int:
        if draw_inputs is not None:
            draw_inputs(columns_of(inputs, start, stop))
        made, due = (updates_before(config.clock, t, spec.arms) for t in (start, stop))
        draws = None if one_step else past.random((due - made, further))
        rates = config.lr / np.arange(made + 1.0, due + 1.0) ** config.lr_power
        predictions = inputs.predictions((rule,), start, stop, 0 if last is None else len(last.mu))
        played: int = neural(
            inputs.world,
            inputs.adaptive,
            rule,
            config,
            network,
            confidence,
            last,
            memory,
            inputs.record,
            predictions,
            workspace,
            rates,
            draws,
            start,
            stop,
        )
        return played

    if last is None:
        return play

    def again(t: int) -> None:
        penalty = float(own["regularization"])
        renew(inputs.world, config, network, memory, inputs.record, workspace, last, penalty, t)

    return with_renewals(play, int(own["refresh_every"]), again)


def play_ensemble(recipe: Recipe, own: Settings, spec: Spec, inputs: ReplicaInputs) -> Play:
    """Return a function that plays the rounds of an agent with an ensemble of networks."""
    seeds = member_seeds((inputs.seed,), int(own["members"]))
    made = [make_whole_network(recipe, own, spec, one) for one in seeds]
    first, head, start, start_head = (
        np.stack(arrays) for arrays in zip(*(one[:4] for one in made), strict=True)
    )
    networks = types.Network(first, head, start, start_head, made[0].squares, None)
    longest = longest_row(inputs.world.sparse)
    workspace = make_workspace(made[0], spec.arms, shared=False, longest=longest)
    config = make_config(recipe, own)
    memory = np.tile([0.0, 1.0, 0.0], (len(seeds), 1))
    counts, past = make_counts(own, spec, inputs.seed), [stream(one, "replay") for one in seeds]
    rule, further = make_rule(recipe, own, spec), int(own["updates_per_round"]) - 1

    def play(start: int, stop: int) -> int:
        draws = np.stack([rng.random((stop - start, further)) for rng in past])
        predictions = inputs.predictions((rule,), start, stop)
        played: int = bootstrap(
            inputs.world,
            inputs.adaptive,
            config,
            networks,
            memory,
            counts,
            inputs.record,
            predictions,
            workspace,
            draws,
            start,
            stop,
        )
        return played

    return play


def _pays(contexts: NDArray[Any], network: types.Network) -> bool:
    """Return whether the rounds of a block should share one forward pass."""
    some = contexts[:1000]
    dense = bool(np.count_nonzero(some) >= DENSE * some.size)
    return dense and network.first.nbytes > CACHE_BYTES and network.signs is None


def _kind(recipe: Recipe, own: Settings) -> int:
    if not recipe.perturbed:
        return types.PROJECTED if math.isfinite(own["radius"]) else types.PLAIN
    return types.EXPECTED if math.isinf(own["perturbations"]) else types.SIGNS


def make_config(recipe: Recipe, own: Settings) -> types.NetworkConfig:
    """Return the hyper-parameters of one replica's network in the form of the kernels."""
    width = own["width"]
    c = offset_scale(np.array([own["c_p"]]), width)[0] if recipe.perturbed else 0.0
    return types.NetworkConfig(
        loss_code(recipe),
        _kind(recipe, own),
        make_clock(recipe, own),
        float(own["lr"]),
        float(own["lr_power"]),
        float(own["radius"]),
        float(own["intercept"]),
        INITIALISATIONS[own["init"]](width)[2],
        float(own["input_scaling"]),
        float(c),
    )


def make_network(recipe: Recipe, own: Settings, spec: Spec, seed: int) -> types.Network:
    """Draw theta_0 and the signs of one replica; for sparse contexts without the weights of `InputDraws`."""
    kind, width, inputs = _kind(recipe, own), int(own["width"]), spec.features + 1
    if spec.sparse:
        constant, head = draw_sparse_network(seed, spec.arms, width, own["init"])
        first = with_idle(np.zeros((0, spec.arms * width), spec.dtype), inputs)
        first[spec.features] = constant.ravel()
    else:
        blocks, head = draw_network(seed, spec.arms, inputs, width, own["init"])
        first = with_idle(_columns(blocks).astype(spec.dtype), inputs)
    head = head.astype(spec.dtype)
    start, start_head = first[:0], head[:0]
    if kind in (types.PROJECTED, types.EXPECTED):
        start, start_head, first, head = first, head, np.zeros_like(first), np.zeros_like(head)
    signs = None
    if kind == types.SIGNS:
        signs = make_signs(seed, int(own["perturbations"]), (spec.arms, width, inputs), spec.dtype)
    return types.Network(first, head, start, start_head, np.zeros(inputs), signs)


def make_whole_network(recipe: Recipe, own: Settings, spec: Spec, seed: int) -> types.Network:
    """Draw theta_0 and the signs of one replica, with the weights of all inputs."""
    network = make_network(recipe, own, spec, seed)
    if spec.sparse:
        InputDraws(network, own, spec, seed)(np.arange(spec.features))
    return network


class InputDraws:
    """Draws of theta_0's weights of sparse inputs, when these are first needed.

    Memory that no input needed is not touched.

    Args:
        network: network whose weights are drawn.
        own: hyper-parameters of the replica.
        spec: shape of the run.
        seed: seed of the network.
    """

    def __init__(self, network: types.Network, own: Settings, spec: Spec, seed: int) -> None:
        self._weights = network.start if len(network.start) else network.first
        self._shape = spec.arms, int(own["width"]), own["init"]
        self._seed = seed
        self._drawn = np.zeros(spec.features, np.bool_)

    def __call__(self, columns: NDArray[np.int64]) -> None:
        """Draw the weights of distinct inputs that are not drawn yet."""
        for j in columns[~self._drawn[columns]].tolist():
            self._weights[j] = draw_input(self._seed, j, *self._shape).ravel()
        self._drawn[columns] = True


def columns_of(inputs: ReplicaInputs, start: int, stop: int) -> NDArray[np.int64]:
    """Return the distinct columns of sparse rows in rounds start..stop-1; all where rows react to arms."""
    world = inputs.world
    assert world.sparse is not None
    if inputs.adaptive is not None:
        return np.arange(world.contexts.shape[1])
    rows = np.unique(world.rows[start:stop])
    entries = [world.sparse.column[world.sparse.start[i] : world.sparse.start[i + 1]] for i in rows.tolist()]
    return np.unique(np.concatenate(entries)).astype(np.int64) if entries else np.zeros(0, np.int64)


def longest_row(sparse: types.SparseRows | None) -> int | None:
    """Return the number of entries of the longest sparse row; None for dense rows."""
    return None if sparse is None else int(np.diff(sparse.start).max())


def _columns(blocks: NDArray[Any]) -> NDArray[Any]:
    """Transpose [..., K, m, d] to [..., d, K m]."""
    moved = np.moveaxis(blocks, -1, -3)
    return np.ascontiguousarray(moved.reshape(*moved.shape[:-2], -1))


def make_signs(seed: int, count: int, shape: tuple[int, ...], dtype: str) -> types.Signs:
    """Draw the signs of one replica."""
    K, m, d = shape
    group = types.GROUP
    bits = draw_signs(seed, count, K * m * d + m)
    first = _columns(bits[:, : K * m * d].reshape(count, K, m, d))
    words = np.zeros((-(-count // group), *first.shape[1:]), np.uint16)
    for s in range(count):
        words[s // group] |= first[s].astype(np.uint16) << (s % group)
    signs = bits.astype(dtype) * 2 - 1
    v, u, along, residual = np.zeros((4, count), dtype)
    table = np.empty(1 << min(count, group), dtype)
    head = np.ascontiguousarray(signs[:, K * m * d :])
    return types.Signs(words, head, signs @ signs.T, v, u, along, residual, table, np.empty(m, np.uint64))


def make_workspace(
    network: types.Network,
    arms: int,
    *,
    shared: bool,
    together: bool = False,
    further: int = 0,
    longest: int | None = None,
) -> types.Workspace:
    """Return the working memory of one replica.

    Args:
        network: network of the replica.
        arms: K.
        shared: whether the rounds of a block share a forward pass.
        together: whether four rounds share the pass through theta_0, if not shared.
        further: replayed steps of an update, without the first; their rows are fetched together.
        longest: entries of the longest row of sparse contexts; None for dense ones.
    """
    (rows, columns), features = network.first.shape, len(network.squares) - 1
    block, width, dtype = types.BLOCK if shared else types.FETCH, columns // arms, network.first.dtype
    sizes = (block, rows)
    if longest is not None:  # rows are listed one by one, and further memory of all inputs is not used
        block, rows, features, sizes = 1, longest + 1 + IDLE, 0, (1, 1)
    places = block if shared else types.TOGETHER if together else 1
    hidden = aligned(np.empty((places, columns), dtype))
    return types.Workspace(
        row=np.empty((block, features), np.float32),
        past=np.empty((further, features), np.float32),
        inputs=np.empty((block, rows), np.int64),
        value=np.empty((block, rows), dtype),
        step=np.empty((block, rows), dtype),
        filled=np.empty(block, np.int64),
        size=np.ones(sizes, dtype),
        counted=np.ones(1),
        some=np.empty(rows, np.int64),
        values=np.empty((types.TOGETHER, rows), dtype),
        hidden=hidden,
        moved=aligned(hidden) if len(network.start) else hidden,
        delta=aligned(np.empty((block, width), dtype)),
        again=np.empty(width, dtype),
        head=aligned(np.empty(width, dtype)),
        f=np.empty(arms),
        mean=np.empty(arms),
        slope=np.ones(arms),
        widened=np.empty(PARTS),
        shared=_shared(rows, dtype) if shared else None,
    )


def _shared(rows: int, dtype: np.dtype[Any]) -> types.Shared:
    block = types.BLOCK
    x, scaled = np.zeros((block, rows), dtype), np.zeros((block, rows), dtype)
    return types.Shared(x, scaled, np.empty((block, block), dtype), *np.empty((2, block), np.int64))


def make_confidence(own: Settings, network: types.Network, config: types.NetworkConfig) -> types.Confidence:
    """Return 1 / U_0 of one replica."""
    penalty = float(own["regularization"])
    square = config.factor**2 / (own["width"] if own["gradient_scaling"] == "sqrt_width" else 1)
    rows, columns = network.first.shape
    dtype = network.first.dtype
    return types.Confidence(
        np.full((rows, columns), 1.0 / penalty, dtype),
        np.full(len(network.head), 1.0 / penalty, dtype),
        square,
        penalty,
        float(own["clip_mean"]),
        np.empty(rows, dtype),
        np.empty(columns, dtype),
    )


def check_network(recipe: Recipe, settings: Settings, spec: Spec) -> None:
    """Check the perturbation of all replicas together, as the torch agents do.

    Raises:
        InputError: a perturbation under which training diverges.
    """
    if not recipe.perturbed:
        return
    rate, c_p = (each(settings[name], spec.replicas) for name in ("lr", "c_p"))
    width = int(settings["width"])
    c = offset_scale(c_p, width)
    if math.isinf(settings["perturbations"]):
        check_expected(rate, c)
    else:
        parameters = spec.arms * width * (spec.features + 1) + width
        count = int(settings["perturbations"])
        check_signs(rate, c, count=count, parameters=parameters, width=width, loss=recipe.loss)
