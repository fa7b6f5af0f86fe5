"""The codes and values that kernels take."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]

SQUARED, KL = 0, 1  # losses
# Kinds of rules; those from LOWER_CONFIDENCE on need standard deviations, JOINT deviations that were drawn.
BY_GAP, LOWER_CONFIDENCE, THOMPSON, JOINT = range(4)
TIME, LOSS, DOUBLING, DECAY = range(4)  # schedules of a rule's strength
EVERY_ROUND, EPOCHS, ALL_ARMS = range(3)  # when an oracle learns, and from which samples
# How theta is kept: as it is; as theta_0 + s G, for projections and for the expected perturbation;
# as phi + E' v, for finitely many signs.
PLAIN, PROJECTED, EXPECTED, SIGNS = range(4)
LINEAR, QUADRATIC, FOURIER = range(3)  # features
FINE, NOT_FINITE, NO_DISTRIBUTION, EXPERT = range(4)  # how a kernel ended; EXPERT + i: expert i diverged
P, MEAN, OUTPUT, STD = range(4)  # in what is kept of a round
OWN_LOSS, SCALE, SQUARE = range(3)  # in memory: cumulative loss, s, |theta - theta_0|^2

FETCH = 32  # rounds whose rows are fetched together
TOGETHER = 4  # rounds that share the pass through weights that do not learn; FETCH is a multiple
BLOCK = 64  # rounds that share a pass, a multiple of FETCH and of 4
GROUP = 10  # signs of one parameter that share a word
TILE = 1024  # columns of a product that are worked on together


class RoundData(NamedTuple):
    """What one replica meets.

    Attributes:
        contexts: [N, d] rows of the table.
        cost: [K, K] loss of an arm (column) under a label (row).
        expected: [K, K] the same in expectation over the noise.
        rows: [T] row of every round.
        label: [T] clean label of every round.
        seen: [T] label of every round, after noise.
        dice: [T] uniform numbers in [0, 1).
    """

    contexts: Array
    cost: Array
    expected: Array
    rows: Array
    label: Array
    seen: Array
    dice: Array


class RuleConfig(NamedTuple):
    """The exploration rule of one replica.

    Attributes:
        kind: BY_GAP, LOWER_CONFIDENCE, THOMPSON or JOINT.
        weight: code of the weight of an arm, for BY_GAP, and the next two likewise.
        floor: least value of a predicted loss, to which lower ones are raised.
        proportional: whether probabilities are proportional to the weights.
        schedule: TIME, LOSS, DOUBLING or DECAY.
        scale, power: of gamma, epsilon or nu.
    """

    kind: int
    weight: int
    floor: float
    proportional: bool
    schedule: int
    scale: float
    power: float


class UpdateClock(NamedTuple):
    """When an oracle learns, and how often it goes through the samples of an epoch."""

    code: int
    passes: int


class RoundRecord(NamedTuple):
    """What came of the rounds.

    Attributes:
        action: [T] arms.
        predicted: [T] predicted losses of these arms.
        propensity: [T] probabilities with which these arms were drawn.
        due: [T] bool, the rounds that are logged.
        parameter_distance: [T] |theta - theta_0| after rounds that are logged, of networks that keep
            theta_0; NaN elsewhere.
        perturbation_rms: [T] root mean square of the perturbation's offsets, likewise.
        p: [K] the distribution of the last round.
        status: [1] how the kernel ended.
        kept: [n, 4, K] p, predicted losses, outputs and standard deviations of the last n rounds, round t in
            place t modulo n; n = 0 where no trace asks for them.
        factor: [n, K, m] of the covariances of outputs, for JOINT; likewise.
    """

    action: Array
    predicted: Array
    propensity: Array
    due: Array
    parameter_distance: Array
    perturbation_rms: Array
    p: Array
    status: Array
    kept: Array
    factor: Array


class Predictions(NamedTuple):
    """What an oracle says of the arms in a round, and the numbers that a rule draws.

    Attributes:
        mean: [K] predicted losses.
        output: [K] the same before the link.
        std: [K] standard deviations of `output`, for rules that need them; for JOINT a draw of deviations.
        strength: [rules, rounds] gamma, epsilon or nu of rules whose schedule is TIME or DECAY.
        noise: [rounds, K] standard normal numbers, [rounds, m] for JOINT, for the rules that draw.
    """

    mean: Array
    output: Array
    std: Array
    strength: Array
    noise: Array


class NetworkConfig(NamedTuple):
    """The hyper-parameters of a network; `c` is c_p m^(-1/4)."""

    loss: int
    kind: int
    clock: UpdateClock
    lr: float
    lr_power: float
    radius: float
    intercept: float
    factor: float
    normalize: float
    c: float


class Signs(NamedTuple):
    """The sign vectors of one replica, and working memory for them.

    Attributes:
        words: [groups, d + 1, K m] uint16, the signs of every parameter of the first layer.
        head: [S, m] the signs of the second layer.
        gram: [S, S] products of the sign vectors.
        v: [S] coefficients of the sign vectors in theta.
        u: [S] products of the sign vectors and theta - theta_0.
        along: [S] products of the sign vectors and the gradient.
        residual: [S].
        table: [2^min(S, GROUP)].
        active: [m] uint64, the hidden units that a gradient does not leave out.
    """

    words: Array
    head: Array
    gram: Array
    v: Array
    u: Array
    along: Array
    residual: Array
    table: Array
    active: Array


class Network(NamedTuple):
    """The weights of one replica. They lie input-major, [inputs, K m].

    So an input that is 0 costs nothing and the inner loops are long. Input d is the constant one, those
    after it are idle: they are always 0 and fill lists of inputs up to a multiple of four.

    Attributes:
        first: [inputs, K m] first layer of theta, G or phi.
        head: [m] second layer of the same.
        start: [inputs, K m] first layer of theta_0; empty where it is not needed.
        start_head: [m] second layer of theta_0.
        squares: [d + 1] float64, sums of the squares of all inputs so far.
        signs: for SIGNS, else None.
    """

    first: Array
    head: Array
    start: Array
    start_head: Array
    squares: Array
    signs: Any


class Shared(NamedTuple):
    """Working memory where a block of rounds shares one pass through the first layer.

    Contexts do not depend on arms, and a step on x by delta changes what a later x' sees by
    <x, x'> delta, on one arm.

    Attributes:
        x: [B, inputs] rows.
        scaled: [B, inputs] the same times their step sizes.
        gram: [B, B] products of a row of `scaled` and a later one of x.
        arm: [B] arms played.
        same: [B] those that played one of them.
    """

    x: Array
    scaled: Array
    gram: Array
    arm: Array
    same: Array


class Workspace(NamedTuple):
    """Working memory of a network, B = BLOCK rounds long where they share a pass, FETCH elsewhere.

    Attributes:
        row: [B, d] rows.
        past: [k - 1, d] rows of past samples, of k steps an update.
        inputs: [B, inputs] the inputs that are not 0, filled up with idle ones.
        value: [B, inputs] and what they are.
        step: [B, inputs] the same times their step sizes.
        filled: [B] how many are not idle.
        size: [B, inputs] step sizes of all inputs.
        some: [inputs] the inputs that are not 0 in any of four rounds, filled up with idle ones.
        values: [4, inputs] and what they are.
        hidden: [B, K m] hidden layer; where rounds share no pass [1, K m], of the newest, or [4, K m] where
            four share that through theta_0.
        moved: as `hidden`, the part of it that G makes; the same memory where there is no G.
        delta: [B, m] steps on the arms' blocks.
        again: [m] what `moved` is with step sizes.
        head: [m] second layer of theta.
        f: [K] outputs.
        mean: [K] predicted losses.
        slope: [K] derivatives of these in f, over the expected perturbation; 1 for the squared loss.
        widened: slopes of the logistic function's normal parts, under the perturbation.
        shared: where blocks share a pass, else None.
    """

    row: Array
    past: Array
    inputs: Array
    value: Array
    step: Array
    filled: Array
    size: Array
    some: Array
    values: Array
    hidden: Array
    moved: Array
    delta: Array
    again: Array
    head: Array
    f: Array
    mean: Array
    slope: Array
    widened: Array
    shared: Any


class Confidence(NamedTuple):
    """1 / U of a network's gradients, see `neucb.agents.network.gradient_norm`, and working memory.

    Attributes:
        first: [inputs, K m] first layer.
        head: [m] second layer.
        square: square of the factor of the gradient.
        penalty: lambda.
        ceiling: of predictions, where arms are compared.
        value: [inputs] squares of inputs.
        z: [K m].
    """

    first: Array
    head: Array
    square: float
    penalty: float
    ceiling: float
    value: Array
    z: Array


class LastLayer(NamedTuple):
    """Bayesian regression on the last hidden layer of a network, float64, and working memory.

    Attributes:
        root: [m, m], row k from its k-th entry on is column k of L, L L' = A^-1, L lower triangular.
        mu: [m] A^-1 times the sum of phi y.
        phi: [m].
        along: [m].
    """

    root: Array
    mu: Array
    phi: Array
    along: Array


class Features(NamedTuple):
    """How a linear model maps contexts, and working memory.

    Attributes:
        code: LINEAR, QUADRATIC or FOURIER.
        w: [d, columns] and b: [columns], of Fourier features.
        z: [columns].
    """

    code: int
    w: Array
    b: Array
    z: Array


class Models(NamedTuple):
    """N linear models per arm, N = 1 but for ensembles.

    Attributes:
        diagonal: whether `covariance` is [N, K, 1, d + 1], the diagonal of A itself.
        theta: [N, K, d + 1].
        covariance: [N, K, d + 1, d + 1] A^-1.
        counts: [T, N] how often a member counts the sample of a round; empty but for ensembles.
    """

    loss: int
    clock: UpdateClock
    diagonal: bool
    theta: Array
    covariance: Array
    counts: Array


class Experts(NamedTuple):
    """Exponential weights of N experts.

    Attributes:
        log_weight: [N].
        advice: [N, K] the experts' distributions of a round.
        eta: scale of the rate in the square root of a round.
        mixing: share of uniform play.
    """

    log_weight: Array
    advice: Array
    eta: float
    mixing: float


class AdaptiveOrder(NamedTuple):
    """An adaptive order, see `neucb.environments.orders.order.CompiledOrder`.

    Attributes:
        state: the order's own arrays.
        labels: [N] labels of the table.
        shift: [T] offset of each label by noise, modulo K.
        relabel: [parts, K] labels after drift.
        part: [T] part of the run between two drifts.
    """

    state: Any
    labels: Array
    shift: Array
    relabel: Array
    part: Array
