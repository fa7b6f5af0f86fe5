"""How the recipes' defaults were chosen, and what they achieve.

    python -m neucb.experiments.defaults tune CACHE FOLDER [RECIPE ...]
    python -m neucb.experiments.defaults report CACHE FOLDER

The first plays the grids on the tuning seeds, the second the defaults on the reporting seeds.

CACHE is the root of an OpenML cache that holds the five data sets (`neucb run --dataset NAME` fetches
one); FOLDER takes the tables, `results` in the repository.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neucb.agents.recipes import RECIPES, find_recipe
from neucb.environments.catalogue import load_table
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.make import ROUNDS
from neucb.environments.preprocessing import Encoded, encode
from neucb.log import RunLog
from neucb.loop import play
from neucb.runner import prepare
from neucb.spec import Spec
from neucb.summary import summary

if TYPE_CHECKING:
    import pandas as pd

DATASETS = ("covertype", "mushroom", "shuttle", "magic", "adult")
TUNING_SEEDS = (1000, 1001)
REPORTING_SEEDS = range(5)
BATCH = 48  # replicas in lockstep

Grid = Mapping[str, Sequence[float]]
KL_GRID = {"lr": (0.8, 1.6, 2.4, 3.6), "lr_power": (0.2, 0.3, 0.35, 0.4), "gamma": (100.0, 300.0, 1000.0)}
# Larger steps diverge: lr = 0.9 without a decay reached infinity on covertype in round 399.
SQUARED_GRID = {"lr": (0.2, 0.4, 0.6), "lr_power": (0.1, 0.2, 0.3), "gamma": (30.0, 100.0, 300.0)}
LINEAR_GRID = {"regularization": (0.03, 0.1, 0.3, 1.0), "gamma": (10.0, 30.0, 100.0, 300.0, 1000.0)}
PERTURBATION_GRID = {"c_p": (0.0, 0.03, 0.1, 0.3)}
GRIDS: dict[str, Grid] = {
    "kl": KL_GRID,
    "sq": SQUARED_GRID,
    "squarecb": LINEAR_GRID,
    "fastcb": LINEAR_GRID,
    "kl-perturbed": PERTURBATION_GRID,
    "sq-perturbed": PERTURBATION_GRID,
}


def main(task: str, cache: str, folder: str, *recipes: str) -> None:
    """Run one of the two tasks."""
    tables = {name: encode(load_table(name, source="openml", cache=Path(cache))) for name in DATASETS}
    if task == "tune":
        tune(tables, Path(folder), recipes or tuple(GRIDS))
    else:
        report(tables, Path(folder))


def tune(tables: Mapping[str, Encoded], folder: Path, recipes: Sequence[str]) -> None:
    """Write tuning-RECIPE.csv: mean regret of every cell on every data set, best score first."""
    import pandas as pd

    for recipe in recipes:
        played = []
        for name, table in tables.items():
            print(f"{recipe} on {name}", flush=True)
            played.append(play_grid(recipe, GRIDS[recipe], table).assign(dataset=name))
        scored = score(pd.concat(played, ignore_index=True), list(GRIDS[recipe]))
        scored.round(4).to_csv(folder / f"tuning-{recipe}.csv")
        print(scored.head(8).to_string(), flush=True)


def play_grid(recipe: str, grid: Grid, table: Encoded) -> pd.DataFrame:
    """Return the final regret of every cell of a grid on every tuning seed, in lockstep batches."""
    import pandas as pd

    rounds = min(ROUNDS, table.table.rows)
    cells = [(*cell, seed) for cell in itertools.product(*grid.values()) for seed in TUNING_SEEDS]
    rows = []
    for start in range(0, len(cells), BATCH):
        part = cells[start : start + BATCH]
        settings = {name: [cell[i] for cell in part] for i, name in enumerate(grid)}
        seeds = tuple(int(cell[-1]) for cell in part)
        log = RunLog(Spec(seeds, table.table.arms, table.contexts.shape[1], rounds))
        env = ClassificationVectorEnv(table, len(part), horizon=rounds)
        play(find_recipe(recipe).build(settings), env, log)
        regret = log.sums["regret"]
        rows += [(*cell, value) for cell, value in zip(part, regret, strict=True)]
    return pd.DataFrame(rows, columns=[*grid, "seed", "regret"])


def score(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return mean regret per cell and data set, and `score`: the mean ratio to each data set's best cell."""
    mean = frame.pivot_table(index=list(names), columns="dataset", values="regret")
    return mean.assign(score=(mean / mean.min()).mean(axis=1)).sort_values("score")


def report(tables: Mapping[str, Encoded], folder: Path) -> None:
    """Write defaults.csv: regret of every recipe with its defaults on the reporting seeds."""
    import pandas as pd

    rows = []
    for name, table in tables.items():
        for recipe in RECIPES:
            job = prepare(recipe, table, seeds=REPORTING_SEEDS)
            job.play()
            figures = summary(job)
            low, high = figures["ci95"]
            fixed = figures["best_fixed_arm"]["mean"]
            rows.append((name, job.log.round, recipe, figures["mean_regret"], low, high, fixed, job.seconds))
            print(*rows[-1], flush=True)
    columns = [
        "dataset",
        "rounds",
        "agent",
        "mean_regret",
        "ci95_low",
        "ci95_high",
        "best_fixed_arm",
        "seconds",
    ]
    pd.DataFrame(rows, columns=columns).round(1).to_csv(folder / "defaults.csv", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
