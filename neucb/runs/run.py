"""Run: one agent on one environment with R seeds, before and after play."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neucb.agents.initialisation import step_share
from neucb.core.errors import DivergedError, InputError, NeucbError
from neucb.core.threads import cores
from neucb.engines.engine import Engine
from neucb.engines.log import Progress, RunLog
from neucb.runs.plugins import Plugin, explain
from neucb.runs.resolved_agent import ResolvedAgent

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from neucb.agents.base import Agent
    from neucb.agents.recipes.recipe import Recipe
    from neucb.core.spec import AnyVectorEnv
    from neucb.runs.checkpoint import Trained


@dataclass
class Run:
    """One agent on one environment with R seeds, ready to be played or played.

    Attributes:
        player: engine that plays the rounds.
        resolved: agent of the run, as resolved from its name or object.
        env: environment, num_envs = R.
        log: log of metrics; filled by `play`.
        environment: description of the data: data set, source, preprocessing, ...
        engine: name of the engine, "compiled" or "torch".
        playing: agent object of the torch engine, else None.
        data: user's code that made the environment.
        seconds: wall-clock time of the rounds, loading and compiling excluded.
        cpu_seconds: processor time of the rounds, over all threads.
        extra: further columns of the frame, one value per row.
    """

    player: Engine
    resolved: ResolvedAgent
    env: AnyVectorEnv
    log: RunLog
    environment: dict[str, Any]
    engine: str
    playing: Agent | None = None
    data: Plugin | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    extra: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def agent_name(self) -> str:
        """Name of the agent in the log."""
        return self.resolved.name

    @property
    def threads(self) -> int:
        """Number of threads that play the rounds."""
        return min(cores(), self.log.spec.replicas) if self.engine == "compiled" else 1

    @property
    def recipe(self) -> Recipe | None:
        """Recipe of a named agent, else None."""
        return self.resolved.recipe

    @property
    def settings(self) -> dict[str, Any]:
        """All hyper-parameters of the agent."""
        return self.resolved.settings

    @property
    def agent(self) -> Trained:
        """Trained agent after the rounds played, for runs prepared with `keep_agent`.

        Raises:
            InputError: the run was prepared without `keep_agent`, and the compiled engine plays.
        """
        if self.playing is None:
            raise InputError("this run keeps no trained agent; prepare it with keep_agent=True")
        log = self.log
        return self.resolved.trained_by(self.playing, log.round, log.spec, self.environment)

    def trace(self) -> pd.DataFrame:
        """Return the trace of every round played, see `Trace`, for runs prepared with `trace`.

        Raises:
            InputError: the run was prepared without `trace`.
        """
        if self.log.trace is None:
            raise InputError("this run keeps no trace; prepare it with trace=True, or trace='full'")
        return self.log.trace.frame(self.log.round)

    def check_keepable(self) -> None:
        """Check before the first round that the trained agent can be saved.

        State that the user's own agent adds during play is not covered.

        Raises:
            InputError: the agent's state holds an object that cannot be saved, see `take_state`.
        """
        if self.resolved.plugin is None:
            return
        from neucb.agents.state import take_state

        another = self.resolved.make()
        with contextlib.suppress(Exception, SystemExit):  # raised again when it is played
            another.reset(self.log.spec)
        take_state(another)

    def load(self) -> None:
        """Import and compile the engine; `play` calls this if need be."""
        with self._outlives_exits():
            self.player.load()

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; after an error `log` holds the rounds played before it.

        Raises:
            DivergedError: the agent's predictions or probabilities are no longer finite, or it stalled.
            NeucbError: the user's own code called `sys.exit`; its other exceptions propagate.
        """
        self.load()
        started, cpu_started = time.perf_counter(), time.process_time()
        try:
            with self._outlives_exits():
                self.player.play(progress)
        except DivergedError as error:
            raise self._named(error) from error
        finally:
            self.seconds = time.perf_counter() - started
            self.cpu_seconds = time.process_time() - cpu_started

    def explain(self, error: BaseException) -> NeucbError | None:
        """Return the one-line error of an exception in the user's code; None for runs without such code."""
        given = self.resolved.agent
        own = None if given is None else Plugin(self.agent_name, self.agent_name, given)
        plugins = [plugin for plugin in (self.resolved.plugin, own, self.data) if plugin is not None]
        return explain(error, plugins) if plugins else None

    @contextlib.contextmanager
    def _outlives_exits(self) -> Iterator[None]:
        """Turn `sys.exit` in the user's code into an error of the run."""
        try:
            yield
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise (self.explain(error) or NeucbError(f"{type(error).__name__}: {error}")) from error

    def _named(self, error: DivergedError) -> DivergedError:
        """Return the error with the agent's name and step size in its message."""
        words, t, r = f"{self.agent_name}, {error}", error.round, error.replica
        if t is not None and r is not None and "lr" in self.settings:
            settings = self.cell(r)
            lr, power = settings["lr"], settings["lr_power"]
            rate = f"lr = {lr:g}"
            recipe = self.recipe
            if recipe is not None and not recipe.kind.all_arms and not recipe.by_epochs:
                share = step_share(settings["width"], settings["init"], settings["depth"])
                rate += f", {share * lr / (t + 1) ** power:.3g} in this round"
            words = words.replace("(lr)", f"({rate})")
        return DivergedError(words, t, r)

    @property
    def rounds_per_second(self) -> float:
        """Throughput: rounds of all replicas together per second of play."""
        return self.log.round * self.log.spec.replicas / self.seconds

    def cell(self, replica: int) -> dict[str, Any]:
        """Return the hyper-parameters of one replica."""
        return {
            name: value[replica] if isinstance(value, tuple) else value
            for name, value in self.settings.items()
        }

    def frame(self, columns: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the tidy log, one row per seed and logged round (see `RunLog`), hyper-parameters last.

        `frame.attrs` holds the source of the data, the engine and the seconds of play.

        Args:
            columns: further columns, or other values of agent and dataset; a tuple has one value per replica.
        """
        named = {"agent": self.agent_name, "dataset": self.environment["dataset"], **(columns or {})}
        frame = self.log.frame({**named, **self.settings}).assign(**self.extra)
        frame.attrs.update(self.environment, engine=self.engine, seconds=self.seconds)
        return frame
