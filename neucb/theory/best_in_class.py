"""Best-in-class fit in hindsight: L* of an agent's model class, and regression regret against it.

The class is the agent's model class, two-layer networks on the disjoint encoding or one linear model per
arm, under the agent's loss. It is fitted for many epochs with early stopping on held-out rows and
restarts. The trained loss is an upper bound of the least loss of the class, so that L* of the class is at
most, and regression regret at least, the returned value. The error of the fit is returned with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neucb.agents.losses import KL, Squared
from neucb.agents.recipes.oracles import LINEAR, NEURAL
from neucb.core.errors import InputError
from neucb.core.metrics import log_spaced, regression_losses
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.contexts import dense_rows
from neucb.environments.orders.order import FixedOrder
from neucb.theory.fitting import ClassFit, FittingData, Model, Training, train

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe

Array = NDArray[np.float64]

SIZES = {"intercept": 0.1, "width": 100}  # default sizes of networks
USUAL = Training()
SWEPT = Training(restarts=2)  # sweeps fit the class on many data sets
COLUMNS = ("L_star_class", "class_spread", "class_trained", "class_held_out")


def fit_class(
    recipe: Recipe,
    contexts: NDArray[Any],
    losses: Array,
    played: NDArray[np.int64] | None = None,
    *,
    intercept: float = 0.1,
    width: int = 100,
    training: Training = USUAL,
) -> ClassFit:
    """Fit an agent's model class to losses in hindsight.

    Args:
        recipe: recipe of the agent: its oracle is the class, its loss the objective.
        contexts: [N, d].
        losses: [N, K] losses in [0, 1] of all arms; with `played` only the played arms' losses count.
        played: [N] arms for a fit on the played pairs; None for full information.
        intercept: constant input of networks; linear models have 1.
        width: m of networks.
        training: hyper-parameters of the fit.

    Raises:
        InputError: the oracle is neither neural nor linear, or there are too few rows.
    """
    import torch

    check_class(recipe, {})
    rows, arms = losses.shape
    held = max(1, round(training.held_out * rows))
    if rows - held < 2:
        raise InputError(f"a fit in hindsight needs more than {rows} rows")
    constant = intercept if recipe.oracle == NEURAL else 1.0
    x = torch.from_numpy(np.hstack([contexts, np.full((rows, 1), constant)]).astype(np.float32))
    weight = np.ones((rows, arms)) if played is None else np.eye(arms)[played]
    data = FittingData(x, torch.from_numpy(losses).float(), torch.from_numpy(weight).float())
    shuffled = torch.from_numpy(np.random.default_rng(training.seed).permutation(rows))
    parts = shuffled[held:], shuffled[:held]
    fits = []
    for restart in range(training.restarts):
        generator = torch.Generator().manual_seed(1000 * training.seed + restart)
        model = Model(arms, x.shape[1], width if recipe.oracle == NEURAL else 0, generator)
        fits.append(train(model, "kl" if recipe.loss is KL else "squared", data, parts, training, generator))
    totals = [fit.trained * len(parts[0]) + fit.held_out * held for fit in fits]
    best = fits[int(np.argmin(totals))]
    spread = (max(totals) - min(totals)) / rows
    return ClassFit(best.predicted, best.trained, best.held_out, best.epochs, spread)


@dataclass(frozen=True)
class ClassLoss:
    """Cumulative loss of the best fitted policy of a class in a run of R replicas.

    Attributes:
        rounds: [n] kept rounds.
        best_loss: [R, n] cumulative expected loss up to these rounds, L_star_class.
        fits: R fits, one per replica.
    """

    rounds: NDArray[np.int64]
    best_loss: Array
    fits: tuple[ClassFit, ...]

    def columns(self) -> dict[str, Array]:
        """Return the columns of a log, one value per replica and kept round, in that order.

        L_star_class; class_spread, the largest difference in mean loss between restarts of the fit;
        class_trained and class_held_out, its mean loss on the training and on the held-out rows.
        """
        errors = [(fit.spread, fit.trained, fit.held_out) for fit in self.fits]
        repeated = np.repeat(np.array(errors), len(self.rounds), axis=0).T
        return dict(zip(COLUMNS, (self.best_loss.ravel(), *repeated), strict=True))


class PlayedRun(Protocol):
    """A run of a named agent, played with a trace."""

    log: Any  # the RunLog of the engines, which are not below this package
    extra: dict[str, Array]

    @property
    def env(self) -> object:
        """The environment."""

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of the agent, None for an agent without a recipe."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All hyper-parameters of the agent."""


def class_loss(run: PlayedRun, training: Training = USUAL) -> ClassLoss:
    """Fit the class of a run's agent to all losses of its rows.

    Args:
        run: a run played on classification data with a trace.
        training: hyper-parameters of the fit.

    Raises:
        InputError: another environment, no trace, or as `fit_class`.
    """
    rounds, best, fits = _kept_rounds(run), [], []
    for recipe, sizes, x, expected, _, _ in _replicas(run):
        fit = fit_class(recipe, x, expected, training=training, **sizes)
        best.append(np.cumsum(fit.policy_losses(expected))[rounds - 1])
        fits.append(fit)
    return ClassLoss(rounds, np.stack(best), tuple(fits))


def world_loss(
    env: ClassificationVectorEnv, seed: int, recipe: Recipe, sizes: Mapping[str, Any]
) -> ClassLoss:
    """Fit an agent's class to all losses of a seed's rows, independently of the played arms.

    The kept rounds are the log-spaced ones of a log.

    Args:
        env: the environment.
        seed: seed of a replica.
        recipe: recipe of the agent.
        sizes: intercept and width of a network.

    Raises:
        InputError: the rows depend on the played arms, or as `fit_class`.
    """
    script = env.script(seed)
    if not isinstance(script.order, FixedOrder):
        raise InputError(f"the rows of order {env.order} depend on the agent: no policy is best for all")
    expected = env.feedback.expected[script.label]
    fit = fit_class(recipe, dense_rows(env.encoded.contexts, script.rows), expected, training=SWEPT, **sizes)
    rounds = log_spaced(env.horizon)
    return ClassLoss(rounds, np.cumsum(fit.policy_losses(expected))[rounds - 1][None], (fit,))


def class_regression_regret(run: PlayedRun, training: Training = USUAL) -> tuple[NDArray[np.int64], Array]:
    """Return the kept rounds [n], and the oracle's regression regret to its class [R, n] on the played pairs.

    The class is fitted in hindsight to these pairs. The loss is the agent's: unhalved squared loss of
    predictions clipped to [0, 1], or KL. Arguments and errors as for `class_loss`.
    """
    rounds, regret = _kept_rounds(run), []
    squared = run.recipe is not None and run.recipe.loss is Squared
    column = "regression_loss" if squared else "regression_log_loss"
    oracle = run.log.frame({})[column].to_numpy().reshape(run.log.spec.replicas, -1)
    for total, (recipe, sizes, x, expected, action, loss) in zip(oracle, _replicas(run), strict=True):
        observed, pairs = np.zeros_like(expected), (np.arange(len(x)), action)
        observed[pairs] = loss
        fit = fit_class(recipe, x, observed, action, training=training, **sizes)
        best = regression_losses(fit.predicted[pairs], loss)[0 if squared else 1]
        regret.append(total - np.cumsum(best)[rounds - 1])
    return rounds, np.stack(regret)


def check_best_in_class(run: PlayedRun) -> None:
    """Check before a run that its agent's class can be fitted in hindsight.

    Raises:
        InputError: the agent, the environment or the missing trace does not allow it.
    """
    recipe = run.recipe
    if recipe is None or run.log.trace is None or not isinstance(run.env, ClassificationVectorEnv):
        raise InputError("a class in hindsight needs a named agent, classification data and a trace")
    check_class(recipe, run.settings)


def add_best_in_class(run: PlayedRun, training: Training = USUAL) -> None:
    """Add hindsight columns to the frame of a played run.

    Columns: see `ClassLoss.columns`, and class_regression_regret, see the function of that name. Arguments
    and errors as for `class_loss`.
    """
    regret = class_regression_regret(run, training)[1].ravel()
    run.extra = {**class_loss(run, training).columns(), "class_regression_regret": regret}


def check_class(recipe: Recipe, settings: Mapping[str, Any]) -> None:
    """Check that the class of an agent with these hyper-parameters can be fitted in hindsight.

    Raises:
        InputError: the oracle is neither neural nor linear, or a setting leaves the class.
    """
    if recipe.loss not in (Squared, KL):
        raise InputError(f"a class in hindsight is fitted by squared or KL loss, not by '{recipe.loss.name}'")
    if recipe.oracle not in (NEURAL, LINEAR):
        raise InputError(f"{recipe.name} has no class of its own: its oracle is neither neural nor linear")
    for name, only in (("depth", 1), ("feature_map", "linear")):
        value = settings.get(name, only)
        if value != only:
            raise InputError(f"a class in hindsight is that of {name}={only}, not of {name}={value}")


def sizes_of(settings: Mapping[str, Any], replica: int) -> dict[str, Any]:
    """Return intercept and width of a replica's network."""
    sizes = {name: settings.get(name, default) for name, default in SIZES.items()}
    return {name: value[replica] if isinstance(value, tuple) else value for name, value in sizes.items()}


def _kept_rounds(run: PlayedRun) -> NDArray[np.int64]:
    frame = run.log.frame({})
    rounds: NDArray[np.int64] = frame["round"].to_numpy()
    return rounds[: len(frame) // run.log.spec.replicas]


def _replicas(
    run: PlayedRun,
) -> Iterator[tuple[Recipe, dict[str, Any], Array, Array, NDArray[np.int64], Array]]:
    """Yield recipe, network sizes, contexts, expected losses, arms and losses of every replica."""
    check_best_in_class(run)
    recipe, trace, env = run.recipe, run.log.trace, run.env
    assert recipe is not None
    assert trace is not None
    assert isinstance(env, ClassificationVectorEnv)
    frame = trace.frame(run.log.round)
    for r, seed in enumerate(run.log.spec.seeds):
        rows = frame[frame["seed"] == seed]
        sizes = sizes_of(run.settings, r)
        expected = env.feedback.expected[rows["class_label"].to_numpy()]
        x: NDArray[Any] = dense_rows(env.encoded.contexts, rows["row"].to_numpy())
        yield recipe, sizes, x, expected, rows["action"].to_numpy(), rows["loss"].to_numpy()
