"""Delayed feedback: losses reach the agent a number of rounds later, one by one or in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from neucb.agents.base import CountsPending, ask, gauges_of
from neucb.agents.propensity import Kinds, Propensities, draws, kind_of, propensities_of
from neucb.agents.protocols import Foresees, LearnsAll, autograd_of, has
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.agents.base import Agent
    from neucb.agents.prediction import Prediction
    from neucb.core.spec import Spec


class Delayed:
    """Any agent with delayed or batched feedback.

    With delay n, the loss of round t reaches the agent after round t + n; with feedback_batch n, the losses
    of rounds 1..n reach it together after round n, and so on. Losses still outstanding at the end of the
    run never arrive. Joulani, Gyorgy, Szepesvari, "Online Learning under Delayed Feedback", ICML
    2013.

    Args:
        agent: wrapped agent.
        delay: feedback delay, n >= 0 rounds.
        feedback_batch: number n >= 1 of rounds whose losses arrive together; counted after the delay.

    Raises:
        InputError: a value is out of its range, or the agent is a skyline, which learns from all losses.
    """

    uses_autograd = autograd_of("agent")

    def __init__(self, agent: Agent, *, delay: int = 0, feedback_batch: int = 1) -> None:
        if delay < 0 or feedback_batch < 1:
            raise InputError("delay must be at least 0 and feedback_batch at least 1")
        if has(agent, Foresees) or has(agent, LearnsAll):
            raise InputError("a skyline learns from all losses; play it without delay and feedback_batch")
        self.agent = agent
        self.delay = delay
        self.feedback_batch = feedback_batch

    @property
    def prediction(self) -> Prediction | None:
        """The agent's last prediction, where it keeps one."""
        return getattr(self.agent, "prediction", None)

    def reset(self, spec: Spec) -> None:
        """Discard all state, outstanding losses included."""
        self._waiting: deque[tuple[Tensor, Tensor, Tensor]] = deque()
        self.agent.reset(spec)
        # Rounds whose losses a trained agent's last run left outstanding count as played.
        self._lost = self.agent.pending if isinstance(self.agent, CountsPending) else 0

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return the agent's distribution [R, K]."""
        if isinstance(self.agent, CountsPending):
            self.agent.pending = self._lost + len(self._waiting)
        return ask(self.agent, context, available)

    @property
    def draws(self) -> bool:
        """Whether the agent draws random numbers, see `neucb.agents.propensity`."""
        return draws(self.agent)

    @property
    def propensity_kind(self) -> Kinds:
        """Propensity kind of the wrapped agent."""
        return kind_of(self.agent)

    def propensities(self, given: Tensor) -> Propensities:
        """Return the agent's propensities [R, K]."""
        return propensities_of(self.agent, given)

    def gauges(self) -> Mapping[str, Tensor]:
        """Return the gauges of the agent."""
        return gauges_of(self.agent)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Buffer the round; pass the losses that are due to the agent."""
        self._waiting.append((context.clone(), action, loss))  # the environment may reuse its buffer
        if len(self._waiting) < self.delay + self.feedback_batch:
            return
        for _ in range(self.feedback_batch):
            self.agent.update(*self._waiting.popleft())
