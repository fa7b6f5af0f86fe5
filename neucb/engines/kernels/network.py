"""The two-layer network in the kernels: its inputs, its pass, its step."""

from __future__ import annotations

from math import sqrt

from neucb.agents.constants import FOLD_BELOW, INPUT_FLOOR
from neucb.engines.kernels.blocks import add_step, add_waiting, fold, keep_row, pass_alone, place, share_pass
from neucb.engines.kernels.jit import exact, fast
from neucb.engines.kernels.logistic import smoothed, widen
from neucb.engines.kernels.rules import link
from neucb.engines.kernels.signs import add_head, add_signs, mean_link, move_signs, spread_of
from neucb.engines.kernels.types import (
    EVERY_ROUND,
    EXPECTED,
    KL,
    PROJECTED,
    SCALE,
    SIGNS,
    SQUARE,
    SQUARED,
    Array,
    Learner,
    Network,
    Record,
    Work,
    World,
)
from neucb.engines.kernels.vectors import (
    add_scaled,
    combine,
    copy_to,
    dot,
    gradient,
    nonzero,
    rectify,
    scale_by,
    set_steps,
    shift_by,
)


@fast
def inverse_roots(squares: Array, scale: float, size: Array) -> None:
    """Set size to the inverse roots of scale (squares + floor), in its own precision."""
    real = size.dtype.type
    for j in range(len(squares)):
        size[j] = real(1) / sqrt(real(scale * (squares[j] + INPUT_FLOOR)))


@exact
def count_inputs(learner: Learner, network: Network, work: Work, b: int, updates: int) -> None:
    """Count the inputs listed in place b and set the step sizes of all, see `InputScaling`."""
    squares, size = network.squares, work.size[b]
    if learner.normalize == 0.0:
        size[:] = 1
        return
    for k in range(work.filled[b]):
        squares[work.inputs[b, k]] += float(work.value[b, k]) ** 2
    if learner.normalize == 0.5:  # the default, much faster than a power
        inverse_roots(squares, len(squares) / updates, size)
        return
    for j in range(len(squares)):
        size[j] = ((squares[j] + INPUT_FLOOR) / updates * len(squares)) ** -learner.normalize


@exact
def list_inputs(learner: Learner, world: World, work: Work, b: int, t: int) -> None:
    """List the inputs of round t in place b."""
    row = world.contexts[world.rows[t]]
    work.filled[b] = nonzero(row, learner.intercept, work.inputs[b], work.value[b])


@exact
def scale_inputs(work: Work, b: int) -> None:
    """Multiply the inputs listed in place b by their step sizes."""
    set_steps(work.inputs[b], work.value[b], work.size[b], work.filled[b], work.step[b])


@exact
def fetch(world: World, learner: Learner, network: Network, work: Work, left: int, n: int) -> None:
    """List the inputs of the n rounds from `left` on, and make their pass if they share one."""
    for b in range(n):
        list_inputs(learner, world, work, b, left + b)
        if learner.timing.code == EVERY_ROUND:
            count_inputs(learner, network, work, b, left + b + 1)
            scale_inputs(work, b)
        keep_row(work.shared, work, b, world.contexts[world.rows[left + b]], learner.intercept)
    share_pass(work.shared, network, work, n)


@exact
def has_start(learner: Learner) -> bool:
    """Return whether theta is kept as theta_0 + s G."""
    return learner.kind == PROJECTED or learner.kind == EXPECTED


@exact
def gauge(learner: Learner, network: Network, memory: Array, record: Record, t: int) -> None:
    """Record how far theta is from theta_0 after round t, and the perturbation's spread."""
    if has_start(learner):
        record.distance[t] = sqrt(memory[SQUARE])
    if learner.kind == EXPECTED:
        record.spread[t] = learner.c * sqrt(memory[SQUARE])
    else:
        record.spread[t] = spread_of(network.signs, learner.c)


@exact
def forward(
    learner: Learner, network: Network, memory: Array, work: Work, b: int, low: int, high: int
) -> None:
    """Set the outputs of arms low..high-1 in the b-th round of a block."""
    head, m = work.head, len(work.head)
    row = place(work, b)
    z, moved = work.hidden[row, low * m : high * m], work.moved[row, low * m : high * m]
    index, value, n = work.inputs[b], work.value[b], work.filled[b]
    pass_alone(work.shared, network.first, index, value, n, low * m, moved)
    copy_to(head, network.head)
    if has_start(learner):
        pass_alone(work.shared, network.start, index, value, n, low * m, z)
        shift_by(z, memory[SCALE], moved)
        scale_by(head, memory[SCALE])
        add_scaled(head, 1.0, network.start_head)
    if learner.kind == EXPECTED and learner.loss == KL:
        widen(learner.c * sqrt(memory[SQUARE]), work.widened)
    add_signs(network.signs, index, value, n, low * m, z)
    add_head(network.signs, head)
    for a in range(low, high):
        work.f[a] = learner.factor * rectify(work.hidden[row, a * m : (a + 1) * m], head)


@exact
def predict(f: float, learner: Learner, network: Network, work: Work) -> float:
    """Return the predicted loss of an output f, over the perturbation where there is one."""
    if learner.kind == EXPECTED and learner.loss == KL:
        return smoothed(f, work.widened)[0]
    if learner.kind == SIGNS:
        return mean_link(network.signs, f, learner)
    return link(f, learner.loss)


@exact
def move_scaled(
    learner: Learner,
    network: Network,
    memory: Array,
    work: Work,
    b: int,
    n: int,
    arm: int,
    target: float,
    rate: float,
) -> float:
    """Shrink theta - theta_0; return what to add to G, times grad f. See `ExpectedPerturbation.step`."""
    m = len(work.head)
    f = work.f[arm]
    yhat, kappa = link(f, learner.loss), 0.0
    if learner.kind == EXPECTED:
        yhat, kappa = (f, 1.0) if learner.loss == SQUARED else smoothed(f, work.widened)
    keep = 1.0 - rate * kappa * learner.c**2
    move = -rate * learner.factor * (yhat - target)

    left, right = arm * m, (arm + 1) * m
    row = place(work, b)
    active, delta = work.hidden[row, left:right], work.delta[b]
    steps = work.step[b, : work.filled[b]]
    if learner.normalize == 0.0:
        inner = dot(delta, work.moved[row, left:right])
    else:
        combine(network.first, work.inputs[b], work.step[b], work.filled[b], left, work.again)
        add_waiting(work.shared, work, b, arm)
        inner = memory[SCALE] * dot(delta, work.again)
    inner += memory[SCALE] * dot(network.head, active)
    norm = dot(delta, delta) * dot(steps, steps) + dot(active, active)  # |grad f|^2
    grown = keep**2 * memory[SQUARE] + 2.0 * keep * move * inner + move**2 * norm
    memory[SQUARE] = max(grown, 0.0)

    memory[SCALE] *= keep
    if abs(memory[SCALE]) < FOLD_BELOW:
        fold(work.shared, network, work, memory[SCALE], b, n)
        memory[SCALE] = 1.0
    move /= memory[SCALE]
    if memory[SQUARE] > learner.radius**2:
        keep = learner.radius / sqrt(memory[SQUARE])
        memory[SCALE] *= keep
        memory[SQUARE] *= keep**2
    return move


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
    m = len(work.head)
    active, delta = work.hidden[place(work, b), arm * m : (arm + 1) * m], work.delta[b]
    gradient(active, work.head, delta)
    if has_start(learner):
        move = move_scaled(learner, network, memory, work, b, n, arm, target, rate)
    elif learner.kind == SIGNS:
        move = move_signs(network.signs, learner, work, b, arm, target, rate)
    else:
        move = -rate * learner.factor * (link(work.f[arm], learner.loss) - target)
    scale_by(delta, move)
    add_scaled(network.head, move, active)
    add_step(work.shared, network, work, b, n, arm)
