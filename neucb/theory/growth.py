"""Growth-law selection: whether a cumulative curve grows like log t, sqrt t or a power of t.

Three laws, a + b log t, a + b sqrt t and a + b t^alpha, are fitted by least squares to the log-spaced
rounds of the mean curve over seeds. The law is chosen by prediction error and not by goodness of fit:
cumulative curves are autocorrelated, so that AIC and BIC are not valid. Every law is fitted up to T/2
and predicts the increments from T/2 to T; seeds are resampled, and a law is preferred when it wins
90 % of the resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import InputError
from neucb.theory.laws import LAWS, WORDS, Law, LawFit, fit

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

RESAMPLES = 200  # bootstrap resamples of the seeds
WINS = 0.9  # share of resamples that a preferred law wins
MARGIN = 0.5  # ratio of squared errors to the best simple law below which t^alpha wins


@dataclass(frozen=True)
class Growth:
    """Growth of one curve.

    Attributes:
        preferred: law that wins at least 90 % of the resamples, or "undecided".
        alpha: exponent of the power law, fitted to all rounds of the mean curve.
        interval: bootstrap 95 % interval of alpha over seeds; None for one seed.
        shares: share of the resamples that each law wins.
        errors: root mean squared error of each law's prediction of the mean curve's later half, as a
            share of the curve's growth over that half; NaN where it does not grow.
        fits: each law fitted to all rounds of the mean curve.
        seeds: number of seeds.
        rounds: T.
    """

    preferred: Literal["log", "sqrt", "power", "undecided"]
    alpha: float
    interval: tuple[float, float] | None
    shares: dict[Law, float]
    errors: dict[Law, float]
    fits: dict[Law, LawFit]
    seeds: int
    rounds: int

    @property
    def sentence(self) -> str:
        """Summary sentence, for example "alpha = 0.12 [0.05, 0.19]; log t preferred"."""
        text = f"alpha = {self.alpha:.2f}"
        if self.interval is None:
            return f"{text}; undecided (one seed cannot tell)"
        low, high = self.interval
        text += f" [{low:.2f}, {high:.2f}]"
        if self.preferred != "undecided":
            return f"{text}; {WORDS[self.preferred]} preferred"
        best = max(self.shares, key=lambda law: self.shares[law])
        return f"{text}; undecided ({WORDS[best]} in {self.shares[best]:.0%} of resamples)"


def growth(
    rounds: NDArray[Any], curves: NDArray[Any], *, resamples: int = RESAMPLES, seed: int = 0
) -> Growth:
    """Fit the laws to curves over seeds and choose between them.

    t^alpha has one more constant than the two simple laws and contains one of them: it wins a resample
    only where its squared prediction error is less than half the best simple law's.

    Args:
        rounds: [n] increasing rounds >= 1, log-spaced; at least 4 up to T/2 and 2 after it.
        curves: [n, R] one cumulative curve per seed.
        resamples: number of bootstrap resamples of the seeds, >= 1.
        seed: seed of the resampling.

    Raises:
        InputError: too few rounds, or values that are not finite.
    """
    t = np.asarray(rounds, dtype=np.float64)
    values = np.asarray(curves, dtype=np.float64)
    later = t > t[-1] / 2.0
    if values.ndim != 2 or len(values) != len(t) or not np.isfinite(values).all():
        raise InputError("growth laws need finite curves [rounds, seeds]")
    if later.sum() < 2 or (~later).sum() < 4:
        raise InputError("growth laws need at least 4 rounds up to T/2 and 2 after it; play more rounds")
    mean = values.mean(1)
    replicas = values.shape[1]
    shares, alphas = _bootstrap(t, values, later, resamples, seed)
    interval = None if replicas < 2 else tuple(float(bound) for bound in np.quantile(alphas, (0.025, 0.975)))
    best = max(LAWS, key=lambda law: shares[law])
    decided = replicas > 1 and shares[best] >= WINS
    fits = {law: fit(law, t, mean) for law in LAWS}
    grown = abs(float(mean[-1] - mean[~later][-1])) or np.nan
    return Growth(
        preferred=best if decided else "undecided",
        alpha=fits["power"].alpha,
        interval=None if interval is None else (interval[0], interval[1]),
        shares=shares,
        errors={law: error / grown for law, error in prediction_errors(t, mean, later).items()},
        fits=fits,
        seeds=replicas,
        rounds=int(t[-1]),
    )


def growth_of(frame: pd.DataFrame, column: str = "regret") -> Growth:
    """Return the growth of a column in the log of one agent on one data set; errors as for `growth`."""
    table = frame.pivot(index="round", columns="seed", values=column)
    return growth(table.index.to_numpy(), table.to_numpy())


def prediction_errors(rounds: Array, curve: Array, later: NDArray[np.bool_]) -> dict[Law, float]:
    """Return the prediction error on the later rounds of every law, fitted to the earlier ones.

    Root mean squared error of the increments since the last earlier round: a common offset from the
    earlier rounds does not count as growth.

    Args:
        rounds: [n] rounds t >= 1.
        curve: [n] cumulative curve.
        later: [n] mask of the predicted rounds.
    """
    last = int(np.flatnonzero(~later)[-1])
    true = curve[later] - curve[last]
    errors: dict[Law, float] = {}
    for law in LAWS:
        fitted = fit(law, rounds[~later], curve[~later]).at(rounds)
        error = fitted[later] - fitted[last] - true
        errors[law] = float(np.sqrt(np.square(error).mean()))
    return errors


def winner(errors: dict[Law, float]) -> Law:
    """Return the law of least prediction error; the power law must win by `MARGIN`."""
    simple: Law = "log" if errors["log"] <= errors["sqrt"] else "sqrt"
    return "power" if errors["power"] ** 2 < MARGIN * errors[simple] ** 2 else simple


def _bootstrap(
    rounds: Array, curves: Array, later: NDArray[np.bool_], resamples: int, seed: int
) -> tuple[dict[Law, float], Array]:
    """Return the share of resamples that each law wins, and the fitted exponents [resamples]."""
    rng = np.random.default_rng(seed)
    replicas = curves.shape[1]
    wins = dict.fromkeys(LAWS, 0)
    alphas = np.empty(resamples)
    for i in range(resamples):
        mean = curves[:, rng.integers(replicas, size=replicas)].mean(1)
        wins[winner(prediction_errors(rounds, mean, later))] += 1
        alphas[i] = fit("power", rounds, mean).alpha
    return {law: count / resamples for law, count in wins.items()}, alphas
