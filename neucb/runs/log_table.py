"""Rows of stored logs: one schema for runs and sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from neucb.core.json_values import digest
from neucb.engines.log import FIGURES

if TYPE_CHECKING:
    import pyarrow as pa

    from neucb.runs.run import Run

WORDS = ("agent", "label", "dataset", "purpose", "preprocessing", "order", "setting", "engine")


@cache
def schema() -> pa.Schema:
    """Return the columns of every log of a sweep: the same, whatever the agents.

    The hyper-parameters of all recipes are among them; an agent that lacks one has nothing there.
    """
    import pyarrow as pa

    kinds = dict.fromkeys(WORDS, pa.string())
    kinds |= {"label_noise": pa.float64(), "seed": pa.int64(), "round": pa.int64()}
    kinds |= dict.fromkeys(FIGURES, pa.float64())
    kinds |= {name: pa.string() if words else pa.float64() for name, words in hyper_parameters()}
    return pa.schema(list(kinds.items()))


def hyper_parameters() -> Iterator[tuple[str, bool]]:
    """Name every hyper-parameter of any recipe, and say whether its values are words."""
    from neucb.agents.recipes.registry import RECIPES

    for recipe in RECIPES.values():
        for parameter in recipe.parameters:
            yield parameter.name, bool(parameter.choices)


def cell_id(settings: Mapping[str, Any]) -> str:
    """Return the hash that stands for a setting in the results."""
    return digest(dict(settings))[:10]


def full_table(run: Run, columns: Mapping[str, Any]) -> pa.Table:
    """Return the rows of a played run in all columns of `schema`.

    Args:
        run: the run.
        columns: those of `WORDS` and `label_noise`, apart from setting and engine.
    """
    import pyarrow as pa

    settings = tuple(cell_id(run.cell(replica)) for replica in range(run.log.spec.replicas))
    frame = run.frame({**columns, "setting": settings, "engine": run.engine})
    if not set(frame.columns) <= set(schema().names):
        raise ValueError(f"columns without a place in the store: {set(frame.columns) - set(schema().names)}")
    arrays = [
        pa.array(frame[column.name], type=column.type, from_pandas=True)
        if column.name in frame
        else pa.nulls(len(frame), column.type)
        for column in schema()
    ]
    return pa.table(arrays, schema=schema())
