"""Codes and named tuples of the kernels' arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]

SQUARED, KL = 0, 1  # losses
# Kinds of rules; those from LOWER_CONFIDENCE on need standard deviations, JOINT drawn deviations.
BY_GAP, LOWER_CONFIDENCE, THOMPSON, JOINT = range(4)
TIME, LOSS, DOUBLING, DECAY = range(4)  # schedules of a rule's strength
EVERY_ROUND, EPOCHS, ALL_ARMS = range(3)  # update schedules of an oracle
# Representations of theta: theta itself; theta_0 + s G, for projections and the expected perturbation;
# phi + E' v, for finitely many signs.
PLAIN, PROJECTED, EXPECTED, SIGNS = range(4)
LINEAR, QUADRATIC, FOURIER = range(3)  # features
FINE, NOT_FINITE, NO_DISTRIBUTION, EXPERT = range(4)  # how a kernel ended; EXPERT + i: expert i diverged
P, MEAN, OUTPUT, STD = range(4)  # in a round's record of all arms
OWN_LOSS, SCALE, SQUARE = range(3)  # entries of memory: cumulative loss, s, |theta - theta_0|^2

FETCH = 32  # rounds whose rows are fetched together
TOGETHER = 4  # rounds that share the pass through weights that do not learn; FETCH is a multiple
BLOCK = 64  # rounds that share a pass, a multiple of FETCH and of 4
GROUP = 10  # signs of one parameter in a word
TILE = 1024  # columns of a tile of a product


class SparseRows(NamedTuple):
    """Rows of a table in compressed form (CSR).

    Attributes:
        start: [N + 1] first entry of each row, and the number of entries.
        column: [entries] columns, ascending within a row.
        value: [entries] values, float32.
    """

    start: Array
    column: Array
    value: Array


class RoundData(NamedTuple):
    """Rounds of one replica.

    Attributes:
        contexts: [N, d] rows of the table; [0, d] where they are sparse.
        sparse: sparse rows of the table; None where they are dense.
        cost: [K, K] loss of an arm (column) under a label (row).
        expected: [K, K] expected loss over the noise, likewise.
        rows: [T] row of every round.
        label: [T] clean label of every round.
        seen: [T] label of every round, after noise.
        dice: [T] uniform numbers in [0, 1).
    """

    contexts: Array
    sparse: SparseRows | None
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
        weight: code of the weight of an arm, for BY_GAP.
        floor: lower bound to which predicted losses are clipped, for BY_GAP.
        proportional: whether probabilities are proportional to the weights, for BY_GAP.
        schedule: TIME, LOSS, DOUBLING or DECAY.
        scale, power: scale and exponent of gamma, epsilon or nu.
    """

    kind: int
    weight: int
    floor: float
    proportional: bool
    schedule: int
    scale: float
    power: float


class UpdateClock(NamedTuple):
    """Update schedule of an oracle, and its passes over the samples of an epoch."""

    code: int
    passes: int


class RoundRecord(NamedTuple):
    """Results of the rounds.

    Attributes:
        action: [T] arms.
        predicted: [T] predicted losses of these arms.
        propensity: [T] probabilities with which these arms were drawn.
        due: [T] bool, the rounds that are logged.
        parameter_distance: [T] |theta - theta_0| after logged rounds, for networks that keep theta_0;
            NaN elsewhere.
        perturbation_rms: [T] root mean square of the perturbation's offsets, likewise.
        p: [K] the distribution of the last round.
        status: [1] how the kernel ended.
        kept: [n, 4, K] p, predicted losses, outputs and standard deviations of the last n rounds, round t at
            index t modulo n; n = 0 without a trace that needs them.
        factor: [n, K, m] factors of the covariances of outputs, for JOINT; likewise.
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
    """Predictions of an oracle for all arms, and the strengths and random numbers of a rule.

    Attributes:
        mean: [K] predicted losses.
        output: [K] outputs before the link.
        std: [K] standard deviations of `output`, for rules that need them; for JOINT drawn deviations.
        strength: [rules, rounds] gamma, epsilon or nu of rules whose schedule is TIME or DECAY.
        noise: [rounds, K] standard normal numbers, for rules that draw; [rounds, m] for JOINT.
    """

    mean: Array
    output: Array
    std: Array
    strength: Array
    noise: Array


class NetworkConfig(NamedTuple):
    """Hyper-parameters of a network; `c` is c_p m^(-1/4)."""

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
    """Sign vectors of one replica, and their working memory.

    Attributes:
        words: [groups, d + 1, K m] uint16, signs of all parameters of the first layer.
        head: [S, m] signs of the second layer.
        gram: [S, S] products of the sign vectors.
        v: [S] coefficients of the sign vectors in theta.
        u: [S] products of the sign vectors and theta - theta_0.
        along: [S] products of the sign vectors and the gradient.
        residual: [S].
        table: [2^min(S, GROUP)].
        active: [m] uint64, indices of the hidden units with a nonzero gradient.
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
    """Weights of one replica, input-major: [inputs, K m].

    Inputs of 0 then cost nothing, and inner loops are long. Input d is the constant one. Later inputs are
    padding: always 0, they fill lists of inputs up to a multiple of four.

    Attributes:
        first: [inputs, K m] first layer of theta, G or phi.
        head: [m] second layer, likewise.
        start: [inputs, K m] first layer of theta_0; empty where unused.
        start_head: [m] second layer of theta_0.
        squares: [d + 1] float64, sums of squared inputs so far.
        signs: sign vectors, for SIGNS; else None.
    """

    first: Array
    head: Array
    start: Array
    start_head: Array
    squares: Array
    signs: Any


class Shared(NamedTuple):
    """Working memory of blocks of rounds that share one forward pass through the first layer.

    Contexts do not depend on arms, and a step delta on x changes the pre-activation of a later x' by
    <x, x'> delta, on one arm.

    Attributes:
        x: [B, inputs] rows.
        scaled: [B, inputs] rows times step sizes.
        gram: [B, B] inner products of a row of `scaled` and a later one of x.
        arm: [B] arms played.
        same: [B] rounds that played a given arm.
    """

    x: Array
    scaled: Array
    gram: Array
    arm: Array
    same: Array


class Workspace(NamedTuple):
    """Working memory of a network for B rounds, B = BLOCK where they share a forward pass, else FETCH.

    B = 1 where contexts are sparse; `row`, `past`, `some` and `values` are then empty, and lists as long as
    the longest row.

    Attributes:
        row: [B, d] rows.
        past: [k - 1, d] rows of past samples, of k steps an update.
        inputs: [B, inputs] indices of nonzero inputs, then of padding.
        value: [B, inputs] values of these inputs.
        step: [B, inputs] these values times step sizes.
        filled: [B] number of indices without padding.
        size: [B, inputs] step sizes of all inputs; [1, 1] where contexts are sparse.
        counted: [1] number of updates in the network's sums of squares, for sparse contexts.
        some: [inputs] indices of inputs that are nonzero in one of four rounds, then of padding.
        values: [4, inputs] values of these inputs.
        hidden: [B, K m] hidden layer; [1, K m], of the newest round, where rounds share no pass, or [4, K m]
            where four rounds share the pass through theta_0.
        moved: as `hidden`, the part through G; the same memory without G.
        delta: [B, m] steps on the arms' blocks.
        again: [m] `moved` of inputs times step sizes.
        head: [m] second layer of theta.
        f: [K] outputs.
        mean: [K] predicted losses.
        slope: [K] derivatives of `mean` in f, over the expected perturbation; 1 for the squared loss.
        widened: slopes of the logistic function's normal parts, under the perturbation.
        shared: working memory of shared passes, or None.
    """

    row: Array
    past: Array
    inputs: Array
    value: Array
    step: Array
    filled: Array
    size: Array
    counted: Array
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
    """Diagonal 1 / U of a network's gradients, see `neucb.agents.network.gradient_norm`, and working memory.

    Attributes:
        first: [inputs, K m] first layer.
        head: [m] second layer.
        square: square of the factor of the gradient.
        penalty: lambda.
        ceiling: upper bound of predictions in comparisons of arms.
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
    """Feature map of a linear model, and working memory.

    Attributes:
        code: LINEAR, QUADRATIC or FOURIER.
        w: [d, columns] and b: [columns], frequencies and phases of Fourier features.
        z: [columns].
    """

    code: int
    w: Array
    b: Array
    z: Array


class Models(NamedTuple):
    """N linear models per arm, N = 1 except in ensembles.

    Attributes:
        diagonal: whether `covariance` is the diagonal of A, [N, K, 1, d + 1].
        theta: [N, K, d + 1].
        covariance: [N, K, d + 1, d + 1] A^-1.
        counts: [T, N] multiplicity of a round's sample for a member; empty except in ensembles.
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
        advice: [N, K] distributions of the experts in a round.
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
