"""The two-layer network in the kernels: its inputs, its pass, its step."""

from __future__ import annotations

from math import sqrt

from neucb.core.constants import FOLD_BELOW, INPUT_FLOOR
from neucb.engines.compiled.kernels.rules import link
from neucb.engines.compiled.kernels.signs import (
    add_head,
    add_signs,
    mean_link,
    move_signs,
    signs_square,
    spread_of,
)
from neucb.kernels.blocks import (
    add_step,
    along_step,
    fold,
    keep_row,
    moved_square,
    pass_alone,
    place,
    share_pass,
)
from neucb.kernels.jit import exact
from neucb.kernels.logistic import smoothed, widen
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
    Learner,
    Network,
    Origin,
    Record,
    Work,
    World,
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
def count_inputs(learner: Learner, network: Network, work: Work, b: int, row: Array, n: int) -> None:
    """Count the inputs of the n-th update and set step sizes in place b, see `InputScaling`."""
    squares, size = network.squares, work.size[b]
    if learner.normalize == 0.0:
        return
    d = len(row)
    squares[d] += learner.intercept**2
    if learner.normalize == 0.5:  # the default, much faster than a power
        scale = len(squares) / n
        count_squares(row, squares, scale, INPUT_FLOOR, size)
        size[d] = 1.0 / sqrt(scale * (squares[d] + INPUT_FLOOR))
        return
    for j in range(d):
        squares[j] += float(row[j]) ** 2
    for j in range(d + 1):
        size[j] = ((squares[j] + INPUT_FLOOR) / n * len(squares)) ** -learner.normalize


@exact
def list_inputs(learner: Learner, network: Network, work: Work, b: int, row: Array) -> None:
    """List the inputs of a row in place b, by the step sizes that stand there."""
    lists = work.inputs[b], work.value[b], work.step[b]
    work.filled[b] = list_steps(row, learner.intercept, work.size[b], len(network.squares), lists)


@exact
def fetch(world: World, learner: Learner, network: Network, work: Work, left: int, n: int) -> None:
    """List the inputs of the n rounds from `left` on, and make their pass if they share one.

    Their rows are copied first: reads from all over the table then wait for memory together.
    """
    for b in range(n):
        copy_to(work.row[b], world.contexts[world.rows[left + b]])
    for b in range(n):
        row = work.row[b]
        if learner.timing.code == EVERY_ROUND:
            count_inputs(learner, network, work, b, row, left + b + 1)
        list_inputs(learner, network, work, b, row)
        keep_row(work.shared, work, b, row, learner.intercept)
    share_pass(work.shared, network, work, n)


@exact
def has_start(learner: Learner) -> bool:
    """Return whether theta is kept as theta_0 + s G."""
    return learner.kind == PROJECTED or learner.kind == EXPECTED


@exact
def gauge(
    learner: Learner,
    network: Network,
    origin: Origin,
    memory: Array,
    record: Record,
    work: Work,
    b: int,
    t: int,
) -> None:
    """Record |theta - theta_0| and the perturbation's spread after round t, the b-th of a block."""
    if not origin.due[t]:
        return
    if has_start(learner):
        record.distance[t] = sqrt(memory[SQUARE])
    else:
        square = moved_square(work.shared, network, origin, work, b) + signs_square(network.signs)
        record.distance[t] = sqrt(max(square, 0.0))
    if learner.kind == EXPECTED:
        record.spread[t] = learner.c * sqrt(memory[SQUARE])
    else:
        record.spread[t] = spread_of(network.signs, learner.c)


@exact
def share_start(learner: Learner, network: Network, work: Work, b: int, n: int) -> None:
    """Make the pass of rounds b..b+3 of n through theta_0 where `hidden` has a row for each.

    Its weights are then read once in four rounds; they do not learn.
    """
    if len(work.hidden) != TOGETHER or b % TOGETHER != 0:
        return
    last = n - 1
    rows = work.row[b], work.row[min(b + 1, last)], work.row[min(b + 2, last)], work.row[min(b + 3, last)]
    count = list_together(rows, learner.intercept, len(network.squares), work.some, work.values)
    combine_four(network.start, work.some, work.values, count, work.hidden)


@exact
def forward(
    learner: Learner, network: Network, memory: Array, work: Work, b: int, low: int, high: int
) -> None:
    """Set outputs and predicted losses of arms low..high-1 in the b-th round of a block."""
    head, m = work.head, len(work.head)
    row = place(work, b)
    z, moved = work.hidden[row, low * m : high * m], work.moved[row, low * m : high * m]
    index, value, n = work.inputs[b], work.value[b], work.filled[b]
    pass_alone(work.shared, network.first, index, value, n, low * m, moved)
    if has_start(learner):
        if len(work.hidden) != TOGETHER or high - low == 1:
            pass_alone(work.shared, network.start, index, value, n, low * m, z)
        add_to(head, network.start_head, memory[SCALE], network.head)
    else:
        copy_to(head, network.head)
    add_signs(network.signs, index, value, n, low * m, z)
    add_head(network.signs, head)
    for a in range(low, high):
        left, right = a * m, (a + 1) * m
        if has_start(learner):
            f = rectify_sum(work.hidden[row, left:right], memory[SCALE], work.moved[row, left:right], head)
        else:
            f = rectify(work.hidden[row, left:right], head)
        work.f[a] = learner.factor * f
    predict(learner, memory, work, low, high)


@exact
def predict(learner: Learner, memory: Array, work: Work, low: int, high: int) -> None:
    """Set predicted losses from outputs, over the expected perturbation where there is one."""
    if learner.kind == EXPECTED and learner.loss == KL:
        widen(learner.c * sqrt(memory[SQUARE]), work.widened)
        for a in range(low, high):
            work.mean[a], work.slope[a] = smoothed(work.f[a], work.widened)
        return
    for a in range(low, high):
        work.mean[a] = link(work.f[a], learner.loss)


@exact
def predicted(learner: Learner, network: Network, work: Work, arm: int) -> float:
    """Return the predicted loss of an arm, over the perturbation where there is one."""
    if learner.kind == SIGNS:
        return mean_link(network.signs, work.f[arm], learner)
    return work.mean[arm]


@exact
def step_scaled(
    learner: Learner,
    network: Network,
    memory: Array,
    work: Work,
    b: int,
    n: int,
    arm: int,
    target: float,
    rate: float,
) -> None:
    """Shrink theta - theta_0 and add the step to it. See `ExpectedPerturbation.step`."""
    m = len(work.head)
    active = work.hidden[place(work, b), arm * m : (arm + 1) * m]
    kappa = 0.0 if learner.kind == PROJECTED else work.slope[arm]
    keep = 1.0 - rate * kappa * learner.c**2
    move = -rate * learner.factor * (work.mean[arm] - target)
    steps = work.step[b, : work.filled[b]]
    first, second, inner = three_products(active, work.head, network.head)
    norm = first * dot(steps, steps) + second  # |grad f|^2
    memory[SCALE] *= keep
    grown = keep**2 * memory[SQUARE] + 2.0 * move * memory[SCALE] * inner + move**2 * norm
    if abs(memory[SCALE]) < FOLD_BELOW:
        fold(work.shared, network, work, memory[SCALE], b, n)
        memory[SCALE] = 1.0
    step_head(active, work.head, move / memory[SCALE], work.delta[b], network.head)
    grown += 2.0 * memory[SCALE] ** 2 * along_step(work.shared, learner, network, work, b, n, arm)
    memory[SQUARE] = max(grown, 0.0)
    if memory[SQUARE] > learner.radius**2:
        keep = learner.radius / sqrt(memory[SQUARE])
        memory[SCALE] *= keep
        memory[SQUARE] *= keep**2


@exact
def learn(
    learner: Learner,
    network: Network,
    memory: Array,
    work: Work,
    b: int,
    n: int,
    rate: float,
    arm: int,
    target: float,
) -> None:
    """Make one gradient step on what place b of a block of n rounds holds."""
    if has_start(learner):
        step_scaled(learner, network, memory, work, b, n, arm, target, rate)
        return
    m = len(work.head)
    active = work.hidden[place(work, b), arm * m : (arm + 1) * m]
    if learner.kind == SIGNS:
        gradient(active, work.head, 1.0, work.delta[b])
        move = move_signs(network.signs, learner, work, b, arm, target, rate)
    else:
        move = -rate * learner.factor * (work.mean[arm] - target)
    step_head(active, work.head, move, work.delta[b], network.head)
    add_step(work.shared, network, work, b, n, arm)
