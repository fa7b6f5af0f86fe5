"""Study of the data sets: size, loading time and the default agent's regret.

    python -m neucb.experiments.studies.datasets CACHE FOLDER [DATASET ...]

CACHE is the root of an OpenML cache; the default data sets are the suite `bakeoff`. FOLDER, `results` in
the repository, receives datasets.csv. Seeds 0 to 4, min(rows, 10,000) rounds.
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
    """Play every data set and rewrite the table after each."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401  # keeps the import out of the first loading time

    rows = []
    for name in expand(names, None if names else "bakeoff"):
        rows.append(measure(name, Path(cache)))
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(Path(folder) / "datasets.csv", index=False)


def measure(name: str, cache: Path) -> dict[str, object]:
    """Return one row of the table; seconds are CPU time of loading and encoding in one thread."""
    started = time.process_time()
    table = load_table(name, source="openml", openml_cache=cache)
    read = time.process_time()
    encoded = encode(table)
    end = time.process_time()
    run = prepare(AGENT, encoded)
    run.play()
    metrics = summary(run)
    low, high = metrics["ci95"]
    return {
        "dataset": name,
        "rows": table.rows,
        "K": table.arms,
        "d": encoded.contexts.shape[1],
        "seconds_to_read": round(read - started, 3),
        "seconds_to_encode": round(end - read, 3),
        "rounds": metrics["rounds"],
        "agent": AGENT,
        "mean_regret": round(metrics["mean_regret"], 1),
        "ci95_low": round(low, 1),
        "ci95_high": round(high, 1),
        "best_fixed_arm_regret": round(metrics["best_fixed_arm_regret"]["mean"], 1),
        "uniform": round(metrics["uniform"], 1),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
