"""Two-layer network in the kernels: inputs, forward pass, gradient step."""

from __future__ import annotations

from math import sqrt

from neucb.core.constants import FOLD_BELOW, INPUT_FLOOR
from neucb.engines.compiled.kernels.rules import link
from neucb.engines.compiled.kernels.signs import (
    add_head,
    add_signs,
    mean_link,
    move_signs,
    spread_of,
)
from neucb.kernels.blocks import (
    add_step,
    along_step,
    fold,
    keep_row,
    pass_alone,
    place,
    share_pass,
)
from neucb.kernels.jit import exact
from neucb.kernels.logistic import smoothed, widen
from neucb.kernels.rows import count_sparse_row, list_sparse_row, scale_listed
from neucb.kernels.types import (
    EVERY_ROUND,
    EXPECTED,
    KL,
    PROJECTED,
    SCALE,
    SIGNS,
    SQUARE,
    TOGETHER,
    Array,
    Network,
    NetworkConfig,
    RoundData,
    RoundRecord,
    SparseRows,
    Workspace,
)
from neucb.kernels.vectors import (
    add_to,
    combine_four,
    copy_to,
    count_squares,
    dot,
    gradient,
    list_steps,
    list_together,
    rectify,
    rectify_sum,
    step_head,
    three_products,
)


@exact
def count_inputs(
    config: NetworkConfig, network: Network, workspace: Workspace, b: int, row: Array, n: int
) -> None:
    """Add the n-th update's inputs to the sums of squares; set step sizes at index b, see `InputScaling`."""
    squares, size = network.squares, workspace.size[b]
    if config.normalize == 0.0:
        return
    d = len(row)
    squares[d] += config.intercept**2
    if config.normalize == 0.5:  # the default; much faster than a power
        scale = len(squares) / n
        count_squares(row, squares, scale, INPUT_FLOOR, size)
        size[d] = 1.0 / sqrt(scale * (squares[d] + INPUT_FLOOR))
        return
    for j in range(d):
        squares[j] += float(row[j]) ** 2
    for j in range(d + 1):
        size[j] = ((squares[j] + INPUT_FLOOR) / n * len(squares)) ** -config.normalize


@exact
def list_inputs(config: NetworkConfig, network: Network, workspace: Workspace, b: int, row: Array) -> None:
    """List the inputs of a row at index b, with the step sizes there."""
    lists = workspace.inputs[b], workspace.value[b], workspace.step[b]
    workspace.filled[b] = list_steps(row, config.intercept, workspace.size[b], len(network.squares), lists)


@exact
def list_round(
    world: RoundData,
    config: NetworkConfig,
    network: Network,
    workspace: Workspace,
    b: int,
    t: int,
    n: int,
) -> None:
    """List the inputs of round t's row at index b; add them to the sums of squares as the n-th update's.

    n = 0 only lists them.
    """
    list_any(world.sparse, world.contexts, world.rows[t], config, network, workspace, b, n)


@exact
def list_any(
    sparse: SparseRows | None,
    contexts: Array,
    row: int,
    config: NetworkConfig,
    network: Network,
    workspace: Workspace,
    b: int,
    n: int,
) -> None:
    """Do `list_round` for a row; a sparse one is listed at index 0."""
    if sparse is None:
        if n > 0:
            count_inputs(config, network, workspace, b, contexts[row], n)
        list_inputs(config, network, workspace, b, contexts[row])
        return
    if n > 0:
        count_sparse_row(sparse, row, config.intercept, network.squares)
        workspace.counted[0] = n
    columns, constant = len(network.squares) - 1, config.intercept
    index, value, step = workspace.inputs[0], workspace.value[0], workspace.step[0]
    listed = list_sparse_row(sparse, row, columns, constant, index, value)
    lists = index, value, step
    count = workspace.counted[0]
    scale_listed(network.squares, listed, config.normalize, INPUT_FLOOR, count, lists)
    workspace.filled[0] = listed


@exact
def fetch(
    world: RoundData, config: NetworkConfig, network: Network, workspace: Workspace, left: int, n: int
) -> None:
    """List the inputs of the n rounds from `left` on, and compute their forward pass if they share one.

    Their rows are copied first, so that reads of distant rows overlap. Sparse rows are fetched one by one.
    """
    fetch_any(world.sparse, world, config, network, workspace, left, n)


@exact
def fetch_any(
    sparse: SparseRows | None,
    world: RoundData,
    config: NetworkConfig,
    network: Network,
    workspace: Workspace,
    left: int,
    n: int,
) -> None:
    """Do `fetch`."""
    if sparse is not None:
        counted = left + 1 if config.clock.code == EVERY_ROUND else 0
        list_any(sparse, world.contexts, world.rows[left], config, network, workspace, 0, counted)
        return
    for b in range(n):
        copy_to(workspace.row[b], world.contexts[world.rows[left + b]])
    for b in range(n):
        row = workspace.row[b]
        if config.clock.code == EVERY_ROUND:
            count_inputs(config, network, workspace, b, row, left + b + 1)
        list_inputs(config, network, workspace, b, row)
        keep_row(workspace.shared, workspace, b, row, config.intercept)
    share_pass(workspace.shared, network, workspace, n)


@exact
def has_start(config: NetworkConfig) -> bool:
    """Return whether theta is represented as theta_0 + s G."""
    return config.kind == PROJECTED or config.kind == EXPECTED


@exact
def gauge(config: NetworkConfig, network: Network, memory: Array, record: RoundRecord, t: int) -> None:
    """Record |theta - theta_0| for a network with theta_0, and the perturbation's RMS, after round t."""
    if not record.due[t]:
        return
    if has_start(config):
        record.parameter_distance[t] = sqrt(memory[SQUARE])
    if config.kind == EXPECTED:
        record.perturbation_rms[t] = config.c * sqrt(memory[SQUARE])
    else:
        record.perturbation_rms[t] = spread_of(network.signs, config.c)


@exact
def share_start(config: NetworkConfig, network: Network, workspace: Workspace, b: int, n: int) -> None:
    """Compute the products of rounds b..b+3 of n with theta_0 where `hidden` has a row for each.

    The constant weights of theta_0 are then read once in four rounds.
    """
    if len(workspace.hidden) != TOGETHER or b % TOGETHER != 0:
        return
    last = n - 1
    rows = (
        workspace.row[b],
        workspace.row[min(b + 1, last)],
        workspace.row[min(b + 2, last)],
        workspace.row[min(b + 3, last)],
    )
    count = list_together(rows, config.intercept, len(network.squares), workspace.some, workspace.values)
    combine_four(network.start, workspace.some, workspace.values, count, workspace.hidden)


@exact
def forward(
    config: NetworkConfig, network: Network, memory: Array, workspace: Workspace, b: int, low: int, high: int
) -> None:
    """Set outputs and predicted losses of arms low..high-1 in the b-th round of a block."""
    head, m = workspace.head, len(workspace.head)
    row = place(workspace, b)
    z, moved = workspace.hidden[row, low * m : high * m], workspace.moved[row, low * m : high * m]
    index, value, n = workspace.inputs[b], workspace.value[b], workspace.filled[b]
    pass_alone(workspace.shared, network.first, index, value, n, low * m, moved)
    if has_start(config):
        if len(workspace.hidden) != TOGETHER or high - low == 1:
            pass_alone(workspace.shared, network.start, index, value, n, low * m, z)
        add_to(head, network.start_head, memory[SCALE], network.head)
    else:
        copy_to(head, network.head)
    add_signs(network.signs, index, value, n, low * m, z)
    add_head(network.signs, head)
    for a in range(low, high):
        left, right = a * m, (a + 1) * m
        if has_start(config):
            f = rectify_sum(
                workspace.hidden[row, left:right], memory[SCALE], workspace.moved[row, left:right], head
            )
        else:
            f = rectify(workspace.hidden[row, left:right], head)
        workspace.f[a] = config.factor * f
    predict(config, memory, workspace, low, high)


@exact
def predict(config: NetworkConfig, memory: Array, workspace: Workspace, low: int, high: int) -> None:
    """Set predicted losses from outputs, in expectation over an expected perturbation."""
    if config.kind == EXPECTED and config.loss == KL:
        widen(config.c * sqrt(memory[SQUARE]), workspace.widened)
        for a in range(low, high):
            workspace.mean[a], workspace.slope[a] = smoothed(workspace.f[a], workspace.widened)
        return
    for a in range(low, high):
        workspace.mean[a] = link(workspace.f[a], config.loss)


@exact
def predicted(config: NetworkConfig, network: Network, workspace: Workspace, arm: int) -> float:
    """Return the predicted loss of an arm, in expectation over a perturbation."""
    if config.kind == SIGNS:
        return mean_link(network.signs, workspace.f[arm], config)
    return workspace.mean[arm]


@exact
def step_scaled(
    config: NetworkConfig,
    network: Network,
    memory: Array,
    workspace: Workspace,
    b: int,
    n: int,
    arm: int,
    target: float,
    rate: float,
) -> None:
    """Shrink theta - theta_0 and add the step, see `ExpectedPerturbation.step`."""
    m = len(workspace.head)
    active = workspace.hidden[place(workspace, b), arm * m : (arm + 1) * m]
    kappa = 0.0 if config.kind == PROJECTED else workspace.slope[arm]
    keep = 1.0 - rate * kappa * config.c**2
    move = -rate * config.factor * (workspace.mean[arm] - target)
    steps = workspace.step[b, : workspace.filled[b]]
    first, second, inner = three_products(active, workspace.head, network.head)
    norm = first * dot(steps, steps) + second  # |grad f|^2
    memory[SCALE] *= keep
    grown = keep**2 * memory[SQUARE] + 2.0 * move * memory[SCALE] * inner + move**2 * norm
    if abs(memory[SCALE]) < FOLD_BELOW:
        fold(workspace.shared, network, workspace, memory[SCALE], b, n)
        memory[SCALE] = 1.0
    step_head(active, workspace.head, move / memory[SCALE], workspace.delta[b], network.head)
    grown += 2.0 * memory[SCALE] ** 2 * along_step(workspace.shared, config, network, workspace, b, n, arm)
    memory[SQUARE] = max(grown, 0.0)
    if memory[SQUARE] > config.radius**2:
        keep = config.radius / sqrt(memory[SQUARE])
        memory[SCALE] *= keep
        memory[SQUARE] *= keep**2


@exact
def learn(
    config: NetworkConfig,
    network: Network,
    memory: Array,
    workspace: Workspace,
    b: int,
    n: int,
    rate: float,
    arm: int,
    target: float,
) -> None:
    """Make one gradient step on the sample at index b of a block of n rounds."""
    if has_start(config):
        step_scaled(config, network, memory, workspace, b, n, arm, target, rate)
        return
    m = len(workspace.head)
    active = workspace.hidden[place(workspace, b), arm * m : (arm + 1) * m]
    if config.kind == SIGNS:
        gradient(active, workspace.head, 1.0, workspace.delta[b])
        move = move_signs(network.signs, config, workspace, b, arm, target, rate)
    else:
        move = -rate * config.factor * (workspace.mean[arm] - target)
    step_head(active, workspace.head, move, workspace.delta[b], network.head)
    add_step(workspace.shared, network, workspace, b, n, arm)
