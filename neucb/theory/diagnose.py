"""Diagnose: what the theory of NeuralUCB and NeuralTS says of a data set, beside what the agents do on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.initial import Initialisation
from neucb.agents.recipes import find_recipe
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.preprocessing import Encoded
from neucb.errors import InputError
from neucb.log import RunLog, log_spaced
from neucb.loop import play
from neucb.spec import Spec
from neucb.theory.dimension import (
    Norm,
    effective_dimension,
    log_determinants,
    neural_ts_shape,
    neural_ucb_bound,
    reward_norm,
    spectrum,
)
from neucb.theory.kernel import Kernel, closed_form, network_kernel, with_constant

Array = NDArray[np.float64]
Notify = Callable[[str], None]

MOST_ROUNDS = 5000  # 1.3 GB, and a minute or so
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
WIDTH = 100  # of the network beside the closed form, and of the agents
COMPARED = 1000  # rows of the network's kernel, at most
DELTA = 0.05


@dataclass(frozen=True)
class Question:
    """What is asked of a data set.

    Attributes:
        rounds: T in 2..5,000.
        seed: of the order of the rows, the networks and the dice.
        ridges: values of lambda > 0.
        init: of the network.
        intercept: the constant input beside the context.
        noise: label noise q.
    """

    rounds: int = 2000
    seed: int = 0
    ridges: tuple[float, ...] = RIDGES
    init: Initialisation = "he"
    intercept: float = 0.1
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not 2 <= self.rounds <= MOST_ROUNDS:
            raise InputError(f"rounds must be 2..{MOST_ROUNDS:,}, not {self.rounds}")
        if not self.ridges or min(self.ridges) <= 0.0:
            raise InputError("a ridge must be > 0")


@dataclass(frozen=True)
class ForRidge:
    """Figures for one lambda, each curve at the kept rounds [n].

    Attributes:
        ridge: lambda.
        dimension: effective dimension.
        power: its exponent, of the least-squares line through log dimension against log t over the
            last four doublings of t.
        ucb_bound: NeuralUCB's bound, see `neural_ucb_bound`; ts_shape: see `neural_ts_shape`.
        ucb_regret, ts_regret: measured on the same rows, with this lambda.
    """

    ridge: float
    dimension: Array
    power: float
    ucb_bound: Array
    ts_shape: Array
    ucb_regret: Array
    ts_regret: Array


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        dataset, arms, features, preprocessing: of the data.
        question: what was asked.
        kept: [n] log-spaced rounds.
        repeated: rows whose context occurred before; conflicting: those whose rewards differ then.
        least, largest: eigenvalues of H, without any ridge.
        eigenvalues: [T] of M, ascending, each K - 1 times one of H.
        norm: S = sqrt(2 r' H^-1 r) at the kept rounds; norm_ridge: what was added to H for it.
        network_gap: |H_network - H| / |H| in Frobenius norm, a network of width 100 at theta_0.
        ridges: the figures for each lambda.
    """

    dataset: str
    arms: int
    features: int
    preprocessing: str
    question: Question
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
        """Return everything as JSON values; of the eigenvalues 200, evenly spaced by rank."""
        question = self.question
        rank = np.unique(np.linspace(0, len(self.eigenvalues) - 1, 200).round().astype(int))
        return {
            "dataset": self.dataset,
            "arms": self.arms,
            "features": self.features,
            "preprocessing": self.preprocessing,
            **{name: getattr(question, name) for name in ("rounds", "seed", "init", "intercept")},
            "label_noise": question.noise,
            "repeated_rows": self.repeated,
            "conflicting_rows": self.conflicting,
            "least_eigenvalue": self.least,
            "largest_eigenvalue": self.largest,
            "eigenvalues": {"rank": rank.tolist(), "value": self.eigenvalues[rank].tolist()},
            "S": self.norm.tolist(),
            "ridge_for_S": self.norm_ridge,
            "network_gap": self.network_gap,
            "t": self.kept.tolist(),
            "ridges": [{name: _plain(value) for name, value in vars(one).items()} for one in self.ridges],
        }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def diagnose(encoded: Encoded, question: Question, notify: Notify = lambda _: None) -> Diagnosis:
    """Compute the kernel's figures and play neural-ucb and neural-ts on the same rows.

    Args:
        encoded: the data set.
        question: what is asked.
        notify: gets a line before each stage.

    Raises:
        InputError: more rounds than rows.
    """
    env = ClassificationVectorEnv(encoded, 1, horizon=question.rounds, label_noise=question.noise)
    script = env.script(question.seed)
    arms = encoded.table.arms
    rewards = 1.0 - env.feedback.expected[script.label]  # [T, K]
    x = with_constant(encoded.contexts[script.rows], question.intercept)
    notify("kernel matrix")
    kernel = closed_form(x, arms, question.init, WIDTH)
    notify("norm of the reward")
    norm = reward_norm(kernel, rewards)
    kept = log_spaced(question.rounds)
    ridges = tuple(
        _for_ridge(kernel, norm, ridge, kept, measured, notify)
        for ridge, measured in zip(question.ridges, _regrets(encoded, question, kept, notify), strict=True)
    )
    notify("eigenvalues")
    within, whole = spectrum(kernel)
    repeated, conflicting = _repeated(x, script.label)
    return Diagnosis(
        dataset=encoded.table.name,
        arms=arms,
        features=encoded.contexts.shape[1],
        preprocessing=encoded.preprocessing,
        question=question,
        kept=kept,
        repeated=repeated,
        conflicting=conflicting,
        least=float(min(within[0], whole[0])),
        largest=float(max(within[-1], whole[-1])),
        eigenvalues=within,
        norm=norm.values[kept - 1],
        norm_ridge=norm.ridge,
        network_gap=_network_gap(x, question, arms),
        ridges=ridges,
    )


def _for_ridge(
    kernel: Kernel,
    norm: Norm,
    ridge: float,
    kept: NDArray[np.int64],
    measured: tuple[Array, Array],
    notify: Notify,
) -> ForRidge:
    notify(f"effective dimension for lambda = {ridge:g}")
    logs = log_determinants(kernel, ridge)
    dimension = effective_dimension(logs, ridge, kernel.arms)
    at = kept - 1
    return ForRidge(
        ridge=ridge,
        dimension=dimension[at],
        power=power_of(dimension),
        ucb_bound=neural_ucb_bound(logs, norm.values, ridge, DELTA)[at],
        ts_shape=neural_ts_shape(logs, norm.values, ridge, kernel.arms, DELTA)[at],
        ucb_regret=measured[0],
        ts_regret=measured[1],
    )


def power_of(curve: Array) -> float:
    """Return the exponent of a curve [T] over t = T/16, T/8, ..., T, by least squares in logarithms."""
    t = np.unique(len(curve) // 2 ** np.arange(4, -1, -1))
    t = t[t > 0]
    return float(np.polyfit(np.log(t), np.log(curve[t - 1]), 1)[0])


def _regrets(
    encoded: Encoded, question: Question, kept: NDArray[np.int64], notify: Notify
) -> list[tuple[Array, Array]]:
    """Return the regret of neural-ucb and of neural-ts [n] for each lambda, one replica each, in lockstep."""
    seeds = (question.seed,) * len(question.ridges)
    spec = Spec(seeds, encoded.table.arms, encoded.contexts.shape[1], question.rounds)
    settings = {
        "regularization": question.ridges,
        "init": question.init,
        "intercept": question.intercept,
        "width": WIDTH,
    }
    curves = []
    for agent in ("neural-ucb", "neural-ts"):
        notify(f"{agent} on the same rows")
        log = RunLog(spec)
        env = ClassificationVectorEnv(
            encoded, spec.replicas, horizon=question.rounds, label_noise=question.noise
        )
        play(find_recipe(agent).build(settings), env, log)
        curves.append(log.frame({})["regret"].to_numpy().reshape(spec.replicas, len(kept)))
    return list(zip(*curves, strict=True))


def _repeated(x: Array, label: NDArray[np.int64]) -> tuple[int, int]:
    """Return how many rows repeat a context, and how many of these another label than its first."""
    _, first, inverse = np.unique(x, axis=0, return_index=True, return_inverse=True)
    before = first[inverse.ravel()]  # [T] the first row with the same context
    return int(len(x) - len(first)), int((label != label[before]).sum())


def _network_gap(x: Array, question: Question, arms: int) -> float:
    rows = max(2, min(len(x), COMPARED // arms))
    spec = Spec((question.seed,), arms, x.shape[1], rows)
    expected = closed_form(x[:rows], arms, question.init, WIDTH).full()
    found = network_kernel(x[:rows], spec, WIDTH, question.init)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def words(found: Diagnosis) -> Sequence[str]:
    """Return what a reader should take from the figures, one sentence each."""
    rounds, question = found.question.rounds, found.question
    lines = []
    if found.norm_ridge:
        lines.append(
            f"H is singular to rounding: {found.repeated} rows repeat a context ({found.conflicting} of them "
            f"with another label); S is of H + {found.norm_ridge:g} I"
        )
    if found.conflicting:
        lines.append(
            "no reward function of the context alone fits these rows: S grows without bound as "
            "the ridge falls"
        )
    best = min(found.ridges, key=lambda one: float(one.ucb_bound[-1]))
    bound, regret = float(best.ucb_bound[-1]), float(best.ucb_regret[-1])
    relation = "is vacuous, regret cannot exceed T" if bound > rounds else "says something"
    lines.append(
        f"NeuralUCB's bound {relation}: at T = {rounds:,} it is {bound:,.0f} at best (lambda = "
        f"{best.ridge:g}), {bound / rounds:,.1f} T; neural-ucb's regret is {regret:,.0f} with the same lambda"
    )
    lines.append(
        f"the kernel of the network of width {WIDTH} is {found.network_gap:.0%} away from the closed form "
        f"(init {question.init})"
    )
    return lines
