"""The compiled kernels: each plays rounds of one replica from the first to the last line.

They are the recipes of neucb.agents once more, written for numba; the formulas and their sources
stand there, and a test holds both to the same actions. Composition is by the integer codes below:
functions passed as arguments are never cached on disk. All jitted functions are in this one file
because numba renews a cached kernel when its own file has changed, not when one it calls has.

Weights lie input-major, [inputs, K m], so that an input that is 0 costs nothing and the inner loops
are long. The last input is the constant one.
"""

from __future__ import annotations

from math import erf, exp, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neucb.agents.constants import FLOOR, FOLD_BELOW, INPUT_FLOOR, MIXTURE_SLOPES, MIXTURE_WEIGHTS, TIE

Array = NDArray[Any]

SQUARED, KL = 0, 1  # losses
INVERSE_GAP, FAST_INVERSE_GAP = 0, 1  # rules
TIME, LOSS = 0, 1  # schedules of gamma
# How theta is kept: as it is; as theta_0 + s G, for projections and for the expected perturbation;
# as phi + E' v, for finitely many signs.
PLAIN, PROJECTED, EXPECTED, SIGNS = 0, 1, 2, 3
FINE, NOT_FINITE, NO_DISTRIBUTION = 0, 1, 2  # how a kernel ended
OWN_LOSS, SCALE, SQUARE = 0, 1, 2  # in memory: cumulative loss, s, |theta - theta_0|^2

BLOCK = 32  # rounds whose rows are fetched together
GROUP = 10  # signs of one parameter that share a word
TILE = 512  # columns of a product that are worked on together

# Inlined by force: a call would cost more than many of these functions, since it passes each array of
# a tuple as ten numbers.
kernel = njit(nogil=True, cache=True)
exact = njit(nogil=True, cache=True, forceinline=True)
fast = njit(nogil=True, cache=True, forceinline=True, fastmath={"contract", "reassoc", "nsz", "arcp"})


class World(NamedTuple):
    """What one replica meets.

    Attributes:
        contexts: [N, d] rows of the table.
        cost: [K, K] loss of an arm (column) under a label (row).
        rows: [T] row of every round.
        seen: [T] label of every round, after noise.
        dice: [T] uniform numbers in [0, 1).
    """

    contexts: Array
    cost: Array
    rows: Array
    seen: Array
    dice: Array


class Rule(NamedTuple):
    """The exploration rule and its schedule of gamma."""

    code: int
    schedule: int
    gamma: float
    power: float


class Learner(NamedTuple):
    """The hyper-parameters of a network.

    Attributes:
        lookahead: whether the rounds of a block share one pass: contexts do not depend on arms, and
            a step on x by delta changes what a later x' sees by <x, x'> delta, on one arm.
        normalize: exponent of the step sizes per input.
        c: c_p m^(-1/4).
    """

    loss: int
    kind: int
    lookahead: bool
    lr: float
    lr_power: float
    radius: float
    intercept: float
    factor: float
    normalize: float
    c: float


class Network(NamedTuple):
    """The weights of one replica; what a kind does not use is empty.

    Attributes:
        first: [d + 1, K m] first layer of theta, G or phi.
        head: [m] second layer of the same.
        start: [d + 1, K m] first layer of theta_0.
        start_head: [m] second layer of theta_0.
        words: [groups, d + 1, K m] uint16, the signs of every parameter of the first layer.
        signs: [S, m] the signs of the second layer.
        gram: [S, S] products of the sign vectors.
        v: [S] coefficients of the sign vectors in theta.
        u: [S] products of the sign vectors and theta - theta_0.
        squares: [d + 1] float64, sums of the squares of all inputs so far.
    """

    first: Array
    head: Array
    start: Array
    start_head: Array
    words: Array
    signs: Array
    gram: Array
    v: Array
    u: Array
    squares: Array


class Linear(NamedTuple):
    """One linear model per arm: theta [K, d + 1] and its inverse precisions [K, d + 1, d + 1]."""

    loss: int
    theta: Array
    covariance: Array


class Record(NamedTuple):
    """What came of the rounds.

    Attributes:
        action: [T] arms.
        predicted: [T] predicted losses of these arms.
        p: [K] the distribution of the last round.
        status: [1] how the kernel ended.
    """

    action: Array
    predicted: Array
    p: Array
    status: Array


class Work(NamedTuple):
    """Working memory of `neural`, B = BLOCK rounds long."""

    inputs: Array  # [B, d + 2] the inputs that are not 0
    value: Array  # [B, d + 2] and what they are
    step: Array  # [B, d + 2] the same times their step sizes
    filled: Array  # [B] how many
    size: Array  # [B, d + 1] step sizes of all inputs
    x: Array  # [B, d + 1] rows, where a block shares a pass
    scaled: Array  # [B, d + 1] the same times their step sizes
    gram: Array  # [B, B] products of a row of `scaled` and a later one of x
    arm: Array  # [B] arms played
    hidden: Array  # [B, K m] hidden layer
    moved: Array  # [B, K m] the part of it that G makes; the same memory where there is no G
    delta: Array  # [B, m] steps on the arms' blocks
    again: Array  # [m] what `moved` is with step sizes
    head: Array  # [m] second layer of theta
    f: Array  # [K] outputs
    along: Array  # [S] products of the sign vectors and the gradient
    residual: Array  # [S]
    table: Array  # [2^min(S, GROUP)]


@exact
def policy(mean: Array, rule: Rule, t: int, own_loss: float, p: Array) -> bool:
    """Fill p [K] from predicted losses `mean` [K]; return whether it is a distribution."""
    K = len(mean)
    floor = FLOOR if rule.code == FAST_INVERSE_GAP else -np.inf
    grows = 1.0 + own_loss if rule.schedule == LOSS else t + 1.0
    gamma = rule.gamma * grows**rule.power
    least = mean[0]
    for a in range(1, K):
        least = min(least, mean[a])
    least = max(least, floor)
    best = -1
    rest = 0.0
    for a in range(K):
        gap = max(mean[a], floor) - least
        if gap <= TIE * abs(least):
            gap = 0.0
            if best < 0:
                best = a
                continue
        if rule.code == FAST_INVERSE_GAP:
            p[a] = least / (K * least + gamma * gap)
        else:
            p[a] = 1.0 / (K + gamma * gap)
        rest += p[a]
    p[best] = 1.0 - rest
    return p[best] >= -1e-9


@exact
def draw(p: Array, dice: float) -> int:
    """Return the arm in whose part of the unit interval the dice fall, as `neucb.loop.sample` does."""
    below = 0.0
    last = 0
    for a in range(len(p)):
        below += p[a]
        if below > dice:
            return a
        if p[a] > 0.0:
            last = a
    return last


@exact
def choose(world: World, rule: Rule, memory: Array, record: Record, mean: Array, t: int) -> int:
    """Draw the arm of round t and record it; return -1 where the predicted losses allow none."""
    for a in range(len(mean)):
        if not abs(mean[a]) < np.inf:
            record.status[0] = NOT_FINITE
            return -1
    if not policy(mean, rule, t, memory[OWN_LOSS], record.p):
        record.status[0] = NO_DISTRIBUTION
        return -1
    arm = draw(record.p, world.dice[t])
    record.action[t] = arm
    record.predicted[t] = mean[arm]
    memory[OWN_LOSS] += world.cost[world.seen[t], arm]
    return arm


@exact
def link(f: float, loss: int) -> float:
    """Return the predicted loss of an output f."""
    return 1.0 / (1.0 + exp(-f)) if loss == KL else f


@exact
def smoothed_mean(f: float, tau: float) -> float:
    """Return E sigmoid(f + tau xi), see `neucb.agents.losses.KL.smoothed`."""
    mean = 0.0
    for i in range(len(MIXTURE_WEIGHTS)):
        slope = MIXTURE_SLOPES[i]
        z = slope / sqrt(1.0 + (slope * tau) ** 2) * f
        mean += MIXTURE_WEIGHTS[i] * (0.5 * (1.0 + erf(z * sqrt(0.5))))
    return mean


@exact
def smoothed_slope(f: float, tau: float) -> float:
    """Return E sigmoid'(f + tau xi)."""
    mean = 0.0
    for i in range(len(MIXTURE_WEIGHTS)):
        slope = MIXTURE_SLOPES[i]
        widened = slope / sqrt(1.0 + (slope * tau) ** 2)
        mean += MIXTURE_WEIGHTS[i] * widened * exp(-0.5 * (widened * f) ** 2)
    return mean / sqrt(2.0 * np.pi)


@fast
def nonzero(x: Array, constant: float, index: Array, value: Array) -> int:
    """List the inputs of a row that are not 0, the constant one last; return their number."""
    n = 0
    for j in range(len(x)):
        index[n] = j
        value[n] = x[j]
        n += x[j] != 0
    index[n] = len(x)
    value[n] = constant
    return n + (constant != 0)


@fast
def combine(w: Array, index: Array, value: Array, n: int, left: int, z: Array) -> None:
    """Set z = x' w for the row that `index` and `value` list and the columns of w from `left` on."""
    z[:] = 0
    right = left + len(z)
    k = 0
    while k + 4 <= n:
        a, b = w[index[k], left:right], w[index[k + 1], left:right]
        c, d = w[index[k + 2], left:right], w[index[k + 3], left:right]
        p, q, r, s = value[k], value[k + 1], value[k + 2], value[k + 3]
        for i in range(len(z)):
            z[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
        k += 4
    if k + 2 <= n:
        a, b = w[index[k], left:right], w[index[k + 1], left:right]
        p, q = value[k], value[k + 1]
        for i in range(len(z)):
            z[i] += p * a[i] + q * b[i]
        k += 2
    if k < n:
        a = w[index[k], left:right]
        p = value[k]
        for i in range(len(z)):
            z[i] += p * a[i]


@fast
def add_scaled(y: Array, scale: float, x: Array) -> None:
    """Add scale x to y, in the precision of y."""
    s = y.dtype.type(scale)
    for i in range(len(y)):
        y[i] += s * x[i]


@fast
def scale_by(y: Array, scale: float) -> None:
    """Multiply y by `scale`, in the precision of y."""
    s = y.dtype.type(scale)
    for i in range(len(y)):
        y[i] *= s


@fast
def copy_to(y: Array, x: Array) -> None:
    """Copy x to the first entries of y."""
    for i in range(len(x)):
        y[i] = x[i]


@fast
def rectify(z: Array, head: Array) -> float:
    """Set z [m] to relu(z), NaN staying NaN, and return its product with the head [m]."""
    f = z.dtype.type(0)
    for i in range(len(head)):
        h = z[i]
        h = z.dtype.type(0) if h < 0 else h
        z[i] = h
        f += h * head[i]
    return f


@fast
def multiply(x: Array, w: Array, z: Array, n: int) -> None:
    """Set z [n, K m] = x w for the first n rows of x, in tiles that stay in the first-level cache."""
    z[:n] = 0
    inputs, columns = w.shape
    for left in range(0, columns, TILE):
        right = min(left + TILE, columns)
        j = 0
        while j + 4 <= inputs:
            a, b, c, d = w[j, left:right], w[j + 1, left:right], w[j + 2, left:right], w[j + 3, left:right]
            for row in range(n):
                p, q, r, s = x[row, j], x[row, j + 1], x[row, j + 2], x[row, j + 3]
                out = z[row, left:right]
                for i in range(len(out)):
                    out[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
            j += 4
        for last in range(j, inputs):
            a = w[last, left:right]
            for row in range(n):
                add_scaled(z[row, left:right], x[row, last], a)


@fast
def products(scaled: Array, x: Array, gram: Array, n: int) -> None:
    """Fill gram [n, n] above its diagonal with the products of rows of `scaled` and later ones of x."""
    for b in range(n):
        for c in range(b + 1, n):
            total = x.dtype.type(0)
            for j in range(x.shape[1]):
                total += scaled[b, j] * x[c, j]
            gram[b, c] = total


@fast
def shift_by(z: Array, scale: float, moved: Array) -> None:
    """Multiply `moved` by `scale` and add it to z."""
    s = z.dtype.type(scale)
    for i in range(len(z)):
        moved[i] *= s
        z[i] += moved[i]


@fast
def gradient(active: Array, head: Array, delta: Array) -> None:
    """Set delta [m] = head * relu'(h) from active = relu(h)."""
    for i in range(len(delta)):
        delta[i] = head[i] if active[i] > 0 else 0


@fast
def dot(x: Array, y: Array) -> float:
    """Return the product of two vectors."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


@fast
def write_table(v: Array, table: Array) -> None:
    """Set table[w] = sum_s +- v_s, the sign being bit s of the word w."""
    table[0] = 0
    for s in range(len(v)):
        table[0] -= v[s]
    for s in range(len(v)):
        size = 1 << s
        for i in range(size):
            table[size + i] = table[i] + 2 * v[s]


@fast
def add_signs(
    network: Network, index: Array, value: Array, n: int, left: int, table: Array, z: Array
) -> None:
    """Add E' v x to z for the row that `index` and `value` list and the columns from `left` on."""
    right = left + len(z)
    for g in range(len(network.words)):
        part = network.v[g * GROUP : (g + 1) * GROUP]
        write_table(part, table)
        for k in range(n):
            word = network.words[g, index[k], left:right]
            x = value[k]
            for i in range(len(z)):
                z[i] += x * table[word[i]]


@fast
def along_signs(
    network: Network, index: Array, value: Array, n: int, arm: int, delta: Array, table: Array, along: Array
) -> None:
    """Set along [S] to the products of the sign vectors and the first layer's gradient x delta'."""
    m = len(delta)
    for g in range(len(network.words)):
        part = along[g * GROUP : (g + 1) * GROUP]
        table[: 1 << len(part)] = 0
        for k in range(n):
            word = network.words[g, index[k], arm * m : (arm + 1) * m]
            x = value[k]
            for i in range(m):
                table[word[i]] += x * delta[i]
        for s in range(len(part) - 1, -1, -1):  # fold the table: its upper half has bit s set
            size = 1 << s
            part[s] = 0
            for i in range(size):
                part[s] += table[size + i] - table[i]
                table[i] += table[size + i]


@exact
def predict(f: float, learner: Learner, memory: Array, u: Array) -> float:
    """Return the predicted loss of an output f, over the perturbation where there is one."""
    if learner.kind == EXPECTED and learner.loss == KL:
        return smoothed_mean(f, learner.c * sqrt(memory[SQUARE]))
    if learner.kind == SIGNS:
        total = 0.0
        for s in range(len(u)):
            total += link(f + learner.c * u[s], learner.loss)
        return total / len(u)
    return link(f, learner.loss)


@fast
def set_steps(index: Array, value: Array, size: Array, n: int, step: Array) -> None:
    """Multiply the inputs listed by their step sizes."""
    for k in range(n):
        step[k] = value[k] * size[index[k]]


@fast
def inverse_roots(squares: Array, scale: float, size: Array) -> None:
    """Set size to the inverse roots of scale (squares + floor)."""
    for j in range(len(squares)):
        size[j] = 1.0 / sqrt(scale * (squares[j] + INPUT_FLOOR))


@exact
def count_inputs(learner: Learner, network: Network, work: Work, b: int, rounds: int) -> None:
    """Count the inputs listed in place b and set the step sizes of all, see `InputScaling`."""
    squares, size = network.squares, work.size[b]
    if learner.normalize == 0.0:
        size[:] = 1
        return
    for k in range(work.filled[b]):
        squares[work.inputs[b, k]] += float(work.value[b, k]) ** 2
    if learner.normalize == 0.5:  # the default, much faster than a power
        inverse_roots(squares, len(squares) / rounds, size)
        return
    for j in range(len(squares)):
        size[j] = ((squares[j] + INPUT_FLOOR) / rounds * len(squares)) ** -learner.normalize


@exact
def fetch(world: World, learner: Learner, network: Network, work: Work, left: int, n: int) -> None:
    """List the inputs of the n rounds from `left` on, and make their pass if they share one."""
    for b in range(n):
        row = world.contexts[world.rows[left + b]]
        work.filled[b] = nonzero(row, learner.intercept, work.inputs[b], work.value[b])
        count_inputs(learner, network, work, b, left + b + 1)
        set_steps(work.inputs[b], work.value[b], work.size[b], work.filled[b], work.step[b])
        if learner.lookahead:
            copy_to(work.x[b], row)
            work.x[b, len(row)] = learner.intercept
            for j in range(len(row) + 1):
                work.scaled[b, j] = work.x[b, j] * work.size[b, j]
    if learner.lookahead:
        products(work.scaled, work.x, work.gram, n)
        multiply(work.x, network.first, work.moved, n)
        if has_start(learner):
            multiply(work.x, network.start, work.hidden, n)


@exact
def has_start(learner: Learner) -> bool:
    """Return whether theta is kept as theta_0 + s G."""
    return learner.kind == PROJECTED or learner.kind == EXPECTED


@exact
def forward(
    learner: Learner, network: Network, memory: Array, work: Work, b: int, low: int, high: int
) -> None:
    """Set the outputs of arms low..high-1 in the b-th round of a block."""
    head, m = work.head, len(work.head)
    z, moved = work.hidden[b, low * m : high * m], work.moved[b, low * m : high * m]
    index, value, n = work.inputs[b], work.value[b], work.filled[b]
    if not learner.lookahead:
        combine(network.first, index, value, n, low * m, moved)
    copy_to(head, network.head)
    if has_start(learner):
        if not learner.lookahead:
            combine(network.start, index, value, n, low * m, z)
        shift_by(z, memory[SCALE], moved)
        scale_by(head, memory[SCALE])
        add_scaled(head, 1.0, network.start_head)
    if learner.kind == SIGNS:
        add_signs(network, index, value, n, low * m, work.table, z)
        for s in range(len(network.v)):
            add_scaled(head, network.v[s], network.signs[s])
    for a in range(low, high):
        work.f[a] = learner.factor * rectify(work.hidden[b, a * m : (a + 1) * m], head)


@exact
def move_again(learner: Learner, network: Network, work: Work, b: int, arm: int) -> None:
    """Set `again` to G times the inputs with their step sizes, for the arm played."""
    combine(network.first, work.inputs[b], work.step[b], work.filled[b], arm * len(work.head), work.again)
    if learner.lookahead:
        for before in range(b):
            if work.arm[before] == arm:
                add_scaled(work.again, dot(work.scaled[before], work.scaled[b]), work.delta[before])


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
    keep = 1.0
    if learner.kind == EXPECTED:
        kappa = 1.0 if learner.loss == SQUARED else smoothed_slope(f, learner.c * sqrt(memory[SQUARE]))
        keep = 1.0 - rate * kappa * learner.c**2
    move = -rate * learner.factor * (predict(f, learner, memory, network.u) - target)

    active, delta, steps = (
        work.hidden[b, arm * m : (arm + 1) * m],
        work.delta[b],
        work.step[b, : work.filled[b]],
    )
    if learner.normalize == 0.0:
        inner = dot(delta, work.moved[b, arm * m : (arm + 1) * m])
    else:
        move_again(learner, network, work, b, arm)
        inner = memory[SCALE] * dot(delta, work.again)
    inner += memory[SCALE] * dot(network.head, active)
    norm = dot(delta, delta) * dot(steps, steps) + dot(active, active)  # |grad f|^2
    grown = keep**2 * memory[SQUARE] + 2.0 * keep * move * inner + move**2 * norm
    memory[SQUARE] = max(grown, 0.0)

    memory[SCALE] *= keep
    if abs(memory[SCALE]) < FOLD_BELOW:
        fold(network, work, memory[SCALE], b, n)
        memory[SCALE] = 1.0
    move /= memory[SCALE]
    if memory[SQUARE] > learner.radius**2:
        keep = learner.radius / sqrt(memory[SQUARE])
        memory[SCALE] *= keep
        memory[SQUARE] *= keep**2
    return move


@exact
def fold(network: Network, work: Work, scale: float, b: int, n: int) -> None:
    """Multiply the scale s into G, and into the steps of a block that are still to be added to it."""
    for j in range(len(network.first)):
        scale_by(network.first[j], scale)
    scale_by(network.head, scale)
    for before in range(b):
        scale_by(work.delta[before], scale)
    for after in range(b + 1, n):
        scale_by(work.moved[after], scale)


@exact
def move_signs(
    learner: Learner, network: Network, work: Work, b: int, arm: int, target: float, rate: float
) -> float:
    """Move v and u; return what to add to phi, times grad f. See `SignPerturbation.step`."""
    S, m = len(network.u), len(work.head)
    active = work.hidden[b, arm * m : (arm + 1) * m]
    along_signs(
        network, work.inputs[b], work.step[b], work.filled[b], arm, work.delta[b], work.table, work.along
    )
    mean = 0.0
    for s in range(S):
        r = link(work.f[arm] + learner.c * network.u[s], learner.loss) - target
        mean += r / S
        work.residual[s] = -rate * learner.c / S * r
    move = -rate * learner.factor * mean
    for s in range(S):
        along = work.along[s] + dot(network.signs[s], active)
        network.u[s] += move * along + dot(network.gram[s], work.residual)
    for s in range(S):
        network.v[s] += work.residual[s]
    return move


@exact
def learn(
    learner: Learner,
    network: Network,
    memory: Array,
    work: Work,
    b: int,
    n: int,
    t: int,
    arm: int,
    target: float,
) -> None:
    """Make one gradient step on the b-th of n rounds of a block, round t of the run."""
    m = len(work.head)
    active, delta = work.hidden[b, arm * m : (arm + 1) * m], work.delta[b]
    rate = learner.lr / (t + 1.0) ** learner.lr_power
    work.arm[b] = arm
    gradient(active, work.head, delta)
    if has_start(learner):
        move = move_scaled(learner, network, memory, work, b, n, arm, target, rate)
    elif learner.kind == SIGNS:
        move = move_signs(learner, network, work, b, arm, target, rate)
    else:
        move = -rate * learner.factor * (link(work.f[arm], learner.loss) - target)
    scale_by(delta, move)
    add_scaled(network.head, move, active)
    if learner.lookahead:
        for later in range(b + 1, n):
            add_scaled(work.moved[later, arm * m : (arm + 1) * m], work.gram[b, later], delta)
    else:
        for k in range(work.filled[b]):
            add_scaled(network.first[work.inputs[b, k], arm * m : (arm + 1) * m], work.step[b, k], delta)


@exact
def flush(network: Network, work: Work, n: int) -> None:
    """Add the steps of a block of n rounds to the first layer."""
    m = len(work.head)
    for j in range(len(network.first)):
        for b in range(n):
            arm = work.arm[b]
            add_scaled(network.first[j, arm * m : (arm + 1) * m], work.scaled[b, j], work.delta[b])


@kernel
def neural(
    world: World,
    rule: Rule,
    learner: Learner,
    network: Network,
    memory: Array,
    record: Record,
    work: Work,
    draws: Array,
    start: int,
    stop: int,
) -> int:
    """Play rounds start..stop-1; return the first that could not be played, `stop` if all were.

    `start` is a multiple of BLOCK, so that the numbers do not depend on where a run is cut. `draws`
    [stop - start, k - 1] are the uniform numbers that choose the past samples of the further steps
    of every round; there is no lookahead with these.
    """
    K = len(work.f)
    mean = np.empty(K)
    for left in range(start, stop, BLOCK):
        n = min(BLOCK, stop - left)
        fetch(world, learner, network, work, left, n)
        for b in range(n):
            t = left + b
            arm, low, high, seen = 0, 0, K, t
            for k in range(1 + draws.shape[1]):  # one call of all below keeps the kernel small
                if k > 0:
                    seen = int(draws[t - start, k - 1] * (t + 1))
                    arm = record.action[seen]
                    low, high = arm, arm + 1
                    row = world.contexts[world.rows[seen]]
                    work.filled[b] = nonzero(row, learner.intercept, work.inputs[b], work.value[b])
                    set_steps(work.inputs[b], work.value[b], work.size[b], work.filled[b], work.step[b])
                forward(learner, network, memory, work, b, low, high)
                if k == 0:
                    for a in range(K):
                        mean[a] = predict(work.f[a], learner, memory, network.u)
                    arm = choose(world, rule, memory, record, mean, t)
                    if arm < 0:
                        return t
                learn(learner, network, memory, work, b, n, t, arm, world.cost[world.seen[seen], arm])
        if learner.lookahead:
            flush(network, work, n)
    return stop


@kernel
def linear(
    world: World, rule: Rule, model: Linear, memory: Array, record: Record, start: int, stop: int
) -> int:
    """Play rounds start..stop-1 as `neural` does, with one linear model per arm."""
    K, d = model.theta.shape
    index, value = np.empty(d + 1, np.int64), np.empty(d + 1)
    f, mean, direction = np.empty(K), np.empty(K), np.empty(d)
    for t in range(start, stop):
        n = nonzero(world.contexts[world.rows[t]], 1.0, index, value)
        for a in range(K):
            f[a] = 0.0
            for k in range(n):
                f[a] += value[k] * model.theta[a, index[k]]
            mean[a] = link(f[a], model.loss)
        arm = choose(world, rule, memory, record, mean, t)
        if arm < 0:
            return t
        covariance = model.covariance[arm]
        combine(covariance, index, value, n, 0, direction)  # A^-1 x
        weight = 1.0 if model.loss == SQUARED else mean[arm] * (1.0 - mean[arm])
        variance = 0.0
        for k in range(n):
            variance += direction[index[k]] * value[k]
        shrink = 1.0 / (1.0 + weight * variance)
        for j in range(d):
            add_scaled(covariance[j], -weight * shrink * direction[j], direction)
        error = world.cost[world.seen[t], arm] - mean[arm]
        add_scaled(model.theta[arm], shrink * error, direction)
    return stop
