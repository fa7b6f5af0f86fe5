"""Recipe: a named agent as pure data, the parts it is made of; `make_agent` of build.py makes the agent."""

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
    """An oracle, the part that predicts losses.

    Attributes:
        name: identifier in messages.
        parameters: hyper-parameters, for `--set`.
        formulas: lines on the predictions of a recipe with this oracle.
        make: constructor, from a recipe and all its hyper-parameters.
        perturbation: further hyper-parameters where predictions are perturbed; empty where they cannot be.
    """

    name: str
    parameters: tuple[Parameter, ...]
    formulas: Callable[[Recipe], list[str]]
    make: Callable[[Recipe, Settings], CountingOracle]
    perturbation: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class Wrapper:
    """A wrapper of an oracle.

    Attributes:
        name, parameters: as for `OraclePart`.
        formula: line on how it changes predictions or learning.
        make: constructor, from the oracle and all hyper-parameters.
        by_epochs: whether the oracle learns at the ends of doubling epochs only.
        gives_std: whether it adds standard deviations to predictions.
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
    """A kind of agent, into which the parts are put.

    Attributes:
        name, parameters: as for `OraclePart`.
        formula: policy in one line; None where the rule has it.
        make: constructor, from a recipe and all its hyper-parameters.
        learns: whether it learns from losses.
        all_arms: whether it learns the losses of all arms in every round.
    """

    name: str
    formula: str | None
    make: Callable[[Recipe, Settings], Agent]
    parameters: tuple[Parameter, ...] = ()
    learns: bool = True
    all_arms: bool = False


@dataclass(frozen=True)
class Recipe:
    """A named agent.

    Attributes:
        name: for `--agent`.
        summary: one line.
        source: publication.
        kind: kind of agent.
        oracle: oracle, None for agents without one.
        loss: loss that the oracle regresses with.
        rule: exploration rule; None where the kind has the policy.
        perturbed: whether the neural oracle's prediction is perturbed.
        wrapper: wrapper of the oracle.
        experts: recipes that a mixture mixes.
        defaults: defaults of this recipe, where they differ from the parameter's own.
        aliases: further names of it.
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
        """Whether it learns from losses."""
        return self.kind.learns

    @property
    def uncertain(self) -> bool:
        """Whether the rule needs standard deviations."""
        return self.rule is not None and self.rule.needs_std

    @property
    def by_epochs(self) -> bool:
        """Whether it learns at the ends of doubling epochs only."""
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
        """Return all hyper-parameters: those given, checked, and defaults.

        Raises:
            InputError: an unknown name or a bad value.
        """
        return resolve(self.parameters, given, self.name)
