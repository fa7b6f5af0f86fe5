"""Stored fits of the best policy of an agent's class: their columns, and joining them to a sweep's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from neucb.theory.hindsight import COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from neucb.runs.store import Failure
    from neucb.sweeps.store.batch_store import BatchStore

FOLDER = "_hindsight"  # readers of Parquet folders pass over it
RUN = ("label", "dataset", "preprocessing", "order", "label_noise", "setting", "seed")


@cache
def class_schema() -> pa.Schema:
    """Return the columns of the log of a fit: round, and those of `ClassLoss.columns`."""
    import pyarrow as pa

    return pa.schema([("round", pa.int64()), *((name, pa.float64()) for name in COLUMNS)])


def with_classes(
    frame: pd.DataFrame, store: BatchStore, wanted: Sequence[Mapping[str, Any]]
) -> tuple[pd.DataFrame, int, list[Failure]]:
    """Return the rows of a sweep with the columns of the fits, the number of missing fits, and the failures.

    Args:
        frame: the rows.
        store: of the fits.
        wanted: `RUN` of every run whose class was asked for, and the name of its fit.
    """
    import pandas as pd

    if not wanted:
        return frame, 0, []
    names = dict.fromkeys(str(run["fit"]) for run in wanted)
    records = [record for record in map(store.find, names) if record is not None]
    failures = [failure for record in records for failure in record.failures]
    there = {record.name: store.table([record.name]).to_pandas() for record in records}
    rows = [
        there[run["fit"]].assign(**{name: run[name] for name in RUN}) for run in wanted if run["fit"] in there
    ]
    if not rows:
        return frame.assign(**dict.fromkeys(COLUMNS, float("nan"))), len(names), failures
    keys = [*RUN, "round"]
    merged = frame.merge(pd.concat(rows), how="left", on=keys, validate="many_to_one")
    return merged, len(names) - len(there), failures
