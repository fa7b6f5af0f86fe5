"""Recipe: a named agent as data, a row of parts from which `make_agent` of build.py constructs the agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from neucb.agents.losses import Loss, Squared
from neucb.agents.parameter import Parameter, Value, resolve
from neucb.agents.rules.rule import Rule

if TYPE_CHECKING:
    from neucb.agents.base import Agent, CountingOracle, Oracle

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class OraclePart:
    """A regression oracle, the part of a recipe that predicts losses.

    Attributes:
        name: identifier in messages.
        parameters: hyper-parameters, for `--set`.
        formulas: function from a recipe to the lines that define its predictions.
        make: constructor, from a recipe and all its hyper-parameters.
        perturbation: further hyper-parameters of perturbed predictions; empty where the oracle has none.
    """

    name: str
    parameters: tuple[Parameter, ...]
    formulas: Callable[[Recipe], list[str]]
    make: Callable[[Recipe, Settings], CountingOracle]
    perturbation: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class Wrapper:
    """A wrapper of an oracle, which changes its predictions or its updates.

    Attributes:
        name, parameters: as for `OraclePart`.
        formula: line that defines the changed predictions or updates.
        make: constructor, from the oracle and all hyper-parameters.
        by_epochs: whether the oracle is updated at the ends of doubling epochs only.
        gives_std: whether predictions get standard deviations.
        joint: whether the predictions of a round's arms are correlated.
    """

    name: str
    formula: str
    make: Callable[[Oracle, Settings], Oracle]
    parameters: tuple[Parameter, ...] = ()
    by_epochs: bool = False
    gives_std: bool = False
    joint: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of agent, which combines the parts of a recipe.

    Attributes:
        name, parameters: as for `OraclePart`.
        formula: policy in one line; None where the rule defines the policy.
        make: constructor, from a recipe and all its hyper-parameters.
        learns: whether the agent learns from losses.
        all_arms: whether the agent learns from the losses of all arms in every round.
    """

    name: str
    formula: str | None
    make: Callable[[Recipe, Settings], Agent]
    parameters: tuple[Parameter, ...] = ()
    learns: bool = True
    all_arms: bool = False


@dataclass(frozen=True)
class Recipe:
    """A named agent: its parts and defaults.

    Attributes:
        name: identifier for `--agent`.
        summary: description in one line.
        source: publication.
        kind: kind of agent.
        oracle: regression oracle, None for agents without one.
        loss: loss function of the oracle's regression.
        rule: exploration rule; None where the kind defines the policy.
        perturbed: whether the neural oracle's prediction is perturbed.
        wrapper: wrapper of the oracle, or None.
        experts: recipes of the experts of a mixture.
        defaults: (hyper-parameter, default) pairs where this recipe's default is not the parameter's own.
        aliases: further names of the recipe.

    Raises:
        TypeError: the rule lacks a member that every rule has.
    """

    name: str
    summary: str
    source: str
    kind: Kind
    oracle: OraclePart | None = None
    loss: type[Loss] = Squared
    rule: type[Rule] | None = None
    perturbed: bool = False
    wrapper: Wrapper | None = None
    experts: tuple[Recipe, ...] = ()
    defaults: tuple[tuple[str, Value], ...] = ()
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rule is not None and (missing := self.rule.missing()):
            raise TypeError(
                f"the rule {self.rule.__name__} of the recipe '{self.name}' lacks {', '.join(missing)}; "
                "see neucb.agents.rules.inverse_gap"
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The hyper-parameters that `--set` takes, with this recipe's defaults."""
        perturbation = self.oracle.perturbation if self.oracle is not None and self.perturbed else ()
        parts = [part.parameters for part in (self.wrapper, self.rule, self.kind) if part is not None]
        first = self.oracle.parameters if self.oracle is not None else ()
        own = dict(self.defaults)
        rows = (row for part in (first, perturbation, *parts) for row in part)
        return tuple(replace(row, default=own.get(row.name, row.default)) for row in rows)

    @property
    def learns(self) -> bool:
        """Whether the agent learns from losses."""
        return self.kind.learns

    @property
    def uncertain(self) -> bool:
        """Whether the rule needs standard deviations."""
        return self.rule is not None and self.rule.needs_std

    @property
    def by_epochs(self) -> bool:
        """Whether the oracle is updated at the ends of doubling epochs only."""
        return self.wrapper is not None and self.wrapper.by_epochs

    @property
    def joint(self) -> bool:
        """Whether the predictions of a round's arms are correlated."""
        return self.wrapper is not None and self.wrapper.joint

    @property
    def formula(self) -> str:
        """Predictions and policy, in one line."""
        parts = [] if self.oracle is None else self.oracle.formulas(self)
        parts += [] if self.wrapper is None else [self.wrapper.formula]
        policy = self.kind.formula or (self.rule.formula if self.rule is not None else None)
        return "; ".join([*parts, *([policy] if policy else [])])

    def settings(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Return all hyper-parameters: the given ones, checked, and defaults for the others.

        Raises:
            InputError: an unknown name or a bad value.
        """
        return resolve(self.parameters, given, self.name)
