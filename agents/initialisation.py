"""Random draws of replicas (theta_0, signs, noise), and limits of perturbations and linear models.

In numpy, because both engines share them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neucb.core.constants import FULL_UP_TO
from neucb.core.errors import InputError
from neucb.core.random import stream

if TYPE_CHECKING:
    from neucb.agents.losses import Loss

Initialisation = Literal["he", "ntk", "paper"]
Bootstrap = Literal["poisson", "bernoulli"]

# Standard deviations of W1 and w2 and the output factor, as functions of the width m. Further layers are
# drawn like W1, and each multiplies f by the factor once more.
INITIALISATIONS = {
    "he": lambda m: (math.sqrt(2.0 / m), math.sqrt(1.0 / m), 1.0),
    "ntk": lambda m: (1.0, 1.0, math.sqrt(2.0 / m)),
    "paper": lambda m: (1.0, math.sqrt(1.0 / m), math.sqrt(1.0 / m)),
}

SHARED_STEP = 0.25  # relative step size of the layers between the first and the last

NOISE_ROUNDS = 64  # rounds per batch of normal draws
COUNT_ROUNDS = 64  # rounds per batch of bootstrap multiplicities
MOST_COLUMNS = 5000  # maximum columns of quadratic features


def draw_network(
    seed: int, blocks: int, inputs: int, width: int, init: Initialisation, depth: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw W1 [blocks, m, inputs] and the head [q] of one replica from its stream "init".

    The head is w2 [m], after depth - 1 further layers [m, m], see layers.py.
    """
    sd_first, sd_last, _ = INITIALISATIONS[init](width)
    normal = stream(seed, "init").standard_normal
    first = sd_first * normal((blocks, width, inputs))
    further = sd_first * normal((depth - 1) * width**2)
    return first, np.concatenate([further, sd_last * normal(width)])


def draw_sparse_network(
    seed: int, blocks: int, width: int, init: Initialisation, depth: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the first layer's weights of the constant input [blocks, m] and the head [q], as `draw_network`.

    For sparse contexts, whose inputs draw their weights one by one, see `draw_input`.
    """
    constant, head = draw_network(seed, blocks, 1, width, init, depth)
    return constant[:, :, 0], head


def draw_input(seed: int, j: int, blocks: int, width: int, init: Initialisation) -> NDArray[np.float64]:
    """Draw the first layer's weights [blocks, m] of input j of sparse contexts.

    From the stream of (seed, j), so that they depend neither on the other inputs nor on the rounds in which
    these first occur.
    """
    drawn = stream(seed, "init", j).standard_normal((blocks, width))
    return INITIALISATIONS[init](width)[0] * drawn


def draw_whole_sparse_network(
    seed: int, blocks: int, inputs: int, width: int, init: Initialisation, depth: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return W1 [blocks, m, inputs] and the head [q] with the weights of `draw_input`, the constant last."""
    first = np.empty((blocks, width, inputs))
    first[:, :, -1], head = draw_sparse_network(seed, blocks, width, init, depth)
    for j in range(inputs - 1):
        first[:, :, j] = draw_input(seed, j, blocks, width, init)
    return first, head


def output_factor(width: int, init: Initialisation, depth: int = 1) -> float:
    """Return the output factor of f: relu(c h) = c relu(h), so that the layers' factors multiply."""
    return INITIALISATIONS[init](width)[2] ** depth


def step_share(width: int, init: Initialisation, depth: int) -> float:
    """Return the step multiplier of depth L, for which a first step changes f as much as at depth 1.

    For inputs of norm 1, in the mean over theta_0. With g the gain of a hidden layer on the squared norm of
    its input, h the squared norm of the last layer's weights on active units, and s_l the relative step size
    of layer l, f changes by g^L + h g^(L - 1) sum_l s_l. For "he" the multiplier is 12 / (L + 11).
    """
    sd_first, sd_last, factor = INITIALISATIONS[init](width)
    g, h = (factor**2 * sd**2 * width / 2.0 for sd in (sd_first, sd_last))
    steps = 1.0 + (depth - 1) * SHARED_STEP
    return (g + h) / (g**depth + steps * h * g ** (depth - 1))


def draw_signs(seed: int, count: int, parameters: int) -> NDArray[np.uint8]:
    """Draw the S sign vectors of one replica from its stream "signs": [S, p], 1 for +1, 0 for -1."""
    bits = np.frombuffer(stream(seed, "signs").bytes(count * ((parameters + 7) // 8)), np.uint8)
    return np.unpackbits(bits).reshape(count, -1)[:, :parameters]


def draw_normal(seed: int, block: int, count: int) -> NDArray[np.float64]:
    """Draw normal numbers [64, count] for a block of 64 rounds from a replica's stream "posterior"."""
    return stream(seed, "posterior", block).standard_normal((NOISE_ROUNDS, count))


def member_seeds(seeds: Sequence[int], members: int) -> tuple[int, ...]:
    """Return the R N seeds of ensemble members, the N seeds of each replica contiguous."""
    drawn = (stream(seed, "members").integers(2**62, size=members) for seed in seeds)
    return tuple(int(seed) for row in drawn for seed in row)


def draw_counts(rng: np.random.Generator, members: int, bootstrap: Bootstrap) -> NDArray[np.float64]:
    """Draw each member's sample multiplicities of the next 64 rounds: [64, N]."""
    shape = (COUNT_ROUNDS, members)
    drawn = rng.poisson(1.0, shape) if bootstrap == "poisson" else rng.integers(0, 2, shape)
    return drawn.astype(np.float64)


def draw_fourier(seed: int, inputs: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw w [inputs, columns] at bandwidth 1 and b [columns] of Fourier features from the stream "init"."""
    rng = stream(seed, "init")
    return rng.standard_normal((inputs, columns)), rng.uniform(0.0, 2.0 * math.pi, columns)


def quadratic_columns(features: int) -> int:
    """Return the number of columns of quadratic features.

    Raises:
        InputError: it is above 5,000.
    """
    columns = features + features * (features + 1) // 2
    if columns > MOST_COLUMNS:
        raise InputError(
            f"quadratic features of {features} columns would be {columns:,}, more than {MOST_COLUMNS:,}; "
            "take feature_map=fourier"
        )
    return columns


def hash_columns(features: int, bits: int) -> NDArray[np.int64]:
    """Return the column in 0..2^bits-1 of each feature [d], by Fibonacci hashing.

    Knuth, The Art of Computer Programming, volume 3, section 6.4.
    """
    mixed = (np.arange(1, features + 1, dtype=np.uint64) * np.uint64(2654435769)) % np.uint64(2**32)
    return (mixed >> np.uint64(32 - bits)).astype(np.int64)


def is_full(covariance: Literal["auto", "full", "diagonal"], features: int) -> bool:
    """Return whether linear models with this number of features have full covariances."""
    return covariance == "full" or (covariance == "auto" and features <= FULL_UP_TO)


def keeps_full(covariance: Literal["auto", "full", "diagonal"], features: int) -> bool:
    """Return whether linear models with this number of features keep full covariances.

    Warns:
        UserWarning: "auto" keeps a diagonal only.
    """
    full = is_full(covariance, features)
    if covariance == "auto" and not full:
        warnings.warn(
            f"linear models of {features} features keep the diagonal of their covariance only; "
            "covariance=full keeps all of it, at d^2 time and memory",
            UserWarning,
            stacklevel=3,
        )
    return full


def offset_scale(c_p: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return c = c_p m^(-1/4) [R].

    Raises:
        InputError: c_p < 0.
    """
    if not (c_p >= 0).all():
        raise InputError("c_p must be >= 0")
    return c_p / math.sqrt(math.sqrt(width))


def check_expected(rate: NDArray[Any], c: NDArray[np.float64]) -> None:
    """Check the largest steps [R] of a run with the expected perturbation.

    Raises:
        InputError: lr c^2 >= 2, where the pull overshoots theta_0 and diverges.
    """
    if (rate * np.square(c) >= 2.0).any():
        raise InputError("c_p is too large for this lr: lr c_p^2 / sqrt(width) must be below 2")


def check_signs(
    rate: NDArray[Any], c: NDArray[np.float64], *, count: int, parameters: int, width: int, loss: type[Loss]
) -> None:
    """Check the largest steps [R] of a run with `count` sign vectors.

    Raises:
        InputError: c_p so large that training diverges.

    Warns:
        UserWarning: c_p so large that training oscillates.
    """
    strength = float((rate * np.square(c)).max()) * parameters / count
    if strength < loss.strength_limit:
        return
    bound = math.sqrt(loss.strength_limit / strength) * float(c.max()) * width**0.25
    message = (
        f"c_p is too large for {count} perturbations of this network: "
        f"training {'diverges' if loss.diverges else 'oscillates'}; keep c_p below {bound:.3g}"
    )
    if loss.diverges:
        raise InputError(message)
    warnings.warn(message, UserWarning, stacklevel=2)
