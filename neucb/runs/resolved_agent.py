"""ResolvedAgent: the agent of a run, whatever it was named or given by."""

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
        settings: all hyper-parameters; empty where the agent is not a recipe.
        recipe: recipe of a named agent.
        plugin: user's code that makes the agent.
        agent: agent object that the user gave.
        trained: trained agent that goes on.
        origin: further entries of the configuration: hash of the user's code, rounds played before.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    plugin: Plugin | None = None
    agent: Agent | None = None
    trained: Trained | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Agent:
        """Return the agent that plays: a new one, a copy of the trained one, or the object given.

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
        """Return the agent that `make` gave, after its rounds."""
        from neucb.runs.checkpoint import Trained

        before = 0
        if isinstance(agent, Trained):
            before, agent = agent.rounds, agent.agent
        return Trained(agent, self.name, self.settings, spec, before + log_rounds, data)


def resolve_agent(agent: str | Agent, settings: Mapping[str, Any] | None = None) -> ResolvedAgent:
    """Return the agent of a name, a reference, a file of a trained agent, or an agent object.

    Raises:
        InputError: the agent is unknown, or the settings are wrong or not for such an agent.
        DataError: the file holds no agent.
    """
    if isinstance(agent, str) and not agent.endswith(SAVED):
        found = find_agent(agent)
        chosen = dict(found.settings(settings or {}))
        if isinstance(found, Recipe):
            return ResolvedAgent(found.name, chosen, recipe=found)
        found.build()  # faults now, not once the data are there
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
