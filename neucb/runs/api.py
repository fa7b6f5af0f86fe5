"""run: from an agent and a data set to a DataFrame; and prepare: the same, ready to be played."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, overload

from gymnasium import Env
from gymnasium.vector import VectorEnv

from neucb.agents.per_replica import check_counts
from neucb.core.errors import InputError
from neucb.core.files import check_text
from neucb.core.seeds import parse_seeds
from neucb.core.spec import attribute, check_device, read_spec
from neucb.engines.choose import choose
from neucb.engines.engine import Engine, Lockstep
from neucb.engines.groups import Groups, Part, check_several, groups_of, uneven
from neucb.engines.log import Progress, RunLog
from neucb.engines.trace import Wanted, make_trace
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.episodes import is_trusted
from neucb.environments.make import READING, EnvironmentOptions, make_environment
from neucb.environments.preprocessing import Encoded
from neucb.environments.ranking import Ranking
from neucb.environments.rewards import UNIT, check_reward_range
from neucb.environments.table import Table
from neucb.environments.tables.table_file import ArrowStream, is_frame
from neucb.runs.plugins import find_dataset
from neucb.runs.resolved_agent import find_candidate
from neucb.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from neucb.agents.base import Agent
    from neucb.runs.checkpoint import Trained

    AnyVectorEnv = VectorEnv[Any, Any, Any]
    Dataset = str | Table | Encoded | Ranking | pd.DataFrame | ArrowStream | AnyVectorEnv


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
    trace: Wanted = False,
    notify: Callable[[str], None] = warnings.warn,
    **environment: Unpack[EnvironmentOptions],
) -> Run:
    """Return a run that is ready to be played. Arguments and errors as for `run`.

    `notify` gets a line when something else is played than was asked for.
    """
    for kind, named in (("the agent", agent), ("the data set", dataset)):
        if isinstance(named, str):
            check_text(named, kind)
    candidate = find_candidate(agent, settings)
    for name in (candidate.settings.keys() & environment.keys()) - EnvironmentOptions.__annotations__.keys():
        raise InputError(f"'{name}' is a hyper-parameter of {candidate.name}: settings={{'{name}': ...}}")
    late = delay != 0 or batch != 1
    check_device(device)
    if rounds is not None and rounds < 1:
        raise InputError(f"rounds must be at least 1, not {rounds}")
    env: AnyVectorEnv
    rewards = UNIT
    given = dataset
    data = find_dataset(dataset) if isinstance(dataset, str) else None
    if seeds is None and not isinstance(dataset, VectorEnv):
        seeds = 5 if candidate.trained is None else candidate.trained.spec.seeds
    if data is not None:
        dataset = data.call(num_envs=len(parse_seeds(seeds or 0)))
        if isinstance(dataset, str):
            raise InputError(f"{data.reference} gives text; it must give a table, a DataFrame or a VectorEnv")
    if isinstance(dataset, VectorEnv):
        env, rewards = dataset, _reward_range(dataset, environment)
        numbers = parse_seeds(env.num_envs if seeds is None else seeds)
    elif isinstance(dataset, str | Table | Encoded | Ranking) or is_frame(dataset):
        numbers = parse_seeds(seeds or 0)
        env = make_environment(dataset, len(numbers), rounds, environment, notify)
        rounds = None
    elif isinstance(dataset, Env):
        raise InputError(
            f"a {type(dataset.unwrapped).__name__} is one replica, and a run has one for each seed; give "
            "gymnasium.vector.SyncVectorEnv([make] * 5) of a function make() that returns a new one"
        )
    else:
        raise InputError("the data set must be a name, a table, a DataFrame or a gymnasium VectorEnv")
    with nullcontext() if data is None else data.explained():
        about = _describe(env)
        spec = read_spec(env, numbers, rounds, device, dtype)
    if rewards != UNIT:
        about |= {"reward_range": list(rewards)}
    if data is not None:
        about |= {"dataset": data.name, "code": data.origin}
    if late:
        about |= {"delay": delay, "batch": batch}
    positions = env.table.positions if isinstance(env, ClassificationVectorEnv) else None
    log = RunLog(spec, make_trace(spec, trace, about.get("classes", ()), positions))
    check_counts(candidate.settings, spec.seeds)
    groups = groups_of(candidate.recipe, candidate.settings, spec.replicas)
    if len(groups) == 1:
        candidate = replace(candidate, settings=groups[0].settings)
    recipe, chosen = candidate.recipe, candidate.settings
    if return_agent and engine == "auto":
        engine = "torch"
    taken = choose(engine, recipe, chosen, env, spec, late=late)
    player: Engine
    made = None
    if len(groups) > 1:
        check_several(
            uneven(recipe, chosen), return_agent=return_agent, own_environment=isinstance(given, VectorEnv)
        )
        if data is None and isinstance(env, ClassificationVectorEnv):
            given = env.encoded  # read once for all groups
            for name in (*READING, "strict"):
                environment.pop(name, None)  # type: ignore[misc]  # names are keys
        parts = []
        for group in groups:
            own = [numbers[r] for r in group.replicas]
            part = prepare(
                agent,
                given,
                spec.horizon,
                own,
                settings=group.settings,
                delay=delay,
                batch=batch,
                engine=taken,
                device=device,
                dtype=dtype,
                trace=trace,
                notify=notify,
                **environment,
            )
            parts.append(Part(group.replicas, part.player, part.log))
        player = Groups(parts, log)
    elif recipe is not None and taken == "compiled":
        if return_agent:
            raise InputError("the compiled engine keeps no trained agent; use the torch engine")
        from neucb.engines.compiled.engine import Compiled

        player = Compiled(recipe, chosen, cast("ClassificationVectorEnv", env), log)
    else:
        made = candidate.make()
        player = Lockstep(_delayed(made, delay, batch), env, log, rewards)
    return Run(player, candidate, env, log, about, taken, made, data)


def _reward_range(env: AnyVectorEnv, options: Mapping[str, Any]) -> tuple[float, float]:
    """Return between which values the rewards of an environment object lie, its only option."""
    given = {name: value for name, value in options.items() if value is not None}
    rewards = given.pop("reward_range", UNIT)
    if given:
        raise InputError(f"an environment has its own options; leave out {', '.join(given)}")
    if rewards is not UNIT and is_trusted(env):
        raise InputError(f"leave out reward_range: {type(env).__name__} has rewards in [0, 1]")
    return check_reward_range(rewards)


def _describe(env: AnyVectorEnv) -> dict[str, Any]:
    """Return what a result has to say of its environment, at least `dataset`, its name, and `source`."""
    describe = attribute(env, "describe")
    about = describe() if callable(describe) else {}
    if not isinstance(about, dict):
        raise InputError(f"{type(env).__name__}.describe() must return a dict, not a {type(about).__name__}")
    name = type(env.unwrapped).__name__ if env.spec is None else env.spec.id
    return {"dataset": name, "source": "environment", **about}


def _delayed(agent: Agent, delay: int, batch: int) -> Agent:
    if delay == 0 and batch == 1:
        return agent
    from neucb.agents.wrappers.delay import Delayed

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
    trace: Literal[True, "full"],
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
    trace: Literal[True, "full"],
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
    trace: Wanted = False,
    **environment: Unpack[EnvironmentOptions],
) -> Any:
    """Play R replicas of an agent, one per seed, and return their cumulative figures.

    Args:
        agent: a recipe's name, "file.py:Name" or "package.module:Name" (a class or function that
            needs no arguments), the name of an installed one, any object with the `Agent` contract, or
            a `Trained` agent or the file of one: a copy of it goes on where it was.
        dataset: a name of the catalogue, "openml:<id>", a file, "synthetic:<world>", a pandas
            DataFrame, a `Table`, or any `VectorEnv` with R sub-environments, of which episodes may end, see
            `Episodes`, and whose step info may carry what `ClassificationVectorEnv` documents, losses in
            [0, 1] whatever the range of rewards; or "file.py:name" or "package.module:name" of a
            function that returns one of the last three, or of a `VectorEnv` made from `num_envs`.
        rounds: T; 10,000 by default, or the rows there are, or the environment's horizon.
        seeds: 5 (0 to 4), "10:20", "3,7", or the numbers; 5 by default, or one per sub-environment.
        settings: hyper-parameters of a named agent; a number, or a list with one number per seed. Seeds of
            the same whole numbers (width, replay, ...) are played together, the others in turn; if such a
            run is interrupted, nothing of it is kept.
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
        trace: return every round too, see `Trace`; "full": with the probabilities and predicted losses of
            all arms.
        environment: preprocessing, label_noise, order and more, see `EnvironmentOptions`; reward_range
            of environments of your own.

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
