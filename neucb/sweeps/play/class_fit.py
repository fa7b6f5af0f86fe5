"""Fitting of the best policy of an agent's class, in the place of playing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neucb.core.errors import InputError
from neucb.sweeps.store.class_fits import class_schema
from neucb.theory.hindsight import sizes_of, world_loss

if TYPE_CHECKING:
    import pyarrow as pa

    from neucb.runs.run import Run


def class_table(run: Run) -> pa.Table:
    """Return the rows of a fit, see `class_schema`.

    Raises:
        InputError: the data are not of classification, or as for `world_loss`.
    """
    import pyarrow as pa

    from neucb.environments.classification import ClassificationVectorEnv

    (seed,), recipe = run.log.spec.seeds, run.recipe
    if not isinstance(run.env, ClassificationVectorEnv):
        raise InputError(f"{run.environment['dataset']} is no classification data, which hindsight needs")
    assert recipe is not None
    found = world_loss(run.env, seed, recipe, sizes_of(run.settings, 0))
    return pa.table({"round": found.rounds, **found.columns()}, schema=class_schema())
