"""Diagnosis: kernel quantities and regret of a data set, as values, JSON and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.initialisation import Initialisation
from neucb.core.errors import InputError

Array = NDArray[np.float64]

WIDTH = 100  # width of the agents' networks and of the network compared with the closed form
MOST_ROUNDS = 20_000  # maximum T: the kernel matrix takes 3.2 GB
DOUBLINGS = 4  # doublings of t up to T for the fit of exponents
LEAST_ROUNDS = 2 * 2**DOUBLINGS  # minimum T: the fit then starts at t = 2
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)  # default values of lambda


@dataclass(frozen=True)
class Question:
    """Parameters of a diagnosis.

    Attributes:
        rounds: T in 32..20,000.
        seed: seed of the row order, the networks and the action draws.
        ridges: values of lambda > 0.
        init: initialisation of the network.
        intercept: constant input appended to the context.
        noise: label noise q in [0, 1].

    Raises:
        InputError: rounds or ridges are out of range.
    """

    rounds: int = 2000
    seed: int = 0
    ridges: tuple[float, ...] = RIDGES
    init: Initialisation = "he"
    intercept: float = 0.1
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not LEAST_ROUNDS <= self.rounds <= MOST_ROUNDS:
            raise InputError(f"a diagnosis takes {LEAST_ROUNDS}..{MOST_ROUNDS:,} rounds, not {self.rounds:,}")
        if not self.ridges or not all(0.0 < ridge < math.inf for ridge in self.ridges):
            raise InputError("a ridge must be a finite number > 0")


@dataclass(frozen=True)
class ForRidge:
    """Quantities for one lambda, each curve at the kept rounds [n].

    Attributes:
        ridge: lambda.
        dimension: effective dimension.
        error: relative 95 % error of log det(I + H / lambda) at T, 0 where it is exact.
        power: exponent of the dimension, the slope of log dimension against log t over the last four
            doublings of t.
        ucb_bound: NeuralUCB's bound, see `neural_ucb_bound`; ts_shape: see `neural_ts_shape`.
        ucb_regret, ts_regret: measured regret on the same rows with this lambda.
    """

    ridge: float
    dimension: Array
    error: float
    power: float
    ucb_bound: Array
    ts_shape: Array
    ucb_regret: Array
    ts_regret: Array


@dataclass(frozen=True)
class Diagnosis:
    """Result of a diagnosis.

    Attributes:
        dataset, arms, features, preprocessing: name, K, d and encoding of the data set.
        question: parameters of the diagnosis.
        exact: number of rounds with exact quantities; beyond them dimensions are estimates, S and the
            bounds are lower bounds.
        kept: [n] rounds, log-spaced up to `exact`, then the halves of T.
        repeated: number of rows with a repeated context; conflicting: those with other rewards.
        least: least eigenvalue of H of the exact rounds; largest: that of all rounds; without a ridge.
        eigenvalues: [exact] ascending eigenvalues of M of the exact rounds, each K - 1 times one of H.
        norm: S = sqrt(2 r' H^-1 r) at the kept rounds; norm_ridge: ridge added to H for it.
        network_gap: |H_network - H| / |H| in Frobenius norm, a network of width 100 at theta_0.
        ridges: quantities for each lambda.
    """

    dataset: str
    arms: int
    features: int
    preprocessing: str
    question: Question
    exact: int
    kept: NDArray[np.int64]
    repeated: int
    conflicting: int
    least: float
    largest: float
    eigenvalues: Array
    norm: Array
    norm_ridge: float
    network_gap: float
    ridges: tuple[ForRidge, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnosis as JSON values, with 200 of the eigenvalues, evenly spaced by rank."""
        question = self.question
        rank = np.unique(np.linspace(0, len(self.eigenvalues) - 1, 200).round().astype(int))
        return {
            "dataset": self.dataset,
            "arms": self.arms,
            "features": self.features,
            "preprocessing": self.preprocessing,
            **{name: getattr(question, name) for name in ("rounds", "seed", "init", "intercept")},
            "label_noise": question.noise,
            "exact_rounds": self.exact,
            "repeated_rows": self.repeated,
            "conflicting_rows": self.conflicting,
            "least_eigenvalue": self.least,
            "largest_eigenvalue": self.largest,
            "eigenvalues": {"rank": rank.tolist(), "value": self.eigenvalues[rank].tolist()},
            "S": self.norm.tolist(),
            "ridge_for_S": self.norm_ridge,
            "network_gap": self.network_gap,
            "t": self.kept.tolist(),
            "ridges": [{name: _plain(value) for name, value in vars(row).items()} for row in self.ridges],
        }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def words(result: Diagnosis) -> Sequence[str]:
    """Return the conclusions of a diagnosis, one sentence each."""
    rounds, question = result.question.rounds, result.question
    lines = []
    if result.norm_ridge:
        lines.append(
            f"H is singular to rounding: {result.repeated} rows repeat a context ({result.conflicting} of "
            f"them with another label); S is of H + {result.norm_ridge:g} I"
        )
    if result.conflicting:
        lines.append(
            "no reward function of the context alone fits these rows: S grows without bound as "
            "the ridge falls"
        )
    if rounds > result.exact:
        lines.append(
            f"exact for the first {result.exact:,} rounds, whose eigenvalues these are; beyond, dimensions "
            f"are estimated by Lanczos, to {max(row.error for row in result.ridges):.1%} at T, and S and the "
            "bounds are at least what is shown"
        )
    best = min(result.ridges, key=lambda row: float(row.ucb_bound[-1]))
    bound, regret = float(best.ucb_bound[-1]), float(best.ucb_regret[-1])
    relation = "is vacuous, regret cannot exceed T" if bound > rounds else "says something"
    lines.append(
        f"NeuralUCB's bound, its constants as we recall the paper, {relation}: at T = {rounds:,} it is "
        f"{bound:,.0f} at best (lambda = {best.ridge:g}), {bound / rounds:,.1f} T; neural-ucb's regret is "
        f"{regret:,.0f} with the same lambda"
    )
    lines.append(
        f"the kernel of the network of width {WIDTH} is {result.network_gap:.0%} away from the closed form "
        f"(init {question.init})"
    )
    return lines
