"""Compiled engine: plays whole runs of recipes in kernels, replicas in parallel over the cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numba.core.errors import NumbaError

from neucb.agents.propensity import load_chances
from neucb.core.threads import cores
from neucb.engines.checks import diverged, no_distribution
from neucb.engines.compiled.compiling import announced, bad_weight
from neucb.engines.compiled.experts import failed_expert
from neucb.engines.compiled.inputs import KEPT, plays_own_draw
from neucb.engines.compiled.replica import Replica, check, make_replica
from neucb.engines.compiled.tracing import Tracer
from neucb.engines.log import GAUGES, RoundLabels, load_sums
from neucb.engines.stalled import first_stuck, long_runs, stuck
from neucb.environments.contexts import dense_rows, differ_from_first
from neucb.environments.episodes import bad_context
from neucb.kernels.types import BLOCK, EXPERT, NOT_FINITE

if TYPE_CHECKING:
    from neucb.agents.recipes.recipe import Recipe
    from neucb.core.errors import NeucbError
    from neucb.engines.compiled.inputs import Settings
    from neucb.engines.log import Progress, RunLog
    from neucb.environments.classification import ClassificationVectorEnv

FIRST_ROUNDS = KEPT  # of all replicas, from which the rate is estimated
SECONDS = 0.1  # between updates of log and progress
MOST_ROUNDS = 512 * BLOCK


class Compiled:
    """R replicas of a recipe on an environment whose rows are known beforehand.

    The torch agents are the reference: float64 gives the same actions, float32 the same up to rounding. A
    replica's numbers depend neither on its neighbours nor on the number of threads.

    Args:
        recipe: recipe of the agent.
        settings: all its hyper-parameters; a tuple has one number per replica.
        env: environment, whose table is read; it is not stepped.
        log: log of the run, empty.
        threads: number of threads that play replicas; the number of cores by default, found on loading.

    Raises:
        InputError: hyper-parameters that the torch agents refuse.
    """

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        env: ClassificationVectorEnv,
        log: RunLog,
        threads: int | None = None,
    ) -> None:
        check(recipe, settings, log.spec)
        self.recipe = recipe
        self.settings = settings
        self.env = env
        self.log = log
        self.threads = threads
        self._tracer = None if log.trace is None else Tracer(log.trace, recipe, settings)

    def load(self) -> None:
        """Load the kernel from numba's disk cache, or compile it with a notice.

        Raises:
            InputError: a rule of the package has a weight that cannot be compiled.
        """
        if self.log.spec.replicas > 1:
            self.threads = self.threads or cores()
        with announced():
            first = self._make(0)
            try:
                first.play(0, 0)
            except NumbaError as error:
                raise bad_weight() or error from None
            load_sums()
            if self._tracer is not None and plays_own_draw(first.rule):
                load_chances()

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; the log is complete up to the last round counted if this call raises.

        Args:
            progress: called with the number of rounds played, about ten times a second.

        Raises:
            DivergedError: predictions or probabilities that are not finite.
            InputError: contexts that are not finite.
        """
        try:
            workers = min(self.threads or 1, self.log.spec.replicas)
            if workers == 1:
                self._rounds(map, progress)
                return
            with ThreadPoolExecutor(workers) as pool:
                self._rounds(pool.map, progress)
        finally:
            self.log.close()

    def _make(self, r: int) -> Replica:
        spec, trace = self.log.spec, self.log.trace
        due, full = self.log.due_until(spec.horizon), None if trace is None else trace.full
        return make_replica(self.recipe, self.settings, self.env, spec, r, due, full)

    def _rounds(self, over: Callable[..., Iterable[Any]], progress: Progress | None) -> None:
        """Play all rounds; `over` maps a function over replicas, in threads or not."""
        horizon = self.log.spec.horizon
        replicas = list(over(self._make, range(self.log.spec.replicas)))
        kept = len(replicas[0].inputs.record.kept)  # rounds that are counted before the next are played
        counted, start, rounds = 0, 0, FIRST_ROUNDS
        began = time.perf_counter()
        while start < horizon:
            first, start = start, min(start + rounds, horizon)
            ends = list(over(lambda one, a=first, b=start: one.play(a, b), replicas))
            seconds = time.perf_counter() - began
            blocks = int(SECONDS * (start - counted) / seconds) // BLOCK
            rounds = min(max(blocks * BLOCK, BLOCK), KEPT if kept else MOST_ROUNDS)
            if min(ends) == start < horizon and seconds < SECONDS / 2 and not kept:
                continue
            dead = self._first_stuck(replicas, counted, min(ends))
            self._count(replicas, counted, min(ends) if dead is None else dead[0] + 1, over)
            if dead is not None:
                t, r = dead
                value = replicas[r].inputs.record.predicted[t]
                raise stuck(t, r, self.log.spec.seeds[r], value, self.log.spec.arms)
            if min(ends) < start:
                raise self._failure(replicas, ends)
            if progress is not None:
                progress(start)
            counted, began = start, time.perf_counter()

    def _first_stuck(self, replicas: Sequence[Replica], start: int, stop: int) -> tuple[int, int] | None:
        """Return the first of rounds start..stop-1 in which a replica stalled, and the replica's index."""
        if self.recipe.by_epochs:  # see `neucb.engines.stalled.learns_at_once`
            return None
        found = []
        for r, one in enumerate(replicas):
            record, script = one.inputs.record, one.inputs.script
            for first, end in long_runs(record.predicted[:stop], start) if one.predicts else ():
                rounds = slice(first, end)
                loss = self.env.feedback.cost[script.seen[rounds], record.action[rounds]]
                differs = differ_from_first(self.env.encoded.contexts, script.rows[rounds])
                t = first_stuck(record.predicted[first], loss, differs, start - first, self.log.spec.arms)
                found += [] if t is None else [(first + t, r)]
        return min(found, default=None)

    def _count(
        self, replicas: Sequence[Replica], start: int, stop: int, over: Callable[..., Iterable[Any]]
    ) -> None:
        """Write rounds start..stop-1 of all replicas to the log."""
        label = np.stack([one.inputs.script.label[start:stop] for one in replicas])
        seen = np.stack([one.inputs.script.seen[start:stop] for one in replicas])
        action = np.stack([one.inputs.record.action[start:stop] for one in replicas])
        predicted = np.stack([one.inputs.record.predicted[start:stop] for one in replicas])
        feedback = self.env.feedback
        figures = feedback.outcome(label, seen, action)
        propensity = np.stack([one.inputs.record.propensity[start:stop] for one in replicas])
        gauges = {
            name: np.stack([getattr(one.inputs.record, name)[start:stop] for one in replicas])
            for name in GAUGES
        }
        if self._tracer is not None:
            rows = np.stack([one.inputs.script.rows[start:stop] for one in replicas])
            columns = {"row": rows, "action": action, "loss": figures["loss"], "class_label": label}
            self._tracer.write(replicas, over, start, stop, **columns)
        known = predicted if replicas[0].predicts else None
        self.log.add(figures, RoundLabels(label, feedback.expected), known, propensity, gauges)

    def _failure(self, replicas: Sequence[Replica], ends: Sequence[int]) -> NeucbError:
        """Return the error of the torch engine: that of the first failed round, and of its first replica."""
        from neucb.agents.ensembles.exp4 import expert_diverged  # imports torch

        seeds, contexts = self.log.spec.seeds, self.env.encoded.contexts
        t = min(ends)
        failed = [r for r, end in enumerate(ends) if end == t]
        for r in failed:
            if not np.isfinite(dense_rows(contexts, replicas[r].inputs.script.rows[t : t + 1])).all():
                return bad_context(t, seeds[r])
        for r in failed:
            if replicas[r].inputs.record.status[0] == NOT_FINITE:
                return diverged(t, r, seeds[r])
            if replicas[r].inputs.record.status[0] >= EXPERT:
                name = failed_expert(self.recipe, int(replicas[r].inputs.record.status[0]))
                return expert_diverged(t, r, seeds[r], name)
        r = failed[0]
        return no_distribution(t, r, seeds[r], replicas[r].inputs.record.p, overflow=True)
