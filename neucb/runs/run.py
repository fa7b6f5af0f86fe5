"""Run: an agent on an environment, R seeds, ready to be played, or played."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neucb.agents.initialisation import step_share
from neucb.core.errors import DivergedError, NeucbError
from neucb.engines.engine import Engine
from neucb.engines.lockstep.loop import Progress
from neucb.engines.log import RunLog
from neucb.runs.plugins import Plugin, explain
from neucb.runs.resolved_agent import Candidate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from gymnasium.vector import VectorEnv
    from numpy.typing import NDArray

    from neucb.agents.base import Agent
    from neucb.agents.recipes.recipe import Recipe
    from neucb.runs.checkpoint import Trained

    AnyVectorEnv = VectorEnv[Any, Any, Any]


@dataclass
class Run:
    """One agent on one environment, R seeds: ready to be played, or played.

    Attributes:
        player: plays the rounds.
        candidate: the agent, as it was named or given.
        env: the environment, num_envs = R.
        log: the figures; filled by `play`.
        environment: what the result has to say of its data: data set, source, preprocessing, ...
        engine: "compiled" or "torch", which plays the rounds.
        agent: that plays, in the torch engine.
        data: the user's code that made the environment.
        seconds: time that the rounds took, loading and compiling excluded.
        extra: further columns of the frame, of as many values as its rows.
    """

    player: Engine
    candidate: Candidate
    env: AnyVectorEnv
    log: RunLog
    environment: dict[str, Any]
    engine: str
    agent: Agent | None = None
    data: Plugin | None = None
    seconds: float = 0.0
    extra: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def agent_name(self) -> str:
        """The agent's name in the log."""
        return self.candidate.name

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of the agent, None for an agent that has none."""
        return self.candidate.recipe

    @property
    def settings(self) -> dict[str, Any]:
        """The agent's hyper-parameters, all of them."""
        return self.candidate.settings

    def trained(self) -> Trained:
        """Return the agent as it is after the rounds played; for runs prepared with `return_agent`."""
        assert self.agent is not None
        log = self.log
        return self.candidate.trained_by(self.agent, log.round, log.spec, self.environment)

    def check_keepable(self) -> None:
        """Make sure, before anything is played, that the trained agent will go into a file.

        What an agent of the user's own takes up only while it plays is not known yet.

        Raises:
            InputError: it holds what cannot be kept, see `take_state`.
        """
        if self.candidate.plugin is None:
            return
        from neucb.agents.state import take_state

        another = self.candidate.make()
        with contextlib.suppress(Exception, SystemExit):  # playing will say it
            another.reset(self.log.spec)
        take_state(another)

    def load(self) -> None:
        """Import or compile what playing needs; `play` does it where this was not called."""
        with self._outlives_exits():
            self.player.load()

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; what has been played stays in `log` whatever happens.

        Raises:
            DivergedError: the agent's numbers are no longer finite.
            NeucbError: code of the user's own called `sys.exit`; its other exceptions come through.
        """
        self.load()
        started = time.perf_counter()
        try:
            with self._outlives_exits():
                self.player.play(progress)
        except DivergedError as error:
            raise self._named(error) from error
        finally:
            self.seconds = time.perf_counter() - started

    def explain(self, error: BaseException) -> NeucbError | None:
        """Return one line for what code of the user's own raised; None where all code is neucb's."""
        given = self.candidate.agent
        own = None if given is None else Plugin(self.agent_name, self.agent_name, given)
        plugins = [one for one in (self.candidate.plugin, own, self.data) if one is not None]
        return explain(error, plugins) if plugins else None

    @contextlib.contextmanager
    def _outlives_exits(self) -> Iterator[None]:
        """Let `sys.exit` in somebody's code end the run that it is in, as an exception does, and no more."""
        try:
            yield
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise (self.explain(error) or NeucbError(f"{type(error).__name__}: {error}")) from error

    def _named(self, error: DivergedError) -> DivergedError:
        """Return the error with the agent's name and its step size."""
        words, t, r = f"{self.agent_name}, {error}", error.round, error.replica
        if t is not None and r is not None and "lr" in self.settings:
            settings = self.cell(r)
            lr, power = settings["lr"], settings["lr_power"]
            rate = f"lr = {lr:g}"
            recipe = self.candidate.recipe
            if recipe is not None and not recipe.kind.all_arms and not recipe.by_epochs:
                share = step_share(settings["width"], settings["init"], settings["depth"])
                rate += f", {share * lr / (t + 1) ** power:.3g} in this round"
            words = words.replace("(lr)", f"({rate})")
        return DivergedError(words, t, r)

    @property
    def rounds_per_second(self) -> float:
        """Rounds of all replicas together per second of playing."""
        return self.log.round * self.log.spec.replicas / self.seconds

    def cell(self, replica: int) -> dict[str, Any]:
        """Return the hyper-parameters of one replica."""
        return {
            name: value[replica] if isinstance(value, tuple) else value
            for name, value in self.settings.items()
        }

    def frame(self, columns: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the tidy log, one row per seed and kept round (see `RunLog`), hyper-parameters last.

        `frame.attrs` holds the source of the data, the engine and the seconds played.

        Args:
            columns: further ones, or other values of agent and dataset; a tuple has one per replica.
        """
        named = {"agent": self.agent_name, "dataset": self.environment["dataset"], **(columns or {})}
        frame = self.log.frame({**named, **self.settings}).assign(**self.extra)
        frame.attrs.update(self.environment, engine=self.engine, seconds=self.seconds)
        return frame
