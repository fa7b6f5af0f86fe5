"""Check of a spec: whether the class of an agent can be fitted."""

from __future__ import annotations

from neucb.core.errors import InputError
from neucb.environments.make import SYNTHETIC
from neucb.environments.orders.order import FixedOrder
from neucb.environments.orders.registry import find_order
from neucb.runs.plugins import Plugin, find_agent
from neucb.sweeps.spec.sweep_spec import AgentGrid, Experiment
from neucb.theory.hindsight import check_class


def check_class_of(agent: AgentGrid, experiment: Experiment) -> None:
    """Make sure that the class of an agent can be fitted in an experiment.

    Raises:
        InputError: it cannot.
    """
    if agent.hindsight > len(experiment.reporting_seeds):
        raise InputError(f"hindsight is on {len(experiment.reporting_seeds)} reporting seeds at most")
    recipe = find_agent(agent.name)
    if isinstance(recipe, Plugin):
        raise InputError(f"{agent.name} has no class that is known")
    for cell in agent.cells():
        check_class(recipe, cell)
    if not any(issubclass(find_order(order), FixedOrder) for order in experiment.orders):
        raise InputError(
            f"the rows of order {experiment.orders[0]} depend on the agent: no policy is best for all"
        )
    for dataset in experiment.datasets:
        if dataset.name.startswith(SYNTHETIC) or {"group", "arms"} & set(dataset.options):
            raise InputError(f"{dataset.name} is no classification data, which hindsight needs")
