"""What the data sets are: size, time to load, and how the default agent fares on each.

    python -m neucb.experiments.studies.datasets CACHE FOLDER [DATASET ...]

CACHE is the root of an OpenML cache; without names the suite `bakeoff` is played. FOLDER takes
datasets.csv, `results` in the repository. Seeds 0 to 4, min(rows, 10,000) rounds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from neucb.environments.preprocessing import encode
from neucb.environments.sources.catalogue import expand, load_table
from neucb.runs.api import prepare
from neucb.runs.summary import summary

AGENT = "kl-perturbed"


def main(cache: str, folder: str, *names: str) -> None:
    """Play every set and write the table, after each one anew."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401  # so that its import is no part of reading the first set

    rows = []
    for name in expand(names, None if names else "bakeoff"):
        rows.append(measure(name, Path(cache)))
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(Path(folder) / "datasets.csv", index=False)


def measure(name: str, cache: Path) -> dict[str, object]:
    """Return one row of the table; seconds are processor time of reading and of encoding, one thread."""
    started = time.process_time()
    table = load_table(name, source="openml", cache=cache)
    read = time.process_time()
    encoded = encode(table)
    ready = time.process_time()
    job = prepare(AGENT, encoded)
    job.play()
    figures = summary(job)
    low, high = figures["ci95"]
    return {
        "dataset": name,
        "rows": table.rows,
        "K": table.arms,
        "d": encoded.contexts.shape[1],
        "seconds_to_read": round(read - started, 3),
        "seconds_to_encode": round(ready - read, 3),
        "rounds": figures["rounds"],
        "agent": AGENT,
        "mean_regret": round(figures["mean_regret"], 1),
        "ci95_low": round(low, 1),
        "ci95_high": round(high, 1),
        "best_fixed_arm": round(figures["best_fixed_arm"]["mean"], 1),
        "uniform": round(figures["uniform"], 1),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
