"""Stored reference: bands of the regret of every recipe on a small table.

    python -m tests.support.reference "why regret changed"

plays every recipe with its defaults and rewrites, in tests/data/reference.csv, the rows of new recipes and of
those whose mean regret has left its band, with the reason. Only this script writes that file.
"""

from __future__ import annotations

import csv
import sys
import warnings
from dataclasses import asdict, dataclass

import numpy as np

import neucb
from neucb.agents.recipes.registry import RECIPES
from tests.support.paths import DATA

FILE = DATA / "reference.csv"
DATASET, SEEDS = "wine", 20  # 178 rows, 13 features, 3 classes; in scikit-learn
WIDTH = 2.0  # half width of a band in standard errors of the mean over seeds


@dataclass(frozen=True)
class Band:
    """Mean regret of a recipe after all rows, and its permitted interval."""

    recipe: str
    mean: float
    low: float
    high: float
    reason: str


def regrets(recipe: str, engine: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the regret of each seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = neucb.run(recipe, DATASET, seeds=SEEDS, engine=engine)
    return frame.groupby("seed").tail(1)["regret"].to_numpy(dtype=np.float64)


def read_bands() -> dict[str, Band]:
    """Return the stored bands."""
    if not FILE.exists():
        return {}
    with FILE.open(encoding="utf-8", newline="") as handle:
        rows = [
            Band(row["recipe"], float(row["mean"]), float(row["low"]), float(row["high"]), row["reason"])
            for row in csv.DictReader(handle)
        ]
    return {row.recipe: row for row in rows}


def main(reason: str) -> None:
    """Rewrite the rows whose recipe has left its band."""
    old, bands = read_bands(), []
    for recipe in RECIPES:
        values = regrets(recipe, "torch")
        mean, error = float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5
        stored = old.get(recipe)
        if stored is not None and stored.low <= mean <= stored.high:
            bands.append(stored)
            continue
        half = max(WIDTH * error, 1.0)
        bands.append(Band(recipe, round(mean, 2), round(mean - half, 2), round(mean + half, 2), reason))
        print(f"{recipe}: {'new' if stored is None else stored.mean} -> {mean:.2f}")
    with FILE.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, ["recipe", "mean", "low", "high", "reason"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(band) for band in bands)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].strip():
        sys.exit('state why the reference changes: python -m tests.support.reference "why"')
    main(sys.argv[1])
