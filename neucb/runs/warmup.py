"""Compilation of the kernels of recipes ahead of runs, in parallel processes."""

from __future__ import annotations

import contextlib
import io
import itertools
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import numpy as np

from neucb.agents.propensity import load_chances
from neucb.agents.recipes.registry import RECIPES, find_recipe
from neucb.core.threads import cores, leave_safe_path, safe_path
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.orders.order import FixedOrder
from neucb.environments.orders.registry import ORDERS
from neucb.environments.preprocessing import Encoded
from neucb.environments.table import Column, Table
from neucb.kernels.cache import NotCachedError, from_cache_only
from neucb.runs.api import prepare
from neucb.runs.run import Run

Kind = tuple[int, str, int]

ROWS, ARMS = 20, 3
FEATURES = (4, 500)  # of the second, networks share the forward passes of a block's rounds


def warm_up(
    names: Sequence[str], dtype: str, plan: Callable[[int], None], tick: Callable[[str], None]
) -> list[str]:
    """Compile the kernels of recipes, or load them from the cache; return the recipes that have kernels.

    Kernels are compiled for the types of their arguments: for shared and separate forward passes, with and
    without replay, for orders that adapt to the agent and others, and for one number type of networks.

    Args:
        names: names of recipes; all by default.
        dtype: number type of networks, "float32" or "float64".
        plan: callback with the number of steps.
        tick: callback with the name of a step, after every step.

    Raises:
        InputError: an unknown name.
    """
    recipes = [find_recipe(name) for name in names] or [*RECIPES.values()]
    compiled = [recipe for recipe in recipes if any(_runs(recipe.name, dtype, kind) for kind in _kinds())]
    groups = defaultdict(list)
    for recipe in compiled:
        groups[str(recipe.oracle)].append(recipe.name)
    largest = sorted(groups.values(), key=len, reverse=True)
    tasks = [(group, kind) for group in largest for kind in _kinds()]
    plan(len(tasks))
    with safe_path(), ProcessPoolExecutor(min(cores(), len(tasks) or 1), get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_compile, group, dtype, kind) for group, kind in tasks]):
            tick(done.result())
    return [recipe.name for recipe in compiled]


def compile_together(
    runs: Sequence[tuple[Callable[[], Run], Run]], jobs: int, notify: Callable[[str], None]
) -> None:
    """Compile the kernels that runs lack, those of different types in parallel processes.

    Args:
        runs: prepared runs, each with a function that returns it anew in another process.
        jobs: number of processes at a time; nothing is done for 1.
        notify: callback with a line before and after the compilation.
    """
    started, left, said = time.perf_counter(), list(runs), False
    while jobs > 1:
        kernels = [_lacks(run) for _, run in left]
        lacking = [(kernel, one) for kernel, one in zip(kernels, left, strict=True) if kernel is not None]
        makers = {kernel: make for kernel, (make, _) in reversed(lacking)}  # the first run of each kernel
        if len(makers) < 2 or (said and len(lacking) == len(left)):  # again all of them: compiling fails
            break
        if not said:
            said = True
            notify(f"compiling {len(makers)} kernels in parallel, once; later runs load them")
        with safe_path(), ProcessPoolExecutor(min(jobs, len(makers)), get_context("spawn")) as pool:
            for done in [pool.submit(_load_silently, make) for make in makers.values()]:
                done.exception()  # the same error comes again where the run is played
        left = [one for _, one in lacking]
    if said:
        notify(f"compiled in {time.perf_counter() - started:.0f} s")


def _lacks(run: Run) -> str | None:
    """Return the first kernel that a run would have to compile; None where all are in the cache."""
    try:
        with from_cache_only():
            run.load()
    except NotCachedError as error:
        return error.kernel
    return None


def _load_silently(make: Callable[[], Run]) -> None:
    leave_safe_path()
    warnings.simplefilter("ignore")
    with contextlib.redirect_stderr(io.StringIO()):
        make().load()


def _kinds() -> Iterator[Kind]:
    """Yield the kinds of runs whose kernels take other types: number of features, order, steps an update."""
    adaptive = [name for name, order in ORDERS.items() if not issubclass(order, FixedOrder)]
    yield from itertools.product(FEATURES, ["shuffled", *adaptive], (1, 2))


def _compile(names: Sequence[str], dtype: str, kind: Kind) -> str:
    """Compile the kernels of a kind of runs, in silence; return the name of the first recipe."""
    leave_safe_path()
    warnings.simplefilter("ignore")
    with contextlib.redirect_stderr(io.StringIO()):
        load_chances()
        for name in names:
            for run in _runs(name, dtype, kind):
                run.load()
    return names[0]


def _runs(name: str, dtype: str, kind: Kind) -> list[Run]:
    """Return the runs of a recipe and a kind, none where there is no kernel or no such kind.

    The first kind has a run on the torch engine too, which has kernels of its own.
    """
    features, order, replays = kind
    replayed = "updates_per_round" in RECIPES[name].settings({})
    if replays > 1 and not replayed:
        return []
    settings = {"updates_per_round": replays} if replayed else {}
    env = ClassificationVectorEnv(_rows(features), 1, horizon=ROWS, order=order)
    run = prepare(name, env, seeds=[0], settings=settings, dtype=dtype)
    if run.engine != "compiled":
        return []
    torch = prepare(name, env, seeds=[0], settings=settings, dtype=dtype, engine="torch")
    return [run, torch] if kind == next(_kinds()) else [run]


def _rows(features: int) -> Encoded:
    contexts = np.full((ROWS, features), features**-0.5, np.float32)
    labels = np.arange(ROWS) % ARMS
    columns = tuple(Column(f"x{j}", contexts[:, j].astype(np.float64)) for j in range(features))
    table = Table("warm-up", columns, labels, tuple("abc"), "memory")
    return Encoded(contexts, labels, table, "standard")
