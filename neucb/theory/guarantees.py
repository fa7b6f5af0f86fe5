"""Regret guarantees of SquareCB and FastCB, computed from the metrics in a run's log.

The per-round inequality holds for the rule's probabilities p and predictions yhat of a round and any mean
losses h:

- SquareCB's rule: regret <= 2 K / gamma + (gamma / 4) E_p (yhat_a - h_a)^2. Foster and Rakhlin, ICML 2020
  (arXiv 2002.04926), Lemma 3.
- FastCB's rule, gamma >= 2 K: regret <= (5 K / gamma) p.h + 7 gamma E_p (yhat_a - h_a)^2 / (yhat_a + h_a).
  Foster and Krishnamurthy, NeurIPS 2021 (arXiv 2107.02237), as we read it.

The log sums the errors of the played arms, whose expectation is E_p of the errors: so the sum over the
rounds bounds regret in expectation. Between two kept rounds the first term takes the least gamma and
the second the largest. gamma is nondecreasing except for one fall in FALCON's epochs with a small scale:
from 1 in the first epoch, rounds 1 and 2, to scale sqrt(2 K) in round 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neucb.agents.rules.inverse_gap import FastInverseGap, InverseGap
from neucb.core.constants import DELTA
from neucb.theory.bounds import squarecb_bound

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

WORDS = {"theorem": "theorem of SquareCB", "inequality": "inequality of every round, summed"}


@dataclass(frozen=True)
class Guarantee:
    """Upper bound of a run's regret.

    Attributes:
        kind: "theorem", SquareCB's bound at the horizon, which holds with probability 0.95, where gamma
            followed the theorem for a regression regret that no run exceeded, and for predictions in
            [0, 1]; otherwise "inequality", the sum of the per-round inequalities, in expectation.
        rounds: [n] kept rounds; only the last one for "theorem".
        bound: [n] mean bound over seeds.
        regression_regret: mean over seeds of the unhalved squared loss's regression regret against h.
    """

    kind: Literal["theorem", "inequality"]
    rounds: NDArray[np.int64]
    bound: Array
    regression_regret: float


def guarantee(rows: pd.DataFrame, arms: int) -> Guarantee | None:
    """Return the guarantee of an agent's runs on one data set.

    None for a rule without such a theorem, gamma < 2 K under FastCB's rule, delayed feedback, or a log
    without the required columns.

    Args:
        rows: log rows of one competitor on one data set, hyper-parameters included.
        arms: K.
    """
    from neucb.agents.recipes.registry import RECIPES

    recipe = RECIPES.get(str(rows["agent"].iloc[0]))
    if recipe is None or recipe.rule not in (InverseGap, FastInverseGap):
        return None
    if "world" in rows and rows["world"].str.contains("delay|batch").any():
        return None
    error = "squared_error" if recipe.rule is InverseGap else "triangular_error"
    names = [part.name for part in recipe.parameters if part.name.startswith(("gamma", "best", "regression"))]
    if not {error, "squared_regression_regret", *names} <= set(rows.columns) or rows[error].isna().any():
        return None
    tables = {
        name: rows.pivot(index="round", columns="seed", values=name)
        for name in (error, "loss", "regret", "L_star", "squared_regression_regret", *names)
    }
    t = tables[error].index.to_numpy()
    sums = {name: table.to_numpy(dtype=np.float64) for name, table in tables.items() if name not in names}
    settings = {name: tuple(tables[name].iloc[0]) for name in names}
    regret = sums["squared_regression_regret"][-1]
    theory = set(settings["gamma_schedule"]) == {"theory"} and recipe.rule is InverseGap
    if theory and (regret <= settings["regression_regret"]).all():
        bound = [squarecb_bound(arms, int(t[-1]), value, DELTA) for value in settings["regression_regret"]]
        return Guarantee("theorem", t[-1:], np.array([np.mean(bound)]), float(regret.mean()))
    low, high = _gammas(recipe, settings, sums["loss"], t, arms)
    played = np.diff(t, prepend=0)[:, None]
    errors = np.diff(sums[error], axis=0, prepend=0.0)
    if recipe.rule is InverseGap:
        steps = 2.0 * arms * played / low + high / 4.0 * errors
    elif low.min() < 2.0 * arms:
        return None
    else:
        expected = np.diff(sums["regret"] + sums["L_star"], axis=0, prepend=0.0)
        steps = 5.0 * arms / low * expected + 7.0 * high * errors
    return Guarantee("inequality", t, np.cumsum(steps, axis=0).mean(1), float(regret.mean()))


def _gammas(
    recipe: Any, own: dict[str, tuple[Any, ...]], loss: Array, rounds: NDArray[np.int64], arms: int
) -> tuple[Array, Array]:
    """Return the least and the largest gamma [n, R] since the previous kept round, by the rule's schedule."""
    import torch

    from neucb.agents.prediction import Round
    from neucb.agents.recipes.build import make_rule

    settings = {name: values[0] if name == "gamma_schedule" else values for name, values in own.items()}
    rule: InverseGap | FastInverseGap = make_rule(recipe, settings)  # type: ignore[assignment]

    def gamma_at(number: int, observed: Array) -> Array:
        gamma: Array = rule.gamma(Round(number, torch.tensor(observed), int(rounds[-1])), arms).numpy()
        return gamma

    before = np.vstack([np.zeros_like(loss[:1]), loss[:-1]])
    first = np.concatenate([[0], rounds[:-1]]) + 1
    fall = np.clip(3, first, rounds)
    start, third = (
        np.stack([gamma_at(int(t), seen) for t, seen in zip(times, before, strict=True)])
        for times in (first, fall)
    )
    end = np.stack([gamma_at(int(t), seen) for t, seen in zip(rounds, loss, strict=True)])
    return np.minimum(start, third), np.maximum(start, end)
