"""Compilation of kernels before the tests start, so that no two test processes compile the same ones.

usage: python -m tests.support.kernels
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import neucb
from neucb.agents.propensity import load_chances
from neucb.agents.recipes.registry import RECIPES
from neucb.core.threads import cores
from neucb.runs.api import prepare
from tests.support.tables import toy

SHAPES = (("shuffled", False), ("shuffled", True), ("weakest-class", False))  # order, replay


def compile_for(recipes: list[str], order: str, replay: bool, dtype: str) -> None:
    """Compile the kernels of recipes, or load them from numba's cache."""
    for name in recipes:
        if not replay or "updates_per_round" in RECIPES[name].settings({}):
            settings = {"updates_per_round": 2} if replay else {}
            run = prepare(name, toy(), 2, 1, engine="compiled", order=order, settings=settings, dtype=dtype)
            run.load()


def compile_common() -> None:
    """Compile the kernels shared by all oracles: those of the torch engine and of traces."""
    neucb.run("kl", toy(), 200, 2, engine="torch")
    load_chances()


def main() -> None:
    """Compile the kernels of each oracle, order and dtype in parallel processes."""
    groups = defaultdict(list)
    for name, recipe in RECIPES.items():
        if prepare(name, toy(), 2, 1).engine == "compiled":
            groups[str(recipe.oracle)].append(name)
    largest = sorted(groups.values(), key=len, reverse=True)
    kinds = [(*shape, dtype) for shape in SHAPES for dtype in ("float32", "float64")]
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        futures = [pool.submit(compile_for, recipes, *kind) for recipes in largest for kind in kinds]
        futures.append(pool.submit(compile_common))
        for future in futures:
            future.result()


if __name__ == "__main__":
    main()
