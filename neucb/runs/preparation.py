"""prepare_run: build the environment, agent and engine of a request, as a run ready to be played."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

from gymnasium import Env
from gymnasium.vector import VectorEnv

from neucb.agents.per_replica import check_counts
from neucb.core.errors import InputError, unknown_name
from neucb.core.files import check_text
from neucb.core.seeds import parse_seeds
from neucb.core.spec import attribute, check_device, read_spec
from neucb.engines.choose import choose
from neucb.engines.engine import Engine, Lockstep
from neucb.engines.groups import Group, Groups, Part, check_several, groups_of, uneven
from neucb.engines.log import RunLog
from neucb.engines.trace import make_trace
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.episodes import is_trusted
from neucb.environments.make import READING, EnvironmentOptions, make_environment
from neucb.environments.preprocessing import Encoded
from neucb.environments.ranking import Ranking
from neucb.environments.rewards import UNIT, check_reward_range
from neucb.environments.table import Table
from neucb.environments.tables.table_file import is_frame
from neucb.runs.plugins import Plugin, find_dataset
from neucb.runs.request import RunRequest
from neucb.runs.resolved_agent import ResolvedAgent, resolve_agent
from neucb.runs.run import Run

if TYPE_CHECKING:
    from neucb.agents.base import Agent
    from neucb.core.spec import AnyVectorEnv


def prepare_run(request: RunRequest, notify: Callable[[str], None] = warnings.warn) -> Run:
    """Return a run that is ready to be played. Errors as for `neucb.run`.

    Args:
        request: arguments of the run.
        notify: callback with a line for every deviation from the request.
    """
    for kind, named in (("the agent", request.agent), ("the data set", request.dataset)):
        if isinstance(named, str):
            check_text(named, kind)
    resolved = resolve_agent(request.agent, request.settings)
    for name in (
        resolved.settings.keys() & request.environment.keys()
    ) - EnvironmentOptions.__annotations__.keys():
        raise InputError(f"'{name}' is a hyper-parameter of {resolved.name}: settings={{'{name}': ...}}")
    _check_names(request.environment)
    check_device(request.device)
    _check_whole("rounds", request.rounds, 1)
    _check_whole("delay", request.delay, 0)
    _check_whole("feedback_batch", request.feedback_batch, 1)
    opened = _open(request, resolved, notify)
    env = opened.env
    with nullcontext() if opened.plugin is None else opened.plugin.explained():
        about = _describe(env)
        spec = read_spec(env, opened.seeds, opened.rounds, request.device, request.dtype)
    if opened.reward_range != UNIT:
        about |= {"reward_range": list(opened.reward_range)}
    if opened.plugin is not None:
        about |= {"dataset": opened.plugin.name, "code": opened.plugin.origin}
    if request.late:
        about |= {"delay": request.delay, "feedback_batch": request.feedback_batch}
    positions = env.table.positions if isinstance(env, ClassificationVectorEnv) else None
    log = RunLog(spec, make_trace(spec, request.trace, about.get("classes", ()), positions))
    check_counts(resolved.settings, spec.seeds)
    groups = groups_of(resolved.recipe, resolved.settings, spec.replicas)
    if len(groups) == 1:
        resolved = replace(resolved, settings=groups[0].settings)
    asked = "torch" if request.keep_agent and request.engine == "auto" else request.engine
    engine = choose(asked, resolved.recipe, resolved.settings, env, spec, late=request.late)
    agent, player = _player(replace(request, engine=engine), resolved, opened, log, groups, notify)
    return Run(player, resolved, env, log, about, engine, agent, opened.plugin)


def _check_whole(name: str, value: object, least: int) -> None:
    """Check that an argument is None or a whole number of at least `least`."""
    if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < least):
        raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}")


def _check_names(options: Mapping[str, Any]) -> None:
    """Check that every option is a field of `RunRequest` or `EnvironmentOptions`."""
    known = {*EnvironmentOptions.__annotations__, *(field.name for field in fields(RunRequest))}
    for name in options.keys() - EnvironmentOptions.__annotations__.keys():
        if name in ("return_agent", "trace", "keep_agent"):
            raise InputError(
                f"run returns a DataFrame and has no '{name}'; take run = neucb.prepare(..., trace=True, "
                "keep_agent=True), then run.play(), run.frame(), run.trace() and run.agent"
            )
        if name == "best_in_class":
            raise InputError(
                "prepare has no best_in_class; neucb.run(..., best_in_class=True) fits the class"
            )
        raise unknown_name("option", name, known - {"environment", "keep_agent", "trace"} | {"best_in_class"})


@dataclass(frozen=True)
class _Opened:
    """The environment of a request.

    Attributes:
        env: environment, num_envs = R.
        seeds: seeds [R] of the replicas.
        rounds: horizon T where the environment does not define it.
        reward_range: lowest and highest reward.
        plugin: user's code that made the environment.
    """

    env: AnyVectorEnv
    seeds: tuple[int, ...]
    rounds: int | None = None
    reward_range: tuple[float, float] = UNIT
    plugin: Plugin | None = None


def _open(request: RunRequest, resolved: ResolvedAgent, notify: Callable[[str], None]) -> _Opened:
    """Return the environment of a request, with its seeds."""
    dataset, seeds = request.dataset, request.seeds
    plugin = find_dataset(dataset) if isinstance(dataset, str) else None
    if seeds is None and not isinstance(dataset, VectorEnv):
        seeds = 5 if resolved.trained is None else resolved.trained.spec.seeds
    if plugin is not None:
        dataset = plugin.call(num_envs=len(parse_seeds(0 if seeds is None else seeds)))
        if isinstance(dataset, str):
            raise InputError(
                f"{plugin.reference} gives text; it must give a table, a DataFrame or a VectorEnv"
            )
    if isinstance(dataset, VectorEnv):
        rewards = _reward_range(dataset, request.environment)
        numbers = parse_seeds(dataset.num_envs if seeds is None else seeds)
        return _Opened(dataset, numbers, request.rounds, rewards, plugin)
    if isinstance(dataset, str | Table | Encoded | Ranking) or is_frame(dataset):
        numbers = parse_seeds(0 if seeds is None else seeds)
        env = make_environment(dataset, len(numbers), request.rounds, request.environment, notify)
        return _Opened(env, numbers, plugin=plugin)
    if isinstance(dataset, Env):
        raise InputError(
            f"a {type(dataset.unwrapped).__name__} is one replica, and a run has one for each seed; give "
            "gymnasium.vector.SyncVectorEnv([make] * 5) of a function make() that returns a new one"
        )
    raise InputError("the data set must be a name, a table, a DataFrame or a gymnasium VectorEnv")


def _player(
    request: RunRequest,
    resolved: ResolvedAgent,
    opened: _Opened,
    log: RunLog,
    groups: Sequence[Group],
    notify: Callable[[str], None],
) -> tuple[Agent | None, Engine]:
    """Return the engine of a request, and the agent object of the torch engine."""
    if len(groups) > 1:
        check_several(
            uneven(resolved.recipe, resolved.settings),
            keep_agent=request.keep_agent,
            own_environment=isinstance(request.dataset, VectorEnv),
        )
        return None, _groups(request, opened, log, groups, notify)
    if resolved.recipe is not None and request.engine == "compiled":
        if request.keep_agent:
            raise InputError("the compiled engine keeps no trained agent; use the torch engine")
        from neucb.engines.compiled.engine import Compiled

        env = cast("ClassificationVectorEnv", opened.env)
        return None, Compiled(resolved.recipe, resolved.settings, env, log)
    agent = resolved.make()
    from neucb.agents.wrappers.arrays import over_tensors

    played = _delayed(over_tensors(agent), request)
    return agent, Lockstep(played, opened.env, log, opened.reward_range)


def _groups(
    request: RunRequest, opened: _Opened, log: RunLog, groups: Sequence[Group], notify: Callable[[str], None]
) -> Groups:
    """Return the engine for several groups of replicas, each group prepared as a separate run."""
    dataset, options = request.dataset, request.environment.copy()
    if opened.plugin is None and isinstance(opened.env, ClassificationVectorEnv):
        dataset = opened.env.encoded  # read once for all groups
        for name in (*READING, "strict"):
            options.pop(name, None)  # type: ignore[misc]  # names are keys
    request = replace(request, dataset=dataset, rounds=log.spec.horizon, environment=options)
    parts = []
    for group in groups:
        seeds = [opened.seeds[replica] for replica in group.replicas]
        part = prepare_run(replace(request, seeds=seeds, settings=group.settings), notify)
        parts.append(Part(group.replicas, part.player, part.log))
    return Groups(parts, log)


def _reward_range(env: AnyVectorEnv, options: Mapping[str, Any]) -> tuple[float, float]:
    """Return the lowest and highest reward of an environment object, from its only option."""
    given = {name: value for name, value in options.items() if value is not None}
    rewards = given.pop("reward_range", UNIT)
    if given:
        raise InputError(f"an environment has its own options; leave out {', '.join(given)}")
    if rewards is not UNIT and is_trusted(env):
        raise InputError(f"leave out reward_range: {type(env).__name__} has rewards in [0, 1]")
    return check_reward_range(rewards)


def _describe(env: AnyVectorEnv) -> dict[str, Any]:
    """Return the description of an environment, at least `dataset`, its name, and `source`."""
    describe = attribute(env, "describe")
    about = describe() if callable(describe) else {}
    if not isinstance(about, dict):
        raise InputError(f"{type(env).__name__}.describe() must return a dict, not a {type(about).__name__}")
    name = type(env.unwrapped).__name__ if env.spec is None else env.spec.id
    return {"dataset": name, "source": "environment", **about}


def _delayed(agent: Agent, request: RunRequest) -> Agent:
    if not request.late:
        return agent
    from neucb.agents.wrappers.delay import Delayed

    return Delayed(agent, delay=request.delay, feedback_batch=request.feedback_batch)
