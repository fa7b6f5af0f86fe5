"""Diagnosis of a data set: bounds of NeuralUCB and NeuralTS, and the measured regret of these agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neucb.core.constants import DELTA
from neucb.core.metrics import log_spaced
from neucb.core.spec import Spec
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.contexts import dense_rows
from neucb.environments.preprocessing import Encoded
from neucb.theory.diagnosis import DOUBLINGS, WIDTH, Diagnosis, ForRidge, Question
from neucb.theory.dimension import (
    Norm,
    effective_dimension,
    largest_eigenvalue,
    log_determinants,
    neural_ts_shape,
    neural_ucb_bound,
    reward_norm,
    spectrum,
)
from neucb.theory.kernel import Kernel, closed_form, network_kernel, with_constant
from neucb.theory.lanczos import estimate_log_determinants, least_reward_norm

Array = NDArray[np.float64]
Rounds = NDArray[np.int64]
Notify = Callable[[str], None]

EXACT = 5000  # rounds up to which kernels are factored exactly
COMPARED = 1000  # maximum rows of the network's kernel


class PreparedRun(Protocol):
    """A run that can be played."""

    log: Any  # the RunLog of the engines, which are not below this package

    def play(self) -> None:
        """Play all rounds."""


class Prepare(Protocol):
    """Protocol of `neucb.runs.api.prepare`, which is on a level above this package."""

    def __call__(
        self,
        agent: str,
        dataset: Encoded,
        rounds: int,
        seeds: list[int],
        *,
        settings: dict[str, Any],
        label_noise: float,
    ) -> PreparedRun:
        """Return the run of an agent with the given hyper-parameters on a data set."""


def diagnose(
    encoded: Encoded, question: Question, prepare: Prepare, notify: Notify = lambda _: None
) -> Diagnosis:
    """Compute kernel quantities and play neural-ucb and neural-ts on the same rows.

    Kernel quantities are exact for the first 5,000 rounds. Beyond these the log determinants of T, T / 2,
    ... rounds are estimated and S is bounded from below, see `neucb.theory.lanczos`.

    Args:
        encoded: the encoded data set.
        question: parameters of the diagnosis.
        prepare: function that prepares the runs of the two agents, `neucb.runs.api.prepare`.
        notify: callback that receives a line before each stage.

    Raises:
        InputError: more rounds than rows.
    """
    env = ClassificationVectorEnv(encoded, 1, horizon=question.rounds, label_noise=question.noise)
    script = env.script(question.seed)
    arms, T = encoded.table.arms, question.rounds
    rewards = 1.0 - env.feedback.expected[script.label]  # [T, K]
    x = with_constant(dense_rows(encoded.contexts, script.rows), question.intercept)
    notify("kernel matrix")
    kernel = closed_form(x, arms, question.init, WIDTH)
    exact = min(T, EXACT)
    halves = T // 2 ** np.arange(DOUBLINGS + 1)
    kept = np.union1d(log_spaced(exact), halves[halves > 0])
    notify("norm of the reward")
    norm, norms = _reward_norms(kernel, rewards, kept, exact)
    dimensions = _log_determinants(kernel, question.ridges, kept, exact, notify)
    ridges = tuple(
        _for_ridge(ridge, arms, kept, logs, norms, _regrets(encoded, question, ridge, kept, prepare, notify))
        for ridge, logs in zip(question.ridges, dimensions, strict=True)
    )
    notify("eigenvalues")
    eigenvalues = spectrum(kernel.first(exact))
    repeated, conflicting = _repeated(x, script.label)
    return Diagnosis(
        dataset=encoded.table.name,
        arms=arms,
        features=encoded.contexts.shape[1],
        preprocessing=encoded.preprocessing,
        question=question,
        exact=exact,
        kept=kept,
        repeated=repeated,
        conflicting=conflicting,
        least=float(eigenvalues[0]),
        largest=largest_eigenvalue(kernel),
        eigenvalues=eigenvalues,
        norm=norms,
        norm_ridge=norm.ridge,
        network_gap=_network_gap(x, question, arms),
        ridges=ridges,
    )


def _reward_norms(kernel: Kernel, rewards: Array, kept: Rounds, exact: int) -> tuple[Norm, Array]:
    """Return S of the exact rounds, and S at the kept rounds [n], a lower bound beyond the exact ones."""
    norm = reward_norm(kernel.first(exact), rewards[:exact])
    values = [norm.values[t - 1] for t in kept if t <= exact]
    for t in kept[kept > exact]:
        values.append(max(values[-1], least_reward_norm(kernel.first(t), rewards[:t], norm.ridge)))
    return norm, np.array(values)


def _log_determinants(
    kernel: Kernel, ridges: Sequence[float], kept: Rounds, exact: int, notify: Notify
) -> list[tuple[Array, Array]]:
    """Return log det(I + H / lambda) at the kept rounds [n] for every lambda, and its 95 % errors [n]."""
    later = [int(t) for t in kept if t > exact]
    estimates = []
    for t in later:
        notify(f"Lanczos on {t:,} rounds")
        estimates.append(estimate_log_determinants(kernel.first(t), ridges))
    pairs = []
    for i, ridge in enumerate(ridges):
        notify(f"effective dimension for lambda = {ridge:g}")
        index = kept[kept <= exact] - 1
        logs = log_determinants(kernel.first(exact), ridge)[index]
        values, errors = [row[i].value for row in estimates], [row[i].error for row in estimates]
        pairs.append((np.append(logs, values), np.append(np.zeros(len(index)), errors)))
    return pairs


def _for_ridge(
    ridge: float,
    arms: int,
    kept: Rounds,
    log_determinant: tuple[Array, Array],
    norms: Array,
    measured: tuple[Array, Array],
) -> ForRidge:
    logs, errors = log_determinant
    dimension = effective_dimension(logs, ridge, arms, kept)
    return ForRidge(
        ridge=ridge,
        dimension=dimension,
        error=float(errors[-1] / logs[-1]),
        power=power_of(kept, dimension),
        ucb_bound=neural_ucb_bound(logs, norms, ridge, DELTA, kept),
        ts_shape=neural_ts_shape(logs, norms, ridge, arms, DELTA, kept),
        ucb_regret=measured[0],
        ts_regret=measured[1],
    )


def power_of(rounds: Rounds, curve: Array) -> float:
    """Return the exponent of a curve over t = T/16, T/8, ..., T, by least squares in logarithms.

    Args:
        rounds: [n] ascending rounds that include these t.
        curve: [n] values > 0 at these rounds.
    """
    t = rounds[-1] // 2 ** np.arange(DOUBLINGS + 1)
    at = np.searchsorted(rounds, np.unique(t[t > 0]))
    return float(np.polyfit(np.log(rounds[at]), np.log(curve[at]), 1)[0])


def _regrets(
    encoded: Encoded, question: Question, ridge: float, kept: Rounds, prepare: Prepare, notify: Notify
) -> tuple[Array, Array]:
    """Return the regret of neural-ucb and of neural-ts at the kept rounds [n]."""
    settings = {
        "regularization": ridge,
        "init": question.init,
        "intercept": question.intercept,
        "width": WIDTH,
    }
    curves = []
    for agent in ("neural-ucb", "neural-ts"):
        notify(f"{agent} with lambda = {ridge:g} on the same rows")
        run = prepare(
            agent, encoded, question.rounds, [question.seed], settings=settings, label_noise=question.noise
        )
        run.log.keep(kept)
        run.play()
        curves.append(run.log.frame({})["regret"].to_numpy())
    return curves[0], curves[1]


def _repeated(x: Array, label: NDArray[np.int64]) -> tuple[int, int]:
    """Return the number of rows with a repeated context, and of those with another label than its first."""
    _, first, inverse = np.unique(x, axis=0, return_index=True, return_inverse=True)
    before = first[inverse.ravel()]  # [T] first row with the same context
    return int(len(x) - len(first)), int((label != label[before]).sum())


def _network_gap(x: Array, question: Question, arms: int) -> float:
    rows = max(2, min(len(x), COMPARED // arms))
    spec = Spec((question.seed,), arms, x.shape[1], rows)
    expected = closed_form(x[:rows], arms, question.init, WIDTH).full()
    gram = network_kernel(x[:rows], spec, WIDTH, question.init)
    return float(np.linalg.norm(gram - expected) / np.linalg.norm(expected))
