"""check_agent: test, by playing it, the properties of an agent that runs and comparisons rely on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.base import ask, gauges_of
from neucb.agents.propensity import KINDS, each_kind, propensities_of
from neucb.agents.protocols import autograd_of
from neucb.agents.recipes.build import make_agent
from neucb.agents.recipes.registry import find_recipe
from neucb.agents.wrappers.arrays import OverArrays, over_tensors
from neucb.core.errors import NeucbError
from neucb.core.spec import Spec
from neucb.engines.checks import distribution, is_distribution
from neucb.engines.lockstep.loop import play
from neucb.engines.log import GAUGES, RunLog
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.preprocessing import Encoded
from neucb.environments.table import Column, Table
from neucb.runs.plugins import Plugin

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import Agent

SEEDS = (11, 12, 13)
ARMS, FEATURES = 3, 4
SHORT, LONG = 40, 600  # rounds of the comparisons and of the learning check
ROUNDING = 1e-3  # tolerance of probabilities, 40 times the rounding errors of networks of 250 x 250 units
SHARE = 0.5  # maximum loss of a learner relative to uniform play, 8 standard errors below 1

Make = Callable[[], "Agent"]


def check_agent(agent: str | Make, *, learns: bool = True, settings: Mapping[str, Any] | None = None) -> None:
    """Play an agent on small data sets and check the properties that comparisons rely on.

    Checked: `distribution` returns a distribution over the arms and changes no state, for any number
    of calls and any contexts; equal seeds give equal runs; a replica's run does not depend
    on its neighbours' seeds nor, for a named agent, on their hyper-parameters, so that one batch
    of several settings equals separate runs; contexts that are constant, zero, or of norm 1e-8 or
    1e4 give finite numbers or one of neucb's errors; an agent with the argument `available` gives
    unavailable arms probability 0; its optional members follow `neucb.agents.protocols`; and its loss
    on linearly separable data is at most half of that of uniform play.

    Args:
        agent: name of a recipe, or a class or function that returns a new agent, over tensors or arrays.
        learns: whether the agent should learn; False omits the last check.
        settings: hyper-parameters of a named agent other than its defaults.

    Raises:
        AssertionError: a check fails; the message names the violated property.
        InputError: the agent cannot be made without arguments, or lacks a method.
    """
    plain: Make = (
        (lambda: make_agent(find_recipe(agent), settings)) if isinstance(agent, str) else _maker(agent)
    )

    def make() -> Agent:
        return over_tensors(plain())

    together = _distributions(make(), SEEDS)
    _same(_distributions(make(), SEEDS), together, "the same seeds must give the same run")
    extra = _distributions(make(), SEEDS, extra_calls=True)
    _same(extra, together, "distribution must change no state: extra calls of it changed the run")
    for r in range(2):
        alone = _distributions(make(), SEEDS[r : r + 1])
        _close(alone, together[:, r : r + 1], "a replica must not depend on its neighbours")
    if isinstance(agent, str):
        _check_settings(agent, settings or {})
    for name, contexts in _extreme_contexts().items():
        _check_survives(make(), name, contexts)
    _check_mask(make())
    _check_optional(make())
    if learns:
        _check_learns(make())


def _maker(make: Make) -> Make:
    """Return a constructor of the agent with one-line errors, as for `--agent`."""
    plain = inspect.isclass(make) or inspect.isfunction(make)
    name = getattr(make, "__name__", type(make).__name__)
    return Plugin(name, name, make if plain else lambda: make()).build


def _same(first: NDArray[np.float64], second: NDArray[np.float64], rule: str) -> None:
    assert np.array_equal(first, second), rule


def _close(first: NDArray[np.float64], second: NDArray[np.float64], rule: str) -> None:
    """Check equality up to rounding: products may round differently in a batch."""
    assert np.allclose(first, second, rtol=0.0, atol=ROUNDING), rule


def _world(rows: int) -> Encoded:
    """Return rows of three classes on three of four directions, linearly separable with a margin."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, ARMS, rows)
    x = np.eye(FEATURES)[labels] + 0.2 * rng.standard_normal((rows, FEATURES))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return _encoded(x, labels)


def _encoded(x: NDArray[np.float64], labels: NDArray[np.int64]) -> Encoded:
    columns = tuple(Column(f"x{j}", x[:, j]) for j in range(x.shape[1]))
    table = Table("check", columns, labels, ("a", "b", "c"), "memory")
    return Encoded(x.astype(np.float32), labels.astype(np.int64), table, "standard")


class _Recorder:
    """Wrapper that records an agent's distributions, optionally with extra calls of `distribution`."""

    uses_autograd = autograd_of("agent")

    def __init__(self, agent: Agent, extra_calls: bool, spec: Spec) -> None:
        self.agent = agent
        self._spec = spec
        self._extra_calls = extra_calls
        self.kept: list[NDArray[np.float64]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)  # skylines have more methods

    def distribution(self, context: Tensor) -> Tensor:
        """Record and return the agent's distribution."""
        p = self._checked(context)
        if self._extra_calls:
            self.agent.distribution(-context.flip(0))
            again = self._checked(context)
            assert bool((again == p).all()), "two calls of distribution for a context must return the same"
            self.agent.distribution(context * 0.5)
        self.kept.append(p.cpu().numpy())
        return p

    def _checked(self, context: Tensor) -> Tensor:
        return distribution(self.agent.distribution(context), self._spec).clone()


def _distributions(
    agent: Agent, seeds: Sequence[int], encoded: Encoded | None = None, *, extra_calls: bool = False
) -> NDArray[np.float64]:
    """Play and return every distribution [T, R, K]; the runner checks their validity."""
    encoded = _world(SHORT) if encoded is None else encoded
    rounds = min(SHORT, encoded.table.rows)
    log = RunLog(Spec(tuple(seeds), ARMS, FEATURES, rounds))
    recorder = _Recorder(agent, extra_calls, log.spec)
    play(recorder, ClassificationVectorEnv(encoded, len(seeds), horizon=rounds), log)
    return np.stack(recorder.kept)


def _check_settings(name: str, settings: Mapping[str, Any]) -> None:
    """Check that a batch with two values of every real hyper-parameter equals two separate runs."""
    recipe = find_recipe(name)
    values: Mapping[str, Any] = recipe.settings(settings)
    names = [p.name for p in recipe.parameters if not p.whole and not p.choices]
    pairs = {key: (float(values[key]), 0.5 * float(values[key])) for key in names}
    together = _distributions(make_agent(recipe, {**values, **pairs}), SEEDS[:2])
    for r in range(2):
        own = {**values, **{key: pair[r] for key, pair in pairs.items()}}
        alone = _distributions(make_agent(recipe, own), SEEDS[r : r + 1])
        rule = "a replica must not depend on its neighbours' hyper-parameters"
        _close(alone, together[:, r : r + 1], rule)


def _extreme_contexts() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, FEATURES))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return {
        "constant": np.full((40, FEATURES), 0.5),
        "zero": np.zeros((40, FEATURES)),
        "of norm 1e-8": 1e-8 * x,
        "of norm 1e4": 1e4 * x,
    }


def _check_survives(agent: Agent, name: str, contexts: NDArray[np.float64]) -> None:
    """Check that the runner accepts the distributions, or raises one of neucb's errors."""
    labels = np.arange(len(contexts)) % ARMS
    try:
        _distributions(agent, SEEDS[:2], _encoded(contexts, labels))
    except NeucbError:
        return


def _check_mask(agent: Agent) -> None:
    """Check that unavailable arms have probability 0, for agents with the argument `available`."""
    import torch

    inner = agent.agent if isinstance(agent, OverArrays) else agent
    if len(inspect.signature(inner.distribution).parameters) < 2:
        return
    world = _world(20)
    spec = Spec(SEEDS[:2], ARMS, FEATURES, 20)
    agent.reset(spec)
    for t in range(20):
        context = torch.from_numpy(world.contexts[[t, 19 - t]])
        available = torch.ones(2, ARMS, dtype=torch.bool)
        available[0, t % ARMS] = False
        available[1] = False
        available[1, t % ARMS] = True
        p = distribution(ask(agent, context, available), spec)
        assert bool((p[~available] == 0).all()), "arms that are not available must have probability 0"
        assert torch.allclose(p.double().sum(1), torch.ones(2).double()), "probabilities must sum to 1"
        agent.update(context, p.argmax(1), torch.tensor([0.0, 1.0]))


def _check_optional(agent: Agent) -> None:
    """Check the optional members that an agent has, after some rounds."""
    import torch

    env = ClassificationVectorEnv(_world(SHORT), len(SEEDS), horizon=SHORT)
    spec = Spec(SEEDS, ARMS, FEATURES, SHORT)
    play(agent, env, RunLog(spec))
    context = torch.from_numpy(env.encoded.contexts[: len(SEEDS)])
    p = distribution(agent.distribution(context), spec)
    prediction = getattr(agent, "prediction", None)
    if prediction is not None:
        assert prediction.mean.shape == p.shape, "prediction.mean must be [R, K]"
    for name, value in gauges_of(agent).items():
        assert name in GAUGES, f"gauges must be of {', '.join(GAUGES)}, not {name}"
        assert value.shape == (len(SEEDS),), f"the gauge {name} must be [R]"
    propensities = propensities_of(agent, p)
    assert bool(is_distribution(propensities.p).all()), "propensities must be a distribution [R, K]"
    assert set(each_kind(propensities.kind, len(SEEDS))) <= {*KINDS}, f"a propensity kind is one of {KINDS}"


def _check_learns(agent: Agent) -> None:
    """Check that the loss is clearly less than that of uniform play on the same rows."""
    log = RunLog(Spec(SEEDS, ARMS, FEATURES, LONG))
    play(agent, ClassificationVectorEnv(_world(LONG), len(SEEDS), horizon=LONG), log)
    uniform = LONG * (1.0 - 1.0 / ARMS)
    worst = float(log.sums["loss"].max())
    assert worst <= SHARE * uniform, (
        f"on linearly separable data the loss is {worst:.0f} in {LONG} rounds, {uniform:.0f} for uniform play"
    )
