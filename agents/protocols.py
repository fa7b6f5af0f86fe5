"""Optional members of agents, and of their parts, that the runner makes use of where they are there.

`Agent` in base.py says which methods every agent needs. Each protocol here is one further thing that an
agent can do; `has(agent, protocol)` asks for it, and an object that wraps an agent passes it on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from neucb.agents.propensity import Kinds, Propensities
    from neucb.core.spec import Spec

P = TypeVar("P")


class SaysAutograd(Protocol):
    """An agent, oracle, rule, loss or kind of weights that says whether it uses autograd.

    Attributes:
        uses_autograd: whether gradients are to be recorded while it plays, so that it may call `backward()`.
            Read once, before the first round. Default, also of a subclass of one that says so: True, they
            are recorded. An agent made of parts says True if one of them does.
    """

    uses_autograd: bool


class Predicts(Protocol):
    """An agent that predicts losses, which the log compares with the realised ones.

    Attributes:
        prediction: last prediction, or None; its `mean` [R, K] is read after each `distribution`, its
            `std`, `output` and `factor` where probabilities are NaN. See `Prediction`.
    """

    prediction: Any


class HasGauges(Protocol):
    """An agent or oracle with figures of its state for the log."""

    def gauges(self) -> Mapping[str, Tensor]:
        """Return "parameter_distance" and "perturbation_rms" [R], one, both or neither, see `RunLog`.

        Called after `update`, in rounds that are logged.
        """


class Loads(Protocol):
    """An agent or oracle that has something to import or compile."""

    def load(self, spec: Spec) -> None:
        """Import and compile; called once, before `reset` and before the clock starts."""


class LooksAhead(Protocol):
    """An agent or oracle that gains from knowing the next contexts."""

    def look_ahead(self, contexts: Tensor) -> None:
        """Take the contexts [B, R, d] of the next B rounds.

        Called before each block of rounds whose contexts do not depend on the arms played; `distribution`
        and `update` of these rounds follow in this order. With B = 0, where a run ends early: no more of
        them follow. It must not change any number.
        """


class Draws(Protocol):
    """An agent whose distribution depends on numbers that it draws itself, see `neucb.agents.propensity`.

    Attributes:
        draws: whether it does; read once, before the first round. Default: False.
    """

    draws: bool

    def propensities(self, given: Tensor) -> Propensities:
        """Return the propensities [R, K] of the round whose distribution is `given` [R, K].

        Called after `distribution` and before `update`, in runs with a trace. It changes no state.
        """


class DrawingRule(Protocol):
    """An exploration rule that draws; an agent with such a rule is one that `Draws`."""

    def propensities(self, prediction: Any, now: Any) -> Propensities:
        """Return the probabilities [R, K] of the arms before the draw; arguments as for the rule itself."""


class HasPropensityKind(Protocol):
    """An agent or rule that does not draw and says how its propensities are known.

    Attributes:
        propensity_kind: "exact", the default, or "deterministic" where it plays one arm for certain. One,
            or a tuple with one per replica. Read when rounds are traced.
    """

    propensity_kind: Kinds


class Foresees(Protocol):
    """An agent that knows the sums of all arms' losses beforehand, as no bandit may: a skyline."""

    def foresee(self, losses: Tensor) -> None:
        """Take the cumulative expected losses [R, K] of all arms over the run.

        Called once, after `reset` and before the first round. The runner plays the environment once before.
        """


class LearnsAll(Protocol):
    """An agent that learns from the losses of all arms, as no bandit may: a skyline."""

    def learn_all(self, context: Tensor, losses: Tensor, available: Tensor | None) -> None:
        """Learn from contexts [R, d] and the expected losses [R, K] of all arms, or of those available.

        Called in each round instead of `update`.
        """


def has(agent: object, protocol: Callable[..., P]) -> TypeGuard[P]:
    """Return whether an agent or part has all members of one of these protocols."""
    members = {name for name in vars(protocol) if not name.startswith("_")}
    return all(hasattr(agent, name) for name in members | protocol.__annotations__.keys())


def uses_autograd(part: object) -> bool:
    """Return whether an agent or part of one uses autograd, see `SaysAutograd`; True if it does not say.

    Its own class or the object itself says so. What a class inherits does not count: its methods may be
    other ones.
    """
    own = vars(type(part)).keys() | getattr(part, "__dict__", {}).keys()
    return "uses_autograd" not in own or bool(part.uses_autograd)  # type: ignore[attr-defined]  # it is there


def autograd_of(*names: str) -> Any:
    """Return the property `uses_autograd` of a class whose attributes of these names are its parts."""
    return property(lambda self: any(uses_autograd(getattr(self, name)) for name in names))
