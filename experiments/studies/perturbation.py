"""Ablation study of the perturbation on real data, as requested by reviewers of the paper.

    python -m neucb.experiments.studies.perturbation CACHE FOLDER [DATASET ...]

CACHE is the root of an OpenML cache that holds the data sets; FOLDER, `results/theory` in the repository,
receives ablation.csv. Plain network, pull to theta_0 (S = infinity) and S in {1, 3, 10} fixed sign
vectors, for both losses, with label noise of 0, 10 % and 20 %; seeds 0 to 4, min(rows, 10,000) rounds,
the recipes' other defaults. For finite S c_p is a share of c_max = sqrt(2 S sqrt(m) / (lr p)), above
which squared-loss training diverges.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neucb.agents.recipes.registry import find_recipe
from neucb.environments.preprocessing import Encoded, encode
from neucb.environments.sources.catalogue import load_table
from neucb.runs.api import prepare
from neucb.runs.summary import confidence_interval

DATASETS = ("covertype", "magic", "adult", "mushroom", "shuttle", "letter")
NOISES = (0.0, 0.1, 0.2)
SEEDS = range(5)
SHARES = (0.1, 0.3)
PULLS = (0.03, 0.1, 0.3, 1.0)  # the first is the default of the recipes
COUNTS = (1, 3, 10)
PLAIN = {"squared": "sq", "kl": "kl"}


@dataclass(frozen=True)
class Variant:
    """One cell: number S of sign vectors (0 for the plain network, infinity for the pull), and c_p."""

    count: float
    c_p: float
    share: float = math.nan

    @property
    def settings(self) -> dict[str, Any]:
        """Hyper-parameters for `--set`, empty for the plain network."""
        if not self.count:
            return {}
        return {"c_p": self.c_p, "perturbations": self.count if math.isinf(self.count) else int(self.count)}


def largest_c_p(count: float, lr: float, parameters: int, width: int) -> float:
    """Return the largest stable c_p, c_max = sqrt(2 S sqrt(m) / (lr p))."""
    return math.sqrt(2.0 * count * math.sqrt(width) / (lr * parameters))


def variants(lr: float, parameters: int, width: int) -> Iterator[Variant]:
    """Yield all cells for a network of p parameters, the plain network first."""
    yield Variant(0, 0.0)
    for c_p in PULLS:
        yield Variant(math.inf, c_p)
    for count in COUNTS:
        limit = largest_c_p(count, lr, parameters, width)
        for share in SHARES:
            yield Variant(count, share * limit, share)


def main(cache: str, folder: str, *names: str) -> None:
    """Play every cell on every data set and rewrite the table after each set."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name in names or DATASETS:
        started = time.perf_counter()
        encoded = encode(load_table(name, source="openml", openml_cache=Path(cache)))
        rows += ablation(name, encoded)
        pd.DataFrame(rows).round(4).to_csv(Path(folder) / "ablation.csv", index=False)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)


def ablation(name: str, encoded: Encoded) -> list[dict[str, Any]]:
    """Return one row per loss, noise and variant on one data set."""
    rows = []
    arms, features = encoded.table.arms, encoded.contexts.shape[1]
    for noise in NOISES:
        for loss, plain in PLAIN.items():
            defaults: Mapping[str, Any] = find_recipe(plain).settings({})
            lr, width = float(defaults["lr"]), int(defaults["width"])
            base = None
            for variant in variants(lr, width * (arms * (features + 1) + 1), width):
                recipe = f"{plain}-perturbed" if variant.count else plain
                run = prepare(recipe, encoded, None, SEEDS, settings=variant.settings, label_noise=noise)
                run.play()
                regret = run.log.sums["regret"]
                base = regret if base is None else base
                rows.append(
                    {
                        "dataset": name,
                        "rounds": run.log.round,
                        "label_noise": noise,
                        "loss": loss,
                        "S": variant.count,
                        "c_p": variant.c_p,
                        "share_of_c_max": variant.share,
                        **compared(regret, base),
                        "best_fixed_arm_regret": float(
                            (run.log.arm_losses.min(1) - run.log.sums["L_star"]).mean()
                        ),
                    }
                )
    return rows


def compared(regret: NDArray[np.float64], plain: NDArray[np.float64]) -> dict[str, float]:
    """Return mean regret and the paired difference to the plain network, with 95 % intervals."""
    low, high = confidence_interval(regret) or [math.nan] * 2
    less, more = confidence_interval(regret - plain) or [math.nan] * 2
    return {
        "mean_regret": float(regret.mean()),
        "ci95_low": low,
        "ci95_high": high,
        "difference": float((regret - plain).mean()),
        "difference_low": less,
        "difference_high": more,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
