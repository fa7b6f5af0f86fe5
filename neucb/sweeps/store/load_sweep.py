"""load_sweep: the rows of a sweep as one DataFrame, and what is missing from them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.core.errors import InputError
from neucb.runs.log_table import hyper_parameters
from neucb.sweeps.store.batch_store import PLAN, BatchStore
from neucb.sweeps.store.class_fits import FOLDER, RUN, class_schema, with_classes

if TYPE_CHECKING:
    import pandas as pd

MEND = "remove it and run the sweep again, which plays what is missing"
UNPLAYED = ("agent", "dataset", "seed", "reason")
TIMES = ["label", "agent", "dataset", "purpose", "engine", "rounds", "seconds", "cpu_seconds", "threads"]


def load_sweep(path: str | Path, stacklevel: int = 2) -> pd.DataFrame:
    """Return all rows of a sweep, see `neucb.load_results`.

    Args:
        path: the folder of an experiment.
        stacklevel: of warnings, see `warnings.warn`; 2 is the caller.

    Raises:
        InputError: there are no results of a sweep.

    Warns:
        UserWarning: rows are missing, or fits in hindsight failed.
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
    fits = BatchStore(folder / FOLDER, class_schema)
    frame, absent, unfitted = with_classes(rows, fits, plan.get("hindsight", ()))
    if absent:
        lacking.append(f"{absent} fits in hindsight are missing")
    if lacking:
        warnings.warn(
            f"{folder} is not complete: {'; '.join(lacking)}. Run the sweep again to play them",
            stacklevel=stacklevel,
        )
    if unfitted:
        first = unfitted[0]
        warnings.warn(
            f"{folder}: {len(unfitted)} fits in hindsight failed, their L_star_class is missing "
            f"({first.agent} on {first.dataset}, seed {first.seed}: {first.reason})",
            stacklevel=stacklevel,
        )
    parameters = [name for name, _ in hyper_parameters() if name in frame]
    frame = frame.drop(columns=[name for name in dict.fromkeys(parameters) if frame[name].isna().all()])
    frame.attrs["failures"] = [asdict(one) for record in there for one in record.failures]
    frame.attrs["failures"] += unplayed
    frame.attrs["missing"] = missing
    return frame


def load_times(path: str | Path) -> pd.DataFrame:
    """Return what playing took, one row per batch of a sweep in which something was played.

    Columns: label, agent, dataset, purpose, engine, rounds (of all runs together), seconds (wall clock)
    and cpu_seconds (of the processor), loading and compiling excluded, and threads.

    Args:
        path: the folder of an experiment.

    Raises:
        InputError: there are no results of a sweep.
    """
    import pandas as pd

    store = BatchStore(Path(path))
    rows = []
    for name in _plan(store)["batches"]:
        content = store.read_json(store.manifest(name).name) or {}
        if content.get("rounds_played") and "playing" in content:  # former versions kept no times
            try:
                rows.append(_times_of(content))
            except (KeyError, TypeError, ValueError, OverflowError):
                raise InputError(f"{store.manifest(name)} is no manifest of a batch; {MEND}") from None
    return pd.DataFrame(rows, columns=TIMES)


def _times_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a batch in `load_times`, of a manifest that may have been damaged."""
    wanted, playing = content["configuration"], content["playing"]
    row = {key: str(wanted[key]) for key in ("label", "agent", "purpose")}
    return {
        **row,
        "dataset": str(wanted["world"]["dataset"]["name"]),
        "engine": str(content["engine"]),
        "rounds": int(content["rounds_played"]),
        "seconds": float(playing["seconds"]),
        "cpu_seconds": float(playing["cpu_seconds"]),
        "threads": int(playing["threads"]),
    }


def _plan(store: BatchStore) -> dict[str, Any]:
    plan = store.read_json(PLAN)
    if plan is None and (store.folder / PLAN).exists():
        raise InputError(
            f"{store.folder / PLAN} is damaged; run the sweep again, which plays only what is missing"
        )
    if plan is None:
        below = sorted(one.parent.name for one in store.folder.glob(f"*/{PLAN}"))
        hint = f"; it holds {', '.join(below)}" if below else "; `neucb sweep` makes one"
        raise InputError(f"{store.folder} is no folder of a sweep{hint}")
    if not is_plan(plan):
        raise InputError(
            f"{store.folder / PLAN} is no plan of a sweep; run the sweep again, which writes one"
        )
    return plan


def is_plan(plan: Mapping[str, Any]) -> bool:
    """Return whether JSON has what is read of a plan."""
    batches: Any = plan.get("batches")
    unplayed, fits = plan.get("unplayed", []), plan.get("hindsight", [])
    if "complete" not in plan or not all(isinstance(one, list) for one in (batches, unplayed, fits)):
        return False
    return all(isinstance(one, str) for one in batches) and all(
        isinstance(one, dict) and {*keys} <= {*one}
        for rows, keys in ((unplayed, UNPLAYED), (fits, (*RUN, "fit")))
        for one in rows
    )
