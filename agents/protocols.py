"""Optional protocols of agents and of their parts, which the runner uses where they are implemented.

`Agent` in base.py has the methods that every agent needs. Each protocol here is one further capability;
`has(agent, protocol)` tests for it, and an object that wraps an agent forwards it.
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
    """An agent, oracle, rule, loss or kind of weights that declares whether it uses autograd.

    Attributes:
        uses_autograd: whether PyTorch records gradients during play, so that `backward()` may be called. Read
            once, before the first round. Default: True; a subclass does not inherit the declaration of its
            base. True for an agent made of parts if it is True for one of them.
    """

    uses_autograd: bool


class SaysNumpy(Protocol):
    """An agent that declares that it computes with NumPy.

    Attributes:
        uses_numpy: whether all methods take and return NumPy arrays in place of tensors, of equal shapes and
            types. Operations on small arrays take a fifth of the time of those on small tensors. Played on
            the CPU only. Read once, before the first round. Default: False.
    """

    uses_numpy: bool


class Predicts(Protocol):
    """An agent that predicts losses, which the log compares with the realised ones.

    Attributes:
        prediction: last prediction, or None; its `mean` [R, K] is read after each `distribution`, and its
            `std`, `output` and `factor` where probabilities are NaN. See `Prediction`.
    """

    prediction: Any


class HasGauges(Protocol):
    """An agent or oracle that reports gauges of its state, such as norms, to the log."""

    def gauges(self) -> Mapping[str, Tensor]:
        """Return gauges [R] by name: "parameter_distance", "perturbation_rms", both optional, see `RunLog`.

        Called after `update`, in logged rounds.
        """


class Loads(Protocol):
    """An agent or oracle with modules to import or kernels to compile."""

    def load(self, spec: Spec) -> None:
        """Import and compile; called once, before `reset` and before timing begins."""


class LooksAhead(Protocol):
    """An agent or oracle that computes faster with the contexts of the next rounds in advance."""

    def look_ahead(self, contexts: Tensor) -> None:
        """Take the contexts [B, R, d] of the next B rounds.

        Called before each block of rounds whose contexts do not depend on the arms played; `distribution`
        and `update` of these rounds follow in this order. B = 0 cancels the remaining rounds of a block
        where a run ends early. The call must not change any result.
        """


class Draws(Protocol):
    """An agent whose distribution depends on its own random draws, see `neucb.agents.propensity`.

    Attributes:
        draws: whether the distribution depends on them; read once, before the first round. Default: False.
    """

    draws: bool

    def propensities(self, given: Tensor) -> Propensities:
        """Return the propensities [R, K] of the round whose distribution is `given` [R, K].

        Called after `distribution` and before `update`, in runs with a trace. It changes no state.
        """


class DrawingRule(Protocol):
    """An exploration rule that draws random numbers; an agent with such a rule is `Draws`."""

    def propensities(self, prediction: Any, now: Any) -> Propensities:
        """Return the probabilities [R, K] of the arms before the draw; arguments as for the rule's call."""


class HasPropensityKind(Protocol):
    """An agent or rule that draws no random numbers and declares the kind of its propensities.

    Attributes:
        propensity_kind: "exact", the default, or "deterministic" where one arm has probability 1. One value,
            or a tuple with one per replica. Read when rounds are traced.
    """

    propensity_kind: Kinds


class Foresees(Protocol):
    """A skyline that has the sums of all arms' losses before the run, which no bandit observes."""

    def foresee(self, losses: Tensor) -> None:
        """Take the cumulative expected losses [R, K] of all arms over the run.

        Called once, after `reset` and before the first round; the runner plays the environment once for this.
        """


class LearnsAll(Protocol):
    """A skyline that learns from the losses of all arms, which no bandit observes."""

    def learn_all(self, context: Tensor, losses: Tensor, available: Tensor | None) -> None:
        """Learn from contexts [R, d] and the expected losses [R, K] of all arms, or of those available.

        Called in each round instead of `update`.
        """


def has(agent: object, protocol: Callable[..., P]) -> TypeGuard[P]:
    """Return whether an agent or part has all members of one of these protocols."""
    members = {name for name in vars(protocol) if not name.startswith("_")}
    return all(hasattr(agent, name) for name in members | protocol.__annotations__.keys())


def uses_autograd(part: object) -> bool:
    """Return whether an agent or part of one uses autograd, see `SaysAutograd`; True if it is not declared.

    The declaration is an attribute of the object or of its own class. An inherited one does not count,
    because the subclass may override methods.
    """
    own = vars(type(part)).keys() | getattr(part, "__dict__", {}).keys()
    return "uses_autograd" not in own or bool(part.uses_autograd)  # type: ignore[attr-defined]  # it is there


def uses_numpy(agent: object) -> bool:
    """Return whether an agent's methods take and return NumPy arrays, see `SaysNumpy`."""
    return bool(getattr(agent, "uses_numpy", False))


def autograd_of(*names: str) -> Any:
    """Return the property `uses_autograd` of a class whose attributes of these names are its parts."""
    return property(lambda self: any(uses_autograd(getattr(self, name)) for name in names))
