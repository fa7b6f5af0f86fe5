"""Agent: the interface of learners; and Reduction, the agent made of an oracle and a rule."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from neucb.agents.prediction import Prediction, Round
from neucb.agents.propensity import Kinds, Propensities, kind_of
from neucb.agents.protocols import DrawingRule, HasGauges, Loads, LooksAhead, autograd_of, has
from neucb.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from neucb.core.spec import Spec


class Agent(Protocol):
    """R replicas of a contextual-bandit learner, played in lockstep.

    Row r of every tensor belongs to replica r, whose numbers must not depend on the other rows. The runner
    calls `reset` once, then `distribution` and `update` once a round. It samples the arm itself.

    Contexts are [R, d], or [R, K, d] where `spec.per_arm`. An agent for environments in which only
    some arms are available takes them as a second argument, `distribution(context, available)`,
    bool [R, K], and gives the others probability 0. Further methods and attributes, all optional, are
    in `neucb.agents.protocols`.
    """

    def reset(self, spec: Spec) -> None:
        """Discard all state and prepare R = spec.replicas replicas."""

    def distribution(self, context: Tensor) -> Tensor:
        """Return the probability of each arm [R, K] for contexts [R, d]; change no state."""

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Learn from contexts [R, d], the arms played [R] (int64) and their losses [R] in [0, 1]."""


def ask(agent: Agent, context: Tensor, available: Tensor | None) -> Tensor:
    """Return an agent's distribution over the available arms [R, K]; None stands for all arms.

    Raises:
        InputError: the agent's `distribution` has no argument for the available arms.
    """
    if available is None:
        return agent.distribution(context)
    if len(inspect.signature(agent.distribution).parameters) < 2:
        raise InputError(
            "the environment has rounds in which only some arms are available; "
            f"{type(agent).__name__}.distribution must take them: distribution(context, available)"
        )
    return agent.distribution(context, available)  # type: ignore[call-arg]  # it takes them


def gauges_of(part: object) -> Mapping[str, Tensor]:
    """Return the gauges [R] of an agent or an oracle, an empty mapping where it has none."""
    return part.gauges() if has(part, HasGauges) else {}


class Oracle(Protocol):
    """An online regression oracle: predicts the loss of every arm, learns from the played one."""

    def reset(self, spec: Spec) -> None:
        """Discard all state and prepare R = spec.replicas replicas."""

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses [R, K] for contexts [R, d]; change no state."""

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Learn from contexts [R, d], arms [R] and losses [R]."""


class CountingOracle(Protocol):
    """An oracle whose updates weight each sample by a count."""

    def reset(self, spec: Spec) -> None:
        """Discard all state and prepare R = spec.replicas replicas."""

    def predict(self, context: Tensor) -> Prediction:
        """Return predicted losses [R, K]; change no state."""

    def update(self, context: Tensor, action: Tensor, loss: Tensor, count: Tensor | None = None) -> None:
        """Learn from contexts, arms [R] and losses [R], each `count` [R] times."""


class ExplorationRule(Protocol):
    """A frozen value that turns predictions into a policy.

    A rule that plays one arm with probability 1, or that draws random numbers, declares this by the
    attributes in `neucb.agents.propensity`.
    """

    def __call__(self, prediction: Prediction, now: Round) -> Tensor:
        """Return probabilities [R, K], float64."""


class CountsPending:
    """Base of agents that count their rounds themselves, to key random draws or for error messages.

    Attributes:
        pending: number of rounds played whose losses have not arrived. `Delayed` sets it, for agents derived
            from this class only.
    """

    pending: int = 0


class AgentWrapper(CountsPending):
    """Base of agents around another one, whose optional members they share.

    Attributes:
        agent: the other agent.
    """

    agent: Any

    def __getattr__(self, name: str) -> Any:
        if name == "agent":  # absent while a copy is being made
            raise AttributeError(name)
        return getattr(self.agent, name)

    @property
    def pending(self) -> int:
        """Number of rounds played whose losses have not arrived, see `CountsPending`."""
        return self.agent.pending if isinstance(self.agent, CountsPending) else 0

    @pending.setter
    def pending(self, count: int) -> None:
        if isinstance(self.agent, CountsPending):
            self.agent.pending = count


class Reduction(CountsPending):
    """The reduction from bandits to online regression: an agent is an oracle and a rule.

    Foster and Rakhlin, "Beyond UCB", ICML 2020 (arXiv 2002.04926), Algorithm 1.

    Attributes:
        prediction: last prediction, for the runner's log.
        pending: see `CountsPending`; draws are keyed by the round's number.
    """

    uses_autograd = autograd_of("oracle", "rule")

    def __init__(self, oracle: Oracle, rule: ExplorationRule) -> None:
        self.oracle = oracle
        self.rule = rule
        self.prediction: Prediction | None = None

    def reset(self, spec: Spec) -> None:
        """Discard all state and prepare R = spec.replicas replicas."""
        import torch

        from neucb.agents.noise import Noise

        self.oracle.reset(spec)
        self.prediction = None
        self.pending = 0
        zero = torch.zeros(spec.replicas, dtype=torch.float64, device=spec.device)
        self._round = Round(1, zero, spec.horizon, Noise(spec))

    def load(self, spec: Spec) -> None:
        """Load or compile the oracle's kernels, before timing begins."""
        if has(self.oracle, Loads):
            self.oracle.load(spec)

    def look_ahead(self, contexts: Tensor) -> None:
        """Pass the contexts [B, R, d] of the next B rounds to the oracle, if it is `LooksAhead`."""
        if has(self.oracle, LooksAhead):
            self.oracle.look_ahead(contexts)

    def distribution(self, context: Tensor, available: Tensor | None = None) -> Tensor:
        """Return the probability of each arm [R, K] for contexts [R, d] or [R, K, d]."""
        self.prediction = self.oracle.predict(context)
        if available is not None:
            self.prediction = replace(self.prediction, available=available)
        return self.rule(self.prediction, self.now)

    @property
    def draws(self) -> bool:
        """Whether the rule draws random numbers, see `neucb.agents.propensity`."""
        return has(self.rule, DrawingRule)

    @property
    def propensity_kind(self) -> Kinds:
        """Propensity kind of a rule that does not draw random numbers."""
        return kind_of(self.rule)

    def propensities(self, given: Tensor) -> Propensities:
        """Return the probabilities [R, K] of the arms of the last prediction before the rule's draw."""
        assert has(self.rule, DrawingRule)
        return self.rule.propensities(self.prediction, self.now)

    @property
    def now(self) -> Round:
        """The round about to be played: the information that a rule may use."""
        return replace(self._round, pending=self.pending) if self.pending else self._round

    def extend(self, rounds: int) -> None:
        """Set the horizon to the number of rounds played plus `rounds` further ones."""
        self._round = replace(self._round, horizon=self._round.number - 1 + rounds)

    def gauges(self) -> Mapping[str, Tensor]:
        """Return the gauges of the oracle."""
        return gauges_of(self.oracle)

    def update(self, context: Tensor, action: Tensor, loss: Tensor) -> None:
        """Update the oracle, and the round number and observed loss that the rule uses."""
        self.oracle.update(context, action, loss)
        self._round = self._round.after(loss)
