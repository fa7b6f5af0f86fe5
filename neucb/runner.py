"""run: from an agent and a data set to a DataFrame; and Run, the same with its circumstances."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from gymnasium.vector import VectorEnv

from neucb.agents.hyper import check_counts
from neucb.agents.initial import step_share
from neucb.candidate import Candidate, find_candidate
from neucb.engines.choice import choose
from neucb.engines.engine import Engine, Lockstep
from neucb.environments.make import EnvironmentOptions, make_environment
from neucb.environments.preprocessing import Encoded
from neucb.environments.ranking import Ranking
from neucb.environments.table import Table
from neucb.errors import DivergedError, InputError
from neucb.log import RunLog
from neucb.loop import Progress
from neucb.plugins import find_dataset
from neucb.seeds import parse_seeds
from neucb.spec import Spec
from neucb.trace import Trace

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from neucb.agents.agent import Agent
    from neucb.environments.classification import ClassificationVectorEnv
    from neucb.trained import Trained

    AnyVectorEnv = VectorEnv[Any, Any, Any]
    Dataset = str | Table | Encoded | Ranking | pd.DataFrame | AnyVectorEnv


@dataclass
class Run:
    """One agent on one environment, R seeds: ready to be played, or played.

    Attributes:
        player: plays the rounds.
        candidate: the agent, as it was named or given.
        env: the environment, num_envs = R.
        log: the figures; filled by `play`.
        environment: what the result has to say of its data: data set, source, preprocessing, ...
        engine: "compiled" or "torch", which plays the rounds.
        agent: that plays, in the torch engine.
        seconds: time that the rounds took, loading and compiling excluded.
        extra: further columns of the frame, of as many values as its rows.
    """

    player: Engine
    candidate: Candidate
    env: AnyVectorEnv
    log: RunLog
    environment: dict[str, Any]
    engine: str
    agent: Agent | None = None
    seconds: float = 0.0
    extra: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def agent_name(self) -> str:
        """The agent's name in the log."""
        return self.candidate.name

    @property
    def settings(self) -> dict[str, Any]:
        """The agent's hyper-parameters, all of them."""
        return self.candidate.settings

    def trained(self) -> Trained:
        """Return the agent as it is after the rounds played; for runs prepared with `return_agent`."""
        assert self.agent is not None
        log = self.log
        return self.candidate.trained_by(self.agent, log.round, log.spec, self.environment)

    def load(self) -> None:
        """Import or compile what playing needs; `play` does it where this was not called."""
        self.player.load()

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; what has been played stays in `log` whatever happens."""
        self.load()
        started = time.perf_counter()
        try:
            self.player.play(progress)
        except DivergedError as error:
            raise self._named(error) from error
        finally:
            self.seconds = time.perf_counter() - started

    def _named(self, error: DivergedError) -> DivergedError:
        """Return the error with the agent's name and its step size."""
        words, settings = f"{self.agent_name}, {error}", self.settings
        if error.round is not None and error.replica is not None and "lr" in settings:
            lr, power = (
                value[error.replica] if isinstance(value, tuple) else value
                for value in (settings["lr"], settings["lr_power"])
            )
            rate = f"lr = {lr:g}"
            recipe = self.candidate.recipe
            if recipe is not None and recipe.kind != "supervised" and "epochs" not in recipe.wrapper:
                share = step_share(settings["width"], settings["init"], settings["depth"])
                rate += f", {share * lr / (error.round + 1) ** power:.3g} in this round"
            words = words.replace("(lr)", f"({rate})")
        return DivergedError(words, error.round, error.replica)

    @property
    def rounds_per_second(self) -> float:
        """Rounds of all replicas together per second of playing."""
        return self.log.round * self.log.spec.replicas / self.seconds

    def frame(self) -> pd.DataFrame:
        """Return the tidy log, one row per seed and kept round (see `RunLog`), hyper-parameters last.

        `frame.attrs` holds the source of the data, the engine and the seconds played.
        """
        dataset = self.environment["dataset"]
        frame = self.log.frame({"agent": self.agent_name, "dataset": dataset, **self.settings})
        frame = frame.assign(**self.extra)
        frame.attrs.update(self.environment, engine=self.engine, seconds=self.seconds)
        return frame


def prepare(
    agent: str | Agent = "kl-perturbed",
    dataset: Dataset = "covertype",
    rounds: int | None = None,
    seeds: int | str | Iterable[int] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    delay: int = 0,
    batch: int = 1,
    engine: str = "auto",
    device: str = "cpu",
    dtype: str = "float32",
    return_agent: bool = False,
    trace: bool = False,
    notify: Callable[[str], None] = warnings.warn,
    **environment: Unpack[EnvironmentOptions],
) -> Run:
    """Return a run that is ready to be played. Arguments and errors as for `run`.

    `notify` gets a line when something else is played than was asked for.
    """
    candidate = find_candidate(agent, settings)
    late = delay != 0 or batch != 1
    _check_device(device)
    if rounds is not None and rounds < 1:
        raise InputError(f"rounds must be at least 1, not {rounds}")
    env: AnyVectorEnv
    data = find_dataset(dataset) if isinstance(dataset, str) else None
    if seeds is None and not isinstance(dataset, VectorEnv):
        seeds = 5 if candidate.trained is None else candidate.trained.spec.seeds
    if data is not None:
        dataset = data.call(num_envs=len(parse_seeds(seeds or 0)))
        if isinstance(dataset, str):
            raise InputError(f"{data.reference} gives text; it must give a table, a DataFrame or a VectorEnv")
    if isinstance(dataset, VectorEnv):
        if environment:
            raise InputError(f"an environment has its own options; leave out {', '.join(environment)}")
        env = dataset
        numbers = parse_seeds(env.num_envs if seeds is None else seeds)
    elif isinstance(dataset, str | Table | Encoded | Ranking) or hasattr(dataset, "iloc"):
        numbers = parse_seeds(seeds or 0)
        env = make_environment(dataset, len(numbers), rounds, environment, notify)
        rounds = None
    else:
        raise InputError("the data set must be a name, a table, a DataFrame or a gymnasium VectorEnv")
    unnamed = {"dataset": type(env.unwrapped).__name__, "source": "environment"}
    about = env.describe() if hasattr(env, "describe") else unnamed
    if data is not None:
        about |= {"dataset": data.name, "code": data.origin}
    if late:
        about |= {"delay": delay, "batch": batch}
    spec = _spec(env, numbers, rounds, device, dtype)
    log = RunLog(spec, Trace(spec) if trace else None)
    recipe, chosen = candidate.recipe, candidate.settings
    check_counts(chosen, spec.seeds)
    if return_agent and engine == "auto":
        engine = "torch"
    taken = choose(engine, recipe, chosen, env, spec, late=late)
    player: Engine
    if recipe is not None and taken == "compiled":
        if return_agent:
            raise InputError("the compiled engine keeps no trained agent; use the torch engine")
        from neucb.engines.compiled import Compiled

        player, made = Compiled(recipe, chosen, cast("ClassificationVectorEnv", env), log), None
    else:
        made = candidate.make()
        player = Lockstep(_delayed(made, delay, batch), env, log)
    return Run(player, candidate, env, log, about, taken, made)


def _delayed(agent: Agent, delay: int, batch: int) -> Agent:
    if delay == 0 and batch == 1:
        return agent
    from neucb.agents.delay import Delayed

    return Delayed(agent, delay=delay, batch=batch)


class RunOptions(EnvironmentOptions, total=False):
    """What `run` takes by name, for the type checker; see there."""

    settings: Mapping[str, Any] | None
    delay: int
    batch: int
    engine: str
    device: str
    dtype: str
    progress: Progress | None


Seeds = int | str | Iterable[int] | None


@overload
def run(
    agent: str | Agent = ...,
    dataset: Dataset = ...,
    rounds: int | None = ...,
    seeds: Seeds = ...,
    *,
    return_agent: Literal[False] = ...,
    trace: Literal[False] = ...,
    **options: Unpack[RunOptions],
) -> pd.DataFrame: ...


@overload
def run(
    agent: str | Agent = ...,
    dataset: Dataset = ...,
    rounds: int | None = ...,
    seeds: Seeds = ...,
    *,
    return_agent: Literal[True],
    trace: Literal[False] = ...,
    **options: Unpack[RunOptions],
) -> tuple[pd.DataFrame, Trained]: ...


@overload
def run(
    agent: str | Agent = ...,
    dataset: Dataset = ...,
    rounds: int | None = ...,
    seeds: Seeds = ...,
    *,
    return_agent: Literal[False] = ...,
    trace: Literal[True],
    **options: Unpack[RunOptions],
) -> tuple[pd.DataFrame, pd.DataFrame]: ...


@overload
def run(
    agent: str | Agent = ...,
    dataset: Dataset = ...,
    rounds: int | None = ...,
    seeds: Seeds = ...,
    *,
    return_agent: Literal[True],
    trace: Literal[True],
    **options: Unpack[RunOptions],
) -> tuple[pd.DataFrame, Trained, pd.DataFrame]: ...


def run(
    agent: str | Agent = "kl-perturbed",
    dataset: Dataset = "covertype",
    rounds: int | None = None,
    seeds: Seeds = None,
    *,
    settings: Mapping[str, Any] | None = None,
    delay: int = 0,
    batch: int = 1,
    engine: str = "auto",
    device: str = "cpu",
    dtype: str = "float32",
    progress: Progress | None = None,
    return_agent: bool = False,
    trace: bool = False,
    **environment: Unpack[EnvironmentOptions],
) -> Any:
    """Play R replicas of an agent, one per seed, and return their cumulative figures.

    Args:
        agent: a recipe's name, "file.py:Name" or "package.module:Name" (a class or function that
            needs no arguments), the name of an installed one, any object with the `Agent` contract, or
            a `Trained` agent or the file of one: a copy of it goes on where it was.
        dataset: a name of the catalogue, "openml:<id>", a file, "synthetic:<world>", a pandas
            DataFrame, a `Table`, or any `VectorEnv` with R sub-environments whose step info carries
            what `ClassificationVectorEnv` documents; or "file.py:name" or "package.module:name" of a
            function that returns one of the last three, or of a `VectorEnv` made from `num_envs`.
        rounds: T; 10,000 by default, or the rows there are, or the environment's horizon.
        seeds: 5 (0 to 4), "10:20", "3,7", or the numbers; 5 by default, or one per sub-environment.
        settings: hyper-parameters of a named agent; a number, or a list with one number per seed.
        delay: rounds by which the agent hears late of its losses, see `Delayed`.
        batch: rounds of which the agent hears together.
        engine: "compiled", "torch", or "auto": compiled where it covers the agent and the
            environment. Both compute the same; in float64 they take the same actions.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64", of networks.
        progress: called with the number of rounds played, after every round (torch) or every
            tenth of a second (compiled).
        return_agent: return the agent too, see `Trained`. With engine "auto" the torch engine plays it, as
            `frame.attrs["engine"]` says.
        trace: return every round too, see `Trace`.
        environment: preprocessing, label_noise, order and more, see `EnvironmentOptions`.

    Returns:
        One row per seed and log-spaced round, the last one included: agent, dataset, seed, round,
        loss, regret, L_star, L_star_realised, regression_loss, regression_log_loss,
        squared_regression_regret, log_regression_regret, squared_error, triangular_error, best_fixed_arm
        (all cumulative), propensity, distance, spread (see `RunLog`) and the hyper-parameters. With
        `return_agent` or `trace` a tuple:
        this frame, then the trained agent, then the frame of the trace.

    Raises:
        InputError: an argument is wrong; DataError: the data cannot be had.
        DivergedError: the agent's numbers are no longer finite.
    """
    job = prepare(
        agent,
        dataset,
        rounds,
        seeds,
        settings=settings,
        delay=delay,
        batch=batch,
        engine=engine,
        device=device,
        dtype=dtype,
        return_agent=return_agent,
        trace=trace,
        **environment,
    )
    job.play(progress)
    results: list[Any] = [job.frame()]
    if return_agent:
        results.append(job.trained())
    if job.log.trace is not None:
        results.append(job.log.trace.frame(job.log.round))
    return tuple(results) if len(results) > 1 else results[0]


def _spec(env: AnyVectorEnv, seeds: tuple[int, ...], rounds: int | None, device: str, dtype: str) -> Spec:
    """Read the shape of a run off its environment."""
    if len(seeds) != env.num_envs:
        raise InputError(f"{len(seeds)} seeds for an environment of {env.num_envs} replicas")
    shape = env.single_observation_space.shape
    arms = getattr(env.single_action_space, "n", None)
    if arms is None or shape is None or not (len(shape) == 1 or (len(shape) == 2 and shape[0] == arms)):
        raise InputError("the environment needs contexts [d] or [K, d] and a Discrete action space of K arms")
    horizon = getattr(env, "horizon", None)
    if rounds is None and horizon is None:
        raise InputError("say how many rounds: this environment has no horizon")
    if rounds is not None and horizon is not None and rounds > horizon:
        raise InputError(f"the environment has {horizon} rounds, not {rounds}")
    return Spec(
        seeds, int(arms), int(shape[-1]), int(rounds or horizon or 0), device, dtype, per_arm=len(shape) == 2
    )


def _check_device(device: str) -> None:
    if device == "cpu":
        return
    import torch

    if device.split(":")[0] != "cuda":
        raise InputError(f"device must be cpu or cuda, not {device}")
    if not torch.cuda.is_available():
        raise InputError("no CUDA device is available to torch; use the cpu")
