"""Hindsight in a sweep: the best policy of an agent's class, fitted beside the runs, not to them.

What a class can do depends on the rows and on the class, not on what was played. So there is one fit for
each class, world and seed, whatever number of agents share it, stored like a batch of runs of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError
from neucb.environments.orders.order import FixedOrder
from neucb.environments.orders.registry import find_order
from neucb.environments.sources.registry import has_table
from neucb.runs.plugins import Plugin, find_agent
from neucb.theory.hindsight import COLUMNS, check_class, sizes_of, world_loss

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from neucb.agents.recipes.recipe import Recipe
    from neucb.runs.run import Run
    from neucb.sweeps.plan import Batch
    from neucb.sweeps.play.batch import Failure
    from neucb.sweeps.spec.sweep_spec import AgentGrid, Experiment
    from neucb.sweeps.store.batch_store import Store

FOLDER = "_hindsight"  # readers of Parquet folders pass over it
RUN = ("label", "dataset", "preprocessing", "order", "label_noise", "setting", "seed")
Key = dict[str, Any]


def check_agent(agent: AgentGrid, experiment: Experiment) -> None:
    """Say whether the class of an agent can be fitted in an experiment.

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
        if not has_table(dataset.name) or {"group", "arms"} & set(dataset.options):
            raise InputError(f"{dataset.name} is no classification data, which hindsight needs")


def class_batches(
    experiment: Experiment, reporting: Sequence[Batch]
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Yield for every run whose class is asked for: the batch that fits it, and what tells the run apart.

    Not where the rows depend on what is played.
    """
    from neucb.sweeps.plan import cell_id

    seeds = {one.label: experiment.reporting_seeds[: one.hindsight] for one in experiment.agents}
    for batch in reporting:
        for run, seed in enumerate(batch.seeds):
            if seed in seeds[batch.label] and issubclass(find_order(batch.world.order), FixedOrder):
                values = (batch.label, *batch.world.key, cell_id(batch.cell(run)), seed)
                yield _fit_of(batch, run), dict(zip(RUN, values, strict=True))


def _fit_of(batch: Batch, run: int) -> Batch:
    """Return the batch that fits the class of a run: the same for all agents of that class."""
    recipe = find_agent(batch.agent)
    assert not isinstance(recipe, Plugin)
    return replace(
        batch,
        agent=_plainest(recipe),
        label=f"class of {_plainest(recipe)}",
        purpose="hindsight",
        seeds=(batch.seeds[run],),
        settings=sizes_of(batch.settings, run) if recipe.oracle == "neural" else {},
        engine="torch",
        device="cpu",
        dtype="float32",
    )


def _plainest(recipe: Recipe) -> str:
    """Return the first recipe of the same class, which stands for it."""
    from neucb.agents.recipes.registry import RECIPES

    wanted = (recipe.oracle, recipe.loss)
    names = (one.name for one in RECIPES.values() if (one.oracle, one.loss) == wanted and not one.perturbed)
    return next(names)


def class_table(job: Run) -> pa.Table:
    """Return the rows of a fit, see `class_schema`.

    Raises:
        InputError: the data are none of classification, or as `world_loss`.
    """
    import pyarrow as pa

    from neucb.environments.classification import ClassificationVectorEnv

    (seed,), recipe = job.log.spec.seeds, job.candidate.recipe
    if not isinstance(job.env, ClassificationVectorEnv):
        raise InputError(f"{job.environment['dataset']} is no classification data, which hindsight needs")
    assert recipe is not None
    found = world_loss(job.env, seed, recipe, sizes_of(job.settings, 0))
    return pa.table({"round": found.rounds, **found.columns()}, schema=class_schema())


@cache
def class_schema() -> pa.Schema:
    """Return the columns of the file of a fit: round, and what `ClassLoss.columns` has."""
    import pyarrow as pa

    return pa.schema([("round", pa.int64()), *((name, pa.float64()) for name in COLUMNS)])


def with_classes(
    frame: pd.DataFrame, store: Store, wanted: Sequence[Mapping[str, Any]]
) -> tuple[pd.DataFrame, int, list[Failure]]:
    """Return the rows of a sweep with the columns of the fits, how many fits are missing, and which failed.

    Args:
        frame: the rows.
        store: of the fits.
        wanted: `RUN` of every run whose class was asked for, and the name of its fit.
    """
    import pandas as pd

    if not wanted:
        return frame, 0, []
    names = dict.fromkeys(str(one["fit"]) for one in wanted)
    records = [record for record in map(store.find, names) if record is not None]
    failures = [failure for record in records for failure in record.failures]
    there = {record.name: store.table([record.name]).to_pandas() for record in records}
    rows = [
        there[one["fit"]].assign(**{name: one[name] for name in RUN}) for one in wanted if one["fit"] in there
    ]
    if not rows:
        return frame.assign(**dict.fromkeys(COLUMNS, float("nan"))), len(names), failures
    keys = [*RUN, "round"]
    merged = frame.merge(pd.concat(rows), how="left", on=keys, validate="many_to_one")
    return merged, len(names) - len(there), failures
