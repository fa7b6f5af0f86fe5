"""Who plays: the yardstick, the same over processes, the torch engine, the compiled engine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, cast

from neucb.agents.recipes.recipe import Recipe
from neucb.agents.recipes.registry import find_recipe
from neucb.benchmarks.measure import Clock, Entrant, clock
from neucb.benchmarks.plain import PlainLoop, knows
from neucb.core.spec import Spec
from neucb.core.threads import safe_path
from neucb.engines.choose import refusal
from neucb.engines.compiled.engine import Compiled
from neucb.engines.lockstep.block_loop import BLOCK
from neucb.engines.log import log_spaced
from neucb.environments.classification import ClassificationVectorEnv
from neucb.environments.preprocessing import Encoded
from neucb.runs.api import prepare
from neucb.runs.run import Run

WARM_UP = BLOCK  # rounds of the torch engine before the clocks start: it draws its weights in the first
ROUNDS = 10_000  # of a whole run
MOST_RUNS = 50  # of the compiled engine in a repetition


@dataclass(frozen=True)
class BenchTask:
    """An agent on a table.

    Attributes:
        agent: the recipe's name.
        encoded: the rows.
        settings: what differs from its defaults.
    """

    agent: str
    encoded: Encoded
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The agent's recipe."""
        return find_recipe(self.agent)

    @property
    def own(self) -> dict[str, Any]:
        """All hyper-parameters."""
        return dict(self.recipe.settings(self.settings))

    def env(self, replicas: int, rounds: int) -> ClassificationVectorEnv:
        """Return the environment; rows are drawn again where there are fewer than rounds."""
        return ClassificationVectorEnv(self.encoded, replicas, horizon=rounds, recycle=True)

    def run(self, replicas: int, rounds: int, engine: str, first: int = 0) -> Run:
        """Return the run of the seeds from `first` on, ready to be played."""
        env, seeds = self.env(replicas, rounds), range(first, first + replicas)
        return prepare(self.agent, env, seeds=seeds, settings=self.settings, engine=engine)

    @property
    def has_plain(self) -> bool:
        """Whether there is a plain loop of it."""
        return knows(self.recipe, self.own)

    @property
    def has_compiled(self) -> bool:
        """Whether the compiled engine plays it."""
        env = self.env(1, ROUNDS)
        spec = Spec((0,), env.table.arms, self.encoded.contexts.shape[1], ROUNDS)
        return refusal(self.recipe, self.own, env, spec, late=False) is None


def _since(before: Clock) -> Clock:
    cpu, wall = clock()
    return cpu - before[0], wall - before[1]


def plain(task: BenchTask) -> Entrant:
    """Return the yardstick: one replica, its construction not timed."""

    def play(rounds: int) -> tuple[int, Clock]:
        loop = PlainLoop(task.recipe, task.own, task.env(1, rounds), seed=0)
        before = clock()
        loop.play(rounds)
        return rounds, _since(before)

    return Entrant("plain loop", play, least=20, most=ROUNDS)


def torch_engine(task: BenchTask, replicas: int) -> Entrant:
    """Return R replicas on the torch engine, without their first rounds.

    The log keeps as many of the rounds as it keeps in a run of 10,000; in a short run they are denser.
    """

    def play(rounds: int) -> tuple[int, Clock]:
        rounds -= rounds % WARM_UP
        job = task.run(replicas, rounds + WARM_UP, "torch")
        job.log.keep(range(WARM_UP, rounds + WARM_UP, ROUNDS // len(log_spaced(ROUNDS))))
        marks: dict[int, Clock] = {}

        def mark(played: int) -> None:
            if played in (WARM_UP, rounds + WARM_UP):
                marks[played] = clock()

        job.play(mark)
        before, after = marks[WARM_UP], marks[rounds + WARM_UP]
        return rounds * replicas, (after[0] - before[0], after[1] - before[1])

    return Entrant(f"torch R={replicas}", play, WARM_UP, ROUNDS, replicas)


def compiled(task: BenchTask, *, rounds: int = ROUNDS, replicas: int = 1, threads: int = 1) -> Entrant:
    """Return whole runs on the compiled engine, drawing weights and keeping the log included.

    One seed after the other, as many as fill a repetition: alone, a run of a few milliseconds would be
    measured while it still waits for memory that the contender before it has pushed out.
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
    """Return the yardstick over processes, a seed each; their start is not timed."""
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
    """Play one seed of the plain loop; return the CPU seconds."""
    import torch

    torch.set_num_threads(1)
    loop = PlainLoop(task.recipe, task.own, task.env(1, rounds), seed)
    before = time.process_time()
    loop.play(rounds)
    return time.process_time() - before
