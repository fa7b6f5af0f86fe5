"""Recipe: a named agent as pure data, which parts it is made of; build.py makes the agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from neucb.agents.recipes import settings
from neucb.agents.recipes.parameter import Parameter, Value, resolve

if TYPE_CHECKING:
    from neucb.agents.base import Agent

Kind = Literal["reduction", "uniform", "ensemble", "exp4", "best-fixed", "supervised"]
Oracle = Literal["none", "neural", "linear"]
Wrapper = Literal["none", "epochs", "epochs-passes", "gradient-norm", "last-layer"]
Rule = Literal[
    "none",
    "greedy",
    "inverse-gap",
    "fast-inverse-gap",
    "softmax",
    "falcon",
    "epsilon-greedy",
    "lower-confidence",
    "thompson",
]


@dataclass(frozen=True)
class Recipe:
    """A named agent.

    Attributes:
        name: for `--agent`.
        summary: one line.
        source: where it was published.
        kind: what the parts are put into: "reduction", an oracle and a rule, or an agent of its own.
        oracle: what predicts losses.
        loss: what the oracle regresses with.
        rule: how its predictions become a policy; "none" where the kind says it.
        perturbed: whether the neural oracle's prediction is perturbed.
        wrapper: what stands round the oracle.
        defaults: of this recipe, where they differ from the parameter's own.
    """

    name: str
    summary: str
    source: str
    kind: Kind = "reduction"
    oracle: Oracle = "none"
    loss: Literal["squared", "kl"] = "squared"
    rule: Rule = "none"
    perturbed: bool = False
    wrapper: Wrapper = "none"
    defaults: tuple[tuple[str, Value], ...] = ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The hyper-parameters that `--set` takes, with this recipe's defaults."""
        rows: tuple[Parameter, ...] = (
            *settings.ORACLES[self.oracle],
            *(settings.PERTURBATION if self.perturbed else ()),
            *settings.WRAPPERS[self.wrapper],
            *settings.RULES[self.rule],
            *settings.KINDS[self.kind],
        )
        own = dict(self.defaults)
        return tuple(replace(row, default=own.get(row.name, row.default)) for row in rows)

    @property
    def learns(self) -> bool:
        """Whether it learns from losses."""
        return self.kind not in ("uniform", "best-fixed")

    @property
    def uncertain(self) -> bool:
        """Whether the rule needs standard deviations."""
        return self.rule in ("lower-confidence", "thompson")

    @property
    def formula(self) -> str:
        """What it predicts and what it plays, in one line."""
        kind = self.kind
        parts = [settings.RULE_FORMULAS[self.rule] if kind == "reduction" else settings.KIND_FORMULAS[kind]]
        if self.wrapper != "none":
            parts.insert(0, settings.WRAPPER_FORMULAS[self.wrapper])
        elif self.uncertain:
            parts.insert(0, settings.COVARIANCE_FORMULA)
        if self.perturbed:
            parts.insert(0, settings.PERTURBED_FORMULA)
        if self.oracle == "neural":
            parts.insert(0, settings.DEPTH_FORMULA)
        if self.oracle != "none":
            parts.insert(0, settings.ORACLE_FORMULAS[self.oracle, self.loss])
        return "; ".join(parts)

    def settings(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Return all hyper-parameters: those given, checked, and defaults.

        Raises:
            InputError: an unknown name or a bad value.
        """
        return resolve(self.parameters, given, self.name)

    def build(self, given: Mapping[str, Any] | None = None) -> Agent:
        """Return a new agent; `given` holds hyper-parameters, numbers or one number per replica.

        Raises:
            InputError: an unknown name or a bad value; several values of a whole number.
        """
        from neucb.agents.recipes.build import build

        chosen = self.settings(given or {})
        for parameter in self.parameters:
            parameter.check_shared(chosen[parameter.name])
        return build(self, chosen)
