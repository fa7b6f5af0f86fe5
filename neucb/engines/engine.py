"""Engine: the interface of engines, which play the rounds of a run; and Lockstep, the torch engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from neucb.environments.rewards import UNIT

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from neucb.agents.base import Agent
    from neucb.engines.log import Progress, RunLog


class Engine(Protocol):
    """An engine with one run to play."""

    def load(self) -> None:
        """Import modules and compile kernels, before the rounds are timed; do nothing when called again."""

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; if this call raises, the log is complete up to the last round played."""


class Lockstep:
    """The torch engine: R replicas of any agent play R replicas of any environment together.

    Args:
        agent: agent of R replicas.
        env: environment, num_envs = R.
        log: log of the run, empty.
        reward_range: bounds (low, high) of the environment's rewards.
    """

    def __init__(
        self,
        agent: Agent,
        env: VectorEnv[Any, Any, Any],
        log: RunLog,
        reward_range: tuple[float, float] = UNIT,
    ) -> None:
        self.agent = agent
        self.env = env
        self.log = log
        self.reward_range = reward_range

    def load(self) -> None:
        """Import torch; load the torch engine's kernels, or compile them with a line of notice."""
        import torch  # noqa: F401

        from neucb.agents.propensity import draws, load_chances
        from neucb.agents.protocols import Loads, has
        from neucb.engines.compiled.compiling import announced
        from neucb.engines.log import load_sums
        from neucb.kernels.draws import load as load_draws

        with announced():
            load_sums()
            load_draws()
            if self.log.trace is not None and draws(self.agent):
                load_chances()
            if has(self.agent, Loads):
                self.agent.load(self.log.spec)

    def play(self, progress: Progress | None = None) -> None:
        """Play all rounds; errors and arguments as for `neucb.engines.lockstep.loop.play`."""
        from neucb.engines.lockstep.loop import play

        play(self.agent, self.env, self.log, progress, self.reward_range)
