"""Benchmark entrants: the plain loop, the plain loop over processes, the torch and the compiled engine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, cast

from neucb.agents.recipes.recipe import Recipe
from neucb.agents.recipes.registry import find_recipe
from neucb.benchmarks.measure import Clock, Entrant, clock
from neucb.benchmarks.plain import PlainLoop
from neucb.core.metrics import log_spaced
from neucb.core.spec import Spec
from neucb.core.threads import safe_path
from neucb.engines.choose import refusal
from neucb.engines.compiled.engine import Compiled
from neucb.engines.lockstep.block_loop import BLOCK
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.preprocessing import Encoded
from neucb.runs.api import prepare
from neucb.runs.run import Run

WARM_UP = BLOCK  # untimed first rounds of the torch engine, which draw the weights
ROUNDS = 10_000  # rounds of a full run
MOST_RUNS = 50  # maximum runs of the compiled engine in a repetition


@dataclass(frozen=True)
class BenchTask:
    """An agent on a data set.

    Attributes:
        agent: name of the recipe.
        encoded: encoded rows.
        settings: hyper-parameters other than the recipe's defaults.
    """

    agent: str
    encoded: Encoded
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """Recipe of the agent."""
        return find_recipe(self.agent)

    @property
    def all_settings(self) -> dict[str, Any]:
        """All hyper-parameters of the agent."""
        return dict(self.recipe.settings(self.settings))

    def env(self, replicas: int, rounds: int) -> ClassificationVectorEnv:
        """Return the environment; the rows are repeated if there are fewer than rounds."""
        return ClassificationVectorEnv(self.encoded, replicas, horizon=rounds, recycle=True)

    def run(self, replicas: int, rounds: int, engine: str, first: int = 0) -> Run:
        """Return a prepared run of the seeds from `first` on."""
        env, seeds = self.env(replicas, rounds), range(first, first + replicas)
        return prepare(self.agent, env, seeds=seeds, settings=self.settings, engine=engine)

    @property
    def has_compiled(self) -> bool:
        """Whether the compiled engine supports the agent."""
        env = self.env(1, ROUNDS)
        spec = Spec((0,), env.table.arms, self.encoded.contexts.shape[1], ROUNDS)
        return refusal(self.recipe, self.all_settings, env, spec, late=False) is None


def _since(before: Clock) -> Clock:
    cpu, wall = clock()
    return cpu - before[0], wall - before[1]


def plain(task: BenchTask) -> Entrant:
    """Return the plain-loop baseline: one replica, its construction untimed."""

    def play(rounds: int) -> tuple[int, Clock]:
        loop = PlainLoop(task.recipe, task.all_settings, task.env(1, rounds), seed=0)
        before = clock()
        loop.play(rounds)
        return rounds, _since(before)

    return Entrant("plain loop", play, least=20, most=ROUNDS)


def torch_engine(task: BenchTask, replicas: int) -> Entrant:
    """Return the entrant of R replicas on the torch engine, timed after the warm-up.

    The log keeps rounds at the mean density of a run of 10,000 rounds; a short run's default is denser.
    """

    def play(rounds: int) -> tuple[int, Clock]:
        rounds -= rounds % WARM_UP
        run = task.run(replicas, rounds + WARM_UP, "torch")
        run.log.keep(range(WARM_UP, rounds + WARM_UP, ROUNDS // len(log_spaced(ROUNDS))))
        marks: dict[int, Clock] = {}

        def mark(played: int) -> None:
            if played in (WARM_UP, rounds + WARM_UP):
                marks[played] = clock()

        run.play(mark)
        before, after = marks[WARM_UP], marks[rounds + WARM_UP]
        return rounds * replicas, (after[0] - before[0], after[1] - before[1])

    return Entrant(f"torch R={replicas}", play, WARM_UP, ROUNDS, replicas)


def compiled(task: BenchTask, *, rounds: int = ROUNDS, replicas: int = 1, threads: int = 1) -> Entrant:
    """Return the entrant of full runs on the compiled engine, weight draws and logging included.

    Several seeds in sequence fill a repetition: the timing of a single run of a few milliseconds would be
    dominated by cache misses after the previous entrant.
    """

    def play(total: int) -> tuple[int, Clock]:
        spent = (0.0, 0.0)
        runs = total // rounds
        for i in range(runs):
            player = cast("Compiled", task.run(replicas, rounds, "compiled", i * replicas).player)
            player.threads = threads
            player.load()
            before = clock()
            player.play()
            cpu, wall = _since(before)
            spent = (spent[0] + cpu, spent[1] + wall)
        return runs * rounds * replicas, spent

    name = "compiled" if threads == 1 else f"compiled, {threads} threads"
    return Entrant(name, play, rounds, MOST_RUNS * rounds, replicas)


def processes(task: BenchTask, workers: int) -> Entrant:
    """Return the plain loop over processes, one seed each; their start is untimed."""
    from joblib import Parallel, delayed

    def play(rounds: int) -> tuple[int, Clock]:
        with safe_path(), Parallel(n_jobs=workers) as pool:
            pool(delayed(_seed)(task, seed, 1) for seed in range(workers))
            started = time.perf_counter()
            seconds = pool(delayed(_seed)(task, seed, rounds) for seed in range(workers))
            wall = time.perf_counter() - started
        return rounds * workers, (sum(seconds), wall)

    return Entrant(f"plain loop, joblib, {workers} processes", play, 100, ROUNDS, workers)


def _seed(task: BenchTask, seed: int, rounds: int) -> float:
    """Play one seed of the plain loop; return its CPU seconds."""
    import torch

    torch.set_num_threads(1)
    loop = PlainLoop(task.recipe, task.all_settings, task.env(1, rounds), seed)
    before = time.process_time()
    loop.play(rounds)
    return time.process_time() - before
