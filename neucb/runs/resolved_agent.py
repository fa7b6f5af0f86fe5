"""ResolvedAgent: the agent of a run, found by name, reference or file, or given as an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.agents.recipes.recipe import Recipe
from neucb.core.errors import InputError
from neucb.runs.plugins import Plugin, find_agent

if TYPE_CHECKING:
    from neucb.agents.base import Agent
    from neucb.runs.checkpoint import Trained

SAVED = ".safetensors"


@dataclass(frozen=True)
class ResolvedAgent:
    """The agent of a run.

    Attributes:
        name: name in the log.
        settings: all hyper-parameters; empty for an agent that is no recipe.
        recipe: recipe of a named agent, else None.
        plugin: user's code that constructs the agent, else None.
        agent: agent object given by the user, else None.
        trained: trained agent to continue, else None.
        origin: further entries of the configuration: hash of the user's code, rounds played before the run.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    plugin: Plugin | None = None
    agent: Agent | None = None
    trained: Trained | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Agent:
        """Return the agent to play: a new one, a copy of the trained one, or the given object.

        Raises:
            InputError: a trained agent cannot be copied, see `copy_agent`.
        """
        if self.trained is not None:
            from neucb.agents.copying import copy_agent

            return copy_agent(self.trained, self.name)
        if self.agent is not None:
            return self.agent
        if self.recipe is not None:
            from neucb.agents.recipes.build import make_agent

            return make_agent(self.recipe, self.settings)
        assert self.plugin is not None
        return self.plugin.build(self.settings)

    def trained_by(self, agent: Agent, log_rounds: int, spec: Any, data: Mapping[str, Any]) -> Trained:
        """Return the agent of `make` after its rounds, as a trained agent."""
        from neucb.runs.checkpoint import Trained

        before = 0
        if isinstance(agent, Trained):
            before, agent = agent.rounds, agent.agent
        return Trained(agent, self.name, self.settings, spec, before + log_rounds, data)


def resolve_agent(agent: str | Agent, settings: Mapping[str, Any] | None = None) -> ResolvedAgent:
    """Return the agent for a name, a reference, a file of a trained agent, or an agent object.

    Raises:
        InputError: the agent is unknown, or the settings are invalid or not supported by such an agent.
        DataError: the file holds no agent.
    """
    if settings is not None and not isinstance(settings, Mapping):
        raise InputError(f"settings must be a dictionary, name -> value, not a {type(settings).__name__}")
    if isinstance(agent, str) and not agent.endswith(SAVED):
        found = find_agent(agent)
        chosen = dict(found.settings(settings or {}))
        if isinstance(found, Recipe):
            return ResolvedAgent(found.name, chosen, recipe=found)
        found.build()  # reports faults before the data are loaded
        return ResolvedAgent(found.name, chosen, plugin=found, origin={"code": found.origin})
    if settings:
        raise InputError("settings are for named agents; give an agent object its own when you make it")
    if not isinstance(agent, str) and not hasattr(agent, "save"):
        return ResolvedAgent(type(agent).__name__, agent=agent)
    from neucb.runs.checkpoint import Trained, load_agent

    trained = load_agent(Path(agent)) if isinstance(agent, str) else agent
    if not isinstance(trained, Trained):
        return ResolvedAgent(type(agent).__name__, agent=trained)
    dataset = trained.data.get("dataset")
    before = {"rounds": trained.rounds, "dataset": dataset, "sha256": trained.checksum}
    return ResolvedAgent(trained.name, dict(trained.settings), trained=trained, origin={"trained": before})
