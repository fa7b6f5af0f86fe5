"""run: play an agent on a data set and return a DataFrame; and prepare: return the run before play."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from neucb.engines.log import Progress
from neucb.engines.trace import Wanted
from neucb.environments.make import EnvironmentOptions
from neucb.runs.preparation import prepare_run
from neucb.runs.request import RunRequest, Seeds
from neucb.runs.run import Run
from neucb.theory.best_in_class import add_best_in_class, check_best_in_class

if TYPE_CHECKING:
    import pandas as pd

    from neucb.agents.base import Agent
    from neucb.runs.request import Dataset


class RunOptions(EnvironmentOptions, total=False):
    """Types of the options of `run`, for the type checker."""

    settings: Mapping[str, Any] | None
    delay: int
    feedback_batch: int
    engine: str
    device: str
    dtype: str


OWN = RunOptions.__annotations__.keys() - EnvironmentOptions.__annotations__.keys()


def prepare(
    agent: str | Agent = "kl-perturbed",
    dataset: Dataset = "covertype",
    rounds: int | None = None,
    seeds: Seeds = None,
    *,
    keep_agent: bool = False,
    trace: Wanted = False,
    notify: Callable[[str], None] = warnings.warn,
    **options: Unpack[RunOptions],
) -> Run:
    """Return a run that is ready to be played: `play()` it, then read `frame()`, `trace()` and `agent`.

    Args:
        agent: see `run`, as for all arguments not described here.
        dataset: see `run`.
        rounds: see `run`.
        seeds: see `run`.
        keep_agent: keep the trained agent, see `Run.agent`. With engine "auto" the torch engine plays it, as
            `run.engine` says.
        trace: record every round, see `Run.trace`; "full": with the probabilities and predicted losses of all
            arms.
        notify: callback with a line for every deviation from the request, such as left-out rows.
        options: see `run`.

    Raises:
        InputError, DataError: as `run`.
    """
    own: dict[str, Any] = {name: options.pop(name) for name in OWN & options.keys()}  # type: ignore[misc]
    own |= {"keep_agent": keep_agent, "trace": trace, "environment": options}
    return prepare_run(RunRequest(agent, dataset, rounds, seeds, **own), notify)


def run(
    agent: str | Agent = "kl-perturbed",
    dataset: Dataset = "covertype",
    rounds: int | None = None,
    seeds: Seeds = None,
    *,
    settings: Mapping[str, Any] | None = None,
    delay: int = 0,
    feedback_batch: int = 1,
    engine: str = "auto",
    device: str = "cpu",
    dtype: str = "float32",
    best_in_class: bool = False,
    progress: Progress | None = None,
    **environment: Unpack[EnvironmentOptions],
) -> pd.DataFrame:
    """Play R replicas of an agent, one per seed, and return their cumulative metrics.

    Args:
        agent: a recipe's name, "file.py:Name" or "package.module:Name" (a class or function that
            needs no arguments), the name of an installed agent, any object with the `Agent` protocol, a
            `Trained` agent, or the file of one: a copy of it continues from its last round.
        dataset: name in the catalogue, "openml:<id>", a file, "synthetic:<world>", a pandas
            DataFrame, a `Table`, or any `VectorEnv` with R sub-environments, whose episodes may end, see
            `Episodes`, and whose step info may carry the entries of `ClassificationVectorEnv`, losses in
            [0, 1] whatever the range of rewards; or "file.py:name" or "package.module:name" of a
            function that returns one of the last three, or of a `VectorEnv` made from `num_envs`.
        rounds: horizon T; by default 10,000, or the number of rows, or the environment's horizon.
        seeds: number of seeds (5 is 0 to 4), "10:20", "3,7", or a sequence of numbers; 5 by default, or one
            per sub-environment.
        settings: hyper-parameters of a named agent, each a number or a list with one number per seed. Seeds
            with equal integer hyper-parameters (width, updates_per_round, ...) are played together, such
            groups in turn; an interrupted run of several groups is discarded.
        delay: feedback delay in rounds, see `Delayed`.
        feedback_batch: number of rounds whose feedback is delivered together.
        engine: "compiled", "torch", or "auto": compiled where it supports the agent and the
            environment. Both compute the same; in float64 they take the same actions.
        device: device of the torch engine, "cpu" or "cuda".
        dtype: number type of networks, "float32" or "float64".
        best_in_class: fit the best policy of the agent's class afterwards, see `add_best_in_class` of
            `neucb.theory.best_in_class`, whose columns the frame then has.
        progress: callback with the number of rounds played, after every round (torch) or every
            tenth of a second (compiled).
        environment: options of the environment: preprocessing, label_noise, order and more, see
            `EnvironmentOptions`; reward_range for environments of your own.

    Returns:
        One row per seed and log-spaced round, the last one included: agent, dataset, seed, round,
        loss, regret, L_star, L_star_realised, regression_loss, regression_log_loss,
        squared_regression_regret, log_regression_regret, squared_error, triangular_error,
        best_fixed_arm_regret (all cumulative), propensity, parameter_distance, perturbation_rms (see
        `RunLog`) and the hyper-parameters. For the trained agent or the trace of every round use
        `prepare`: `run = neucb.prepare(..., trace=True)`, `run.play()`, `run.frame()`, `run.trace()`,
        `run.agent`.

    Raises:
        InputError: an argument is invalid.
        DataError: the data are not available.
        DivergedError: the agent's predictions or probabilities are no longer finite, or it stalled.
    """
    request = RunRequest(
        agent,
        dataset,
        rounds,
        seeds,
        settings,
        delay,
        feedback_batch,
        engine,
        device,
        dtype,
        trace=best_in_class,
        environment=environment,
    )
    prepared = prepare_run(request)
    if best_in_class:
        check_best_in_class(prepared)
    prepared.play(progress)
    if best_in_class:
        add_best_in_class(prepared)
    return prepared.frame()
