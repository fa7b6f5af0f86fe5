"""load_sweep: the rows of a sweep and of its best-in-class fits as one DataFrame."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.columns import current_names, with_current_keys
from neucb.core.errors import InputError
from neucb.runs.log_table import without_missing_parameters
from neucb.sweeps.store.batch_store import PLAN, BatchStore
from neucb.theory.best_in_class import COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from neucb.runs.store import Failure

FITS = "_hindsight"  # folder of the fits; readers of Parquet folders pass over it
RUN = ("agent_label", "dataset", "preprocessing", "order", "label_noise", "config_id", "seed")
MEND = "remove it and run the sweep again, which plays what is missing"
UNPLAYED = ("agent", "dataset", "seed", "reason")


def load_sweep(path: str | Path, stacklevel: int = 2) -> pd.DataFrame:
    """Return all rows of a sweep, see `neucb.load_results`.

    Args:
        path: folder of an experiment.
        stacklevel: stack level of warnings, see `warnings.warn`; 2 is the caller.

    Raises:
        InputError: there are no results of a sweep.

    Warns:
        UserWarning: rows are missing, or best-in-class fits failed.
    """
    from dataclasses import asdict

    folder = Path(path)
    store = BatchStore(folder)
    plan = _plan(store)
    records = {name: store.find(name) for name in plan["batches"]}
    missing = [name for name, record in records.items() if record is None]
    unplayed = list(plan.get("unplayed", ()))
    lacking = []
    if missing:
        lacking.append(f"{len(missing)} of {len(records)} batches are missing")
    if not plan["complete"]:
        lacking.append("the reporting runs are not planned yet")
    if unplayed:
        first = unplayed[0]
        lacking.append(f"{len(unplayed)} runs could not begin ({first['dataset']}: {first['reason']})")
    there = [record for record in records.values() if record is not None]
    rows: pd.DataFrame = store.table([record.name for record in there]).to_pandas()
    expected = sum(record.rows for record in there)
    if len(rows) != expected:
        raise InputError(f"{folder} holds {len(rows):,} rows, its manifests say {expected:,}; {MEND}")
    fits = BatchStore(folder / FITS, class_schema)
    frame, absent, unfitted = _with_classes(rows, fits, [*map(with_current_keys, plan.get("hindsight", ()))])
    if absent:
        lacking.append(f"{absent} best-in-class fits are missing")
    if lacking:
        warnings.warn(
            f"{folder} is not complete: {'; '.join(lacking)}. Run the sweep again to play them",
            stacklevel=stacklevel,
        )
    if unfitted:
        first = unfitted[0]
        warnings.warn(
            f"{folder}: {len(unfitted)} best-in-class fits failed, their L_star_class is missing "
            f"({first.agent} on {first.dataset}, seed {first.seed}: {first.reason})",
            stacklevel=stacklevel,
        )
    frame = without_missing_parameters(frame)
    frame.attrs["failures"] = [asdict(one) for record in there for one in record.failures]
    frame.attrs["failures"] += unplayed
    frame.attrs["missing"] = missing
    return frame


@cache
def class_schema() -> pa.Schema:
    """Return the columns of the log of a fit: round, and the columns of `ClassLoss.columns`."""
    import pyarrow as pa

    return pa.schema([("round", pa.int64()), *((name, pa.float64()) for name in COLUMNS)])


def _with_classes(
    frame: pd.DataFrame, store: BatchStore, wanted: Sequence[Mapping[str, Any]]
) -> tuple[pd.DataFrame, int, list[Failure]]:
    """Return the rows of a sweep with the columns of the fits, the number of missing fits, and the failures.

    Args:
        frame: rows of the sweep.
        store: store of the fits.
        wanted: (`RUN`, name of the fit) of every run whose class is to be fitted.
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


def _plan(store: BatchStore) -> dict[str, Any]:
    """Return the plan of a sweep.

    Raises:
        InputError: the plan is missing or damaged.
    """
    plan = store.read_json(PLAN)
    if plan is None and (store.folder / PLAN).exists():
        raise InputError(
            f"{store.folder / PLAN} is damaged; run the sweep again, which plays only what is missing"
        )
    if plan is None:
        below = sorted(one.parent.name for one in store.folder.glob(f"*/{PLAN}"))
        below += sorted({log.parent.name for log in store.folder.glob("*/[!._]*.parquet")} - {*below})
        hint = f"; it holds {', '.join(below)}" if below else "; `neucb run` and `neucb sweep` make one"
        raise InputError(f"{store.folder} is no folder of runs or of a sweep{hint}")
    if not is_plan(plan):
        raise InputError(
            f"{store.folder / PLAN} is no plan of a sweep; run the sweep again, which writes one"
        )
    return plan


def is_plan(plan: Mapping[str, Any]) -> bool:
    """Return whether JSON has the parts of a plan."""
    batches: Any = plan.get("batches")
    unplayed, fits = plan.get("unplayed", []), plan.get("hindsight", [])
    if "complete" not in plan or not all(isinstance(one, list) for one in (batches, unplayed, fits)):
        return False
    return all(isinstance(one, str) for one in batches) and all(
        isinstance(one, dict) and {*keys} <= {*current_names(one)}
        for rows, keys in ((unplayed, UNPLAYED), (fits, (*RUN, "fit")))
        for one in rows
    )
