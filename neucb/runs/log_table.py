"""Rows of stored logs: one schema for runs and sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from neucb.core.json_values import digest
from neucb.engines.log import FIGURES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from neucb.runs.run import Run

WORDS = ("agent", "agent_label", "dataset", "split", "preprocessing", "order", "config_id", "engine")
WORLD = ("dataset", "preprocessing", "order", "label_noise")
USUAL = {"preprocessing": "standard", "order": "shuffled"}


@cache
def schema() -> pa.Schema:
    """Return the columns of every log of a sweep, the same for all agents.

    They include the hyper-parameters of all recipes, missing for agents without them. The log of a single run
    has the hyper-parameters of its agent only, and further columns if its class was fitted.
    """
    import pyarrow as pa

    kinds = dict.fromkeys(WORDS, pa.string())
    kinds |= {"label_noise": pa.float64(), "seed": pa.int64(), "round": pa.int64()}
    kinds |= dict.fromkeys(FIGURES, pa.float64())
    kinds |= {name: pa.string() if words else pa.float64() for name, words in hyper_parameters()}
    return pa.schema(list(kinds.items()))


def hyper_parameters() -> Iterator[tuple[str, bool]]:
    """Yield the name of every hyper-parameter of any recipe, and whether its values are text."""
    from neucb.agents.recipes.registry import RECIPES

    for recipe in RECIPES.values():
        for parameter in recipe.parameters:
            yield parameter.name, bool(parameter.choices)


def without_missing_parameters(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows without the columns of hyper-parameters that are missing in all rows."""
    parameters = {name for name, _ in hyper_parameters()}
    return frame.drop(columns=[name for name in frame if name in parameters and frame[name].isna().all()])


def cell_id(settings: Mapping[str, Any]) -> str:
    """Return the hash that identifies hyper-parameters in the results."""
    return digest(dict(settings))[:10]


def run_columns(agent: Any, environment: Mapping[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns agent_label, split and world of a run that is not part of a sweep.

    Args:
        agent: name of the agent, or the column of names.
        environment: description of the data, as in a manifest.
        origin: origin of the agent; "trained" holds the number of rounds it had played before the run.
    """
    trained = origin.get("trained")
    noise = environment.get("label_noise")
    return {
        "agent_label": agent + (f", after {trained['rounds']} rounds" if isinstance(trained, dict) else ""),
        "split": "reporting",
        **{name: printable(str(environment.get(name) or usual)) for name, usual in USUAL.items()},
        "label_noise": float(noise) if isinstance(noise, int | float) else 0.0,
    }


def printable(text: str) -> str:
    """Return a text that can be encoded as UTF-8: lone surrogates are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def log_table(run: Run, columns: Mapping[str, Any]) -> pa.Table:
    """Return the rows of a played run, columns in the order of `schema`.

    Args:
        run: played run.
        columns: values of the columns of `WORDS` and `label_noise`, except config_id and engine.
    """
    import pyarrow as pa

    settings = tuple(cell_id(run.cell(replica)) for replica in range(run.log.spec.replicas))
    frame = run.frame({**columns, "config_id": settings, "engine": run.engine})
    arrays = {
        field.name: pa.array(frame[field.name], type=field.type, from_pandas=True)
        for field in schema()
        if field.name in frame
    }
    return pa.table(arrays | {name: pa.array(frame[name]) for name in frame if name not in arrays})
