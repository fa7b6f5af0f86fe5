"""Experiment: the content of a spec as plain values; spec files are read by reading.py."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from neucb.core.errors import InputError
from neucb.environments.orders.order import FixedOrder
from neucb.environments.orders.registry import find_order
from neucb.environments.sources.registry import has_table
from neucb.runs.plugins import Plugin, find_agent
from neucb.theory.best_in_class import check_class

if TYPE_CHECKING:
    from neucb.agents.parameter import Value

OVER_ALL = "overall"
Selection = Literal["overall", "per_dataset"]


@dataclass(frozen=True)
class AgentGrid:
    """An agent and its grid of settings.

    Attributes:
        name: name of the recipe, or reference to the user's own agent, see `neucb.run`.
        label: name in the results, unique in an experiment.
        settings: hyper-parameters of all cells, checked.
        grid: hyper-parameter -> its values, checked; the cells are their product.
        best_in_class_seeds: number of reporting seeds, the first ones, on which the best policy of its class
            is fitted.
    """

    name: str
    label: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    best_in_class_seeds: int = 0

    def cells(self) -> list[dict[str, Value]]:
        """Return all hyper-parameters of every cell, the last one of the grid varying fastest."""
        recipe = find_agent(self.name)
        chosen = (
            dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())
        )
        return [recipe.settings({**self.settings, **one}) for one in chosen]


@dataclass(frozen=True)
class Dataset:
    """A data set of an experiment.

    Attributes:
        name: name in the catalogue, openml:..., a file, or synthetic:...
        options: options of its kind: target of a file, arms and features of a synthetic world.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """An experiment: agents x grids x data sets x orders x noise x preprocessing x seeds.

    Attributes:
        name: name of the experiment, and of the folder of its results.
        agents: agents with their grids.
        datasets: data sets.
        reporting_seeds: seeds of the runs that are reported.
        tuning_seeds: seeds of the runs on which the settings are chosen, none of them a reporting seed;
            if empty, every cell is played on the reporting seeds and nothing is chosen.
        rounds: greatest horizon T; a data set with fewer rows has as many rounds as its rows allow.
        order, label_noise, preprocessing: conditions, crossed with each other.
        select: scope of the choice of settings: least regret over all data sets, or on each one.
        options: values of recycle, drift, delay, feedback_batch and source, see `neucb.run`.
        engine, device, dtype: engine, device and number type, see `neucb.run`.
        openml_cache: folder of the OpenML cache; the client's own by default.
        strict: whether a data set with left-out rows or columns is an error.
    """

    name: str
    agents: tuple[AgentGrid, ...]
    datasets: tuple[Dataset, ...]
    reporting_seeds: tuple[int, ...]
    tuning_seeds: tuple[int, ...] = ()
    rounds: int | None = None
    order: tuple[str, ...] = ("shuffled",)
    label_noise: tuple[float, ...] = (0.0,)
    preprocessing: tuple[str, ...] = ("standard",)
    select: Selection = "overall"
    options: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "auto"
    device: str = "cpu"
    dtype: str = "float32"
    strict: bool = False
    openml_cache: str | None = None

    def tuned(self, agent: AgentGrid) -> bool:
        """Whether an agent's settings are chosen on the tuning seeds."""
        return bool(self.tuning_seeds) and len(agent.cells()) > 1

    def check_class_of(self, agent: AgentGrid) -> None:
        """Check that the best policy of an agent's class can be fitted in this experiment.

        Raises:
            InputError: the class cannot be fitted.
        """
        if agent.best_in_class_seeds > len(self.reporting_seeds):
            raise InputError(
                f"best_in_class_seeds is at most {len(self.reporting_seeds)}, the number of reporting seeds"
            )
        recipe = find_agent(agent.name)
        if isinstance(recipe, Plugin):
            raise InputError(f"{agent.name} has no class that is known")
        for cell in agent.cells():
            check_class(recipe, cell)
        if not any(issubclass(find_order(order), FixedOrder) for order in self.order):
            raise InputError(
                f"the rows of order {self.order[0]} depend on the agent: no policy is best for all"
            )
        for dataset in self.datasets:
            if not has_table(dataset.name) or {"group", "arms"} & set(dataset.options):
                raise InputError(f"{dataset.name} is no classification data, which best_in_class_seeds needs")
