"""The best of an agent's own class in hindsight: L* of the class, and regression regret.

The class is that of the agent's predictions, two-layer networks on the disjoint encoding or one linear
model per arm, under the agent's loss. It is fitted with many passes, early stopping on held-out rows and
restarts; what training reaches is an upper bound of what the class can do, so that L* of the class is at
most, and regression regret at least, the figure given. The fit's own error is given beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.environments.classification import ClassificationVectorEnv
from neucb.errors import InputError
from neucb.log import regression_losses
from neucb.theory.fitting import Data, Fit, Model, Training, train

if TYPE_CHECKING:
    from neucb.agents.recipe import Recipe
    from neucb.runner import Run

Array = NDArray[np.float64]

SIZES = {"intercept": 0.1, "width": 100}  # of networks
USUAL = Training()


def fit_class(
    recipe: Recipe,
    contexts: NDArray[Any],
    losses: Array,
    played: NDArray[np.int64] | None = None,
    *,
    intercept: float = 0.1,
    width: int = 100,
    training: Training = USUAL,
) -> Fit:
    """Fit an agent's class to losses in hindsight.

    Args:
        recipe: of the agent: its oracle says the class, its loss what is minimised.
        contexts: [N, d].
        losses: [N, K] in [0, 1] of all arms; with `played` only the played arms' count.
        played: [N] arms, for a fit on played pairs; None for full information.
        intercept: the constant input of networks; linear models have 1.
        width: m of networks.
        training: how.

    Raises:
        InputError: an agent whose oracle is neither a network nor linear, or too few rows.
    """
    import torch

    _check_class(recipe)
    rows, arms = losses.shape
    held = max(1, round(training.held_out * rows))
    if rows - held < 2:
        raise InputError(f"a fit in hindsight needs more than {rows} rows")
    constant = intercept if recipe.oracle == "neural" else 1.0
    x = torch.from_numpy(np.hstack([contexts, np.full((rows, 1), constant)]).astype(np.float32))
    weight = np.ones((rows, arms)) if played is None else np.eye(arms)[played]
    data = Data(x, torch.from_numpy(losses).float(), torch.from_numpy(weight).float())
    shuffled = torch.from_numpy(np.random.default_rng(training.seed).permutation(rows))
    parts = shuffled[held:], shuffled[:held]
    found = []
    for restart in range(training.restarts):
        generator = torch.Generator().manual_seed(1000 * training.seed + restart)
        model = Model(arms, x.shape[1], width if recipe.oracle == "neural" else 0, generator)
        found.append(train(model, recipe.loss, data, parts, training, generator))
    totals = [one.trained * len(parts[0]) + one.held_out * held for one in found]
    best = found[int(np.argmin(totals))]
    spread = (max(totals) - min(totals)) / rows
    return Fit(best.predicted, best.trained, best.held_out, best.epochs, spread)


@dataclass(frozen=True)
class ClassLoss:
    """What the best policy found of a class loses in a run of R replicas.

    Attributes:
        rounds: [n] the kept rounds.
        best_loss: [R, n] its expected loss up to these, L_star_class.
        fits: one per replica.
    """

    rounds: NDArray[np.int64]
    best_loss: Array
    fits: tuple[Fit, ...]


def class_loss(job: Run, training: Training = USUAL) -> ClassLoss:
    """Fit the class of a run's agent to all losses of its rows.

    Args:
        job: played on classification data, with a trace.
        training: how.

    Raises:
        InputError: another environment, no trace, or as `fit_class`.
    """
    rounds, best, fits = _kept_rounds(job), [], []
    for recipe, sizes, x, expected, _, _ in _replicas(job):
        found = fit_class(recipe, x, expected, training=training, **sizes)
        best.append(np.cumsum(found.policy_losses(expected))[rounds - 1])
        fits.append(found)
    return ClassLoss(rounds, np.stack(best), tuple(fits))


def class_regression_regret(job: Run, training: Training = USUAL) -> tuple[NDArray[np.int64], Array]:
    """Return the kept rounds [n], and the oracle's loss minus that of its class on the played pairs [R, n].

    The class is fitted in hindsight to these pairs. The loss is the agent's own: squared, unhalved, of
    predictions clipped to [0, 1], or KL. Arguments and errors as for `class_loss`.
    """
    rounds, regret = _kept_rounds(job), []
    squared = job.candidate.recipe is not None and job.candidate.recipe.loss == "squared"
    column = "regression_loss" if squared else "regression_log_loss"
    own = job.log.frame({})[column].to_numpy().reshape(job.log.spec.replicas, -1)
    for mine, (recipe, sizes, x, expected, action, loss) in zip(own, _replicas(job), strict=True):
        seen, at = np.zeros_like(expected), (np.arange(len(x)), action)
        seen[at] = loss
        found = fit_class(recipe, x, seen, action, training=training, **sizes)
        best = regression_losses(found.predicted[at], loss)[0 if squared else 1]
        regret.append(mine - np.cumsum(best)[rounds - 1])
    return rounds, np.stack(regret)


def check_hindsight(job: Run) -> None:
    """Say before a run is played that its agent's class can be fitted in hindsight.

    Raises:
        InputError: it cannot.
    """
    recipe = job.candidate.recipe
    if recipe is None or job.log.trace is None or not isinstance(job.env, ClassificationVectorEnv):
        raise InputError("a class in hindsight needs a named agent, classification data and a trace")
    _check_class(recipe)
    for name, only in (("depth", 1), ("features", "linear")):
        given = job.settings.get(name, only)
        if given != only:
            raise InputError(f"a class in hindsight is that of {name}={only}, not of {name}={given}")


def add_hindsight(job: Run, training: Training = USUAL) -> None:
    """Add to the frame of a played run what is known in hindsight.

    Columns: L_star_class, the expected loss of the best policy found of the agent's class; class_spread, the
    difference in mean loss between the restarts of its fit; class_regression_regret, see
    `class_regression_regret`. Arguments and errors as for `class_loss`.
    """
    best = class_loss(job, training)
    spread = [fit.spread for fit in best.fits]
    job.extra = {
        "L_star_class": best.best_loss.ravel(),
        "class_spread": np.repeat(spread, len(best.rounds)),
        "class_regression_regret": class_regression_regret(job, training)[1].ravel(),
    }


def _check_class(recipe: Recipe) -> None:
    if recipe.oracle not in ("neural", "linear"):
        raise InputError(f"{recipe.name} has no class of its own: its oracle is neither neural nor linear")


def _kept_rounds(job: Run) -> NDArray[np.int64]:
    frame = job.log.frame({})
    return frame["round"].to_numpy()[: len(frame) // job.log.spec.replicas]


def _replicas(job: Run) -> Iterator[tuple[Recipe, dict[str, Any], Array, Array, NDArray[np.int64], Array]]:
    """Yield recipe, sizes of the network, contexts, expected losses, arms and losses of every replica."""
    check_hindsight(job)
    recipe, trace, env = job.candidate.recipe, job.log.trace, job.env
    assert recipe is not None
    assert trace is not None
    assert isinstance(env, ClassificationVectorEnv)
    frame = trace.frame(job.log.round)
    for r, seed in enumerate(job.log.spec.seeds):
        own = frame[frame["seed"] == seed]
        sizes = {name: job.settings.get(name, usual) for name, usual in SIZES.items()}
        sizes = {name: value[r] if isinstance(value, tuple) else value for name, value in sizes.items()}
        expected = env.feedback.expected[own["label"].to_numpy()]
        x = env.encoded.contexts[own["context"].to_numpy()]
        yield recipe, sizes, x, expected, own["action"].to_numpy(), own["loss"].to_numpy()
