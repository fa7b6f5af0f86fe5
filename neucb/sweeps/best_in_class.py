"""Plan of fits: the best policy of an agent's class, fitted once per (class, world, seed).

The loss of the best policy in a class depends on the rows and on the class, not on the arms played. Fits are
therefore independent of the runs, shared by all agents of a class, and stored like batches of runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from neucb.agents.recipes.oracles import NEURAL
from neucb.environments.orders.order import FixedOrder
from neucb.environments.orders.registry import find_order
from neucb.runs.log_table import cell_id
from neucb.runs.plugins import Plugin, find_agent
from neucb.sweeps.store.load_sweep import RUN
from neucb.theory.best_in_class import sizes_of

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe
    from neucb.sweeps.plan import Batch
    from neucb.sweeps.spec.sweep_spec import Experiment


def class_batches(
    experiment: Experiment, reporting: Sequence[Batch]
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Yield (batch of the fit, key of the run) for every run whose class is to be fitted.

    Runs whose rows depend on the arms played are left out.
    """
    seeds = {
        agent.label: experiment.reporting_seeds[: agent.best_in_class_seeds] for agent in experiment.agents
    }
    for batch in reporting:
        for run, seed in enumerate(batch.seeds):
            if seed in seeds[batch.agent_label] and issubclass(find_order(batch.world.order), FixedOrder):
                values = (batch.agent_label, *batch.world.key, cell_id(batch.cell(run)), seed)
                yield _fit_of(batch, run), dict(zip(RUN, values, strict=True))


def _fit_of(batch: Batch, run: int) -> Batch:
    """Return the batch of the fit of a run's class, the same for all agents of that class."""
    recipe = find_agent(batch.agent)
    assert not isinstance(recipe, Plugin)
    return replace(
        batch,
        agent=_plainest(recipe),
        agent_label=f"class of {_plainest(recipe)}",
        split="hindsight",
        seeds=(batch.seeds[run],),
        settings=sizes_of(batch.settings, run) if recipe.oracle == NEURAL else {},
        engine="torch",
        device="cpu",
        dtype="float32",
    )


def _plainest(recipe: Recipe) -> str:
    """Return the first recipe of the same class, the representative of the class."""
    from neucb.agents.recipes.registry import RECIPES

    wanted = (recipe.oracle, recipe.loss)
    rows = RECIPES.values()
    return next(row.name for row in rows if (row.oracle, row.loss) == wanted and not row.perturbed)
